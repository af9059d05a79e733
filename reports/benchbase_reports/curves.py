"""The report ``curves``: recovery against the number of pools."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import benchbase
from benchbase_reports.names import (
    norm_name,
    setting_name,
    solver_names,
    variant_name,
    varying_parameters,
)
from benchbase_reports.summary import problem_columns, setting_columns, split, summarise

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
    "#882255",
    "#999933",
    "#7F7F7F",
)
"""Colours that colour-blind people tell apart: those of Okabe and Ito but for the yellow, which is
too pale for lines, then wine and olive of Tol, and grey."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""Nine to ten colours, which have no common divisor: 90 solvers differ in one or the other."""

LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
"""Linear, rectified, and what else there may be: thresholds, for example."""

STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "figure.labelsize": 9,
    "figure.titlesize": 10,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "savefig.dpi": 150,
    "text.parse_math": False,  # a label is no formula
    "svg.fonttype": "none",  # text that can be searched and copied
    "svg.hashsalt": "benchbase",  # else the identifiers are random
}
_PANEL = (3.4, 3.0)  # inches
_CHARACTER = 0.075  # inches, about
_TICKS = 6  # numbers of pools that have a tick each, at most
_ENTRIES = 5  # of a legend in an inch, about
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Curves(benchbase.Report):
    """Mean squared cosine against the number of pools, in the manner of the paper's figure 1.

    Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014. A panel a
    norm, ℓ1, ℓ2, ℓ∞ from left to right, and a row an experiment, data set and recipe of frames.
    A colour and marker a solver; linear pooling is solid with full markers, rectified dashed with
    hollow ones. Bars are ± one standard error. What a solver does not apply to is left out.
    Written as ``curves.svg`` and ``curves.png``.
    """

    name = "curves"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write ``curves.svg`` and ``curves.png``, or nothing where there is nothing to draw.

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
        summary = summarise(results.frame())
        return save(folder, self.name, lambda: draw(summary, results.suites[-1]["title"]))


def save(folder: Path, name: str, make: Callable[[], Figure | None]) -> list[Path]:
    """Draw a figure in our style and write it as SVG and PNG; nothing where there is none."""
    import matplotlib as mpl

    files = [folder / f"{name}.svg", folder / f"{name}.png"]
    with mpl.rc_context():
        mpl.rcdefaults()  # the figure looks alike whatever the reader's own settings
        mpl.rcParams.update(STYLE)
        figure = make()
        if figure is None:
            return []
        for file in files:
            figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else {})
    return files


def log_axis(ax: Axes, which: str = "y") -> None:
    """Make an axis logarithmic, its ticks written as text: 10⁻³."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = ax.yaxis if which == "y" else ax.xaxis
    ax.set(**{f"{which}scale": "log"})
    axis.set_major_locator(LogLocator(numticks=_TICKS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axis.set_minor_formatter(NullFormatter())


def power_of_ten(value: float) -> str:
    """Write a power of ten, "10⁻³", and other numbers as they are."""
    power = round(math.log10(value)) if value > 0 else 0
    if not math.isclose(value, 10.0**power):
        return f"{value:g}"
    return "1" if power == 0 else "10" + str(power).translate(_RAISED)


def draw(summary: pd.DataFrame, title: str) -> Figure | None:
    """Draw the curves of a summary, or return None where it has no point to draw.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarise`.
    title : str
        Stands above the panels.
    """
    points = summary.assign(
        solver=solver_names(summary),
        norm=[norm_name(row) for _, row in summary.iterrows()],
        variant=[variant_name(row) for _, row in summary.iterrows()],
    )
    points = points[(points["signals"] > 0) & points["n_pools"].notna()]
    if points.empty:
        return None
    looks = _Looks.choose(points)
    norms = points.sort_values("p", kind="stable")["norm"].unique()  # those without p last
    rows = split(points, setting_columns(points))
    varying = varying_parameters(summary)
    names = [setting_name(row.iloc[0], varying) for row in rows]

    figure, grid = _grid(len(rows), len(norms), looks)
    for axes, row, name in zip(grid, rows, names, strict=True):
        for ax, norm in zip(axes, norms, strict=True):
            ax.set_title(norm)
            _panel(ax, row[row["norm"] == norm], looks)
        _label_row(axes[0], sorted({*row["n_pools"]}), name if len(rows) > 1 else "")
    above = [title] if len(rows) > 1 else [title, names[0]]
    letters = int(0.9 * figure.get_figwidth() / _CHARACTER)
    figure.suptitle("\n".join(fill(line, letters) for line in above), x=0.01, ha="left")
    figure.supxlabel("number of pools K")
    figure.supylabel("mean squared cosine ± standard error")
    return figure


class _Looks(NamedTuple):
    """How curves are drawn: by solver, and by what is done before pooling."""

    solvers: dict[str, dict[str, Any]]
    variants: dict[str, dict[str, Any]]

    @classmethod
    def choose(cls, points: pd.DataFrame) -> _Looks:
        paint = zip(points["solver"].unique(), cycle(COLOURS), cycle(MARKERS), strict=False)
        solvers = {name: {"color": colour, "marker": marker} for name, colour, marker in paint}
        # These two have their lines whether they are there or not: dashes always mean the same.
        known = dict.fromkeys(["linear", "rectified", *points["variant"]])
        variants = {
            name: {"linestyle": line} | ({} if name == "linear" else {"markerfacecolor": "white"})
            for name, line in zip(known, cycle(LINES), strict=False)
        }
        return cls(
            solvers, {name: variants[name] for name in known if name in {*points["variant"]}}
        )


def _panel(ax: Axes, points: pd.DataFrame, looks: _Looks) -> None:
    """Draw the curves of one panel, or take it away where there are none."""
    if points.empty:
        ax.set_visible(False)
        return
    for curve in split(points, [*problem_columns(points), "label", "points"]):
        first, ordered = curve.iloc[0], curve.sort_values("n_pools")
        drawn = ax.errorbar(
            ordered["n_pools"].to_numpy(float),
            ordered["mean_squared_cosine"].to_numpy(float),
            ordered["standard_error"].to_numpy(float),  # NaN: no bar
            capsize=2,
            elinewidth=0.8,
            **looks.solvers[first["solver"]],
            **looks.variants[first["variant"]],
        )
        drawn[0].set_clip_on(False)  # markers at 0 are whole
    ax.set_ylim(0, 1.02)


def _grid(n_rows: int, n_columns: int, looks: _Looks) -> tuple[Figure, Any]:
    """Return a figure with its panels, and its legend beside them, where it covers no curve."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    keys = [Line2D([], [], **look) for look in looks.solvers.values()]
    keys += [Line2D([], [], linestyle="none")]  # a gap
    keys += [Line2D([], [], color="black", marker="o", **look) for look in looks.variants.values()]
    names = [*looks.solvers, "", *looks.variants]
    width, height = n_columns * _PANEL[0], n_rows * _PANEL[1]
    columns = 1 + len(names) // int(_ENTRIES * height)
    beside = columns * (0.6 + _CHARACTER * max(map(len, names)))
    figure = Figure((width + beside, height + 0.7), layout="constrained")
    figure.legend(keys, names, loc="outside right center", ncols=columns, frameon=False)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, sharex="row", sharey=True)


def _label_row(ax: Axes, pools: list[int], name: str) -> None:
    """Give the panels of a row, which share their axes, their ticks and the row's name."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    few = len(pools) <= _TICKS
    ax.xaxis.set_major_locator(FixedLocator(pools) if few else MaxNLocator(integer=True))
    ax.set_ylabel(fill(name, int(_PANEL[1] / _CHARACTER)))
