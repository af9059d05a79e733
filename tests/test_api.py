from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import BenchbaseError, DenseFrame, Problem, Recovery, Run
from benchbase.api import report_folder, resolve, results_folder
from benchbase.discovery.registry import Registry
from benchbase.numerics.streams import Snapshot
from benchbase.running.launch import make_plan

Array = benchbase.Array
Rng = np.random.Generator

SUITE = """
title = "a title"
points = 4
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
name = "altmin"
n_iter = 10
"""

PLUGIN = """
import benchbase

@benchbase.solver
def from_file(frame, pooling, b, rng, *, scale: float = 1.0):
    return scale * rng.standard_normal(frame.n)
"""


class Guess(benchbase.Solver):
    name = "guess"
    scale: float = 1.0

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            with run.phase("init") as init:
                x = self.scale * init.normal(problem.frame.n)
            run.record(0, x)
            size = len(b)
            return Recovery(
                x=x, n_iter=np.arange(size), converged=np.ones(size, bool), message="a remark"
            )

        return inverse


class Around(benchbase.Solver):
    name = "around"
    inner: benchbase.Solver

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        return self.inner.prepare(problem)


class ForPhases(Guess):
    name = "for-phases"

    def unsupported(self, problem: Problem) -> str | None:
        return "there is no phase"


def back_projection(
    frame: Any, pooling: Any, b: Array, rng: Rng, *, power: float = 1.0, sign: int = 1
) -> Array:
    """Project back."""
    y = pooling.rescale(frame.analyse(rng.standard_normal(frame.n)), b**power)
    return np.asarray(sign * frame.least_squares(y))


benchbase.solver(back_projection)


@pytest.fixture(autouse=True)
def suite(tmp_path: Path, fresh_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("suite.toml").write_text(SUITE)
    Path("plugin.py").write_text(PLUGIN)
    return "suite.toml"


def labels(results: benchbase.ResultsView) -> dict[str, int]:
    frame = results.rows()
    assert frame["status"].eq("done").all(), frame["message"].unique()
    return {str(label): count for label, count in frame.groupby("label").size().items()}


def problem(n_pools: int = 12) -> Problem:
    vectors = np.random.default_rng(0).standard_normal((n_pools, 2, 4))
    return Problem(DenseFrame(vectors), benchbase.build("pooling", {"name": "lp", "p": 2}))


# run ---------------------------------------------------------------------------------------------


def test_run_returns_its_results(suite: str, tmp_path: Path) -> None:
    results = benchbase.run(suite, results="here")
    assert isinstance(results, benchbase.Results)
    assert (results.folder, results.runs) == (Path("here"), (1,))
    assert labels(results) == {"altmin": 8}
    assert benchbase.run(Path(suite), results=tmp_path / "here").runs == (2,)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "plugin.py", "suite.toml"]


def test_the_folder_of_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert results_folder("given") == Path("given")
    assert results_folder() == tmp_path / "results"  # BENCHBASE_RESULTS
    monkeypatch.setenv("BENCHBASE_RESULTS", "")
    assert results_folder() == Path("benchbase-results")


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(lambda: {"name": "knn"}, id="unsupported"),
        pytest.param(lambda: {"name": "altmin", "n_iter": 3}, id="spec"),
        pytest.param(lambda: {"name": "altmin", "label": "mine"}, id="labelled spec"),
        pytest.param(lambda: Guess, id="class"),
        pytest.param(lambda: Guess(scale=2.0), id="object"),
        pytest.param(lambda: back_projection, id="function"),
    ],
)
def test_solvers_are_added_to_every_experiment(extra: Any, suite: str) -> None:
    frame = benchbase.run(suite, extra=[extra()]).rows()
    counts = frame.groupby("label").size().to_dict()
    assert counts.pop("altmin") == 8
    ((label, count),) = counts.items()
    assert count == 8
    unsupported = frame[frame["label"] == label]["status"].eq("unsupported").all()
    assert unsupported == (label == "knn")
    assert not frame["status"].eq("failed").any()


def test_parameters_of_added_solvers_count(suite: str) -> None:
    extra = [
        {"name": "guess", "scale": 3, "label": "spec"},
        {"name": "back_projection", "power": 2, "sign": -1},
    ]
    benchbase.run(suite, extra=[Guess, back_projection])  # makes the names known
    frame = benchbase.run(suite, extra=extra).rows()
    assert frame[frame["label"] == "spec"]["solver.scale"].eq(3.0).all()
    assert frame[frame["label"] == "back_projection"]["solver.sign"].eq(-1).all()


def test_an_object_beside_a_solver_of_its_name(suite: str) -> None:
    altmin = benchbase.build("solver", {"name": "altmin", "n_iter": 2})
    frame = benchbase.run(suite, extra=[altmin]).rows()
    (label,) = set(frame["label"]) - {"altmin"}
    assert label.startswith("altmin(")
    assert "n_iter=2" in label
    assert frame[frame["label"] == label]["solver.n_iter"].eq(2).all()


def test_an_object_inside_another(suite: str) -> None:
    assert labels(benchbase.run(suite, extra=[Around(inner=Guess())])) == {"altmin": 8, "around": 8}


def test_a_class_that_is_defined_again_takes_the_place_of_the_first(suite: str) -> None:
    def define(value: float) -> type[benchbase.Solver]:
        def prepare(self: Any, problem: Problem) -> benchbase.Inverse:
            return lambda b, run: Recovery(x=np.full((len(b), 4), value))

        body = {"name": "cell", "prepare": prepare, "__module__": "__main__"}
        return type("Cell", (benchbase.Solver,), body)

    found = []
    for value in (1.0, 2.0):
        results = benchbase.run(suite, extra=[define(value)])
        frame = results.rows()
        cell = frame[frame["label"] == "cell"]["cell"].iloc[0]
        found.append(float(results.estimates(cell)[0, 0]))
    assert found == [1.0, 2.0]


def test_what_is_no_solver_cannot_be_added(suite: str) -> None:
    with pytest.raises(TypeError, match="neither a Solver class nor marked"):
        benchbase.run(suite, extra=[len])
    with pytest.raises(BenchbaseError, match="no solver named 'altmni'; did you mean 'altmin'"):
        benchbase.run(suite, extra=[{"name": "altmni"}])


def test_plugin_files_add_their_solvers(suite: str) -> None:
    assert labels(benchbase.run(suite, plugins=["plugin.py"])) == {"altmin": 8, "from_file": 8}


READS = """
from pathlib import Path
import runpy, benchbase

def load():
    file = Path(__file__).with_name("text" + ".py")
    {}

kept = load() if {} else None

@benchbase.solver
def from_file(frame, pooling, b, rng):
    return rng.standard_normal(frame.n) + (load() if kept is None else kept)
"""


@pytest.mark.parametrize(
    "reads",
    [
        "exec(file.read_text(), scope := dict()); return scope['V']",
        "return float(file.read_text().partition('=')[2])",
        "return runpy.run_path(str(file))['V']",
    ],
)
@pytest.mark.parametrize("when_loaded", [True, False])
def test_a_file_that_a_plugin_file_reads_counts(suite: str, reads: str, when_loaded: bool) -> None:
    def planned() -> int:
        asked = resolve(suite, points=1, plugins=["plugin.py"], labels=["from_file"])
        return len(make_plan(asked, results_folder()).tasks)

    Path("plugin.py").write_text(READS.format(reads, when_loaded))
    Path("text.py").write_text("V = 1")
    os.utime("text.py", (1, 1))  # what a run has written itself does not count
    benchbase.run(suite, points=1, plugins="plugin.py", solvers="from_file", jobs=0)
    assert planned() == 0
    Path("text.py").write_text("V = 2")
    assert planned() == 2


def test_a_plugin_file_that_is_gone_stops_no_other_suite(suite: str) -> None:
    benchbase.run(suite, plugins=["plugin.py"])
    Path("plugin.py").unlink()
    assert labels(benchbase.run(suite, points=3)) == {"altmin": 6}


def test_numpys_numbers_are_numbers(suite: str) -> None:
    """They ask for the same cells as Python's, so that nothing is left to be computed."""

    def run(integer: Any, number: Any, flag: Any, several: Any) -> benchbase.Results:
        added = {"name": "altmin", "label": "two", "n_iter": integer(2), "sphere": flag(0)}
        axes = {"frame.n_pools": several([5, 12]), "pooling.p": several([1.0, float("inf")])}
        return benchbase.run(
            suite,
            points=integer(2),
            trials=integer(2),
            time_limit=number(50),
            jobs=integer(0),
            extra=[added | {"tol": number(0.5), "points": integer(1)}],
            changes={"seed": integer(3), "trace": flag(1), "grid": axes},
        )

    first = run(int, float, bool, list)
    again = run(np.int16, np.float32, np.bool_, np.array)
    rows = [each.rows().drop(columns="run") for each in (first, again)]
    assert rows[1].equals(rows[0])  # with the seconds that they took
    assert again.suites[0]["command"] == first.suites[0]["command"]
    assert again.suites[0]["resolved"] == first.suites[0]["resolved"]


def test_changes_points_trials_and_labels(suite: str) -> None:
    results = benchbase.run(
        suite,
        points=2,
        trials=3,
        solvers=["mine"],
        extra=[{"name": "altmin", "label": "mine"}],
        changes={"grid.frame.n_pools": [7], "seed": 5, "solver.0.n_iter": 1},
    )
    frame = results.rows()
    assert set(frame["label"]) == {"mine"}
    assert len(frame) == 6
    for column, value in {"n_pools": 7, "seed": 5, "points": 2}.items():
        assert frame[column].eq(value).all()
    assert resolve(suite).experiments[0].points == 4


@pytest.mark.parametrize(
    "options",
    [
        {"points": 0},
        {"points": "5"},
        {"trials": -1},
        {"solvers": ["nobody"]},
        {"changes": {"grid.frame.n_pols": [3]}},
        {"changes": {"nothing": 3}},
        {"plugins": ["gone.py"]},
    ],
    ids=str,
)
def test_mistakes_leave_no_results(options: dict[str, Any], suite: str) -> None:
    with pytest.raises(BenchbaseError):
        benchbase.run(suite, results="here", **options)
    assert not Path("here").exists()


def test_missing_data_leave_no_results(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHBASE_OFFLINE", "1")
    monkeypatch.setenv("BENCHBASE_CACHE", "empty")
    monkeypatch.delenv("BENCHBASE_DATA", raising=False)
    with pytest.raises(benchbase.DataError, match="train-images"):
        benchbase.run(suite, results="here", changes={"dataset": {"name": "mnist"}})
    assert not Path("here").exists()


def test_a_plan_writes_nothing(suite: str) -> None:
    assert len(make_plan(resolve(suite), Path("here")).tasks) == 2
    assert not Path("here").exists()
    benchbase.run(suite, results="here")
    assert make_plan(resolve(suite), Path("here")).n_done == 2


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False), (None, False)])
def test_progress_goes_to_standard_error(progress: bool | None, shown: bool, suite: str) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        benchbase.run(suite, progress=progress)
    assert out.getvalue() == ""
    assert ("2/2" in err.getvalue()) == shown


# report ------------------------------------------------------------------------------------------


class Note(benchbase.Report):
    name = "note"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        file = folder / "note.txt"
        file.write_text(" ".join(sorted(set(results.rows()["label"]))))
        return [file]


def test_reports_are_written_in_a_folder_for_each_suite(suite: str) -> None:
    Path("other.toml").write_text(SUITE)
    benchbase.run(suite, extra=[Guess])
    benchbase.run("other.toml")
    results = benchbase.load_results(results_folder())
    files = benchbase.report(results, "out", [Note()])
    assert {str(file): file.read_text() for file in files} == {
        "out/suite/run-1/note.txt": "altmin guess",
        "out/other/run-2/note.txt": "altmin",
    }
    in_place = benchbase.report(results, reports=[Note()])
    assert in_place[0].parent == results_folder() / "suite" / "run-1"
    places = [report_folder(part).relative_to(results_folder()) for part in results.by_suite()]
    assert [str(place) for place in places] == ["suite/run-1", "other/run-2"]


# solve and build ---------------------------------------------------------------------------------


def test_solve_one_signal_and_several() -> None:
    truth = np.random.default_rng(1).standard_normal((3, 4))
    b = problem().measure(truth)
    many = benchbase.solve(Guess(), problem(), b)
    one = benchbase.solve(Guess(), problem(), b[0])
    assert (many.x.shape, one.x.shape) == ((3, 4), (4,))
    np.testing.assert_array_equal(one.x, many.x[0])
    facts: tuple[Any, ...] = (one.n_iter, one.converged, one.message)
    assert facts == (0, True, "a remark")
    assert many.n_iter is not None
    assert many.n_iter.tolist() == [0, 1, 2]


def test_solve_recovers_and_takes_what_numpy_takes() -> None:
    truth = np.random.default_rng(1).standard_normal(4)
    altmin = benchbase.build("solver", {"name": "altmin"})
    easy = problem(80)
    for b in (easy.measure(truth), easy.measure(truth).tolist()):
        x = benchbase.solve(altmin, easy, b).x
        assert benchbase.squared_cosine(x, truth) > 1 - 1e-9


def test_solve_takes_functions_and_classes() -> None:
    b = problem().measure(np.ones(4))
    assert benchbase.solve(back_projection, problem(), b).x.shape == (4,)  # type: ignore[arg-type] # marked functions are solvers
    assert benchbase.solve(Guess, problem(), b).x.shape == (4,)  # type: ignore[arg-type] # and so are classes


def test_solve_is_seeded_and_traced() -> None:
    b = problem().measure(np.ones((2, 4)))
    trace: list[Snapshot] = []
    one, two, three = (benchbase.solve(Guess(), problem(), b, s, trace=trace).x for s in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.isclose(one, three).any()
    assert len(trace) == 3
    np.testing.assert_array_equal(trace[0].x, one)


@pytest.mark.parametrize("shape", [(), (11,), (2, 11), (12, 2), (1, 2, 12)])
def test_solve_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(12,\) or \(S, 12\)"):
        benchbase.solve(Guess(), problem(), np.ones(shape))


def test_solve_says_what_does_not_apply() -> None:
    with pytest.raises(ValueError, match="for-phases does not apply: there is no phase"):
        benchbase.solve(ForPhases(), problem(), np.ones(12))


def test_solve_leaves_the_measurements_alone() -> None:
    class Writes(Guess):
        name = "writes"

        def prepare(self, problem: Problem) -> benchbase.Inverse:
            def inverse(b: Array, run: Run) -> Recovery:
                b[:] = 0
                return Recovery(x=np.zeros((len(b), 4)))

            return inverse

    b = np.ones((2, 12))
    with contextlib.suppress(ValueError):  # as in a run, where measurements are read-only
        benchbase.solve(Writes(), problem(), b)
    assert (b == 1).all()


def test_build_makes_components_of_all_kinds() -> None:
    frame = benchbase.build("frame", {"name": "gaussian", "n_pools": 3})
    assert isinstance(frame, benchbase.FrameDesign)
    nested = {"name": "altmin", "init": {"name": "altmin", "n_iter": 1}}
    solver = benchbase.build("solver", nested)
    assert [part.name for part in solver.walk()] == ["altmin", "altmin"]
    assert benchbase.build("solver", solver) is solver
    for kind in ("dataset", "pooling"):
        assert benchbase.build(kind, {"name": {"dataset": "digits", "pooling": "lp"}[kind]})
    with pytest.raises(benchbase.SpecError, match="did you mean 'gaussian'"):
        benchbase.build("frame", {"name": "gausian", "n_pools": 3})


def test_the_public_names_are_there() -> None:
    assert {name for name in benchbase.__all__ if not hasattr(benchbase, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        benchbase.nothing  # noqa: B018 # what is tested


@benchbase.solver
class Committee(Guess):
    name = "committee"
    members: tuple[benchbase.Solver, ...] = ()


def test_a_parameter_may_hold_several_solvers(fresh_registry: Registry) -> None:
    fresh_registry.add(Committee)
    spec = {"name": "committee", "members": [{"name": "knn", "q": 3}, {"name": "mean"}]}
    built = benchbase.build("solver", spec)
    assert [part.name for part in built.walk()] == ["committee", "knn", "mean"]
    assert built.spec()["members"][0] == {"name": "knn", "q": 3, "store_measurements": False}
    with pytest.raises(benchbase.SpecError, match=r"members\[1\].q: must be a valid integer"):
        benchbase.build("solver", spec | {"members": [{"name": "mean"}, {"name": "knn", "q": "3"}]})


def test_public_names_are_listed() -> None:
    assert set(benchbase.__all__) <= set(dir(benchbase))
