"""The report ``leaderboard``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import benchbase
from benchbase.showing import save_figure, write_texts
from benchbase_reports.leaderboard.figure import draw_budgets, draw_profiles
from benchbase_reports.leaderboard.formats import as_csv, as_json, latex, markdown, print_board
from benchbase_reports.leaderboard.make import make_board

if TYPE_CHECKING:
    from rich.console import Console


class Leaderboard(benchbase.Report):
    """Solvers ranked on each problem by the pools that they need, with how certain the ranks are.

    The main column is K95, the number of pools at which 95 % of the signals are recovered within a
    budget of frame applications. Solvers with the same K95, as outside the grid, are ranked by the
    area under their recovery curves. Ranks have intervals from a bootstrap of paired differences,
    clustered by trial. Beside them stand success, mean squared cosine, seconds, frame applications,
    the seconds of the start, failures and the environment. Solvers that do not apply to a problem
    are listed with the reason.

    Written as ``leaderboard.csv``, ``.json``, ``.md`` and ``.tex`` (booktabs), and as the figures
    ``leaderboard-budgets`` (K95 against the budget) and ``leaderboard-profiles`` (performance
    profiles), each ``.svg`` and ``.png``. It is printed with one section per pooling.

    Parameters
    ----------
    budget : float, optional
        Frame applications per signal. A signal that took more is not recovered. By default there is
        no limit.

    Raises
    ------
    ParameterError
        If the budget is not positive.
    """

    name = "leaderboard"
    budget: float = math.inf

    def __post_init__(self) -> None:
        if not self.budget > 0:
            raise benchbase.ParameterError("budget", f"must be positive, not {self.budget:g}")

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write the tables and figures.

        Parameters
        ----------
        results : benchbase.Results
            Those of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The files. There is a figure only if there is something to draw.
        """
        board = make_board(results, budget=self.budget)
        texts = {
            "leaderboard.csv": as_csv(board),
            "leaderboard.json": as_json(board),
            "leaderboard.md": markdown(board),
            "leaderboard.tex": latex(board),
        }
        files = write_texts(folder, texts)
        files += save_figure(folder, "leaderboard-budgets", lambda: draw_budgets(board))
        return files + save_figure(folder, "leaderboard-profiles", lambda: draw_profiles(board))

    def show(self, results: benchbase.ResultsView, console: Console) -> None:
        """Print the ranks."""
        print_board(make_board(results, budget=self.budget), console)
