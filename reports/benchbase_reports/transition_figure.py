"""The figure of the report ``transitions``: K95/n by solver and pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase.showing import CHARACTER, looks, mark_meaning, set_title, wrapped
from benchbase_reports.transition_panels import Panel

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 4.6  # inches of a panel
_LINE = 0.1  # inches between the poolings of a solver
_GAP = 0.1  # inches between solvers
_TEXT = 0.15  # inches of a line of text
_SIZE = 4.0  # points of a marker
_HIGH = 9.0  # inches of all panels from which on two stand side by side
_LONGEST = 40  # characters of a solver's name in a line
_ARROW = 0.025  # of the panel's width


def draw(panels: Sequence[Panel], title: str) -> Figure | None:
    """Draw a panel for each data set and recipe of frames, or return None if there is no number.

    Parameters
    ----------
    panels : sequence of Panel
        From `make_panels`.
    title : str
        The title above the panels.
    """
    from matplotlib.figure import Figure

    shown = [panel for panel in panels if any(row["signals"] for row in panel.all())]
    if not shown:
        return None
    style = _looks(shown)
    across = 2 if len(shown) > 1 and sum(map(_height, shown)) > _HIGH else 1
    lines = [shown[i : i + across] for i in range(0, len(shown), across)]
    heights = [max(map(_height, line)) for line in lines]
    names = [fill(solver, _LONGEST) for panel in shown for solver in panel.rows]
    beside = 0.3 + CHARACTER * max(len(line) for name in names for line in name.split("\n"))
    legend = 0.6 + CHARACTER * max(map(len, [*style, "theory for large n"]))
    size = (across * (_WIDTH + beside) + legend, sum(heights) + 0.55 * len(lines) + 0.9)
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(len(lines), across, squeeze=False, height_ratios=heights).ravel()
    for ax, panel in zip(grid, shown, strict=False):
        _panel(ax, panel, style)
    for ax in grid[len(shown) :]:
        ax.set_visible(False)
    _legend(figure, style, shown)
    set_title(figure, title)
    figure.supxlabel("pools per dimension at which 95 % of the signals are recovered, K95 / n")
    return figure


def _looks(panels: Sequence[Panel]) -> dict[str, dict[str, Any]]:
    """Choose a colour and marker for each pooling."""
    names = (pooling for panel in panels for pooling in panel.poolings)
    return {name: look | {"markersize": _SIZE} for name, look in looks(names).items()}


def _row(panel: Panel) -> float:
    """Return the height in inches of each solver, for its poolings and the lines of its name."""
    lines = max(len(fill(solver, _LONGEST).split("\n")) for solver in panel.rows)
    return max(_GAP + _LINE * len(panel.poolings), _TEXT * lines + 0.05)


def _height(panel: Panel) -> float:
    """Return the height of a panel in inches."""
    return len(panel.rows) * _row(panel) + 0.1


def _panel(ax: Axes, panel: Panel, style: dict[str, dict[str, Any]]) -> None:
    """Draw the solvers of a panel from the top down, with their poolings a little apart."""
    step = _LINE / _row(panel)
    left, right = _limits(panel)
    ax.set_xlim(left, right)
    ax.axvline(1, color="#7F7F7F", linestyle="--", linewidth=0.9, zorder=1)
    for place, rows in enumerate(panel.rows.values()):
        for index, pooling in enumerate(panel.poolings):
            if pooling in rows:
                y = place + (index - (len(panel.poolings) - 1) / 2) * step
                _mark(ax, rows[pooling], y, step, style[pooling])
    for place in range(len(panel.rows) - 1):
        ax.axhline(place + 0.5, color="#7F7F7F", alpha=0.25, linewidth=0.6, zorder=0)
    ax.set_yticks(range(len(panel.rows)), [fill(solver, _LONGEST) for solver in panel.rows])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_ylim(len(panel.rows) - 0.5, -0.5)
    ax.set_title(wrapped(panel.title, _WIDTH), loc="left")


def _limits(panel: Panel) -> tuple[float, float]:
    """Return the ends of a panel's axis, which holds all grids, K = n, and room for arrows."""
    ends = [float(row[name]) for row in panel.all() if row["signals"] for name in _ENDS]
    ends = [*(end / panel.n for end in ends), 1.0]
    ends += [row["theory"] for row in panel.all() if row["theory"] == row["theory"]]
    room = 0.05 * (max(ends) - min(ends) or 1.0)
    return min(ends) - room, max(ends) + room


_ENDS = ("least", "largest")


def _mark(ax: Axes, row: pd.Series[Any], y: float, step: float, look: dict[str, Any]) -> None:
    """Draw K95 with its interval, and an arrow where either leaves the grid."""
    n, colour = int(row["n"]), look["color"]
    if not row["signals"]:
        ax.annotate(
            "n/a" if row["unsupported"] else "…", (0, y),
            xycoords=("axes fraction", "data"), xytext=(3, 0),
            textcoords="offset points", color=colour, fontsize=5.5, va="center",
        )  # fmt: skip # one argument a line says no more
        return
    least, largest = float(row["least"]), float(row["largest"])
    value, low, high = (float(row[name]) for name in ("K95", "K95_low", "K95_high"))
    if not math.isnan(value):
        place = min(value, largest)
        ends = (max(low, least) / n, min(high, largest) / n)
        ax.plot(ends, (y, y), color=colour, linewidth=1.1, zorder=2)
        beyond = math.isinf(value) or (value == least and low == 0)
        shown = look | ({"markerfacecolor": "white"} if beyond else {})
        ax.plot(place / n, y, linestyle="none", zorder=3, **shown)
        for end, out in ((largest, math.isinf(high)), (least, low == 0)):
            if out:
                _arrow(ax, end / n, y, 1 if end == largest else -1, colour)
    if row["theory"] == row["theory"]:
        ends = (y - 0.55 * step, y + 0.55 * step)
        ax.plot([row["theory"]] * 2, ends, color=colour, linewidth=1.8, zorder=4)


def _arrow(ax: Axes, x: float, y: float, sign: int, colour: str) -> None:
    left, right = ax.get_xlim()
    ax.annotate(
        "", (x + sign * 1.6 * _ARROW * (right - left), y), (x, y), annotation_clip=False,
        arrowprops={"arrowstyle": "->", "color": colour, "shrinkA": 0, "shrinkB": 0, "lw": 1.1},
    )  # fmt: skip # as above


def _legend(figure: Figure, style: dict[str, dict[str, Any]], panels: Sequence[Panel]) -> None:
    from matplotlib.lines import Line2D

    keys = [Line2D([], [], **look) for look in style.values()]
    names = [*style]
    keys.append(Line2D([], [], color="#7F7F7F", linestyle="--", linewidth=0.9))
    names.append("K = n")
    theories = np.array([row["theory"] for panel in panels for row in panel.all()], dtype=float)
    if np.isfinite(theories).any():
        tick: dict[str, Any] = {"marker": "|", "markersize": 8, "markeredgewidth": 1.8}
        keys.append(Line2D([], [], color="#7F7F7F", linestyle="none", **tick))
        names.append("theory for large n")
    said = mark_meaning(solver for panel in panels for solver in panel.rows)
    figure.legend(keys, names, loc="outside right upper", frameon=False, title=said)
