"""The report ``table``: solvers against numbers of pools, a table for each problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchbase
from benchbase.showing import as_latex, as_markdown, identifier, summarise, write_texts
from benchbase_reports.blocks import Block, Form, grid, make_blocks, shared_notes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MEASURE = "Mean squared cosine ± standard error"
_BEST = "the best of each column among the solvers that ran on the most signals"
_GAP = 2  # blanks between two columns in the terminal


class ComparativeTable(benchbase.Report):
    """Mean squared cosine ± standard error of each solver at each number of pools.

    One table for each experiment, data set, recipe of frames and pooling, with the best of each
    column in bold. Written as ``table.csv`` (all statistics in full precision, a row a cell),
    ``table.md`` and ``table.tex`` (needs the LaTeX package booktabs), and printed.
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
        summary = summarise(results.frame())
        suite, blocks = results.suites[-1], make_blocks(summary)
        texts = {
            "table.csv": summary.to_csv(index=False, lineterminator="\n"),
            "table.md": markdown(suite["title"], blocks),
            "table.tex": latex(suite["title"], suite["suite"], blocks),
        }
        return write_texts(folder, texts)

    def show(self, results: benchbase.ResultsView, console: Console) -> None:
        """Print the tables; those too wide for the console continue below, no column is cut."""
        blocks = make_blocks(summarise(results.frame()))
        print_blocks(results.suites[-1]["title"], blocks, console)


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """Write blocks as a Markdown document."""
    import pandas as pd

    form = Form(3, " ± ", as_markdown, lambda text: f"**{text}**")
    shared = shared_notes(blocks)
    parts = [f"# {as_markdown(title)}", f"{_MEASURE}; **bold**: {_BEST}.", _listed(shared)]
    for block in blocks:
        heads, rows = grid(block.cells, form)
        table = pd.DataFrame(rows, columns=heads)
        align = ["left", *("right" for _ in heads[1:])]
        parts.append(f"## {as_markdown(block.title)}")
        parts.append(table.to_markdown(index=False, colalign=align, disable_numparse=True))
        parts.append(_listed(block.own_notes(shared)))
    return "\n\n".join(filter(None, parts)) + "\n"


def _listed(notes: Sequence[str]) -> str:
    return "\n".join(f"- {as_markdown(note)}." for note in notes)


def latex(title: str, suite: str, blocks: Sequence[Block]) -> str:
    """Write blocks as LaTeX tables with captions and the labels ``tab:SUITE-1``, ..."""
    import pandas as pd

    form = Form(3, " ± ", as_latex, lambda text: rf"\textbf{{{text}}}")
    parts = [r"% needs \usepackage{booktabs}"]
    for index, block in enumerate(blocks, start=1):
        heads, rows = grid(block.cells, form)
        table = pd.DataFrame(rows, columns=[heads[0], *(f"${head}$" for head in heads[1:])])
        told = [f"{title}: {block.title}", f"{_MEASURE}; bold: {_BEST}"]
        text = table.style.hide(axis="index").to_latex(
            column_format="l" + "r" * (len(heads) - 1),
            hrules=True,
            position="htbp",
            position_float="centering",
            caption=". ".join(map(as_latex, [*told, *block.own_notes()])) + ".",
            label=f"tab:{identifier(suite)}-{index}",
        )
        parts.append(text)
    return "\n".join(parts)


def print_blocks(title: str, blocks: Sequence[Block], console: Console) -> None:
    """Print blocks in the width of a console: three decimals where all fit, else two.

    The best are bold, or carry a star where the console shows no styles.
    """
    from rich.text import Text

    styled, room = console.color_system is not None, console.width

    def mark(text: Text) -> Text:
        return Text(text.plain, style="bold") if styled else Text("*") + text

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style=style))

    forms = [Form(3, " ± ", Text, mark), Form(2, "±", Text, mark)]
    grids = [[grid(block.cells, form) for block in blocks] for form in forms]
    fitting = (each for each in grids if all(_extent(_widths(*g)) <= room for g in each))
    shared = shared_notes(blocks)
    say(title, "bold")
    for block, (heads, rows) in zip(blocks, next(fitting, grids[-1]), strict=True):
        say(f"\n{block.title}")
        for table in fitting_tables(heads, rows, room):
            console.print(table)
        for note in block.own_notes(shared):
            say(f"{note}.", "dim")
    say(f"\n{_MEASURE}; {'bold' if styled else '*'}: {_BEST}.", "dim")
    for note in shared:
        say(f"{note}.", "dim")


def _widths(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    from rich.cells import cell_len

    return [
        max(cell_len(line) for cell in column for line in str(cell).split("\n"))
        for column in zip(heads, *rows, strict=True)
    ]


def _extent(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def fitting_tables(heads: list[str], rows: list[list[Any]], room: int) -> Iterator[Table]:
    """Yield tables that hold as many columns as there is room for, at least one each.

    Parameters
    ----------
    heads, rows : list
        Text; a cell may have several lines.
    room : int
        Characters in a line of the console.
    """
    from rich import box
    from rich.table import Table

    widths = _widths(heads, rows)
    if _extent(widths) > room:
        widths[0] = min(widths[0], room // 3)  # longer names are folded
    start = 1
    while start < len(heads):
        stop = start + 1
        while stop < len(heads) and _extent([widths[0], *widths[start : stop + 1]]) <= room:
            stop += 1
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
        table.add_column(heads[0], width=widths[0], overflow="fold")
        for head in heads[start:stop]:
            table.add_column(head, justify="right", no_wrap=True)
        for row in rows:
            table.add_row(row[0], *row[start:stop])
        yield table
        start = stop
