"""What the reports of this package share: each frame of a run, rebuilt once and measured."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import benchbase
from benchbase import Problem
from benchbase.showing import setting_name, terminal_tables, with_scores

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

Measure = Callable[[Problem], dict[str, Any]]
"""Returns what is worked out of a problem, by column; may raise `benchbase.BenchbaseError`."""

SCORE = "cos² "
"""The prefix of the columns of solvers' scores, before the label."""


def problem_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that tell frames and poolings apart, without noise and hints."""
    named = ["experiment", "dataset", "n", "frame", "pool_size"]
    named += _parameters(table, "dataset.", "frame.")
    return [*named, "pooling", "p", "rectified", *_parameters(table, "pooling."), "n_pools"]


def noise_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that tell noise and hints apart."""
    return ["noise", "hint", *_parameters(table, "noise.", "hint.")]


def _parameters(table: pd.DataFrame, *kinds: str) -> list[str]:
    sizes = ("frame.n_pools", "frame.pool_size")  # these have columns of their own
    return [c for c in map(str, table) if c.startswith(kinds) and c not in sizes]


def measured(
    results: benchbase.ResultsView,
    measure: Measure,
    *,
    label: str,
    limit: float,
    experiments: Sequence[str] = (),
    rows: Callable[[pd.DataFrame], pd.Series[bool]] | None = None,
) -> pd.DataFrame:
    """Rebuild and measure each frame of a run: one row per frame, pooling, noise and hint.

    The frames of each problem's first trial come first, then those of the second, and so on. So if
    the time runs out, every problem has some frames.

    Parameters
    ----------
    results : benchbase.Results
        Those of one suite.
    measure : callable
        Works out what is wanted of a problem.
    label : str
        The label of the progress bar.
    limit : float
        Seconds after which no further frame is begun.
    experiments : sequence of str, optional
        Only these; by default all.
    rows : callable, optional
        Takes `benchbase.Results.rows`, and returns which of its rows are looked at.

    Returns
    -------
    pandas.DataFrame
        `problem_columns`, `noise_columns`, ``seed``, ``trial``, what `measure` returns, ``reason``
        and ``cos² LABEL``. The reason says why a frame was not measured; otherwise it is the one
        that `measure` gives, or empty. ``cos² LABEL`` is the mean squared cosine of each solver
        over the signals of that trial. What failed counts as 0, and what is unsupported or pending
        is left out.

    Raises
    ------
    benchbase.BenchbaseError
        If an experiment that is asked for does not exist.
    """
    import pandas as pd

    table = with_scores(_chosen(results.rows(), experiments))
    if rows is not None:
        table = table[rows(table)]
    if table.empty:
        return pd.DataFrame()
    keys = [*problem_columns(table), "seed", "trial"]
    table = table.assign(which=table.groupby(keys, dropna=False, sort=False).ngroup())
    table["row"] = table.groupby(
        ["which", *noise_columns(table)], dropna=False, sort=False
    ).ngroup()
    cells = table.drop_duplicates("which").sort_values("trial", kind="stable")
    found = _measure_each(results, cells, measure, label, limit)

    scores = table.pivot_table("score", "row", "label", sort=False, dropna=False)
    scores = scores.dropna(axis="columns", how="all").add_prefix(SCORE)
    heads = table.drop_duplicates("row").set_index("row")
    heads = heads[[*keys[:-2], *noise_columns(table), "seed", "trial", "which"]]
    facts = pd.DataFrame.from_dict(found, orient="index")
    joined = heads.join(facts, on="which").join(scores).drop(columns="which")
    return joined.reset_index(drop=True)


def _measure_each(
    results: benchbase.ResultsView, cells: pd.DataFrame, measure: Measure, label: str, limit: float
) -> dict[int, dict[str, Any]]:
    from threadpoolctl import threadpool_limits

    end = time.monotonic() + limit
    found: dict[int, dict[str, Any]] = {}
    # Products are small here: a second BLAS thread would cost more than it does.
    with benchbase.progress(label, len(cells)) as bar, threadpool_limits(1, "blas"):
        for which, cell in zip(cells["which"], cells["cell"], strict=True):
            if time.monotonic() > end:
                reason = f"not computed: the limit of {limit:g} seconds was reached"
                found[which] = {"reason": reason}
            else:
                try:
                    found[which] = {"reason": ""} | measure(results.problem(str(cell)))
                except benchbase.BenchbaseError as error:
                    found[which] = {"reason": f"not computed: {error}"}
            bar.update()
    return found


def _chosen(table: pd.DataFrame, experiments: Sequence[str]) -> pd.DataFrame:
    there = list(dict.fromkeys(table["experiment"]))
    for name in experiments:
        if name not in there:
            names = ", ".join(map(repr, there))
            raise benchbase.BenchbaseError(f"there is no experiment {name!r}; there are: {names}")
    return table[table["experiment"].isin(experiments)] if experiments else table


def solvers(table: pd.DataFrame) -> list[str]:
    """Return the columns of scores that hold a number."""
    return [c for c in map(str, table) if c.startswith(SCORE) and table[c].notna().any()]


def setting_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns that tell figures apart: all but those of poolings, sizes and noise."""
    named = problem_columns(table)
    return [c for c in named if c.startswith(("experiment", "dataset", "n", "frame"))][:-1]


def name_of_setting(row: pd.Series[Any]) -> str:
    """Name experiment, signals and frames, without the size of pools, noise and hint."""
    import pandas as pd

    plain: pd.Series[Any] = pd.Series({**row, "pool_size": math.nan, "noise": "", "hint": ""})
    return setting_name(plain, [])


def missing(frames: int, measured: int, reasons: Iterable[str]) -> list[str]:
    """Return a line that says how many frames were not measured, and why, if there are any.

    Parameters
    ----------
    frames, measured : int
        The number of frames, and of those that were measured.
    reasons : iterable of str
        Reasons of `measured`, several of them joined by semicolons.
    """
    parts = {reason for text in reasons for reason in text.split("; ")}
    causes = sorted(reason for reason in parts if reason.startswith("not computed"))
    more = f"; and {len(causes) - 3} other reasons" if len(causes) > 3 else ""
    line = f"{frames - measured} of {frames} frames: {'; '.join(causes[:3])}{more}."
    return [line] if measured < frames else []


def print_grids(
    console: Console, grids: Iterable[tuple[str, pd.DataFrame]], notes: Iterable[str]
) -> None:
    """Print tables below their names, with the first column to the left, and notes below all.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    grids : iterable of tuples of str and pandas.DataFrame
        Names and tables.
    notes : iterable of str
        Lines.
    """
    from rich.text import Text

    for name, grid in grids:
        console.print(Text(name))
        for part in terminal_tables(grid.astype(str), console):
            console.print(part)
        console.print()
    for line in notes:
        console.print(Text(line))
    console.print()


def require_positive(report: benchbase.Report, *names: str) -> None:
    """Raise `benchbase.ParameterError` if one of a report's parameters is not positive."""
    for name in names:
        if not getattr(report, name) > 0:
            raise benchbase.ParameterError(name, f"must be positive, not {getattr(report, name)}")
