"""The bootstrap of clusters, from which all intervals of differences and ranks come."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_reports.statistics.student import student

SEED = 0
"""The seed of the resamples: the same results give the same intervals."""


def multipliers(clusters: int, replicates: int, comparisons: int = 1) -> Array:
    """Draw the weights with which resamples move a statistic away from its estimate.

    If cluster c contributes ψ_c to a statistic (Σ ψ_c = 0), a resample moves it by Σ v_c ψ_c.
    Resampling few clusters with replacement would give intervals that are too short: four trials
    have 35 distinct resamples and no quantile of 2.5 %. The v_c are Gaussian instead, as in the
    multiplier or score bootstrap (Kline and Santos, J. Econometric Methods 2012). They are scaled
    by √(C / (C − 1)) · t(C − 1) / 1.96, so that the quantiles of a mean at 2.5 and 97.5 % are the
    ends of Student's interval over clusters.

    Parameters
    ----------
    clusters : int
        The number C of clusters. The weights of a single one are 0: it says nothing about others.
    replicates : int
        The number of resamples.
    comparisons : int, optional
        The number of intervals that are to hold together in 95 % of cases (Bonferroni). Student's
        t is then taken at 1 − .025 / comparisons, and the quantiles at 2.5 and 97.5 % are the ends
        of such an interval.

    Returns
    -------
    ndarray, shape (replicates, clusters)
    """
    if clusters < 2:
        return np.zeros((replicates, clusters))
    drawn = np.random.default_rng(SEED).standard_normal((replicates, clusters))
    reach = student(clusters - 1, comparisons) / student(np.inf)
    scale = np.sqrt(clusters / (clusters - 1)) * reach
    weights: Array = drawn * scale
    return weights
