"""Ranks of solvers by K95 and area, with their intervals, from counts of successes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from benchbase import Array
from benchbase_reports.statistics.areas import area_weights
from benchbase_reports.statistics.bootstrap import multipliers
from benchbase_reports.statistics.logistic import LEVELS, Fits, find_levels, fit_many, resampled
from benchbase_reports.statistics.ranks import rank, rank_intervals

_REPLICATES = 999
_COMPARISONS = 3e8  # of ranks for one problem; with many solvers there are fewer resamples


class Ranking(NamedTuple):
    """The ranks of S solvers and what they are ranked by, as arrays of shape (S,).

    Attributes
    ----------
    k95, k95_low, k95_high : ndarray
        As in `benchbase_reports.transitions.Crossing`; NaN if there is no signal.
    area : ndarray
        The area under the recovery curve; NaN if there is no signal.
    rank, rank_low, rank_high : ndarray
        The rank with its interval; NaN for solvers that are not ranked.
    """

    k95: Array
    k95_low: Array
    k95_high: Array
    area: Array
    rank: Array
    rank_low: Array
    rank_high: Array


def rank_solvers(
    pools: Array, wins: Array, sizes: Array, ranked: Array, *, trials: bool = True
) -> Ranking:
    """Rank solvers by K95, and those with the same K95 by the area under their recovery curves.

    The interval of a solver's rank holds it in 95 % of cases: each of its k − 1 comparisons with
    the others is made at 1 − .05 / (k − 1) (Bonferroni), by `ranks.rank_intervals` of the resamples
    of `bootstrap.multipliers`.

    Parameters
    ----------
    pools : ndarray, shape (G,)
        The grid of K, ascending.
    wins, sizes : ndarray, shape (S, C, G)
        The signals that were recovered, and all signals, of each cluster at each K.
    ranked : ndarray of bool, shape (S,)
        Which solvers are to be ranked.
    trials : bool, optional
        Whether clusters are trials. If not, they are the signals of one trial.
    """
    total, recovered = sizes.sum(axis=1), wins.sum(axis=1)
    there = total > 0
    known = there.any(axis=1)
    with np.errstate(invalid="ignore"):
        share = wins / sizes
    weights = area_weights(pools, there)
    area = np.where(known, (weights * _mean(share)).sum(axis=1), np.nan)
    fits = fit_many(pools, wins, sizes, trials=trials)
    k95 = find_levels(fits, pools, recovered, total, LEVELS["K95"])
    found = [np.full(len(known), np.nan) for _ in range(3)]
    n = int((known & ranked).sum())
    if n:
        some = known & ranked
        ranks = rank(*_keys(k95[0][some], area[some]))
        low, high = np.ones(n), np.full(n, n)
        if wins.shape[1] > 1:  # one cluster says nothing about others
            replicates = int(min(_REPLICATES, max(199, _COMPARISONS / n**2)))
            moves = multipliers(wins.shape[1], replicates, max(n - 1, 1))
            drawn = _resamples(moves, fits, k95[0], _ends(pools, there))[:, some]
            areas = (area + moves @ _parts(share, weights).T)[:, some]
            low, high = rank_intervals(rank(*_keys(drawn, areas)), ranks)
        for whole, own in zip(found, (ranks, low, high), strict=True):
            whole[some] = own
    return Ranking(*k95, area, *found)


def k95_difference(
    pools: Array, wins: Array, sizes: Array, *, trials: bool = True
) -> dict[str, float]:
    """Return K95 of two solvers, and their difference with its 95 % interval.

    The interval comes from paired resamples. The difference is infinite if one K95 is outside the
    grid, and NaN if both are above it. The parameters are those of `rank_solvers` with S = 2.
    """
    fits = fit_many(pools, wins, sizes, trials=trials)
    total = sizes.sum(axis=1)
    k95 = find_levels(fits, pools, wins.sum(axis=1), total, LEVELS["K95"])[0]
    moves = multipliers(wins.shape[1], _REPLICATES)
    drawn = _resamples(moves, fits, k95, _ends(pools, total > 0))
    found = dict(zip(("a", "b"), k95.tolist(), strict=True))
    with np.errstate(invalid="ignore"):
        found["difference"] = found["a"] - found["b"]
        gaps = np.sort(drawn[:, 0] - drawn[:, 1])  # NaN last
    gaps = gaps[~np.isnan(gaps)]
    for name, share in (("low", 0.025), ("high", 0.975)):
        # No interpolation between two resamples, since one of them may be infinite.
        found[name] = float(gaps[round(share * (len(gaps) - 1))]) if len(gaps) else math.nan
    return found


def _mean(share: Array) -> Array:
    """Return the mean over clusters (axis 1) without NaN; 0 if all are NaN."""
    there = ~np.isnan(share)
    mean: Array = np.where(there, share, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return mean


def _parts(share: Array, weights: Array) -> Array:
    """Return the contribution of each cluster to the area, (S, C)."""
    there = ~np.isnan(share)
    away = np.where(there, share - _mean(share)[:, None], 0.0)
    each = away / np.maximum(there.sum(axis=1), 1)[:, None]
    parts: Array = np.einsum("scg,sg->sc", each, weights)
    return parts


def _resamples(moves: Array, fits: Fits, k95: Array, ends: Array) -> Array:
    """Return K95 in each of R resamples, (R, S)."""
    beta = fits.beta + np.tensordot(moves, fits.influence, (1, 1))
    drawn = resampled(beta, fits, ends, LEVELS["K95"])
    return np.where(
        np.isnan(drawn), k95, drawn
    )  # all or none are recovered, whichever clusters are drawn


def _ends(pools: Array, there: Array) -> Array:
    """Return the least and the largest K of each solver, (S, 2)."""
    least, largest = np.where(there, pools, np.inf), np.where(there, pools, -np.inf)
    return np.stack([least.min(axis=1), largest.max(axis=1)], axis=1)


def _keys(k95: Array, area: Array) -> tuple[Array, Array]:
    """Return the keys of the ranking, rounded so that equal results give equal ranks."""
    return np.where(np.isnan(k95), np.inf, k95).round(6), -area.round(9)
