"""Budgets of frame applications: how K95 falls as solvers may take more of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchbase import Array
from benchbase_reports.leaderboard.counts import Cells, Problem
from benchbase_reports.leaderboard.numbers import costs
from benchbase_reports.statistics.logistic import find_levels, fit_many
from benchbase_reports.transitions import LEVELS

if TYPE_CHECKING:
    import pandas as pd


def budget_grid(cells: Cells) -> Array:
    """Return budgets 1, 2, 5, 10, ... that span what signals of a suite took."""
    known = cells.cost[np.isfinite(cells.cost) & (cells.cost > 0)]
    if not known.size:
        return np.zeros(0)
    powers = range(math.floor(math.log10(known.min())), math.ceil(math.log10(known.max())) + 1)
    steps = [m * 10.0**power for power in powers for m in (1, 2, 5)]
    first = max(i for i, step in enumerate(steps) if step <= known.min())
    last = min(i for i, step in enumerate(steps) if step >= known.max())
    return np.array(steps[first : last + 1])


def first_budgets(cells: Cells, grid: Array) -> Array:
    """Count the signals of each block that are recovered from each budget on: (B, len(grid))."""
    shape = (len(cells.starts), len(grid))
    rows = np.flatnonzero(cells.won & np.isfinite(cells.cost))
    owner = np.searchsorted(cells.starts, rows, side="right") - 1
    place = owner * len(grid) + np.searchsorted(grid, cells.cost[rows])
    return np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)


def budget_curves(problem: Problem, grid: Array, first: Array, name: str) -> pd.DataFrame:
    """Return K95 against the budget, of solvers whose applications are counted.

    Parameters
    ----------
    problem : Problem
        Whose solvers.
    grid : ndarray, shape (D,)
        The budgets, ascending.
    first : ndarray, shape (B, D)
        From `first_budgets`.
    name : str
        The problem's.
    """
    import pandas as pd

    counted = np.isfinite(costs(problem)["frame_applications"])
    n_solvers, _, n_pools = problem.shape
    each = np.zeros((n_solvers, n_pools, len(grid)))
    np.add.at(each, (problem.solver, problem.column), first[problem.blocks])
    wins = np.moveaxis(np.cumsum(each[counted], axis=2), 2, 1).reshape(-1, n_pools)
    sizes = problem.sums("ran").sum(axis=1)[counted].repeat(len(grid), axis=0)
    fits = fit_many(problem.pools, wins[:, None], sizes[:, None], trials=False)
    labels = np.array(problem.labels, object)[counted]
    columns = {
        "problem": name,
        "label": labels.repeat(len(grid)),
        "budget": np.tile(grid, len(labels)),
        "K95": find_levels(fits, problem.pools, wins, sizes, LEVELS["K95"])[0],
    }
    return pd.DataFrame(columns)
