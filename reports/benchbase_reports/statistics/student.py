"""Student's t, the quantile that intervals over few trials are made with."""

from __future__ import annotations

import numpy as np

from benchbase import Array

CONFIDENCE = 0.95


def student(freedom: Array | float, comparisons: int = 1) -> Array:
    """Return the standard errors that a 95 % interval reaches to either side.

    Parameters
    ----------
    freedom : ndarray or float
        Degrees of freedom of Student's t; infinite for the normal distribution.
    comparisons : int, optional
        How many intervals are to hold together in 95 % of cases (Bonferroni).
    """
    from scipy.special import stdtrit  # not scipy.stats, which takes a second to import

    return np.asarray(stdtrit(freedom, 1 - (1 - CONFIDENCE) / 2 / comparisons))
