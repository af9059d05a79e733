"""The report ``traces``: relative errors against iterations and seconds."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import benchbase
from benchbase.showing import (
    CHARACTER,
    log_axis,
    looks,
    mark_meaning,
    pooling_name,
    power_of_ten,
    problem_columns,
    save_figure,
    set_title,
    setting_columns,
    setting_name,
    solver_names,
    some,
    split,
    varying_parameters,
    wrapped,
    write_texts,
)
from benchbase_reports.progress import AXES, trace_curves

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL = (2.6, 1.9)  # inches
_POOLS = 6  # numbers of pools that are drawn, at most
_LONG = 4  # problems from which on two stand side by side
_WIDE = 20.0  # a ratio of iterations from which on their scale is logarithmic
_LEAST = 1e-16  # a relative error that has a logarithm


class Traces(benchbase.Report):
    """Accuracy against iterations and seconds, from what solvers record while they work.

    It is of experiments with ``trace = true``, and shows the median relative error of all signals
    with a band from the lower to the upper quartile. There is one line per solver, and one pair of
    panels per pooling and number of pools. Each signal counts with its estimate of the least
    residual so far. Iterations add up over phases and restarts; a signal that is done keeps its
    last value.

    Written as ``traces.csv`` (the curves), ``traces.svg`` and ``traces.png``, or not at all if
    there are no traces. Of more than six numbers of pools the figure shows six; the table has all.
    """

    name = "traces"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write the three files, or nothing if there are no traces.

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
        traces = results.traces()
        curves = trace_curves(results.rows(), traces)
        if curves.empty:
            return []
        texts = {"traces.csv": curves.to_csv(index=False, lineterminator="\n")}
        figure = save_figure(folder, self.name, lambda: draw(curves, results.suites[-1]["title"]))
        return write_texts(folder, texts) + figure


def draw(curves: pd.DataFrame, title: str) -> Figure:
    """Draw the curves of all problems.

    Parameters
    ----------
    curves : pandas.DataFrame
        From `trace_curves`.
    title : str
        The title above the panels.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    curves = curves.assign(solver=solver_names(curves))
    paint = {name: look["color"] for name, look in looks(curves["solver"]).items()}
    problems = _problems(curves)
    settings = {setting for setting, _, _ in problems}
    pairs = 2 if len(problems) > _LONG else 1
    rows = -(-len(problems) // pairs)
    beside = 0.7 + CHARACTER * max(map(len, paint))
    width = 2 * pairs * _PANEL[0] + 0.5 + beside
    figure = Figure((width, rows * (_PANEL[1] + 0.5) + 0.6), layout="constrained")
    grid = figure.subplots(rows, 2 * pairs, squeeze=False, sharey="row")
    for place in range(rows * pairs):
        axes = grid[place // pairs, 2 * (place % pairs) :][:2]
        if place >= len(problems):
            for ax in axes:
                ax.set_visible(False)
            continue
        setting, name, own = problems[place]
        for ax, axis in zip(axes, AXES, strict=True):
            _panel(ax, own[own["axis"] == axis], axis, paint)
        shown = name if len(settings) == 1 else f"{setting} · {name}"
        axes[0].set_title(wrapped(shown, 2 * _PANEL[0]), loc="left")
        if place % pairs == 0:
            axes[0].set_ylabel("relative error")
    set_title(figure, *([title, *settings] if len(settings) == 1 else [title]))
    keys = [Line2D([], [], color=colour) for colour in paint.values()]
    said = mark_meaning(paint)
    figure.legend(keys, [*paint], loc="outside right upper", frameon=False, title=said)
    return figure


def _problems(curves: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Return setting, pooling with number of pools, and curves of each problem to draw."""
    varying, found = varying_parameters(curves), []
    for setting in split(curves, setting_columns(curves)):
        pools = some(sorted({*setting["n_pools"].dropna()}), _POOLS)
        problems = split(setting, problem_columns(curves))
        for own in (own for part in problems for own in split(part, ["n_pools"])):
            first = own.iloc[0]
            k, name = first["n_pools"], pooling_name(first)
            if k in pools:
                found.append((setting_name(first, varying), f"{name}, K = {k}", own))
            elif k != k:
                found.append((setting_name(first, varying), name, own))
    return found


def _panel(ax: Axes, curves: pd.DataFrame, axis: str, paint: dict[Any, str]) -> None:
    """Draw a line and a band for each solver."""
    for solver, curve in curves.groupby("solver", sort=False):
        at, low, middle, high = (
            curve[name].to_numpy(float) for name in ("at", "lower", "median", "upper")
        )
        low, middle, high = (np.maximum(values, _LEAST) for values in (low, middle, high))
        ax.step(at, middle, where="post", color=paint[solver])
        ax.fill_between(at, low, high, step="post", color=paint[solver], alpha=0.18, linewidth=0)
    log_axis(ax)
    _scale(ax, curves["at"].to_numpy(float), axis)
    ax.set_xlabel(f"{axis} per signal" if axis == "seconds" else axis)


def _scale(ax: Axes, at: Any, axis: str) -> None:
    """Make the axis of iterations or seconds logarithmic if they span a wide range."""
    positive = at[at > 0]
    if not positive.size or positive.max() < _WIDE * positive.min():
        return
    if axis == "seconds":
        log_axis(ax, "x")
        return
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    # The axis begins at 0, so it is linear up to the first power of ten.
    first = 10.0 ** math.floor(math.log10(positive.min()))
    ax.set_xscale("symlog", linthresh=first, linscale=0.3)
    powers = np.arange(math.log10(first), math.log10(positive.max()) + 1e-9)
    ax.xaxis.set_major_locator(FixedLocator([0, *10.0**powers]))
    ax.xaxis.set_minor_locator(NullLocator())
    text = FuncFormatter(lambda value, _: power_of_ten(value) if value else "0")
    ax.xaxis.set_major_formatter(text)
    ax.set_xlim(0, positive.max() * 1.1)
