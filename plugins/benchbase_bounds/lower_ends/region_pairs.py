"""Pair bounds over regions: lower ends for half rectification (Proposition 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.frame_operators import (
    frame_operators,
    least_eigenvalues,
    rounding,
)
from benchbase_bounds.geometry.rational import Ranks
from benchbase_bounds.geometry.rounding import EPS, ZERO

_SAFE = 1e-6  # relative singular values above it are no rounding
_MOST_RANKS = 500


@dataclass(frozen=True)
class PairBound:
    """A lower bound from pairs of regions.

    Attributes
    ----------
    lower : float
        The bound, or 0 if there is none.
    pairs : list of tuples of two ndarrays, each of shape (N,)
        Signals that attain the bounds of the weakest pairs, if they lie in their regions.
    reason : str
        Why there is no bound, or empty.
    """

    lower: float
    pairs: list[tuple[Array, Array]] = field(default_factory=list)
    reason: str = ""


def pair_bound(
    vectors: Array, thresholds: Array, sets: Array, squares: Array, *, most: int
) -> PairBound:
    """Return a lower bound of A: each pair of regions is relaxed to all of R^N.

    Let x have the active set Ω, x′ the set Ω′, and z = x − x′. Then

        ‖M(x) − M(x′)‖² = Σ_{Ω∩Ω′} ⟨z, f⟩² + Σ_{Ω∖Ω′} (⟨x, f⟩ − α)² + Σ_{Ω′∖Ω} (⟨x′, f⟩ − α)².

    For given z the least value over all x, in the regions or not, is the quadratic form
    zᵀ(S_{Ω∩Ω′} + P)z. P is the parallel sum S_{Ω∖Ω′} : S_{Ω′∖Ω} (Anderson and Duffin, "Series and
    parallel addition of matrices", 1969). With thresholds it is taken of the vectors (f, −α) in
    R^{N+1}, and its block of R^N counts. A² is at least the least eigenvalue over all pairs. Pairs
    whose S_{Ω∩Ω′} alone reaches A₀² need no P.

    If rounding leaves a rank in doubt, it is taken in rational numbers. If that finds it larger
    than floating point does, P counts as zero.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    thresholds : ndarray, shape (M,)
        α.
    sets : ndarray of bool, shape (C, M)
        The active sets.
    squares : ndarray, shape (C,)
        λ₋²(F_Ω) of each.
    most : int
        The largest number of pairs to go through.
    """
    count = len(sets) * (len(sets) - 1) // 2
    if count > most:
        return PairBound(0.0, reason=f"{count} pairs of regions are too many for the pair bound")
    normals = np.column_stack([vectors, -thresholds]) if thresholds.any() else vectors
    first, second = np.triu_indices(len(sets), 1)
    shared = least_eigenvalues(frame_operators(vectors, sets[first] & sets[second]))
    needed = shared < squares.min()
    first, second = first[needed], second[needed]
    least = float(squares.min()) - rounding(vectors)
    ranks = Ranks(normals[:, None, :], most=_MOST_RANKS)
    weakest: list[tuple[float, Array, Array]] = []
    for i, j in zip(first, second, strict=True):
        form, allowance = _form(vectors, normals, sets[i], sets[j], ranks)
        values, directions = np.linalg.eigh(form)
        value = float(values[0]) - allowance - rounding(vectors)
        least = min(least, value)
        weakest.append((value, directions[:, 0], np.array([i, j])))
    weakest.sort(key=lambda item: item[0])
    pairs = [_attaining(vectors, thresholds, sets[i], sets[j], z) for _, z, (i, j) in weakest[:20]]
    return PairBound(float(np.sqrt(max(0.0, least))), pairs)


def _form(
    vectors: Array, normals: Array, one: Array, other: Array, ranks: Ranks
) -> tuple[Array, float]:
    """Return S_{Ω∩Ω′} + P, (N, N), and a bound of the error of P for rounding.

    zᵀPz is the squared distance of (0, Hz) to the range of the matrix of rows x ↦ (Gx, Hx), with
    the rows G of Ω∖Ω′ and H of Ω′∖Ω.
    """
    n = vectors.shape[1]
    form = frame_operators(vectors, one & other)
    rows = one ^ other
    matrix = normals[rows]
    if not len(matrix):
        return form, 0.0
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    relative = sizes / sizes[0]
    count = int(np.sum(relative > _SAFE))
    if count == len(matrix):  # the range is everything
        return form, 0.0
    if count < len(sizes) and (relative[count] > ZERO or ranks.rank(rows[:, None]) > count):
        return form, 0.0
    moved = np.where(other[rows][:, None], vectors[rows], 0.0)
    basis = left[:, :count]
    rest = moved - basis @ (basis.T @ moved)
    allowance = 100 * (len(matrix) + n) * EPS / relative[count - 1] * np.sum(vectors[rows] ** 2)
    return form + rest.T @ rest, float(allowance)


def _attaining(
    vectors: Array, thresholds: Array, one: Array, other: Array, z: Array
) -> tuple[Array, Array]:
    """Return x and x′ = x − z with the least Σ_{Ω∖Ω′} (⟨x, f⟩ − α)² + Σ_{Ω′∖Ω} (⟨x′, f⟩ − α)².

    Of z and −z, the one is taken with which more vectors are as active as their regions want.
    """
    candidates = []
    for direction in (z, -z):
        goal = thresholds + np.where(other & ~one, vectors @ direction, 0.0)
        rows = one ^ other
        x = np.linalg.lstsq(vectors[rows], goal[rows], rcond=None)[0]
        y = x - direction
        fits = np.sum((vectors @ x > thresholds) == one) + np.sum(
            (vectors @ y > thresholds) == other
        )
        candidates.append((int(fits), (x, y)))
    return max(candidates, key=lambda item: item[0])[1]
