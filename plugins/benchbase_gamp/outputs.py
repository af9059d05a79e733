"""Exact posterior means and variances of a pool's coefficients given the pool's value."""

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

    The posterior is the limit, for ε → 0, of N(p, v·I) restricted to the coefficients whose value
    is within ε of b. If coefficients with the value b itself have a positive probability, as half
    rectified ones have with b = 0, it is N(p, v·I) restricted to these. There are no thresholds
    here, as they shift u and p alike.

    With noise, b is the value of a pool plus a normal variable, cut off at zero if values cannot be
    negative. The value is then itself treated as normal, with a variance of v times its squared
    gradient. This is right if v is small, which is when noise matters. A half rectified pool may
    also have been zero.

    Parameters
    ----------
    p : float or None
        The exponent of the norm, 1, 2 or infinity, or None for the signed maximum.
    rectified : bool
        Whether coefficients are half rectified before they are pooled.
    pool_size : int
        L, at most 2 for p = 1, and for p = 2 with rectification.
    """

    def __init__(self, p: float | None, rectified: bool, pool_size: int) -> None:
        self._p, self._rectified = p, rectified
        self._steep = pool_size if p == 1 else 1
        self._active: Active = largest
        self._plain: Moments = sphere
        if pool_size > 1:  # for pools of one all norms are the same
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
            Prior means.
        v : ndarray, shape (S, 1)
            Prior variances, positive.
        b : ndarray, shape (S, K)
            Values of the pools.
        noise : ndarray, shape (S, K), optional
            Variances of the noise of these values, positive.

        Returns
        -------
        mean : ndarray, shape (S, L, K)
            Posterior means.
        variance : ndarray, shape (S, K)
            Posterior variances, averaged over the members of a pool.
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
        active = self._active(p, v, exact)
        # Bayes' rule gives log p(b) from log p(exact), up to the constant of the noise's density,
        # which is left out for inactive pools as well.
        log_mass = active.log_mass + (np.log(trust * noise) - (exact - b) ** 2 / noise) / 2 + HALF
        off = inactive(p, v)
        none = off._replace(log_mass=off.log_mass - b**2 / noise / 2)
        both = mixed(active._replace(variance=active.variance + added, log_mass=log_mass), none)
        return _or_inactive(both, p, v, b)

    def _moments(self, p: Array, v: Array, b: Array) -> tuple[Array, Array]:
        """Return means and variances for a pooling without rectification, without noise."""
        if self._p is None:
            mean, variance, _ = largest(p, v, b)
            return mean, variance
        return self._plain(p, v, b)


def output_of(pooling: Pooling, pool_size: int) -> Output | str:
    """Return the output function of a pooling without its thresholds, or the reason for none.

    Parameters
    ----------
    pooling : Pooling
        The pooling. Lp norms, half rectified or not, and the signed maximum have output functions.
    pool_size : int
        The number of vectors in a pool, L.
    """
    if pooling.slopes == (1, 1):
        return Output(None, rectified=False, pool_size=pool_size)
    rectified = pooling.slopes == (0, 1)
    if pooling.p not in (1, 2, np.inf) or not (rectified or pooling.slopes == (-1, 1)):
        return "gamp needs an lp pooling, half rectified or not, or the signed maximum"
    if pool_size > 2 and (pooling.p == 1 or (pooling.p == 2 and rectified)):
        kind = "half rectified " if rectified else ""
        return f"gamp needs pools of at most two with {kind}p = {pooling.p:g}"
    return Output(pooling.p, rectified, pool_size)


def sphere(p: Array, v: Array, b: Array) -> tuple[Array, Array]:
    """Return the moments on the sphere ‖u‖ = b: von Mises-Fisher with concentration b·‖p‖/v."""
    size = p.shape[1]
    length = np.sqrt(np.einsum("slk,slk->sk", p, p))
    a, rest = mean_length(b * (length / v), size)
    mean = p * (b * a / np.maximum(length, TINY))[:, None]
    return mean, b**2 * rest / size


def cube(p: Array, v: Array, b: Array) -> tuple[Array, Array]:
    """Return the moments on ‖u‖_∞ = b: one member is ±b, and the others are between."""
    std, top, side = np.sqrt(v)[:, :, None], np.maximum(b, TINY)[:, None], np.abs(p)
    other = within(top, side, std)
    # Weights of each member's nearer face and of its farther one, from their logarithms.
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
    """Return the moments on ‖u‖_1 = b for pairs, by `cube` for the turned pair (u_1 ± u_2)."""
    mean, variance = cube(_turned(p), 2 * v, b)
    return _turned(mean) / 2, variance / 2


PLAIN: dict[float | None, Moments] = {1: diamond, 2: sphere}
ACTIVE: dict[float | None, Active] = {1: positive_sum, 2: positive_circle}


def _turned(u: Array) -> Array:
    turned: Array = np.stack((u[:, 0] + u[:, 1], u[:, 0] - u[:, 1]), axis=1)
    return turned


def _or_inactive(posterior: Posterior, p: Array, v: Array, b: Array) -> tuple[Array, Array]:
    """Replace the moments of pools with b = 0 by those of members that are at most zero."""
    mean, variance, _ = posterior
    signal, pool = np.nonzero(b == 0)
    if signal.size:
        off = inactive(p[signal, :, pool][:, :, None], v[signal])
        mean[signal, :, pool], variance[signal, pool] = off.mean[:, :, 0], off.variance[:, 0]
    return mean, variance
