"""Certified least ratios over pairs of cones: lower ends for ℓ1, ℓ∞, rectified or not, and maxout.

A piecewise linear representation has Jacobians J and J' on two cones C and C', so that
R(x) − R(y) = Jx − J'y there. The least ‖Jx − J'y‖/‖x − y‖ over the spans of the cones is a singular
value, and a lower bound of the least ratio over the cones.

Rounding. Computed singular values and vectors are those of a matrix at most p ε of its norm away
(Higham, "Accuracy and stability of numerical algorithms", 2002, chapter 20, with p = 10 times the
numbers of rows and columns). Spaces turn by at most the distance over the least singular value that
is not zero, and pseudo-inverses B⁺ change by at most 2‖B⁺‖² times the distance, if the rank is
the same (Wedin, "Perturbation theory for pseudo-inverses", 1973). So ranks have to be known.
Singular values below 1e-12 are zero if exact arithmetic finds that rank, or if there are too few
rows for another rank. If any lies between 1e-12 and 1e-7, nothing is certified.
"""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.rational import Ranks
from benchbase_bounds.geometry.rounding import CLEAR, EPS, ZERO

_SECTIONS = 24


def rounding(n_rows: int, n: int) -> float:
    """Return p ε: how far, relative to its norm, a matrix is from one decomposed exactly."""
    return 10 * (n_rows + 2 * n) * EPS


def full_bounds(J: Array, J2: Array, change: Array, ranks: Ranks) -> Array:
    """Return certified lower bounds of ‖Jx − J'y‖/‖x − y‖ over all x and y.

    With u = x + y and v = x − y the difference is ½(J − J')u + ½(J + J')v. The bound is the least
    singular value of what is left of the second matrix beside the range of the first.

    Parameters
    ----------
    J, J2 : ndarray, shape (P, M, N)
        Pairs of Jacobians.
    change : ndarray of int, shape (P, K, L)
        What row k of J − J' is in the frame's vectors: Σ_l change[k, l] · vectors[k, l].
    ranks : Ranks
        Exact ranks of these rows.

    Returns
    -------
    ndarray, shape (P,)
    """
    m, n = J.shape[1:]
    if m < n:
        return np.zeros(len(J))
    half, mean = 0.5 * (J - J2), 0.5 * (J + J2)
    scale = np.linalg.norm(J, axis=(1, 2)) + np.linalg.norm(J2, axis=(1, 2))
    scale = np.where(scale > 0, scale, 1.0)
    left, values, _ = np.linalg.svd(half, full_matrices=False)
    sizes = values / scale[:, None]
    kept = sizes > ZERO
    left = left * kept[:, None, :]
    rest = mean - left @ (left.transpose(0, 2, 1) @ mean)
    least = np.linalg.svd(rest, compute_uv=False)[:, -1]
    smallest = np.where(kept, sizes, 1.0).min(axis=1)
    # The range turns by p ε/smallest, which moves the rest by as much of the mean's norm.
    least -= 2 * rounding(m, n) * scale * (1.0 + 1.0 / smallest)
    found: Array = np.where(smallest > CLEAR, np.maximum(least, 0.0), 0.0)
    counts = kept.sum(axis=1)
    doubtful = (counts < n) & (half.any(axis=2).sum(axis=1) > counts) & (found > 0)
    for at in np.flatnonzero(doubtful):
        if ranks.rank(change[at]) > counts[at]:
            found[at] = 0.0
    return found


def even_bounds(J: Array, J2: Array, slopes: Array, slopes2: Array, ranks: Ranks) -> Array:
    """Return certified lower bounds of ‖Jx − J'y‖/min(‖x − y‖, ‖x + y‖) over all x and y.

    Let Q be the quadratic form ‖Jx − J'y‖² in u = x + y and v = x − y. The bound is the root of the
    largest μ₁ + μ₂ with Q ⪰ diag(μ₁I, μ₂I) and both numbers at least 0. The largest μ₂ is a concave
    function of μ₁, and golden sections maximise the sum.

    Parameters
    ----------
    J, J2 : ndarray, shape (P, M, N)
        Pairs of Jacobians.
    slopes, slopes2 : ndarray of int, shape (P, K, L)
        What row k of J, and of J', is in the frame's vectors: Σ_l slopes[k, l] · vectors[k, l].
    ranks : Ranks
        Exact ranks of such rows.

    Returns
    -------
    ndarray, shape (P,)
    """
    n = J.shape[2]
    rows = 0.5 * np.concatenate([J - J2, J + J2], axis=2)
    Q = rows.transpose(0, 2, 1) @ rows
    trace = np.trace(Q, axis1=1, axis2=2)
    # Of the products, and of the least eigenvalue, of matrices up to twice as large as Q.
    margin = 4 * rounding(J.shape[1], n) * trace

    def second(first: Array) -> Array:
        """Return the largest μ₂ for given μ₁, or less: Q − diag(μ₁I, 0) has a Schur complement."""
        shifted = Q[:, :n, :n] - first[:, None, None] * np.eye(n)
        values, vectors = np.linalg.eigh(shifted)
        mixed = vectors.transpose(0, 2, 1) @ Q[:, :n, n:]
        values = np.maximum(values, margin[:, None])
        rest = Q[:, n:, n:] - mixed.transpose(0, 2, 1) @ (mixed / values[:, :, None])
        least: Array = np.linalg.eigvalsh(rest)[:, 0]
        return least

    low = np.zeros(len(Q))
    high = np.maximum(np.linalg.eigvalsh(Q[:, :n, :n])[:, 0], 0.0)
    golden = 0.5 * (np.sqrt(5.0) - 1.0)
    for _ in range(_SECTIONS):
        a, b = high - golden * (high - low), low + golden * (high - low)
        left = a + second(a) > b + second(b)
        high, low = np.where(left, b, high), np.where(left, low, a)
    first = 0.5 * (low + high)
    both = np.stack([first, second(first)])
    # The pair that was found is checked as it stands: what Q falls short of it is taken off both.
    shift = np.repeat(both.T, n, axis=1)[:, :, None] * np.eye(2 * n)
    short = np.maximum(-np.linalg.eigvalsh(Q - shift)[:, 0], 0.0) + margin
    both -= short
    found = np.sqrt(np.where((both >= 0).all(axis=0), both.sum(axis=0), 0.0))
    # If one of them is 0 there is no room for a margin, but singular values need none.
    alone = [full_bounds(J, s * J2, slopes - s * slopes2, ranks) for s in (1, -1)]
    return np.maximum(found, np.maximum(*alone))
