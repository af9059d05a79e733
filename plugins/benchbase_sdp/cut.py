"""What the methods of PhaseCut share: coordinates, the duality gap, and signals from factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from benchbase import Array, Frame, Run
from benchbase_sdp.costs import COMPLEX, application
from benchbase_sdp.factors import sizes
from benchbase_sdp.phaselift import longest_real, scaled_vectors

SMALLEST = 1e-12  # the smallest norm of a pool, for measurements of mean square 1


@dataclass(frozen=True)
class Basis:
    """A frame in an orthonormal basis of its range: Q with Σ_k Q_kᴴ Q_k = I.

    Parameters
    ----------
    rows : ndarray, shape (K, L, R)
        The rows Q_k of each pool.
    signals : ndarray, shape (N, R)
        F⁺ Q, which takes coordinates to signals: x = F⁺ Q z.
    unit : float, optional
        The operations of one application of the frame.
    count : callable, optional
        Counts the work with these rows, in applications of the frame; see `counting`.
    """

    rows: Array
    signals: Array
    unit: float = 1.0
    count: Callable[[float], None] | None = None

    def counting(self, run: Run) -> Basis:
        """Return the same basis, whose work counts as the cost of a run."""
        return replace(self, count=run.count)

    def spend(self, operations: float) -> None:
        """Count operations, of which one on complex numbers makes four."""
        if self.count is not None:
            self.count(operations * (COMPLEX if self.is_complex else 1) / self.unit)

    @property
    def rank(self) -> int:
        """The rank R of the frame."""
        return int(self.rows.shape[2])

    @property
    def is_complex(self) -> bool:
        """Whether factors are complex."""
        return bool(np.iscomplexobj(self.rows))

    @cached_property
    def _flat(self) -> Array:
        """All rows in the order of coefficients: member, then pool."""
        return np.ascontiguousarray(self.rows.transpose(1, 0, 2).reshape(-1, self.rank))

    def analyse(self, x: Array) -> Array:
        """Return Q z: (..., R) to (..., L, K)."""
        n_pools, pool_size, _ = self.rows.shape
        self.spend(2 * x.size * n_pools * pool_size)
        return (x @ self._flat.T).reshape(*x.shape[:-1], pool_size, n_pools)

    def least_squares(self, c: Array) -> Array:
        """Return Qᴴ c: (..., L, K) to (..., R)."""
        self.spend(2 * c.size * self.rank)
        z: Array = c.reshape(*c.shape[:-2], -1) @ self._flat.conj()
        return z

    def weighted(self, weights: Array) -> Array:
        """Return Σ_k w_k Q_kᴴ Q_k, (R, R), for weights (K,)."""
        self.spend(2 * self.rows.size * self.rank)
        spread = np.tile(weights, self.rows.shape[1])[:, None]
        total: Array = self._flat.conj().T @ (spread * self._flat)
        return total


def basis(frame: Frame, *, real: bool) -> Basis:
    """Return an orthonormal basis of a frame's range, with the frame in it.

    If `real` is true, a complex coefficient counts as two real ones. Otherwise the two real
    coefficients of a pair count as one complex coefficient.
    """
    vectors, size = scaled_vectors(frame, real=real)
    n_pools, pool_size, n = vectors.shape
    left, values, right = np.linalg.svd(vectors.reshape(-1, n), full_matrices=False)
    seen = values > values[0] * max(n_pools * pool_size, n) * np.finfo(np.float64).eps
    return Basis(
        rows=left[:, seen].reshape(n_pools, pool_size, -1),
        signals=right[seen].conj().T / (size * values[seen]),
        unit=application(frame),
    )


def pool_norms(rows: Basis, factors: Array) -> Array:
    """Return s_k = √tr(Q_k X Q_kᴴ), (S, K), for the X with the factors (S, r, R)."""
    s: Array = np.linalg.norm(sizes(rows.analyse(factors)), axis=1)
    return s


def relative_value(rows: Basis, factors: Array, b: Array) -> Array:
    """Return Σ (s_k(X) − b_k)² / ‖b‖², (S,)."""
    value: Array = np.sum((pool_norms(rows, factors) - b) ** 2, axis=1) / np.sum(b**2, axis=1)
    return value


def relative_gap(rows: Basis, factors: Array, b: Array) -> Array:
    """Return how far the value of (P) is above a lower bound, in units of ‖b‖², (S,).

    Parameters
    ----------
    rows : Basis
        The frame.
    factors : ndarray, shape (S, r, R)
        Factors of any X.
    b : ndarray, shape (S, K)
        Measurements.
    """
    bound = [lower_bound(rows, *one) for one in zip(pool_norms(rows, factors), b, strict=True)]
    gap: Array = relative_value(rows, factors, b) - np.array(bound) / np.sum(b**2, axis=1)
    return gap


def lower_bound(rows: Basis, s: Array, b: Array) -> float:
    """Return a lower bound of (P) and (D): the value of w = b/s, scaled to be feasible, or 0."""
    s = np.maximum(s, SMALLEST)  # any positive s gives a bound
    largest = np.linalg.eigvalsh(rows.weighted(b / s))[-1]
    rows.spend(4 / 3 * rows.rank**3)
    return float(max(b @ b - largest * (b @ s), 0.0))


def directions(rows: Basis, factors: Array, b: Array) -> Array:
    """Return the u_k, (S, L, K), from the leading eigenvector of U, or 0 if b_k or s_k is zero.

    U = H Hᴴ, where H has the rows of Q V, with those of pool k divided by s_k.
    """
    half = rows.analyse(factors)
    s = np.linalg.norm(sizes(half), axis=1)
    half = half * np.divide(1.0, s, out=np.zeros_like(s), where=(s > 0) & (b > 0))[:, None, None]
    flat = half.reshape(*half.shape[:2], -1)
    size, copies, coefficients = flat.shape
    rows.spend(size * (2 * copies**2 * coefficients + 9 * copies**3))
    turn = np.linalg.eigh(flat.conj() @ flat.swapaxes(1, 2))[1][..., -1]
    u = np.einsum("sr,srlk->slk", turn, half)
    length = np.linalg.norm(u, axis=1, keepdims=True)
    unit: Array = np.divide(u, length, out=np.zeros_like(u), where=length > 0)
    return unit


def signals(rows: Basis, factors: Array, b: Array) -> Array:
    """Return x = F⁺(b u), (S, N), real.

    If x is complex, its phase is turned so that the real part is the longest, which is returned.
    """
    u = directions(rows, factors, b)
    x: Array = rows.least_squares(b[:, None] * u) @ rows.signals.T
    return longest_real(x)
