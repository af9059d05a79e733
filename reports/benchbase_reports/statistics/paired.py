"""The comparison of two solvers on the same signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase import Array
from benchbase.showing import RECOVERED
from benchbase_reports.statistics.bootstrap import multipliers

if TYPE_CHECKING:
    import pandas as pd

EQUAL = 1 - RECOVERED
"""Squared cosines that differ by at most this are equal: a recovery may be off by as much."""

_REPLICATES = 9999
_EXACT = 14  # clusters at most for which all flips of signs are counted; of more, the sum is normal

PAIRED = {
    "signals": "signals for which both have an outcome",
    "trials": "trials that the signals come from",
    "mean_a": "mean of the trials' means of A",
    "mean_b": "the same of B",
    "difference": "mean of A − B",
    "low": "lower end of its 95 % interval, by a bootstrap over trials",
    "high": "upper end",
    "p": "two-sided p of Student's t over trials",
    "wilcoxon_p": "two-sided p of the signed rank test, clustered by trial",
    "wins": "share of signals on which A is ahead",
    "losses": "share of signals on which B is ahead",
    "ties": "share of the other signals",
    "one_frame": "whether there is one trial, so that the tests hold for its frames only",
}
"""The entries that `compare_pairs` returns, and what each holds."""


def compare_pairs(
    a: pd.Series[float], b: pd.Series[float], trial: pd.Series[Any]
) -> pd.Series[Any]:
    """Compare two solvers on the signals that both have tried.

    - The difference is the mean over trials of the trials' mean differences d_c. Its interval
      comes from the bootstrap over trials of `bootstrap.multipliers` (for a mean it is Student's t
      interval over trials). Its p value is that of t = d / (s / √C) with C − 1 degrees of freedom.
    - `signed_rank` is Wilcoxon's test for clusters.
    - The win rate counts signals. Differences of at most `EQUAL` are ties, also in the ranks.

    If there is one trial, its signals take the place of trials, and the result holds for its frames
    only.

    Parameters
    ----------
    a, b : pandas.Series
        One number per signal without NaN, on the same index; large numbers are good.
    trial : pandas.Series
        The trial of each signal.

    Returns
    -------
    pandas.Series
        The entries of `PAIRED`. They are NaN if there are no signals; p and interval are also NaN
        if there is one.
    """
    import pandas as pd
    from scipy.special import stdtr

    names, cluster = np.unique(trial.to_numpy(), return_inverse=True)
    one = len(names) < 2
    if one:
        cluster = np.arange(len(a))
    sizes = np.bincount(cluster)
    means = [np.bincount(cluster, values.to_numpy(float)) / sizes for values in (a, b)]
    gaps = np.bincount(cluster, (a - b).to_numpy(float)) / sizes
    count = len(sizes)
    difference = float(gaps.mean()) if count else np.nan
    low = high = p = np.nan
    if count > 1:
        moved = multipliers(count, _REPLICATES) @ (gaps - difference) / count
        low, high = difference + np.quantile(moved, [0.025, 0.975])
        error = gaps.std(ddof=1) / np.sqrt(count)
        if np.ptp(gaps) > 0:
            p = float(2 * stdtr(count - 1, -abs(difference) / error))
        else:  # the same in every trial
            p = float(difference == 0)
    gap = (a - b).to_numpy(float)
    gap = np.where(np.abs(gap) <= EQUAL, 0.0, gap)
    share = [float(np.mean(each)) if len(a) else np.nan for each in (gap > 0, gap < 0, gap == 0)]
    values = [
        *(len(a), len(names), *(float(mean.mean()) if count else np.nan for mean in means)),
        *(difference, low, high, p, signed_rank(gap, cluster), *share, one),
    ]
    return pd.Series(dict(zip(PAIRED, values, strict=True)), dtype=object)


def signed_rank(gap: Array, cluster: Array) -> float:
    """Return the two-sided p of Wilcoxon's signed rank test for clusters.

    Differences other than 0 are ranked by size, and the signed ranks of each cluster are summed to
    T_c. Under the null hypothesis both signs of a cluster as a whole are equally likely. For up to
    14 clusters all 2^C flips of signs are counted; for more, Σ T_c / √Σ T_c² is taken as normal
    (Rosner, Glynn and Lee, "The Wilcoxon signed rank test for paired comparisons of clustered
    data", Biometrics 2006). If every cluster is one signal, this is Wilcoxon's test. Four trials
    cannot give a p below 2/16.

    Parameters
    ----------
    gap : ndarray, shape (n,)
        The differences of signals.
    cluster : ndarray of int, shape (n,)
        The cluster of each signal.

    Returns
    -------
    float
        1 if all differences are 0, and NaN if there are none.
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    if not len(gap):
        return np.nan
    differing = gap != 0
    ranks = np.sign(gap[differing]) * rankdata(np.abs(gap[differing]))
    sums = np.bincount(cluster[differing], ranks)
    sums = sums[np.bincount(cluster[differing]) > 0] if differing.any() else sums
    total = abs(sums.sum())
    if not differing.any() or not (sums != 0).any():
        return 1.0
    if len(sums) > _EXACT:
        return float(2 * ndtr(-total / np.sqrt((sums**2).sum())))
    flips = np.array(np.meshgrid(*([[-1, 1]] * len(sums)))).reshape(len(sums), -1)
    return float(np.mean(np.abs(sums @ flips) >= total - 1e-9))
