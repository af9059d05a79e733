"""State evolution against what is known, and against message passing itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

import benchbase
from benchbase import DenseFrame, Pooling, Problem
from benchbase_gamp.gamp import Gamp
from benchbase_gamp.linear import Message
from benchbase_gamp.model import Model
from benchbase_gamp.state_evolution import ratios, state_evolution, threshold
from tests.plugins.problems import lp

PS = (1.0, 2.0, np.inf)


@pytest.fixture(autouse=True)
def fewer_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take an eighth of the points: the tolerances here are met all the same."""
    monkeypatch.setattr("benchbase_gamp.state_evolution.POINTS", 2**12)


def test_phase_retrieval() -> None:
    """Barbier et al. (2019): an estimate begins to grow at 1/2, and is perfect from 1.13 on."""
    pooling = lp(2.0)
    assert_allclose(ratios(pooling, 1, np.array([0.999])), 0.5, atol=0.005)
    assert_allclose(threshold(pooling, 1), 1.128, atol=0.004)
    assert_allclose(ratios(pooling, 1, np.array([1e-8])), 1, atol=1e-3)
    assert state_evolution(pooling, 1, 1.2, n_iter=300)[-1] < 1e-8
    assert state_evolution(pooling, 1, 1.08, n_iter=300)[-1] > 0.01
    assert state_evolution(pooling, 1, 0.45, start=0.8, n_iter=300)[-1] > 0.95


def test_phase_retrieval_by_an_integral() -> None:
    grid = np.linspace(-7, 7, 701)
    weight = norm.pdf(grid) / norm.pdf(grid).sum()
    for v in (0.05, 0.3, 0.7):
        p = (1 - v) ** 0.5 * grid[:, None]
        z = p + v**0.5 * grid
        tanh = np.tanh(z * p / v)
        variance = weight @ (z**2 * (1 - tanh**2)) @ weight
        expected = (1 - v) / (1 - variance / v)
        assert_allclose(ratios(lp(2.0), 1, np.array([v])), expected, rtol=0.005)


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize(("pool_size", "expected"), [(1, 2.0), (2, 4 / 3)])
def test_half_rectified_pools_must_be_active_as_often_as_there_are_dimensions(
    p: float, pool_size: int, expected: float
) -> None:
    found = ratios(lp(p, rectified=True), pool_size, np.array([1e-9, 1e-6, 0.01, 0.3]))
    assert_allclose(found[0], expected, rtol=0.003)
    assert (np.diff(found) < 0).all() or p == 2.0
    assert found.max() == found[0]


def test_half_rectification_has_the_threshold_of_counting() -> None:
    assert_allclose(threshold(lp(np.inf, rectified=True), 2), 4 / 3, rtol=0.003)


def test_thresholds_of_pairs() -> None:
    one, two, largest = (threshold(lp(p), 2) for p in PS)
    assert_allclose(one, largest, rtol=0.003)  # one law, turned
    assert 1 < two < 1.03 < largest < 1.07 < threshold(lp(2.0), 1)
    assert_allclose(threshold(lp(2.0), 6), 1, atol=1e-3)
    assert 1 <= threshold(benchbase.build("pooling", {"name": "maxout"}), 2) < 1.02


def test_a_shift_of_half_rectified_coefficients() -> None:
    low, none, high = (
        threshold(lp(np.inf, rectified=True, threshold=a), 2) for a in (-0.5, 0.0, 0.5)
    )
    assert low < none < high
    assert_allclose(high, 1 / (1 - norm.cdf(0.5) ** 2), rtol=0.005)


def test_a_better_start_needs_no_more() -> None:
    pooling = lp(2.0)
    found = [threshold(pooling, 1, start) for start in (1.0, 0.5, 0.1, 0.01)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 1.06


def test_the_recursion_falls_where_the_ratio_is_above_the_curve() -> None:
    pooling, variances = lp(np.inf), np.array([0.8, 0.4, 0.1])
    for v, ratio in zip(variances, ratios(pooling, 2, variances), strict=True):
        above, below = (state_evolution(pooling, 2, f * ratio, v, 1)[1] for f in (1.05, 0.95))
        assert above < v < below


@pytest.mark.parametrize("pooling", [lp(1.0), lp(2.0), lp(np.inf), lp(2.0, rectified=True)])
@pytest.mark.parametrize("v", [0.6, 0.2])
def test_message_passing_stands_still_where_it_says(pooling: Pooling, v: float) -> None:
    n, size = 500, 20
    rng = np.random.default_rng(1)
    ratio = float(ratios(pooling, 2, np.array([v]))[0])
    frame = DenseFrame(rng.standard_normal((round(ratio * n), 2, n)))
    model = Model(Problem(frame, pooling))
    known = (1 - v) ** 0.5 * rng.standard_normal((size, n))
    x = known + v**0.5 * rng.standard_normal((size, n))
    measured, sigma = model.measured(pooling(frame.analyse(x)))
    assert_allclose(sigma.mean(), 1, atol=0.03)
    unit = sigma[:, None]
    before = Message(model.analyse(known / unit), v / unit**2)
    after, _ = model.linear(model.pools(before, measured))
    error = np.mean((unit * after.mean - model.analyse(x)) ** 2)
    assert_allclose(error, v, rtol=0.05)
    assert_allclose(np.mean(unit**2 * after.variance), error, rtol=0.05)


def test_what_is_not_supported() -> None:
    with pytest.raises(benchbase.ParameterError, match="one threshold"):
        threshold(lp(2.0, rectified=True, threshold=(0.0, 1.0)), 2)
    with pytest.raises(benchbase.ParameterError, match="at most two"):
        ratios(lp(1.0), 3, np.array([0.5]))
    for start in (0.0, 1.5, np.nan):
        with pytest.raises(benchbase.ParameterError, match="start"):
            threshold(lp(2.0), 2, start)


def test_solvers_tell_reports_the_threshold() -> None:
    assert Gamp().transition(lp(np.inf, rectified=True), 2) == pytest.approx(4 / 3, rel=0.003)
    assert Gamp().transition(lp(1.0), 3) is None
    shifted = benchbase.build("pooling", {"name": "lp", "rectified": True, "threshold": 0.2})
    assert Gamp().transition(shifted, 2) is None
