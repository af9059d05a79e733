"""The report ``collisions``: in how many frames two signals have the same representation."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import benchbase
from benchbase import Problem
from benchbase.showing import pooling_name, save_figure, set_title, split, write_texts
from benchbase_bounds.reports.frames import (
    measured,
    missing,
    name_of_setting,
    print_grids,
    problem_columns,
    require_positive,
    setting_columns,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.console import Console

LARGEST = 16
"""The largest N of frames that are searched. Beyond it a search takes minutes."""

_EFFORT = 0.1
_ZERO = 1e-9  # the ratio of a pair that collides to rounding, relative to B

READING = (
    "Of the frames searched, how many have two signals with the same representation. "
    "That none is found proves nothing."
)


class Collisions(benchbase.Report):
    """In how many frames two signals with the same representation are found: Proposition 2.8.

    The proposition (Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML
    2014) states that generic frames are injective from K = 4N on. This is true, not sharp. Without
    rectification, K equations in two signals, of which one unknown is the common scale, lead to
    expect collisions for K ≤ 2N − 2; p = 2 and pools of one then need 2N − 1 pools, and p = 1 and
    p = ∞ need 2N.

    All frames of a run with K ≤ 4N and N ≤ 16 are searched, by Gauss-Newton steps from random
    pairs. If coefficients are half rectified, the search for A, which knows the regions in which
    few vectors are active, follows. The files are ``collisions.csv``, ``collisions.md``, and a
    figure for each setting as SVG and PNG, with K against L and one panel per pooling. The report
    is made only if a suite names it, or by ``benchbase report collisions``.

    Parameters
    ----------
    starts : int, optional
        The number of random pairs per frame.
    limit : float, optional
        Seconds after which no further frame is begun. The report says what is left out.
    experiments : tuple of str, optional
        Only these; by default all.

    Raises
    ------
    ParameterError
        If `starts` or `limit` is not positive.
    """

    name = "collisions"
    on_request: ClassVar[bool] = True
    starts: int = 32
    limit: float = 1800.0
    experiments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_positive(self, "starts", "limit")

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write the tables and figures, or nothing if no frame is small enough.

        Parameters
        ----------
        results : benchbase.ResultsView
            The results of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The files. The same results give the same bytes, unless `limit` was reached.
        """
        table = _table(results, self)
        if table.empty:
            return []
        title = results.suites[-1]["title"]
        parts = [f"# {title}: collisions", READING, *_missing(table)]
        for name, grid in grids(table):
            parts += [f"## {name}", grid.to_markdown(index=False)]
        texts = {
            "collisions.csv": table.to_csv(index=False, lineterminator="\n"),
            "collisions.md": "\n\n".join(parts) + "\n",
        }
        files = write_texts(folder, texts)
        for i, part in enumerate(split(table, setting_columns(table)), start=1):
            files += save_figure(folder, f"collisions-{i}", partial(draw, part, title))
        return files

    def show(self, results: benchbase.ResultsView, console: Console) -> None:
        """Print the counts by K, L and pooling."""
        table = _table(results, self)
        if not table.empty:
            print_grids(console, grids(table), [READING, *_missing(table)])


@lru_cache(maxsize=2)  # a report is shown and then written
def _table(results: benchbase.ResultsView, report: Collisions) -> pd.DataFrame:
    return collisions_table(
        results, starts=report.starts, limit=report.limit, experiments=report.experiments
    )


def collisions_table(
    results: benchbase.ResultsView,
    *,
    starts: int = 32,
    limit: float = math.inf,
    experiments: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Search all frames of a run with K ≤ 4N and N ≤ 16 for collisions.

    Parameters
    ----------
    results : benchbase.ResultsView
        They rebuild the frames.
    starts : int, optional
        The number of random pairs per frame.
    limit : float, optional
        Seconds after which no further frame is begun.
    experiments : sequence of str, optional
        Only these; by default all.

    Returns
    -------
    pandas.DataFrame
        One row per problem and number of pools: ``frames``; ``searched``, how many of them were
        searched; ``collisions``, in how many of those one was found; and ``reason``, why others
        were not searched.
    """
    import pandas as pd

    def measure(problem: Problem) -> dict[str, Any]:
        return {"collision": has_collision(problem, starts)}

    frames = measured(
        results,
        measure,
        label=f"collisions of {results.suites[-1]['suite']}",
        limit=limit,
        experiments=experiments,
        rows=lambda table: (table["n_pools"] <= 4 * table["n"]) & (table["n"] <= LARGEST),
    )
    if frames.empty:
        return frames
    keys = problem_columns(frames)
    frames = frames.drop_duplicates([*keys, "seed", "trial"])  # noise makes no further frames
    found = frames["collision"] if "collision" in frames else pd.Series(None, index=frames.index)
    frames = frames.assign(searched=found.notna(), collisions=found.eq(other=True))
    parts = frames.groupby(keys, dropna=False, sort=False)
    table = parts.agg(
        frames=("trial", "size"),
        searched=("searched", "sum"),
        collisions=("collisions", "sum"),
        reason=("reason", lambda reasons: "; ".join(dict.fromkeys(filter(None, reasons)))),
    ).reset_index()
    return table.assign(pooling_name=[pooling_name(row) for _, row in table.iterrows()])


def has_collision(problem: Problem, starts: int) -> bool:
    """Return whether two signals with the same representation are found.

    If fewer than N vectors are active in a region, all its signals collide with others.
    Gauss-Newton steps seldom enter such regions, as they are narrow. So if coefficients are half
    rectified, `benchbase_bounds.dispatch.bounds` looks there, too.

    Parameters
    ----------
    problem : Problem
        Frame and pooling.
    starts : int
        The number of random pairs to start from.
    """
    from benchbase_bounds.collision_search import find_collision
    from benchbase_bounds.dispatch import bounds
    from benchbase_bounds.representation import Operator

    operator = Operator.of(problem.frame, problem.pooling)
    if find_collision(operator, np.random.default_rng(0), starts=starts) is not None:
        return True
    if not problem.pooling.rectified:
        return False
    found = bounds(problem.frame, problem.pooling, effort=_EFFORT)
    return found.upper <= _ZERO * found.largest


def grids(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the name of each setting and its counts: one row per pooling and L, one column per K.

    Parameters
    ----------
    table : pandas.DataFrame
        From `collisions_table`.
    """
    found = []
    for part in split(table, setting_columns(table)):
        counts = part.assign(count=[_count(row) for _, row in part.iterrows()])
        grid = counts.pivot_table(
            index=["pooling_name", "pool_size"], columns="n_pools", values="count",
            aggfunc="first", sort=False, fill_value="",
        ).sort_index(axis=1)  # fmt: skip # one argument a line says no more
        n = int(part["n"].iloc[0])
        grid.columns = [name_of_k(int(k), n) for k in grid.columns]
        grid = grid.reset_index().rename(columns={"pooling_name": "pooling", "pool_size": "L"})
        found.append((name_of_setting(part.iloc[0]), grid))
    return found


def name_of_k(k: int, n: int) -> str:
    """Name a number of pools in terms of N, as "2N − 2" or "2N", or else as "K = 13"."""
    if k % n == 0:
        return f"{k // n}N" if k > n else "N"
    short = 2 * n - k
    return f"2N − {short}" if 0 < short < min(n, 4) else f"K = {k}"


def _count(row: pd.Series[Any]) -> str:
    return f"{row['collisions']}/{row['searched']}" if row["searched"] else "–"


def _missing(table: pd.DataFrame) -> list[str]:
    """Return a line that says how many frames were not searched, and why, if there are any."""
    return missing(int(table["frames"].sum()), int(table["searched"].sum()), table["reason"])


def draw(part: pd.DataFrame, title: str) -> Figure:
    """Draw a setting's counts, with K against L and one panel per pooling.

    Parameters
    ----------
    part : pandas.DataFrame
        Rows of `collisions_table`, of one setting.
    title : str
        The title of the suite.
    """
    from matplotlib.figure import Figure

    poolings = list(dict.fromkeys(part["pooling_name"]))
    across = min(3, len(poolings))
    down = -(-len(poolings) // across)
    ks, sizes = sorted({*part["n_pools"]}), sorted({*part["pool_size"]})
    height = 0.24 * len(sizes) + 0.55
    figure = Figure((across * (0.52 * len(ks) + 0.6) + 1.1, down * height + 1.3),
                    layout="constrained")  # fmt: skip # a size
    searched = int(part["searched"].max())
    setting = name_of_setting(part.iloc[0])
    set_title(figure, title, f"{setting}: frames of {searched} with a collision")
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    image = None
    for ax, name in zip(grid.flat, poolings, strict=False):
        image = _panel(ax, part[part["pooling_name"] == name], ks, sizes)
        ax.set_title(name)
    for ax in grid.flat[len(poolings) :]:
        ax.set_visible(False)
    n = int(part["n"].iloc[0])
    grid[0, 0].set_xticks(range(len(ks)), [f"{k}\n{name_of_k(int(k), n)}" for k in ks])
    grid[0, 0].set_yticks(range(len(sizes)), sizes)
    figure.supxlabel("number of pools K")
    figure.supylabel("vectors per pool L")
    if image is not None:
        figure.colorbar(image, ax=grid, label="share of frames", shrink=0.6)
    return figure


def _panel(ax: Axes, part: pd.DataFrame, ks: list[int], sizes: list[int]) -> Any:
    shares = np.full((len(sizes), len(ks)), np.nan)
    for _, row in part.iterrows():
        i, j = sizes.index(row["pool_size"]), ks.index(row["n_pools"])
        if row["searched"]:
            shares[i, j] = row["collisions"] / row["searched"]
        shade = "white" if shares[i, j] > 0.55 else "black"
        text = str(row["collisions"]) if row["searched"] else "–"
        ax.text(j, i, text, ha="center", va="center", color=shade, fontsize=8)
    ax.grid(visible=False)
    return ax.imshow(
        shares, cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="lower",
        extent=(-0.5, len(ks) - 0.5, -0.5, len(sizes) - 0.5),
    )  # fmt: skip # as above
