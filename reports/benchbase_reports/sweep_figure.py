"""The figure of the report ``sweeps``: pairs of panels with errors above successes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchbase import Array
from benchbase.showing import (
    CHARACTER,
    log_axis,
    looks,
    mark_meaning,
    pooling_name,
    power_of_ten,
    set_title,
    setting_name,
    solver_names,
    some,
    split,
    varying_parameters,
    wrapped,
)
from benchbase_reports.sweeps import sweep_columns

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (2.4, 1.6)  # inches
_ACROSS = 4  # panels in a row
_POOLS = 6  # numbers of pools that are drawn, at most
_TICKS = 6  # values that have a tick each, at most
_DECADES = 30.0  # a ratio of errors from which on their scale is logarithmic
_SPAN = 50.0  # a ratio of values from which on theirs is
_BOUND_NAME = "Cramér-Rao bound"
_BOUND: dict[str, Any] = {"color": "#000000", "linestyle": "--", "linewidth": 0.9, "zorder": 5}


class _Scale(NamedTuple):
    """The places of a parameter's values on an axis; infinity stands apart, on the right.

    Attributes
    ----------
    values : list of float
        Ascending.
    log : bool
        Whether the axis is logarithmic.
    last : float
        The place of infinity.
    """

    values: list[float]
    log: bool
    last: float

    @classmethod
    def choose(cls, values: Iterable[float]) -> _Scale:
        known = sorted({*values})
        finite = [value for value in known if math.isfinite(value)]
        least, most = (finite[0], finite[-1]) if finite else (0.0, 0.0)
        if least > 0 and most / least >= _SPAN:
            return cls(known, log=True, last=most * (most / least) ** 0.15)
        return cls(known, log=False, last=most + 0.18 * ((most - least) or 1.0))

    def places(self, values: Sequence[float]) -> list[float]:
        return [self.last if math.isinf(value) else value for value in values]

    def label(self, ax: Axes) -> None:
        """Give an axis its scale and ticks, with infinity behind a line of its own."""
        from matplotlib.ticker import NullLocator

        if self.log:
            ax.set_xscale("log")
        finite = [value for value in self.values if math.isfinite(value)]
        finite = some(finite, _TICKS)
        text = power_of_ten if self.log else "{:g}".format
        ticks, names = [*finite], [text(value) for value in finite]
        if math.isinf(self.values[-1]):
            ticks, names = [*ticks, self.last], [*names, "∞"]
            most = finite[-1]
            middle = math.sqrt(most * self.last) if self.log else (most + self.last) / 2
            ax.axvline(middle, color="#7F7F7F", linestyle=":", linewidth=0.9)
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticks(ticks, names)


class _Panel(NamedTuple):
    """The sweep of one pooling and number of pools.

    Attributes
    ----------
    setting : tuple of str
        What there is to say of data set and frames.
    name : str
        Names the pooling and the number of pools.
    pools : int or None
        The number of pools.
    rows : pandas.DataFrame
        The rows of the table that it draws.
    """

    setting: tuple[str, ...]
    name: str
    pools: int | None
    rows: pd.DataFrame


def draw(table: pd.DataFrame, title: str) -> Figure:
    """Draw all sweeps of a table: one block of panels per experiment and parameter.

    Parameters
    ----------
    table : pandas.DataFrame
        From `sweeps`, with the column ``bound``.
    title : str
        The title above the panels.
    """
    from matplotlib.figure import Figure

    table = table.assign(solver=solver_names(table))
    blocks = _blocks(table)
    style = looks(table["solver"])
    across = min(_ACROSS, max(map(len, blocks)))
    heights = [2.0 * -(-len(block) // across) for block in blocks]
    beside = 0.7 + CHARACTER * max(map(len, [*style, _BOUND_NAME]))
    width = across * _PANEL[0] + 0.5 + beside
    high = sum(heights) * _PANEL[1] + 0.6 * len(blocks) + 0.4
    figure = Figure((width, high), layout="constrained")
    set_title(figure, title)
    parts = figure.subfigures(len(blocks), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, block in zip(parts, blocks, strict=True):
        shared = [text for text in block[0].setting if all(text in p.setting for p in block)]
        above = wrapped(", ".join(shared), 0.9 * width)
        part.suptitle(above, fontsize=9, x=0.01, ha="left")
        own = [[text for text in panel.setting if text not in shared] for panel in block]
        names = [", ".join([*texts, p.name]) for texts, p in zip(own, block, strict=True)]
        _draw_block(part, block, names, across, style)
    _legend(figure, style, bound=bool(np.isfinite(table["bound"]).any()))
    return figure


def _blocks(table: pd.DataFrame) -> list[list[_Panel]]:
    """Return the panels of each experiment and parameter."""
    blocks: list[list[_Panel]] = []
    varying = varying_parameters(table)
    for part in split(table, ["experiment", "parameter"]):
        parameter = str(part["parameter"].iloc[0])
        others = [name for name in varying if name != parameter]
        block = []
        same = [name for name in sweep_columns(part, parameter) if name != "n_pools"]
        for rows in (rows for group in split(part, same) for rows in split(group, ["n_pools"])):
            first = rows.drop(columns=[parameter]).iloc[0]
            for name in ("n", "pool_size"):
                if len(rows[name].unique()) > 1:
                    first[name] = f"{rows[name].min()} to {rows[name].max()}"
            setting = setting_name(first, others).replace(" · ", ", ").split(", ")
            name, pools = pooling_name(first), first["n_pools"]
            if pools != pools:
                block.append(_Panel(tuple(setting), name, None, rows))
            else:
                block.append(_Panel(tuple(setting), f"{name}, K = {pools}", pools, rows))
        blocks.append(_some(block))
    return blocks


def _some(block: list[_Panel]) -> list[_Panel]:
    """Leave out some numbers of pools if there are many."""
    pools = some(sorted({panel.pools for panel in block if panel.pools is not None}), _POOLS)
    return [panel for panel in block if panel.pools is None or panel.pools in pools]


def _draw_block(
    figure: Any, block: list[_Panel], names: list[str], across: int, style: dict[str, Any]
) -> None:
    """Draw the pairs of panels of a block."""
    rows = -(-len(block) // across)
    grid = figure.subplots(2 * rows, across, squeeze=False, sharex=True, sharey="row")
    table = [panel.rows for panel in block]
    scale = _Scale.choose(np.concatenate([rows["value"].to_numpy(float) for rows in table]))
    limits = _limits(np.concatenate([rows["relative_error"].to_numpy(float) for rows in table]))
    for place, pair in enumerate(zip(*(grid[i::2].ravel() for i in range(2)), strict=True)):
        if place >= len(block):
            for ax in pair:
                ax.set_visible(False)
            continue
        upper, lower = pair
        upper.set_title(wrapped(names[place], _PANEL[0]))
        _curves(upper, block[place], "relative_error", scale, style)
        _curves(lower, block[place], "success", scale, style)
        scale.label(upper)
        scale.label(lower)
        if limits[0] > 0:
            log_axis(upper)
        upper.set_ylim(limits)
        lower.set_ylim(-0.02, 1.02)
        if place + across >= len(block):  # no panel below shows the ticks
            lower.tick_params(axis="x", labelbottom=True)
            lower.set_xlabel(block[place].rows["parameter"].iloc[0])
        if place % across == 0:
            upper.set_ylabel("relative error")
            lower.set_ylabel("recovered")


def _limits(errors: Array) -> tuple[float, float]:
    """Return the ends of the axis of errors; the lower one is above 0 if it is logarithmic."""
    least, most = float(errors.min()), float(errors.max())
    if most / max(least, 1e-300) >= _DECADES:
        return least / 3, most * 3
    return 0.0, 1.1 * most or 1.0


def _curves(
    ax: Axes, panel: _Panel, name: str, scale: _Scale, style: dict[str, dict[str, Any]]
) -> None:
    """Draw a line with intervals for each solver, and the bound on errors."""
    for solver, rows in panel.rows.groupby("solver", sort=False):
        look, rows = style[str(solver)], rows.sort_values("value")
        x = np.array(scale.places(rows["value"].tolist()))
        y, low, high = (rows[name + end].to_numpy(float) for end in ("", "_low", "_high"))
        finite = np.isfinite(rows["value"].to_numpy(float))
        reach = np.nan_to_num(np.stack([y - low, high - y]))
        drawn = ax.errorbar(x, y, reach, linestyle="none", elinewidth=0.8, capsize=2, **look)
        drawn[0].set_clip_on(False)  # markers at 0 and 1 are whole
        ax.plot(x[finite], y[finite], color=look["color"])
    if name == "relative_error":
        bound = panel.rows.drop_duplicates("value").sort_values("value")
        bound = bound[np.isfinite(bound["value"]) & np.isfinite(bound["bound"])]
        ax.plot(bound["value"].to_numpy(float), bound["bound"].to_numpy(float), **_BOUND)


def _legend(figure: Figure, style: dict[str, dict[str, Any]], *, bound: bool) -> None:
    from matplotlib.lines import Line2D

    keys, names = [Line2D([], [], **look) for look in style.values()], [*style]
    if bound:
        keys, names = [*keys, Line2D([], [], **_BOUND)], [*names, _BOUND_NAME]
    said = mark_meaning(names)
    figure.legend(keys, names, loc="outside right upper", frameon=False, title=said)
