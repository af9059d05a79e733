from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from benchbase.showing import summarise
from benchbase_reports.curves import Curves, draw

Make = Callable[..., pd.DataFrame]
Known = Callable[..., Any]
POOLS = (10, 20, 40)


@pytest.fixture(scope="module")
def rows(cell: Make, unsupported: Make) -> list[pd.DataFrame]:
    """Return cells of three norms, out of order; PhaseLift for p = 2 linear only."""
    rng = np.random.default_rng(0)
    cells = []
    for p in (np.inf, 2.0, 1.0):
        for rectified in (False, True):
            problem = {"p": p, "rectified": rectified}
            for k in reversed(POOLS):
                for label in ("alt_min $a$ <b>", "_mean"):
                    cells += [cell(rng.random(4), label, k, trial=t, **problem) for t in (0, 1)]
                if p == 2.0 and not rectified:
                    cells.append(cell(rng.random(3), "PhaseLift", k, **problem))
                else:
                    cells.append(unsupported("PhaseLift", k, **problem))
                    cells.append(unsupported("nowhere", k, **problem))
    return cells


@pytest.fixture(scope="module")
def summary(rows: list[pd.DataFrame], join: Make) -> pd.DataFrame:
    return summarise(join(*rows))


@pytest.fixture(scope="module")
def figure(summary: pd.DataFrame) -> Figure:
    return drawn(summary)


@pytest.fixture(scope="module")
def written(cell: Make, known: Known, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("curves")
    return Curves().write(small(cell, known), folder)


def drawn(summary: pd.DataFrame, title: str = "A suite") -> Figure:
    figure = draw(summary, title)
    assert figure is not None
    return figure


def small(cell: Make, known: Known) -> Any:
    labels = ("alt_min & co", "knn <10> $q$ $r$", "mean", "PhaseLift", "PhaseCut")
    cells = [cell([0.1 * i, 0.2], label, k) for i, label in enumerate(labels) for k in (10, 20)]
    return known(*cells, title="Five & more")


def curves(figure: Figure, panel: int) -> list[tuple[Any, Any]]:
    """Return the line and the bars of each curve of a panel."""
    drawn: list[Any] = [*figure.axes[panel].containers]
    return [(curve.lines[0], curve.lines[2][0]) for curve in drawn]


def legend_overlaps(figure: Figure) -> bool:
    """Return whether the legend touches a panel or leaves the figure."""
    figure.draw_without_rendering()
    legend: Any = figure.legends[0].get_window_extent()
    inside = all(figure.bbox.contains(*corner) for corner in legend.corners())
    return not inside or any(legend.overlaps(ax.get_tightbbox()) for ax in figure.axes)


def test_panels_are_in_the_order_of_p(figure: Figure) -> None:
    assert [ax.get_title() for ax in figure.axes] == ["ℓ1", "ℓ2", "ℓ∞"]


def test_curves_hold_the_means_and_errors_of_the_summary(
    figure: Figure, summary: pd.DataFrame
) -> None:
    mine = summary[(summary["p"] == 2) & (summary["signals"] > 0)]
    pieces = mine.groupby(["rectified", "label"], sort=False)
    lines = curves(figure, 1)
    assert len(lines) == len(pieces) == 5
    for (line, bars), (_, piece) in zip(lines, pieces, strict=True):
        piece = piece.sort_values("n_pools")
        np.testing.assert_array_equal(line.get_xdata(), POOLS)
        np.testing.assert_array_equal(line.get_ydata(), piece["mean_squared_cosine"])
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(np.diff(ends).ravel() / 2, piece["standard_error"])


def test_what_does_not_apply_is_left_out(figure: Figure) -> None:
    assert len(curves(figure, 0)) == len(curves(figure, 2)) == 4
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    expected = ["alt_min $a$ <b>", "_mean", "PhaseLift (3 pts)", "", "linear", "rectified"]
    assert names == expected


def test_a_solver_has_one_colour_and_a_pooling_one_line(figure: Figure) -> None:
    for panel in (0, 1, 2):
        lines = [line for line, _ in curves(figure, panel) if len(line.get_xdata())]
        linear = [line for line in lines if line.get_linestyle() == "-"]
        rectified = [line for line in lines if line.get_linestyle() == "--"]
        assert len(linear) + len(rectified) == len(lines)
        colours = [line.get_color() for line in linear[:2]]
        assert colours == [line.get_color() for line in rectified]
        assert len(set(colours)) == 2
        assert all(line.get_markerfacecolor() == "white" for line in rectified)


def test_dashes_mean_rectified_even_without_a_linear_curve(cell: Make, join: Make) -> None:
    cells = [cell([0.5], rectified=True, pooling__threshold=value) for value in (0.0, 0.1)]
    lines = [line for line, _ in curves(drawn(summarise(join(*cells))), 0)]
    assert [line.get_linestyle() for line in lines] == ["--", ":"]


def test_the_legend_covers_no_panel(figure: Figure) -> None:
    assert not legend_overlaps(figure)


def test_the_scale_is_that_of_squared_cosines(figure: Figure) -> None:
    assert all(ax.get_ylim() == (0, 1.02) for ax in figure.axes)


def test_many_solvers_can_be_told_apart(cell: Make, join: Make) -> None:
    cells = [cell([0.5], f"solver {i}", k) for i in range(40) for k in (10, 20)]
    figure = drawn(summarise(join(*cells)))
    lines = [line for line, _ in curves(figure, 0)]
    looks = {(to_hex(line.get_color()), str(line.get_marker())) for line in lines}
    assert len(looks) == 40
    assert not legend_overlaps(figure)


def test_a_single_number_of_pools_has_a_marker(cell: Make, join: Make) -> None:
    figure = drawn(summarise(join(cell([0.5]))))
    ((line, _),) = curves(figure, 0)
    assert line.get_marker() == "o"
    assert line.get_markersize() > 2
    assert figure.axes[0].get_xticks().tolist() == [10]
    low, high = figure.axes[0].get_xlim()
    assert low < 10 < high


def test_experiments_are_rows_and_norms_columns(cell: Make, join: Make) -> None:
    cells = [cell([0.5], experiment="a"), cell([0.5], experiment="b")]
    other = cell([0.5], experiment="a", pooling="maxout", p=np.nan)
    threshold = cell([0.5], experiment="b", rectified=True, pooling__threshold=0.1)
    figure = drawn(summarise(join(other, *cells, threshold)))
    assert [ax.get_title() for ax in figure.axes] == ["ℓ2", "maxout"] * 2
    assert [ax.get_visible() for ax in figure.axes] == [True, True, True, False]
    rows = [figure.axes[i].get_ylabel().split(" ·")[0] for i in (0, 2)]
    assert rows == ["a", "b"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[-2:] == ["linear", "rectified, threshold .1"]


def test_the_svg_names_every_solver(written: list[Path]) -> None:
    assert [file.name for file in written] == ["curves.svg", "curves.png"]
    tree = ElementTree.parse(written[0])
    texts = ["".join(e.itertext()).strip() for e in tree.iter("{http://www.w3.org/2000/svg}text")]
    wanted = ["alt_min & co", "knn <10> $q$ $r$", "mean", "PhaseLift", "PhaseCut", "linear", "ℓ2"]
    assert set(wanted) <= set(texts)
    assert "Five & more" in texts
    # ... and draws it: each colour in lines of the panel and in the legend.
    drawn = written[0].read_text(encoding="utf-8")
    for colour in ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"):
        assert drawn.count(f"stroke: {colour}") >= 4


def test_the_png_is_a_picture(written: list[Path]) -> None:
    from matplotlib.image import imread

    pixels = imread(written[1])
    assert min(pixels.shape[:2]) > 400
    assert pixels[..., :3].std() > 0.05


def test_the_same_results_give_the_same_files(
    cell: Make, known: Known, written: list[Path], tmp_path: Path
) -> None:
    before = [file.read_bytes() for file in written]
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        settings = dict(mpl.rcParams)
        again = Curves().write(small(cell, known), tmp_path)
        assert dict(mpl.rcParams) == settings
    assert [file.read_bytes() for file in again] == before


def test_without_a_point_there_is_no_file(
    cell: Make, unsupported: Make, known: Known, tmp_path: Path
) -> None:
    results = known(unsupported("a"), cell([np.nan], "b", status="pending"), cell([1.0], k=pd.NA))
    assert Curves().write(results, tmp_path) == []
    assert not any(tmp_path.iterdir())
