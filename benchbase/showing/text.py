"""Text and tables of text for Markdown, LaTeX, the terminal and files.

A table of text is a data frame of strings; its index is ignored. The first column is aligned to the
left and names the rows; the other columns are aligned to the right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from benchbase.system.outputs import spelled

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",  # LaTeX takes [ or * at the start of a row for an argument of the \\ before it
    "*": "{*}",
    "±": r"$\pm$",
    "ℓ": r"$\ell$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "≠": r"$\neq$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "−": "$-$",
    "‖": r"$\|$",
    "…": r"\dots{}",
    "†": r"\dag{}",
}
_FORMULA = re.compile(r"ℓ(?P<norm>\d+(?:\.\d+)?|∞)|(?P<pools>\bK=\d+)")
_SPECIAL = re.compile(f"{_FORMULA.pattern}|{'|'.join(map(re.escape, _LATEX))}")
_LONGEST = 160  # characters of a message
_GAP = 2  # blanks between two columns in the terminal


def as_latex(text: str) -> str:
    """Write text on one line so that LaTeX sets it as it is, without a package for symbols."""
    return _SPECIAL.sub(_latex, " ".join(text.split()))


def _latex(match: re.Match[str]) -> str:
    if match["norm"]:
        exponent = r"\infty" if match["norm"] == "∞" else match["norm"]
        return rf"$\ell_{{{exponent}}}$"
    return f"${match['pools']}$" if match["pools"] else _LATEX[match[0]]


def as_markdown(text: str) -> str:
    """Write text on one line so that Markdown shows it as it is, in a table as well."""
    return re.sub(r"([\\`*_<>\[\]|~])", r"\\\1", " ".join(text.split()))


def identifier(text: str) -> str:
    """Return text that may be the name of a LaTeX label."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text)


def shortened(message: str) -> str:
    """Return a message on one line without its full stop; a long one is cut."""
    return shorten(message, _LONGEST, placeholder=" …").rstrip(".")


def markdown_list(sentences: Iterable[str]) -> str:
    """Write sentences, given without their full stops, as a Markdown list."""
    return "\n".join(f"- {as_markdown(each)}." for each in sentences)


def markdown_table(
    table: pd.DataFrame, *, bold: pd.DataFrame | None = None, columns: str = ""
) -> str:
    """Write a table of text in Markdown.

    Parameters
    ----------
    table : pandas.DataFrame
        Plain text; it is escaped here.
    bold : pandas.DataFrame of bool, optional
        Which cells are bold; it may lack columns of the table.
    columns : str, optional
        "l" or "r" for each column, by default "lrr…".
    """
    shown = table.map(as_markdown)
    if bold is not None:
        shown = shown.mask(_whole(bold, shown), "**" + shown + "**")
    sides = {"l": "left", "r": "right"}
    align = [sides[side] for side in columns or _left_then_right(shown)]
    heads = [as_markdown(str(head)) for head in shown]
    return shown.to_markdown(index=False, headers=heads, colalign=align, disable_numparse=True)


def latex_table(
    table: pd.DataFrame,
    caption: Sequence[str],
    label: str,
    *,
    bold: pd.DataFrame | None = None,
    columns: str = "",
) -> str:
    """Write a table of text in LaTeX; it needs the package booktabs.

    Parameters
    ----------
    table : pandas.DataFrame
        Plain text; it is escaped here.
    caption : sequence of str
        Sentences in plain text, without their full stops.
    label : str
        The name after ``tab:``, made of letters, digits and hyphens.
    bold : pandas.DataFrame of bool, optional
        Which cells are bold; it may lack columns of the table.
    columns : str, optional
        LaTeX's letters for the columns, by default "lrr…".
    """
    shown = table.map(as_latex)
    if bold is not None:
        shown = shown.mask(_whole(bold, shown), r"\textbf{" + shown + "}")
    shown = shown.set_axis([as_latex(str(head)) for head in shown], axis="columns")
    return shown.style.hide(axis="index").to_latex(
        column_format=columns or _left_then_right(shown),
        hrules=True,
        position="htbp",
        position_float="centering",
        caption=". ".join(map(as_latex, caption)) + ".",
        label=f"tab:{label}",
    )


def terminal_tables(
    table: pd.DataFrame, console: Console, bold: pd.DataFrame | None = None
) -> Iterator[Table]:
    """Yield parts of a table of text, one below the other, that each fit the terminal's width.

    Each part repeats the first column and has at least one other column. No column is cut; columns
    that do not fit come in the next part.

    Parameters
    ----------
    table : pandas.DataFrame
        Plain text; a cell may have several lines.
    console : rich.console.Console
        The terminal. Characters that its encoding lacks are spelled in ASCII.
    bold : pandas.DataFrame of bool, optional
        Which cells are bold; it may lack columns of the table.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    marks = (table.isna() if bold is None else _whole(bold, table)).to_numpy()
    table, width = _spelled(table, console), console.width
    heads = [str(head) for head in table]
    rows = [
        [Text(text, "bold" if mark else "") for text, mark in zip(texts, row, strict=True)]
        for texts, row in zip(table.to_numpy(), marks, strict=True)
    ]
    widths = _widths(table)
    if _extent(widths) > width:
        widths[0] = min(widths[0], width // 3)  # longer names are folded
    start = 1
    while start < len(heads):
        stop = start + 1
        while stop < len(heads) and _extent([widths[0], *widths[start : stop + 1]]) <= width:
            stop += 1
        part = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
        part.add_column(heads[0], width=widths[0], overflow="fold")
        for head in heads[start:stop]:
            part.add_column(head, justify="right", no_wrap=True)
        for row in rows:
            part.add_row(row[0], *row[start:stop])
        yield part
        start = stop


def terminal_width(table: pd.DataFrame, console: Console) -> int:
    """Return how many characters wide a table of text is on a terminal, with all its columns."""
    return _extent(_widths(_spelled(table, console)))


def _spelled(table: pd.DataFrame, console: Console) -> pd.DataFrame:
    heads = [spelled(str(head), console.encoding) for head in table]
    return table.map(lambda text: spelled(text, console.encoding)).set_axis(heads, axis="columns")


def _left_then_right(table: pd.DataFrame) -> str:
    return "l" + "r" * (len(table.columns) - 1)


def _whole(bold: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the marks with all columns of a table; in added columns, no cell is marked."""
    return bold.reindex(columns=table.columns, fill_value=False).set_axis(table.index)


def _widths(table: pd.DataFrame) -> list[int]:
    from rich.cells import cell_len

    columns: Iterable[tuple[Any, ...]] = zip(table.columns, *table.to_numpy(), strict=True)
    return [
        max(cell_len(line) for cell in column for line in str(cell).split("\n"))
        for column in columns
    ]


def _extent(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write each text into the file of its name in a folder, and return the files' paths."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return [folder / name for name in texts]
