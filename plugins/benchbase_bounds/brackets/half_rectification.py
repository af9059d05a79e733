"""The bracket of half rectification max(0, Fᵀx − α): rectified pools of one (Proposition 2.2)."""

from __future__ import annotations

import numpy as np

from benchbase_bounds.bracket import Bracket, agree, conclude
from benchbase_bounds.geometry.frame_operators import (
    frame_operators,
    least_eigenvalues,
    rounding,
)
from benchbase_bounds.geometry.regions import TooManyRegionsError, active_sets
from benchbase_bounds.lower_ends.region_pairs import pair_bound
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_ends.direct import minimise_ratio
from benchbase_bounds.upper_ends.regions import best_pair, point_in_region


def half_rectification(operator: Operator, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of half rectification: pools of one, rectified, with any thresholds.

    A₀ = min over the active sets Ω of open regions of λ₋(F_Ω). The map is injective if and only if
    A₀ > 0 (Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014,
    Proposition 2.2). Inequality 9 of that proposition is false. What holds is A₀/2 ≤ A ≤ A₀, for
    all thresholds: the map is linear in a region, and between x and x′ each vector that is active
    at the midpoint makes at least half of its difference (compare Freeman and Haider, "Optimal
    lower Lipschitz bounds for ReLU layers, saturation, and phase retrieval", 2025). `pair_bound`
    raises the lower end, sometimes to A. B is the largest λ₊(F_Ω).

    Parameters
    ----------
    operator : Operator
        Pools of one, whose vectors span R^N.
    seed : int, optional
        Seed of the direct minimisation.
    effort : float, optional
        Factor of the numbers of regions and of pairs of regions that are gone through. At 1,
        N = 5, M = 30 takes seconds.
    """
    vectors, thresholds = operator.vectors[:, 0, :], operator.alpha[0]
    restarts = max(4, int(32 * effort))
    try:
        sets = active_sets(vectors, thresholds, most=int(200_000 * effort))
    except TooManyRegionsError as error:
        direct, found = minimise_ratio(operator, seed=seed, restarts=restarts)
        method = "direct minimisation; λ₊(F) as the upper end of B"
        whole = float(np.linalg.norm(vectors, ord=2))
        return conclude(0.0, direct, found, method, str(error), largest=whole, attained=0.0)
    squares = np.maximum(least_eigenvalues(frame_operators(vectors, sets)), 0.0)
    half = float(np.sqrt(max(0.0, squares.min() - rounding(vectors)))) / 2
    between = pair_bound(vectors, thresholds, sets, squares, most=int(20_000 * effort))
    lower = max(half, between.lower)
    pair, upper = best_pair(operator, sets, squares, between.pairs)
    largest = float(np.sqrt(np.linalg.eigvalsh(frame_operators(vectors, sets))[:, -1].max()))
    if not agree(lower, upper, largest):
        starts = None if pair is None else np.array([pair])
        direct, found = minimise_ratio(operator, seed=seed, restarts=restarts, starts=starts)
        if direct < upper:
            pair, upper = found, direct
    if point_in_region(vectors, thresholds, sets[squares.argmin()]) is None:
        reason = "nearly degenerate: regions narrower than rounding count in the lower end"
    else:
        reason = between.reason or "the bounds over regions are not tight"
    method = f"{len(sets)} regions; "
    method += "pairs of regions" if between.lower > half else "A₀/2 as the lower end"
    return conclude(lower, upper, pair, method, reason, largest=largest)
