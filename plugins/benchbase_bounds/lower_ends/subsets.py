"""The least λmin(S_Ω) + λmin(S_Ωᶜ) over the subsets Ω of a frame: three ways to find it.

S_Ω = Σ_{i ∈ Ω} f_i f_iᵀ. Its minimum is A² of the phaseless map (Proposition 2.1). By complement,
the subsets that hold the first vector are all that matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.frame_operators import (
    frame_operators,
    least_eigenvalues,
    least_eigenvectors,
    rounding,
)

_CHUNK = 2048  # matrices in a batch: enough to hide the overhead, little enough for the cache
_FLIPPED = 100  # vectors, up to which more than the best subset is followed by flips
MOST_ENUMERATED = 20
"""The largest number of vectors whose subsets are enumerated."""


@dataclass(frozen=True)
class Search:
    """What a search over subsets found.

    Attributes
    ----------
    value : float
        λmin(S_Ω) + λmin(S_Ωᶜ) of `subset`, as computed.
    subset : ndarray of bool, shape (M,)
        Ω.
    lower : float
        No subset has less than this, allowance for rounding made.
    complete : bool
        Whether all subsets have been compared or excluded.
    nodes : int
        How many partial subsets were looked at.
    """

    value: float
    subset: Array
    lower: float
    complete: bool
    nodes: int


def subset_values(vectors: Array, subsets: Array) -> Array:
    """Return λmin(S_Ω) + λmin(S_Ωᶜ): vectors (M, N), subsets bool (..., M), to (...)."""
    inside = frame_operators(vectors, subsets)
    outside = frame_operators(vectors, ~subsets)
    return least_eigenvalues(inside) + least_eigenvalues(outside)


def enumerate_subsets(vectors: Array) -> Search:
    """Compare all 2^(M−1) subsets: the oracle of `branch_and_bound`.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        At most `MOST_ENUMERATED` vectors.

    Raises
    ------
    ValueError
        If there are more.
    """
    m = len(vectors)
    if m > MOST_ENUMERATED:
        raise ValueError(f"2^{m - 1} subsets are too many to enumerate")
    count = 2 ** (m - 1)
    best, subset = np.inf, np.ones(m, dtype=bool)
    for start in range(0, count, _CHUNK):
        codes = np.arange(start, min(start + _CHUNK, count))
        subsets = (codes[:, None] >> np.arange(m)) & 1 == 1  # the last vector is never inside
        values = subset_values(vectors, subsets)
        if values.min() < best:
            best, subset = float(values.min()), subsets[values.argmin()]
    return Search(best, subset, max(0.0, best - rounding(vectors)), True, count)


def local_search(vectors: Array, rng: np.random.Generator, *, starts: int) -> tuple[float, Array]:
    """Return a good subset: alternation from random starts, then single flips of the best ones.

    For the least eigenvectors u and v of S_Ω and S_Ωᶜ the best subset is where |⟨u, f⟩| < |⟨v, f⟩|,
    so that taking turns never raises the sum; nor do flips of single vectors that lower it.

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
    # Flips take as long as hundreds of turns where vectors are many.
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
    return subsets, subset_values(vectors, subsets)


def _flip(vectors: Array, subset: Array, value: float) -> tuple[float, Array]:
    """Move the one vector across that lowers the sum most, alternate, and so on."""
    for _ in range(len(vectors)):
        flipped = subset ^ np.eye(len(vectors), dtype=bool)
        values = subset_values(vectors, flipped)
        if not values.min() < value - rounding(vectors):
            break
        subsets, lowered = _alternate(vectors, flipped[values.argmin()][None])
        subset, value = subsets[0], float(lowered[0])
    return value, subset


def branch_and_bound(vectors: Array, subset: Array, *, most: int) -> Search:
    """Find the subset of least λmin(S_Ω) + λmin(S_Ωᶜ), and prove that none has less.

    A node is a pair of disjoint sets, of vectors put inside and outside. More vectors raise both
    eigenvalues, so that their sum at a node bounds it below. The next vector to be put is the
    one that raises the volumes of both sides most, by its leverage ⟨f, (S + τI)⁻¹ f⟩ on the
    lesser side, with τ the best value so far: nodes are a tenth to a hundredth of those in order
    of the norms.

    A node is left out where its computed sum is at least the best value less δ, the bound of its
    own rounding (`frame_operators.rounding`); hence no subset has less than the best value less 2δ.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    subset : ndarray of bool, shape (M,)
        A good subset, to begin with.
    most : int
        The largest number of nodes to look at. Where it is reached, `lower` is the least sum over
        the nodes that are left.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    delta = rounding(vectors)
    best = float(subset_values(vectors, subset))
    first = int(np.argmax(np.sum(vectors**2, axis=1)))
    side = np.zeros((1, len(vectors)), dtype=np.int8)  # 1 inside, -1 outside, 0 open
    side[0, first] = 1
    least = np.zeros((1, 2))
    least[0, 0] = least_eigenvalues(frame_operators(vectors, side[0] > 0))  # not 0 for N = 1
    stack = [(side, least)] if len(vectors) > 1 else []
    nodes = 0
    while stack and nodes < most:
        side, least = stack.pop()
        keep = least.sum(axis=1) < best - delta  # the best value may have fallen meanwhile
        side, least = side[keep], least[keep]
        if len(side) > _CHUNK:
            stack.append((side[:-_CHUNK], least[:-_CHUNK]))
            side, least = side[-_CHUNK:], least[-_CHUNK:]
        if not len(side):
            continue
        nodes += len(side)
        side, least = _children(vectors, side, least, max(best, delta))
        total = least.sum(axis=1)
        whole = np.flatnonzero((side != 0).all(axis=1) & (total < best - delta))
        if whole.size:
            found = whole[total[whole].argmin()]
            best, subset = float(total[found]), side[found] > 0
        open_ = (total < best - delta) & (side == 0).any(axis=1)
        if open_.any():
            stack.append((side[open_], least[open_]))
    lower = min([best - 2 * delta, *(least.sum(axis=1).min() - delta for _, least in stack)])
    return Search(best, subset, max(0.0, float(lower)), not stack, nodes)


def _children(vectors: Array, side: Array, least: Array, tau: float) -> tuple[Array, Array]:
    """Put one open vector of each node inside, and outside."""
    inside = frame_operators(vectors, side > 0)
    outside = frame_operators(vectors, side < 0)
    damping = tau * np.eye(vectors.shape[1])
    leverage = np.minimum(
        *(
            np.sum((vectors @ np.linalg.inv(s + damping)) * vectors, axis=-1)
            for s in (inside, outside)
        )
    )
    leverage[side != 0] = -np.inf
    rows, chosen = np.arange(len(side)), leverage.argmax(axis=1)
    added = vectors[chosen][:, :, None] * vectors[chosen][:, None, :]
    sides, leasts = [], []
    for column, (sign, operator) in enumerate(((1, inside), (-1, outside))):
        child, value = side.copy(), least.copy()
        child[rows, chosen] = sign
        value[:, column] = least_eigenvalues(operator + added)
        sides.append(child)
        leasts.append(value)
    return np.concatenate(sides), np.concatenate(leasts)
