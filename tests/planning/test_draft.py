"""From the tables of a suite to problems and solvers; where mistakes are told to be."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbase.discovery.registry import Registry
from benchbase.errors import SuiteError
from benchbase.planning.draft import Draft
from benchbase.planning.experiment import Change, Experiment, Extra
from benchbase.planning.suite import load_suite
from benchbase.planning.toml import TomlFile

SUITE = """\
title = "A suite"
seed = 3
trials = 2
points = 6

[dataset]
name = "noise"
n = 5

[frame]
name = "random"
pool_size = 3

[grid]
frame.n_pools = [4, 8]
pooling = [
    { name = "sum" },
    { name = "sum", power = inf },
]

[[solver]]
name = "zero"

[[solver]]
label = "inner"
name = "wrapper"
points = 4
solver = { name = "zero", n_iter = 20 }
"""

Load = Callable[..., Experiment]


@pytest.fixture
def load(parts: Registry, tmp_path: Path) -> Load:
    """Load a suite of one experiment from its text, changes as after ``--set``, added specs."""

    def run(
        text: str = SUITE, *sets: str, extras: Sequence[Extra] = (), known: Registry = parts
    ) -> Experiment:
        file = tmp_path / "s.toml"
        file.write_text(text, encoding="utf-8")
        changes = [Change.parse(each) for each in sets]
        (experiment,) = load_suite(file, known, changes, extras).experiments
        return experiment

    return run


def refused(load: Load, *arguments: Any, **options: Any) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        load(*arguments, **options)
    return caught.value.problems


def labels(experiment: Experiment) -> list[str]:
    return [entry.label for entry in experiment.entries]


def points_of_grid(experiment: Experiment) -> list[tuple[Any, ...]]:
    return [
        (frame.spec()["n_pools"], pooling.spec()["power"])
        for _, frame, pooling, *_ in experiment.problems
    ]


def test_what_a_suite_says_is_what_the_experiment_has(load: Load) -> None:
    found = load()
    assert (found.name, found.seed, found.trials, found.points) == ("", 3, 2, 6)
    assert labels(found) == ["zero", "inner"]
    assert [entry.points for entry in found.entries] == [None, 4]
    for dataset, frame, *_ in found.problems:
        assert dataset.spec() == {"name": "noise", "n": 5}
        assert frame.spec()["pool_size"] == 3


def test_what_a_suite_leaves_out_has_its_default(load: Load) -> None:
    bare = "\n".join(line for line in SUITE.splitlines()[4:] if line != "points = 4")
    found = load(bare)
    assert (found.seed, found.trials, found.points) == (0, 1, 50)
    assert found.entries[0].solver.spec()["n_iter"] == 10


def test_the_last_axis_of_the_grid_varies_fastest(load: Load) -> None:
    inf = float("inf")
    assert points_of_grid(load()) == [(4, 1.0), (4, inf), (8, 1.0), (8, inf)]
    turned = SUITE.replace("frame.n_pools = [4, 8]\n", "").replace(
        "[[solver]]", "frame.n_pools = [4, 8]\n[[solver]]", 1
    )
    assert points_of_grid(load(turned)) == [(4, 1.0), (8, 1.0), (4, inf), (8, inf)]


@pytest.mark.parametrize(
    "axis",
    [
        "[grid]\nframe.n_pools = [4, 8]\npooling.power = [1.0, inf]",
        '[grid]\n"frame.n_pools" = [4, 8]\n"pooling.power" = [1.0, inf]',
        "[grid]\nframe = { n_pools = [4, 8] }\npooling = { power = [1.0, inf] }",
        "[grid.frame]\nn_pools = [4, 8]\n[grid.pooling]\npower = [1.0, inf]",
        'grid = { frame.n_pools = [4, 8], "pooling.power" = [1, inf] }',
    ],
)
def test_the_axes_of_a_grid_may_be_written_in_every_way_of_toml(load: Load, axis: str) -> None:
    head, rest = SUITE.split("[grid]")
    tail = "[pooling]\nname = 'sum'\n[[solver]]" + rest.split("[[solver]]", 1)[1]
    text = f"{axis}\n{head}{tail}" if axis.startswith("grid =") else f"{head}{axis}\n{tail}"
    assert load(text).problems == load().problems


def test_an_axis_may_reach_into_a_component_of_a_component(load: Load, parts: Registry) -> None:
    text = SUITE.replace("n = 5", "").replace("[grid]", "[grid]\ndataset.n = [2, 3]")
    assert [dataset.n for dataset, *_ in load(text).problems] == [2] * 4 + [3] * 4


def test_without_a_grid_there_is_one_problem(load: Load) -> None:
    head, rest = SUITE.split("[grid]")
    text = head.replace("[frame]", "[pooling]\nname = 'sum'\n[frame]\nn_pools = 7")
    (problem,) = load(text + "[[solver]]" + rest.split("[[solver]]", 1)[1]).problems
    assert [part.kind for part in problem.parts()] == ["dataset", "frame", "pooling"]


# Each: what to replace by what, the line that is told, what is told.
MISTAKES = [
    ("seed = 3", "seed = -1", 2, "seed: must be an integer of at least 0, not -1"),
    ("seed = 3", "seed = 1.0", 2, "seed: must be an integer of at least 0, not 1.0"),
    ("seed = 3", f"seed = {2**63}", 2, "seed: must be an integer from -2⁶³ to 2⁶³ - 1"),
    ("points = 6", f"points = {10**30}", 4, "points: must be an integer from -2⁶³ to 2⁶³ - 1"),
    ("trials = 2", "trials = 900000", 3, "trials: 7,200,000 cells are too many; a su"),
    ("points = 6", "points = 10000001", 4, "points: 80,000,040 signals are too many"),
    ("power = inf", "power = nan", 18, "pooling.power: nan is not allowed here"),
    ("seed = 3", 'seed = "3"', 2, "seed: must be an integer of at least 0, not '3'"),
    ("trials = 2", "trials = true", 3, "trials: must be an integer of at least 1, not True"),
    ("trials = 2", "trials = 0", 3, "trials: must be an integer of at least 1, not 0"),
    ("points = 6", "points = 0", 4, "points: must be an integer of at least 1, not 0"),
    ('name = "noise"', 'name = "nois"', 7, "no dataset named 'nois'; did you mean 'noise'?"),
    ('name = "noise"', "name = 3", 6, "dataset: must be a table with a name, not {'name': 3"),
    ('name = "noise"', "", 6, "dataset: must be a table with a name, not {'n': 5}"),
    ("n = 5", "nn = 5", 8, "dataset.nn: noise has no parameter 'nn'; did you mean 'n'?"),
    ("n = 5", "n = 5.5", 8, "dataset.n: must be a valid integer, not 5.5"),
    ("pool_size = 3", "pool_size = 0", 12, "frame.pool_size: must be at least 1, not 0"),
    ("pool_size = 3", "size = 3", 12, "random has no parameter 'size'; did you mean 'pool_size"),
    ("[frame]", "[[frame]]", 10, "frame: must be a table, not [{"),
    ("[4, 8]", "[4, 0]", 15, "frame.n_pools: must be at least 1, not 0"),
    ("[4, 8]", "[4,\n0]", 16, "frame.n_pools: must be at least 1, not 0"),
    ("[4, 8]", "[\n\n4, # four\n\n8.5,\n]", 19, "frame.n_pools: must be a valid integer, not 8.5"),
    ("[4, 8]", "[]", 15, "grid.frame.n_pools: must be a list of at least one value, not []"),
    ("[4, 8]", "4", 15, "grid.frame.n_pools: must be a list of at least one value, not 4"),
    ("frame.n_pools", "fram.n_pools", 15, "fram: not part of a problem; did you mean 'frame'?"),
    ("frame.n_pools", "frame.n_poolz", 15, "random has no parameter 'n_poolz'; did you mean 'n_po"),
    ("frame.n_pools", '"frame.n_poolz"', None, "no parameter 'n_poolz'; did you mean 'n_pools'?"),
    ("frame.n_pools = [4, 8]\n", "", 10, "frame: random needs the parameter 'n_pools'"),
    ("frame.n_pools = [4, 8]", "solver = [1]", 15, "solver: not part of a problem; there are: 'da"),
    ('{ name = "sum" }', '{ name = "sun" }', 17, "no pooling named 'sun'; did you mean 'sum'?"),
    ("power = inf", 'power = "big"', 18, "power: must be a valid number, not 'big'"),
    ("power = inf", "weights = [1, 1]", 18, "weights: must be 3, not 2 numbers"),
    ("power = inf", "weights = [1, 'a']", 18, "weights: must be a valid number"),
    ('{ name = "sum" }', "'sum'", 17, "must be a table with a name, not 'sum'"),
    ('[[solver]]\nname = "zero"', "[[solver]]", 21, "solver[0]: must be a table with a name"),
    ('name = "zero"\n', 'name = "zer"\n', 22, "no solver named 'zer'; did you mean 'zero'?"),
    ('name = "zero"\n', 'name = "zero"\nn_itr = 3', 23, "no parameter 'n_itr'; did you mean 'n_i"),
    ('label = "inner"', 'label = "zero"', 25, "two solvers are labelled 'zero'"),
    ('label = "inner"', "label = 3", 25, "solver[1].label: must be a string, not 3"),
    ('label = "inner"', 'label = ["a"]', 25, "solver[1].label: must be a string, not ['a']"),
    ('label = "inner"', 'label = "a "', 25, "solver[1].label: 'a ' begins or ends with a space"),
    ('label = "inner"', 'label = "a\\u001b"', 25, "holds the invisible character U+001B"),
    ('label = "inner"', 'label = "ZER0"', 25, "labelled 'zero' and 'ZER0', which look alike"),
    ('label = "inner"', f'label = "{"a" * 121}"', 25, "has 121 characters; at most 120"),
    ("points = 4", "points = 0", 27, "solver[1].points: must be an integer of at least 1, not 0"),
    ("points = 4", "points = true", 27, "solver[1].points: must be an integer of at least 1"),
    ("n_iter = 20", "n_iter = -1", 28, "solver[1].solver.n_iter: must be at least 0, not -1"),
    ("n_iter = 20", "init = 'zero'", 28, "solver[1].solver.init: must be an instance of Solver"),
    ("solver = {", "#", 24, "solver[1]: wrapper needs the parameter 'solver'"),
    ("[grid]", "[[grid]]", 14, "grid: must be a table"),
    ("points = 6", "time_limit = 0", 4, "time_limit: must be a number of seconds above 0, not 0"),
    ("points = 6", "time_limit = -0.5", 4, "time_limit: must be a number of seconds above 0, no"),
    ("points = 6", "time_limit = true", 4, "time_limit: must be a number of seconds above 0, no"),
    ("points = 4", "time_limit = 0.0", 27, "solver[1].time_limit: must be a number of seconds ab"),
    ("points = 4", "time_limit = '1'", 27, "solver[1].time_limit: must be a number of seconds ab"),
]  # fmt: skip # a line a mistake


@pytest.mark.parametrize(("old", "new", "line", "told"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_has_its_line(
    load: Load, old: str, new: str, line: int | None, told: str
) -> None:
    assert old in SUITE
    problems = refused(load, SUITE.replace(old, new, 1))
    (problem,) = [each for each in problems if told in each]
    assert "\n" not in problem
    if line is not None:
        assert problem.startswith(f"s.toml:{line}: ")
    if told:
        assert problems == [problem]


def test_an_unknown_name_is_told_with_the_table_that_has_it(load: Load) -> None:
    text = SUITE.replace('name = "zero"\n', 'name = "zer"\n').replace('"noise"', '"nois"')
    assert refused(load, text) == [
        "s.toml:7: dataset: no dataset named 'nois'; did you mean 'noise'?",
        "s.toml:22: solver[0]: no solver named 'zer'; did you mean 'zero'?",
    ]


def test_one_trial_and_one_point_are_enough(load: Load) -> None:
    found = load(SUITE, "trials=1", "points=1", "solver.1.points=1", "seed=0")
    assert (found.seed, found.trials, found.points, found.entries[1].points) == (0, 1, 1, 1)


def test_any_time_above_zero_is_a_limit(load: Load) -> None:
    found = load(SUITE, "time_limit=1", "solver.1.time_limit=1e-9")
    assert found.time_limit == 1
    assert [entry.time_limit for entry in found.entries] == [None, 1e-9]


@pytest.mark.parametrize("grid", ["5", "[]", "[1, 2]", "'frame'", "[{ pooling = [1] }]"])
def test_a_grid_that_is_no_table_is_refused(load: Load, grid: str) -> None:
    head, rest = SUITE.split("[grid]")
    text = f"grid = {grid}\n{head}[[solver]]{rest.split('[[solver]]', 1)[1]}"
    (problem,) = refused(load, text)
    assert problem.startswith("s.toml:1: grid: must be a table")


def test_all_mistakes_are_told_at_once_and_each_once(load: Load) -> None:
    text = SUITE
    for old, new in [
        ("trials = 2", "trials = 0"),
        ("n = 5", "n = 'x'"),
        ("[4, 8]", "[0, 8, -1]"),
        ('name = "zero"\n', 'name = "zer"\n'),
        ("points = 4", "points = 0"),
    ]:
        text = text.replace(old, new, 1)
    starts = [problem.split(": ")[0] for problem in refused(load, text)]
    assert sorted(starts) == sorted(f"s.toml:{n}" for n in (3, 8, 15, 15, 22, 27))


@pytest.mark.parametrize("kind", ["dataset", "frame", "pooling"])
def test_a_kind_that_is_missing_is_named(load: Load, kind: str) -> None:
    tables = {
        "dataset": "[dataset]\nname = 'noise'\n",
        "frame": "[frame]\nname = 'random'\nn_pools = 4\n",
        "pooling": "[pooling]\nname = 'sum'\n",
    }
    del tables[kind]
    text = "".join(tables.values()) + "[[solver]]\nname = 'zero'\n"
    assert refused(load, text) == [f"s.toml: needs a [{kind}], or a grid axis of that name"]


@pytest.mark.parametrize(
    ("solver", "told"),
    [
        ("", "s.toml: needs at least one [[solver]]"),
        ("[solver]\nname = 'zero'", "s.toml:21: solver: write each solver as a [[solver]] table"),
    ],
)
def test_solvers_are_a_list_of_at_least_one(load: Load, solver: str, told: str) -> None:
    assert refused(load, SUITE.split("[[solver]]")[0] + solver) == [told]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.data(),
)
def test_a_bad_value_in_a_long_grid_has_its_own_line(
    parts: Registry, values: list[int], data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, len(values) - 1))
    listed: list[int] = [*values[:bad], -values[bad], *values[bad + 1 :]]
    rows = "".join(f"\n  {value}," for value in listed)
    text = SUITE.replace("[4, 8]", f"[{rows}\n]")
    file = TomlFile("s.toml", text)
    with pytest.raises(SuiteError) as caught:
        Draft(file, (), file.data, parts, (), ()).build()
    (problem,) = caught.value.problems
    assert problem.startswith(f"s.toml:{16 + bad}: ")


def test_changes_come_before_validation(load: Load) -> None:
    found = load(
        SUITE.replace("n_iter = 20", "n_iter = 'x'"),
        "solver.1.solver.n_iter=30", "seed=9", "grid.frame.n_pools=[2]", "dataset={name='noise'}",
        "grid.pooling=[{name='sum'}]",
    )  # fmt: skip # one argument a line says no more
    assert found.entries[1].solver.spec()["solver"]["n_iter"] == 30
    assert found.seed == 9
    assert points_of_grid(found) == [(2, 1.0)]
    assert found.problems[0][0].n == 4


def test_a_change_may_add_what_the_suite_lacks(load: Load) -> None:
    head, rest = SUITE.split("[grid]")
    text = head + "[[solver]]" + rest.split("[[solver]]", 1)[1]
    found = load(text, "frame.n_pools=3", "pooling.name='sum'", "grid.pooling.power=[1.0, 2.0]")
    assert points_of_grid(found) == [(3, 1.0), (3, 2.0)]


def test_the_last_change_of_a_value_counts(load: Load) -> None:
    assert load(SUITE, "seed=1", "seed=2").seed == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("seed=-1", "seed: must be an integer of at least 0, not -1"),
        ("grid.frame.n_pools=[]", "grid.frame.n_pools: must be a list of at least one value, no"),
        ("grid.frame.n_pools=[3, 0]", "frame.n_pools: must be at least 1, not 0"),
        ("grid=3", "grid: must be a table"),
        ("frame.pool_size=0", "frame.pool_size: must be at least 1, not 0"),
        ("frame.pool_syze=2", "random has no parameter 'pool_syze'; did you mean 'pool_size'?"),
        ("frame.0=2", "random has no parameter '0'"),
        ("frame.name='rand'", "no frame named 'rand'; did you mean 'random'?"),
        ("solver.0.n_itr=3", "solver[0].n_itr: zero has no parameter 'n_itr'; did you mean 'n_i"),
        ("solver.1.points=0", "solver[1].points: must be an integer of at least 1, not 0"),
        ("solver.1.label='zero'", "two solvers are labelled 'zero'"),
        ("solver=[]", "needs at least one [[solver]]"),
        ("seeed=1", "the suite has no seeed; did you mean 'seed'?"),
        ("grd.frame.n_pools=[3]", "the suite has no grd.frame.n_pools; did you mean 'grid'?"),
        ("include=[]", "the suite has no include; there are: 'dataset', 'frame', 'grid'"),
        ("solver.2.n_iter=3", "the suite has no solver[2].n_iter; its solvers are numbered 0 to 1"),
        (
            "grid.frame.pool_syze=[2]",
            "[2]: frame.pool_syze: random has no parameter 'pool_syze'; did",
        ),
        ("solver.name=3", "the suite has no solver.name"),
        ("solver.².x=3", "the suite has no solver.².x"),
        ("seed.x=3", "the suite has no seed.x"),
        ("title=3", "title: must be a string, not 3"),
    ],
)
def test_a_mistake_in_a_change_names_the_change(load: Load, change: str, told: str) -> None:
    (problem,) = refused(load, SUITE, change)
    assert told in problem
    if change != "solver=[]":
        assert problem.startswith(f"--set {change}: ")


def test_a_mistake_beside_a_change_is_not_blamed_on_it(load: Load) -> None:
    text = SUITE.replace("frame.n_pools = [4, 8]\n", "")
    (problem,) = refused(load, text, "frame.pool_size=2")
    assert problem == "s.toml:10: frame: random needs the parameter 'n_pools'"


def test_changes_do_not_outlive_the_load(load: Load) -> None:
    changed = load(SUITE, "grid.frame.n_pools=[2]")
    assert load() != changed
    assert load(SUITE, "grid.frame.n_pools=[2]") == changed


def extra(spec: Any, origin: str = "--with X", *, if_new: bool = False) -> Extra:
    return Extra(spec, origin, if_new)


def test_added_solvers_come_last_with_labels_of_their_own(load: Load) -> None:
    found = load(
        extras=[
            extra({"name": "zero", "n_iter": 5}),
            extra({"name": "zero", "n_iter": 5}),
            extra({"name": "zero", "label": "mine", "points": 2}),
            extra({"name": "wrapper", "solver": {"name": "zero"}}),
        ]
    )
    assert labels(found) == ["zero", "inner", *labels(found)[2:]]
    assert len(set(labels(found))) == 6
    assert labels(found)[2] == "zero(n_iter=5)"
    assert labels(found)[4:] == ["mine", "wrapper"]
    assert found.entries[2].solver.spec()["n_iter"] == 5
    assert found.entries[4].points == 2


def test_a_solver_object_may_be_added_even_where_its_name_is_taken(
    load: Load, parts: Registry
) -> None:
    zero = parts.build("solver", {"name": "zero", "n_iter": 7})
    found = load(extras=[extra(zero), extra(zero)])
    assert [entry.solver for entry in found.entries[2:]] == [zero, zero]
    assert len(set(labels(found))) == 4


def test_an_added_solver_may_be_left_out_where_there_is_one_of_its_name(load: Load) -> None:
    assert labels(load(extras=[extra({"name": "zero"}, if_new=True)])) == ["zero", "inner"]
    only = SUITE.replace('[[solver]]\nname = "zero"', "")
    found = load(only, extras=[extra({"name": "zero"}, if_new=True)])
    assert labels(found) == ["inner", "zero"]


def test_added_solvers_may_be_the_only_ones(load: Load) -> None:
    found = load(SUITE.split("[[solver]]")[0], extras=[extra({"name": "zero"})])
    assert labels(found) == ["zero"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"name": "zer"}, "no solver named 'zer'; did you mean 'zero'?"),
        ({"name": "zero", "n_itr": 1}, "zero has no parameter 'n_itr'; did you mean 'n_iter'?"),
        ({"name": "zero", "label": "inner"}, "two solvers are labelled 'inner'"),
        ({"name": "zero", "label": 3}, "label: must be a string, not 3"),
        ({"name": "zero", "label": "x", "points": 0}, "points: must be an integer of at least 1"),
        ({}, "must be a table with a name, not {}"),
        ("zero", "must be a table with a name, not 'zero'"),
        (3, "must be a table with a name, not 3"),
    ],
)
def test_a_mistake_in_an_added_solver_names_where_it_came_from(
    load: Load, spec: Any, told: str
) -> None:
    (problem,) = refused(load, extras=[extra(spec, "--with THIS")])
    assert problem.startswith("--with THIS: ")
    assert told in problem


@given(st.permutations(list(itertools.product([4, 8], [1.0, 2.0]))))
def test_the_order_of_an_axis_is_kept(parts: Registry, points: list[tuple[int, float]]) -> None:
    poolings = ", ".join(f'{{ name = "sum", power = {power} }}' for _, power in points)
    text = SUITE.split("[grid]")[0] + f"[grid]\npooling = [{poolings}]\n"
    text = text.replace("[frame]", "[frame]\nn_pools = 4") + "[[solver]]\nname = 'zero'\n"
    file = TomlFile("s.toml", text)
    built = Draft(file, (), file.data, parts, (), ()).build()
    powers = [pooling.spec()["power"] for _, _, pooling, *_ in built.problems]
    assert powers == [p for _, p in points]
