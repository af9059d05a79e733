"""Solvers in turn on the signals that are not solved yet."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

import benchbase
from benchbase import Array, BestSoFar, DenseFrame, Problem, Recovery, Run
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.streams import SignalRun, solver_keys

PROBLEM = Problem(DenseFrame(np.eye(3)[:, None]), benchbase.build("pooling", {"name": "maxout"}))
"""Measures a signal by its own three numbers."""

B = np.arange(1.0, 13.0).reshape(4, 3)


@given(arrays(np.float64, (3, 4), elements=st.sampled_from([0.0, 0.1, 0.5, np.nan])))
def test_the_least_residual_of_all_offers_is_kept(errors: Array) -> None:
    """Each offer has relative errors of its own; the first stays where none is a number."""
    offers = [B * (1 + error)[:, None] for error in errors]
    best = BestSoFar(PROBLEM, B, tol=1e-9)
    for number, x in enumerate(offers):
        steps = np.full(4, 10**number)
        best.offer(np.arange(4), Recovery(x=x, n_iter=steps))
    found = best.recovery()
    for signal in range(4):
        column = errors[:, signal]
        first = 0 if np.isnan(column).all() else int(np.nanargmin(column))
        assert_array_equal(found.x[signal], offers[first][signal])
    assert_array_equal(found.n_iter, 111)
    solved = (errors == 0).any(axis=0)
    assert_array_equal(found.converged, solved)
    assert_array_equal(best.unsolved(), np.flatnonzero(~solved))


def test_of_estimates_that_fit_alike_the_first_is_kept() -> None:
    best = BestSoFar(PROBLEM, B, tol=1e-9)
    for size in (1.5, 0.5):
        best.offer(np.arange(4), Recovery(x=size * B))
    assert_array_equal(best.recovery().x, 1.5 * B)


def test_what_is_offered_is_left_alone() -> None:
    best = BestSoFar(PROBLEM, B, tol=1e-9)
    first = Recovery(x=2 * B, n_iter=np.ones(4, dtype=np.int64))
    best.offer(np.arange(4), first)
    best.offer(np.array([2]), Recovery(x=B[2:3], n_iter=np.array([5])))
    assert_array_equal(first.x, 2 * B)
    assert_array_equal(first.n_iter, 1)
    assert_array_equal(best.recovery().n_iter, [1, 1, 6, 1])
    assert_array_equal(best.recovery().converged, [False, False, True, False])


def test_iterations_are_unknown_if_one_solver_does_not_count_them() -> None:
    best = BestSoFar(PROBLEM, B, tol=1e-9)
    best.offer(np.arange(4), Recovery(x=B))
    best.offer(np.arange(4), Recovery(x=B, n_iter=np.ones(4)))
    assert best.recovery().n_iter is None


def test_there_is_no_best_of_nothing() -> None:
    with pytest.raises(ValueError, match="no estimates"):
        BestSoFar(PROBLEM, B, tol=1e-9).recovery()
    run = SignalRun(solver_keys(0, 0, range(4)))
    with pytest.raises(ValueError, match="no estimates"):
        benchbase.run_rounds(PROBLEM, [], B, run, tol=1e-9)


def test_rounds_have_phases_and_leave_out_what_is_solved() -> None:
    ledger = Ledger()
    problem = Problem(CountingFrame(PROBLEM.frame, ledger), PROBLEM.pooling)
    seen: list[list[float]] = []
    drawn: list[Array] = []

    def solving(part: slice) -> benchbase.Inverse:
        """Solve the signals of the whole batch whose first measurement lies in a part."""

        def inverse(b: Array, run: Run) -> Recovery:
            seen.append([float(value) for value in b[:, 0]])
            drawn.append(run.normal(1)[:, 0])
            problem.measure(b)
            solved = np.isin(b[:, 0], B[part, 0])
            return Recovery(x=np.where(solved[:, None], b, 0), n_iter=np.ones(len(b), np.int64))

        return inverse

    parts = {"one": slice(0, 1), "two": slice(2, 4), "three": slice(4), "four": slice(4)}
    rounds = [(name, solving(part)) for name, part in parts.items()]
    run = SignalRun(solver_keys(0, 0, range(4)), ledger)
    with ledger.clock(()):
        found = benchbase.run_rounds(problem, rounds, B, run, tol=1e-9)
    assert seen == [[1, 4, 7, 10], [4, 7, 10], [4]]
    assert_array_equal(found.x, B)
    assert_array_equal(found.n_iter, [1, 3, 2, 2])
    assert_array_equal(found.converged, True)
    # Residuals are measured outside the phases; the streams are those of signal and phase.
    assert dict(ledger.applications) == {("one",): 4, ("two",): 3, ("three",): 1, (): 8}
    with SignalRun(solver_keys(0, 0, range(4))).phase("two") as phase:
        assert_array_equal(drawn[1], phase.normal(1)[1:, 0])


def test_the_first_round_is_made_even_if_there_are_no_signals() -> None:
    run = SignalRun([])
    rounds = [("one", lambda b, _: Recovery(x=b)), ("two", lambda b, _: Recovery(x=b / 0))]
    found = benchbase.run_rounds(PROBLEM, rounds, np.empty((0, 3)), run, tol=1e-9)
    assert found.x.shape == (0, 3)
