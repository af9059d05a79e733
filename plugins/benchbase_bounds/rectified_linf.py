"""The bracket of the maximum of half rectified coefficients."""

from __future__ import annotations

from benchbase import Frame, Pooling
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.operators import Operator
from benchbase_bounds.piecewise import piecewise


def rectified_linf(
    frame: Frame, pooling: Pooling, *, seed: int = 0, effort: float = 1.0
) -> Bracket:
    """Return the bracket of the maximum of half rectified coefficients.

    Corollary 2.7 is false as printed, as it counts λ₋ of vectors that are not active: for pools
    {1}, {−1} and {−2} it gives 1, but x = 5 and y = −1 have √(5/6). Here only active winners
    count, and with few cones the search over faces makes the result exact.

    Source: Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014,
    section 2. See `benchbase_bounds.piecewise` for how both ends are found.

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
        If the frame is complex or the pooling has no bounds.
    """
    return piecewise(Operator.of(frame, pooling), seed=seed, effort=effort)
