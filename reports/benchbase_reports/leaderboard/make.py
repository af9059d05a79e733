"""The making of a `Board` from results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import benchbase
from benchbase import Array
from benchbase.showing import (
    RECOVERED,
    may_lead,
    pooling_name,
    problem_columns,
    reduced,
    setting_name,
    varying_parameters,
)
from benchbase_reports.invocation import suite_command
from benchbase_reports.leaderboard.board import TABLE, Board
from benchbase_reports.leaderboard.budgets import budget_curves, budget_grid
from benchbase_reports.leaderboard.cells import Cells, read_cells
from benchbase_reports.leaderboard.counts import ProblemCounts, problems
from benchbase_reports.leaderboard.numbers import CURVES, curves, row_numbers, trial_means
from benchbase_reports.statistics.pareto import pareto_front

if TYPE_CHECKING:
    import pandas as pd

NO_ESTIMATE = "not ranked: it gave no estimate of any signal"
NOT_COUNTED = "not ranked: its frame applications are not counted, so no budget applies"
_WHOLE = (
    *("rank", "rank_low", "rank_high", "n_least", "n_largest", "trials", "signals"),
    *("failed", "unsupported", "pending"),
)


def make_board(
    results: benchbase.ResultsView, *, budget: float = math.inf, recovered: float = RECOVERED
) -> Board:
    """Rank the solvers of a suite on each of its problems.

    Solvers are ranked by K95, the number of pools at which 95 % of the signals are recovered within
    the budget. Solvers with the same K95, as at the ends of the grid, are ranked by the area under
    their recovery curves. The intervals of ranks come from a bootstrap of paired differences,
    clustered by trial.

    Parameters
    ----------
    results : benchbase.Results
        Those of one suite. If several runs hold the same trial of a problem and solver, the latest
        run counts.
    budget : float, optional
        Frame applications per signal. A signal that took more counts as not recovered. Means,
        medians, seconds and frame applications do not depend on the budget.
    recovered : float, optional
        The squared cosine above which a signal is recovered.

    Raises
    ------
    benchbase.BenchbaseError
        If the budget is not positive.
    """
    import pandas as pd

    if not budget > 0:
        raise benchbase.BenchbaseError(f"a budget is a positive number, not {budget:g}")
    suite = results.suites[-1]
    cells = read_cells(results.rows(), recovered=recovered, budget=budget)
    texts = _block_texts(cells, _environments(results))
    grid, heads = budget_grid(cells), _heads(cells)
    tables, recovery, budgets, trials = [], [], [], []
    for head, problem in zip(heads, problems(cells), strict=True):
        columns = row_numbers(problem, counted=math.isfinite(budget))
        columns |= _row_texts(problem, texts)
        if math.isfinite(budget):
            _exclude(columns)
        table = _placed(pd.DataFrame(head | columns))
        tables.append(table.sort_values("rank", kind="stable", na_position="last"))
        name = head["problem"]
        recovery.append(curves(problem, name))
        budgets.append(budget_curves(problem, grid, name))
        trials.append(trial_means(problem, name))
    names = [*problem_columns(cells.blocks), *TABLE]
    table = _join(tables, names)[names].astype(dict.fromkeys(_WHOLE, "Int64"))
    return Board(
        suite=suite["suite"],
        title=suite["title"],
        command=suite_command(suite.get("command", "")),
        budget=float(budget),
        table=table,
        curves=_join(recovery, [*CURVES], CURVES[2:]),
        budgets=_join(budgets, ["problem", "label", "budget", "K95"], ["budget", "K95"]),
        trials=_join(trials, ["problem", "label", "trial", "mean"], ["mean"]),
    )


def _join(
    parts: list[pd.DataFrame], columns: list[str], numbers: Sequence[str] = ()
) -> pd.DataFrame:
    """Join the tables of problems; without any, those of `columns` that are numbers are typed."""
    import pandas as pd

    if not parts:
        return pd.DataFrame(columns=columns).astype(dict.fromkeys(numbers, "float64"))
    return pd.concat(parts, ignore_index=True)


def _heads(cells: Cells) -> list[dict[str, Any]]:
    """Return the columns that are the same for all solvers of each problem."""
    keys = problem_columns(cells.blocks)
    first = cells.blocks.drop_duplicates("problem")[keys]
    varying = varying_parameters(first)
    heads = []
    for _, row in first.iterrows():
        tab = pooling_name(row)
        heads.append({**row, "problem": f"{setting_name(row, varying)} · {tab}", "tab": tab})
    return heads


def _block_texts(cells: Cells, environments: dict[str, str]) -> tuple[Array, Array, Array]:
    """Return the solver of each block, the place of its environment, and all environments."""
    import pandas as pd

    made, names = pd.factorize(cells.blocks["cell"].map(environments))
    return cells.blocks["solver"].to_numpy(object), made, np.asarray(names, object)


def _row_texts(problem: ProblemCounts, texts: tuple[Array, Array, Array]) -> dict[str, Any]:
    """Return the columns of a problem's rows that are text or are counted by block."""
    cells, blocks = problem.cells, problem.blocks
    solvers, made, names = texts
    own: list[dict[str, None]] = [{} for _ in problem.labels]
    telling = np.flatnonzero(np.isin(blocks, [*cells.messages])) if cells.messages else ()
    for place in sorted(telling, key=blocks.__getitem__):
        own[problem.solver[place]][cells.messages[int(blocks[place])]] = None
    computed: list[dict[str, None]] = [{} for _ in problem.labels]
    _, first = np.unique(np.stack([problem.solver, made[blocks]]), axis=1, return_index=True)
    for place in sorted(first):
        if made[blocks[place]] >= 0:
            computed[problem.solver[place]][str(names[made[blocks[place]]])] = None
    _, places = np.unique(problem.solver, return_index=True)
    counts = {
        name: problem.totals(name).sum(axis=1).astype(int) for name in ("unsupported", "pending")
    }
    return counts | {
        "label": problem.labels,
        "solver": solvers[blocks[places]].tolist(),
        "message": ["; ".join(messages) for messages in own],
        "environment": ["; ".join(each) for each in computed],
        "one_frame": problem.one_frame,
    }


def _exclude(columns: dict[str, Any]) -> None:
    """Take the rank from solvers whose applications are not counted, and say why."""
    for row, cost in enumerate(columns["frame_applications"]):
        if columns["signals"][row] and math.isnan(cost):
            messages = [NOT_COUNTED, columns["message"][row]]
            columns["message"][row] = "; ".join(filter(None, messages))
            for name in ("K95", "K95_low", "K95_high", "success", "success_low", "success_high"):
                columns[name][row] = math.nan
            columns["area"][row] = math.nan


def _placed(table: pd.DataFrame) -> pd.DataFrame:
    """Add to the rows of a problem which are of small samples, and which are on Pareto fronts."""
    table["reduced"] = reduced(table, [])
    area = table["area"].where(may_lead(table)).to_numpy(float)
    for cost in ("seconds", "frame_applications"):
        table["pareto_" + cost.removeprefix("frame_")] = pareto_front(
            table[cost].to_numpy(float), area
        )
    lost = (table["signals"] > 0) & (table["failed"] == table["signals"])
    told = NO_ESTIMATE + table["message"].where(table["message"] == "", "; " + table["message"])
    return table.assign(message=table["message"].where(~lost, told))


def _environments(results: benchbase.ResultsView) -> dict[str, str]:
    """Return the environment of each cell as a short text."""
    found: dict[str, list[str]] = {}
    for cell, facts in results.environments():
        text = environment_text(facts)
        known = found.setdefault(cell, [])
        if text not in known:
            known.append(text)
    return {cell: "; ".join(texts) for cell, texts in found.items()}


def environment_text(facts: dict[str, Any]) -> str:
    """Name an environment: "benchbase 0.1.0, Python 3.11.7, NumPy 2.4.6, ..., Linux x86_64".

    Parameters
    ----------
    facts : dict
        As from `benchbase.Results.environments`.
    """
    versions = facts.get("versions", {})
    named = {"benchbase": "benchbase", "numpy": "NumPy", "scipy": "SciPy"}
    parts = [f"{named[name]} {versions[name]}" for name in named if name in versions]
    parts.insert(1, f"Python {facts.get('python', '?')}")
    parts += [*facts.get("blas", ())[:1], facts.get("processor", ""), facts.get("system", "")]
    return ", ".join(part for part in parts if part)
