"""The report ``page``."""

from __future__ import annotations

from pathlib import Path

import benchbase
from benchbase.showing import write_texts


class Page(benchbase.Report):
    """The leaderboard of a suite as one HTML file that opens anywhere, without a network.

    It has a table that can be sorted and filtered, recovery curves with intervals, accuracy against
    seconds and frame applications, and recovered signals beside the originals if the data set can
    draw them. For each row it has the environment, the command and what to cite. Written as
    ``page.html``.

    Parameters
    ----------
    pictures : bool, optional
        Whether to draw signals.
    """

    name = "page"
    pictures: bool = True

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write ``page.html``.

        Parameters
        ----------
        results : benchbase.Results
            Those of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The file. The same results give the same bytes.
        """
        from benchbase_reports.leaderboard import make_board
        from benchbase_reports.page.data import page_data
        from benchbase_reports.page.pictures import LARGEST
        from benchbase_reports.page.render import render

        data = page_data(results, make_board(results), largest=LARGEST if self.pictures else 0)
        return write_texts(folder, {"page.html": render(data)})
