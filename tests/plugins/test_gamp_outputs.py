"""Posterior moments of pools, as message passing uses them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import erfcx, i0e, i1e
from scipy.stats import truncnorm

import benchbase
from benchbase import Array, Pooling
from benchbase_gamp.circle import mean_length, quarter
from benchbase_gamp.outputs import Output, output_of
from benchbase_gamp.truncated import below, within

PS = (1.0, 2.0, np.inf)
KINDS = [(p, rectified) for rectified in (False, True) for p in PS]
ALL = pytest.mark.parametrize(("p", "rectified"), [*KINDS, (None, False)])
SEEDS = st.integers(0, 2**32)


def pooling_of(p: float | None, rectified: bool, **more: Any) -> Pooling:
    lp = {"name": "lp", "p": p, "rectified": rectified, **more}
    pooling: Pooling = benchbase.build("pooling", {"name": "maxout"} if p is None else lp)
    return pooling


def draw(seed: int, size: int, pool_size: int) -> tuple[Array, Array, Array]:
    """Draw means (1, L, K), a variance (1, 1) and coefficients (1, L, K) from them."""
    rng = np.random.default_rng(seed)
    p = rng.normal(0, 1.5, (1, pool_size, size))
    v = 10.0 ** rng.uniform(-1, 0.5, (1, 1))
    return p, v, p + v**0.5 * rng.standard_normal(p.shape)


def around(pooling: Pooling, p: Array, v: float, b: float) -> tuple[Array, float]:
    """Integrate over the pairs with the value b, by their angles: the mean and the variance.

    With u = r e, P(e) = 1 at r = b the density of angles is that of u times r² / b.
    """
    angle = (np.arange(400_000) + 0.5) * (2 * np.pi / 400_000) - np.pi
    e = np.stack((np.cos(angle), np.sin(angle)))
    value = pooling(e)
    able = value * np.sign(b) > 1e-12
    r = b / value[able]
    u = r * e[:, able]
    log_density = 2 * np.log(np.abs(r)) - np.sum((u - p[:, None]) ** 2, axis=0) / (2 * v)
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    mean = u @ weight
    return mean, float(weight @ np.sum((u - mean[:, None]) ** 2, axis=0) / 2)


@ALL
@settings(max_examples=5)
@given(seed=SEEDS)
def test_moments_of_pairs_are_integrals_over_angles(
    p: float | None, rectified: bool, seed: int
) -> None:
    pooling = pooling_of(p, rectified)
    mean, v, u = draw(seed, 1, 2)
    b = pooling(u)
    if abs(b[0, 0]) < 0.1:
        b[0, 0] = 0.5
    found, variance = Output(p, rectified, 2)(mean, v, b)
    expected, spread = around(pooling, mean[0, :, 0], v[0, 0], b[0, 0])
    assert_allclose(found[0, :, 0], expected, atol=2e-3 if p is None else 1e-5)
    assert_allclose(variance[0, 0], spread, rtol=5e-3 if p is None else 1e-3, atol=1e-8)


@pytest.mark.parametrize(
    ("p", "rectified", "pool_size"),
    [(2.0, False, 3), (2.0, False, 5), (np.inf, False, 3), (np.inf, True, 3), (None, False, 3),
     (2.0, True, 2), (1.0, True, 2)],
)  # fmt: skip # a short list
def test_moments_of_larger_pools_by_rejection(
    p: float | None, rectified: bool, pool_size: int
) -> None:
    pooling = pooling_of(p, rectified)
    mean = np.array([0.4, -0.3, 0.8, 0.2, -0.5])[None, :pool_size, None]
    v, b = np.full((1, 1), 0.7), np.full((1, 1), 1.3)
    u = np.random.default_rng(4).normal(mean, v**0.5, (1_000_000, pool_size, 1))
    u = u[np.abs(pooling(u)[:, 0] - b[0, 0]) < 0.02][:, :, 0]
    assert len(u) > 3000
    found, variance = Output(p, rectified, pool_size)(mean, v, b)
    error = 5 * u.std(axis=0) / len(u) ** 0.5 + 0.01
    assert (np.abs(found[0, :, 0] - u.mean(axis=0)) < error).all()
    assert_allclose(variance[0, 0], u.var(axis=0).mean(), rtol=0.07, atol=1e-3)


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("pool_size", [1, 2])
def test_pools_that_are_off_are_truncated(p: float, pool_size: int) -> None:
    mean, v, _ = draw(5, 40, pool_size)
    found, variance = Output(p, True, pool_size)(mean, v, np.zeros((1, 40)))
    law = truncnorm(-np.inf, -mean / v**0.5, loc=mean, scale=v**0.5)
    assert_allclose(found, law.mean(), rtol=1e-9)
    assert_allclose(variance, np.asarray(law.var()).mean(axis=1), rtol=1e-9)


@pytest.mark.parametrize("p", PS)
def test_pools_of_one_are_two_points_or_one(p: float) -> None:
    mean, v, u = draw(6, 50, 1)
    b = np.abs(u[:, 0])
    found, variance = Output(p, False, 1)(mean, v, b)
    tanh = np.tanh(b * mean[:, 0] / v)
    assert_allclose(found[:, 0], b * tanh, atol=1e-12)
    assert_allclose(variance, b**2 * (1 - tanh**2), atol=1e-12)
    found, variance = Output(p, True, 1)(mean, v, b)
    assert_allclose(found[:, 0], b)
    assert_allclose(variance, 0)


@ALL
@settings(max_examples=8)
@given(seed=SEEDS)
def test_a_small_variance_leaves_the_nearest_point(
    p: float | None, rectified: bool, seed: int
) -> None:
    pooling = pooling_of(p, rectified)
    mean, _, u = draw(seed, 20, 2)
    b = pooling(u)
    found, variance = Output(p, rectified, 2)(mean, np.full((1, 1), 1e-16), b)
    gap = np.linalg.norm(found - mean, axis=1) - np.linalg.norm(
        pooling.project(mean, b) - mean, axis=1
    )
    assert np.abs(gap).max() < 1e-7
    assert_allclose(pooling(found), b, atol=1e-7)
    assert (variance >= 0).all()
    assert (variance < 1e-13).all()


@pytest.mark.parametrize(
    ("p", "rectified", "pool_size"),
    [(p, rectified, size) for p, rectified in [*KINDS, (None, False)] for size in (1, 2)]
    + [(2.0, False, 4), (np.inf, False, 4), (np.inf, True, 4), (None, False, 4)],
)
def test_errors_are_as_large_as_they_say(p: float | None, rectified: bool, pool_size: int) -> None:
    pooling = pooling_of(p, rectified)
    output = Output(p, rectified, pool_size)
    rng = np.random.default_rng(8)
    for v in (0.02, 0.3, 0.9):
        mean = (1 - v) ** 0.5 * rng.standard_normal((1, pool_size, 20_000))
        u = mean + v**0.5 * rng.standard_normal(mean.shape)
        found, variance = output(mean, np.full((1, 1), v), pooling(u))
        assert_allclose(np.mean((u - found) ** 2), variance.mean(), rtol=0.04, atol=1e-9)
        # The covariance with what is known is that of the posterior mean: nothing is left in it.
        product = (u - found) * found
        assert abs(product.mean()) < 5 * product.std() / product.size**0.5 + 1e-12


@ALL
@settings(max_examples=8)
@given(seed=SEEDS, unit=st.floats(-50, 50))
def test_units_and_the_order_of_members_do_not_matter(
    p: float | None, rectified: bool, seed: int, unit: float
) -> None:
    mean, v, u = draw(seed, 10, 2)
    b, output = pooling_of(p, rectified)(u), Output(p, rectified, 2)
    found, variance = output(mean, v, b)
    scaled, scaled_variance = output(mean * 10**unit, v * 10 ** (2 * unit), b * 10**unit)
    assert_allclose(scaled / 10**unit, found, rtol=1e-7, atol=1e-9)
    assert_allclose(scaled_variance / 10 ** (2 * unit), variance, rtol=1e-5, atol=1e-9)
    swapped, same = output(mean[:, ::-1], v, b)
    assert_allclose(swapped[:, ::-1], found, rtol=1e-6, atol=1e-8)
    assert_allclose(same, variance, rtol=1e-5, atol=1e-9)
    if p is not None and not rectified:
        assert_allclose(output(-mean, v, b)[0], -found, atol=1e-12)


def test_p_1_is_p_inf_of_turned_pairs() -> None:
    mean, v, u = draw(9, 30, 2)
    turn = np.array([[1.0, 1.0], [1.0, -1.0]])
    b = np.abs(u).sum(axis=1)
    found, variance = Output(1.0, False, 2)(mean, v, b)
    turned, twice = Output(np.inf, False, 2)(np.einsum("ij,sjk->sik", turn, mean), 2 * v, b)
    assert_allclose(np.einsum("ij,sjk->sik", turn, found), turned, atol=1e-9)
    assert_allclose(variance, twice / 2)


def test_p_2_turns_with_its_pools() -> None:
    mean, v, u = draw(10, 30, 3)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    b = np.linalg.norm(u, axis=1)
    found, variance = Output(2.0, False, 3)(mean, v, b)
    turned, same = Output(2.0, False, 3)(np.einsum("ij,sjk->sik", turn, mean), v, b)
    assert_allclose(turned, np.einsum("ij,sjk->sik", turn, found), atol=1e-12)
    assert_allclose(same, variance)


@ALL
@pytest.mark.parametrize("v", [1e-22, 1e-8, 1.0, 1e6])
def test_nothing_is_lost_far_out(p: float | None, rectified: bool, v: float) -> None:
    grid = np.array([-1e6, -30.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 7.0, 30.0, 1e6])
    mean = np.array(np.meshgrid(grid, grid)).reshape(1, 2, -1)
    for value in (0.0, 1e-9, 1.0, 1e6):
        b = np.full((1, mean.shape[2]), value)
        found, variance = Output(p, rectified, 2)(mean, np.full((1, 1), v), b)
        assert np.isfinite(found).all()
        assert (variance >= 0).all()
        if not rectified and p is not None:
            assert np.abs(found).max() <= value * (1 + 1e-9) + 1e-99
            assert variance.max() <= value**2 + 1e-15


def exact(mean: float, v: float, b: float, noise: float, rectified: bool) -> tuple[float, float]:
    """Integrate over one coefficient whose value has noise."""

    def density(u: float) -> float:
        value = max(u, 0.0) if rectified else abs(u)
        return float(np.exp(-((u - mean) ** 2) / (2 * v) - (b - value) ** 2 / (2 * noise)))

    ends: dict[str, Any] = {"limit": 500, "points": sorted({0.0, b, mean})}
    low, high = mean - 12 * v**0.5 - 3, mean + 12 * v**0.5 + 3
    mass, first, second = (
        quad(lambda u, k=k: u**k * density(u), low, high, **ends)[0] for k in range(3)
    )
    return first / mass, second / mass - (first / mass) ** 2


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("noise", [0.001, 0.01])
def test_noise_is_taken_into_account(rectified: bool, noise: float) -> None:
    output = Output(2.0, rectified, 1)
    for v in (0.001, 0.01, 0.05):
        for mean, b in ((1.0, 1.1), (0.4, 0.5), (-0.6, 0.05 if rectified else 0.7), (0.1, 0.3)):
            found, variance = output(
                np.full((1, 1, 1), mean), np.full((1, 1), v), np.full((1, 1), b),
                np.full((1, 1), noise),
            )  # fmt: skip # one point
            expected, spread = exact(mean, v, b, noise, rectified)
            assert_allclose(found[0, 0, 0], expected, atol=0.06)
            if abs(mean) > 3 * v**0.5 and b > 3 * noise**0.5:  # far from the kink it is exact
                assert_allclose(found[0, 0, 0], expected, atol=1e-3)
                assert_allclose(variance[0, 0], spread, rtol=0.02)


@ALL
def test_little_noise_is_none(p: float | None, rectified: bool) -> None:
    mean, v, u = draw(11, 30, 2)
    b, output = pooling_of(p, rectified)(u), Output(p, rectified, 2)
    noisy = output(mean, v, b, np.full(b.shape, 1e-20))
    for each, other in zip(noisy, output(mean, v, b), strict=True):
        assert_allclose(each, other, rtol=1e-6, atol=1e-9)


def test_much_noise_leaves_what_was_known() -> None:
    mean, v, u = draw(12, 30, 2)
    for p in PS:
        b = np.linalg.norm(u, p, axis=1)
        found, _ = Output(p, False, 2)(mean, 1e-4 * v, b, np.full(b.shape, 1e4))
        assert_allclose(found, mean, atol=5e-3)


@settings(max_examples=60)
@given(x=st.floats(-1e5, 40), std=st.floats(-3, 3))
def test_moments_below(x: float, std: float) -> None:
    scale = 10.0**std
    found = below(np.full(1, x * scale), np.zeros(1), np.full(1, scale))
    t = np.geomspace(1e-12, 60 / max(-x, 1) + max(x, 0) + 12, 40_001)
    log = -((x - t) ** 2) / 2
    weight = np.exp(log - log.max())
    mass = np.trapezoid(weight, t)
    gap = np.trapezoid(weight * t, t) / mass
    variance = np.trapezoid(weight * (t - gap) ** 2, t) / mass
    assert_allclose((x * scale - found.mean[0]) / scale, gap, rtol=1e-4, atol=abs(x) * 1e-15)
    assert_allclose(found.variance[0] / scale**2, variance, rtol=1e-4)
    log_mass = log.max() + np.log(mass / (2 * np.pi) ** 0.5)
    assert_allclose(found.log_mass[0], log_mass, atol=1e-4, rtol=1e-7)


def test_moments_far_below_are_those_of_the_scaled_error_function() -> None:
    """On both sides of the place where a series takes over, at 30 standard deviations."""
    z = np.linspace(25, 60, 141)
    found = below(-z, np.zeros(1), np.ones(1))
    hazard = np.sqrt(2 / np.pi) / erfcx(z / np.sqrt(2))  # φ(−z) / Φ(−z) without underflow
    gap = hazard - z
    assert_allclose(-z - found.mean, gap, rtol=1e-6)
    assert_allclose(found.variance, 1 - hazard * gap, rtol=1e-6)


@settings(max_examples=60)
@given(mean=st.floats(-60, 60), log_half=st.floats(-6, 2))
def test_moments_within(mean: float, log_half: float) -> None:
    half = 10.0**log_half
    found = within(np.full(1, half), np.full(1, mean), np.ones(1))
    side = 1.0 if mean >= 0 else -1.0
    t = np.concatenate(([0.0], np.geomspace(1e-9 * half, 2 * half, 60_001)))  # from the near end
    u = side * (half - t)
    log = -((u - mean) ** 2) / 2
    weight = np.exp(log - log.max())
    mass = np.trapezoid(weight, t)
    gap = np.trapezoid(weight * t, t) / mass
    variance = np.trapezoid(weight * (t - gap) ** 2, t) / mass
    assert_allclose(found.mean[0], side * (half - gap), atol=1e-5 * half)
    assert_allclose(found.variance[0], variance, rtol=1e-3)
    log_mass = log.max() + np.log(mass / (2 * np.pi) ** 0.5)
    assert_allclose(found.log_mass[0], log_mass, atol=1e-4, rtol=1e-6)


def test_means_on_spheres() -> None:
    kappa = np.geomspace(1e-8, 1e12, 400)
    length, rest = mean_length(kappa, 3)
    coth = np.where(kappa < 1e-3, kappa / 3, 1 / np.tanh(kappa) - 1 / np.maximum(kappa, 1e-3))
    assert_allclose(length, coth, rtol=1e-6)
    length, rest = mean_length(kappa[kappa < 1e5], 2)
    assert_allclose(length, i1e(kappa[kappa < 1e5]) / i0e(kappa[kappa < 1e5]), rtol=1e-12)
    assert_allclose(mean_length(kappa, 1)[0], np.tanh(kappa), rtol=1e-12)
    for size in (1, 2, 3, 8, 60):
        length, rest = mean_length(kappa, size)
        assert (np.diff(length) >= 0).all()
        assert_allclose(rest, 1 - length**2, atol=1e-9)
        assert_allclose(length[:50] / kappa[:50], 1 / size, rtol=1e-5)
        if size > 1:
            assert_allclose(kappa[-50:] * rest[-50:], size - 1, rtol=1e-5)
    assert mean_length(np.zeros(1), 5)[0] == 0


@settings(max_examples=15)
@given(log_kappa=st.floats(-3, 5), angle=st.floats(-np.pi, np.pi))
def test_moments_on_a_quarter_of_the_circle(log_kappa: float, angle: float) -> None:
    kappa = 10.0**log_kappa
    found = quarter(np.full(1, kappa), np.full(1, angle))
    near = np.geomspace(1e-9, np.pi / 4, 50_000)  # the mass may lie within 1 / kappa of an end
    inside = np.linspace(0, np.pi / 2, 200_001)
    theta = np.unique(np.concatenate((near, np.pi / 2 - near, inside)))
    log = -2 * kappa * np.sin((theta - angle) / 2) ** 2
    weight = np.exp(log - log.max())
    mass = np.trapezoid(weight, theta)
    c, s = (np.trapezoid(weight * f(theta), theta) / mass for f in (np.cos, np.sin))
    spread = (np.cos(theta) - c) ** 2 + (np.sin(theta) - s) ** 2
    assert_allclose(found.log_mass[0], log.max() + np.log(mass), atol=1e-4)
    assert_allclose([found.cosine[0], found.sine[0]], [c, s], atol=1e-5)
    assert_allclose(found.variance[0], np.trapezoid(weight * spread, theta) / mass, rtol=1e-3)


def test_which_pools_have_a_posterior() -> None:
    for p, rectified in KINDS:
        for pool_size in (1, 2, 3):
            many = pool_size == 3 and (p == 1 or (rectified and p == 2))
            found = output_of(pooling_of(p, rectified), pool_size)
            assert isinstance(found, str) is many, (p, rectified, pool_size)
    shifted = pooling_of(1.0, True, threshold=tuple(np.linspace(-1, 2, 8)))
    assert not isinstance(output_of(shifted, 2), str)
    assert not isinstance(output_of(pooling_of(None, False), 7), str)

    class Capped(type(pooling_of(2.0, False))):  # type: ignore[misc] # a class made here
        name = "capped"
        slopes = None

        def __call__(self, c: Array) -> Array:
            capped: Array = np.minimum(super().__call__(c), 1.0)
            return capped

    assert "lp pooling" in str(output_of(Capped(), 2))
