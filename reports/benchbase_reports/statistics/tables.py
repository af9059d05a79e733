"""Statistics of data frames: from one row per signal to one row per group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase import Array
from benchbase_reports.statistics.areas import area_weights
from benchbase_reports.statistics.intervals import (
    Interval,
    mean_interval,
    median_interval,
    share_interval,
)

if TYPE_CHECKING:
    import pandas as pd

TRIAL = ("seed", "trial")
"""The columns that name a trial."""


def means(
    frame: pd.DataFrame, by: Sequence[str], value: str = "score", trial: Sequence[str] = TRIAL
) -> pd.DataFrame:
    """Return the mean of each group, with its 95 % interval clustered by trial.

    It is the mean of the trials' means (see `intervals.mean_interval`). If there is one trial, its
    signals take the place of trials, and the interval holds for its frame only.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per signal. Rows without a value are left out.
    by, trial : sequence of str
        The columns that tell groups apart, and those that tell trials apart.
    value : str, optional
        The column of numbers.

    Returns
    -------
    pandas.DataFrame
        One row per group, in order of first appearance. The columns are those of `by`, then
        signals, trials, the value, low, high, and one_frame: whether there is one trial.
    """
    return _by_group(frame, by, value, trial, lambda v, c: mean_interval(_clusters(v, c)[0]))


def medians(
    frame: pd.DataFrame, by: Sequence[str], value: str = "score", trial: Sequence[str] = TRIAL
) -> pd.DataFrame:
    """Return the median of each group, as `means` does, by `intervals.median_interval`."""

    def find(values: Array, cluster: Array) -> Interval:
        found = median_interval(values[None], cluster[None])
        return Interval(*(each[0] for each in found))

    return _by_group(frame, by, value, trial, find)


def success_rates(
    frame: pd.DataFrame, by: Sequence[str], value: str = "won", trial: Sequence[str] = TRIAL
) -> pd.DataFrame:
    """Return the share of successes (0 or 1) of each group, as `means` does.

    The interval is Wilson's (see `intervals.share_interval`).
    """
    return _by_group(frame, by, value, trial, lambda v, c: share_interval(*_clusters(v, c)))


def recovery_areas(
    curves: pd.DataFrame, by: Sequence[str], value: str = "success", pools: str = "n_pools"
) -> pd.DataFrame:
    """Return the area under each recovery curve: ∫ success dK / (K_largest − K_least), at most 1.

    It is computed by the trapezoidal rule on the grid of K. If there is one K, it is the success
    there.

    Parameters
    ----------
    curves : pandas.DataFrame
        One row per point of a curve.
    by : sequence of str
        The columns that tell curves apart.
    value, pools : str, optional
        The columns of the success and of K.

    Returns
    -------
    pandas.DataFrame
        The columns of `by` and ``area``.
    """
    import pandas as pd

    rows = []
    for key, part in curves.groupby([*by], dropna=False, sort=False):
        ordered = part.sort_values(pools)
        k, y = ordered[pools].to_numpy(float), ordered[value].to_numpy(float)
        weights = area_weights(k, np.ones((1, len(k)), bool))[0]
        rows.append([*key, float(weights @ y)])
    return pd.DataFrame(rows, columns=[*by, "area"])


def _clusters(values: Array, cluster: Array) -> tuple[Array, Array]:
    """Return the means and sizes of clusters."""
    sizes = np.bincount(cluster)
    # Distances from one value, so that the mean of equal values is exact.
    return values[0] + np.bincount(cluster, values - values[0]) / sizes, sizes


def _by_group(
    frame: pd.DataFrame,
    by: Sequence[str],
    value: str,
    trial: Sequence[str],
    find: Callable[[Array, Array], Interval],
) -> pd.DataFrame:
    import pandas as pd

    rows: list[list[Any]] = []
    for key, part in frame[frame[value].notna()].groupby([*by], dropna=False, sort=False):
        draw = part.groupby([*trial], dropna=False).ngroup().to_numpy()
        values = part[value].to_numpy(float)
        trials = len(np.unique(draw))
        cluster = np.arange(len(values)) if trials == 1 else draw
        found = (float(each) for each in find(values, cluster))
        rows.append([*key, len(values), trials, *found, trials == 1])
    columns = [*by, "signals", "trials", value, "low", "high", "one_frame"]
    return pd.DataFrame(rows, columns=columns)
