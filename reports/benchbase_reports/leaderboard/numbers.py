"""The numbers of a board: ranks, K95, success, means, areas, costs and curves of one problem."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase import Array
from benchbase_reports.leaderboard.counts import Cells, Problem
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
_REPLICATES = 999
_COMPARISONS = 3e8  # of ranks, that a problem may take; with many solvers there are fewer resamples


def row_numbers(cells: Cells, problem: Problem, budget: float) -> dict[str, Any]:
    """Return the numbers of a problem's rows: rank, K95, success, mean, area, costs."""
    sizes, wins = problem.sums(cells.ran), problem.sums(_within(cells, budget))
    scores = problem.sums(cells.score * cells.ran)
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
    ends = np.stack(
        [
            np.where(there, problem.pools, np.inf).min(axis=1),
            np.where(there, problem.pools, -np.inf).max(axis=1),
        ],
        axis=1,
    )
    spent = costs(cells, problem)
    ranked = known if math.isinf(budget) else known & np.isfinite(spent["frame_applications"])
    ranks = _ranks(problem, fits, k95[0], area, _parts(share, weights), ends, ranked)
    nothing = ~known
    numbers = {
        **dict(zip(("rank", "rank_low", "rank_high"), ranks, strict=True)),
        **dict(zip(("K95", "K95_low", "K95_high"), k95, strict=True)),
        **dict(zip(("success", "success_low", "success_high"), success, strict=True)),
        **dict(zip(("mean", "mean_low", "mean_high"), mean, strict=True)),
        **_medians(cells, problem),
        "area": area,
        **spent,
        "n_least": np.where(nothing, np.nan, ends[:, 0]),
        "n_largest": np.where(nothing, np.nan, ends[:, 1]),
        "trials": _trials(cells, problem),
        "signals": sizes.sum(axis=(1, 2)).astype(int),
        "failed": problem.sums(cells.lost).sum(axis=(1, 2)).astype(int),
    }
    for name in ("seconds", "frame_applications"):
        column = "pareto_" + name.removeprefix("frame_")
        numbers[column] = pareto_front(numbers[name], area)
    return numbers


def _of_cosines(interval: Interval) -> Interval:
    """Cut what no mean of squared cosines can be off an interval."""
    return Interval(interval.value, np.maximum(interval.low, 0), np.minimum(interval.high, 1))


def _within(cells: Cells, budget: float) -> Array:
    """Return which signals are recovered within a budget."""
    return cells.won if math.isinf(budget) else cells.won & (cells.cost <= budget)


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
        beta = fits.beta + np.einsum("rc,sci->rsi", moves, fits.influence)
        drawn = resampled(beta, fits, ends, LEVELS["K95"])
        drawn = np.where(np.isnan(drawn), k95, drawn)[:, ranked]  # all or none recovered
        low, high = rank_intervals(rank(*_keys(drawn, (area + moves @ parts.T)[:, ranked])), ranks)
    for whole, own in zip(found, (ranks, low, high), strict=True):
        whole[ranked] = own
    return found  # type: ignore[return-value] # three


def _keys(k95: Array, area: Array) -> tuple[Array, Array]:
    """Return what solvers are ranked by, rounded: equal results give equal ranks."""
    return np.where(np.isnan(k95), np.inf, k95).round(6), -area.round(9)


def costs(cells: Cells, problem: Problem) -> dict[str, Array]:
    """Return mean seconds and frame applications of each solver; NaN where not known."""
    found = {}
    for name, values in (
        ("seconds", cells.seconds),
        ("init_seconds", cells.init_seconds),
        ("frame_applications", cells.cost),
    ):
        found[name] = _average(problem, values, cells.ran).reshape(-1)
    return found


def _average(problem: Problem, values: Array, ran: Array, axis: tuple[int, ...] = (1, 2)) -> Array:
    known = np.isfinite(values) & ran
    count = problem.sums(known).sum(axis=axis)
    with np.errstate(invalid="ignore"):
        mean: Array = problem.sums(np.where(known, values, 0.0)).sum(axis=axis) / count
    return mean


def _medians(cells: Cells, problem: Problem) -> dict[str, Array]:
    _, n_clusters, n_pools = problem.shape
    rows, place = problem.rows, problem.place
    ran = cells.ran[rows]
    solver, cluster = (place // (n_clusters * n_pools))[ran], (place // n_pools % n_clusters)[ran]
    score = cells.score[rows][ran]
    order = np.argsort(solver, kind="stable")
    cuts = np.searchsorted(solver[order], np.arange(1, problem.shape[0]))
    found = [
        median_interval(values, own)
        for values, own in zip(
            np.split(score[order], cuts), np.split(cluster[order], cuts), strict=True
        )
    ]
    names = ("median", "median_low", "median_high")
    return dict(zip(names, np.array(found).T, strict=True))


def _trials(cells: Cells, problem: Problem) -> Array:
    ran = problem.sums(cells.ran).sum(axis=2) > 0
    found: Array = ran.sum(axis=1)
    return np.minimum(found, 1) if problem.one_frame else found


def curves(cells: Cells, problem: Problem, budget: float, name: str) -> pd.DataFrame:
    """Return the recovery curves of a problem, of the K that have an outcome."""
    import pandas as pd

    sizes, wins = problem.sums(cells.ran), problem.sums(_within(cells, budget))
    scores = problem.sums(cells.score * cells.ran)
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
    for kind, values in (("seconds", cells.seconds), ("frame_applications", cells.cost)):
        columns[kind] = _average(problem, values, cells.ran, axis=(1,)).ravel()
    return pd.DataFrame(columns)[sizes.any(axis=1).ravel()]
