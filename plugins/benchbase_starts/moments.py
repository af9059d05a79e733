"""Moments of a pool's coefficients given its value, for standard normal coefficients."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import exp, lgamma

import numpy as np

from benchbase import Array, Pooling

DIRECTIONS = 20_000
"""The number of directions of a pool's coefficients: of one pool of two, 2e-4 of a turn apart."""

POINTS = 200
"""The number of points of the table, from zero to values that no Gaussian pool reaches."""

TABLES = 256
"""The number of tables that a process keeps, of 200 points each."""


@lru_cache(maxsize=TABLES)
def conditional_moments(pooling: Pooling, n_pools: int, pool_size: int) -> ConditionalMoments:
    """Return `ConditionalMoments`, which a process computes once for all frames and trials.

    Parameters
    ----------
    pooling, n_pools, pool_size
        As for `ConditionalMoments`.
    """
    return ConditionalMoments(pooling, n_pools, pool_size)


class ConditionalMoments:
    """The moments of a pool's standard normal coefficients z given its value P(z) = b.

    The pooling must be homogeneous. Write z = r u with u on the sphere and r chi distributed with L
    degrees of freedom. Then P(z) = r P(u), and given u the value has the density f(b / P(u)) /
    P(u), where f is the density of r. The moments are therefore means over directions u with these
    weights, at r = b / P(u). This needs no histogram, and for p = 2, where P(u) = 1, the moments
    are exact. Directions are drawn with a fixed seed. If P(u) = 0 has a positive probability, as
    with half rectification, b = 0 is a case of its own.

    Parameters
    ----------
    pooling : Pooling
        The pooling, with P(t z) = t P(z) for t > 0.
    n_pools, pool_size : int
        The numbers K and L for which the pooling is made.

    Attributes
    ----------
    mean_square : float
        The mean E[b²].
    """

    def __init__(self, pooling: Pooling, n_pools: int, pool_size: int) -> None:
        rng = np.random.default_rng(0)
        u = rng.standard_normal((-(-DIRECTIONS // n_pools), pool_size, n_pools))
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        value = pooling(u).ravel()
        mean = u.mean(axis=1).ravel()  # over the members, which have the same distribution
        self.mean_square = float(pool_size * np.mean(value**2))
        self._none = (0.0, 1.0)
        none = value == 0
        if none.any():
            length = 2**0.5 * exp(lgamma((pool_size + 1) / 2) - lgamma(pool_size / 2))
            self._none = (float(length * mean[none].mean()), 1.0)
        top = (pool_size**0.5 + 6) * np.abs(value).max()
        table = []
        for sign in (1,) if pooling.nonnegative else (-1, 1):
            able = sign * value > 0
            grid = np.linspace(top / POINTS, top, POINTS if able.any() else 0)
            moments = _moments(grid, sign * value[able], mean[able], pool_size)
            table.extend([(sign * b, *pair) for b, pair in zip(grid, moments, strict=True)][::sign])
        self._values, self._first, self._second = np.array(table or [(0.0, *self._none)]).T

    def first(self, b: Array) -> Array:
        """Return E[z_j | b], the mean over the members j of a pool, for b of any shape."""
        between: Array = np.interp(b, self._values, self._first)
        return np.where(b == 0, self._none[0], between)

    def second(self, b: Array) -> Array:
        """Return E[z_j² | b], the mean over the members j of a pool, for b of any shape."""
        between: Array = np.interp(b, self._values, self._second)
        return np.where(b == 0, self._none[1], between)


def _moments(
    grid: Array, value: Array, mean: Array, pool_size: int
) -> Iterator[tuple[float, float]]:
    """Yield E[z_j | b] and E[z_j² | b] for each b > 0 of a grid, from the directions' values."""
    # f(r) is r^(L − 1) exp(−r² / 2) up to a factor, and powers of b are constant factors too.
    base, falls = -pool_size * np.log(value), 1 / (2 * value**2)
    for b in grid:
        log_weight = base - b**2 * falls
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        r = b / value
        yield float(weight @ (r * mean)), float(weight @ r**2) / pool_size
