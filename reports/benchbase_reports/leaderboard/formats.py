"""The formats in which a board can be written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchbase.showing import (
    as_markdown,
    identifier,
    latex_table,
    markdown_list,
    markdown_table,
    terminal_tables,
)
from benchbase_reports.leaderboard.board import Board
from benchbase_reports.leaderboard.text import environments, grid, many_text, notes, reading, tabs

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


def markdown(board: Board) -> str:
    """Write a board as a Markdown document with one section per pooling."""
    parts = [f"# {as_markdown(board.title)}: leaderboard", markdown_list(reading(board))]
    for tab in tabs(board):
        parts.append(f"## {as_markdown(tab.name)}")
        for title, rows in tab.problems:
            parts += [f"### {as_markdown(title)}", markdown_table(grid(rows))]
            parts.append(markdown_list(notes(rows)))
        compared = many_text(board, tab.name)
        parts.append(f"{as_markdown(compared)}." if compared else "")
    parts.append(markdown_list(environments(board)))
    if board.command:
        parts.append(f"Command: `{board.command}`")
    return "\n\n".join(filter(None, parts)) + "\n"


def latex(board: Board) -> str:
    """Write a board as LaTeX tables (booktabs), labelled ``tab:SUITE-leaderboard-1``, ..."""
    parts, number = [r"% needs \usepackage{booktabs, graphicx}"], 0
    for tab in tabs(board):
        for title, rows in tab.problems:
            number += 1
            how = reading(board) if number == 1 else []  # once, as captions are long enough
            compared = many_text(board, tab.name)
            caption = [f"{board.title}: {title}", *how, *notes(rows), *filter(None, [compared])]
            label = f"{identifier(board.suite)}-leaderboard-{number}"
            text = latex_table(grid(rows), caption, label)
            # As wide as the page; a table with all its intervals is wider.
            text = text.replace(
                r"\begin{tabular}", "\\resizebox{\\linewidth}{!}{%\n\\begin{tabular}"
            )
            parts.append(text.replace(r"\end{tabular}", r"\end{tabular}}"))
    return "\n".join(parts)


def as_csv(board: Board) -> str:
    """Write the board's table as CSV with all columns in full precision."""
    return board.table.to_csv(index=False, lineterminator="\n")


def as_json(board: Board) -> str:
    """Write a board as one JSON object: missing numbers are null, infinite ones "inf"."""
    whole = {
        **{name: getattr(board, name) for name in ("suite", "title", "command")},
        "budget": plain(board.budget),
        **{name: records(getattr(board, name)) for name in ("table", "curves", "budgets")},
    }
    return json.dumps(whole, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain data, with values as from `plain`."""
    columns = {str(name): [*map(plain, table[name])] for name in table}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: None if it is missing, "inf" for infinity."""
    import pandas as pd

    if pd.isna(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


WRITERS: dict[str, Callable[[Board], str]] = {
    "markdown": markdown,
    "latex": latex,
    "csv": as_csv,
    "json": as_json,
}
"""The functions that write each text format, by its name."""


def print_board(board: Board, console: Console) -> None:
    """Print a board in the width of a console; no column is cut."""
    from rich.text import Text

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style=style))

    say(f"\nLeaderboard: {board.title}", "bold")
    for tab in tabs(board):
        say(f"\n{tab.name}", "bold")
        for number, (title, rows) in enumerate(tab.problems):
            say(f"\n{title}" if number else title)
            for table in terminal_tables(grid(rows), console):
                console.print(table)
            for note in notes(rows):
                say(f"{note}.", "dim")
        compared = many_text(board, tab.name)
        if compared:
            say(f"{compared}.", "dim")
    say("")
    for each in [*reading(board), *environments(board)]:
        say(f"{each}.", "dim")
