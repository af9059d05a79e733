"""The bracket of l∞ pooling without rectification."""

from __future__ import annotations

from benchbase import Frame, Pooling
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.operators import Operator
from benchbase_bounds.piecewise import piecewise


def linf(frame: Frame, pooling: Pooling, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of l∞ pooling without rectification.

    Proposition 2.6 is valid, but loose: the pair bound takes the quadratic form of each pair of
    linear cones as it is, instead of its common winners and an angle.

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
