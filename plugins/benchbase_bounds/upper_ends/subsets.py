"""Local search for a good subset: the upper end of A for phase retrieval (Proposition 2.1)."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.frame_operators import (
    frame_operators,
    least_eigenvectors,
    rounding,
    split_values,
)

_FLIPPED = 100  # vectors, up to which flips follow more than the best subset


def local_search(vectors: Array, rng: np.random.Generator, *, starts: int) -> tuple[float, Array]:
    """Return a good subset: alternation from random starts, then single flips of the best ones.

    For the least eigenvectors u and v of S_Ω and S_Ωᶜ the best subset has the vectors with
    |⟨u, f⟩| < |⟨v, f⟩|. So taking turns between subsets and eigenvectors never raises the sum.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    rng : numpy.random.Generator
        Source of the starts.
    starts : int
        Their number.

    Returns
    -------
    value : float
        λmin(S_Ω) + λmin(S_Ωᶜ).
    subset : ndarray of bool, shape (M,)
        Ω.
    """
    u, v = rng.standard_normal((2, starts, vectors.shape[1]))
    subsets, values = _alternate(vectors, (u @ vectors.T) ** 2 < (v @ vectors.T) ** 2)
    best, subset = np.inf, subsets[0]
    # If there are many vectors, flips take as long as hundreds of turns.
    followed = max(1, starts // 8) if len(vectors) <= _FLIPPED else 1
    for index in np.argsort(values, kind="stable")[:followed]:
        value, found = _flip(vectors, subsets[index], float(values[index]))
        if value < best:
            best, subset = value, found
    return best, subset


def _alternate(vectors: Array, subsets: Array, most: int = 200) -> tuple[Array, Array]:
    """Alternate between subsets (S, M) and eigenvectors until no subset changes."""
    subsets = subsets.copy()
    values = np.empty(len(subsets))
    moving = np.arange(len(subsets))
    for _ in range(most):
        inside, u = least_eigenvectors(frame_operators(vectors, subsets[moving]))
        outside, v = least_eigenvectors(frame_operators(vectors, ~subsets[moving]))
        values[moving] = inside + outside
        new = (u @ vectors.T) ** 2 < (v @ vectors.T) ** 2
        changed = (new != subsets[moving]).any(axis=1)
        moving = moving[changed]
        if not moving.size:
            return subsets, values
        subsets[moving] = new[changed]
    return subsets, split_values(vectors, subsets)


def _flip(vectors: Array, subset: Array, value: float) -> tuple[float, Array]:
    """Move the one vector to the other side that lowers the sum most, alternate, and repeat."""
    for _ in range(len(vectors)):
        flipped = subset ^ np.eye(len(vectors), dtype=bool)
        values = split_values(vectors, flipped)
        if not values.min() < value - rounding(vectors):
            break
        subsets, lowered = _alternate(vectors, flipped[values.argmin()][None])
        subset, value = subsets[0], float(lowered[0])
    return value, subset
