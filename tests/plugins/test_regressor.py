from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.gaussian_process.kernels import RBF

import benchbase
from benchbase import Array, DenseFrame, Problem, squared_cosine
from benchbase.conformance import check_solver


def positive(size: int, n: int = 6, seed: int = 0) -> Array:
    """Return signals near a cone, as images are."""
    rng = np.random.default_rng([seed, 5])
    return (1 + 0.5 * rng.standard_normal((size, n))).astype(np.float32)


def problem_of(training: Array | None, **pooling: Any) -> Problem:
    frame = DenseFrame(np.random.default_rng(0).standard_normal((15, 2, 6)))
    return Problem(frame, benchbase.build("pooling", {"name": "lp"} | pooling), training)


def build(**parameters: Any) -> Any:
    return benchbase.build("solver", {"name": "regressor"} | parameters)


@pytest.mark.parametrize("pooling", [{}, {"p": "inf", "rectified": True}])
def test_it_learns_and_more_samples_are_better(pooling: dict[str, Any]) -> None:
    truth = positive(200, seed=1).astype(np.float64)
    problem = problem_of(positive(1500), **pooling)
    b = problem.measure(truth)
    few, many = (
        squared_cosine(benchbase.solve(build(samples=s), problem, b).x, truth).mean()
        for s in (100, 1500)
    )
    mean = squared_cosine(np.ones(6), truth).mean()
    assert many > few > mean
    assert 1 - many < (1 - mean) / 4


def test_with_every_sample_a_landmark_it_is_kernel_ridge_regression() -> None:
    training, b_ridge = positive(80), 0.01
    problem = problem_of(training, rectified=True)  # no sign to choose
    measured = problem.measure(training.astype(np.float64))
    b = problem.measure(positive(5, seed=1).astype(np.float64))
    found = benchbase.solve(build(ridge=b_ridge), problem, b).x
    scale = np.abs(measured).max()
    rows = measured / scale
    square = np.sum((rows[:40, None] - rows[None, 40:]) ** 2, axis=-1)
    kernel = RBF(np.sqrt(np.median(square) / 2))
    mean = training.mean(axis=0)
    # Ridge fits an intercept: centre features in feature space, as it does.
    centre = np.eye(80) - 1 / 80
    gram, cross = kernel(rows), kernel(b / scale, rows)
    inner = centre @ gram @ centre
    weights = np.linalg.solve(inner + b_ridge * np.eye(80), centre @ (training - mean))
    wanted = mean + (cross - gram.mean(axis=0)) @ centre @ weights
    assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_signs_of_training_signals_do_not_matter_where_they_are_lost() -> None:
    training = positive(500)
    signs = np.where(np.random.default_rng(2).random(500) < 0.5, -1, 1)[:, None]
    problem = problem_of(training)
    b = problem.measure(positive(5, seed=1).astype(np.float64))
    x = benchbase.solve(build(), problem, b).x
    flipped = replace(problem, training=(signs * training).astype(np.float32))
    other = benchbase.solve(build(), flipped, b).x
    assert_allclose(np.abs(other), np.abs(x), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_units_do_not_matter(scale: float) -> None:
    problem = problem_of(positive(300))
    b = problem.measure(positive(5, seed=1).astype(np.float64))
    x = benchbase.solve(build(), problem, b).x
    scaled = replace(problem, training=positive(300) * scale)
    assert_allclose(benchbase.solve(build(), scaled, b * scale).x / scale, x, rtol=1e-5, atol=1e-6)


def test_it_conforms_and_takes_degenerate_input() -> None:
    problem = problem_of(positive(100))
    check_solver(build(), problem)
    for training in (np.zeros((9, 6), np.float32), positive(1)):
        x = benchbase.solve(build(), replace(problem, training=training), np.ones((2, 15))).x
        assert np.isfinite(x).all()
    assert benchbase.solve(build(), problem, np.ones((0, 15))).x.shape == (0, 6)
    reason = build().unsupported(replace(problem, training=None))
    assert reason == "needs training signals"


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"landmarks": 0}, "landmarks: must be at least 1"),
        ({"samples": 0}, "samples: must be at least 1"),
        ({"ridge": 0.0}, "ridge: must be finite and above 0"),
    ],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(benchbase.SpecError, match=told):
        build(**parameters)
