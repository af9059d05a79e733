"""Means, medians and success rates with 95 % intervals, clustered by trial.

The signals of a trial share a frame, so they are not an independent sample, but trials are. Values
of clusters are on the last axis, with NaN where a cluster has none. Functions broadcast over the
other axes, so that a leaderboard of thousands of cells is one call. `benchbase_reports.statistics`
has the same for data frames.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchbase import Array
from benchbase_reports.statistics.student import student

LEAST_CORRELATION = 0.05
"""The correlation of a cluster's signals if clusters are too alike to estimate it."""


class Interval(NamedTuple):
    """Estimates with the ends of their 95 % intervals, arrays of one shape."""

    value: Array
    low: Array
    high: Array


def mean_interval(clusters: Array, comparisons: int = 1) -> Interval:
    """Return means over clusters with Student's t intervals.

    With m the mean of the C clusters' values and s their standard deviation (C − 1), the interval
    is m ± t(C − 1) · s / √C (Student, Biometrika 1908; clusters: Kish, *Survey Sampling*, 1965).

    Parameters
    ----------
    clusters : ndarray, shape (..., C)
        The mean of each cluster; NaN if it has none.
    comparisons : int, optional
        The number of intervals that are to hold together in 95 % of cases (Bonferroni).

    Returns
    -------
    Interval
        Arrays of shape (...). They are NaN if there is no cluster. One cluster has a mean and no
        interval (NaN). Equal values have an interval of length 0.
    """
    value, error, count = _moments(clusters)
    reach = student(np.maximum(count - 1, 1), comparisons)
    half = np.where(count > 1, reach * error, np.nan)
    return Interval(value, value - half, value + half)


def share_interval(clusters: Array, sizes: Array) -> Interval:
    """Return shares of successes with Wilson's intervals, for clustered signals.

    Wilson's score interval (JASA 1927) for p of n has the centre (p + z²/2n) / (1 + z²/n) and
    reaches z √(p(1 − p)/n + z²/4n²) / (1 + z²/n) to either side, with z = 1.96. If every cluster is
    one signal, n is their number. Otherwise n is the effective sample size of Korn and Graubard
    (Survey Methodology 1998), n* = p(1 − p) / (s²/C) · (z / t(C − 1))², where s is the standard
    deviation of the clusters' shares; but n is at most the number of signals, and equals it if p is
    0 or 1. Dean and Pagano (J. Survey Stat. Methodol. 2015) found that this interval holds its
    level.

    Shares near 0 or 1 come from few clusters, and the rare bad ones may be missing, so that s is
    too small. Therefore n is also at most the number of signals over 1 + .05 u (m − 1), where u is
    the share of clusters in which all signals agree with the majority, and m the number of signals
    per cluster. That is Kish's design effect for an intraclass correlation of .05 u.

    Parameters
    ----------
    clusters : ndarray, shape (..., C)
        The share of each cluster; NaN if it has none. The estimate is their mean.
    sizes : ndarray, shape (..., C)
        The number of signals of each cluster.

    Returns
    -------
    Interval
        Arrays of shape (...), within [0, 1]; NaN if there is no signal.
    """
    value, error, count = _moments(clusters)
    signals = np.where(np.isnan(clusters), 0, sizes).sum(axis=-1).astype(float)
    z = float(student(np.inf))
    narrowing = (z / student(np.maximum(count - 1, 1))) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = value * (1 - value) / error**2 * narrowing
        alike = (clusters == np.where(value > 0.5, 1.0, 0.0)[..., None]).sum(axis=-1) / count
        most = signals / (1 + LEAST_CORRELATION * alike * (signals / count - 1))
        inside = (value > 0) & (value < 1) & (count > 1) & (count < signals)
        n = np.where(inside, np.minimum(effective, most), most)
        centre = (value + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(value * (1 - value) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # Rounding must not push an end that is 0 or 1 beyond it, nor the estimate out.
    low = np.clip(centre - half, 0, value)
    return Interval(value, low, np.clip(centre + half, value, 1))


def median_interval(values: Array, cluster: Array) -> Interval:
    """Return medians with their intervals, for clustered signals.

    It is Woodruff's interval ("Confidence intervals for medians", JASA 1952). The share of values
    below the median has the interval ½ ± t(C − 1) · s / √C, with s² = Σ z_c² / (C − 1) / (n/C)² of
    the clusters' totals z_c = Σ (1[x ≤ m] − ½), and the quantiles at its ends are the ends of the
    median's interval. If each cluster is one signal, this is the usual interval by order
    statistics.

    Parameters
    ----------
    values : ndarray, shape (B, n)
        One value per signal; NaN if there is none.
    cluster : ndarray of int, shape (B, n)
        The number of each signal's cluster, from 0.

    Returns
    -------
    Interval
        Arrays of shape (B,). They are NaN if there is no value; the ends are NaN if there is one
        cluster.
    """
    ordered = np.sort(values, axis=1)  # NaN last
    n = values.shape[1] - np.isnan(ordered).sum(axis=1)
    median = _quantiles(ordered, n, np.full(len(n), 0.5))
    # A value at the median counts half on each side, so that ties do not bias the share.
    side = (values >= median[:, None]).astype(int) + (values > median[:, None])
    most = int(cluster.max(initial=0)) + 1
    place = 3 * (cluster + np.arange(0, len(n) * most, most)[:, None]) + side
    place = place.ravel() if n.min(initial=0) == values.shape[1] else place[~np.isnan(values)]
    sides = np.bincount(place, minlength=3 * len(n) * most).reshape(-1, most, 3)
    sizes, totals = sides.sum(axis=2), (sides[..., 0] - sides[..., 2]) / 2
    count = (sizes > 0).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (totals**2).sum(axis=1) / n**2 * count / (count - 1)
        half = student(np.maximum(count - 1, 1)) * np.sqrt(np.where(count == n, 0.25 / n, variance))
    ends = [np.clip(0.5 + sign * half, 0, 1) for sign in (-1, 1)]
    low, high = (np.where(count > 1, _quantiles(ordered, n, end), np.nan) for end in ends)
    return Interval(median, low, high)


def _quantiles(ordered: Array, n: Array, share: Array) -> Array:
    """Return a quantile of the first n values of each ordered row, interpolating linearly."""
    place = np.where(np.isnan(share), 0, share) * np.maximum(n - 1, 0)
    row, below = np.arange(len(n)), np.floor(place).astype(int)
    above = np.minimum(below + 1, np.maximum(n - 1, 0))
    low, high = ordered[row, below], ordered[row, above]
    quantile: Array = low + (place - below) * (high - low)
    return quantile


def _moments(clusters: Array) -> tuple[Array, Array, Array]:
    """Return the mean, standard error and number of clusters; exact for equal values."""
    there = ~np.isnan(clusters)
    count = there.sum(axis=-1)
    filled = np.where(there, clusters, 0.0)
    # Distances from one value, so that equal values have a deviation of exactly 0.
    first = np.take_along_axis(filled, there.argmax(axis=-1)[..., None], axis=-1)
    away = np.where(there, filled - first, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = away.sum(axis=-1) / count
        spread = np.where(there, (away - shift[..., None]) ** 2, 0.0).sum(axis=-1)
        error = np.sqrt(spread / np.maximum(count - 1, 1) / count)
    return first[..., 0] + shift, error, count
