import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase.numerics.streams import Snapshot
from benchbase.numerics.traces import COLUMNS, pack, unpack

SUITE = """
seed = 3
trials = 2
points = 5
trace = true

[dataset]
name = "gaussian"
n = 6

[frame]
name = "gaussian"
n_pools = 20

[pooling]
name = "lp"

[[solver]]
name = "halves"

[[solver]]
name = "mute"
"""

PLUGIN = '''
import numpy as np
import benchbase


class Halves(benchbase.Solver):
    """Records a start and, in a phase, half of it for the first signal of each chunk."""

    name = "halves"
    chunk = 2

    def prepare(self, problem):
        def inverse(b, run):
            x = run.normal(problem.frame.n)
            run.record(0, x)
            with run.phase("polish") as inner:
                first = np.array([0])
                inner.rows(first).record(7, x[first] / 2)
            return benchbase.Recovery(x=x)

        return inverse


class Mute(benchbase.Solver):
    """Records nothing."""

    name = "mute"

    def prepare(self, problem):
        return lambda b, run: benchbase.Recovery(x=run.normal(problem.frame.n))


@benchbase.hookimpl
def register_solvers(register):
    register(Halves)
    register(Mute)
'''


def problem_of(n: int) -> Problem:
    frame = benchbase.DenseFrame(np.random.default_rng(0).standard_normal((9, 2, n)))
    return Problem(frame, benchbase.build("pooling", {"name": "lp"}))


def test_packed_scores_are_those_of_the_snapshots() -> None:
    problem, rng = problem_of(4), np.random.default_rng(1)
    truth = rng.standard_normal((3, 4))
    b = problem.measure(truth)
    shots = [
        Snapshot((), np.arange(3), 0, 1.5, rng.standard_normal((3, 4))),
        Snapshot(("init", "deep"), np.array([2, 0]), 40, 3.0, -truth[[2, 0]]),
    ]
    columns = unpack(pack(shots, problem, truth, b, first=10))
    assert list(columns) == list(COLUMNS)
    assert columns["signal"].tolist() == [10, 11, 12, 12, 10]
    assert columns["step"].tolist() == [0, 0, 0, 1, 1]
    assert columns["phase"].tolist() == ["", "", "", "init/deep", "init/deep"]
    assert columns["n_iter"].tolist() == [0, 0, 0, 40, 40]
    assert columns["seconds"].tolist() == [0.5, 0.5, 0.5, 1.0, 1.0]
    assert_allclose(columns["squared_cosine"][:3], benchbase.squared_cosine(shots[0].x, truth))
    assert_allclose(columns["relative_error"][:3], benchbase.relative_error(shots[0].x, truth))
    assert_allclose(columns["residual"][:3], problem.residual(shots[0].x, b))
    for name, value in {"squared_cosine": 1, "relative_error": 0, "residual": 0}.items():
        assert_allclose(columns[name][3:], value, atol=1e-12)


def test_a_trace_of_nothing_is_empty() -> None:
    columns = unpack(pack([], problem_of(2), np.zeros((1, 2)), np.zeros((1, 9)), first=0))
    assert {len(values) for values in columns.values()} == {0}
    assert columns["phase"].dtype.kind == "U"


@pytest.fixture
def results(tmp_path, fresh_registry) -> benchbase.Results:  # type: ignore[no-untyped-def] # fixtures of pytest and of ours
    suite, plugin = tmp_path / "s.toml", tmp_path / "plugin.py"
    suite.write_text(SUITE)
    plugin.write_text(PLUGIN)
    return benchbase.run(suite, results=tmp_path / "r", plugins=[plugin])


def test_traces_of_a_run_belong_to_its_cells(results: benchbase.Results) -> None:
    frame, traces = results.rows(), results.traces()
    assert list(traces.columns) == ["cell", *COLUMNS]
    mine = frame[frame["label"] == "halves"]
    assert set(traces["cell"]) == set(mine["cell"])
    starts = traces[traces["phase"] == ""]
    ends = starts.merge(mine, on=["cell", "signal"], suffixes=("", "_end"))
    assert len(ends) == len(mine) == 10
    assert_allclose(ends["squared_cosine"], ends["squared_cosine_end"], rtol=1e-5)
    polished = traces[traces["phase"] == "polish"]
    assert sorted(polished["signal"]) == [0, 0, 2, 2, 4, 4]  # the first of each chunk, both trials
    assert set(polished["n_iter"]) == {7}
    assert (traces["seconds"] >= 0).all()


def test_a_trace_changes_no_result_but_its_key(
    results: benchbase.Results, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    (folder / "s.toml").write_text(SUITE.replace("trace = true", ""))
    (folder / "plugin.py").write_text(PLUGIN)
    plain = benchbase.run(
        folder / "s.toml", results=folder / "r", plugins=[results.folder.parent / "plugin.py"]
    )
    assert plain.traces().empty
    assert list(plain.traces().columns) == ["cell", *COLUMNS]
    scores = ["label", "trial", "signal", "squared_cosine", "relative_error", "residual"]
    pd.testing.assert_frame_equal(plain.rows()[scores], results.rows()[scores])
    assert set(plain.rows()["cell"]).isdisjoint(results.rows()["cell"])


def test_traces_survive_a_merge(results: benchbase.Results, cli) -> None:  # type: ignore[no-untyped-def] # a fixture of ours
    target = results.folder.parent / "merged"
    assert cli("merge", results.folder, "-o", target).exit_code == 0
    pd.testing.assert_frame_equal(benchbase.load_results(target).traces(), results.traces())


@pytest.mark.parametrize("value", ["1", '"yes"'])
def test_trace_is_true_or_false(value: str, cli, tmp_path) -> None:  # type: ignore[no-untyped-def] # as above
    (tmp_path / "s.toml").write_text(SUITE.replace("trace = true", f"trace = {value}"))
    (tmp_path / "plugin.py").write_text(PLUGIN)
    result = cli("run", "s.toml", "--plugin", "plugin.py")
    assert result.exit_code == 2
    assert "s.toml:5: trace: must be true or false" in result.stderr


def test_solvers_of_the_plugins_record_estimates_of_the_whole_batch() -> None:
    """What a solver records has the run's own number of rows."""

    class Wrapped(benchbase.Solver):
        name = "wrapped"

        def prepare(self, problem: Problem) -> Inverse:
            inner = benchbase.build("solver", {"name": "altmin"}).prepare(problem)

            def inverse(b: Array, run: Run) -> Recovery:
                recovery: Recovery = inner(b[1:], run.rows(np.arange(1, run.size)))
                return Recovery(x=np.concatenate([recovery.x[:1], recovery.x]))

            return inverse

    problem = problem_of(4)
    trace: list[Snapshot] = []
    b = problem.measure(np.random.default_rng(0).standard_normal((5, 4)))
    benchbase.solve(Wrapped(), problem, b, trace=trace)
    assert {tuple(shot.rows) for shot in trace} == {(1, 2, 3, 4)}
    assert {len(shot.x) for shot in trace} == {4}
