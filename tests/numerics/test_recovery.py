"""Estimates of a solver: what is refused, what is stored, and how that is scored."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem, Recovery
from benchbase.numerics.recovery import RecoveryError, recover, score
from benchbase.numerics.streams import SignalRun, solver_keys


class Single(benchbase.Pooling):
    """Keeps the one coefficient of each pool, its absolute value if it is `blind` to the sign."""

    name = "single"
    blind: bool

    @property
    def even(self) -> bool:
        return self.blind

    @property
    def nonnegative(self) -> bool:
        return self.blind

    def __call__(self, c: Array) -> Array:
        kept: Array = c[..., 0, :]
        return np.abs(kept) if self.blind else kept

    def rescale(self, c: Array, b: Array) -> Array:
        raise NotImplementedError

    def project(self, c: Array, b: Array) -> Array:
        raise NotImplementedError


def coordinates(*, blind: bool) -> Problem:
    """Return a problem whose measurements are the two entries of a signal, or their sizes."""
    return Problem(DenseFrame(np.eye(2)[:, None]), Single(blind=blind))


@pytest.mark.parametrize("degrees", [0, 60, 120, 180])
@pytest.mark.parametrize("blind", [True, False])
def test_scores_forgive_the_sign_only_where_it_is_lost(blind: bool, degrees: int) -> None:
    problem, angle = coordinates(blind=blind), math.radians(degrees)
    truth = np.array([[2.0, 0.0]])
    x = 2 * np.array([[math.cos(angle), math.sin(angle)]])
    found = score(Recovery(x), problem, truth, problem.measure(truth))
    apart = min(angle, math.pi - angle) if blind else angle
    chord = 2 * math.sin(apart / 2)
    assert_allclose(found["relative_error"], [chord], atol=1e-7)
    assert_allclose(found["residual"], [chord], atol=1e-7)
    assert_allclose(found["squared_cosine"], [max(math.cos(apart), 0) ** 2], atol=1e-7)


def test_what_is_scored_is_the_rounded_estimate_that_is_stored() -> None:
    problem, truth = coordinates(blind=False), np.array([[0.1, 0.0]])
    found = score(Recovery(truth), problem, truth, problem.measure(truth))
    assert found["x"].dtype == np.float32
    rounding = abs(float(np.float32(0.1)) - 0.1) / 0.1
    assert rounding > 1e-9
    assert_allclose(found["relative_error"], [rounding])
    assert_allclose(found["residual"], [rounding])


def test_rows_that_are_not_finite_have_no_score_and_spoil_no_other() -> None:
    problem, truth = coordinates(blind=True), np.ones((4, 2))
    x = np.array([[1.0, 1.0], [np.nan, 1.0], [1.0, 1e300], [-1.0, -1.0]])  # 1e300 is no float32
    found = score(Recovery(x), problem, truth, problem.measure(truth))
    assert_allclose(found["relative_error"], [0, np.nan, np.nan, 0], atol=1e-12)
    assert_allclose(found["residual"], [0, np.nan, np.nan, 0], atol=1e-12)
    assert_allclose(found["squared_cosine"], [1, np.nan, np.nan, 1])


def test_what_a_solver_does_not_tell_is_nan() -> None:
    problem, truth = coordinates(blind=True), np.ones((2, 2))
    found = score(Recovery(truth, n_iter=np.array([3, 0])), problem, truth, truth)
    assert_array_equal(found["n_iter"], [3.0, 0.0])
    assert_array_equal(found["converged"], [np.nan, np.nan])


X = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (X, "the solver returned a ndarray, not a Recovery"),
        (Recovery(X[:2]), "returned x of shape (2, 2), not (3, 2)"),
        (Recovery(X.T), "returned x of shape (2, 3), not (3, 2)"),
        (Recovery(X, n_iter=np.array(1)), "returned n_iter of shape (), not (3,)"),
        (Recovery(X, converged=np.ones(2, bool)), "returned converged of shape (2,), not (3,)"),
    ],
)
def test_what_is_no_recovery_of_the_signals_is_refused(given: Any, message: str) -> None:
    run = SignalRun(solver_keys(0, 0, range(3)))
    with pytest.raises(RecoveryError) as caught:
        recover(lambda b, run: given, np.ones((3, 5)), run, 2)
    assert message in str(caught.value)


def test_a_recovery_of_the_right_shapes_is_handed_on() -> None:
    run = SignalRun(solver_keys(0, 0, range(3)))
    whole = Recovery(X.astype(int), n_iter=np.arange(3), converged=np.ones(3, bool))
    assert recover(lambda b, run: whole, np.ones((3, 5)), run, 2) is whole


def test_complex_estimates_and_measurements_are_refused() -> None:
    with pytest.raises(benchbase.ParameterError, match="x must hold real numbers"):
        Recovery(np.ones((1, 2)) * 1j)
    for b in (np.ones(2) + 0j, [1.0, 1j]):
        with pytest.raises(benchbase.ParameterError, match="b must hold real numbers"):
            benchbase.solve(Least(), coordinates(blind=False), b)


class Least(benchbase.Solver):
    """Returns the measurements, which may not be spoilt, and a random number of each signal."""

    name = "least"
    remark: str = ""

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        def inverse(b: Array, run: benchbase.Run) -> Recovery:
            assert np.isfinite(b).all()
            x = b + run.normal(2)
            return Recovery(x, np.arange(len(b)), np.ones(len(b), bool), self.remark)

        return inverse


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_measurements_that_are_not_finite_lose_their_own_signal_alone(bad: float) -> None:
    problem, b = coordinates(blind=False), np.arange(8.0).reshape(4, 2)
    whole = benchbase.solve(Least(), problem, b)
    b[1, 0] = bad
    found = benchbase.solve(Least(remark="mine"), problem, b)
    kept = np.array([True, False, True, True])
    assert_array_equal(found.x[kept], whole.x[kept])
    assert np.isnan(found.x[1]).all()
    assert found.converged is not None
    assert_array_equal(found.converged, kept)
    assert found.message == "mine; 1 signals have measurements that are not finite"
    none = benchbase.solve(Least(), problem, np.full((3, 2), bad))
    assert np.isnan(none.x).all()
