"""The leaderboard as data: what every format of it is written from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Board:
    """The solvers of a suite, ranked on each of its problems.

    A problem here is all that `summary.problem_columns` tells apart: pooling, frame, data set,
    noise; a grid of K is one problem.

    Attributes
    ----------
    suite, title, command : str
        The suite's name and title, and the command of its latest run as
        `benchbase_reports.invocation.suite_command` cleans it.
    budget : float
        Frame applications a signal: a signal that took more is not recovered. Infinite: as run.
    table : pandas.DataFrame
        A row for each problem and solver, by problem and rank, with the columns of
        `benchbase_reports.leaderboard.TABLE` after the problem's own.
    curves : pandas.DataFrame
        A row for each problem, solver and K: problem, label, n_pools, success, success_low,
        success_high, mean, mean_low, mean_high, seconds, frame_applications.
    budgets : pandas.DataFrame
        K95 against the budget: problem, label, budget, K95. Solvers whose frame applications are
        not counted are not in it.
    trials : pandas.DataFrame
        The mean squared cosine in each trial, over the K that all solvers ran on: problem, label,
        trial (numbered over the suite, seeds apart), mean.
    """

    suite: str
    title: str
    command: str
    budget: float
    table: pd.DataFrame
    curves: pd.DataFrame
    budgets: pd.DataFrame
    trials: pd.DataFrame

    @property
    def unlimited(self) -> bool:
        """Whether signals count whatever they took."""
        return math.isinf(self.budget)


TABLE = {
    "problem": "readable name of the problem",
    "tab": "readable name of its pooling",
    "label": "the solver's label in the suite",
    "solver": "name of the solver",
    "rank": "by K95, then by area; missing where the solver is not ranked",
    "rank_low": "lower end of its 95 % interval: 1 + solvers that are surely better",
    "rank_high": "upper end: solvers that are ranked, less those that are surely worse",
    "K95": "K at which 95 % of the signals are recovered; inf: more than the largest",
    "K95_low": "lower end of its 95 % interval; 0 below the least K",
    "K95_high": "upper end; inf above the largest K",
    "success": "share of signals recovered at all K",
    "success_low": "lower end of its 95 % interval",
    "success_high": "upper end",
    "mean": "mean squared cosine at all K, of the trials' means",
    "mean_low": "lower end of its 95 % interval",
    "mean_high": "upper end",
    "median": "median squared cosine at all K",
    "median_low": "lower end of its 95 % interval",
    "median_high": "upper end",
    "area": "area under the recovery curve over the grid of K, of 1",
    "seconds": "mean seconds a signal, start and solution, without preparation",
    "init_seconds": "those of them that the start took",
    "frame_applications": "mean frame applications a signal; missing where not counted",
    "pareto_seconds": "whether no solver has a larger area in less seconds",
    "pareto_applications": "the same in frame applications",
    "n_least": "the least K with an outcome",
    "n_largest": "the largest",
    "trials": "trials (each with frames of its own) that it comes from",
    "signals": "signals with an outcome at any K, failed ones included",
    "failed": "signals without a finite estimate, counted as not recovered",
    "unsupported": "signals that the solver does not apply to, left out",
    "pending": "signals without an outcome yet, left out",
    "message": "why signals failed or are unsupported, or why the solver is not ranked",
    "environment": "versions, processor and system that it was computed with",
    "one_frame": "whether a single trial makes all intervals speak of its own frames only",
}
"""The columns of a board's table that follow those of its problem, and what they hold."""
