"""A report of one line a solver."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import benchbase

if TYPE_CHECKING:
    from rich.console import Console


class Summary(benchbase.Report):
    """The mean squared cosine of each solver.

    Parameters
    ----------
    digits : int, optional
        Digits after the point.
    """

    name = "summary"
    digits: int = 3

    def lines(self, results: benchbase.ResultsView) -> list[str]:
        means = results.rows().groupby("label")["squared_cosine"].mean()
        return [f"{label} {mean:.{self.digits}f}" for label, mean in means.items()]

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        file = folder / "summary.txt"
        file.write_text("\n".join(self.lines(results)) + "\n", encoding="utf-8")
        return [file]

    def show(self, results: benchbase.ResultsView, console: Console) -> None:
        console.print("\n".join(self.lines(results)))
