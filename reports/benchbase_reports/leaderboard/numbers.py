"""The numbers of a board: ranks, K95, success, means, areas, costs and curves of one problem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase import Array
from benchbase_reports.leaderboard.counts import Problem
from benchbase_reports.statistics.areas import area_weights
from benchbase_reports.statistics.bootstrap import multipliers
from benchbase_reports.statistics.intervals import (
    Interval,
    mean_interval,
    median_interval,
    share_interval,
)
from benchbase_reports.statistics.logistic import Fits, find_levels, fit_many, resampled
from benchbase_reports.statistics.pareto import pareto_front
from benchbase_reports.statistics.ranks import rank, rank_intervals
from benchbase_reports.transitions import LEVELS

if TYPE_CHECKING:
    import pandas as pd

CURVES = (
    *("problem", "label", "n_pools", "success", "success_low", "success_high"),
    *("mean", "mean_low", "mean_high", "seconds", "frame_applications"),
)
_COSTS = {"seconds": "seconds", "init_seconds": "init_seconds", "frame_applications": "cost"}
_REPLICATES = 999
_COMPARISONS = 3e8  # of ranks, that a problem may take; with many solvers there are fewer resamples


def row_numbers(problem: Problem, *, counted: bool) -> dict[str, Any]:
    """Return the numbers of a problem's rows: rank, K95, success, mean, area, costs."""
    sizes, wins = problem.sums("ran"), problem.sums("won")
    scores = problem.sums("score")
    with np.errstate(invalid="ignore"):
        by_cluster = sizes.sum(axis=2)
        success = share_interval(wins.sum(axis=2) / by_cluster, by_cluster)
        mean = _of_cosines(mean_interval(scores.sum(axis=2) / by_cluster))
        share = wins / sizes
    there = sizes.sum(axis=1) > 0
    known = there.sum(axis=1) > 0
    weights = area_weights(problem.pools, there)
    area = np.where(known, (weights * _mean(share)).sum(axis=1), np.nan)
    fits = fit_many(problem.pools, wins, sizes, trials=not problem.one_frame)
    pooled = wins.sum(axis=1), sizes.sum(axis=1)
    k95 = find_levels(fits, problem.pools, *pooled, LEVELS["K95"])
    ends = _ends(problem.pools, there)
    spent = costs(problem)
    ranked = known & (np.isfinite(spent["frame_applications"]) | ~np.bool_(counted))
    ranks = _ranks(problem, fits, k95[0], area, _parts(share, weights), ends, ranked)
    nothing = ~known
    numbers = {
        **dict(zip(("rank", "rank_low", "rank_high"), ranks, strict=True)),
        **dict(zip(("K95", "K95_low", "K95_high"), k95, strict=True)),
        **dict(zip(("success", "success_low", "success_high"), success, strict=True)),
        **dict(zip(("mean", "mean_low", "mean_high"), mean, strict=True)),
        **dict(zip(("median", "median_low", "median_high"), _medians(problem), strict=True)),
        "area": area,
        **spent,
        "n_least": np.where(nothing, np.nan, ends[:, 0]),
        "n_largest": np.where(nothing, np.nan, ends[:, 1]),
        "trials": _trials(problem),
        "signals": sizes.sum(axis=(1, 2)).astype(int),
        "failed": problem.totals("lost").sum(axis=1).astype(int),
    }
    for name in ("seconds", "frame_applications"):
        column = "pareto_" + name.removeprefix("frame_")
        numbers[column] = pareto_front(numbers[name], area)
    return numbers


def _of_cosines(interval: Interval) -> Interval:
    """Cut what no mean of squared cosines can be off an interval."""
    return Interval(interval.value, np.maximum(interval.low, 0), np.minimum(interval.high, 1))


def _mean(share: Array) -> Array:
    """Return the mean over clusters, axis 1, of what there is; 0 where there is nothing."""
    there = ~np.isnan(share)
    mean: Array = np.where(there, share, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    return mean


def _parts(share: Array, weights: Array) -> Array:
    """Return what each cluster contributes to the area: (S, C)."""
    there = ~np.isnan(share)
    away = np.where(there, share - _mean(share)[:, None], 0.0)
    each = away / np.maximum(there.sum(axis=1), 1)[:, None]
    parts: Array = np.einsum("scg,sg->sc", each, weights)
    return parts


def _ranks(
    problem: Problem, fits: Fits, k95: Array, area: Array, parts: Array, ends: Array, ranked: Array
) -> tuple[Array, Array, Array]:
    """Return ranks with their intervals; NaN for solvers that are not ranked."""
    found = tuple(np.full(len(ranked), np.nan) for _ in range(3))
    n = int(ranked.sum())
    if not n:
        return found  # type: ignore[return-value] # three
    ranks = rank(*_keys(k95[ranked], area[ranked]))
    if problem.shape[1] == 1:  # one signal tells nothing of others
        low, high = np.ones(n), np.full(n, n)
    else:
        replicates = int(min(_REPLICATES, max(199, _COMPARISONS / n**2)))
        moves = multipliers(problem.shape[1], replicates)
        drawn = _resamples(moves, fits, k95, ends)[:, ranked]
        low, high = rank_intervals(rank(*_keys(drawn, (area + moves @ parts.T)[:, ranked])), ranks)
    for whole, own in zip(found, (ranks, low, high), strict=True):
        whole[ranked] = own
    return found  # type: ignore[return-value] # three


def _resamples(moves: Array, fits: Fits, k95: Array, ends: Array) -> Array:
    """Return K95 in resamples, (R, S)."""
    beta = fits.beta + np.tensordot(moves, fits.influence, (1, 1))
    drawn = resampled(beta, fits, ends, LEVELS["K95"])
    return np.where(np.isnan(drawn), k95, drawn)  # all or none recovered, whichever are drawn


def k95_difference(problem: Problem, a: str, b: str) -> dict[str, float]:
    """Return K95 of two solvers, with the 95 % interval of their difference over paired resamples.

    Where one is outside the grid the difference is infinite, or NaN where both are beyond it.
    """
    sizes, wins = problem.sums("ran"), problem.sums("won")
    fits = fit_many(problem.pools, wins, sizes, trials=not problem.one_frame)
    pooled = wins.sum(axis=1), sizes.sum(axis=1)
    k95 = find_levels(fits, problem.pools, *pooled, LEVELS["K95"])[0]
    places = [problem.labels.index(label) for label in (a, b)]
    moves = multipliers(problem.shape[1], _REPLICATES)
    drawn = _resamples(moves, fits, k95, _ends(problem.pools, pooled[1] > 0))[:, places]
    found = dict(zip(("a", "b"), k95[places].tolist(), strict=True))
    with np.errstate(invalid="ignore"):
        found["difference"] = found["a"] - found["b"]
        gaps = np.sort(drawn[:, 0] - drawn[:, 1])  # NaN last
    gaps = gaps[~np.isnan(gaps)]
    for name, share in (("low", 0.025), ("high", 0.975)):
        # Not between two resamples: one of them may be infinite.
        found[name] = float(gaps[round(share * (len(gaps) - 1))]) if len(gaps) else math.nan
    return found


def _ends(pools: Array, there: Array) -> Array:
    """Return the least and the largest K of each solver, (S, 2)."""
    least, largest = np.where(there, pools, np.inf), np.where(there, pools, -np.inf)
    return np.stack([least.min(axis=1), largest.max(axis=1)], axis=1)


def _keys(k95: Array, area: Array) -> tuple[Array, Array]:
    """Return what solvers are ranked by, rounded: equal results give equal ranks."""
    return np.where(np.isnan(k95), np.inf, k95).round(6), -area.round(9)


def costs(problem: Problem) -> dict[str, Array]:
    """Return mean seconds and frame applications of each solver, (S,); NaN where not known."""
    return {
        column: _ratio(*(each.sum(axis=1) for each in _spent(problem, name)))
        for column, name in _COSTS.items()
    }


def _spent(problem: Problem, name: str) -> tuple[Array, Array]:
    """Return a cost by solver and K, and of how many signals it is known, (S, G)."""
    return problem.totals(name), problem.totals(f"{name} known")


def _ratio(total: Array, count: Array) -> Array:
    with np.errstate(invalid="ignore"):
        ratio: Array = total / count
    return ratio


def _medians(problem: Problem) -> Interval:
    """Return the median squared cosine of each solver."""
    solver = problem.by_row(problem.solver)
    cluster = problem.cluster if problem.one_frame else problem.by_row(problem.cluster)
    sizes = np.bincount(solver, minlength=len(problem.labels))
    score, most = problem.cells.score[problem.rows], sizes.max(initial=1)
    if (sizes == most).all():  # a rectangle, as rows go solver by solver
        return median_interval(score.reshape(-1, most), cluster.reshape(-1, most))
    place = np.arange(len(solver)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    values, owners = np.full((len(sizes), most), np.nan), np.zeros((len(sizes), most), int)
    values[solver, place], owners[solver, place] = score, cluster
    return median_interval(values, owners)


def _trials(problem: Problem) -> Array:
    ran = problem.sums("ran").sum(axis=2) > 0
    found: Array = ran.sum(axis=1)
    return np.minimum(found, 1) if problem.one_frame else found


def curves(problem: Problem, name: str) -> pd.DataFrame:
    """Return the recovery curves of a problem, of the K that have an outcome."""
    import pandas as pd

    sizes, wins = problem.sums("ran"), problem.sums("won")
    scores = problem.sums("score")
    with np.errstate(invalid="ignore"):
        share, mean = np.moveaxis(wins / sizes, 1, 2), np.moveaxis(scores / sizes, 1, 2)
    n_solvers, _, n_pools = problem.shape
    columns = {
        "problem": name,
        "label": np.repeat(np.array(problem.labels, object), n_pools),
        "n_pools": np.tile(problem.pools, n_solvers),
    }
    success = share_interval(share, np.moveaxis(sizes, 1, 2))
    for kind, interval in (("success", success), ("mean", _of_cosines(mean_interval(mean)))):
        for end, values in zip(("", "_low", "_high"), interval, strict=True):
            columns[kind + end] = values.ravel()
    for kind in ("seconds", "frame_applications"):
        columns[kind] = _ratio(*_spent(problem, _COSTS[kind])).ravel()
    return pd.DataFrame(columns)[sizes.any(axis=1).ravel()]
