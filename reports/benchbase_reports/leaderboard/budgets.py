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


def budget_curves(cells: Cells, problem: Problem, grid: Array, name: str) -> pd.DataFrame:
    """Return K95 against the budget, of solvers whose applications are counted."""
    import pandas as pd

    counted = np.isfinite(costs(cells, problem)["frame_applications"])
    labels = [label for label, known in zip(problem.labels, counted, strict=True) if known]
    sizes = problem.sums(cells.ran).sum(axis=1)[counted]
    found = []
    # A signal counts from the first budget on that it holds.
    first = np.searchsorted(grid, cells.cost)
    wins = np.zeros(sizes.shape)
    for index in range(len(grid)):
        wins = wins + problem.sums(cells.won & (first == index)).sum(axis=1)[counted]
        fits = fit_many(problem.pools, wins[:, None], sizes[:, None], trials=False)
        found.append(find_levels(fits, problem.pools, wins, sizes, LEVELS["K95"])[0])
    columns = {
        "problem": name,
        "label": np.repeat(np.array(labels, object), len(grid)),
        "budget": np.tile(grid, len(labels)),
        "K95": np.array(found).T.ravel() if found else np.zeros(0),
    }
    return pd.DataFrame(columns)
