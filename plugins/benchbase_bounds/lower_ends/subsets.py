"""Branch and bound over subsets: A itself for phase retrieval (Proposition 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.frame_operators import (
    frame_operators,
    least_eigenvalues,
    rounding,
    split_values,
)

_CHUNK = 2048  # matrices in a batch: enough to hide the overhead, little enough for the cache


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
        No subset has less than this, with an allowance for rounding.
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


def branch_and_bound(vectors: Array, subset: Array, *, most: int) -> Search:
    """Find the subset of least λmin(S_Ω) + λmin(S_Ωᶜ), and prove that none has less.

    A node is a pair of disjoint sets: the vectors put inside and those put outside. More vectors
    raise both eigenvalues, so that their sum at a node is a lower bound of what follows from it.
    The next vector is the one with the largest leverage ⟨f, (S + τI)⁻¹ f⟩ on the side where it is
    less, with τ the best value so far. This takes a tenth to a hundredth of the nodes that the
    order of the norms takes.

    A node is left out if its computed sum is at least the best value less δ, the bound of its own
    rounding (`frame_operators.rounding`). Hence no subset has less than the best value less 2δ.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    subset : ndarray of bool, shape (M,)
        A good subset, to begin with.
    most : int
        The largest number of nodes to look at. If it is reached, `lower` is the least sum over the
        nodes that are left.
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    delta = rounding(vectors)
    best = float(split_values(vectors, subset))
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
