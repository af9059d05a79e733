"""The bracket of real phase retrieval: pools of one without rectification (Proposition 2.1)."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.bracket import Bracket, conclude
from benchbase_bounds.geometry.frame_operators import frame_operators, least_eigenvectors
from benchbase_bounds.lower_ends.polynomial import polynomial_lower_bound
from benchbase_bounds.lower_ends.subsets import branch_and_bound
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_ends.subsets import local_search

_STARTS = 400  # of the local search if no branch and bound follows
_LARGEST = 16  # the largest N of branch and bound, which looks at 2^(2N) nodes or so


def phase_retrieval(operator: Operator, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of the phaseless map |Fᵀx|: pools of one, without rectification.

    A² = min over Ω of λ₋²(F_Ω) + λ₋²(F_Ωᶜ) (Bruna, Szlam and LeCun, "Signal recovery from pooling
    representations", ICML 2014, Proposition 2.1, with singular values λ; tight). With
    u and v where the two parts are least, x = (u + v)/2 and x′ = (u − v)/2 attain it. Fewer than
    2N − 1 vectors leave two parts that do not span, so that A = 0. B = λ₊(F).

    Parameters
    ----------
    operator : Operator
        Pools of one.
    seed : int, optional
        Seed of the local search.
    effort : float, optional
        Factor of the numbers of starts and nodes. At 1, N = 8, M = 32 and N = 6, M = 36 take
        seconds, and N = 10, M = 40 about half a minute. Branch and bound is given up after a
        minute or so, and is not begun for N > 16. The lower end is then the polynomial bound.
    """
    vectors = operator.vectors[:, 0, :]
    vectors = vectors[np.abs(vectors).max(axis=1) > 0]
    m, n = vectors.shape
    reason, lower = "", 0.0
    if m < 2 * n - 1:
        subset = np.arange(m) < min(m, n - 1)
        method = f"{m} vectors other than zero, fewer than 2N − 1 = {2 * n - 1}: not injective"
    else:
        starts = max(4, int(effort * (_STARTS if n > _LARGEST else min(200, 1000 // n))))
        _, subset = local_search(vectors, np.random.default_rng(seed), starts=starts)
        lower = polynomial_lower_bound(vectors[:, None, :])
        method = f"local search from {starts} starts; polynomial lower bound"
        if n > _LARGEST:
            reason = f"branch and bound would not end in {n} dimensions"
        else:
            search = branch_and_bound(vectors, subset, most=int(effort * 2e7 / (5 + n)))
            subset, lower = search.subset, max(lower, float(np.sqrt(search.lower)))
            method = f"branch and bound over subsets, {search.nodes} nodes"
            if not search.complete:
                reason = f"branch and bound was given up after {search.nodes} nodes"
    pair = subset_pair(vectors, subset)
    largest = float(np.linalg.norm(vectors, ord=2)) if m else 0.0
    return conclude(lower, float(operator.ratio(*pair)), pair, method, reason, largest=largest)


def subset_pair(vectors: Array, subset: Array) -> tuple[Array, Array]:
    """Return two signals whose squared ratio is at most λ₋²(F_Ω) + λ₋²(F_Ωᶜ).

    λ₋²(F_Ω) is the least eigenvalue of F_Ωᵀ F_Ω. If Ω minimises the sum, the ratio is equal to it.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    subset : ndarray of bool, shape (M,)
        Ω.

    Returns
    -------
    x, x' : ndarray, shape (N,)
        The two signals, at distance 1.
    """
    _, u = least_eigenvectors(frame_operators(vectors, subset))
    _, v = least_eigenvectors(frame_operators(vectors, ~subset))
    return (u + v) / 2, (u - v) / 2
