"""Two solvers on identical problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase import Array
from benchbase.showing import RECOVERED
from benchbase_reports.statistics.bootstrap import multipliers

if TYPE_CHECKING:
    import pandas as pd

EQUAL = 1 - RECOVERED
"""Squared cosines that differ by at most this count as equal: what a recovery may be off by."""

_REPLICATES = 9999
_EXACT = 14  # clusters whose signs are flipped in all ways; of more, the sum is nearly normal

PAIRED = {
    "signals": "signals that both have an outcome for",
    "trials": "trials that they come from",
    "mean_a": "mean of A, of the trials' means",
    "mean_b": "mean of B",
    "difference": "mean of A − B",
    "low": "lower end of its 95 % interval, bootstrap by trial",
    "high": "upper end",
    "p": "two-sided p of Student's t over trials",
    "wilcoxon_p": "two-sided p of the signed rank test, clustered by trial",
    "wins": "share of signals on which A is ahead",
    "losses": "share on which B is",
    "ties": "share of the others",
    "one_frame": "whether there is a single trial: the test speaks of its own frames only",
}
"""What `compare_pairs` returns."""


def compare_pairs(
    a: pd.Series[float], b: pd.Series[float], trial: pd.Series[Any]
) -> pd.Series[Any]:
    """Compare two solvers on the signals that both have tried.

    - The difference is the mean over trials of the trials' mean differences d_c. Its interval is
      the bootstrap by trial of `bootstrap.multipliers` (for a mean that of Student's t over
      trials), p that of t = d / (s / √C) with C − 1 degrees of freedom.
    - `signed_rank` is Wilcoxon's test for clusters.
    - The win rate counts signals. Differences of at most `EQUAL` are ties, in it and in the ranks.

    With one trial its signals take the place of trials, and the result is for its frames only.

    Parameters
    ----------
    a, b : pandas.Series
        A number a signal, large ones good, without NaN; the same index.
    trial : pandas.Series
        What names the trial of each.

    Returns
    -------
    pandas.Series
        The entries of `PAIRED`; NaN where there are no signals, and p and interval with one signal.
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

    Differences are ranked by size, those of 0 left out, and the signed ranks of each cluster added
    to T_c. Under the null hypothesis the sign of each cluster as a whole is as likely one as the
    other: up to 14 clusters all 2^C flips are counted, else Σ T_c / √Σ T_c² is normal (Rosner,
    Glynn and Lee, "The Wilcoxon signed rank test for paired comparisons of clustered data",
    Biometrics 2006). With a signal a cluster, this is Wilcoxon's test. Four trials cannot give a p
    below 2/16.

    Parameters
    ----------
    gap : ndarray, shape (n,)
        Differences.
    cluster : ndarray of int, shape (n,)
        The cluster of each.

    Returns
    -------
    float
        1 where all differences are 0; NaN without any.
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    if not len(gap):
        return np.nan
    told = gap != 0
    ranks = np.sign(gap[told]) * rankdata(np.abs(gap[told]))
    sums = np.bincount(cluster[told], ranks)
    sums = sums[np.bincount(cluster[told]) > 0] if told.any() else sums
    total = abs(sums.sum())
    if not told.any() or not (sums != 0).any():
        return 1.0
    if len(sums) > _EXACT:
        return float(2 * ndtr(-total / np.sqrt((sums**2).sum())))
    flips = np.array(np.meshgrid(*([[-1, 1]] * len(sums)))).reshape(len(sums), -1)
    return float(np.mean(np.abs(sums @ flips) >= total - 1e-9))
