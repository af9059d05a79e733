"""Linear algebra in rational numbers, for what rounding cannot decide.

Floating-point numbers are rational, so that ranks and signs are those of the frame as it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from benchbase import Array

Row = list[Fraction]


def rows_of(matrix: Array) -> list[Row]:
    """Return a matrix (m, n) of finite floating-point numbers or fractions as rows of fractions."""
    return [[Fraction(entry) for entry in row] for row in matrix]


def fractions(array: Array) -> Array:
    """Return an array of the same shape that holds fractions, of which sums are exact."""
    exact: Array = np.vectorize(Fraction, otypes=[object])(array)
    return exact


def rank(matrix: Array) -> int:
    """Return the rank of a matrix (m, n)."""
    return len(_reduced(rows_of(matrix))[1])


class Ranks:
    """Whether rows of a matrix have the rank that floating point finds, at most so many times.

    Parameters
    ----------
    normals : ndarray, shape (M, N)
        The matrix, in floating-point numbers or fractions.
    most : int, optional
        How many ranks may be taken.
    """

    def __init__(self, normals: Array, most: int = 500) -> None:
        self.normals, self.most = normals, most
        self.known: dict[bytes, int] = {}

    def at_most(self, rows: Array, found: int) -> bool:
        """Say whether chosen rows (M,) have at most this rank; no where there were too many."""
        key = rows.tobytes()
        if key not in self.known:
            if len(self.known) >= self.most:
                return False
            self.known[key] = rank(self.normals[rows])
        return self.known[key] <= found


def null_vector(matrix: Array) -> Row | None:
    """Return the vector that spans the null space of a matrix (m, n), or None if none does."""
    n = matrix.shape[1]
    rows, pivots = _reduced(rows_of(matrix))
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


def _reduced(rows: list[Row]) -> tuple[list[Row], list[int]]:
    """Return the reduced echelon form, its rows with a pivot first, and the pivots' columns."""
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
