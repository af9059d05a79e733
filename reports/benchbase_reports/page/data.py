"""The contents of a page, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import benchbase
from benchbase import Array
from benchbase.showing import (
    RECOVERED,
    component_of,
    isolation_note,
    latest,
    problem_columns,
    sample_texts,
    solver_specs,
)
from benchbase_reports.citations import bibliography, bibliography_of_spec
from benchbase_reports.invocation import row_command, sized_command, suite_command
from benchbase_reports.page.pictures import LARGEST, Album, ProblemKey, album, identity

if TYPE_CHECKING:
    import pandas as pd

    from benchbase_reports.leaderboard import Board

SHARES = (
    "success", "success_low", "success_high", "mean", "mean_low", "mean_high", "area",
)  # fmt: skip # a short list
"""Columns of shares, which a page holds to four decimals."""

COSTS = ("seconds", "init_seconds", "frame_applications", "K95", "K95_low", "K95_high")
"""Columns of costs, which a page holds to four significant digits."""

WHOLE = (
    "rank", "rank_low", "rank_high", "n_least", "n_largest", "trials", "signals", "failed",
    "unsupported", "pending",
)  # fmt: skip # as above
CURVES = (
    "success", "success_low", "success_high", "mean", "mean_low", "mean_high", "seconds",
    "frame_applications",
)  # fmt: skip # as above


@dataclass(frozen=True)
class PageData:
    """The contents of a page, as plain data that can be written as JSON.

    Attributes
    ----------
    suite, title : str
        The name and the title of the suite.
    command : str
        The command that computes the suite again.
    budget : float or None
        The frame applications per signal that solvers may use; None without a limit.
    notes : list of str
        What readers should know, in sentences without their full stops.
    solvers : list of dict
        ``label``, ``spec``, ``commands`` (several if the solver's rows come from several runs) and
        ``cites`` (keys of `bibliography`). In a published site also ``level`` and
        ``level_unsupported`` (names of `levels`, for problems to which the solver applies or not)
        and ``bundle`` (a text and a relative address).
    problems : list of dict
        ``title``, ``setting``, ``tab``; ``rows`` (one list per column, where ``solver`` holds
        numbers of `solvers`); ``curves`` (``k``, ``solver``, and for each measure one list of
        points per solver); ``budgets`` (``solver``, ``budget``, ``K95``); and ``pictures``
        (numbers of `pictures`, or None if there are none).
    pictures : list of str
        PNG files as ``data:`` addresses.
    bibliography : dict of str to str
        The BibTeX entries by their keys.
    cites : list of str
        The keys of entries that concern all rows: this software, data sets, frames, poolings.
    recovered : float
        The squared cosine above which a signal counts as recovered.
    links : list of (str, str)
        The text and the relative address of other files beside the page.
    environments : list of str
        The environments in which rows were computed, each once. Rows refer to their numbers.
    levels : list of (str, str)
        What may be known about a row, from the least, and what each level means. It is empty
        outside of a published site.
    """

    suite: str
    title: str
    command: str
    budget: float | None
    notes: list[str]
    solvers: list[dict[str, Any]]
    problems: list[dict[str, Any]]
    pictures: list[str]
    bibliography: dict[str, str]
    cites: list[str]
    environments: list[str]
    recovered: float = RECOVERED
    links: tuple[tuple[str, str], ...] = ()
    levels: tuple[tuple[str, str], ...] = ()


def page_data(results: benchbase.ResultsView, board: Board, *, largest: int = LARGEST) -> PageData:
    """Return the contents of a page.

    Parameters
    ----------
    results : benchbase.Results
        Those of one suite.
    board : Board
        From `benchbase_reports.leaderboard.make_board`, of the same results.
    largest : int, optional
        The most characters that all pictures may take; 0 for no pictures. Signals are not drawn if
        their data set is not installed or has no pictures. Nothing is downloaded.
    """
    table, labels = board.table, list(dict.fromkeys(board.table["label"]))
    numbers = {label: number for number, label in enumerate(labels)}
    columns = problem_columns(table)
    parts = [part for _, part in table.groupby("problem", sort=False)]
    ranked = {
        identity(part.iloc[0], columns): list(part.sort_values("rank", kind="stable")["label"])
        for part in parts
    }
    drawn = album(results, ranked, largest) if largest else Album()
    entries, cites = _shared_citations(parts)
    solvers, cited = _solvers(results, board)
    entries |= cited
    curves = dict(iter(board.curves.groupby("problem", sort=False)))
    budgets = dict(iter(board.budgets.groupby("problem", sort=False)))
    listed = dict.fromkeys(each for texts in _environments(table) for each in texts)
    places = {text: place for place, text in enumerate(listed)}
    problems = []
    for part in parts:
        first, title = part.iloc[0], str(part["problem"].iloc[0])
        tab = str(first["tab"])
        problems.append(
            {
                "title": title,
                "setting": title.removesuffix(f" · {tab}"),
                "tab": tab,
                "rows": _rows(part, numbers, places),
                "curves": _curves(curves.get(title), numbers),
                "budgets": _budgets(budgets.get(title), numbers),
                "pictures": _pictures(drawn, identity(first, columns), numbers),
            }
        )
    return PageData(
        suite=board.suite,
        title=board.title,
        command=board.command or _command(results.suites[-1]),
        budget=float(board.budget) if np.isfinite(board.budget) else None,
        notes=[*_notes(table), *_isolation(results), *drawn.notes],
        solvers=solvers,
        problems=problems,
        pictures=drawn.pictures,
        bibliography=entries,
        cites=cites,
        environments=list(listed),
    )


def _solvers(
    results: benchbase.ResultsView, board: Board
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return what a page says about each solver, and the entries that solvers cite."""
    own, runs = solver_specs(results.suites), _runs(results)
    specs = {label: spec for (_, label), spec in own.items()}
    solvers = []
    entries: dict[str, str] = {}
    for label in dict.fromkeys(board.table["label"]):
        known = runs[label] if label in runs else results.suites[-1:]
        commands = dict.fromkeys(row_command(_command(run), label) for run in known)
        cited = bibliography_of_spec("solver", specs[label]) if label in specs else {}
        entries |= cited
        solvers.append(
            {
                "label": label,
                "spec": benchbase.as_toml(specs[label]) if label in specs else "",
                "commands": list(commands),
                "cites": list(cited),
            }
        )
    return solvers, entries


def _runs(results: benchbase.ResultsView) -> dict[str, list[dict[str, Any]]]:
    """Return the runs that each solver's rows come from, if there are several runs."""
    runs = {run["id"]: run for run in results.suites}
    if len(runs) < 2:
        return {}
    frame = results.rows()
    rows = latest(frame, [*problem_columns(frame), "label", "n_pools", "points"])
    found: dict[str, list[dict[str, Any]]] = {}
    for label, run in rows[["label", "run"]].drop_duplicates().itertuples(index=False):
        found.setdefault(label, []).append(runs[run])
    return found


def _command(run: dict[str, Any]) -> str:
    return suite_command(run["command"]) or sized_command(run)


def _notes(table: pd.DataFrame) -> list[str]:
    alone = table["one_frame"].fillna(value=False).astype(bool)
    if not alone.any():
        return []
    which = "All rows" if alone.all() else f"{int(alone.sum())} of {len(alone)} rows"
    return [f"{which} come from a single trial: their intervals hold for this frame only"]


def _isolation(results: benchbase.ResultsView) -> list[str]:
    rows = results.rows()
    shared = rows.loc[rows["isolated"].eq(other=False).fillna(value=False), "label"]
    return [isolation_note(shared).capitalize()] if len(shared) else []


def _shared_citations(parts: Sequence[pd.DataFrame]) -> tuple[dict[str, str], list[str]]:
    """Return the entries of benchbase, data sets, frames and poolings, and their keys."""
    entries = bibliography(None)
    for part in parts:
        for kind in ("dataset", "frame", "pooling"):
            row = part.iloc[0]
            try:
                entries |= bibliography(component_of(row, kind))
            except benchbase.BenchbaseError:  # its plugin is not here, or it needs a K
                entries |= bibliography_of_spec(kind, {"name": row[kind]})
    return entries, list(entries)


def _environments(part: pd.DataFrame) -> list[list[str]]:
    """Return the environments of each row, which a board has joined by semicolons."""
    texts = part["environment"].fillna("").astype(str)
    return [[each for each in text.split("; ") if each] for text in texts]


def _rows(
    part: pd.DataFrame, numbers: dict[str, int], places: dict[str, int]
) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {"solver": [numbers[label] for label in part["label"]]}
    for name in (*WHOLE, *SHARES, *COSTS):
        rows[name] = plain(part[name].to_numpy(dtype=float, na_value=np.nan), name)
    rows["message"] = part["message"].fillna("").astype(str).tolist()
    rows["environments"] = [[places[each] for each in texts] for texts in _environments(part)]
    rows["sample"] = sample_texts(part, [])
    rows["one_frame"] = part["one_frame"].fillna(value=False).astype(bool).tolist()
    return rows


def plain(values: Array, name: str) -> Any:
    """Return numbers as a page holds them: a list with None for NaN and "inf" for infinity.

    Parameters
    ----------
    values : ndarray
        The numbers, as floats.
    name : str
        The numbers' column. Shares are rounded to four decimals, costs to four significant digits.
    """
    known = np.isfinite(values)
    if name in COSTS:
        size = np.where(known & (np.abs(values) > 1e-100), np.abs(values), 1.0)
        scale = np.power(10.0, 3 - np.floor(np.log10(np.where(known, size, 1.0))))
        rounded: Array = np.round(np.where(known, values, 0.0) * scale) / scale
    else:
        rounded = np.round(np.where(known, values, 0.0), 4)
    kept = rounded.astype(object)
    whole = known & (rounded == np.floor(rounded)) & (np.abs(rounded) < 1e15)
    kept[whole] = rounded[whole].astype(np.int64)  # written without ".0"
    kept[np.isnan(values)] = None
    kept[values == np.inf] = "inf"
    kept[values == -np.inf] = "-inf"
    return kept.tolist()


def _curves(part: pd.DataFrame | None, numbers: dict[str, int]) -> dict[str, Any]:
    """Return the measures of a problem: one list of points per solver, None if one is missing."""
    if part is not None:
        part = part.dropna(subset=["n_pools"])
    if part is None or part.empty:
        return {"k": [], "solver": [], **{name: [] for name in CURVES}}
    pools = np.unique(part["n_pools"].to_numpy(dtype=float))
    solvers = list(dict.fromkeys(part["label"]))
    places = {label: place for place, label in enumerate(solvers)}
    at = (
        part["label"].map(places).to_numpy(dtype=int),
        np.searchsorted(pools, part["n_pools"].to_numpy(dtype=float)),
    )
    found: dict[str, Any] = {"k": plain(pools, ""), "solver": [numbers[each] for each in solvers]}
    for name in CURVES:
        values = np.full((len(solvers), len(pools)), np.nan)
        values[at] = part[name].to_numpy(dtype=float, na_value=np.nan)
        found[name] = plain(values, name)
    return found


def _budgets(part: pd.DataFrame | None, numbers: dict[str, int]) -> dict[str, list[Any]]:
    names = ("budget", "K95")
    if part is None:
        return {"solver": [], **{name: [] for name in names}}
    columns = {name: part[name].to_numpy(dtype=float, na_value=np.nan) for name in names}
    return {"solver": [numbers[label] for label in part["label"]]} | {
        name: plain(values, "K95") for name, values in columns.items()
    }


def _pictures(drawn: Album, name: ProblemKey, numbers: dict[str, int]) -> dict[str, Any] | None:
    page = drawn.pages.get(name)
    if page is None:
        return None
    solvers = [{"solver": numbers[label], "choices": c} for label, c in page["solvers"].items()]
    return {"n_pools": page["n_pools"], "signals": page["signals"], "solvers": solvers}
