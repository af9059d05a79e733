"""Projections onto frame and measurements: what rrr, raar and hio solve, and from where."""

from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import DenseFrame, Problem
from benchbase.conformance import check_solver
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_rrr.methods import HIO, RAAR, RRR
from tests.plugins.problems import Implicit, make, signals, starting_at

Method: TypeAlias = type[RRR] | type[RAAR] | type[HIO]
METHODS: tuple[Method, ...] = (RRR, RAAR, HIO)
every_method = pytest.mark.parametrize("method", METHODS)
NORMS = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
SHIFTED = [norm | {"threshold": a} for norm in RECTIFIED for a in (-0.6, 0.3)]
MAXOUT = {"name": "maxout"}


def run_of(size: int, seed: int = 0) -> SignalRun:
    return SignalRun(solver_keys(seed, 0, range(size)))


# What comes back


@every_method
@pytest.mark.parametrize("pool_size", [1, 2, 3])
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT])
def test_signals_come_back_from_a_random_start(
    method: Method, pooling: dict[str, Any], pool_size: int
) -> None:
    problem = make(pooling, 5, 40, pool_size)
    x, b = signals(problem, 30)
    recovery = benchbase.solve(method(n_iter=600), problem, b)
    assert recovery.converged is not None
    assert_array_equal(recovery.converged, problem.residual(recovery.x, b) <= 1e-8)
    assert recovery.converged.mean() >= 0.8
    found = recovery.x[recovery.converged]
    error = benchbase.relative_error(found, x[recovery.converged], problem.ambiguity)
    assert_allclose(error, 0, atol=1e-6)


@every_method
def test_signals_come_back_where_alternating_minimisation_fails(
    method: Method,
) -> None:
    problem = make(NORMS[1], 16, 22)
    _, b = signals(problem, 60)

    def solved(inner: benchbase.Solver) -> float:
        spec = {"name": "restarts", "n": 8, "solver": inner}
        converged = benchbase.solve(benchbase.build("solver", spec), problem, b).converged
        assert converged is not None
        return float(converged.mean())

    simple = benchbase.build("solver", {"name": "altmin", "n_iter": 500})
    assert solved(simple) < 0.4
    assert solved(method(n_iter=500)) > 0.75


@every_method
def test_it_is_a_start_for_another_solver(method: Method) -> None:
    problem = make(NORMS[1], 8, 40)
    _, b = signals(problem, 10)
    rough = method(tol=1e-2)
    polish = {"name": "altmin", "init": rough}
    residual = problem.residual(benchbase.solve(rough, problem, b).x, b)
    assert (residual <= 1e-2).all()
    assert (residual > 1e-8).any()
    found = benchbase.solve(benchbase.build("solver", polish), problem, b)
    assert_array_equal(found.converged, True)


# Starts


@every_method
@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[0], MAXOUT])
def test_the_start_is_gaussian_and_has_the_size_of_the_measurements(
    method: Method, pooling: dict[str, Any]
) -> None:
    problem = make(pooling, 8, 14)
    _, b = signals(problem, 10)
    found = benchbase.solve(method(n_iter=0), problem, b, seed=3).x
    drawn = run_of(10, 3).normal(8)
    size = np.linalg.norm(b, axis=1) / np.linalg.norm(problem.measure(drawn), axis=1)
    assert_allclose(found, drawn * size[:, None], rtol=1e-12)
    assert_allclose(np.linalg.norm(problem.measure(found), axis=1), np.linalg.norm(b, axis=1))


@every_method
@pytest.mark.parametrize("threshold", [0.5, 2.0])
@pytest.mark.parametrize("n_pools", [1, 40])
def test_a_start_through_a_threshold_is_not_too_large(
    method: Method, n_pools: int, threshold: float
) -> None:
    """No ratio of sizes gives the scale there."""
    problem = make(RECTIFIED[1] | {"threshold": threshold}, 8, n_pools)
    _, b = signals(problem, 50)
    measured = problem.measure(benchbase.solve(method(n_iter=0), problem, b).x)
    drawn = problem.measure(run_of(50).normal(8))
    share = np.linalg.norm(measured, axis=1) / np.maximum(np.linalg.norm(b, axis=1), 1e-300)
    something = drawn.any(axis=1) & b.any(axis=1)
    assert share[something].max() <= 1 + 1e-12
    if n_pools == 40:
        assert np.median(share[something]) >= 0.4


@every_method
def test_a_start_that_measures_nothing_stays_as_drawn(method: Method) -> None:
    problem = Problem(DenseFrame([[[1.0]]]), benchbase.build("pooling", RECTIFIED[1]))
    b = np.full((20, 1), 5.0)
    drawn = run_of(20).normal(1)[:, 0]
    assert (drawn < 0).any()
    found = benchbase.solve(method(n_iter=0), problem, b)
    assert_allclose(found.x[:, 0], np.where(drawn < 0, drawn, 5.0))
    assert_allclose(benchbase.solve(method(), problem, b).x, 5.0)


@every_method
@pytest.mark.parametrize("scale", [1e-6, 10.0])
@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[2], SHIFTED[0]])
def test_the_size_of_the_start_is_soon_forgotten(
    method: Method, pooling: dict[str, Any], scale: float
) -> None:
    problem = make(pooling, 8, 60)
    _, b = signals(problem, 10)
    start = scale * np.random.default_rng(2).standard_normal((10, 8))
    converged = benchbase.solve(method(init=starting_at(start)), problem, b).converged
    assert converged is not None
    assert converged.mean() >= 0.8


@every_method
@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[1]])
def test_what_the_frame_does_not_see_is_kept(method: Method, pooling: dict[str, Any]) -> None:
    problem = make(pooling, 20, 6)
    x, b = signals(problem, 10)
    start = np.random.default_rng(5).standard_normal((10, 20))
    start[::3] = x[::3]  # they leave the batch at once
    recovery = benchbase.solve(method(init=starting_at(start)), problem, b)
    assert_array_equal(recovery.converged, True)
    assert_array_equal(recovery.x[::3], x[::3])
    rows = problem.frame.dense().reshape(-1, 20)
    change = recovery.x - start
    assert np.linalg.norm(change, axis=1)[1::3].min() > 0.1
    assert_allclose(change @ np.linalg.pinv(rows) @ rows, change, atol=1e-10)


# Rules


@every_method
def test_problems_that_it_does_not_apply_to(method: Method) -> None:
    vectors = np.ones((3, 2, 4))
    linear, rectified = (benchbase.build("pooling", spec) for spec in (NORMS[1], RECTIFIED[1]))
    assert "complex" in str(method().unsupported(Problem(DenseFrame(vectors * 1j), linear)))
    assert method().unsupported(Problem(Implicit(vectors), rectified)) is None
    init = benchbase.build("solver", {"name": "knn"})
    assert "training" in str(method(init=init).unsupported(make(NORMS[1], 8, 14)))


@every_method
@pytest.mark.parametrize(
    "wrong",
    [{"n_iter": -1}, *({"beta": beta} for beta in (0.0, -0.5, 2.1, np.inf, np.nan))],
)
def test_parameters_out_of_range(method: Method, wrong: dict[str, Any]) -> None:
    with pytest.raises(benchbase.ParameterError) as error:
        method(**wrong)
    assert error.value.parameter in wrong


def test_the_largest_relaxations() -> None:
    assert (RRR(beta=2.0).beta, HIO(beta=2.0).beta, RAAR(beta=1.0).beta) == (2, 2, 1)
    with pytest.raises(benchbase.ParameterError, match="beta must be above 0 and at most 1, not"):
        RAAR(beta=1.01)


@every_method
def test_it_keeps_the_rules_of_solvers(method: Method) -> None:
    solver = benchbase.build("solver", {"name": method.name})
    assert type(solver) is method
    check_solver(solver)
    check_solver(solver, make(RECTIFIED[1], 8, 40))
