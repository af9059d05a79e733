"""The bracket of ℓ2 pooling without rectification (Proposition 2.4)."""

from __future__ import annotations

import numpy as np

from benchbase_bounds.bracket import Bracket, conclude
from benchbase_bounds.lower_ends.polynomial import polynomial_lower_bound
from benchbase_bounds.lower_ends.subdivision import LARGEST, certify
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_ends.l2 import upper_end

_TESTS = 400_000  # pairs of cones that are tested, times the effort


def l2(operator: Operator, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of ℓ2 pooling without rectification.

    The upper end is that of `benchbase_bounds.upper_ends.l2`. The lower end is by subdivision of
    cones up to N = 3, or the polynomial bound if that is larger or N is. B = λ₊(F).

    Parameters
    ----------
    operator : Operator
        The representation.
    seed : int, optional
        Seed of the starts.
    effort : float, optional
        Factor of their number. At 1, N = 100, K = 300 takes some ten seconds.
    """
    starts = max(4, int(effort * min(100, 1200 // operator.n)))
    upper, pair = upper_end(operator, seed=seed, starts=starts)
    lower = min(polynomial_lower_bound(operator.vectors), upper)
    certificate = "polynomial lower bound"
    reason = "no certificate but the polynomial one, which is loose"
    if operator.n <= LARGEST and upper > 0:
        lower = max(lower, certify(operator, None, upper, most=int(_TESTS * effort)))
        certificate = "subdivision of cones"
        reason = (
            "the certified lower end is below the upper end; more effort may bring them together"
        )
    largest = float(np.linalg.norm(operator.vectors.reshape(-1, operator.n), ord=2))
    method = f"closed form by alternation and L-BFGS from {starts} starts each; {certificate}"
    return conclude(lower, upper, pair, method, reason, largest=largest)
