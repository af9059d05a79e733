"""The report ``bounds``: Lipschitz constants of a run's frames beside what was recovered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import benchbase
from benchbase.showing import pooling_name, split, write_texts
from benchbase_bounds.reports.constants import bounds_table, frames_table
from benchbase_bounds.reports.figure import save
from benchbase_bounds.reports.frames import (
    missing,
    name_of_setting,
    noise_columns,
    print_grids,
    problem_columns,
    require_positive,
    setting_columns,
    solvers,
)

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

READING = (
    "A: from the certified lower to the best upper end. B and B/A: from what is attained to what "
    "cannot be exceeded. All are means over frames; of B/A, harmonic means."
)


class Bounds(benchbase.Report):
    """The Lipschitz constants A and B of each frame, and B/A, beside the recovery of the solvers.

    The frames of all trials are rebuilt. The table has one row per problem and number of pools: the
    mean over frames of the certified lower and the best upper end of A, the range of the latter,
    both ends of B and of B/A, the large-K limits if they are known, and the mean squared cosine of
    each solver over the same trials. A describes the worst pair of signals. It is no score of
    difficulty: it vanishes for rectified frames from which typical signals are recovered.

    The files are ``bounds.csv`` (means), ``bounds-frames.csv`` (one row per frame), ``bounds.md``,
    and a figure for each experiment, data set and recipe of frames, against K or L, as SVG and PNG.
    Each frame takes seconds. So the report is made only if a suite names it, or by
    ``benchbase report bounds``.

    Parameters
    ----------
    effort : float, optional
        Factor of the numbers of starts, nodes and regions of the searches.
    limit : float, optional
        Seconds after which no further frame is begun. The report says what is left out.
    experiments : tuple of str, optional
        Only these; by default all.

    Raises
    ------
    ParameterError
        If `effort` or `limit` is not positive.
    """

    name = "bounds"
    on_request: ClassVar[bool] = True
    effort: float = 0.25
    limit: float = 900.0
    experiments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_positive(self, "effort", "limit")

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write the tables and figures, or nothing if there is no frame.

        Parameters
        ----------
        results : benchbase.ResultsView
            The results of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The files. The same results give the same bytes, unless `limit` was reached.
        """
        frames, table = _tables(results, self)
        if table.empty:
            return []
        title = results.suites[-1]["title"]
        texts = {
            "bounds.csv": table.to_csv(index=False, lineterminator="\n"),
            "bounds-frames.csv": frames.to_csv(index=False, lineterminator="\n"),
            "bounds.md": markdown(table, title),
        }
        return write_texts(folder, texts) + save(table, title, folder)

    def show(self, results: benchbase.ResultsView, console: Console) -> None:
        """Print A by pooling and number of pools, and say what was not computed."""
        _, table = _tables(results, self)
        if not table.empty:
            print_grids(console, _grids(table), [READING, *_missing(table)])


@lru_cache(maxsize=2)  # a report is shown and then written
def _tables(results: benchbase.ResultsView, report: Bounds) -> tuple[pd.DataFrame, pd.DataFrame]:
    frames = frames_table(
        results, effort=report.effort, limit=report.limit, experiments=report.experiments
    )
    if frames.empty:
        return frames, frames
    table = bounds_table(frames)
    table["pooling_name"] = [pooling_name(row) for _, row in table.iterrows()]
    return frames, table


def _grids(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name and the grid of each setting and size: A by pooling and number of pools."""
    for part in split(table, [*setting_columns(table), "pool_size"]):
        first = part.iloc[0]
        texts = part.assign(
            text=[bracket(row["lower"], row["upper"]) for _, row in part.iterrows()]
        )
        grid = texts.pivot_table(
            index="pooling_name", columns="n_pools", values="text", aggfunc="first", sort=False,
            fill_value="",
        ).sort_index(axis=1)  # fmt: skip # one argument a line says no more
        grid.columns = [f"K={k}" for k in grid.columns]
        name = f"{name_of_setting(first)} · pools of {first['pool_size']}"
        yield name, grid.reset_index().rename(columns={"pooling_name": "A"})


def _missing(table: pd.DataFrame) -> list[str]:
    """Return a line that says how many frames have no constants, and why, if there are any."""
    table = table.drop_duplicates(problem_columns(table))  # noise makes no further frames
    return missing(int(table["trials"].sum()), int(table["frames"].sum()), table["reason"])


def markdown(table: pd.DataFrame, title: str) -> str:
    """Return a table of `bounds_table` as a Markdown document, with one section per setting.

    Parameters
    ----------
    table : pandas.DataFrame
        From `benchbase_bounds.reports.constants.bounds_table`, with ``pooling_name``.
    title : str
        The title of the suite.
    """
    import pandas as pd

    parts = [f"# {title}", READING, *_missing(table)]
    for part in split(table, setting_columns(table)):
        rows = []
        varying = [c for c in noise_columns(part) if len(part[c].drop_duplicates()) > 1]
        for _, row in part.sort_values("pool_size", kind="stable").iterrows():
            cells = {"pooling": row["pooling_name"], "L": row["pool_size"], "K": row["n_pools"]}
            cells |= {name: row[name] for name in varying}
            cells |= {
                "frames": row["frames"],
                "A": bracket(row["lower"], row["upper"]),
                "A's upper ends": bracket(row["upper_min"], row["upper_max"]),
                "B": bracket(row["largest_lower"], row["largest"]),
                "B/A": bracket(row["condition_lower"], row["condition_upper"]),
            }
            numbers = {"limit of A": row["limit_lower"], "limit of B": row["limit_upper"]}
            numbers |= {name: row[name] for name in solvers(part)}
            rows.append(cells | {name: _number(value) for name, value in numbers.items()})
        text = pd.DataFrame(rows)
        text = text.loc[:, (text != "–").any()]
        align = ["left", *("right" for _ in list(text)[1:])]
        parts += [f"## {name_of_setting(part.iloc[0])}"]
        parts += [text.to_markdown(index=False, colalign=align, disable_numparse=True)]
    return "\n\n".join(parts) + "\n"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def bracket(low: float, high: float) -> str:
    """Return an interval as text: "0.12 – 1.83", "0.5" if both ends agree, "≥ 13" if unbounded."""
    if math.isnan(low) or math.isnan(high):
        return "–"
    if math.isinf(high):
        return "∞" if math.isinf(low) else f"≥ {low:.3g}"
    if high - low <= 1e-3 * high:  # the digits shown would be the same
        return f"{high:.3g}"
    return f"{low:.3g} – {high:.3g}"
