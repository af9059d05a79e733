"""The bracket of rectified l2 pooling."""

from __future__ import annotations

import time

import numpy as np

from benchbase import Frame, Pooling
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.brackets.piecewise_linear import cut, estimate, finish
from benchbase_bounds.corollaries import corrected_2_5
from benchbase_bounds.lower_ends.subdivision import certify
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_constant import ascend

_LARGEST = 3  # the largest N of the subdivision
_FEW = 100  # cones for whose pairs Corollary 2.5 is worked out
_TESTS = 800_000  # pairs of cones that are tested, times the effort


def rectified_l2(frame: Frame, pooling: Pooling, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of the l2 norm of half rectified coefficients.

    Corollary 2.5 of Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML
    2014, is false as printed, and as corrected it is 0 where pools are active in several vectors
    (`corollaries`). The lower end here is by subdivision of the cones of active sets, up to N = 3,
    or by that corollary where it proves nothing. The upper end is that of `empirical`, and B at
    most the largest λ₊ of active sets.

    Parameters
    ----------
    frame : Frame
        Real frame.
    pooling : Pooling
        The operator.
    seed : int, optional
        Of the starts of the search for the upper end.
    effort : float, optional
        Scales restarts and what may be enumerated.

    Raises
    ------
    benchbase.BenchbaseError
        If the frame is complex or the pooling another.
    """
    begin = time.perf_counter()
    operator = Operator.of(frame, pooling)
    upper, pair = estimate(operator, seed, effort)
    method = "direct minimisation of the ratio from many starts"
    if upper == 0:
        return finish(operator, begin, 0.0, 0.0, pair, f"{method}, which found a collision", "")
    cones, reason = cut(operator, 2 * effort)
    if cones is None:
        return finish(operator, begin, 0.0, upper, pair, method, reason)
    active = operator.coefficients(cones.interior()).transpose(0, 2, 1) > 0  # (C, K, L)
    flat = operator.vectors.reshape(-1, operator.n)
    tops = np.linalg.norm(flat * active.reshape(len(active), -1, 1), 2, axis=(1, 2))
    top = float(tops.max()) * (1 + 1e-13)
    steep = (min(ascend(operator, seed=seed), top), top)
    if operator.n > _LARGEST:
        reason = f"cones are not subdivided in {operator.n} dimensions, but up to {_LARGEST}"
        return finish(operator, begin, 0.0, upper, pair, method, reason, steep)
    lower = certify(operator, cones, upper, most=int(_TESTS * effort))
    method += "; below, by subdivision of the cones of active sets"
    if lower == 0 and len(cones.cones) <= _FEW:  # vectors of different pools may be opposite
        lower = corrected_2_5(operator, effort=2 * effort)
        method += ", and Corollary 2.5 as corrected"
    reason = "the subdivision of cones ends at a part of the upper end"
    return finish(operator, begin, lower, upper, pair, method, reason, steep)
