"""A lower bound of A for half rectification, from pairs of regions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.frame_operators import frame_operators, least_eigenvalues, rounding
from benchbase_bounds.geometry.rational import Ranks

_EPS = float(np.finfo(np.float64).eps)
_SAFE = 1e-6  # relative singular values above it are no rounding
_ZERO = 1e-12  # and those below it may be that of zero


@dataclass(frozen=True)
class PairBound:
    """A lower bound from pairs of regions.

    Attributes
    ----------
    lower : float
        The bound, 0 where there is none.
    pairs : list of tuples of two ndarrays, each of shape (N,)
        Signals at which the weakest pairs are attained, if they lie in their regions.
    reason : str
        Why there is no bound.
    """

    lower: float
    pairs: list[tuple[Array, Array]] = field(default_factory=list)
    reason: str = ""


def pair_bound(
    vectors: Array, thresholds: Array, sets: Array, squares: Array, *, most: int
) -> PairBound:
    """Return a lower bound of A from the relaxation of pairs of regions to all of R^N.

    Let x have the active set Ω, x′ the set Ω′, and z = x − x′. Then

        ‖M(x) − M(x′)‖² = Σ_{Ω∩Ω′} ⟨z, f⟩² + Σ_{Ω∖Ω′} (⟨x, f⟩ − α)² + Σ_{Ω′∖Ω} (⟨x′, f⟩ − α)².

    For given z the least over all x, in the regions or not, is a quadratic form: zᵀ(S_{Ω∩Ω′} + P)z
    with P the parallel sum S_{Ω∖Ω′} : S_{Ω′∖Ω} (Anderson and Duffin, "Series and parallel addition
    of matrices", 1969), of the vectors (f, −α) in R^{N+1} where there are thresholds, of which the
    block of R^N counts. A² is at least the least eigenvalue over all pairs. Pairs whose
    S_{Ω∩Ω′} alone reaches A₀² need no P.

    Where ranks are in doubt of rounding they are taken in rational numbers, and where that finds
    them larger than rounding does, P counts as zero.

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
    first, second, shared = first[needed], second[needed], shared[needed]
    least = float(squares.min()) - rounding(vectors)
    exact = Ranks(normals)
    weakest: list[tuple[float, Array, Array]] = []
    for i, j in zip(first, second, strict=True):
        form, allowance = _form(vectors, normals, sets[i], sets[j], exact)
        values, directions = np.linalg.eigh(form)
        value = float(values[0]) - allowance - rounding(vectors)
        least = min(least, value)
        weakest.append((value, directions[:, 0], np.array([i, j])))
    weakest.sort(key=lambda item: item[0])
    pairs = [_attaining(vectors, thresholds, sets[i], sets[j], z) for _, z, (i, j) in weakest[:20]]
    return PairBound(float(np.sqrt(max(0.0, least))), pairs)


def _form(
    vectors: Array, normals: Array, one: Array, other: Array, exact: Ranks
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
    found = int(np.sum(relative > _SAFE))
    if found == len(matrix):  # the range is everything
        return form, 0.0
    if found < len(sizes) and (relative[found] > _ZERO or not exact.at_most(rows, found)):
        return form, 0.0
    moved = np.where(other[rows][:, None], vectors[rows], 0.0)
    basis = left[:, :found]
    rest = moved - basis @ (basis.T @ moved)
    allowance = 100 * (len(matrix) + n) * _EPS / relative[found - 1] * np.sum(vectors[rows] ** 2)
    return form + rest.T @ rest, float(allowance)


def _attaining(
    vectors: Array, thresholds: Array, one: Array, other: Array, z: Array
) -> tuple[Array, Array]:
    """Return x and x′ = x − z with the least Σ_{Ω∖Ω′} (⟨x, f⟩ − α)² + Σ_{Ω′∖Ω} (⟨x′, f⟩ − α)².

    The sign of z is the one at which more vectors are as active as their regions want.
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
