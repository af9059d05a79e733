"""The bracket of rectified ℓ2 pooling (Corollary 2.5)."""

from __future__ import annotations

from benchbase_bounds.bracket import Bracket, conclude
from benchbase_bounds.geometry.kinks import fan_of
from benchbase_bounds.lower_ends.subdivision import LARGEST, certify
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_constant import of_active_sets, upper_constant
from benchbase_bounds.upper_ends.direct import upper_end

_TESTS = 800_000  # pairs of cones that are tested, times the effort


def rectified_l2(operator: Operator, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of the ℓ2 norm of half rectified coefficients.

    Corollary 2.5 of Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML
    2014, is false as printed: it counts pools that are active at both signals with different
    vectors, whose values may be equal. As corrected, it counts only pools with the same single
    active vector, and pools that are active at one signal alone; that is 0 in most frames. The
    lower end here is by subdivision of the cones of active sets, up to N = 3. The upper end is by
    direct minimisation, and B is at most the largest λ₊ of an active set.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed : int, optional
        Seed of the search for the upper end.
    effort : float, optional
        Factor of the number of starts and of what may be enumerated.
    """
    upper, pair = upper_end(operator, seed=seed, effort=effort)
    method, reason, fan, lower = "direct minimisation of the ratio from many starts", "", None, 0.0
    if upper == 0:
        method += ", which found a collision"
    else:
        fan, reason = fan_of(operator, 2 * effort)
    if fan is None:
        low, high = upper_constant(operator)
    else:
        active = operator.coefficients(fan.interior()).transpose(0, 2, 1) > 0  # (C, K, L)
        low, high = of_active_sets(operator, active, seed=seed)
        if operator.n > LARGEST:
            reason = f"cones are subdivided only up to {LARGEST} dimensions, not in {operator.n}"
        else:
            lower = certify(operator, fan, upper, most=int(_TESTS * effort))
            method += "; below, by subdivision of the cones of active sets"
            reason = "the subdivision of cones ends at a part of the upper end"
    return conclude(lower, upper, pair, method, reason, largest=high, attained=low)
