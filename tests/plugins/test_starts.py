"""Spectral and linear starts."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import norm

import benchbase
from benchbase import Array, DenseFrame, Pooling, Problem, Solver, squared_cosine
from benchbase.conformance import check_solver
from benchbase_starts.linear import LinearStart
from benchbase_starts.moments import ConditionalMoments, conditional_moments
from benchbase_starts.spectral import SpectralStart, Weights
from tests.plugins.problems import Implicit, lp

ALL = get_args(Weights)
WEIGHTS = pytest.mark.parametrize("weights", ALL)
VALUES = np.array([0.05, 0.3, 0.8, 1.3, 2.0, 2.9])


def pose(
    n: int, n_pools: int, pooling: Pooling, *, pool_size: int = 2, size: int = 30, seed: int = 0
) -> tuple[Problem, Array, Array]:
    rng = np.random.default_rng([n, n_pools, pool_size, seed])
    spec = {"name": "gaussian", "n_pools": n_pools, "pool_size": pool_size}
    frame = benchbase.build("frame", spec).build(n, None, rng)
    problem = Problem(frame, pooling)
    x = rng.standard_normal((size, n))
    return problem, x, problem.measure(x)


def start_of(pooling: Pooling) -> Solver:
    return SpectralStart() if pooling.even else LinearStart()


def below(b: Array) -> tuple[Array, Array]:
    """E[z | z < b] and E[z² | z < b]."""
    ratio = norm.pdf(b) / norm.cdf(b)
    return -ratio, 1 - b * ratio


@pytest.mark.parametrize("pool_size", [1, 2, 3, 7])
def test_moments_of_p_2_are_exact(pool_size: int) -> None:
    moments = ConditionalMoments(lp(2), 10, pool_size)
    grid = (pool_size**0.5 + 6) * np.arange(1, 201) / 200
    assert_allclose(moments.second(grid), grid**2 / pool_size, rtol=1e-9)
    assert_allclose(moments.mean_square, pool_size, rtol=1e-9)


@pytest.mark.parametrize("pool_size", [2, 3, 5])
def test_moments_of_p_inf(pool_size: int) -> None:
    # One member is ±b, the others are below it.
    b = VALUES + 0.3
    inside = 1 - 2 * b * norm.pdf(b) / (2 * norm.cdf(b) - 1)
    expected = (b**2 + (pool_size - 1) * inside) / pool_size
    moments = ConditionalMoments(lp(np.inf), 50, pool_size)
    assert_allclose(moments.second(b), expected, rtol=0.01)
    mean_square = quad(lambda t: 2 * t * (1 - (2 * norm.cdf(t) - 1) ** pool_size), 0, 12)[0]
    assert_allclose(moments.mean_square, mean_square, rtol=0.01)


def test_moments_of_p_1() -> None:
    def mean_square(b: float) -> float:
        def weight(t: float) -> float:
            return float(np.exp(-(t**2 + (b - t) ** 2) / 2))

        total = quad(lambda t: (t**2 + (b - t) ** 2) / 2 * weight(t), 0, b)[0]
        return float(total / quad(weight, 0, b)[0])

    moments = ConditionalMoments(lp(1), 50, 2)
    expected = [mean_square(b) for b in VALUES]
    assert_allclose(moments.second(VALUES), expected, rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("pool_size", [1, 2, 4])
def test_moments_of_the_largest(pool_size: int) -> None:
    # Of maxout and, where the largest is positive, of half rectification with p = inf.
    b = np.concatenate((-VALUES[:3], VALUES))
    first, second = below(b)
    first = (b + (pool_size - 1) * first) / pool_size
    second = (b**2 + (pool_size - 1) * second) / pool_size
    signed = ConditionalMoments(benchbase.build("pooling", {"name": "maxout"}), 50, pool_size)
    assert_allclose(signed.first(b), first, atol=0.02)
    assert_allclose(signed.second(b), second, rtol=0.05, atol=1e-3)
    rectified = ConditionalMoments(lp(np.inf, rectified=True), 50, pool_size)
    assert_allclose(rectified.first(b)[3:], first[3:], atol=0.02)
    assert_allclose(rectified.second(b)[3:], second[3:], rtol=0.05, atol=1e-3)
    assert_allclose(rectified.first(np.zeros(1)), -((2 / np.pi) ** 0.5), rtol=0.03)
    assert_allclose(rectified.second(np.zeros(1)), 1)


@pytest.mark.parametrize("p", [1, 2])
def test_moments_of_half_rectified_pairs(p: float) -> None:
    z = np.random.default_rng(7).standard_normal((2, 1_000_000))
    value = np.linalg.norm(np.maximum(z, 0), p, axis=0)
    moments = ConditionalMoments(lp(p, rectified=True), 40, 2)
    for b in VALUES[1:-1]:
        near = np.abs(value - b) < 0.02
        assert_allclose(moments.first(b), z[:, near].mean(), atol=0.03)
        assert_allclose(moments.second(b), (z[:, near] ** 2).mean(), atol=0.04)


def test_equal_poolings_share_their_moments() -> None:
    kept = conditional_moments(lp(np.inf), 20, 2)
    assert conditional_moments(lp(np.inf), 20, 2) is kept
    for pooling, sizes in [(lp(np.inf), (20, 2)), (lp(1), (20, 2)), (lp(np.inf), (21, 2))]:
        found, made = conditional_moments(pooling, *sizes), ConditionalMoments(pooling, *sizes)
        assert_array_equal(found.second(VALUES), made.second(VALUES))
        assert found.mean_square == made.mean_square


POOLINGS = pytest.mark.parametrize(
    "pooling",
    [lp(1), lp(2), lp(np.inf), lp(1, rectified=True), lp(np.inf, rectified=True)],
    ids=str,
)


@POOLINGS
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32), frame_unit=st.floats(-9, 9), unit=st.floats(-9, 9))
def test_units_do_not_matter(pooling: Pooling, seed: int, frame_unit: float, unit: float) -> None:
    problem, _, b = pose(6, 12, pooling, size=3, seed=seed)
    x = benchbase.solve(start_of(pooling), problem, b).x
    assert_allclose(np.linalg.norm(problem.measure(x), axis=1), np.linalg.norm(b, axis=1))
    other = Problem(DenseFrame(problem.frame.dense() * 10**frame_unit), pooling)
    again = benchbase.solve(start_of(pooling), other, b * 10**unit).x * 10 ** (frame_unit - unit)
    assert (1 - squared_cosine(again, x) < 1e-9).all()
    assert_allclose(np.linalg.norm(again, axis=1), np.linalg.norm(x, axis=1), rtol=1e-6)


@POOLINGS
def test_a_pool_may_have_units_of_its_own(pooling: Pooling) -> None:
    problem, _, b = pose(6, 12, pooling)
    units = np.random.default_rng(3).uniform(0.1, 9, 12)
    other = Problem(DenseFrame(problem.frame.dense() * units[:, None, None]), pooling)
    x = benchbase.solve(start_of(pooling), problem, b).x
    again = benchbase.solve(start_of(pooling), other, b * units).x
    assert (1 - squared_cosine(again, x) < 1e-9).all()


def literal(weights: str, b: Array) -> Array:
    """T(b) of the papers, of one signal, in units of the root mean square of b."""
    K = len(b)
    largest = sorted(range(K), key=lambda k: -b[k])
    weight = np.zeros(K)
    for place, k in enumerate(largest):
        if weights == "optimal":  # of p = 2: E[z²|b] is b² over the mean of b²
            weight[k] = max(1 - 1 / b[k] ** 2, -3)
        elif weights == "plain" or (weights == "truncated" and b[k] ** 2 <= 9):
            weight[k] = b[k] ** 2
        elif weights == "amplitude" and 1 < b[k] < 5:
            weight[k] = b[k]
        elif weights == "weighted" and place < int(3 * K / 13):
            weight[k] = b[k] ** 0.5
        elif weights == "orthogonality-promoting" and place < int(np.ceil(K / 6)):
            weight[k] = 1
        elif weights == "null" and place >= K // 2:
            weight[k] = -1
    return weight


@WEIGHTS
@pytest.mark.parametrize("pool_size", [1, 2])
def test_the_spectral_start_is_the_leading_eigenvector(weights: Any, pool_size: int) -> None:
    vectors = np.random.default_rng(0).standard_normal((25, pool_size, 6))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    problem = Problem(DenseFrame(vectors), lp(2))
    x = np.random.default_rng(1).standard_normal((5, 6))
    b = problem.measure(x)
    b[0, 3] *= 20  # what truncation cuts off
    found = benchbase.solve(SpectralStart(weights=weights), problem, b).x
    for each, values in zip(found, b / np.sqrt(np.mean(b**2, axis=1, keepdims=True)), strict=True):
        matrix = np.einsum("k,kli,klj->ij", literal(weights, values), vectors, vectors)
        leading = np.linalg.eigh(matrix)[1][:, -1]
        assert squared_cosine(each, leading) > 1 - 1e-4


@pytest.mark.parametrize("p", [1, 2, np.inf])
@pytest.mark.parametrize("pool_size", [1, 2, 4])
def test_all_weights_know_something(p: float, pool_size: int) -> None:
    problem, x, b = pose(10, 60, lp(p), pool_size=pool_size, size=50)
    for weights in ALL:
        found = benchbase.solve(SpectralStart(weights=weights), problem, b).x
        assert squared_cosine(found, x).mean() > 0.5, weights  # a direction at random has .1


@WEIGHTS
def test_weights_do_not_depend_on_units_and_pools_without_vectors(weights: Any) -> None:
    problem, _, b = pose(6, 14, lp(2))
    x = benchbase.solve(SpectralStart(weights=weights), problem, b).x
    units = np.random.default_rng(3).uniform(0.1, 9, 14)
    vectors = problem.frame.dense() * units[:, None, None]
    more = Problem(DenseFrame(np.concatenate((np.zeros((9, 2, 6)), vectors))), lp(2))
    given = np.concatenate((np.zeros((len(b), 9)), b * units), axis=1) * 1e7
    again = benchbase.solve(SpectralStart(weights=weights), more, given).x
    assert (1 - squared_cosine(again, x) < 1e-9).all()


def test_vectors_of_a_tight_frame_make_null_and_the_larger_half_one() -> None:
    angles = np.pi * np.arange(8) / 8
    vectors = np.stack((np.cos(angles), np.sin(angles)), axis=1)[:, None]
    problem = Problem(DenseFrame(vectors), lp(2))
    x = np.random.default_rng(0).standard_normal((10, 2))
    b = problem.measure(x)
    found = benchbase.solve(SpectralStart(weights="null"), problem, b).x
    for each, values in zip(found, b, strict=True):
        larger = vectors[np.argsort(values)[4:], 0]
        assert squared_cosine(each, np.linalg.eigh(larger.T @ larger)[1][:, -1]) > 1 - 1e-9


@WEIGHTS
def test_few_pools(weights: Any) -> None:
    for n_pools in (1, 2, 3):
        problem, _, b = pose(4, n_pools, lp(2), size=3)
        b[0] = 0
        found = benchbase.solve(SpectralStart(weights=weights), problem, b).x
        assert np.isfinite(found).all()
        assert_array_equal(found[0], 0)
        if weights != "null":  # which of one pool or two sees what is orthogonal to it
            assert found[1:].any(axis=1).all()


def test_the_linear_start_of_pools_of_one() -> None:
    vectors = np.random.default_rng(0).standard_normal((20, 1, 5))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    problem = Problem(DenseFrame(vectors), lp(2, rectified=True))
    b = problem.measure(np.random.default_rng(1).standard_normal((4, 5)))
    found = benchbase.solve(LinearStart(), problem, b).x
    # Of one coefficient b is the value, or zero says that it is negative.
    z = b / np.sqrt(2 * np.mean(b**2, axis=1, keepdims=True))
    mean = np.where(b > 0, z, -((2 / np.pi) ** 0.5))
    weight = np.where(b > 0, 1 / 0.01, 1 / (1 - 2 / np.pi))
    rows = vectors[:, 0]
    for each, w, m in zip(found, weight, mean, strict=True):
        expected = np.linalg.solve(np.eye(5) + (rows.T * w) @ rows, rows.T @ (w * m))
        assert squared_cosine(each, expected) > 1 - 1e-4
        assert each @ expected > 0


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_optimal_weights_are_better(p: float) -> None:
    problem, x, b = pose(20, 50, lp(p), size=100)
    plain, optimal = (
        squared_cosine(benchbase.solve(SpectralStart(weights=w), problem, b).x, x).mean()
        for w in ("plain", "optimal")
    )
    assert plain > 0.2
    assert optimal > max(0.7, plain + 0.2)


@POOLINGS
def test_altmin_recovers_from_them(pooling: Pooling) -> None:
    problem, x, b = pose(10, 30, pooling, size=50)
    solver = replace(benchbase.build("solver", {"name": "altmin"}), init=start_of(pooling))
    found = benchbase.solve(solver, problem, b).x
    assert (squared_cosine(found, x) > 0.999).mean() >= 0.96


def test_the_linear_start_has_the_sign() -> None:
    pooling = benchbase.build("pooling", {"name": "maxout"})
    for each in (pooling, lp(2, rectified=True)):
        problem, x, b = pose(10, 60, each)
        found = benchbase.solve(LinearStart(), problem, b).x
        assert (np.sum(found * x, axis=1) > 0).all()
        assert squared_cosine(found, x).mean() > 0.75


@POOLINGS
def test_zero_measurements(pooling: Pooling) -> None:
    problem, _, b = pose(6, 12, pooling, size=3)
    b[1] = 0
    found = benchbase.solve(start_of(pooling), problem, b).x
    assert_array_equal(found[1], 0)
    assert (found[[0, 2]] != 0).any(axis=1).all()


def test_vectors_of_length_zero() -> None:
    problem, x, _ = pose(4, 20, lp(2))
    vectors = np.array(problem.frame.dense())
    vectors[3] = 0
    zeros = Problem(DenseFrame(vectors), lp(2))
    without = Problem(DenseFrame(np.delete(vectors, 3, axis=0)), lp(2))
    found = benchbase.solve(SpectralStart(), zeros, zeros.measure(x)).x
    expected = benchbase.solve(SpectralStart(), without, without.measure(x)).x
    assert (1 - squared_cosine(found, expected) < 1e-9).all()


@pytest.mark.parametrize("pooling", [lp(2), lp(2, rectified=True)])
def test_what_they_do_not_apply_to(pooling: Pooling) -> None:
    problem, _, _ = pose(4, 8, pooling)
    solver = start_of(pooling)
    other = LinearStart() if pooling.even else SpectralStart()
    vectors = problem.frame.dense()
    assert solver.unsupported(problem) is None
    assert "sign" in str(other.unsupported(problem))
    assert "complex" in str(solver.unsupported(Problem(DenseFrame(1j * vectors), pooling)))
    assert "vectors" in str(solver.unsupported(Problem(Implicit(vectors), pooling)))


def test_thresholds_are_not_supported() -> None:
    problem, _, _ = pose(4, 8, lp(2, rectified=True, threshold=0.1))
    assert "P(t c) = t P(c)" in str(LinearStart().unsupported(problem))
    zeros = Problem(problem.frame, lp(2, rectified=True, threshold=(0.0,) * 16))
    assert LinearStart().unsupported(zeros) is None
    assert benchbase.solve(LinearStart(), zeros, np.ones(8)).x.any()


@WEIGHTS
def test_spectral_keeps_the_rules_of_solvers(weights: Any) -> None:
    check_solver(SpectralStart(weights=weights))


def test_linear_keeps_the_rules_of_solvers() -> None:
    check_solver(LinearStart(), pose(5, 30, lp(1, rectified=True))[0])
