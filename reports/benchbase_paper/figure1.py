"""The report ``figure1``: the paper's figure, from whatever results have its rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchbase
from benchbase.showing import lp_name, save_figure, set_title, summarise, wrapped
from benchbase_paper.settings import BOTH, NEAREST, NORMS, RANDOM, Setting, find_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STARTS = {
    RANDOM: ("random start", "#000000"),
    NEAREST: ("nearest neighbours", "#0072B2"),
    BOTH: ("nearest neighbours + altmin", "#D55E00"),
}
"""The name and the colour of each label's curves."""

_CAPTION = (
    "Altmin from a random start is black, nearest neighbour regression blue, altmin from it red; "
    "dashed: half rectified. The colours are chosen here, for colour-blind readers too. Bands are "
    "± one standard error, {over}."
)
_FEW = " Some points are means of fewer signals than others of their panel."
_PANEL = (2.5, 1.75)  # inches
_LONGEST = 25  # characters of a line as long as a panel is high
_ROOM = 1.5  # inches, for all but the panels


class Figure1(benchbase.Report):
    """The paper's figure 1: recovery against the number of pools, from all five problems.

    The paper is Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014.
    Rows are the paper's problems in its order, as far as there are results: (a) Gaussian vectors,
    (b) MNIST and (d) patches with random frames, (c) MNIST and (e) patches with learned frames.
    Columns are ℓ1, ℓ2 and ℓ∞. The curves of a panel are the mean squared cosines of the solvers
    labelled "altmin" (from a random start), "kNN" and "altmin + kNN", with linear pooling (solid)
    and rectified pooling (dashed).

    Rows are recognised by the names of data set and frame, so that smaller suites, and suites of
    one row, are drawn too. Of several dimensions, the largest is drawn. Written as ``figure1.svg``
    and ``figure1.png``. Nothing is written if no row has two norms without rectification: there is
    nothing to compare then, and the report ``curves`` shows everything.
    """

    name = "figure1"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write ``figure1.svg`` and ``figure1.png``, or nothing if no row compares two norms.

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
        rows = find_rows(find_settings(results.rows()))
        if not rows:
            return []
        return save_figure(folder, self.name, lambda: draw(rows, results.suites[-1]["title"]))


def find_rows(settings: list[Setting]) -> list[Setting]:
    """Return the rows to draw, one per letter, or none if no row compares two norms."""
    rows: dict[str, Setting] = {}
    for setting in settings:
        kept = setting.rows[setting.rows["label"].isin(STARTS)]
        scored = kept[~kept["status"].isin(["pending", "unsupported"])]
        if len(scored):
            rows.setdefault(setting.letter, Setting(setting.letter, setting.name, kept))
    chosen = [*rows.values()]
    linear = ((~row.rows["rectified"]) & (row.rows["status"] != "pending") for row in chosen)
    norms = [row.rows.loc[kept, "p"].nunique() for row, kept in zip(chosen, linear, strict=True)]
    return chosen if any(count > 1 for count in norms) else []


def draw(rows: list[Setting], title: str) -> Figure:
    """Draw rows of panels.

    Parameters
    ----------
    rows : list of Setting
        From `find_rows`.
    title : str
        The title above the panels.
    """
    from matplotlib.figure import Figure

    norms = [p for p in NORMS if any(p in row.norms for row in rows)]
    size = (len(norms) * _PANEL[0] + 0.9, len(rows) * _PANEL[1] + _ROOM)
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(len(rows), len(norms), squeeze=False, sharex="row", sharey=True)
    trials, few = set(), False
    for axes, row in zip(grid, rows, strict=True):
        summary = summarise(row.rows)
        trials |= {*summary.loc[summary["signals"] > 0, "trials"]}
        few |= bool(summary["reduced"].any())
        for ax, p in zip(axes, norms, strict=True):
            _panel(ax, summary[(summary["p"] == p) & (summary["signals"] > 0)])
        axes[0].set_ylabel("\n".join(_lines(row.title)), fontsize=8)
    for ax in grid[-1]:
        ax.set_xlabel("number of pools K")
    for ax, p in zip(grid[0], norms, strict=True):
        ax.set_title(lp_name(p))
    _explain(figure, title, trials, few=few)
    return figure


def _lines(title: str) -> list[str]:
    """Split a row's title into lines that fit the height of a panel."""
    lines = [""]
    for part in title.split(", "):
        joined = f"{lines[-1]}, {part}" if lines[-1] else part
        lines = [*lines[:-1], joined] if len(joined) <= _LONGEST else [*lines, part]
    return [line for line in lines if line]


def _panel(ax: Axes, summary: Any) -> None:
    """Draw the curves of a panel, or hide it if there are none."""
    from matplotlib.ticker import MaxNLocator

    ax.set_visible(len(summary) > 0)
    for label, (_, colour) in STARTS.items():
        for rectified in (False, True):
            rows = summary[(summary["label"] == label) & (summary["rectified"] == rectified)]
            if rows.empty:
                continue
            rows = rows.sort_values("n_pools")
            k, mean = rows["n_pools"].to_numpy(float), rows["mean_squared_cosine"].to_numpy(float)
            error = rows["standard_error"].fillna(0).to_numpy(float)
            look: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 2.5}
            look |= {"linestyle": "--", "markerfacecolor": "white"} if rectified else {}
            ax.plot(k, mean, label=_curve_name(label, rectified), clip_on=False, **look)
            ax.fill_between(k, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
    ax.set_ylim(0, 1.02)
    ax.set_yticks([0, 0.5, 1])
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _curve_name(label: str, rectified: bool) -> str:
    return STARTS[label][0] + (", rectified" if rectified else "")


def _explain(figure: Figure, title: str, trials: set[int], *, few: bool) -> None:
    """Put the title above the panels, and the legend with the caption below."""
    width = figure.get_figwidth()
    set_title(figure, title)
    figure.supylabel("mean squared cosine (recovery angle)")
    found: dict[str, Any] = {}
    for ax in figure.axes:
        keys, labels = ax.get_legend_handles_labels()
        found |= dict(zip(labels, keys, strict=True))
    order = [_curve_name(label, rectified) for label in STARTS for rectified in (False, True)]
    names = [name for name in order if name in found]
    over = "over the signals of one frame" if trials == {1} else "clustered by trial"
    caption = _CAPTION.format(over=over) + (_FEW if few else "")
    figure.legend(
        [found[name] for name in names],
        names,
        loc="outside lower center",
        ncols=3 if len(names) > 4 and width > 2 * _PANEL[0] + 1 else 2,
        frameon=False,
        title=wrapped(caption, width),
        title_fontsize=8,
    )
