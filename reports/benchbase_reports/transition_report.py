"""The report ``transitions``: how many pools each solver needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchbase
from benchbase.showing import (
    RECOVERED,
    as_markdown,
    component_of,
    identifier,
    latex_table,
    markdown_list,
    markdown_table,
    problem_columns,
    save_figure,
    solver_specs,
    terminal_tables,
    write_texts,
)
from benchbase_reports.transition_figure import draw
from benchbase_reports.transition_panels import (
    DETAILS,
    READING,
    Panel,
    main_grid,
    make_panels,
    own_grid,
)
from benchbase_reports.transitions import transitions

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console


class Transitions(benchbase.Report):
    """How many pools each solver needs: K50 and K95, with intervals, and what it costs there.

    K50 and K95 are the numbers of pools at which half and 95 % of the signals are recovered. They
    come from a logistic fit over the grid of K, with Firth's penalty and clustered by trial;
    nothing is read off the fit outside the grid. Beside them stand the direct bracket of K95,
    K95/n, the seconds and frame applications per signal at the least K of the grid from K95 on,
    the share of signals that fit their measurements and are wrong, and the prediction of theory if
    the solver has one.

    Written as ``transitions.csv`` (all columns in full precision, one row per problem and solver),
    ``transitions.md``, ``transitions.tex`` (needs the LaTeX package booktabs), and as a figure,
    ``transitions.svg`` and ``transitions.png``. The figure has one panel per data set and recipe of
    frames, with one row per solver and one colour per pooling. The report prints K95 by solver and
    pooling. Problems with a single number of pools are left out; if there are no others, nothing is
    written or printed.

    Parameters
    ----------
    recovered : float, optional
        The squared cosine above which a signal is recovered.

    Raises
    ------
    ParameterError
        If `recovered` is not between 0 and 1.
    """

    name = "transitions"
    recovered: float = RECOVERED

    def __post_init__(self) -> None:
        if not 0 < self.recovered < 1:
            problem = f"must be between 0 and 1, not {self.recovered}"
            raise benchbase.ParameterError("recovered", problem)

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write the five files, or nothing if no problem has a grid of K.

        Parameters
        ----------
        results : benchbase.Results
            Those of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The files. The same results give the same bytes.
        """
        table = self._table(results)
        if table is None:
            return []
        suite, panels = results.suites[-1], make_panels(table)
        reading = READING.format(recovered=self.recovered)
        texts = {
            "transitions.csv": table.to_csv(index=False, lineterminator="\n"),
            "transitions.md": markdown(suite["title"], panels, reading),
            "transitions.tex": latex(suite["title"], suite["suite"], panels, reading),
        }
        figure = save_figure(folder, self.name, lambda: draw(panels, suite["title"]))
        return write_texts(folder, texts) + figure

    def show(self, results: benchbase.ResultsView, console: Console) -> None:
        """Print K95 by solver and pooling, with seconds and frame applications below."""
        table = self._table(results)
        if table is not None:
            print_panels(make_panels(table), READING.format(recovered=self.recovered), console)

    def _table(self, results: benchbase.ResultsView) -> pd.DataFrame | None:
        """Return the transitions of problems with several K, or None if there are none."""
        table = transitions(results.rows(), self.recovered)
        table = table.assign(grid=(table["largest"] > table["least"]).fillna(value=False))
        problems = table.groupby(problem_columns(table), dropna=False, sort=False)
        table = table[problems["grid"].transform("any")].drop(columns="grid")
        if table.empty:
            return None
        return table.assign(theory=theories(table, results.suites))


def theories(table: pd.DataFrame, suites: list[dict[str, Any]]) -> list[float]:
    """Return the K/n that theory predicts for each row, by `benchbase.Solver.transition`.

    It is NaN if there is no theory, or if the solver or the pooling cannot be built from what is
    stored.

    Parameters
    ----------
    table : pandas.DataFrame
        From `transitions`.
    suites : list of dict
        As from `benchbase.Results.suites`.
    """
    specs = solver_specs(suites)
    found = []
    for _, row in table.iterrows():
        spec, size = specs.get((row["experiment"], row["label"])), row["pool_size"]
        value = None
        if spec is not None and size == size and row["signals"]:
            try:
                solver, pooling = benchbase.build("solver", spec), component_of(row, "pooling")
            except benchbase.BenchbaseError:  # of a plugin that is not here
                solver = None
            if solver is not None:
                value = solver.transition(pooling, int(size))
        found.append(math.nan if value is None else float(value))
    return found


def markdown(title: str, panels: Sequence[Panel], reading: str) -> str:
    """Write panels as a Markdown document."""
    parts = [f"# {as_markdown(title)}: how many pools", as_markdown(f"{reading}. {DETAILS}.")]
    for panel in panels:
        main = main_grid(panel, costs=False).rename(columns={"Solver": "K95"})
        parts += [f"## {as_markdown(panel.title)}", markdown_table(main)]
        parts.append(markdown_list(panel.notes()))
        for pooling in panel.poolings:
            parts.append(f"### {as_markdown(pooling)}")
            parts.append(markdown_table(own_grid(panel, pooling)))
    return "\n\n".join(filter(None, parts)) + "\n"


def latex(title: str, suite: str, panels: Sequence[Panel], reading: str) -> str:
    """Write panels as LaTeX tables with captions and labels ``tab:SUITE-transitions-1``, ..."""
    tables = []
    for panel in panels:
        caption = [f"{title}: {panel.title}: K95", reading, *panel.notes()]
        tables.append((main_grid(panel, costs=False), caption))
        for pooling in panel.poolings:
            caption = [f"{title}: {panel.title} · {pooling}", DETAILS]
            tables.append((own_grid(panel, pooling), caption))
    label = f"{identifier(suite)}-transitions"
    parts = [latex_table(*table, f"{label}-{i}") for i, table in enumerate(tables, start=1)]
    return "\n".join([r"% needs \usepackage{booktabs}", *parts])


def print_panels(panels: Sequence[Panel], reading: str, console: Console) -> None:
    """Print K95 by solver and pooling in the width of a console; no column is cut."""
    from rich.text import Text

    def say(text: str, style: str = "") -> None:
        console.print(Text(text, style=style))

    say("\nHow many pools: K95 [95 % interval], and seconds; frame applications", "bold")
    for panel in panels:
        say(f"\n{panel.title}")
        for table in terminal_tables(main_grid(panel, costs=True), console):
            console.print(table)
        for note in panel.notes():
            say(f"{note}.", "dim")
    costs = (
        "The line below each K95 gives the mean seconds and frame applications per signal at the "
        "smallest K of the grid that is at least K95"
    )
    say(f"\n{reading}. {costs}.", "dim")
