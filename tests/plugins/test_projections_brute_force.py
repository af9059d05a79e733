"""The nearest coefficients, against all candidates there are: pools of two to four, thresholds.

Pool by pool, every choice of the members that make the pool's value, with every choice of their
signs, gives at most one point at which the distance is stationary; the nearest point is one of
these. Random points with the same value say that none is missing.
"""

from collections.abc import Iterator
from itertools import chain, combinations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose

import benchbase
from benchbase import Array
from benchbase_poolings.lp import LpPooling
from benchbase_poolings.maxout import Maxout

POOLS = 60


def choices(members: int) -> Iterator[tuple[int, ...]]:
    """Yield all sets of members but the empty one."""
    return chain.from_iterable(combinations(range(members), size + 1) for size in range(members))


def stationary(u: Array, b: float, p: float, signs: Array) -> Array | None:
    """Return the stationary point of the distance among v with signs·v ≥ 0 and ‖v‖_p = b."""
    if p == 1:
        v = u + signs * (b - signs @ u) / len(u)
    elif u.any():
        v = b * u / np.linalg.norm(u) * (1 if signs @ u > 0 else -1)
    else:
        v = b * signs / np.sqrt(len(u))
    return v if (signs * v >= -1e-13).all() else None


def candidates(u: Array, b: float, p: float, rectified: bool) -> Iterator[Array]:
    """Yield points with ‖v‖_p = b, or ‖max(0, v)‖_p = b; the nearest to u is one of them."""
    rest = np.minimum(u, 0) if rectified else np.zeros_like(u)
    if b == 0:
        yield rest
        return
    if p == np.inf:
        for j, sign in product(range(u.size), (1,) if rectified else (-1, 1)):
            v = np.clip(u, -np.inf if rectified else -b, b)
            v[j] = sign * b
            yield v
        return
    for active in map(list, choices(u.size)):
        for signs in product((1.0,) if rectified else (-1.0, 1.0), repeat=len(active)):
            point = stationary(u[active], b, p, np.array(signs))
            if point is not None:
                v = rest.copy()
                v[active] = point
                yield v


def pools(pool_size: int, seed: int) -> tuple[Array, Array]:
    """Draw coefficients (L, K) and values (K,): ties, zeros and pools without a positive entry."""
    rng = np.random.default_rng([pool_size, seed])
    u = rng.standard_normal((pool_size, POOLS))
    u[:, ::5] = rng.integers(-2, 3, u[:, ::5].shape)
    u[:, 1::5] = -np.abs(u[:, 1::5])
    b = np.abs(rng.standard_normal(POOLS)) * rng.choice([0.3, 1.0, 3.0], POOLS)
    b[::7], b[3::7] = 0, rng.integers(1, 4, b[3::7].shape)
    return u, b


@pytest.mark.parametrize("pool_size", [2, 3, 4])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("kind", ["linear", "rectified", "threshold", "thresholds"])
def test_no_candidate_is_nearer(p: float, kind: str, pool_size: int) -> None:
    u, b = pools(pool_size, 1)
    rectified = kind != "linear"
    if kind == "thresholds":
        alpha = np.random.default_rng(2).normal(size=(POOLS, pool_size))
        pooling = LpPooling(p=p, rectified=True, threshold=tuple(alpha.ravel()))
        shift = alpha.T
    else:
        shift = np.full((pool_size, 1), 0.7 if kind == "threshold" else 0.0)
        pooling = LpPooling(p=p, rectified=rectified, threshold=float(shift[0, 0]))
    found = pooling.project(u + shift, b)
    assert_allclose(pooling(found), b, atol=1e-12)
    distance = np.linalg.norm(found - (u + shift), axis=0)
    for k in range(POOLS):
        points = np.array(list(candidates(u[:, k], b[k], p, rectified)))
        nearest = np.linalg.norm(points - u[:, k], axis=1).min()
        assert_allclose(distance[k], nearest, atol=1e-12, err_msg=f"{u[:, k]}, {b[k]}")


@pytest.mark.parametrize("pool_size", [2, 3, 4])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("rectified", [False, True])
def test_no_candidate_is_missing(p: float, rectified: bool, pool_size: int) -> None:
    """They have the value b, and of many points that have it none is nearer than all of them."""
    u, b = pools(pool_size, 3)
    pooling = LpPooling(p=p, rectified=rectified)
    rng = np.random.default_rng(4)
    for k in range(POOLS):
        points = np.array(list(candidates(u[:, k], b[k], p, rectified)))
        assert_allclose(pooling(points[:, :, None]), b[k], atol=1e-12)
        nearest = points[np.linalg.norm(points - u[:, k], axis=1).argmin()]
        least = np.linalg.norm(nearest - u[:, k])
        for around, width in ((0.0, 1.0), (u[:, k], 0.5), (nearest, 0.1), (nearest, 1e-3)):
            others = around + width * rng.standard_normal((500, pool_size))
            others = others[(others > 0).any(axis=1)]
            others = pooling.rescale(others[:, :, None], np.broadcast_to(b[k], (len(others), 1)))
            assert_allclose(pooling(others), b[k], atol=1e-12)
            gaps = np.linalg.norm(others[:, :, 0] - u[:, k], axis=1)
            assert gaps.min(initial=np.inf) >= least - 1e-12


@pytest.mark.parametrize("pool_size", [2, 3, 4])
def test_no_point_with_the_same_maximum_is_nearer(pool_size: int) -> None:
    u, b = pools(pool_size, 5)
    b = b - 1
    found = benchbase.build("pooling", {"name": "maxout"}).project(u, b)
    assert_allclose(Maxout()(found), b, atol=1e-15)
    distance = np.linalg.norm(found - u, axis=0)
    for k in range(POOLS):
        points = np.tile(np.minimum(u[:, k], b[k]), (pool_size, 1))
        np.fill_diagonal(points, b[k])
        assert_allclose(distance[k], np.linalg.norm(points - u[:, k], axis=1).min(), atol=1e-12)
