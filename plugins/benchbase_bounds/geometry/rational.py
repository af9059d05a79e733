"""Linear algebra in rational numbers, which decides ranks and signs where rounding cannot.

Floating-point numbers are rational, so the answers are those of the frame exactly as it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from benchbase import Array

Row = list[Fraction]


def fractions(array: Array) -> Array:
    """Return an array of the same shape that holds fractions, whose sums are exact.

    Parameters
    ----------
    array : ndarray
        Finite floating-point numbers, or fractions.
    """
    exact: Array = np.vectorize(Fraction, otypes=[object])(array)
    return exact


def rank(matrix: Array) -> int:
    """Return the rank of a matrix, (m, n), of floating-point numbers or fractions."""
    return len(_reduced(matrix)[1])


class Ranks:
    """Exact ranks of combinations of a frame's vectors, up to a largest number of computations.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame, in floating-point numbers.
    walls : ndarray of Fraction, shape (H, N), optional
        Normals of hyperplanes, which `rank` may add as rows.
    most : int, optional
        The number of ranks that may be computed; after that, `rank` returns N for each new
        question. Answers are kept, so asking again is free.
    """

    def __init__(self, vectors: Array, walls: Array | None = None, *, most: int = 3000) -> None:
        self.vectors, self.walls, self.most = fractions(vectors), walls, most
        self.known: dict[bytes, int] = {}

    def rank(self, change: Array | None, held: Array | None = None) -> int:
        """Return the rank of rows Σ_l change[k, l] · vectors[k, l], and of hyperplanes.

        Parameters
        ----------
        change : ndarray of int or bool, shape (K, L), or None
            Factors of the vectors.
        held : ndarray of bool, shape (H,), optional
            The hyperplanes whose normals are rows as well.

        Returns
        -------
        int
            N, the largest possible rank, if `most` ranks have been computed already. Callers
            certify nothing of a rank that is larger than rounding found it.
        """
        n = int(self.vectors.shape[2])
        key = b"|".join(b"" if part is None else part.tobytes() for part in (change, held))
        if key not in self.known:
            if len(self.known) >= self.most:
                return n
            rows: list[Array] = []
            if held is not None and self.walls is not None:
                rows += [*self.walls[held]]
            if change is not None:
                used = change.any(axis=1)
                parts = change[used, :, None].astype(int) * self.vectors[used]
                rows += [*parts.sum(axis=1)]
            self.known[key] = rank(np.array(rows, dtype=object).reshape(-1, n))
        return self.known[key]


def null_vector(matrix: Array) -> Row | None:
    """Return the vector that spans the null space of a matrix, (m, n), or None if none does."""
    n = matrix.shape[1]
    rows, pivots = _reduced(matrix)
    if len(pivots) != n - 1:
        return None
    free = next(column for column in range(n) if column not in pivots)
    vector = [Fraction(0)] * n
    vector[free] = Fraction(1)
    for row, pivot in zip(rows, pivots, strict=False):
        vector[pivot] = -row[free]
    return vector


def sign(row: Sequence[float], vector: Row) -> int:
    """Return the sign of an inner product: -1, 0 or 1."""
    product = sum((Fraction(a) * b for a, b in zip(row, vector, strict=True)), Fraction(0))
    return (product > 0) - (product < 0)


def parallel(a: Sequence[float], b: Sequence[float]) -> bool:
    """Say whether two vectors, neither of them zero, lie on one line."""
    first, second = ([Fraction(entry) for entry in row] for row in (a, b))
    pivot = next(i for i, entry in enumerate(first) if entry)
    return all(x * second[pivot] == y * first[pivot] for x, y in zip(first, second, strict=True))


def _reduced(matrix: Array) -> tuple[list[Row], list[int]]:
    """Return the reduced echelon form, its rows with a pivot first, and the pivots' columns."""
    rows = [[Fraction(entry) for entry in row] for row in matrix]
    pivots: list[int] = []
    for column in range(len(rows[0]) if rows else 0):
        top = len(pivots)
        found = next((i for i in range(top, len(rows)) if rows[i][column]), None)
        if found is None:
            continue
        rows[top], rows[found] = rows[found], rows[top]
        lead = rows[top][column]
        rows[top] = [entry / lead for entry in rows[top]]
        for i, row in enumerate(rows):
            if i != top and row[column]:
                factor = row[column]
                rows[i] = [x - factor * y for x, y in zip(row, rows[top], strict=True)]
        pivots.append(column)
    return rows, pivots
