"""The tables of the report ``table``, before they become Markdown, LaTeX or a terminal's text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from benchbase.showing import (
    pooling_name,
    problem_columns,
    setting_name,
    solver_names,
    split,
    varying_parameters,
)

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_MESSAGE = 160


@dataclass(frozen=True)
class Block:
    """The table of one problem.

    Attributes
    ----------
    title : str
        Names the problem.
    cells : pandas.DataFrame
        Rows of the summary, with the solvers' names as ``solver``.
    general, notes : tuple of str
        How to read it, much the same for all problems, and what is special to this one: what does
        not apply, what failed. A sentence each, without its full stop.
    """

    title: str
    cells: pd.DataFrame
    general: tuple[str, ...]
    notes: tuple[str, ...]

    def own_notes(self, shared: Sequence[str] = ()) -> list[str]:
        """Return all notes but those that are said for all blocks together."""
        return [*(note for note in self.general if note not in shared), *self.notes]


@dataclass(frozen=True)
class Form:
    """How a table writes its cells.

    Attributes
    ----------
    digits : int
        Decimals.
    plus_minus : str
        What stands between a mean and its standard error.
    escape, mark : callable
        Turn plain text into what the table holds, and that into what marks the best.
    """

    digits: int
    plus_minus: str
    escape: Callable[[str], Any]
    mark: Callable[[Any], Any]


def make_blocks(summary: pd.DataFrame) -> list[Block]:
    """Return a block for each problem, in order of appearance."""
    varying = varying_parameters(summary)
    summary = summary.assign(solver=solver_names(summary))
    blocks = []
    for cells in split(summary, problem_columns(summary)):
        first = cells.iloc[0]
        title = f"{setting_name(first, varying)} · {pooling_name(first)}"
        blocks.append(Block(title, cells, tuple(_general(cells)), tuple(_notes(cells))))
    return blocks


def _general(cells: pd.DataFrame) -> Iterator[str]:
    ran = cells[cells["signals"] > 0]
    most = cells["points"].max()
    if len(ran):
        yield _sampling(sorted({*ran["trials"]}), most)
    for points in sorted({*cells["points"]} - {most}):
        size, first = ("1 pt", "signal") if points == 1 else (f"{points} pts", f"{points} signals")
        yield f"({size}): only the first {first} of each trial"
    if (cells["pending"] > 0).any():
        yield "…: signals still to be computed"


def _notes(cells: pd.DataFrame) -> Iterator[str]:
    refused = cells[cells["unsupported"] > 0]
    for reason, rows in refused.groupby("message", sort=False):
        yield f"n/a, {', '.join(rows['label'].unique())}: {_short(str(reason))}"
    lost = cells[cells["failed"] > 0]
    for solver, rows in lost.groupby("solver", sort=False):
        share = f"{rows['failed'].sum()} of {rows['signals'].sum()} signals"
        where = ", ".join(f"{k}" for k in rows["n_pools"].dropna())
        reason = _short("; ".join(rows["message"].unique()))
        yield f"{solver}: {share} at K={where} failed and count as 0 ({reason})"


def _sampling(trials: Sequence[int], points: int) -> str:
    """Say what a cell is a mean of, and what ± means there."""
    signals = "1 signal" if points == 1 else f"{points} signals"
    if trials == [1]:
        return f"Each cell: {signals}, one frame; ± is the standard error for this frame only"
    span = f"{trials[0]} to {trials[-1]}" if len(trials) > 1 else trials[0]
    alone = ", where there is one for its frame only" if trials[0] == 1 else ""
    return f"Each cell: {span} trials of {signals}; ± is the standard error over trials{alone}"


def _short(message: str) -> str:
    return shorten(message, _LONGEST_MESSAGE, placeholder=" …").rstrip(".")


def best(cells: pd.DataFrame, digits: int) -> list[bool]:
    """Mark the best mean of each number of pools, and all that round to the same.

    Only solvers that ran on the most signals of their column are compared: the first few signals
    may be easy ones. What was not computed is never the best.

    Parameters
    ----------
    cells : pandas.DataFrame
        The summary's rows of one problem.
    digits : int
        Decimals that are shown.
    """
    columns = cells["n_pools"].fillna(0)
    full = cells["signals"] == cells["signals"].groupby(columns).transform("max")
    shown = cells["mean_squared_cosine"].map(lambda mean: float(f"{mean:.{digits}f}")).where(full)
    return (shown == shown.groupby(columns).transform("max")).tolist()  # NaN equals nothing


def cell_text(cell: Any, form: Form) -> str:
    """Write a cell: ``.982 ± .004``, without ± for a single signal; ``n/a``; ``…`` if pending."""
    waiting = "…" if cell.pending else ""
    if not cell.signals:
        return waiting or "n/a"
    shown = [cell.mean_squared_cosine]
    if cell.standard_error == cell.standard_error:
        shown.append(cell.standard_error)
    texts = (f"{value:.{form.digits}f}".removeprefix("0") for value in shown)
    return form.plus_minus.join(texts) + waiting


def grid(cells: pd.DataFrame, form: Form) -> tuple[list[str], list[list[Any]]]:
    """Lay the cells of a problem out.

    Returns
    -------
    heads : list of str
        "Solver", then "K=20" and so on, ascending ("K" where a frame has no number of pools).
    rows : list of list
        A row a solver in order of appearance: its name, then its cells, "" where there is none.
    """
    columns = cells["n_pools"].fillna(0).astype("int64")
    pools = sorted({*columns})
    rows: dict[tuple[str, int], list[Any]] = {}
    marks = best(cells, form.digits)
    records: list[Any] = [*cells.itertuples()]
    for cell, k, marked in zip(records, columns, marks, strict=True):
        blank = [form.escape(cell.solver), *("" for _ in pools)]
        row = rows.setdefault((cell.label, cell.points), blank)
        text = form.escape(cell_text(cell, form))
        row[1 + pools.index(k)] = form.mark(text) if marked else text
    return ["Solver", *(f"K={k}" if k else "K" for k in pools)], [*rows.values()]


def shared_notes(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Return the general notes that all blocks have, so that they need saying only once."""
    first = blocks[0].general if blocks else ()
    return tuple(note for note in first if all(note in block.general for block in blocks))
