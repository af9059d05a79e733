"""The leaderboard as data, from which every format is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Board:
    """The solvers of a suite, ranked on each of its problems.

    Problems are told apart by the columns of `benchbase.showing.problem_columns`: pooling, frame,
    data set, noise and so on. A whole grid of K is one problem.

    Attributes
    ----------
    suite, title, command : str
        The suite's name and title, and the command of its latest run as
        `benchbase_reports.invocation.suite_command` cleans it.
    budget : float
        Frame applications per signal. A signal that took more is not recovered. It is infinite if
        signals count whatever they took.
    table : pandas.DataFrame
        One row per problem and solver, by problem and rank, with the columns of
        `benchbase_reports.leaderboard.TABLE` after the problem's own.
    curves : pandas.DataFrame
        One row per problem, solver and K: problem, label, n_pools, success, success_low,
        success_high, mean, mean_low, mean_high, seconds, frame_applications.
    budgets : pandas.DataFrame
        K95 against the budget: problem, label, budget, K95. Solvers whose frame applications are
        not counted are left out.
    trials : pandas.DataFrame
        The mean squared cosine in each trial, over the K that all solvers ran on: problem, label,
        trial (numbered over the suite, and seeds apart), mean.
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
    "rank": "by K95, then by area; missing if the solver is not ranked",
    "rank_low": "lower end of its 95 % interval: 1 + the number of solvers surely better",
    "rank_high": "upper end: the number of ranked solvers, less those surely worse",
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
    "area": "area under the recovery curve over the grid of K, at most 1",
    "seconds": "mean seconds per signal, start and solution, without preparation",
    "init_seconds": "the seconds of these that the start took",
    "frame_applications": "mean frame applications per signal; missing if not counted",
    "pareto_seconds": "whether no solver has a larger area in fewer seconds; only full samples",
    "pareto_applications": "the same in frame applications",
    "n_least": "the least K with an outcome",
    "n_largest": "the largest",
    "trials": "trials (each with frames of its own) that the numbers come from",
    "signals": "signals with an outcome at any K, failed ones included",
    "reduced": "whether another solver has more signals or trials of the same problem",
    "failed": "signals without a finite estimate, counted as not recovered",
    "unsupported": "signals that the solver does not apply to, left out",
    "pending": "signals without an outcome yet, left out",
    "message": "why signals failed or are unsupported, or why the solver is not ranked",
    "environment": "versions, processor and system that the row was computed with",
    "one_frame": "whether there is one trial, so that intervals hold for its frames only",
}
"""The columns of a board's table that follow those of its problem, and what each holds."""
