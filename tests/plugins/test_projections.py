"""The nearest coefficients at which pools have given values."""

from collections.abc import Iterator
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from benchbase import Array
from benchbase_poolings.lp import LpPooling
from benchbase_poolings.maxout import Maxout

every_lp = pytest.mark.parametrize(
    ("p", "rectified"), list(product((1.0, 2.0, np.inf), (False, True)))
)
unhurried = settings(max_examples=60, deadline=None)  # a loaded machine is no failure

# Few distinct values, so that ties, zeros and empty pools come up often; none next to nothing.
entries = st.one_of(st.integers(-2, 2).map(float), st.floats(1e-3, 3), st.floats(-3, -1e-3))
shapes = st.tuples(st.integers(1, 4), st.integers(1, 3))
coefficients = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=entries))
values = st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.floats(1e-3, 5))


@st.composite
def coefficients_and_values(draw: st.DrawFn) -> tuple[Array, Array]:
    c = draw(coefficients)
    return c, draw(arrays(np.float64, c.shape[-1], elements=values))


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def norms(c: Array, p: float) -> Array:
    sizes: Array = np.linalg.norm(c, ord=p, axis=-2)
    return sizes


def sphere(p: float, pool_size: int) -> Array:
    """Return a dense sample of the vectors of unit p norm, (M, L)."""
    if pool_size == 1:
        return np.array([[1.0], [-1.0]])
    if pool_size == 2:
        angle = np.linspace(0, 2 * np.pi, 3001)
        points = np.stack((np.cos(angle), np.sin(angle)), axis=-1)
    else:
        points = np.concatenate((normal(3000, pool_size), np.eye(pool_size), -np.eye(pool_size)))
    scaled: Array = points / np.linalg.norm(points, ord=p, axis=-1, keepdims=True)
    return scaled


def feasible(u: Array, b: float, p: float, rectified: bool) -> Array:
    """Return a dense sample of the points with the value b, (M, L), those near u included."""
    if not rectified:
        return b * sphere(p, u.size)
    if b == 0:
        return np.minimum(u, 0)[None]
    members = range(u.size)
    found: list[Array] = []
    for active in chain.from_iterable(combinations(members, r + 1) for r in members):
        points = b * np.abs(sphere(p, len(active)))
        # Entries outside the active set cost least where they are nearest to being ≤ 0.
        full = np.tile(np.minimum(u, 0), (len(points), 1))
        full[:, active] = points
        found.append(full)
    return np.concatenate(found)


def pools(pool_size: int) -> Iterator[tuple[Array, float]]:
    """Yield pools inside and outside the sphere, with ties, without positive entries, zero."""
    rng = np.random.default_rng(pool_size)
    for scale in (0.3, 1.0, 3.0):
        for _ in range(10):
            yield rng.standard_normal(pool_size), scale
            yield -np.abs(rng.standard_normal(pool_size)), scale
        yield rng.standard_normal(pool_size), 0.0
        yield -np.abs(rng.standard_normal(pool_size)), 0.0
        yield np.zeros(pool_size), scale
        yield np.full(pool_size, 0.4), scale
        yield np.full(pool_size, -1.0), scale


@every_lp
@pytest.mark.parametrize("pool_size", [1, 2, 3])
def test_no_point_with_the_values_b_is_nearer(p: float, rectified: bool, pool_size: int) -> None:
    cases = list(pools(pool_size))
    c = np.stack([u for u, _ in cases], axis=-1)
    b = np.array([value for _, value in cases])
    pooling = LpPooling(p=p, rectified=rectified)
    found = pooling.project(c, b)
    assert_allclose(pooling(found), b, atol=1e-12)
    distance = np.linalg.norm(found - c, axis=0)
    for k, (u, value) in enumerate(cases):
        others = np.linalg.norm(feasible(u, value, p, rectified) - u, axis=-1)
        assert distance[k] <= others.min() + 1e-12, (u, value, found[:, k])


@every_lp
@pytest.mark.parametrize("pool_size", [2, 3, 6])
def test_no_point_near_the_projection_is_nearer(p: float, rectified: bool, pool_size: int) -> None:
    c = normal(pool_size, 200)
    b = np.abs(normal(200, seed=1)) * np.resize([0.3, 1.0, 3.0], 200)
    found = LpPooling(p=p, rectified=rectified).project(c, b)
    rng = np.random.default_rng(2)
    for width in (1e-3, 1e-2, 0.1):
        for _ in range(50):
            moved = found + width * rng.standard_normal(c.shape)
            above = np.maximum(moved, 0) if rectified else moved
            size = norms(above, p)
            moved = np.where(above != 0, above * (b / np.where(size > 0, size, 1)), moved)
            usable = size > 0
            gain = np.linalg.norm(found - c, axis=0) - np.linalg.norm(moved - c, axis=0)
            assert gain[usable].max() <= 1e-12


@every_lp
@unhurried
@given(case=coefficients_and_values(), alpha=st.sampled_from([0.0, 0.5]))
def test_projections_have_the_values_b_and_stay(
    p: float, rectified: bool, case: tuple[Array, Array], alpha: float
) -> None:
    c, b = case
    pooling = LpPooling(p=p, rectified=rectified, threshold=alpha if rectified else 0.0)
    once = pooling.project(c, b)
    assert_allclose(pooling(once), b, rtol=1e-9, atol=1e-12)
    assert_allclose(pooling.project(once, b), once, rtol=1e-9, atol=1e-9)


def test_euclidean_projection_is_the_rescaling() -> None:
    c, b = normal(5, 3, 8), np.abs(normal(5, 8, seed=1))
    assert_array_equal(LpPooling().project(c, b), LpPooling().rescale(c, b))


@unhurried
@given(case=coefficients_and_values())
def test_maxout_projects_onto_pools_with_the_maximum_b(case: tuple[Array, Array]) -> None:
    c, b = case
    b = b - 1  # maxima may be negative
    found = Maxout().project(c, b)
    assert_array_equal(Maxout()(found), b)
    assert_array_equal(Maxout().project(found, b), found)
    # All points with the maximum b: one member at b, the others at most b.
    best = np.inf
    for j in range(len(c)):
        other = np.minimum(c, b)
        other[j] = b
        best = np.minimum(best, np.linalg.norm(other - c, axis=0))
    assert_allclose(np.linalg.norm(found - c, axis=0), best, atol=1e-12)
