"""Suites: finding them, their experiments, what they include, what they select."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchbase.discovery.registry import Registry
from benchbase.errors import SuiteError
from benchbase.planning.experiment import Change, Extra
from benchbase.planning.suite import Suite, load_suite

PROBLEM = """\
[dataset]
name = "noise"
[frame]
name = "random"
n_pools = 6
[pooling]
name = "sum"
"""
SOLVER = '[[solver]]\nname = "zero"\n'
PLAIN = PROBLEM + SOLVER

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write suites: their texts, by file name without the ending; return the folder."""

    def run(**files: str) -> Path:
        for name, text in files.items():
            (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return run


def names(suite: Suite) -> list[str]:
    return [experiment.name for experiment in suite.experiments]


def refused(source: str | Path, known: Registry, **options: Any) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        load_suite(source, known, **options)
    return caught.value.problems


def test_a_suite_is_named_by_its_file_and_titled_by_itself(parts: Registry, write: Write) -> None:
    folder = write(plain=PLAIN, titled=f"title = 'Nice'\n{PLAIN}")
    plain = load_suite(folder / "plain.toml", parts)
    titled = load_suite(str(folder / "titled.toml"), parts)
    assert (plain.name, plain.title, names(plain)) == ("plain", "plain", [""])
    assert (titled.name, titled.title, names(titled)) == ("titled", "Nice", [""])


def test_a_suite_has_a_name_that_can_be_published(parts: Registry, write: Write) -> None:
    folder = write(**{"my suite": PLAIN, "Größe": PLAIN, "..": PLAIN, "a\nb": PLAIN, "a ": PLAIN})
    assert load_suite(folder / "my suite.toml", parts).name == "my suite"
    assert load_suite(folder / "Größe.toml", parts).name == "Größe"
    for name, fault in (
        ("...toml", "has no letter and no digit"),
        ("a\nb.toml", "holds the invisible character U+000A"),
        ("a .toml", "begins or ends with a space"),
    ):
        (problem,) = refused(folder / name, parts)
        assert f"a suite has the name of its file, and this one {fault}; rename" in problem
        assert "\n" not in problem


def test_mistakes_of_all_parts_are_told_at_once(parts: Registry, write: Write) -> None:
    text = """
tilte = "x"
title = 3
include = ["nosuch", "other.toml"]
experiment = 4
report = [{ name = "nosuch" }]
points = 0
dataset = { name = "noise", n = "six", m = 3 }
frame = { name = "random", n_pools = 0.5 }
pooling = { name = "sum", q = 1 }
[grid]
pooling.q = 3
[[solver]]
name = "zero"
n_itr = 3
tol = "small"
init = { name = "zero", n_itr = 4 }
[[solver]]
name = "nosuch"
points = 0
label = " a"
"""
    folder = write(whole=text, other=f"trails = 3\nseed = -1\n{PLAIN}")
    problems = refused(folder / "whole.toml", parts)
    told = {problem.removeprefix("whole.toml:").partition(": ")[::2] for problem in problems}
    places = [f"{line}" for line in (2, 3, 4, 5, 6, 7, 8, 8, 9, 12, 15, 16, 17, 19, 20, 21)]
    places += ["other.toml:1", "other.toml:2"]
    assert sorted(place for place, _ in told) == sorted(places), problems

    blocks = f"{PLAIN}[[experiment]]\ntrials = 0\nx = 1\n[[experiment]]\ntrace = 3\ny = 1\n"
    folder = write(blocks=blocks)
    problems = refused(folder / "blocks.toml", parts)
    assert len(problems) == 4, problems


def test_titles_are_one_line(parts: Registry, write: Write) -> None:
    folder = write(lines=f'title = "a\\nb"\n{PLAIN}', long=f'title = "{"a" * 301}"\n{PLAIN}')
    assert "title: 'a\\nb' holds the invisible" in refused(folder / "lines.toml", parts)[0]
    assert "title: has 301 characters" in refused(folder / "long.toml", parts)[0]


def test_a_label_is_written_in_the_same_way_in_all_experiments(
    parts: Registry, write: Write
) -> None:
    block = "[[experiment]]\ntitle = '{}'\nsolver = [{{ name = 'zero', label = '{}' }}]\n"
    folder = write(s=PROBLEM + block.format("a", "step") + block.format("b", "Step"))
    found = refused(folder / "s.toml", parts)
    assert found == [
        "s.toml: the labels 'step' and 'Step' look alike; write one in the same way everywhere"
    ]


def test_installed_suites_are_found_by_name(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Registry()
    known.load_file(Path(__file__).parents[1] / "parts" / "tiny.py")
    known.suites["plain"] = write(plain=PLAIN) / "plain.toml"
    assert load_suite("plain", known).name == "plain"
    monkeypatch.chdir(tmp_path)
    assert load_suite("plain.toml", known).name == "plain"
    assert load_suite("./plain.toml", known).name == "plain"
    (problem,) = refused("plan", known)
    assert problem.startswith("no suite named 'plan'; did you mean 'plain'?")
    assert ".toml" in problem


def test_the_bundled_suites_are_valid() -> None:
    known = Registry()
    known.load_installed()
    for name in known.suites:
        suite = load_suite(name, known)
        assert suite.title != name
        assert all(experiment.problems for experiment in suite.experiments)


def test_a_file_that_is_not_there_is_told(parts: Registry, tmp_path: Path) -> None:
    (problem,) = refused(tmp_path / "no.toml", parts)
    assert problem.endswith("no.toml: No such file or directory")
    (problem,) = refused("some/folder", parts)
    assert problem == "some/folder: No such file or directory"


EXPERIMENTS = f"""\
title = "Two"
points = 7
trials = 2
{PLAIN}
[[experiment]]
title = "first"
points = 3
frame = {{ name = "random", n_pools = 9 }}

[[experiment]]
[experiment.grid]
dataset.n = [2, 3]
[[experiment.solver]]
name = "zero"
label = "other"
"""


def test_experiments_have_the_top_level_as_their_defaults(parts: Registry, write: Write) -> None:
    suite = load_suite(write(two=EXPERIMENTS) / "two.toml", parts)
    first, second = suite.experiments
    assert suite.title == "Two"
    assert names(suite) == ["first", "experiment 2"]
    assert (first.points, first.trials, second.points, second.trials) == (3, 2, 7, 2)
    assert first.problems[0][1].spec()["n_pools"] == 9
    assert second.problems[0][1].spec()["n_pools"] == 6
    assert [dataset.n for dataset, *_ in second.problems] == [2, 3]
    assert [entry.label for entry in first.entries] == ["zero"]
    assert [entry.label for entry in second.entries] == ["other"]


def test_changes_and_added_solvers_reach_every_experiment(parts: Registry, write: Write) -> None:
    folder = write(two=EXPERIMENTS, outer='include = ["two.toml"]\n')
    changes = [Change(("points",), 1, "--points 1")]
    extras = [Extra({"name": "zero", "label": "added"}, "--with X")]
    for name in ("two", "outer"):
        suite = load_suite(folder / f"{name}.toml", parts, changes, extras)
        assert [experiment.points for experiment in suite.experiments] == [1, 1]
        assert [e.entries[-1].label for e in suite.experiments] == ["added", "added"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("points = 3", "points = 0", "points: must be an integer of at least 1, not 0"),
        ("points = 7", "points = 0", "points: must be an integer of at least 1, not 0"),
        ("n_pools = 9", "n_pools = 0", "frame.n_pools: must be at least 1, not 0"),
        ("n_pools = 6", "n_pools = 0", "frame.n_pools: must be at least 1, not 0"),
        ("points = 3", "pints = 3", "unknown key 'pints'; did you mean 'points'?"),
        ("dataset.n = [2, 3]", "dataset.n = [2, 'x']", "dataset.n: must be a valid integer"),
        ('label = "other"', "n_itr = 1", "solver[0].n_itr: zero has no parameter 'n_itr'"),
        ('title = "first"', "title = 1", "title: must be a string, not 1"),
        ('title = "Two"', "title = 1", "title: must be a str"),
        ('title = "Two"', "include = 'x'", "include: must be a list"),
        ('title = "Two"', "report = 'x'", "report: must be a list"),
        ('title = "Two"', "report = [3]", "report[0]: must be a table with a name, not 3"),
        ('title = "Two"', "report = [{ name = 'x' }]", "no report named 'x'; there is none"),
        ('title = "Two"', "sede = 1", "unknown key 'sede'; did you mean 'seed'?"),
        ('title = "Two"', "solvers = 1", "unknown key 'solvers'; did you mean 'solver'?"),
        ('title = "Two"', "qqq = 1", "unknown key 'qqq'; there are: 'dataset', 'experiment'"),
    ],
)  # fmt: skip # a line a mistake
def test_mistakes_have_the_line_at_which_they_were_made(
    parts: Registry, write: Write, old: str, new: str, told: str
) -> None:
    assert EXPERIMENTS.count(old) == 1
    line = EXPERIMENTS[: EXPERIMENTS.index(old)].count("\n") + 1
    (problem,) = refused(write(two=EXPERIMENTS.replace(old, new)) / "two.toml", parts)
    assert problem.startswith(f"two.toml:{line}: ")
    assert told in problem


def test_an_experiment_that_is_no_table_is_refused(parts: Registry, write: Write) -> None:
    folder = write(s=f"experiment = [3]\n{PLAIN}", t=f"experiment = 3\n{PLAIN}")
    (problem,) = refused(folder / "s.toml", parts)
    assert problem.startswith("s.toml:1: experiment[0]: must be a table")
    (problem,) = refused(folder / "t.toml", parts)
    assert problem.startswith("t.toml:1: experiment: must be a list")


def test_unknown_keys_are_told_together(parts: Registry, write: Write) -> None:
    folder = write(s=f"sed = 1\ntitle = 'x'\npoint = 2\n{PLAIN}")
    assert refused(folder / "s.toml", parts) == [
        "s.toml:1: unknown key 'sed'; did you mean 'seed'?",
        "s.toml:3: unknown key 'point'; did you mean 'points'?",
    ]


def test_an_empty_suite_is_refused(parts: Registry, write: Write) -> None:
    problems = refused(write(s="") / "s.toml", parts)
    assert len(problems) == 3
    assert all(problem.startswith("s.toml: needs a [") for problem in problems)


def test_a_suite_joins_those_that_it_includes(parts: Registry, write: Write) -> None:
    folder = write(
        a=PLAIN,
        two=EXPERIMENTS,
        joined=f'include = ["a.toml", "two.toml"]\npoints = 4\n{PLAIN}',
        outer='include = ["joined.toml"]\n',
    )
    joined = load_suite(folder / "joined.toml", parts)
    assert names(joined) == ["a", "two: first", "two: experiment 2", ""]
    assert [e.points for e in joined.experiments] == [50, 3, 7, 4]
    outer = load_suite(folder / "outer.toml", parts)
    assert names(outer) == [
        "joined: a", "joined: two: first", "joined: two: experiment 2", "joined",
    ]  # fmt: skip # the names in a row
    assert outer.experiments[0].problems == joined.experiments[0].problems


def test_includes_are_found_beside_the_suite_or_by_name(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Registry()
    known.load_file(Path(__file__).parents[1] / "parts" / "tiny.py")
    folder = write(a=PLAIN, b=PLAIN, joined='include = ["./a.toml", "named"]')
    known.suites["named"] = folder / "b.toml"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert len(load_suite(folder / "joined.toml", known).experiments) == 2
    assert len(load_suite("../joined.toml", known).experiments) == 2


@pytest.mark.parametrize(
    ("include", "told"),
    [
        ('["no.toml"]', "no.toml"),
        ('["nam"]', "no suite named 'nam'; did you mean 'named'?"),
        ("[3]", "3"),
        ("[['a.toml']]", "a.toml"),
        ('["folder/"]', "folder"),
    ],
)
def test_a_bad_include_has_its_file_and_line(write: Write, include: str, told: str) -> None:
    known = Registry()
    known.suites["named"] = Path("named.toml")
    folder = write(s=f"title = 'x'\n\ninclude = {include}\n")
    (folder / "folder").mkdir()
    (problem,) = refused(folder / "s.toml", known)
    assert problem.startswith("s.toml:3: ")
    assert told in problem


def test_a_mistake_in_an_included_suite_has_its_own_line(parts: Registry, write: Write) -> None:
    folder = write(a=PLAIN.replace("= 6", "= 0"), s='include = ["a.toml"]')
    (problem,) = refused(folder / "s.toml", parts)
    assert problem == "a.toml:5: frame.n_pools: must be at least 1, not 0"


@pytest.mark.parametrize("spelling", ["a.toml", "./a.toml", "../{folder}/a.toml", "b.toml"])
def test_a_suite_that_includes_itself_is_refused(
    parts: Registry, write: Write, spelling: str
) -> None:
    folder = write(b='include = ["a.toml"]')
    write(a=f'title = "x"\ninclude = ["{spelling.format(folder=folder.name)}"]\n{PLAIN}')
    (problem,) = refused(folder / "a.toml", parts)
    assert problem.startswith("a.toml:2: ")
    assert "includes itself" in problem


def test_a_suite_may_be_included_on_two_ways(parts: Registry, write: Write) -> None:
    once = 'include = ["a.toml"]'
    folder = write(a=PLAIN, b=once, c=once, d='include = ["b.toml", "c.toml"]')
    assert names(load_suite(folder / "d.toml", parts)) == ["b: a", "c: a"]


def test_experiments_of_one_suite_have_different_titles(parts: Registry, write: Write) -> None:
    """Else the rows of one would be taken for those of the other."""
    folder = write(
        a=PLAIN,
        same=f"{PLAIN}[[experiment]]\ntitle = 'x'\n[[experiment]]\nseed = 1\ntitle = 'x'\n",
        twice="include = [\n'a.toml',\n'a.toml']",
    )
    (problem,) = refused(folder / "same.toml", parts)
    assert problem == "same.toml:14: two experiments have the title 'x'; change one of them"
    (problem,) = refused(folder / "twice.toml", parts)
    assert problem == "twice.toml:3: two experiments have the title 'a'; change one of them"


def test_reports_are_all_or_those_that_the_suite_lists(write: Write) -> None:
    known = Registry()
    known.load_file(Path(__file__).parents[1] / "parts" / "tiny.py")
    folder = write(s=PLAIN, none=f"report = []\n{PLAIN}")
    assert load_suite(folder / "s.toml", known).reports is None
    assert load_suite(folder / "none.toml", known).reports == ()


SELECT = EXPERIMENTS + '\n[[experiment.solver]]\nname = "zero"\nlabel = "third"\n'


def test_a_suite_can_be_cut_to_some_solvers(parts: Registry, write: Write) -> None:
    suite = load_suite(write(s=SELECT) / "s.toml", parts)

    def kept(*labels: str) -> list[list[str]]:
        chosen = suite.select(labels)
        return [[entry.label for entry in e.entries] for e in chosen.experiments]

    assert kept("other") == [["other"]]
    assert kept("third", "zero") == [["zero"], ["third"]]
    assert kept("third", "other") == [["other", "third"]]
    assert suite.select(["zero", "other", "third"]) == suite


def test_a_label_that_is_not_there_is_told(parts: Registry, write: Write) -> None:
    suite = load_suite(write(s=SELECT) / "s.toml", parts)
    with pytest.raises(SuiteError) as caught:
        suite.select(["zero", "othr", "qqqq"])
    assert caught.value.problems == [
        "s: no solver labelled 'othr'; did you mean 'other'?",
        "s: no solver labelled 'qqqq'; there are: 'other', 'third', 'zero'",
    ]


def test_what_is_kept_of_a_suite_is_json_with_every_default(parts: Registry, write: Write) -> None:
    short = PLAIN.replace('name = "sum"', 'name = "sum"\npower = inf')
    long = short.replace("n_pools = 6", "n_pools = 6\npool_size = 2").replace(
        'name = "zero"', 'name = "zero"\ntol = 1e-8\nlabel = "zero"'
    )
    folder = write(short=short)
    kept = load_suite(folder / "short.toml", parts).resolved()
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    (experiment,) = kept["experiments"]
    assert experiment["problems"][0][2]["power"] == "inf"
    assert experiment["problems"][0][1]["pool_size"] == 2
    assert experiment["solvers"][0]["n_iter"] == 10
    write(short=f"seed = 0\ntrials = 1\npoints = 50\n{long}")
    assert load_suite(folder / "short.toml", parts).resolved() == kept
