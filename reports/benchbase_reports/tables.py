"""The report ``table``: solvers against numbers of pools, one table for each problem."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import benchbase
from benchbase.showing import (
    ProblemTable,
    as_markdown,
    identifier,
    latex_table,
    markdown_list,
    markdown_table,
    problem_tables,
    shared_notes,
    summarise,
    terminal_tables,
    terminal_width,
    write_texts,
)

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

_MEASURE = "Mean squared cosine ± standard error"
_BEST = (
    "the best mean of each column, with all that round to the same, among the solvers that ran on "
    "the most signals"
)
_FORMS = ((3, " ± "), (2, "±"))  # digits and what stands before the error: wide, narrow


class ComparativeTable(benchbase.Report):
    """Mean squared cosine ± standard error of each solver at each number of pools.

    One table for each experiment, data set, recipe of frames and pooling, with the best of each
    column in bold. Written as ``table.csv`` (all statistics in full precision, one row per cell),
    ``table.md`` and ``table.tex`` (needs the LaTeX package booktabs), and printed.
    `benchbase.Results.table` returns the same texts as a data frame.
    """

    name = "table"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write ``table.csv``, ``table.md`` and ``table.tex``.

        Parameters
        ----------
        results : benchbase.Results
            Those of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The three files.
        """
        summary = summarise(results.rows())
        suite, tables = results.suites[-1], problem_tables(summary)
        texts = {
            "table.csv": summary.to_csv(index=False, lineterminator="\n"),
            "table.md": markdown(suite["title"], tables),
            "table.tex": latex(suite["title"], suite["suite"], tables),
        }
        return write_texts(folder, texts)

    def show(self, results: benchbase.ResultsView, console: Console) -> None:
        """Print the tables; those too wide for the console continue below, no column is cut."""
        tables = problem_tables(summarise(results.rows()))
        print_tables(results.suites[-1]["title"], tables, console)


def markdown(title: str, tables: Sequence[ProblemTable]) -> str:
    """Write tables as a Markdown document."""
    shared = shared_notes(tables)
    parts = [f"# {as_markdown(title)}", f"{_MEASURE}; **bold**: {_BEST}.", markdown_list(shared)]
    for each in tables:
        parts.append(f"## {as_markdown(each.title)}")
        parts.append(markdown_table(each.texts().reset_index(), bold=each.best()))
        parts.append(markdown_list(each.own_notes(shared)))
    return "\n\n".join(filter(None, parts)) + "\n"


def latex(title: str, suite: str, tables: Sequence[ProblemTable]) -> str:
    """Write LaTeX tables with captions and the labels ``tab:SUITE-1``, ..."""
    parts = [r"% needs \usepackage{booktabs}"]
    for number, each in enumerate(tables, start=1):
        caption = [f"{title}: {each.title}", f"{_MEASURE}; bold: {_BEST}", *each.own_notes()]
        label = f"{identifier(suite)}-{number}"
        parts.append(latex_table(each.texts().reset_index(), caption, label, bold=each.best()))
    return "\n".join(parts)


def print_tables(title: str, tables: Sequence[ProblemTable], console: Console) -> None:
    """Print tables in the width of a console: three decimals if all tables fit, else two.

    The best are bold, or carry a star if the console shows no styles.
    """
    from rich.text import Text

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style=style))

    styled = console.color_system is not None
    for digits, plus_minus in _FORMS:
        texts = [_texts(each, digits, plus_minus, starred=not styled) for each in tables]
        if all(terminal_width(table, console) <= console.width for table in texts):
            break
    shared = shared_notes(tables)
    say(title, "bold")
    for each, table in zip(tables, texts, strict=True):
        say(f"\n{each.title}")
        for part in terminal_tables(table, console, each.best(digits) if styled else None):
            console.print(part)
        for note in each.own_notes(shared):
            say(f"{note}.", "dim")
    say(f"\n{_MEASURE}; {'bold' if styled else '*'}: {_BEST}.", "dim")
    for note in shared:
        say(f"{note}.", "dim")


def _texts(table: ProblemTable, digits: int, plus_minus: str, *, starred: bool) -> pd.DataFrame:
    texts = table.texts(digits, plus_minus)
    if starred:
        texts = texts.mask(table.best(digits), "*" + texts)
    return texts.reset_index()
