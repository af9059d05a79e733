"""The loop of iterative solvers: blocks, looks, signals that leave, traces."""

from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, Blocks, DenseFrame, Problem, Recovery
from benchbase.conformance import check_solver
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.streams import SignalRun, Snapshot, solver_keys

IDENTITY = Problem(DenseFrame(np.eye(3)[:, None]), benchbase.build("pooling", {"name": "maxout"}))
"""Measures a signal by its own three numbers, so that b is the signal."""


class Given(benchbase.Solver):
    """Gives starts; those of the signals that measure the same."""

    name = "given"
    starts: ClassVar[dict[bytes, Array]] = {}

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        return lambda b, _: Recovery(x=np.stack([self.starts[row.tobytes()] for row in b]))


def starting(b: Array, x: Array) -> Given:
    """Return an initialiser that gives x (S, N) for b (S, K)."""
    Given.starts.update((row.tobytes(), start) for row, start in zip(b, x, strict=True))
    return Given()


class Approach(benchbase.StepSolver):
    """Goes a share of the way to b: what is left after i steps is (1 − share)^i of the start."""

    name = "approach"
    share: float = 0.5

    def step(self, problem: Problem, b: Array, x: Array) -> Array:
        return x + self.share * (b - problem.measure(x))


def expected(solver: Approach, start: float, signal: float) -> tuple[float, int, bool]:
    """Return what becomes of a signal (t, t, t) that starts at (s, s, s), by the closed form."""
    for i in [*range(0, solver.n_iter, solver.check), solver.n_iter]:
        left = (1 - solver.share) ** i * (start - signal)
        if abs(left) <= solver.tol * abs(signal) or i == solver.n_iter:
            return signal + left, i, abs(left) <= solver.tol * abs(signal)
    raise AssertionError


@settings(max_examples=60, deadline=None)
@given(
    starts=st.lists(st.integers(-8, 8), min_size=1, max_size=7),
    n_iter=st.integers(0, 45),
    share=st.sampled_from([0.5, 0.25]),
    tol=st.sampled_from([0.0, 1e-3, 0.3]),
    rule=st.sampled_from(
        [Blocks(1), Blocks(9), Blocks(6, "floor"), Blocks(7, "ceiling"), Blocks(1, least=2)]
    ),
)
def test_each_signal_goes_its_own_way_whatever_the_block(
    starts: list[int], n_iter: int, share: float, tol: float, rule: Blocks
) -> None:
    """All numbers are dyadic, so that the closed form is exact."""

    class Cut(Approach):
        name = "cut"
        blocks = rule

    signals = np.arange(1.0, len(starts) + 1)
    b = np.repeat(signals[:, None], 3, axis=1)
    x = np.repeat(np.array(starts, dtype=float)[:, None], 3, axis=1)
    solver = Cut(n_iter=n_iter, share=share, tol=tol, init=starting(b, x))
    found = benchbase.solve(solver, IDENTITY, b)
    for i, (start, signal) in enumerate(zip(starts, signals, strict=True)):
        value, count, solved = expected(solver, float(start), float(signal))
        assert_allclose(found.x[i], value, rtol=1e-12)
        assert found.n_iter is not None
        assert found.converged is not None
        assert (found.n_iter[i], found.converged[i]) == (count, solved)


class Wander(benchbase.StepSolver):
    """Goes somewhere at random at each step, the same for the same b."""

    name = "wander"
    check = 3

    def step(self, problem: Problem, b: Array, x: Array) -> Array:
        del problem
        return b + np.sin(1e4 * x)


class Last(Wander):
    name = "last"
    best = False


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_no_estimate_that_was_looked_at_is_better(seed: int, n_iter: int) -> None:
    b = np.random.default_rng(seed).standard_normal((4, 3))
    traces: tuple[list[Snapshot], list[Snapshot]] = ([], [])
    found = [
        benchbase.solve(solver, IDENTITY, b, seed, trace=trace)
        for solver, trace in zip((Wander(n_iter=n_iter), Last(n_iter=n_iter)), traces, strict=True)
    ]
    looks = [*range(0, n_iter, 3), n_iter]
    assert [[shot.n_iter for shot in trace] for trace in traces] == [looks, looks]
    kept, seen = (np.array([IDENTITY.residual(s.x, b) for s in trace]) for trace in traces)
    assert_array_equal(kept, np.minimum.accumulate(seen, axis=0))
    assert_array_equal(IDENTITY.residual(found[0].x, b), seen.min(axis=0))
    for recovery, trace in zip(found, traces, strict=True):
        assert_array_equal(recovery.x, trace[-1].x)
        assert_array_equal(recovery.n_iter, n_iter)
    last = traces[1][0].x
    for _ in range(n_iter):
        last = b + np.sin(1e4 * last)
    assert_array_equal(found[1].x, last)


def test_of_estimates_that_fit_alike_the_first_is_kept() -> None:
    class Mirror(benchbase.StepSolver):
        name = "mirror"
        check = 1

        def step(self, problem: Problem, b: Array, x: Array) -> Array:
            del problem
            return 2 * b - x

    b = np.arange(1.0, 7.0).reshape(2, 3)
    found = benchbase.solve(Mirror(n_iter=5, init=starting(b, b + 0.5)), IDENTITY, b)
    assert_array_equal(found.x, b + 0.5)


def test_signals_that_leave_change_nothing_for_the_others() -> None:
    rng = np.random.default_rng(1)
    b, start = rng.standard_normal((2, 9, 3))
    start[::2] = b[::2]  # these are solved at the first look
    solver = Approach(n_iter=200, share=0.1, init=starting(b, start))
    whole = benchbase.solve(solver, IDENTITY, b)
    assert_array_equal(np.asarray(whole.n_iter)[::2], 0)
    assert_array_equal(whole.x[::2], b[::2])
    alone = benchbase.solve(solver, IDENTITY, b[1::2])
    assert_array_equal(whole.x[1::2], alone.x)
    assert_array_equal(np.asarray(whole.n_iter)[1::2], alone.n_iter)


def test_a_signal_leaves_at_the_look_after_it_has_stopped() -> None:
    class Stuck(Approach):
        name = "stuck"

        def step(self, problem: Problem, b: Array, x: Array) -> Array:
            return np.where(b > 0, super().step(problem, b, x), x)

    b = np.array([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    solver = Stuck(n_iter=100, init=starting(b, 2 * b))
    found = benchbase.solve(solver, IDENTITY, b)
    assert_array_equal(found.n_iter, [30, 10])
    assert_array_equal(found.converged, [True, False])


def test_a_step_may_work_in_place() -> None:
    class InPlace(Approach):
        name = "in_place"

        def step(self, problem: Problem, b: Array, x: Array) -> Array:
            x += self.share * (b - problem.measure(x))
            return x

    b = np.random.default_rng(1).standard_normal((5, 3))
    found, other = (benchbase.solve(c(), IDENTITY, b) for c in (InPlace, Approach))
    assert_array_equal(found.x, other.x)
    assert_array_equal(found.n_iter, other.n_iter)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_leaves_at_once_and_spoils_nothing(bad: float) -> None:
    b = np.arange(1.0, 10.0).reshape(3, 3)
    start = b + 1
    start[1, 0] = bad
    solver = Approach(init=starting(b, start))
    with np.errstate(invalid="ignore"):
        found = benchbase.solve(solver, IDENTITY, b)
    assert_array_equal(found.converged, [True, False, True])
    assert_allclose(found.x[[0, 2]], b[[0, 2]])
    assert not np.isfinite(found.x[1]).all()
    assert found.n_iter is not None
    assert found.n_iter[1] == 0


def test_a_trace_holds_whole_blocks_and_costs_nothing() -> None:
    class InTwos(Approach):
        name = "in_twos"
        blocks = Blocks(1, least=2)

    ledgers = Ledger(), Ledger()
    b = np.random.default_rng(2).standard_normal((5, 3))
    trace: list[Snapshot] = []
    found = []
    for ledger, shots in zip(ledgers, (None, trace), strict=True):
        problem = replace(IDENTITY, frame=CountingFrame(IDENTITY.frame, ledger))
        run = SignalRun(solver_keys(0, 0, range(5)), ledger, shots)
        found.append(InTwos(n_iter=25, tol=0.0).prepare(problem)(b, run))
    assert [shot.n_iter for shot in trace] == [0, 10, 20, 25] * 3
    assert [list(shot.rows) for shot in trace[::4]] == [[0, 1], [2, 3], [4]]
    assert_array_equal(np.concatenate([shot.x for shot in trace[3::4]]), found[1].x)
    assert_array_equal(found[0].x, found[1].x)
    assert ledgers[0].applications == ledgers[1].applications
    # A measurement for each start, each step, and each of four looks.
    assert dict(ledgers[0].applications) == {(): 5 * (1 + 25 + 4)}


class Pair(NamedTuple):
    """A named tuple with a row for each signal, and something that may be missing."""

    first: Array
    second: Array | None


class Lists(benchbase.Iteration):
    """Holds things of all kinds, and checks that they follow the signals."""

    per_signal = (*benchbase.Iteration.per_signal, "names", "pair", "nothing", "columns")

    def __init__(self, problem: Problem, b: Array, x: Array) -> None:
        super().__init__(problem, b, x)
        self.names = [str(row[0]) for row in b]
        self.pair, self.nothing = Pair(b[:, 0], None), None
        self.columns = np.asfortranarray(b)

    def step(self) -> None:
        assert self.names == [str(row[0]) for row in self.b]
        assert_array_equal(self.pair.first, self.b[:, 0])
        assert self.pair.second is self.nothing is None
        assert_array_equal(self.columns, self.b)
        assert self.columns.flags.f_contiguous  # the memory order stays
        self.x = self.x + 0.5 * (self.b - self.x)

    def hopeful(self, residual: Array) -> Array:
        hope: Array = (self.i < 20) | (self.b[:, 0] != 3)
        return hope


class Kept(benchbase.IterativeSolver):
    name = "kept"

    def set_up(self, problem: Problem) -> tuple[benchbase.Start, benchbase.Begin]:
        start = benchbase.start_of(self.init, problem)
        return start, lambda b, x, _: Lists(problem, b, x)


def test_what_a_method_holds_follows_its_signals() -> None:
    b = np.array([[1.0, 0, 0], [2.0, 0, 0], [3.0, 0, 0], [4.0, 0, 0]])
    start = b + 10.0 ** np.array([[-9.0], [3.0], [6.0], [-3.0]])
    found = benchbase.solve(Kept(init=starting(b, start)), IDENTITY, b)
    # Solved at once, in time, given up, in time.
    assert_array_equal(found.n_iter, [0, 40, 20, 20])
    assert_array_equal(found.converged, [True, True, False, True])


def test_signals_that_are_solved_already_take_no_part() -> None:
    b = np.arange(12.0).reshape(4, 3)
    solver, run = Approach(), SignalRun(solver_keys(0, 0, range(4)))
    seen = []

    def begin(b: Array, x: Array, run: benchbase.Run) -> benchbase.Iteration:
        seen.append(b.copy())
        return solver.set_up(IDENTITY)[1](b, x, run)

    start = np.full((4, 3), 7.0)
    solved = np.array([False, True, False, True])
    found = solver.iterate(IDENTITY, begin, b, start, run, solved)
    assert_array_equal(np.concatenate(seen), b[::2])
    assert_array_equal(found.x[1::2], 7)
    assert_array_equal(np.asarray(found.n_iter)[1::2], 0)
    assert_array_equal(found.converged, True)
    assert_allclose(found.x[::2], b[::2], atol=1e-6)


def test_no_signals_and_no_iterations() -> None:
    empty = benchbase.solve(Approach(), IDENTITY, np.empty((0, 3)))
    assert empty.x.shape == (0, 3)
    assert empty.n_iter is not None
    assert empty.converged is not None
    assert empty.n_iter.shape == empty.converged.shape == (0,)
    b = np.random.default_rng(0).standard_normal((4, 3))
    start = benchbase.gaussian_start(IDENTITY, b, SignalRun(solver_keys(5, 0, range(4))))
    found = benchbase.solve(Approach(n_iter=0), IDENTITY, b, seed=5)
    assert_array_equal(found.x, start)
    assert_array_equal(found.n_iter, 0)


def test_measurements_of_zero_are_compared_as_they_are() -> None:
    """There is nothing for their residual to be relative to."""
    b = np.zeros((2, 3))
    solver = Approach(tol=1e-3, init=Given())
    Given.starts[b[0].tobytes()] = np.full(3, 1e-4)
    assert_array_equal(benchbase.solve(solver, IDENTITY, b).n_iter, 0)
    Given.starts[b[0].tobytes()] = np.full(3, 1e-2)
    assert_array_equal(benchbase.solve(solver, IDENTITY, b).n_iter, 10)


@given(
    signals=st.integers(0, 200),
    width=st.integers(1, 60),
    numbers=st.integers(1, 500),
    least=st.integers(1, 40),
)
def test_blocks_are_cut_by_their_rules(signals: int, width: int, numbers: int, least: int) -> None:
    rules = {
        "floor": Blocks(numbers, "floor"),
        "ceiling": Blocks(numbers, "ceiling"),
        "signals": Blocks(numbers, least=least),
    }
    for name, rule in rules.items():
        blocks = rule.cut(signals, width)
        assert_array_equal(np.concatenate([*blocks, []]), np.arange(signals))
        if not signals:
            assert blocks == []
            continue
        sizes = [len(block) for block in blocks]
        assert max(sizes) - min(sizes) <= 1 <= min(sizes)
        largest = max(sizes)
        match name:
            case "floor":
                assert (
                    min(sizes) == 1 or len(blocks) == 1 or signals * width >= numbers * len(sizes)
                )
                assert signals * width < numbers * (len(sizes) + 1) or largest == 1
            case "ceiling":
                assert largest == 1 or signals * width <= numbers * len(sizes)
            case "signals":
                assert largest <= max(least, numbers // width)
                assert len(sizes) == 1 or signals > max(least, numbers // width) * (len(sizes) - 1)


@pytest.mark.parametrize("wrong", [{"n_iter": -1}, {"tol": -1.0}, {"tol": np.inf}, {"tol": np.nan}])
def test_parameters_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(benchbase.ParameterError) as error:
        Approach(**wrong)
    assert error.value.parameter in wrong


def test_complex_frames_and_what_the_initialiser_refuses() -> None:
    linear = benchbase.build("pooling", {"name": "lp"})
    turned = Problem(DenseFrame(1j * np.eye(3)[:, None]), linear)
    assert Approach().unsupported(turned) == "the frame is complex, and approach is for real ones"
    knn = benchbase.build("solver", {"name": "knn"})
    assert Approach().unsupported(IDENTITY) is None
    assert "training" in str(Approach(init=knn).unsupported(IDENTITY))


class Averaged(benchbase.StepSolver):
    """Averages the projections onto frame and measurements."""

    name = "averaged"

    def step(self, problem: Problem, b: Array, x: Array) -> Array:
        c = problem.frame.analyse(x)
        return problem.frame.least_squares((c + problem.pooling.project(c, b)) / 2)


def test_a_step_solver_keeps_the_rules_of_solvers() -> None:
    check_solver(Averaged())
