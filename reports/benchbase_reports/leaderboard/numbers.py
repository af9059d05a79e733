"""The numbers of a board: ranks, K95, success, means, areas, costs and curves of one problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase import Array
from benchbase_reports.leaderboard.counts import ProblemCounts
from benchbase_reports.leaderboard.ranking import rank_solvers
from benchbase_reports.statistics.intervals import (
    Interval,
    mean_interval,
    median_interval,
    share_interval,
)

if TYPE_CHECKING:
    import pandas as pd

CURVES = (
    *("problem", "label", "n_pools", "success", "success_low", "success_high"),
    *("mean", "mean_low", "mean_high", "seconds", "frame_applications"),
)
_COSTS = {"seconds": "seconds", "init_seconds": "init_seconds", "frame_applications": "cost"}


def row_numbers(problem: ProblemCounts, *, counted: bool) -> dict[str, Any]:
    """Return the columns of numbers of a problem's rows: rank, K95, success, mean, area, costs.

    Parameters
    ----------
    problem : ProblemCounts
        The counts of the problem.
    counted : bool
        Whether only solvers whose frame applications are counted are ranked.
    """
    sizes, wins = problem.sums("ran"), problem.sums("won")
    by_cluster = sizes.sum(axis=2)
    with np.errstate(invalid="ignore"):
        success = share_interval(wins.sum(axis=2) / by_cluster, by_cluster)
        mean = _of_cosines(mean_interval(problem.sums("score").sum(axis=2) / by_cluster))
    spent = costs(problem)
    failed = problem.totals("lost").sum(axis=1).astype(int)
    rankable = np.isfinite(spent["frame_applications"]) | ~np.bool_(counted)
    rankable &= failed < sizes.sum(axis=(1, 2))  # one that never gave an estimate has no rank
    ranking = rank_solvers(problem.pools, wins, sizes, rankable, trials=not problem.one_frame)
    there = sizes.sum(axis=1) > 0
    return {
        **{name.replace("k95", "K95"): values for name, values in ranking._asdict().items()},
        **dict(zip(("success", "success_low", "success_high"), success, strict=True)),
        **dict(zip(("mean", "mean_low", "mean_high"), mean, strict=True)),
        **dict(zip(("median", "median_low", "median_high"), _medians(problem), strict=True)),
        **spent,
        "n_least": _outermost(problem.pools, there, np.inf, np.min),
        "n_largest": _outermost(problem.pools, there, -np.inf, np.max),
        "trials": _trials(problem),
        "signals": sizes.sum(axis=(1, 2)).astype(int),
        "failed": failed,
    }


def _outermost(pools: Array, there: Array, none: float, choose: Callable[..., Array]) -> Array:
    """Return the least or the largest K of each solver; NaN if it has none."""
    found = choose(np.where(there, pools, none), axis=1)
    return np.where(there.any(axis=1), found, np.nan)


def _of_cosines(interval: Interval) -> Interval:
    """Cut an interval to what a mean of squared cosines can be."""
    return Interval(interval.value, np.maximum(interval.low, 0), np.minimum(interval.high, 1))


def costs(problem: ProblemCounts) -> dict[str, Array]:
    """Return the mean seconds and frame applications of each solver, (S,); NaN if not known."""
    return {
        column: _ratio(*(each.sum(axis=1) for each in _spent(problem, name)))
        for column, name in _COSTS.items()
    }


def _spent(problem: ProblemCounts, name: str) -> tuple[Array, Array]:
    """Return the sum of a cost by solver and K, and the number of signals it is of, (S, G)."""
    return problem.totals(name), problem.totals(f"{name} known")


def _ratio(total: Array, count: Array) -> Array:
    with np.errstate(invalid="ignore"):
        ratio: Array = total / count
    return ratio


def _medians(problem: ProblemCounts) -> Interval:
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


def _trials(problem: ProblemCounts) -> Array:
    ran = problem.sums("ran").sum(axis=2) > 0
    found: Array = ran.sum(axis=1)
    return np.minimum(found, 1) if problem.one_frame else found


def curves(problem: ProblemCounts, name: str) -> pd.DataFrame:
    """Return the recovery curves of a problem, at the K that have an outcome."""
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


def trial_means(problem: ProblemCounts, name: str) -> pd.DataFrame:
    """Return the mean squared cosine of each solver in each trial, over the K that all ran on."""
    import pandas as pd

    names = "ran", "score"
    sizes, scores = (
        problem.totals(each)[:, None] if problem.one_frame else problem.sums(each) for each in names
    )
    tried = sizes.sum(axis=(1, 2)) > 0
    sizes, scores = sizes[tried], scores[tried]
    common = (sizes > 0).all(axis=0)  # (trials, K)
    means = np.where(common, scores / np.maximum(sizes, 1), 0.0).sum(axis=2)
    used = common.any(axis=1)
    means = means[:, used] / common.sum(axis=1)[used]
    columns = {
        "problem": name,
        "label": np.array(problem.labels, object)[tried].repeat(int(used.sum())),
        "trial": np.tile(problem.draws[used], int(tried.sum())),
        "mean": means.ravel(),
    }
    return pd.DataFrame(columns)
