"""Block orthogonal matching pursuit: sparse representation of many points at once.

Sizes: P points, N dimension, K blocks, L vectors in a block, s blocks in use for a point.
"""

from __future__ import annotations

import numpy as np

from benchbase import Array

CHUNK = 500
"""The number of points at a time, so that the inner products with all blocks need little memory."""

DEPENDENT = 1e-12
"""A vector adds nothing to those in use if its part outside their span has at most this norm."""

EXHAUSTED = 1e-10
"""A block is not taken if its part of the residual is at most this share of the point's norm.

The part is the Euclidean norm of the block's inner products with the residual.
The share is well above `DEPENDENT`, so that no block is taken a second time because of rounding.
"""


def pursue(points: Array, blocks: Array, nonzero: int) -> tuple[Array, Array]:
    """Represent points by few blocks of vectors.

    This is orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad, 1993) with blocks
    (Eldar, Kuppinger and Bölcskei, "Block-sparse signals: uncertainty relations and efficient
    recovery", IEEE Trans. Signal Processing 58(6), 2010). In each step, the block whose inner
    products with the residual have the largest Euclidean norm is added, and the point is fitted by
    least squares to all vectors in use. Once no block can improve the fit of a point, the point
    gets no further blocks.

    Parameters
    ----------
    points : ndarray, shape (P, N)
        The points to represent, float64.
    blocks : ndarray, shape (K, L, N)
        The blocks, float64, of vectors with unit norm.
    nonzero : int
        The largest number s of blocks for a point, at most K.

    Returns
    -------
    support : ndarray of int, shape (P, s)
        The indices of the blocks in the order in which they were added, followed by -1 if fewer
        than s blocks were needed.
    coefficients : ndarray, shape (P, s, L)
        The coefficients of each point in its blocks. They are zero if `support` is -1, and for
        vectors that depend on earlier ones.
    """
    support = np.empty((len(points), nonzero), dtype=np.intp)
    coefficients = np.empty((len(points), nonzero, blocks.shape[1]))
    # The order is by member, then by block, so that the sums run over axis -2, as in a frame.
    vectors = np.ascontiguousarray(blocks.transpose(1, 0, 2)).reshape(-1, blocks.shape[2])
    for start in range(0, len(points), CHUNK):
        rows = slice(start, start + CHUNK)
        support[rows], coefficients[rows] = _pursue(points[rows], blocks, vectors, nonzero)
    return support, coefficients


def _pursue(points: Array, blocks: Array, vectors: Array, nonzero: int) -> tuple[Array, Array]:
    P = len(points)
    K, L, _ = blocks.shape
    residual = points.copy()
    fit = _OrthogonalFit(points.shape, nonzero * L)
    support = np.full((P, nonzero), -1, dtype=np.intp)
    limit = EXHAUSTED**2 * np.einsum("pn,pn->p", points, points)
    for step in range(nonzero):
        energy = np.square(residual @ vectors.T).reshape(P, L, K).sum(axis=1)
        best = energy.argmax(axis=1)
        wanted = energy[np.arange(P), best] > limit
        support[wanted, step] = best[wanted]
        for member in range(L):
            fit.add(np.where(wanted[:, None], blocks[best, member], 0), residual)
    return support, fit.coefficients().reshape(P, nonzero, L)


class _OrthogonalFit:
    """Least-squares fits of many points, each to its own vectors, which come one after the other.

    The vectors are stored as Q R with orthonormal Q, together with the points' coefficients in Q.
    This needs no Gram matrix, which would square the condition number, and factorises nothing
    twice.
    """

    def __init__(self, shape: tuple[int, ...], size: int) -> None:
        P, N = shape
        self._q = np.zeros((P, size, N))
        self._r = np.zeros((P, size, size))
        self._y = np.zeros((P, size))
        self._m = 0

    def add(self, vectors: Array, residual: Array) -> None:
        """Add one vector per point, (P, N), and subtract its part from the residuals in place."""
        m, q = self._m, self._q[:, : self._m]
        direction = vectors[:, :, None]
        for _ in range(2):  # the second time removes what rounding left
            part = q @ direction
            direction = direction - q.transpose(0, 2, 1) @ part
            self._r[:, :m, m] += part[:, :, 0]
        direction = direction[:, :, 0]
        length = np.sqrt(np.einsum("pn,pn->p", direction, direction))
        new = length > DEPENDENT
        # A dependent vector gets a 1 on the diagonal and nothing to fit: its coefficient is 0.
        self._r[:, m, m] = np.where(new, length, 1)
        direction *= (new / self._r[:, m, m])[:, None]
        self._q[:, m] = direction
        self._y[:, m] = np.einsum("pn,pn->p", direction, residual)
        residual -= self._y[:, m, None] * direction
        self._m += 1

    def coefficients(self) -> Array:
        """Return the points' coefficients in the vectors that were added, (P, size)."""
        c: Array = np.linalg.solve(self._r, self._y[:, :, None])[:, :, 0]
        return c
