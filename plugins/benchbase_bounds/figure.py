"""The figure of the report ``bounds``: A against K, and against L, above the recovery curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#882255")
_STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.titlesize": 8,
    "font.size": 8,
    "grid.alpha": 0.3,
    "legend.fontsize": 7,
    "savefig.dpi": 150,
    "svg.fonttype": "none",
    "svg.hashsalt": "benchbase",
}


def save(table: pd.DataFrame, title: str, stem: Path) -> list[Path]:
    """Draw the constants of a table and write them as SVG and PNG.

    A column for each experiment and pooling; A, with its certified lower end hollow and its large-K
    limit dashed, above the squared cosine of each solver.
    Where an experiment has one number of pools but several sizes, the axis is L.

    Parameters
    ----------
    table : pandas.DataFrame
        From `benchbase_bounds.report.bounds_table`.
    title : str
        Stands above.
    stem : pathlib.Path
        Of the files.

    Returns
    -------
    list of pathlib.Path
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    keys = ["experiment", "dataset", "n", "pooling", "p", "rectified"]
    parts = [part for _, part in table.groupby(keys, dropna=False, sort=False)]
    across = min(len(parts), 6)
    down = -(-len(parts) // across)
    files = [stem.with_suffix(".svg"), stem.with_suffix(".png")]
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure((2.6 * across + 0.6, 3.6 * down + 0.5), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left")
        grid = figure.subplots(2 * down, across, squeeze=False)
        for ax in grid.flat:
            ax.set_visible(False)
        for i, part in enumerate(parts):
            row, column = 2 * (i // across), i % across
            _draw(grid[row, column], grid[row + 1, column], part)
        for file in files:
            figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else {})
    return files


def _draw(above: Axes, below: Axes, part: pd.DataFrame) -> None:
    """Draw a problem's constants above its recovery."""
    by_size = len({*part["n_pools"]}) == 1 < len({*part["pool_size"]})
    axis, other = ("pool_size", "n_pools") if by_size else ("n_pools", "pool_size")
    above.set_visible(True)
    below.set_visible(True)
    for colour, (value, rows) in zip(_COLOURS, part.groupby(other), strict=False):
        rows = rows.sort_values(axis)
        x = rows[axis].to_numpy(float)
        name = f"{'K' if by_size else 'L'} = {value}"
        above.plot(x, rows["upper"].to_numpy(float), "o-", color=colour, ms=3, label=f"A, {name}")
        above.plot(x, rows["lower"].to_numpy(float), "o", color=colour, ms=3, mfc="white")
        above.plot(x, rows["limit_lower"].to_numpy(float), "--", color=colour, lw=0.9)
        solvers = [str(c) for c in rows if str(c).startswith("cos² ") and rows[c].notna().any()]
        for marker, solver in zip("os^Dv", solvers, strict=False):
            label = f"{solver.removeprefix('cos² ')}, {name}"
            below.plot(
                x, rows[solver].to_numpy(float), marker, ls="-", color=colour, ms=3, label=label
            )
    title = " · ".join(str(part["problem"].iloc[0]).split(" · "))
    above.set_title(title.replace(" · ", "\n"))
    above.set_ylabel("A")
    above.set_ylim(bottom=0)
    below.set_ylim(0, 1.02)
    below.set(xlabel="vectors a pool L" if by_size else "number of pools K", ylabel="cos²")
    above.legend(frameon=False)
