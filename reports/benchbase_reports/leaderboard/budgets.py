"""Budgets of frame applications: K95 falls as solvers may use more of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchbase import Array
from benchbase_reports.leaderboard.cells import ROUNDING, Cells
from benchbase_reports.leaderboard.counts import ProblemCounts
from benchbase_reports.leaderboard.numbers import costs
from benchbase_reports.statistics.logistic import LEVELS, find_levels, fit_many

if TYPE_CHECKING:
    import pandas as pd


def budget_grid(cells: Cells) -> Array:
    """Return the budgets 1, 2, 5, 10, ... that span the costs of a suite's signals."""
    cost = cells.cost
    known = (cost > 0) & (cost < math.inf)
    if not known.any():
        return np.zeros(0)
    cost = cost if known.all() else cost[known]
    least, most = cost.min() * (1 - ROUNDING), cost.max() * (1 - ROUNDING)
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    steps = [m * 10.0**power for power in powers for m in (1, 2, 5)]
    first = max(i for i, step in enumerate(steps) if step <= least * (1 + 2 * ROUNDING))
    last = min(i for i, step in enumerate(steps) if step >= most)
    return np.array(steps[first : last + 1])


def first_budgets(problem: ProblemCounts, grid: Array) -> Array:
    """Count the signals whose least sufficient budget is each one of the grid, (S, G, D)."""
    n_solvers, _, n_pools = problem.shape
    if not len(grid):  # no solver takes any application
        return np.zeros((n_solvers, n_pools, 0), int)
    cost = problem.cells.cost[problem.rows]
    won = problem.cells.won[problem.rows] & np.isfinite(cost)
    cell = problem.by_row(problem.solver * n_pools + problem.column)[won]
    place = cell * len(grid) + np.searchsorted(grid * (1 + ROUNDING), cost[won])
    found = np.bincount(place, minlength=n_solvers * n_pools * len(grid))
    return found.reshape(n_solvers, n_pools, len(grid))


def budget_curves(problem: ProblemCounts, grid: Array, name: str) -> pd.DataFrame:
    """Return K95 against the budget, for the solvers whose applications are counted.

    Parameters
    ----------
    problem : ProblemCounts
        The counts of one problem.
    grid : ndarray, shape (D,)
        The budgets, ascending.
    name : str
        The problem's name.
    """
    import pandas as pd

    counted = np.isfinite(costs(problem)["frame_applications"])
    each = first_budgets(problem, grid)[counted].astype(float)
    wins = np.moveaxis(np.cumsum(each, axis=2), 2, 1).reshape(-1, len(problem.pools))
    sizes = problem.totals("ran")[counted].repeat(len(grid), axis=0)
    fits = fit_many(problem.pools, wins[:, None], sizes[:, None], trials=False)
    labels = np.array(problem.labels, object)[counted]
    columns = {
        "problem": name,
        "label": labels.repeat(len(grid)),
        "budget": np.tile(grid, len(labels)),
        "K95": find_levels(fits, problem.pools, wins, sizes, LEVELS["K95"])[0],
    }
    return pd.DataFrame(columns)
