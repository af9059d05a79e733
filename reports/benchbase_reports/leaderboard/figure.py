"""The leaderboard's figures: K95 against the budget, and performance profiles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase.showing import (
    CHARACTER,
    REDUCED,
    log_axis,
    looks,
    mark_meaning,
    set_title,
    split,
    wrapped,
)
from benchbase_reports.leaderboard.board import Board
from benchbase_reports.statistics.many import performance_profiles

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (3.4, 3.0)  # inches
_ACROSS = 3
_TICKS = 6
COSTS = {"seconds": "seconds", "frame_applications": "frame applications"}


def draw_budgets(board: Board) -> Figure | None:
    """Draw K95 against the budget of frame applications per signal, with one panel per problem.

    A solver's line begins at the least budget at which K95 is within the grid. Solvers whose
    applications are not counted have no line. Returns None if there is nothing to draw.
    """
    board = _marked(board)
    lines = board.budgets[np.isfinite(board.budgets["K95"])]
    if lines.empty:
        return None
    style = looks(lines["label"])
    panels = split(lines, ["problem"])
    figure, axes = _panels(len(panels), style, board.title)
    for ax, part in zip(axes, panels, strict=True):
        ax.set_title(wrapped(str(part["problem"].iloc[0]), _PANEL[0]))
        for line in split(part, ["label"]):
            values = line["budget"].to_numpy(float), line["K95"].to_numpy(float)
            ax.plot(*values, drawstyle="steps-post", **style[line["label"].iloc[0]])
        log_axis(ax, "x")
        ticks = np.unique(part["budget"])
        ticks = ticks[:: -(-len(ticks) // _TICKS)]
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        if not board.unlimited:
            ax.axvline(board.budget, color="black", linestyle=":", linewidth=0.8)
    figure.supxlabel("budget: frame applications per signal")
    figure.supylabel("K95: pools that recover 95 %")
    return figure


def _marked(board: Board) -> Board:
    """Return the board with a mark after the labels of solvers with small samples, for legends."""
    few = {*board.table.loc[board.table["reduced"], "label"]}
    names = {
        label: f"{label} {REDUCED}" if label in few else label for label in board.table["label"]
    }
    tables = {
        part: getattr(board, part).assign(label=lambda table: table["label"].map(names))
        for part in ("table", "curves", "budgets")
    }
    return replace(board, **tables)


def cell_costs(board: Board, cost: str) -> pd.DataFrame:
    """Return the cost of a recovered signal, with one row per problem and K, one column per solver.

    It is the mean cost of a signal over the share of signals that are recovered, and infinite if
    none is. Solvers whose cost is not known are left out, and so are rows that not all of the other
    solvers have.

    Parameters
    ----------
    board : Board
        Its curves are used.
    cost : {"seconds", "frame_applications"}
        The kind of cost.
    """
    curves = board.curves.assign(n_pools=board.curves["n_pools"].fillna(0))
    known = curves[cost].notna().groupby(curves["label"]).transform("any")
    curves = curves[known.astype(bool)]
    # A clock may show 0 seconds, and ratios are compared.
    spent = curves[cost].clip(lower=1e-9)
    each = (spent / curves["success"]).where(curves["success"] > 0, np.inf).where(spent.notna())
    curves = curves.assign(each=each)
    keys = ["problem", "n_pools"]
    return curves.pivot_table(index=keys, columns="label", values="each", sort=False).dropna()


def draw_profiles(board: Board) -> Figure | None:
    """Draw performance profiles (Dolan and Moré, 2002) by seconds and by frame applications.

    A profile's problems are the board's problems at each K, and its costs those of a recovered
    signal. Returns None for fewer than two solvers, or if no signal is recovered.
    """
    board = _marked(board)
    profiles = {cost: performance_profiles(cell_costs(board, cost)) for cost in COSTS}
    shown = {
        cost: profile
        for cost, profile in profiles.items()
        if profile.shape[1] > 1 and profile.to_numpy().any()
    }
    if not shown:
        return None
    style = looks(board.table["label"])
    figure, axes = _panels(len(shown), style, f"{board.title}: performance profiles")
    for ax, (cost, profile) in zip(axes, shown.items(), strict=True):
        ax.set_title(COSTS[cost])
        steps = profile.index.to_numpy(float)
        for label in profile:
            shares = profile[label].to_numpy(float)
            look = style[str(label)] | {"marker": "none"}
            ax.plot(
                np.append(steps, 2 * steps[-1]),
                np.append(shares, shares[-1]),
                drawstyle="steps-post",
                **look,
            )
        log_axis(ax, "x")
        ax.set_ylim(0, 1.02)
    figure.supxlabel("cost of a recovered signal, in multiples of the best solver's")
    figure.supylabel("share of problems and K")
    return figure


def _panels(count: int, style: dict[str, dict[str, Any]], title: str) -> tuple[Figure, list[Axes]]:
    """Return a figure with a legend beside its panels, and the panels."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    across = min(count, _ACROSS)
    down = -(-count // across)
    columns = 1 + len(style) // int(5 * down * _PANEL[1])
    beside = columns * (0.6 + CHARACTER * max(map(len, style)))
    size = across * _PANEL[0] + beside, down * _PANEL[1] + 0.7
    figure = Figure(size, layout="constrained")
    keys = [Line2D([], [], **look) for look in style.values()]
    said = {"title": mark_meaning(style), "ncols": columns, "frameon": False}
    figure.legend(keys, [*style], loc="outside right center", **said)
    set_title(figure, title)
    axes: list[Axes] = figure.subplots(down, across, squeeze=False).ravel().tolist()
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes[:count]
