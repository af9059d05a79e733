"""The comparative table: the mean squared cosine of solvers at each number of pools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbase.showing.names import pooling_name, setting_name, solver_names, varying_parameters
from benchbase.showing.samples import REDUCED, may_lead, sample_notes, sample_texts
from benchbase.showing.summary import problem_columns, split, summarise
from benchbase.showing.text import shortened

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ProblemTable:
    """The table of one problem: one row per solver, one column per number of pools.

    Attributes
    ----------
    title : str
        The name of the problem.
    cells : pandas.DataFrame
        The problem's rows of a summary, with the solvers' names in the column ``solver``.
    general, notes : tuple of str
        Sentences without their full stops. The general ones say how to read the table, and many
        problems share them; the notes say what is special here: which solvers do not apply, and
        which failed.
    """

    title: str
    cells: pd.DataFrame
    general: tuple[str, ...]
    notes: tuple[str, ...]

    def own_notes(self, shared: Sequence[str] = ()) -> list[str]:
        """Return all notes except those that are `shared`, which are shown once for all tables."""
        return [*(note for note in self.general if note not in shared), *self.notes]

    def texts(self, digits: int = 3, plus_minus: str = " ± ") -> pd.DataFrame:
        """Return the table as text.

        Parameters
        ----------
        digits : int, optional
            Number of decimals.
        plus_minus : str, optional
            The text between a mean and its standard error.

        Returns
        -------
        pandas.DataFrame
            Solvers in order of appearance as index "Solver", and columns "K=20" and so on,
            ascending ("K" if a frame has no number of pools). A cell is "" if the solver did not
            run there, "n/a" if it does not apply, and ends with "…" while signals are pending.
        """
        texts = (cell_text(cell, digits, plus_minus) for cell in self.cells.itertuples())
        return self._laid_out(texts, "")

    def best(self, digits: int = 3) -> pd.DataFrame:
        """Return which cells of `texts` are the best of their column, as `best_means` says."""
        return self._laid_out(best_means(self.cells, digits), False)

    def _laid_out(self, values: Iterable[Any], blank: Any) -> pd.DataFrame:
        """Lay out one value per cell; places without a cell get the blank."""
        import pandas as pd

        columns = self.cells["n_pools"].fillna(0).astype("int64")
        pools = sorted({*columns})
        names: dict[tuple[str, int], str] = {}
        rows: dict[tuple[str, int], list[Any]] = {}
        records: list[Any] = [*self.cells.itertuples()]
        for cell, k, value in zip(records, columns, values, strict=True):
            key = (cell.label, cell.points)
            names[key] = cell.solver
            rows.setdefault(key, [blank] * len(pools))[pools.index(k)] = value
        heads = [f"K={k}" if k else "K" for k in pools]
        index = pd.Index([*names.values()], name="Solver")
        return pd.DataFrame([*rows.values()], index=index, columns=heads)


def problem_tables(summary: pd.DataFrame) -> list[ProblemTable]:
    """Return the table of each problem, in order of appearance.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarise`.
    """
    varying = varying_parameters(summary)
    summary = summary.assign(solver=solver_names(summary))
    several = len(summary["suite"].unique()) > 1
    tables = []
    for cells in split(summary, problem_columns(summary)):
        first = cells.iloc[0]
        title = f"{setting_name(first, varying)} · {pooling_name(first)}"
        title = f"{first['suite']} · {title}" if several else title
        tables.append(ProblemTable(title, cells, tuple(_general(cells)), tuple(_notes(cells))))
    return tables


def comparative_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the comparative table of results as one data frame of text.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`.

    Returns
    -------
    pandas.DataFrame
        The index has the levels "Problem" and "Solver"; columns are "K=20" and so on, ascending.
        Cells are those of `ProblemTable.texts`: the mean squared cosine ± its standard error.
    """
    import pandas as pd

    names = ["Problem", "Solver"]
    tables = problem_tables(summarise(frame)) if len(frame) else []
    if not tables:
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=names))
    whole = pd.concat([each.texts() for each in tables], keys=[each.title for each in tables])
    heads = sorted(map(str, whole), key=lambda head: int(head[len("K=") :] or 0))
    return whole[heads].fillna("").rename_axis(names)


def _general(cells: pd.DataFrame) -> Iterator[str]:
    ran = cells[cells["signals"] > 0]
    most = cells["points"].max()
    if len(ran):
        yield _sampling(sorted({*ran["trials"]}), most)
    for points in sorted({*cells["points"]} - {most}):
        size, first = ("1 pt", "signal") if points == 1 else (f"{points} pts", f"{points} signals")
        yield f"({size}): only the first {first} of each trial"
    if cells["solver"].str.endswith(REDUCED).any():
        yield f"{REDUCED}: a smaller sample than others have, so never called the best"
    if (cells["pending"] > 0).any():
        yield "…: signals still to be computed"


def isolation_note(labels: Iterable[str]) -> str:
    """Return the note about solvers that ran in benchbase's own process, by their labels."""
    named = ", ".join(dict.fromkeys(labels))
    return f"not isolated, {named}: computed in benchbase's own process instead of a worker's"


def _notes(cells: pd.DataFrame) -> Iterator[str]:
    texts = sample_texts(cells, ["n_pools"])
    by_points = cells["points"] < cells["points"].max()  # said by their names
    texts = [text if not known else "" for text, known in zip(texts, by_points, strict=True)]
    labels = [name.removesuffix(f" {REDUCED}") for name in cells["solver"]]
    pools = [
        "" if missing else f"{k}"
        for k, missing in zip(cells["n_pools"], cells["n_pools"].isna(), strict=True)
    ]
    yield from sample_notes(labels, texts, pools)
    refused = cells[cells["unsupported"] > 0]
    for reason, rows in refused.groupby("message", sort=False):
        yield f"n/a, {', '.join(rows['label'].unique())}: {shortened(str(reason))}"
    lost = cells[cells["failed"] > 0]
    for solver, rows in lost.groupby("solver", sort=False):
        share = f"{rows['failed'].sum()} of {rows['signals'].sum()} signals"
        where = ", ".join(f"{k}" for k in rows["n_pools"].dropna())
        reason = shortened("; ".join(rows["message"].unique()))
        yield f"{solver}: {share} at K={where} failed and count as 0 ({reason})"
    shared = cells[cells["not_isolated"] > 0]
    if len(shared):
        yield isolation_note(shared["label"])


def _sampling(trials: Sequence[int], points: int) -> str:
    """Return the note about what the numbers are means of, and what ± means there."""
    signals = "1 signal" if points == 1 else f"{points} signals"
    if trials == [1]:
        return f"Means over {signals} of one frame; ± is the standard error for this frame only"
    span = f"{trials[0]} to {trials[-1]}" if len(trials) > 1 else trials[0]
    alone = ", or for the one frame if there is only one trial" if trials[0] == 1 else ""
    return f"Means over {span} trials of {signals}; ± is the standard error over trials{alone}"


def best_means(cells: pd.DataFrame, digits: int) -> list[bool]:
    """Mark the best mean of each number of pools, and all means that round to the same.

    Only cells that `may_lead` are compared: those of a full sample with at least one estimate.

    Parameters
    ----------
    cells : pandas.DataFrame
        The rows of a summary for one problem.
    digits : int
        Number of decimals that are shown.
    """
    columns = cells["n_pools"].fillna(0)
    shown = cells["mean_squared_cosine"].map(lambda mean: float(f"{mean:.{digits}f}"))
    shown = shown.where(may_lead(cells))
    return (shown == shown.groupby(columns).transform("max")).tolist()  # NaN equals nothing


def cell_text(cell: Any, digits: int = 3, plus_minus: str = " ± ") -> str:
    """Write one cell, such as ".982 ± .004".

    Parameters
    ----------
    cell : namedtuple
        A row of a summary, as from `pandas.DataFrame.itertuples`.
    digits, plus_minus
        As for `ProblemTable.texts`.
    """
    waiting = "…" if cell.pending else ""
    if not cell.signals:
        return waiting or "n/a"
    shown = [cell.mean_squared_cosine]
    if cell.standard_error == cell.standard_error:  # NaN for a single signal
        shown.append(cell.standard_error)
    texts = (f"{value:.{digits}f}".removeprefix("0") for value in shown)
    return plus_minus.join(texts) + waiting


def shared_notes(tables: Sequence[ProblemTable]) -> tuple[str, ...]:
    """Return the general notes that all tables have, so that they need saying only once."""
    first = tables[0].general if tables else ()
    return tuple(note for note in first if all(note in table.general for table in tables))
