"""Nearest neighbours in measurement space, and the mean training signal."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.conformance import check_solver
from benchbase_knn import index
from benchbase_knn.index import Index
from benchbase_knn.knn import NearestNeighbours
from benchbase_knn.mean import Mean

NORMS = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
SHIFTED = [norm | {"threshold": 0.5} for norm in RECTIFIED]
POOLINGS = [*NORMS, *RECTIFIED, *SHIFTED, {"name": "maxout"}]


def make(
    pooling: dict[str, Any], size: int = 60, n: int = 6, n_pools: int = 15, seed: int = 0
) -> Problem:
    rng = np.random.default_rng(seed)
    training = (rng.standard_normal((size, n)) * rng.exponential(size=n)).astype(np.float32)
    training.flags.writeable = False
    frame = DenseFrame(rng.standard_normal((n_pools, 2, n)))
    return Problem(frame, benchbase.build("pooling", pooling), training)


def training_of(problem: Problem) -> Array:
    assert problem.training is not None
    return problem.training.astype(np.float64)


def queries(problem: Problem, size: int = 5, seed: int = 9) -> Array:
    x = np.random.default_rng(seed).standard_normal((size, problem.frame.n))
    b = problem.measure(x)
    b.flags.writeable = False
    return b


def brute_force(problem: Problem, b: Array, q: int) -> Array:
    """The q nearest of each query, by all distances."""
    gap = problem.measure(training_of(problem))[None] - b[:, None]
    return np.argsort((gap**2).sum(axis=-1), axis=1, kind="stable")[:, :q]


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 80),
    share=st.floats(0, 1),
    pooling=st.sampled_from(NORMS),
    seed=st.integers(0, 2**32),
)
def test_the_principal_component_of_the_nearest(
    size: int, share: float, pooling: dict[str, Any], seed: int
) -> None:
    q = max(1, round(share * size))
    problem = make(pooling, size, seed=seed)
    b = queries(problem)
    found = benchbase.solve(NearestNeighbours(q=q), problem, b).x
    for x, values, near in zip(found, b, brute_force(problem, b, q), strict=True):
        neighbours = training_of(problem)[near]
        leading = np.linalg.eigh(neighbours.T @ neighbours)[1][:, -1]
        measured = problem.measure(leading)
        scale = np.linalg.lstsq(measured[:, None], values, rcond=None)[0]
        assert benchbase.relative_error(x, leading * scale, "sign") < 1e-8


@settings(max_examples=30, deadline=None)
@given(size=st.integers(4, 200), spread=st.sampled_from([0, 1e-9, 1e-7, 1e-6, 1e-4, 1.0]))
def test_neighbours_are_exact_where_float32_cannot_tell_them_apart(
    size: int, spread: float
) -> None:
    problem = make(NORMS[1], 2)
    rng = np.random.default_rng(size)
    close = rng.standard_normal(6) + spread * rng.standard_normal((size, 6))
    problem = Problem(problem.frame, problem.pooling, close)
    b = problem.measure(close[:4] * (1 + 1e-3 * spread))
    np.testing.assert_array_equal(Index(problem).nearest(b, 3), brute_force(problem, b, 3))


def test_few_queries_are_answered_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make(NORMS[1], 2000, n=12)
    monkeypatch.setattr(Index, "_scan", None)
    b = queries(problem, 50)
    np.testing.assert_array_equal(Index(problem).nearest(b, 10), brute_force(problem, b, 10))


@pytest.mark.parametrize("solver", [NearestNeighbours(q=4), Mean()])
def test_blocks_change_nothing(solver: benchbase.Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make(RECTIFIED[1])
    b = queries(problem, 20)
    whole = benchbase.solve(solver, problem, b).x
    monkeypatch.setattr(index, "ENTRIES", 200)
    np.testing.assert_allclose(benchbase.solve(solver, problem, b).x, whole, rtol=1e-12)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_training_signal_is_found_again(pooling: dict[str, Any]) -> None:
    problem = make(pooling)
    x = training_of(problem)[10:15]
    found = benchbase.solve(NearestNeighbours(q=1), problem, problem.measure(x)).x
    assert benchbase.relative_error(found, x, problem.ambiguity).max() < 1e-6


@pytest.mark.parametrize("solver", [NearestNeighbours(q=5), Mean()])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_scale_and_sign_are_the_best(pooling: dict[str, Any], solver: benchbase.Solver) -> None:
    problem = make(pooling)
    b = queries(problem, 8)
    x = benchbase.solve(solver, problem, b).x
    direction = x / np.linalg.norm(x, axis=1, keepdims=True)
    grid = np.linspace(-6, 6, 2401)
    gaps = problem.residual(grid[:, None, None] * direction, b)
    assert (problem.residual(x, b) <= gaps.min(axis=0) + 1e-5).all()


@pytest.mark.parametrize("pooling", NORMS)
def test_signs_of_training_signals_do_not_matter(pooling: dict[str, Any]) -> None:
    problem = make(pooling)
    b = queries(problem)
    signs = np.random.default_rng(1).choice([-1, 1], size=(60, 1))
    other = Problem(problem.frame, problem.pooling, training_of(problem) * signs)
    here, there = (benchbase.solve(NearestNeighbours(), each, b).x for each in (problem, other))
    assert benchbase.relative_error(here, there).max() < 1e-6


def test_the_mean_has_the_direction_of_the_mean() -> None:
    problem = make(NORMS[1])
    mean = training_of(problem).mean(axis=0)
    found = benchbase.solve(Mean(), problem, queries(problem)).x
    np.testing.assert_allclose(benchbase.squared_cosine(found, mean), 1.0, rtol=1e-12)


def test_the_mean_of_centred_signals_says_nothing() -> None:
    problem = make(NORMS[1])
    training = training_of(problem).astype(np.float32)
    centred = Problem(problem.frame, problem.pooling, training - training.mean(axis=0))
    assert (benchbase.solve(Mean(), centred, queries(problem)).x == 0).all()


@pytest.mark.parametrize("solver", [NearestNeighbours(q=5), Mean()])
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED])
def test_the_scale_of_everything_is_that_of_the_estimates(
    pooling: dict[str, Any], solver: benchbase.Solver
) -> None:
    problem = make(pooling)
    assert problem.training is not None
    b = queries(problem)
    larger = Problem(problem.frame, problem.pooling, 64 * problem.training)
    expected = 64 * benchbase.solve(solver, problem, b).x
    np.testing.assert_allclose(benchbase.solve(solver, larger, 64 * b).x, expected, rtol=1e-9)


@pytest.mark.parametrize("solver", [NearestNeighbours(q=5), Mean()])
def test_signals_of_zero(solver: benchbase.Solver) -> None:
    problem = make(NORMS[1])
    nothing = Problem(problem.frame, problem.pooling, np.zeros((9, 6), dtype=np.float32))
    assert np.isfinite(benchbase.solve(solver, nothing, queries(problem)).x).all()
    np.testing.assert_array_equal(benchbase.solve(solver, problem, np.zeros((1, 15))).x, 0)


@pytest.mark.parametrize("solver", [NearestNeighbours(q=5), Mean()])
def test_training_signals_may_be_memory_mapped(solver: benchbase.Solver, tmp_path: Path) -> None:
    problem = make(NORMS[1])
    assert problem.training is not None
    np.save(tmp_path / "train.npy", problem.training)
    mapped = np.load(tmp_path / "train.npy", mmap_mode="r")
    b = queries(problem)
    found = benchbase.solve(solver, Problem(problem.frame, problem.pooling, mapped), b).x
    np.testing.assert_array_equal(found, benchbase.solve(solver, problem, b).x)


def test_problems_that_they_do_not_apply_to() -> None:
    problem = make(NORMS[1], 9)
    without = Problem(problem.frame, problem.pooling)
    empty = Problem(problem.frame, problem.pooling, np.zeros((0, 6), dtype=np.float32))
    for solver in (NearestNeighbours(), Mean()):
        assert solver.unsupported(without) == "needs training signals"
        assert solver.unsupported(empty) is not None
    assert (
        NearestNeighbours(q=10).unsupported(problem) == "q = 10 is more than the 9 training signals"
    )
    assert NearestNeighbours(q=9).unsupported(problem) is None


def test_q_must_be_positive() -> None:
    with pytest.raises(benchbase.ParameterError, match="q must be at least 1, not 0"):
        NearestNeighbours(q=0)


@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[1], SHIFTED[1]])
def test_they_keep_the_rules_of_solvers(pooling: dict[str, Any]) -> None:
    check_solver(NearestNeighbours(), make(pooling))
    check_solver(Mean(), make(pooling))
