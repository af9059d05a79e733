"""Figures of the report ``bounds``: A, B and B/A against K or L, above the recovery curves."""

from __future__ import annotations

import re
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchbase.showing import (
    COLOURS,
    LINES,
    MARKERS,
    norm_name,
    save_figure,
    set_title,
    split,
    variant_name,
)
from benchbase_bounds.reports.frames import (
    SCORE,
    name_of_setting,
    noise_columns,
    setting_columns,
    solvers,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = MARKERS[1:]  # solvers' markers: a circle stands for A
_TICKS = 9  # the largest number of sizes that have a tick each
_CONDITIONS = (1, 1.5, 2, 3, *(step * 10**power for power in range(9) for step in (5, 10, 20)))


def save(table: pd.DataFrame, title: str, folder: Path) -> list[Path]:
    """Draw the constants of a table, one figure per setting, and write them as SVG and PNG.

    A setting is an experiment, a data set and a recipe of frames. If it has one number of pools and
    several sizes, the axis is L. Otherwise the axis is K, and every L has its own figure.

    Parameters
    ----------
    table : pandas.DataFrame
        From `benchbase_bounds.reports.constants.bounds_table`.
    title : str
        The title above each figure.
    folder : pathlib.Path
        An existing folder.

    Returns
    -------
    list of pathlib.Path
    """
    files: list[Path] = []
    for setting in split(table, setting_columns(table)):
        by_size = len({*setting["n_pools"]}) == 1 < len({*setting["pool_size"]})
        for part in [setting] if by_size else split(setting, ["pool_size"]):
            name = f"bounds-{len(files) // 2 + 1}"
            slug = re.sub(r"[^a-z0-9]+", "-", str(part["experiment"].iloc[0]).lower()).strip("-")
            name = f"{name}-{slug}" if slug else name
            files += save_figure(folder, name, partial(draw, part, title, by_size))
    return files


def draw(part: pd.DataFrame, title: str, by_size: bool) -> Figure:
    """Draw a setting: one column per norm, with A/√K, B/√K, B/A and the squared cosine in rows.

    Parameters
    ----------
    part : pandas.DataFrame
        Rows of `benchbase_bounds.reports.constants.bounds_table`, of one setting, and of one size
        of pools unless `by_size`.
    title : str
        The title of the suite.
    by_size : bool
        Whether the axis is L rather than K.
    """
    from matplotlib.figure import Figure

    part, note = _one_noise(part)
    norms = {norm_name(row): None for _, row in part.sort_values("p", kind="stable").iterrows()}
    part = part.assign(
        norm=[norm_name(row) for _, row in part.iterrows()],
        variant=[variant_name(row) for _, row in part.iterrows()],
    )
    variants = dict.fromkeys(["linear", "rectified", *part["variant"]])
    looks = dict(zip(variants, cycle(COLOURS), strict=False))
    axis = "pool_size" if by_size else "n_pools"
    first = part.iloc[0]
    fixed = f"K = {first['n_pools']}" if by_size else f"pools of {first['pool_size']}"
    figure = Figure((2.5 * len(norms) + 2.9, 8.6), layout="constrained")
    set_title(figure, title, f"{name_of_setting(first)}, {fixed}", *note)
    grid = figure.subplots(4, len(norms), squeeze=False, sharex=True, sharey="row")
    for column, norm in zip(grid.T, norms, strict=True):
        own = part[part["norm"] == norm]
        column[0].set_title(norm)
        _constants(column, own, axis, looks)
        _recovery(column[3], own, axis, looks, solvers(part))
    _axes(grid, part, axis)
    figure.supxlabel("vectors per pool L" if by_size else "number of pools K")
    _legend(figure, part, {name: looks[name] for name in looks if name in {*part["variant"]}})
    return figure


def _one_noise(part: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Keep only the first noise and hint, and return a line that says which it is, if needed.

    Constants depend on neither, but recovery does.
    """
    columns = noise_columns(part)
    which = part.groupby(columns, dropna=False, sort=False).ngroup()
    first = part.iloc[0]
    names = [f"{c} {first[c]}" for c in columns if first[c] == first[c] and first[c] != ""]
    if which.max() == 0:
        return part, [", ".join(names)] if names else []
    note = (
        f"recovery with {', '.join(names) or 'no noise'}, the first of {which.max() + 1} settings"
    )
    return part[which == 0], [f"{note}; bounds.md has all"]


def _constants(column: Any, part: pd.DataFrame, axis: str, looks: dict[str, str]) -> None:
    """Draw A/√K, B/√K and A/B, the last on an axis whose ticks show B/A."""
    for variant, rows in part.groupby("variant", sort=False):
        rows, colour = rows.sort_values(axis), looks[str(variant)]
        x = rows[axis].to_numpy(float)
        k = rows["n_pools"].to_numpy(float) ** 0.5
        lower, upper = (rows[c].to_numpy(float) / k for c in ("lower", "upper"))
        least, most = (rows[f"upper_{c}"].to_numpy(float) / k for c in ("min", "max"))
        column[0].errorbar(
            x, upper, [upper - least, most - upper], color=colour, capsize=2, elinewidth=0.8
        )
        known = (rows["exact"] == rows["frames"]).to_numpy()
        for exact, face in ((True, colour), (False, "white")):
            at = (known == exact) & (upper == upper)
            if not at.any():  # a line of no points would upset the layout
                continue
            column[0].plot(
                x[at], upper[at], "o", color=colour, mfc=face, clip_on=False, zorder=3,
                gid=f"A {variant}",
            )  # fmt: skip # one argument a line says no more
        ends = [
            (lower, upper),
            tuple(rows[c].to_numpy(float) / k for c in ("largest_lower", "largest")),
            tuple(rows[c].to_numpy(float) for c in ("inverse_lower", "inverse_upper")),
        ]
        for ax, (low, high) in zip(column, ends, strict=False):
            ax.fill_between(x, low, high, color=colour, alpha=0.13, lw=0)
            ax.plot(x, low, color=colour, lw=0.6)
        column[1].plot(x, ends[1][1], color=colour, gid=f"B {variant}")
        column[2].plot(x, ends[2][1], color=colour, gid=f"B/A {variant}", clip_on=False)
        line = {"ls": "--"} if axis == "n_pools" else {"ls": "none", "marker": "_", "ms": 12}
        low, high = (rows[f"limit_{c}"].to_numpy(float) / k for c in ("lower", "upper"))
        for ax, limit in zip(column, (low, high, low / high), strict=False):
            ax.plot(x, limit, color=colour, lw=0.9, gid=f"limit {variant}", **line)
    if part["upper"].isna().all():
        column[0].text(0.5, 0.5, "not computed", transform=column[0].transAxes, ha="center")


def _recovery(
    ax: Axes, part: pd.DataFrame, axis: str, looks: dict[str, str], names: list[str]
) -> None:
    for variant, rows in part.groupby("variant", sort=False):
        rows = rows.sort_values(axis)
        for name, marker, line in zip(names, cycle(_MARKERS), cycle(LINES), strict=False):
            if rows[name].notna().any():
                ax.plot(
                    rows[axis].to_numpy(float), rows[name].to_numpy(float), line, marker=marker,
                    color=looks[str(variant)], clip_on=False, gid=f"{name} {variant}",
                )  # fmt: skip # as above


def _axes(grid: Any, part: pd.DataFrame, axis: str) -> None:
    """Label the axes. They begin at 0, and B/A runs from infinity down to 1."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    sizes = sorted({*part[axis].astype(int)})
    while len(sizes) > _TICKS:
        sizes = sizes[::2] if len(sizes) % 2 else [*sizes[::2], sizes[-1]]
    for ax in grid.flat:
        if sizes[0] and sizes[-1] / sizes[0] > 3:
            ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator(sizes))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for ax, label in zip(grid[:, 0], ("A / √K", "B / √K", "B/A", "mean cos²"), strict=True):
        ax.set_ylabel(label)
    for row in grid[:2]:
        row[0].set_ylim(bottom=0)
    # Against L the limits, of L = 1 and 2 alone, may lie outside: the curves come first.
    limits = part["limit_lower"] / part["limit_upper"] * (axis == "n_pools")
    top = max(float(values.max()) for values in (part["inverse_upper"].fillna(0), limits.fillna(0)))
    for ax in grid[2]:
        ax.set_ylim(0, min(1.0, 1.1 * top) if top > 0 else 1.0)
        ax.yaxis.set_major_locator(FixedLocator(_inverse_ticks(ax.get_ylim()[1])))
        ax.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: "∞" if value == 0 else f"{1 / value:g}")
        )
    for ax in grid[3]:
        ax.set_ylim(0, 1.02)


def _inverse_ticks(top: float) -> list[float]:
    """Return places of A/B from 0 to `top` at which B/A is a round number, far enough apart."""
    ticks = [1.1 * top]  # not a tick itself: it lets one stand at the top
    for condition in _CONDITIONS:
        place = 1 / condition
        if place <= top and min(ticks[-1] - place, place) > 0.07 * top:
            ticks.append(place)
    return [*ticks[1:], 0.0]


def _legend(figure: Figure, part: pd.DataFrame, looks: dict[str, str]) -> None:
    """Draw the legend beside the panels, so that it covers no curve."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    most = int(part["frames"].max())
    keys: list[Any] = [Line2D([], [], color=colour, lw=3) for colour in looks.values()]
    names = [*looks, ""]
    keys += [Line2D([], [], ls="none")]
    black: dict[str, Any] = {"color": "black"}
    keys += [
        Line2D([], [], marker="o", ls="-", **black),
        Line2D([], [], marker="o", ls="-", mfc="white", **black),
        Patch(color="black", alpha=0.13),
    ]
    names += ["A is known", "A: best upper end", "both ends"]
    if most > 1:
        keys.append(Line2D([], [], marker="|", ls="none", ms=10, **black))
        names.append(f"range over {most} frames")
    if part["limit_lower"].notna().any():
        line: dict[str, Any] = (
            {"ls": "--"} if len({*part["n_pools"]}) > 1 else {"ls": "none", "marker": "_"}
        )
        keys.append(Line2D([], [], lw=0.9, ms=12, **line, **black))
        names.append("limit for K → ∞")
    keys.append(Line2D([], [], ls="none"))
    names.append("")
    for name, marker, line in zip(solvers(part), cycle(_MARKERS), cycle(LINES), strict=False):
        keys.append(Line2D([], [], marker=marker, ls=line, **black))
        names.append(name.removeprefix(SCORE))
    figure.legend(keys, names, loc="outside right center", frameon=False)
