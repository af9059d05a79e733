"""The bootstrap of clusters that all intervals of differences and ranks come from."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_reports.statistics.student import student

SEED = 0
"""Of the resamples: the same results give the same intervals."""


def multipliers(clusters: int, replicates: int, comparisons: int = 1) -> Array:
    """Draw the weights by which a resample moves a statistic off its estimate.

    With ψ_c what cluster c contributes to a statistic (Σ ψ_c = 0), a resample moves it by
    Σ v_c ψ_c. Resampling few clusters with replacement gives too short intervals (four trials have
    35 distinct resamples, and no quantile of 2.5 %); the v_c are hence Gaussian, as in the
    multiplier or score bootstrap (Kline and Santos, J. Econometric Methods 2012), and scaled such
    that the quantiles at 2.5 and 97.5 % of a mean are the ends of Student's interval over clusters:
    by √(C / (C − 1)) · t(C − 1) / 1.96.

    Parameters
    ----------
    clusters : int
        Their number C. One alone tells nothing of others: its weights are 0.
    replicates : int
        How many resamples.
    comparisons : int, optional
        How many intervals are to hold together in 95 % of cases (Bonferroni): t is that at
        1 − .025 / comparisons, and the quantiles at 2.5 and 97.5 % are those of such an interval.

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
