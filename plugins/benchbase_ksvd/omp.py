"""Block orthogonal matching pursuit of many points at once.

Shapes: P points, N dimension, K blocks, L vectors in a block, s blocks in use.
"""

from __future__ import annotations

import numpy as np

from benchbase import Array

CHUNK = 500
"""Points at a time, so that the inner products with all blocks stay small."""

DEPENDENT = 1e-12
"""The part of a vector outside the span of those in use at which it adds nothing to them."""

EXHAUSTED = 1e-10
"""The share of a point in a block, as a norm, at which the block is not worth taking.

Well above `DEPENDENT`, so that no block comes in twice for what rounding leaves of it.
"""


def pursue(points: Array, blocks: Array, nonzero: int) -> tuple[Array, Array]:
    """Represent points by few blocks of vectors.

    Orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad, 1993) with blocks (Eldar,
    Kuppinger and Bölcskei, "Block-sparse signals: uncertainty relations and efficient recovery",
    IEEE Trans. Signal Processing 58(6), 2010): in each step the block whose inner products with
    the residual have the largest Euclidean norm comes in, and the point is fitted by least squares
    to all vectors in use. A point to which no block can add any more takes no more.

    Parameters
    ----------
    points : ndarray, shape (P, N)
        What to represent; float64.
    blocks : ndarray, shape (K, L, N)
        The blocks; float64, of vectors with unit norm.
    nonzero : int
        The largest number s of blocks for a point, at most K.

    Returns
    -------
    support : ndarray of int, shape (P, s)
        The blocks in the order in which they came in, then -1 where no more were needed.
    coefficients : ndarray, shape (P, s, L)
        Zero where `support` is -1, and for vectors that depend on earlier ones.
    """
    support = np.empty((len(points), nonzero), dtype=np.intp)
    coefficients = np.empty((len(points), nonzero, blocks.shape[1]))
    # By member, then block: the inner products are then summed over axis -2, as in a frame.
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
    """Least squares of many points, each to vectors of its own that come one after the other.

    The vectors are kept as Q R with orthonormal Q, and the points' coefficients in Q: no Gram
    matrix, which would square the condition, and nothing is factorised twice.
    """

    def __init__(self, shape: tuple[int, ...], size: int) -> None:
        P, N = shape
        self._q = np.zeros((P, size, N))
        self._r = np.zeros((P, size, size))
        self._y = np.zeros((P, size))
        self._m = 0

    def add(self, vectors: Array, residual: Array) -> None:
        """Bring in one vector a point, (P, N), and take its share from the residual in place."""
        m, q = self._m, self._q[:, : self._m]
        direction = vectors[:, :, None]
        for _ in range(2):  # once more for what rounding left
            part = q @ direction
            direction = direction - q.transpose(0, 2, 1) @ part
            self._r[:, :m, m] += part[:, :, 0]
        direction = direction[:, :, 0]
        length = np.sqrt(np.einsum("pn,pn->p", direction, direction))
        new = length > DEPENDENT
        # One on the diagonal and nothing to fit: the coefficient of what adds nothing is zero.
        self._r[:, m, m] = np.where(new, length, 1)
        direction *= (new / self._r[:, m, m])[:, None]
        self._q[:, m] = direction
        self._y[:, m] = np.einsum("pn,pn->p", direction, residual)
        residual -= self._y[:, m, None] * direction
        self._m += 1

    def coefficients(self) -> Array:
        """Return the points' coefficients in the vectors that came in, (P, size)."""
        c: Array = np.linalg.solve(self._r, self._y[:, :, None])[:, :, 0]
        return c
