"""The quantile of Student's t, with which intervals over few trials are made."""

from __future__ import annotations

import numpy as np

from benchbase import Array

CONFIDENCE = 0.95


def student(freedom: Array | float, comparisons: int = 1) -> Array:
    """Return how many standard errors a 95 % interval reaches to either side.

    Parameters
    ----------
    freedom : ndarray or float
        The degrees of freedom of Student's t; infinite for the normal distribution.
    comparisons : int, optional
        The number of intervals that are to hold together in 95 % of cases (Bonferroni).
    """
    from scipy.special import stdtrit  # not scipy.stats, which takes a second to import

    return np.asarray(stdtrit(freedom, 1 - (1 - CONFIDENCE) / 2 / comparisons))
