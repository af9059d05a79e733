"""Pooling representations with their slopes, and the ratio that a pair of signals attains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

import benchbase
from benchbase import Array, Frame, Pooling


@dataclass(frozen=True)
class Operator:
    """A pooling representation x ↦ R(x), from R^N to R^K, and its derivative.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame's vectors.
    p : float
        1, 2 or infinity.
    rectified : bool
        Whether coefficients pass a half rectification.
    signed : bool
        Whether the largest coefficient is taken with its sign, as maxout does; p is then infinity.
    alpha : ndarray, shape (L, K)
        Thresholds of the rectification, or zeros.
    """

    vectors: Array
    p: float
    rectified: bool
    signed: bool
    alpha: Array

    @classmethod
    def of(cls, frame: Frame, pooling: Pooling) -> Operator:
        """Return the representation by a frame and the pooling ``lp`` or ``maxout``.

        Raises
        ------
        benchbase.BenchbaseError
            If the frame is complex, the pooling is another one, or its thresholds do not fit.
        """
        pooling.check(frame.n_pools, frame.pool_size)
        if frame.is_complex:
            raise benchbase.BenchbaseError(
                "bounds are known only for real frames, and this frame is complex"
            )
        vectors = np.asarray(frame.dense(), dtype=np.float64)
        K, L, _ = vectors.shape
        alpha = np.ascontiguousarray(pooling.thresholds(K, L))
        if pooling.slopes == (1, 1):
            return cls(vectors, math.inf, rectified=False, signed=True, alpha=alpha)
        if pooling.p not in (1, 2, math.inf) or pooling.slopes not in ((-1, 1), (0, 1)):
            raise benchbase.BenchbaseError(
                f"no bounds are known for the pooling '{pooling.name}'; give lp or maxout"
            )
        return cls(vectors, pooling.p, rectified=pooling.rectified, signed=False, alpha=alpha)

    @property
    def n(self) -> int:
        """The dimension N."""
        return int(self.vectors.shape[2])

    @property
    def even(self) -> bool:
        """Whether x and −x have the same representation."""
        return not (self.rectified or self.signed)

    @property
    def homogeneous(self) -> bool:
        """Whether R(t·x) = t·R(x) for t > 0: without thresholds."""
        return not self.alpha.any()

    @cached_property
    def reach(self) -> float:
        """The size of signals at which thresholds matter, or 0 without thresholds."""
        if self.homogeneous:
            return 0.0
        length = float(np.linalg.norm(self.vectors, axis=2).max()) or 1.0
        return float(np.abs(self.alpha).max()) / length

    def coefficients(self, x: Array) -> Array:
        """Return F x, or max(0, F x − α) if rectified: (..., N) to (..., L, K)."""
        K, L, N = self.vectors.shape
        rows = self.vectors.transpose(1, 0, 2).reshape(L * K, N)
        c = (x @ rows.T).reshape(*x.shape[:-1], L, K)
        if self.rectified:
            c -= self.alpha
            np.maximum(c, 0, out=c)
        return c

    def __call__(self, x: Array) -> Array:
        """Return R(x): (..., N) to (..., K)."""
        c = self.coefficients(x)
        values: Array
        if self.signed:
            values = c.max(axis=-2)
        elif self.p == 2:
            values = np.sqrt(np.einsum("...lk,...lk->...k", c, c))
        elif self.p == 1:
            values = np.abs(c).sum(axis=-2)
        else:
            values = np.abs(c).max(axis=-2)
        return values

    def with_slopes(self, x: Array) -> tuple[Array, Array]:
        """Return R(x) and its slopes in the coefficients, (..., K) and (..., L, K).

        Row k of the Jacobian is Σ_l slopes[l, k] · vectors[k, l]. At a kink the slopes are those of
        one of the pieces that meet there.
        """
        c = self.coefficients(x)
        if self.signed or self.p == math.inf:
            size = c if self.signed else np.abs(c)
            top = size.argmax(axis=-2, keepdims=True)
            values = np.take_along_axis(size, top, axis=-2)[..., 0, :]
            slopes = np.zeros_like(c)
            signs = np.ones_like(c) if self.signed else np.sign(c)
            np.put_along_axis(slopes, top, np.take_along_axis(signs, top, axis=-2), axis=-2)
            return values, slopes
        if self.p == 1:
            return np.abs(c).sum(axis=-2), np.sign(c)
        values = np.sqrt(np.einsum("...lk,...lk->...k", c, c))
        return values, c / np.where(values > 0, values, 1.0)[..., None, :]

    def adjoint(self, c: Array) -> Array:
        """Return Σ c[l, k] · vectors[k, l]: (..., L, K) to (..., N)."""
        K, L, N = self.vectors.shape
        rows = self.vectors.transpose(1, 0, 2).reshape(L * K, N)
        return c.reshape(*c.shape[:-2], L * K) @ rows

    def jacobian(self, x: Array) -> Array:
        """Return the derivative of R at x: (..., N) to (..., K, N)."""
        values: Array = np.einsum("...lk,kln->...kn", self.with_slopes(x)[1], self.vectors)
        return values

    def distance(self, x: Array, y: Array) -> Array:
        """Return d(x, y), shape (...): min(‖x − y‖, ‖x + y‖) if the sign is lost, else ‖x − y‖."""
        apart = np.linalg.norm(x - y, axis=-1)
        values: Array = np.minimum(apart, np.linalg.norm(x + y, axis=-1)) if self.even else apart
        return values

    def ratio(self, x: Array, y: Array) -> Array:
        """Return ‖R(x) − R(y)‖ / d(x, y), shape (...), or infinity for pairs that are too close.

        Pairs with d² < 1e-10 (‖x‖² + ‖y‖² + ρ²) are too close, as rounding would decide the ratio.
        With thresholds α, ρ = max |α| / max ‖f‖, since coefficients may be a small part of α.
        """
        d = self.distance(x, y)
        gap = np.linalg.norm(self(x) - self(y), axis=-1)
        size = np.sqrt(np.sum(x * x, axis=-1) + np.sum(y * y, axis=-1) + self.reach**2)
        apart = (d > 0) & (d >= CLOSEST * size)
        return np.where(apart, gap / np.where(apart, d, 1.0), np.inf)


CLOSEST = 1e-5
"""The least distance of a pair, relative to its size, at which a ratio is more than rounding."""
