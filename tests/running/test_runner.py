from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import benchbase
from benchbase.api import execute, resolve
from benchbase.discovery.registry import Registry
from benchbase.planning.cells import make_cells
from benchbase.results import Results, load_results
from benchbase.running import runner
from benchbase.running.executors import InProcess
from benchbase.running.launch import make_plan
from benchbase.running.outcomes import lost_outcome
from benchbase.running.runner import Plan, count_by_status, plan, run_suite
from benchbase.storage.attempts import Ending
from benchbase.storage.store import Store
from benchbase.system import loading
from benchbase.tasks import Outcome, Task

if TYPE_CHECKING:
    import pandas as pd

SUITE = """
title = "a title"
trials = 2
points = 5

[dataset]
name = "gaussian"
n = 4

[frame]
name = "gaussian"

[grid]
frame.n_pools = [5, 12]

[pooling]
name = "lp"

[[solver]]
name = "guess"

[[solver]]
name = "steps"
"""

PLUGIN = (Path(__file__).parents[1] / "parts" / "runner.py").read_text()

TIMES = ["prepare_seconds", "init_seconds", "solve_seconds", "run", "suite"]


class Place:
    """A folder with a suite, a plugin, and results."""

    def __init__(self, folder: Path, known: Registry) -> None:
        self.folder, self.registry = folder, known
        self.results = folder / "results"
        (folder / "plugin.py").write_text(PLUGIN)
        self.registry.load_file(folder / "plugin.py")

    def suite(self, text: str, **options: Any) -> Any:
        path = self.folder / "suite.toml"
        path.write_text(text)
        return resolve(path, **options)

    def run(self, text: str = SUITE, **options: Any) -> Results:
        results = options.pop("results", self.results)
        suite = self.suite(text, **options)
        return execute(suite, make_plan(suite, results), results, command="test")

    def called(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().split() if file.exists() else []


@pytest.fixture
def place(tmp_path: Path, fresh_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return Place(tmp_path, fresh_registry)


def rows(results: Results) -> pd.DataFrame:
    """Return all that a run computes, in an order of its own."""
    frame = results.rows().drop(columns=TIMES)
    order = ["label", "n_pools", "trial", "points", "signal"]
    return frame.sort_values(order).reset_index(drop=True)


def same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two frames hold the same bits."""
    return bool(one.equals(other[one.columns]))


def only(results: Results, *labels: str) -> pd.DataFrame:
    frame = rows(results)
    return frame[frame["label"].isin(labels)].reset_index(drop=True)


def test_fresh_runs_give_the_same_rows(place: Place) -> None:
    one, two = (rows(place.run(results=place.folder / name)) for name in ("one", "two"))
    assert same(one, two)
    assert len(one) == 2 * 2 * 2 * 5
    assert one["status"].eq("done").all()
    # Streams are those of trial and signal, whatever K.
    assert one[one["label"] == "guess"]["squared_cosine"].nunique() == 2 * 5


def test_another_seed_gives_other_rows(place: Place) -> None:
    one, two = place.run(), place.run("seed = 1\n" + SUITE)
    assert not set(rows(one)["squared_cosine"]) & set(rows(two)["squared_cosine"])


def test_running_again_computes_nothing(place: Place) -> None:
    first = place.run()
    calls = place.called()
    assert (calls.count("guess"), calls.count("steps")) == (4, 12)
    again = place.run()
    assert place.called() == calls
    assert again.runs == (2,)
    assert same(rows(first), rows(again))
    # Times too are those of the computation.
    assert first.rows()[TIMES[:3]].equals(again.rows()[TIMES[:3]])


def test_a_solver_that_is_added_changes_no_other_row(place: Place) -> None:
    before = place.run()
    calls = len(place.called())
    extra = '[[solver]]\nname = "steps"\nlabel = "more"\nn_iter = 20\n'
    after = place.run(SUITE + extra)
    assert same(rows(before), only(after, "guess", "steps"))
    assert len(place.called()) == calls + 12
    fresh = place.run(SUITE + extra, results=place.folder / "fresh")
    assert same(rows(after), rows(fresh))


def test_the_order_of_solvers_and_axes_does_not_matter(place: Place) -> None:
    blocks = SUITE.split("[[solver]]")
    turned = "[[solver]]".join([blocks[0], blocks[2], blocks[1]]).replace("[5, 12]", "[12, 5]")
    one, two = place.run(), place.run(turned, results=place.folder / "turned")
    assert list(one.rows()["label"]) != list(two.rows()["label"])
    assert same(rows(one), rows(two))


def test_fewer_points_neither_mix_with_nor_replace_more(place: Place) -> None:
    many = place.run(points=9)
    before = rows(many)
    few = place.run(points=4)
    assert set(few.rows()["points"]) == {4}
    assert len(few.rows()) == 8 * 4
    assert same(rows(load_results(place.results, 1)), before)
    assert same(rows(place.run(points=9)), before)
    # They are the first of the others all the same.
    merged = rows(few).merge(before, on=["label", "n_pools", "trial", "signal"])
    assert len(merged) == len(few.rows())
    steps = merged[merged["label"] == "steps"]
    assert (steps["squared_cosine_x"] - steps["squared_cosine_y"]).abs().max() < 1e-12
    both = load_results(place.results, "all").rows()
    assert sorted(both.groupby("points").size().items()) == [(4, 8 * 4), (9, 8 * 9)]


def test_a_solver_may_take_the_first_points_only(place: Place) -> None:
    text = SUITE.replace('name = "steps"', 'name = "steps"\npoints = 3')
    frame = place.run(text).rows()
    assert frame.groupby("label")["signal"].max().to_dict() == {"guess": 4, "steps": 2}


def test_solvers_that_fail_do_not_keep_the_others(place: Place) -> None:
    extra = "".join(f'[[solver]]\nname = "{name}"\n' for name in ("fails", "loses", "picky"))
    head, *blocks = SUITE.split("[[solver]]")
    results = place.run(head + extra + "".join("[[solver]]" + block for block in blocks))
    frame = results.rows()
    assert frame[frame["label"].isin(["guess", "steps"])]["status"].eq("done").all()
    counts = frame.groupby(["label", "n_pools", "status"]).size().to_dict()
    assert counts == {
        ("guess", 5, "done"): 10,
        ("guess", 12, "done"): 10,
        ("steps", 5, "done"): 10,
        ("steps", 12, "done"): 10,
        ("fails", 5, "done"): 10,
        ("fails", 12, "done"): 8,
        ("fails", 12, "failed"): 2,
        ("loses", 5, "done"): 8,
        ("loses", 5, "failed"): 2,
        ("loses", 12, "done"): 8,
        ("loses", 12, "failed"): 2,
        ("picky", 5, "unsupported"): 10,
        ("picky", 12, "done"): 10,
    }
    messages = frame.groupby("label")["message"].unique().map(set).to_dict()
    assert messages["picky"] == {"", "K is 5"}
    assert messages["loses"] == {"", "the estimate is not finite"}
    assert any("ArithmeticError: the last one" in message for message in messages["fails"])
    with Store(place.results) as store:
        assert count_by_status(store, 1) == {"done": 12, "failed": 6, "unsupported": 2}


class Stops:
    """An executor that is interrupted after a number of tasks."""

    def __init__(self, inner: InProcess, after: int) -> None:
        self._inner, self._after = inner, after
        self.closed = False

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        with closing(self._inner.run(tasks)) as outcomes:
            yield from itertools.islice(outcomes, self._after)
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [0, 1, 3, 6, 15])
def test_an_interrupted_run_goes_on_where_it_was(place: Place, after: int) -> None:
    suite = place.suite(SUITE)
    cells = make_cells(suite)
    stored = []
    with Store(place.results, create=True) as store:
        todo = plan(cells, store, place.registry)
        stops = Stops(InProcess(place.registry), after)
        with pytest.raises(KeyboardInterrupt):
            run_suite(suite, todo, store, stops, on_outcome=lambda: stored.append(1))
        assert len(stored) == after
        assert plan(cells, store, place.registry).n_done == after
        counts = count_by_status(store, 1)
    assert counts["pending"] == counts.total() - counts["done"] > 0
    partial = load_results(place.results).rows()
    assert len(partial) == 8 * 5
    incomplete = partial[partial["status"] == "pending"].groupby(["cell", "label"]).size()
    assert counts["pending"] == len(incomplete)
    resumed = place.run()
    whole = place.run(results=place.folder / "whole")
    assert same(rows(resumed), rows(whole))
    assert [run["finished"] is None for run in load_results(place.results, "all").suites] == [
        True,
        False,
    ]


class Backwards:
    """An executor whose outcomes come in another order, as those of several workers do."""

    def __init__(self, inner: InProcess, stop: int | None = None) -> None:
        self._inner, self._stop = inner, stop

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        yield from [*self._inner.run(tasks)][::-1][: self._stop]


@pytest.mark.parametrize("stop", [None, 1, 4, 9])
def test_the_order_of_outcomes_does_not_matter(place: Place, stop: int | None) -> None:
    suite = place.suite(SUITE)
    with Store(place.results, create=True) as store:
        todo = plan(make_cells(suite), store, place.registry)
        run_suite(suite, todo, store, Backwards(InProcess(place.registry), stop))
    frame = load_results(place.results).rows()
    counts = frame.groupby(["label", "n_pools", "trial"])["signal"].agg(list)
    assert len(counts) == 8
    assert all(signals == [0, 1, 2, 3, 4] for signals in counts)
    whole = place.run(results=place.folder / "whole")
    assert same(rows(place.run()), rows(whole))


def test_a_mistake_of_the_user_stops_the_run_and_keeps_what_there_is(place: Place) -> None:
    text = SUITE.replace('name = "gaussian"\nn = 4', 'name = "few"')
    whole = place.run(text)
    calls = place.called()
    blocks = "[[experiment]]\nseed = 1\n[[experiment]]\npoints = 9\n"
    with pytest.raises(benchbase.BenchbaseError, match="there are 8"):
        place.run(text + blocks)
    computed = place.called()[len(calls) :]
    assert len(computed) == len(calls)
    # The run came to nothing: the latest is the one before. What it computed is kept.
    assert same(rows(load_results(place.results)), rows(whole))
    again = place.run("seed = 1\n" + text)
    assert len(place.called()) == 2 * len(calls)
    assert again.rows()["status"].eq("done").all()


def test_a_frame_that_fails_is_no_failure_of_solvers_and_ends_no_others_work(place: Place) -> None:
    (place.folder / "frame.py").write_text(
        "import benchbase\n"
        "class Fragile(benchbase.FrameDesign):\n"
        "    name = 'fragile'\n"
        "    n_pools: int\n"
        "    def build(self, n, train, rng):\n"
        "        if self.n_pools == 5: raise ArithmeticError('five')\n"
        "        return benchbase.DenseFrame(rng.standard_normal((self.n_pools, 2, n)))\n"
        "@benchbase.hookimpl\n"
        "def register_frames(register): register(Fragile)\n"
    )
    place.registry.load_file(place.folder / "frame.py")
    text = SUITE.replace('[frame]\nname = "gaussian"', '[frame]\nname = "fragile"')
    with pytest.raises(
        benchbase.BenchbaseError, match="the frame 'fragile' failed: ArithmeticError: five"
    ):
        place.run(text)
    with Store(place.results) as store:
        assert not store.runs()
    others = text.replace("[5, 12]", "[12]")
    assert others != text
    computed = len(place.called())
    rest = place.run(others)
    assert len(place.called()) == computed > 0
    assert rest.rows()["status"].eq("done").all()


@pytest.mark.parametrize(
    ("spoilt", "told"),
    [
        ("test", r"the dataset 'turned' gave an array of complex numbers"),
        ("train", r"training must hold real numbers, not complex ones"),
    ],
)
def test_complex_signals_end_the_run(place: Place, spoilt: str, told: str) -> None:
    (place.folder / "turned.py").write_text(
        "import benchbase, numpy as np\n"
        "class Turned(benchbase.Dataset):\n"
        "    name = 'turned'\n"
        "    n: int = 4\n"
        "    def train(self, rng): return np.ones((6, 4), np.float32)\n"
        "    def test(self, size, rng): return rng.standard_normal((size, 4))\n"
        f"whole = Turned.{spoilt}\n"
        f"Turned.{spoilt} = lambda *given: whole(*given) * np.complex64(1j)\n"
        "@benchbase.hookimpl\n"
        "def register_datasets(register): register(Turned)\n"
    )
    place.registry.load_file(place.folder / "turned.py")
    with pytest.raises(benchbase.BenchbaseError, match=told):
        place.run(SUITE.replace('[dataset]\nname = "gaussian"', '[dataset]\nname = "turned"'))
    with Store(place.results) as store:
        assert not store.runs()


def test_a_plugin_file_that_is_edited_during_a_run_counts_as_it_was(place: Place) -> None:
    plugin = place.folder / "plugin.py"
    whole = place.run(results=place.folder / "whole")
    suite = place.suite(SUITE)
    with Store(place.results, create=True) as store:
        todo = plan(make_cells(suite), store, place.registry)
        edited = PLUGIN.replace("x=run.normal(problem.frame.n)", "x=0 * b[:, :4]")
        workers = InProcess(place.registry)
        run_suite(suite, todo, store, workers, on_outcome=lambda: touch(plugin, edited))
    assert same(rows(load_results(place.results)), rows(whole))
    place.registry.load_file(plugin)
    again = only(place.run(), "guess")
    assert again["squared_cosine"].eq(0).all()


def touch(file: Path, text: str) -> None:
    file.write_text(text)


def test_a_plan_is_what_is_to_do(place: Place) -> None:
    cells = make_cells(place.suite(SUITE))
    fresh = plan(cells, None, place.registry)
    assert (len(fresh.cells), len(fresh.tasks), fresh.n_done) == (8, 4 + 4 * 3, 0)
    place.run(labels=["guess"])
    with Store(place.results) as store:
        rest = plan(cells, store, place.registry)
    assert (len(rest.cells), len(rest.tasks), rest.n_done) == (8, 12, 4)
    assert {task["solver"]["name"] for task in rest.tasks} == {"steps"}


class Pretends:
    """An executor of whose tasks some are done, and the others come to what is said of a solver."""

    def __init__(self, inner: InProcess, endings: dict[str, tuple[str, str]]) -> None:
        self._inner, self._endings = inner, endings

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        for task in tasks:
            ending = self._endings.get(task["solver"]["name"])
            yield from self._inner.run([task]) if ending is None else [lost_outcome(task, *ending)]


AGAIN = (
    SUITE
    + """
time_limit = 0.2
[[solver]]
name = "fails"
[[solver]]
name = "picky"
"""
)
ENDINGS = {
    "steps": ("timeout", "took longer"),
    "fails": ("crashed", "no luck"),
    "picky": ("unsupported", "not installed: a library"),
}


@pytest.mark.parametrize(
    ("old", "new", "options", "due"),
    [
        ("", "", {}, {"picky": 4}),  # it may be installed by now
        ("= 0.2", "= 0.1", {}, {"picky": 4}),
        ("= 0.2", "= 0.3", {}, {"picky": 4, "steps": 12}),
        ("time_limit = 0.2", "", {}, {"picky": 4, "steps": 12}),
        ("", "", {"failed": True}, {"steps": 12, "fails": 12}),
        ("", "", {"rerun": ["guess"]}, {"picky": 4, "guess": 4}),
    ],
)
def test_what_is_computed_again(
    place: Place, old: str, new: str, options: dict[str, Any], due: dict[str, int]
) -> None:
    suite = place.suite(AGAIN)
    with Store(place.results, create=True) as store:
        todo = plan(make_cells(suite), store, place.registry)
        run_suite(suite, todo, store, Pretends(InProcess(place.registry), ENDINGS))
        again = plan(
            make_cells(place.suite(AGAIN.replace(old, new))), store, place.registry, **options
        )
    assert Counter(task["solver"]["name"] for task in again.tasks) == due


DYNAMIC = """
import importlib, benchbase
@benchbase.solver
def dynamic(frame, pooling, b, rng):
    return importlib.import_module("untold_" + "run").X + rng.standard_normal(frame.n)
"""


@pytest.mark.parametrize(
    ("edit", "due"), [("X = 1  # a remark\n", 0), ("X = 2\n", 4), ("", 4), (None, 4)]
)
def test_modules_that_no_text_tells_of_count_all_the_same(
    place: Place,
    write: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    edit: str | None,
    due: int,
) -> None:
    write({"untold_run.py": "X = 1\n"})
    (place.folder / "dynamic.py").write_text(DYNAMIC)
    place.registry.load_file(place.folder / "dynamic.py")
    text = SUITE.replace('name = "steps"', 'name = "dynamic"')
    place.run(text)
    cells = make_cells(place.suite(text))
    sys.modules.pop("untold_run")  # as in another process
    monkeypatch.setattr(loading, "_sources", {})
    write({"untold_run.py": edit})
    with Store(place.results) as store:
        tasks = plan(cells, store, place.registry).tasks
        assert plan(cells, store, place.registry, failed=True).tasks == []
    assert [task["solver"]["name"] for task in tasks] == ["dynamic"] * due


def test_signals_are_asked_for_until_they_are_stored(place: Place) -> None:
    cells = make_cells(place.suite(SUITE))
    todo = plan(cells, None, place.registry)
    assert all(task["send_signals"] for task in todo.tasks)  # any of them may be lost
    outcomes = InProcess(place.registry).run(todo.tasks)
    sent = [outcome["signals_key"] for outcome in outcomes if "signals" in outcome]
    assert len(sent) == len(set(sent)) == 2
    place.run(labels=["guess"])
    with Store(place.results) as store:
        assert not any(task["send_signals"] for task in plan(cells, store, place.registry).tasks)


def test_tasks_of_one_problem_follow_each_other(place: Place) -> None:
    todo: Plan = plan(make_cells(place.suite(SUITE)), None, place.registry)
    for key in ("signals_key", "problem_key", "key"):
        order = [task[key] for task in todo.tasks]
        assert len([*itertools.groupby(order)]) == len(set(order))


@pytest.mark.parametrize(
    ("outcome", "limit", "due"),
    [
        (None, 1.0, True),
        (("timeout", "", 2.0), 1.0, False),
        (("timeout", "", 2.0), 2.0, False),  # it would only be late again
        (("timeout", "", 2.0), 2.1, True),
        (("timeout", "", 2.0), None, True),
        (("done", "", None), None, False),
        (("failed", "ValueError: no", None), None, False),
        (("crashed", "killed by SIGKILL", None), None, False),
        (("unsupported", "not installed: scs", None), None, True),
        (("unsupported", "needs training signals", None), None, False),
    ],
)
def test_what_is_due_is_what_may_come_out_otherwise(
    outcome: tuple[str, str, float | None] | None, limit: float | None, due: bool
) -> None:
    task: Any = {"time_limit": limit}
    ending = None if outcome is None else Ending(*outcome, sealed=False)
    assert runner._is_due(task, ending) is due


def test_of_two_labels_for_a_cell_the_larger_time_limit_counts(place: Place) -> None:
    for limits, expected in {("5", "0.1"): 5, ("0.1", "5"): 5, ("0.1", None): None}.items():
        solvers = "".join(
            f'\n[[solver]]\nlabel = "{i}"\nname = "guess"\n'
            + (f"time_limit = {limit}\n" if limit else "")
            for i, limit in enumerate(limits)
        )
        cells = make_cells(place.suite(SUITE + solvers))
        tasks = plan(
            [cell for cell in cells if cell.label in ("0", "1")], None, place.registry
        ).tasks
        assert {task["time_limit"] for task in tasks} == {expected}


def test_the_same_cell_under_two_labels_is_computed_once(place: Place) -> None:
    results = place.run(SUITE + '[[solver]]\nname = "steps"\nlabel = "again"\n')
    assert place.called().count("steps") == 12
    frame = results.rows()
    assert frame.groupby("label").size().to_dict() == {"guess": 20, "steps": 20, "again": 20}
    scores = [only(results, label)["squared_cosine"] for label in ("steps", "again")]
    assert scores[0].equals(scores[1])
