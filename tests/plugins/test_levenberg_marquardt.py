"""Levenberg-Marquardt."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import least_squares

import benchbase
from benchbase import Array, DenseFrame, Pooling, Problem
from benchbase.conformance import check_solver
from benchbase.numerics.streams import SignalRun, Snapshot, solver_keys
from benchbase_descent.levenberg_marquardt import DampedGaussNewton, LevenbergMarquardt
from benchbase_descent.pools import Pools
from tests.plugins.problems import make, signals, starting_at

NORMS = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
SHIFTED = [norm | {"threshold": 0.2} for norm in RECTIFIED]
MAXOUT = {"name": "maxout"}
POOLINGS = [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT]


def squares(problem: Problem, x: Array, b: Array) -> Array:
    total: Array = np.sum((problem.measure(x) - b) ** 2, axis=-1)
    return total


def jacobian(problem: Problem, x: Array) -> Array:
    """By difference quotients, (K, N)."""
    steps = 1e-6 * np.eye(problem.frame.n)
    return ((problem.measure(x + steps) - problem.measure(x - steps)) / 2e-6).T


def one_signal(problem: Problem, x: Array, b: Array, n_iter: int) -> Array:
    """The method in a loop, without smoothing; steps as least squares with rows that damp."""
    unit = np.sqrt(np.mean(b**2))
    length = np.sqrt(np.mean(np.sum(problem.frame.dense() ** 2, axis=2)))
    gap = (problem.measure(x) - b) / unit
    damping = 3 * min(np.sqrt(np.mean(gap**2)), 1)
    for _ in range(n_iter):
        rows = jacobian(problem, x) / length
        shift = damping * np.sum(rows**2) / len(x)
        damped = np.vstack([rows, np.sqrt(shift) * np.eye(len(x))])
        step = np.linalg.lstsq(damped, np.append(-gap, np.zeros(len(x))), rcond=None)[0]
        trial = x + step * unit / length
        new = (problem.measure(trial) - b) / unit
        if new @ new < gap @ gap:
            x, gap = trial, new
            damping = min(0.3 * damping, 3 * min(np.sqrt(np.mean(gap**2)), 1))
        else:
            damping *= 2.5
    return x


@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
def test_steps_are_those_of_a_loop_over_signals(pooling: dict[str, Any]) -> None:
    for shape in ((5, 12, 2), (6, 4, 2), (4, 9, 1), (4, 8, 3)):
        problem = make(pooling, *shape)
        _, b = signals(problem, 4)
        start = np.random.default_rng(5).standard_normal((4, shape[0]))
        solver = LevenbergMarquardt(n_iter=6, tol=0.0, smoothing=0.0, init=starting_at(start))
        if pooling in SHIFTED:  # of which the units are not those of the measurements alone
            b = b + 1
        found = benchbase.solve(solver, problem, b).x
        for x, row, each in zip(start, b, found, strict=True):
            assert_allclose(each, one_signal(problem, x, row, 6), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    n_pools=st.integers(1, 20),
    pooling=st.sampled_from([*NORMS, *RECTIFIED, MAXOUT]),
)
def test_without_smoothing_no_step_raises_the_sum_of_squares(
    seed: int, n_pools: int, pooling: Any
) -> None:
    problem = make(pooling, 6, n_pools)
    b = np.abs(np.random.default_rng(seed).standard_normal((3, n_pools)))
    trace: list[Snapshot] = []
    solver = LevenbergMarquardt(n_iter=30, smoothing=0.0)
    benchbase.solve(solver, problem, b, seed, trace=trace)
    path = np.stack([squares(problem, snapshot.x, b) for snapshot in trace])
    assert (np.diff(path, axis=0) <= 1e-12 * path[0]).all()


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, MAXOUT], ids=str)
def test_near_a_signal_convergence_is_quadratic(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 8, 40)
    x, b = signals(problem, 6)
    start = x + 2e-4 * np.random.default_rng(3).standard_normal(x.shape)
    trace: list[Snapshot] = []
    solver = LevenbergMarquardt(tol=1e-13, init=starting_at(start))
    recovery = benchbase.solve(solver, problem, b, trace=trace)
    error = np.stack([benchbase.relative_error(each.x, x, problem.ambiguity) for each in trace])
    assert recovery.n_iter is not None
    assert recovery.n_iter.max() <= 5
    before, after = error[:-1], error[1:]
    assert (after <= 30 * before**2 + 1e-12).all()


def test_it_polishes_what_alternating_minimisation_leaves() -> None:
    problem = make(RECTIFIED[1], 12, 60)
    x, b = signals(problem, 10)
    coarse = benchbase.build("solver", {"name": "altmin", "tol": 1e-3})
    left = benchbase.solve(coarse, problem, b)
    solver = LevenbergMarquardt(tol=1e-13, init=coarse)
    found = benchbase.solve(solver, problem, b)
    assert found.n_iter is not None
    assert left.converged is not None
    done = left.converged & (problem.residual(left.x, b) > 1e-9)
    assert done.sum() >= 8
    assert (problem.residual(found.x, b)[done] <= 1e-13).all()
    assert found.n_iter[done].max() <= 6
    assert_allclose(found.x[done], x[done], atol=1e-11)


@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
def test_with_noise_it_finds_the_least_squares_nearby(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 6, 40)
    x, b = signals(problem, 4)
    noisy = b + 0.02 * np.random.default_rng(6).standard_normal(b.shape)
    noisy = np.maximum(noisy, 0) if problem.pooling.nonnegative else noisy
    found = benchbase.solve(LevenbergMarquardt(init=starting_at(x)), problem, noisy)
    assert_array_equal(found.converged, False)
    assert found.n_iter is not None
    assert found.n_iter.max() < 100
    for start, row, each in zip(x, noisy, found.x, strict=True):

        def gap(z: Array, row: Array = row) -> Array:
            return problem.measure(z) - row

        rival = least_squares(gap, start, method="lm", xtol=1e-14, ftol=1e-14, gtol=1e-14)
        assert squares(problem, each, row) <= 2 * rival.cost * (1 + 1e-8)
        if pooling in NORMS[1:2]:  # no kinks
            assert_allclose(each, rival.x, atol=1e-6)
            assert np.abs(jacobian(problem, each).T @ gap(each)).max() < 1e-7


def test_steps_that_fail_leave_no_trace() -> None:
    problem = make(NORMS[2], 6, 12)
    _, b = signals(problem, 20)
    pools, solver = Pools(problem), LevenbergMarquardt()
    x = np.random.default_rng(3).standard_normal((20, 6))
    method = solver.method(pools)(b, x, SignalRun(solver_keys(0, 0, range(20))))
    assert isinstance(method, DampedGaussNewton)
    failed = 0
    for _ in range(100):
        before = method.x
        method.advance(1)
        failed += np.sum((method.x == before).all(axis=1))
        assert_allclose(method.values(), problem.pooling(pools.analyse(method.x)), atol=1e-12)
    assert failed > 100


def test_directions_that_no_pool_sees_make_no_matrix_singular(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = np.random.default_rng(5).standard_normal((12, 2, 6))
    vectors[:, :, 3] = 0
    vectors[:, :, 4] = vectors[:, :, 0]
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", NORMS[1]))
    x, b = signals(problem, 20)
    conditions = []
    solve = np.linalg.solve

    def watched(matrices: Array, right: Array) -> Array:
        conditions.append(np.linalg.cond(matrices).max())
        return solve(matrices, right)

    monkeypatch.setattr(np.linalg, "solve", watched)
    for distance in (1e-5, 1e-15):
        start = x + distance * np.random.default_rng(6).standard_normal(x.shape)
        solver = LevenbergMarquardt(tol=0.0, n_iter=60, init=starting_at(start))
        found = benchbase.solve(solver, problem, b).x
        assert problem.residual(found, b).max() < 1e-14
        assert_allclose(found[:, 3], start[:, 3], atol=1e-9)
    assert max(conditions) < 1e13


def test_with_noise_smoothing_leaves_no_bias() -> None:
    """From a random start, too, it ends at a minimum of the sum of squares itself."""
    problem = make(NORMS[1], 6, 40)
    _, b = signals(problem, 6)
    noisy = b + 0.1 * np.random.default_rng(6).standard_normal(b.shape)
    for x, row in zip(benchbase.solve(LevenbergMarquardt(), problem, noisy).x, noisy, strict=True):
        slope = jacobian(problem, x).T @ (problem.measure(x) - row)
        assert np.abs(slope).max() < 1e-5


@pytest.mark.parametrize(
    ("pooling", "n_pools"),
    [(NORMS[0], 22), (NORMS[1], 18), (NORMS[2], 22), (RECTIFIED[1], 20), (RECTIFIED[2], 20)],
    ids=str,
)
def test_smoothing_solves_more(pooling: dict[str, Any], n_pools: int) -> None:
    problem = make(pooling, 10, n_pools)
    x, b = signals(problem, 60)

    def share(smoothing: float | None) -> float:
        found = benchbase.solve(LevenbergMarquardt(smoothing=smoothing), problem, b).x
        return float(np.mean(benchbase.relative_error(found, x, problem.ambiguity) < 1e-6))

    assert share(None) >= max(0.5, share(0.0) + 0.2)


def test_smoothing_takes_pools_up_again_that_are_cut_off() -> None:
    problem = Problem(DenseFrame([[[1.0]]]), benchbase.build("pooling", RECTIFIED[1]))
    start = starting_at(np.array([[-1.0]]))
    kept = benchbase.solve(LevenbergMarquardt(init=start, smoothing=0.0), problem, [[2.0]])
    assert_array_equal(kept.x, -1)
    assert_array_equal(kept.n_iter, 1)
    found = benchbase.solve(LevenbergMarquardt(init=start), problem, [[2.0]])
    assert_allclose(found.x, 2, atol=1e-7)
    assert_array_equal(found.converged, True)


def test_pools_of_zero_pull_positive_coefficients_down() -> None:
    problem = Problem(DenseFrame(np.eye(2)[None]), benchbase.build("pooling", RECTIFIED[1]))
    start = np.array([[3.0, -2.0], [-1.0, -2.0]])
    solver = LevenbergMarquardt(init=starting_at(start), smoothing=0.0)
    found = benchbase.solve(solver, problem, np.zeros((2, 1)))
    assert_allclose(found.x, np.minimum(start, 0), atol=1e-7)
    assert_array_equal(found.converged, True)


def test_a_start_near_the_signal_is_not_smoothed_away() -> None:
    problem = make(NORMS[2], 10, 22)
    x, b = signals(problem, 20)
    start = x + 2e-3 * np.random.default_rng(3).standard_normal(x.shape)
    found = benchbase.solve(LevenbergMarquardt(init=starting_at(start)), problem, b)
    plain = LevenbergMarquardt(init=starting_at(start), smoothing=0.0)
    assert_array_equal(found.x, benchbase.solve(plain, problem, b).x)
    assert_allclose(found.x, x, atol=1e-6)


def test_p_1_and_p_inf_are_one_on_turned_pairs() -> None:
    one = make(NORMS[0], 8, 14)
    first, second = one.frame.dense()[:, 0], one.frame.dense()[:, 1]
    turned = DenseFrame(np.stack([first + second, first - second], axis=1))
    largest = Problem(turned, benchbase.build("pooling", NORMS[2]))
    _, b = signals(one, 10)
    solver = LevenbergMarquardt(n_iter=40)
    here, there = (benchbase.solve(solver, problem, b).x for problem in (one, largest))
    assert_allclose(here, there, atol=1e-6)


class Cubes(Pooling):
    """A pooling without a formula."""

    name = "cubes"
    even, nonnegative = True, True

    def __call__(self, c: Array) -> Array:
        size: Array = np.linalg.norm(c, 3, axis=-2)
        return size

    def rescale(self, c: Array, b: Array) -> Array:
        raise NotImplementedError

    project = rescale


def test_any_pooling_will_do() -> None:
    problem = Problem(make(NORMS[1], 6, 40).frame, Cubes())
    x, b = signals(problem, 20)
    recovery = benchbase.solve(LevenbergMarquardt(), problem, b)
    assert recovery.converged is not None
    assert recovery.converged.mean() >= 0.5
    error = benchbase.relative_error(recovery.x, x, "sign")
    assert (error[recovery.converged] < 1e-6).all()
    # Without a formula nothing is smooth.
    plain = benchbase.solve(LevenbergMarquardt(smoothing=0.0), problem, b)
    assert_array_equal(plain.x, recovery.x)


def test_restarts_solve_more() -> None:
    problem = make(NORMS[1], 10, 15)
    _, b = signals(problem, 30)
    shares = []
    for n in (1, 10):
        inner = {"name": "levenberg_marquardt"}
        solver = benchbase.build("solver", {"name": "restarts", "n": n, "solver": inner})
        converged = benchbase.solve(solver, problem, b).converged
        assert converged is not None
        shares.append(converged.mean())
    assert shares[0] < shares[1]
    assert shares[1] >= 0.9


@pytest.mark.parametrize("wrong", [-1.0, np.inf, np.nan])
def test_smoothing_out_of_range(wrong: float) -> None:
    with pytest.raises(benchbase.ParameterError) as error:
        LevenbergMarquardt(smoothing=wrong)
    assert error.value.parameter == "smoothing"


@pytest.mark.parametrize("pooling", [RECTIFIED[1], NORMS[2], SHIFTED[0], MAXOUT], ids=str)
def test_it_keeps_the_rules_of_solvers(pooling: dict[str, Any]) -> None:
    solver = benchbase.build("solver", {"name": "levenberg_marquardt"})
    check_solver(solver)
    check_solver(replace(solver, smoothing=0.0))
    check_solver(solver, make(pooling, 5, 40))
