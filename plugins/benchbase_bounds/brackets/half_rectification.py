"""The Lipschitz constants of half rectification max(0, Fᵀx − α): Propositions 2.2 and 2.3."""

from __future__ import annotations

import time

import numpy as np

from benchbase import Array, Frame, Pooling
from benchbase_bounds.bracket import Bracket, agree, conclude
from benchbase_bounds.brackets.not_spanning import not_spanning
from benchbase_bounds.geometry.frame_operators import frame_operators, least_eigenvalues, rounding
from benchbase_bounds.geometry.regions import TooManyCellsError, active_sets
from benchbase_bounds.lower_ends.region_pairs import PairBound, pair_bound
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_ends.direct import empirical
from benchbase_bounds.upper_ends.region_points import pair_in_cell, point_in_cell

_TRIED = 50  # cells in which a pair is looked for, the least λ₋ first


def half_rectified(
    frame: Frame, pooling: Pooling, *, seed: int = 0, effort: float = 1.0
) -> Bracket:
    """Return the bracket of half rectification: pools of one, rectified, with any thresholds.

    A₀ = min over the active sets Ω of open regions of λ₋(F_Ω). The map is injective if and only if
    A₀ > 0 (Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014,
    Proposition 2.2), and A₀/2 ≤ A ≤ A₀ for all thresholds: the map is linear in a region, and
    between x and x′ each vector active at the midpoint makes at least half of its difference
    (compare Freeman and Haider, "Optimal lower Lipschitz bounds for ReLU layers, saturation, and
    phase retrieval", 2025). `pair_bound` raises the lower end, sometimes to A. B is the largest
    λ₊(F_Ω).

    Parameters
    ----------
    frame : Frame
        Real frame with pools of one.
    pooling : Pooling
        A rectified lp pooling, of any p.
    seed : int, optional
        Seed of the direct minimisation.
    effort : float, optional
        Factor of the numbers of regions and of pairs of these that are gone through. At 1, N = 5,
        M = 30 takes seconds.
    """
    begin = time.perf_counter()
    operator = Operator.of(frame, pooling)
    vectors, thresholds = operator.vectors[:, 0, :], operator.alpha[0]
    whole = float(np.linalg.norm(vectors, ord=2))
    flat = not_spanning(operator)
    if flat is not None:
        return flat
    try:
        sets = active_sets(vectors, thresholds, most=int(200_000 * effort))
    except TooManyCellsError as error:
        direct, found = empirical(operator, seed=seed, restarts=max(4, int(32 * effort)))
        return Bracket(
            lower=0.0,
            upper=direct,
            exact=agree(0.0, direct, whole),
            largest=whole,
            largest_exact=False,
            pair=found,
            method="direct minimisation; λ₊(F) as the upper end of B",
            seconds=time.perf_counter() - begin,
            reason=str(error),
        )
    squares = squared_least(vectors, sets)
    a0 = float(np.sqrt(max(0.0, squares.min() - rounding(vectors))))
    between = pair_bound(vectors, thresholds, sets, squares, most=int(20_000 * effort))
    lower = max(a0 / 2, between.lower)
    pair, upper = _best_pair(operator, sets, squares, between)
    largest = float(np.sqrt(np.linalg.eigvalsh(frame_operators(vectors, sets))[:, -1].max()))
    if not agree(lower, upper, largest):
        start = None if pair is None else np.array([pair])
        restarts = max(4, int(32 * effort))
        direct, found = empirical(operator, seed=seed, restarts=restarts, starts=start)
        if direct < upper:
            pair, upper = found, direct
    if point_in_cell(vectors, thresholds, sets[squares.argmin()]) is None:
        reason = "nearly degenerate: regions narrower than rounding count in the lower end"
    else:
        reason = between.reason or "the bounds over regions are not tight"
    method = f"{len(sets)} regions; " + (
        "pairs of regions" if between.lower > a0 / 2 else "A₀/2 as the lower end"
    )
    return conclude(begin, lower, upper, pair, method, reason, largest=largest)


def squared_least(vectors: Array, sets: Array) -> Array:
    """Return λ₋²(F_Ω): vectors (M, N), sets bool (..., M), to (...); at least 0."""
    return np.maximum(least_eigenvalues(frame_operators(vectors, sets)), 0.0)


def a_0(vectors: Array, sets: Array) -> float:
    """Return A₀ = min over Ω of λ₋(F_Ω), of the paper's equation 8.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    sets : ndarray of bool, shape (C, M)
        The active sets, of `active_sets`.
    """
    return float(np.sqrt(squared_least(vectors, sets).min()))


def a_00(vectors: Array, sets: Array) -> float:
    """Return A₀₀ of the paper's inequality 9, its misprint corrected.

    The root of the least λ₋²(F_{Ω∩Ω′}) + min(λ₋²(F_{Ω∖Ω′}), λ₋²(F_{Ω′∖Ω})) over pairs of active
    sets. It is no lower bound of A: with N = 1 and f = (1, −1) it is 1, and x = 1, x′ = −1 have
    the ratio 1/√2. `pair_bound` is one.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    sets : ndarray of bool, shape (C, M)
        The active sets, of `active_sets`.
    """
    least = np.inf
    for one in sets:
        alone = np.minimum(squared_least(vectors, one & ~sets), squared_least(vectors, sets & ~one))
        least = min(least, float((squared_least(vectors, one & sets) + alone).min()))
    return float(np.sqrt(least))


def a_tilde(vectors: Array, sets: Array) -> float:
    """Return Ã = min over Ω of max(λ₋(F_Ω), λ₋(F_Ωᶜ)), Corollary 2.3 with the root that it lacks.

    It concerns the map that takes x or −x, whichever has more active coefficients, and only without
    thresholds and ties; that map jumps where the number of active coefficients changes sides.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    sets : ndarray of bool, shape (C, M)
        The active sets, of `active_sets`.
    """
    larger = np.maximum(squared_least(vectors, sets), squared_least(vectors, ~sets))
    return float(np.sqrt(larger.min()))


def _best_pair(
    operator: Operator, sets: Array, squares: Array, between: PairBound
) -> tuple[tuple[Array, Array] | None, float]:
    """Return the pair of least ratio among those of the pair bound and those inside regions."""
    vectors, thresholds = operator.vectors[:, 0, :], operator.alpha[0]
    best, upper = None, np.inf
    for x, y in between.pairs:
        found = float(operator.ratio(x, y))
        if found < upper:
            best, upper = (x, y), found
    for index in np.argsort(squares, kind="stable")[:_TRIED]:
        if np.sqrt(squares[index]) >= upper:
            break
        pair = pair_in_cell(vectors, thresholds, sets[index])
        if pair is not None:
            found = float(operator.ratio(*pair))
            if found < upper:
                best, upper = pair, found
    return best, upper
