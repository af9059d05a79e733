from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Problem
from benchbase_reports.cramer_rao import cramer_rao, jacobian

Array = npt.NDArray[Any]
POOLINGS: list[dict[str, Any]] = [
    {"p": 2},
    {"p": 1},
    {"p": np.inf},
    {"p": 2, "rectified": True},
    {"p": 1, "rectified": True, "threshold": 0.3},
    {"p": np.inf, "rectified": True},
]


def problem_of(pooling: dict[str, Any], shape: tuple[int, int, int] = (12, 2, 4)) -> Problem:
    vectors = np.random.default_rng(0).standard_normal(shape)
    return Problem(
        benchbase.DenseFrame(vectors), benchbase.build("pooling", {"name": "lp"} | pooling)
    )


def signals(n: int = 4, size: int = 3) -> Array:
    return np.random.default_rng(1).standard_normal((size, n))


def gradients(problem: Problem, x: Array) -> Array:
    """Return the Jacobian of an lp pooling in closed form, pool by pool."""
    pooling: Any = problem.pooling
    rows = []
    for vectors in problem.frame.dense():
        u = x @ vectors.T - pooling.threshold
        u = np.maximum(u, 0) if pooling.rectified else u
        if pooling.p == 2:
            size = np.linalg.norm(u, axis=1, keepdims=True)
            outer = u / np.where(size > 0, size, 1)
        elif pooling.p == 1:
            outer = np.sign(u)
        else:
            largest = np.arange(u.shape[1]) == np.abs(u).argmax(axis=1)[:, None]
            outer = np.where(largest, np.sign(u), 0)
        rows.append(outer @ vectors)
    return np.stack(rows, axis=1)


@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
def test_the_jacobian_is_that_of_the_closed_form(pooling: dict[str, Any]) -> None:
    problem, x = problem_of(pooling), signals()
    np.testing.assert_allclose(jacobian(problem, x), gradients(problem, x), atol=1e-7)


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
def test_the_jacobian_has_no_unit(scale: float) -> None:
    problem, x = problem_of({"p": 2}), signals()
    np.testing.assert_allclose(jacobian(problem, scale * x), jacobian(problem, x), atol=1e-7)


@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
def test_the_bound_is_the_trace_of_the_inverse_information(pooling: dict[str, Any]) -> None:
    problem, x, sigma = problem_of(pooling, (30, 2, 4)), signals(), np.array([0.1, 1.0, 2.0])
    found = cramer_rao(problem, x, sigma)
    for signal, own, s in zip(found, gradients(problem, x), sigma, strict=True):
        assert signal == pytest.approx(s * np.sqrt(np.trace(np.linalg.inv(own.T @ own))), rel=1e-5)


def test_of_single_coefficients_it_is_that_of_least_squares() -> None:
    """Pools of one are linear near a signal; the bound of an orthonormal basis is σ √n."""
    basis = np.linalg.qr(np.random.default_rng(2).standard_normal((5, 5)))[0]
    frame = benchbase.DenseFrame(basis[:, None, :])
    problem = Problem(frame, benchbase.build("pooling", {"name": "lp", "p": 2}))
    found = cramer_rao(problem, signals(5), 0.3)
    np.testing.assert_allclose(found, 0.3 * np.sqrt(5), rtol=1e-6)


@settings(max_examples=10)
@given(power=st.integers(-50, 50))
def test_it_has_the_unit_of_the_noise(power: int) -> None:
    problem, x = problem_of({"p": 1}), signals()
    once, scaled = (cramer_rao(problem, x, s) for s in (1.0, 10.0**power))
    np.testing.assert_allclose(scaled, once * 10.0**power)


def test_least_squares_from_the_truth_comes_near_it() -> None:
    """Gauss-Newton from the signal, small noise: the root mean square error is the bound."""
    problem, x = problem_of({"p": 2}, (30, 2, 4)), signals(size=1)
    rng, sigma = np.random.default_rng(3), 1e-4
    b = problem.measure(x) + sigma * rng.standard_normal((4000, 30))
    estimate = np.repeat(x, len(b), axis=0)
    for _ in range(3):
        step = (
            np.linalg.pinv(jacobian(problem, estimate)) @ (b - problem.measure(estimate))[..., None]
        )
        estimate = estimate + step[..., 0]
    error = np.sqrt(np.mean(np.sum((estimate - x) ** 2, axis=1)))
    assert error == pytest.approx(cramer_rao(problem, x, sigma)[0], rel=0.03)


def test_without_rank_there_is_no_finite_bound() -> None:
    x = signals()
    assert np.isinf(cramer_rao(problem_of({"p": 2}, (3, 2, 4)), x, 1.0)).all()  # K < n
    problem = problem_of({"p": 2, "rectified": True})
    inactive = -problem.frame.dense()[:, :1]  # pools that see nothing of one signal only
    frame = benchbase.DenseFrame(np.where((inactive @ x[0] > 0)[..., None], -inactive, inactive))
    bound = cramer_rao(Problem(frame, problem.pooling), x, 1.0)
    assert np.isinf(bound[0])
    unseen = np.full(4, 0.5)  # a direction
    dense = problem_of({"p": 2}).frame.dense()
    flat = dense - (dense @ unseen)[..., None] * unseen
    assert np.isinf(cramer_rao(Problem(benchbase.DenseFrame(flat), problem.pooling), x, 1.0)).all()


def test_a_signal_of_zeros_and_no_signals() -> None:
    problem = problem_of({"p": 2})
    assert np.isinf(cramer_rao(problem, np.zeros((2, 4)), 1.0)).all()
    assert cramer_rao(problem, np.zeros((0, 4)), 1.0).shape == (0,)


def test_complex_frames_have_none() -> None:
    frame = benchbase.DenseFrame(problem_of({"p": 2}).frame.dense() + 1j)
    problem = Problem(frame, benchbase.build("pooling", {"name": "lp", "p": 2}))
    assert np.isnan(cramer_rao(problem, signals(), 1.0)).all()
