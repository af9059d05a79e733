"""One look for all figures: colours, markers, lines, axes, titles, and how figures are saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")

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
"""Ten colours that colour-blind people can tell apart.

The first seven are those of Okabe and Ito without the yellow, which is too pale for lines. Then
come the wine and olive of Tol, and grey."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""Nine markers. Nine and ten have no common divisor, so `looks` can tell 90 names apart."""

LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
"""Kinds of lines: the first for linear pooling, the second for rectified, then all others."""

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
    "text.parse_math": False,  # a label may hold "$" without being a formula
    "svg.fonttype": "none",  # text that can be searched and copied
    "svg.hashsalt": "benchbase",  # without this, the identifiers are random
}
"""Settings of Matplotlib."""

CHARACTER = 0.075
"""About the width of a character in a figure, in inches."""

_TICKS = 6  # of a logarithmic axis, at most
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def save_figure(folder: Path, name: str, make: Callable[[], Figure | None]) -> list[Path]:
    """Draw a figure in the style of the bundled reports, and write it as SVG and PNG.

    The user's own settings of Matplotlib are ignored. The same figure gives the same bytes.

    Parameters
    ----------
    folder : pathlib.Path
        An existing folder.
    name : str
        The files' name without its suffix.
    make : callable
        Draws the figure and returns it, or None if there is nothing to draw. It is called while
        the style is set.

    Returns
    -------
    list of pathlib.Path
        The two files; empty if there is nothing to draw.
    """
    import matplotlib as mpl

    files = [folder / f"{name}.svg", folder / f"{name}.png"]
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = make()
        if figure is None:
            return []
        figure.savefig(files[1])
        figure.set_layout_engine("none")  # the layout of the PNG, which takes most of the time
        figure.savefig(files[0], metadata={"Date": None})
    return files


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return a colour and a marker for each name, as arguments of Matplotlib's functions.

    Parameters
    ----------
    names : iterable of str
        The names, such as those of solvers. A name that occurs twice has one look.
    """
    paint = zip(dict.fromkeys(names), cycle(COLOURS), cycle(MARKERS), strict=False)
    return {name: {"color": colour, "marker": marker} for name, colour, marker in paint}


def set_title(figure: Figure, *lines: str) -> None:
    """Put lines of text above a figure, on the left, wrapped to its width."""
    width = 0.9 * figure.get_figwidth()
    figure.suptitle("\n".join(wrapped(line, width) for line in lines), x=0.01, ha="left")


def wrapped(text: str, inches: float) -> str:
    """Break text into lines that are at most about `inches` wide."""
    return fill(text, int(inches / CHARACTER))


def log_axis(ax: Axes, which: str = "y") -> None:
    """Make an axis logarithmic, with the labels of its ticks written as text, such as 10⁻³.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel of the figure.
    which : {"x", "y"}, optional
        Which axis of the panel.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = ax.yaxis if which == "y" else ax.xaxis
    ax.set(**{f"{which}scale": "log"})
    axis.set_major_locator(LogLocator(numticks=_TICKS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(value)))
    axis.set_minor_formatter(NullFormatter())


def power_of_ten(value: float) -> str:
    """Write a power of ten as "10⁻³", and any other number as it is."""
    power = round(math.log10(value)) if value > 0 else 0
    if not math.isclose(value, 10.0**power):
        return f"{value:g}"
    return "1" if power == 0 else "10" + str(power).translate(_RAISED)


def some(values: Sequence[T], most: int) -> list[T]:
    """Return at most `most` of the values, evenly spaced, with the first and the last."""
    if len(values) <= most:
        return [*values]
    return [values[round(i * (len(values) - 1) / (most - 1))] for i in range(most)]
