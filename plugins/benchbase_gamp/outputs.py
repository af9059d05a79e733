"""What a pool's value says about its coefficients: exact posterior means and variances."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from benchbase import Array, Pooling
from benchbase_gamp.circle import mean_length
from benchbase_gamp.rectified import (
    TINY,
    Active,
    Posterior,
    inactive,
    largest,
    left_by,
    mixed,
    positive_circle,
    positive_sum,
)
from benchbase_gamp.truncated import within

HALF = 0.5 * np.log(2 * np.pi)
Moments: TypeAlias = Callable[[Array, Array, Array], tuple[Array, Array]]
"""Means (S, L, K) and variances (S, K), from p (S, L, K), v (S, 1) and b (S, K)."""


class Output:
    """The posterior of coefficients u ~ N(p, v·I) whose pool has the value b.

    It is the limit of N(p, v·I) on the coefficients whose value is within ε of b, ε → 0; where
    these have a positive probability, as half rectified ones with b = 0, N(p, v·I) on them. There
    are no thresholds, which shift u and p alike.

    With noise, b is the value of a pool plus a normal variable, cut off at zero if that is where
    the pooling ends. The value is then taken for normal itself with the variance of v times its
    squared gradient, right where noise matters, that is where v is small; a half rectified pool
    may also have been zero.

    Parameters
    ----------
    p : float or None
        The exponent of the norm, 1, 2 or infinity, or None for the signed maximum.
    rectified : bool
        Whether coefficients are half rectified before.
    pool_size : int
        L, at most 2 for p = 1, and for p = 2 with rectification.
    """

    def __init__(self, p: float | None, rectified: bool, pool_size: int) -> None:
        self._p, self._rectified = p, rectified
        self._steep = pool_size if p == 1 else 1
        self._active: Active = largest
        self._plain: Moments = sphere
        if pool_size > 1:  # of one all norms are one
            self._active = ACTIVE.get(p, largest)
            self._plain = PLAIN.get(p, cube)

    def value(self, u: Array) -> Array:
        """Return the values of pools u (S, L, K): (S, K)."""
        if self._p is None:
            top: Array = u.max(axis=1)
            return top
        size: Array = np.linalg.norm(np.maximum(u, 0) if self._rectified else u, self._p, axis=1)
        return size

    def __call__(
        self, p: Array, v: Array, b: Array, noise: Array | None = None
    ) -> tuple[Array, Array]:
        """Return posterior means and variances.

        Parameters
        ----------
        p : ndarray, shape (S, L, K)
            Means before.
        v : ndarray, shape (S, 1)
            Variances before, positive.
        b : ndarray, shape (S, K)
            Values of the pools.
        noise : ndarray, shape (S, K), optional
            Variances of their noise, positive.

        Returns
        -------
        mean : ndarray, shape (S, L, K)
            Means.
        variance : ndarray, shape (S, K)
            Variances, the mean over the members of a pool.
        """
        if noise is None:
            if self._rectified:
                return _or_inactive(self._active(p, v, b), p, v, b)
            return self._moments(p, v, b)
        spread = self._steep * v
        trust = spread / (spread + noise)
        exact = b + (1 - trust) * (self.value(p) - b)
        added = trust * noise / (self._steep * p.shape[1])
        if not self._rectified:
            mean, variance = self._moments(p, v, exact)
            return mean, variance + added
        found = self._active(p, v, exact)
        # By Bayes' rule, log p(b) is log p(exact) and more, the density of the noise left out.
        log_mass = found.log_mass + (np.log(trust * noise) - (exact - b) ** 2 / noise) / 2 + HALF
        off = inactive(p, v)
        none = off._replace(log_mass=off.log_mass - b**2 / noise / 2)
        both = mixed(found._replace(variance=found.variance + added, log_mass=log_mass), none)
        return _or_inactive(both, p, v, b)

    def _moments(self, p: Array, v: Array, b: Array) -> tuple[Array, Array]:
        """Return the moments without rectification and noise."""
        if self._p is None:
            mean, variance, _ = largest(p, v, b)
            return mean, variance
        return self._plain(p, v, b)


def output_of(pooling: Pooling, pool_size: int) -> Output | str:
    """Return the output function of a pooling without its thresholds, or why there is none.

    Parameters
    ----------
    pooling : Pooling
        An lp norm, half rectified or not, or the signed maximum.
    pool_size : int
        The number of vectors in a pool, L.
    """
    if pooling.slopes == (1, 1):
        return Output(None, rectified=False, pool_size=pool_size)
    rectified = pooling.slopes == (0, 1)
    if pooling.p not in (1, 2, np.inf) or not (rectified or pooling.slopes == (-1, 1)):
        return "gamp is for lp poolings, half rectified or not, and for the signed maximum"
    if pool_size > 2 and (pooling.p == 1 or (pooling.p == 2 and rectified)):
        kind = "half rectified " if rectified else ""
        return f"gamp is for {kind}pools of at most two with p = {pooling.p:g}"
    return Output(pooling.p, rectified, pool_size)


def sphere(p: Array, v: Array, b: Array) -> tuple[Array, Array]:
    """Return the moments on ‖u‖ = b: von Mises-Fisher with concentration b·‖p‖/v."""
    size = p.shape[1]
    length = np.sqrt(np.einsum("slk,slk->sk", p, p))
    a, rest = mean_length(b * (length / v), size)
    mean = p * (b * a / np.maximum(length, TINY))[:, None]
    return mean, b**2 * rest / size


def cube(p: Array, v: Array, b: Array) -> tuple[Array, Array]:
    """Return the moments on max |u_j| = b: one member at ±b, the others between."""
    std, top, side = np.sqrt(v)[:, :, None], np.maximum(b, TINY)[:, None], np.abs(p)
    other = within(top, side, std)
    # Weights of the nearer and of the other face of each member, from their logarithms.
    near = -(((top - side) / std) ** 2) / 2 - other.log_mass
    near = np.exp(near - near.max(axis=1, keepdims=True))
    far = near * np.exp(-2 * (side / std) * (top / std))
    total = np.sum(near + far, axis=1, keepdims=True)
    near, far = near / total, far / total
    inside = left_by(near + far)
    mean = top * (near - far) + inside * other.mean
    spread = near * (top - mean) ** 2 + far * (top + mean) ** 2 + inside * (other.mean - mean) ** 2
    variance = spread + inside * other.variance
    return np.copysign(mean, p), variance.mean(axis=1)


def diamond(p: Array, v: Array, b: Array) -> tuple[Array, Array]:
    """Return the moments on |u_1| + |u_2| = b, a square: max |u_1 ± u_2| = b."""
    mean, variance = cube(_turned(p), 2 * v, b)
    return _turned(mean) / 2, variance / 2


PLAIN: dict[float | None, Moments] = {1: diamond, 2: sphere}
ACTIVE: dict[float | None, Active] = {1: positive_sum, 2: positive_circle}


def _turned(u: Array) -> Array:
    turned: Array = np.stack((u[:, 0] + u[:, 1], u[:, 0] - u[:, 1]), axis=1)
    return turned


def _or_inactive(found: Posterior, p: Array, v: Array, b: Array) -> tuple[Array, Array]:
    """Replace the moments of pools with b = 0 by those of members that are at most zero."""
    mean, variance, _ = found
    signal, pool = np.nonzero(b == 0)
    if signal.size:
        off = inactive(p[signal, :, pool][:, :, None], v[signal])
        mean[signal, :, pool], variance[signal, pool] = off.mean[:, :, 0], off.variance[:, 0]
    return mean, variance
