"""The report ``curves``: recovery against the number of pools."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import benchbase
from benchbase.showing import (
    CHARACTER,
    LINES,
    looks,
    mark_meaning,
    norm_name,
    problem_columns,
    save_figure,
    set_title,
    setting_columns,
    setting_name,
    solver_names,
    split,
    summarise,
    variant_name,
    varying_parameters,
    wrapped,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (3.4, 3.0)  # inches
_TICKS = 6  # numbers of pools that have a tick each, at most
_ENTRIES = 5  # of a legend in an inch, about


class Curves(benchbase.Report):
    """Mean squared cosine against the number of pools, in the manner of the paper's figure 1.

    The paper is Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014.
    There is one column of panels per norm, ℓ1, ℓ2, ℓ∞ from left to right, and one row per
    experiment, data set and recipe of frames. Each solver has a colour and a marker. Linear
    pooling is solid with full markers, rectified pooling dashed with hollow ones. Bars are ± one
    standard error. Problems that a solver does not apply to are left out. Written as ``curves.svg``
    and ``curves.png``.
    """

    name = "curves"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write ``curves.svg`` and ``curves.png``, or nothing if there is nothing to draw.

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
        summary = summarise(results.rows())
        return save_figure(folder, self.name, lambda: draw(summary, results.suites[-1]["title"]))


def draw(summary: pd.DataFrame, title: str) -> Figure | None:
    """Draw the curves of a summary, or return None if it has no point to draw.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarise`.
    title : str
        The title above the panels.
    """
    points = summary.assign(
        solver=solver_names(summary),
        norm=[norm_name(row) for _, row in summary.iterrows()],
        variant=[variant_name(row) for _, row in summary.iterrows()],
    )
    points = points[(points["signals"] > 0) & points["n_pools"].notna()]
    if points.empty:
        return None
    style = _Looks.choose(points)
    norms = points.sort_values("p", kind="stable")["norm"].unique()  # norms without p come last
    rows = split(points, setting_columns(points))
    varying = varying_parameters(summary)
    names = [setting_name(row.iloc[0], varying) for row in rows]

    figure, grid = _grid(len(rows), len(norms), style)
    for axes, row, name in zip(grid, rows, names, strict=True):
        for ax, norm in zip(axes, norms, strict=True):
            ax.set_title(norm)
            _panel(ax, row[row["norm"] == norm], style)
        _label_row(axes[0], sorted({*row["n_pools"]}), name if len(rows) > 1 else "")
    set_title(figure, *([title] if len(rows) > 1 else [title, names[0]]))
    figure.supxlabel("number of pools K")
    figure.supylabel("mean squared cosine ± standard error")
    return figure


class _Looks(NamedTuple):
    """How curves look: by solver, and by what is done before pooling."""

    solvers: dict[str, dict[str, Any]]
    variants: dict[str, dict[str, Any]]

    @classmethod
    def choose(cls, points: pd.DataFrame) -> _Looks:
        # These two come first even if they are not there, so that dashes always mean the same.
        known = dict.fromkeys(["linear", "rectified", *points["variant"]])
        variants = {
            name: {"linestyle": line} | ({} if name == "linear" else {"markerfacecolor": "white"})
            for name, line in zip(known, cycle(LINES), strict=False)
        }
        there = {name: variants[name] for name in known if name in {*points["variant"]}}
        return cls(looks(points["solver"]), there)


def _panel(ax: Axes, points: pd.DataFrame, style: _Looks) -> None:
    """Draw the curves of one panel, or hide it if there are none."""
    if points.empty:
        ax.set_visible(False)
        return
    for curve in split(points, [*problem_columns(points), "label", "points"]):
        first, ordered = curve.iloc[0], curve.sort_values("n_pools")
        drawn = ax.errorbar(
            ordered["n_pools"].to_numpy(float),
            ordered["mean_squared_cosine"].to_numpy(float),
            ordered["standard_error"].to_numpy(float),  # NaN draws no bar
            capsize=2,
            elinewidth=0.8,
            **style.solvers[first["solver"]],
            **style.variants[first["variant"]],
        )
        drawn[0].set_clip_on(False)  # markers at 0 are whole
    ax.set_ylim(0, 1.02)


def _grid(n_rows: int, n_columns: int, style: _Looks) -> tuple[Figure, Any]:
    """Return a figure with its panels, and its legend beside them so that it covers no curve."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    keys = [Line2D([], [], **look) for look in style.solvers.values()]
    keys += [Line2D([], [], linestyle="none")]  # a gap
    keys += [Line2D([], [], color="black", marker="o", **look) for look in style.variants.values()]
    names = [*style.solvers, "", *style.variants]
    width, height = n_columns * _PANEL[0], n_rows * _PANEL[1]
    columns = 1 + len(names) // int(_ENTRIES * height)
    beside = columns * (0.6 + CHARACTER * max(map(len, names)))
    figure = Figure((width + beside, height + 0.7), layout="constrained")
    said = {"title": mark_meaning(names), "ncols": columns, "frameon": False}
    figure.legend(keys, names, loc="outside right center", **said)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, sharex="row", sharey=True)


def _label_row(ax: Axes, pools: list[int], name: str) -> None:
    """Set the ticks that the panels of a row share, and write the row's name."""
    from matplotlib.ticker import FixedLocator, MaxNLocator

    few = len(pools) <= _TICKS
    ax.xaxis.set_major_locator(FixedLocator(pools) if few else MaxNLocator(integer=True))
    ax.set_ylabel(wrapped(name, _PANEL[1]))
