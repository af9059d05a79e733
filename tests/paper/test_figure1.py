from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
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
from benchbase_paper.figure1 import STARTS, Figure1, draw, find_rows
from benchbase_paper.settings import find_settings

Make = Callable[..., pd.DataFrame]
Known = Callable[..., Any]
NORMS = (1.0, 2.0, np.inf)
LABELS = ("altmin", "kNN", "altmin + kNN")
POOLS = (20, 10, 40)
ROWS: dict[str, dict[str, Any]] = {
    "e": {"dataset": "patches", "n": 256, "frame": "ksvd", "dataset__source": "bsds500"},
    "c": {"dataset": "mnist", "n": 100, "frame": "ksvd"},
    "d": {"dataset": "patches", "n": 256, "frame": "gaussian", "dataset__source": "bsds500"},
    "b": {"dataset": "mnist", "n": 100, "frame": "gaussian"},
    "a": {"dataset": "gaussian", "n": 40, "frame": "gaussian"},
}


def row(
    cell: Make,
    letter: str,
    labels: Sequence[str] = LABELS,
    norms: Sequence[float] = NORMS,
    variants: Sequence[bool] = (False, True),
    **others: Any,
) -> pd.DataFrame:
    """Return a row of the figure: two trials of three signals, scores that differ all over."""
    points = [*product(norms, variants, labels, POOLS, (0, 1), (0, 1, 2))]
    p, rectified, label, k, trial, signal = map(list, zip(*points, strict=True))
    scores = np.random.default_rng(ord(letter)).random(len(points))
    told = {"p": p, "rectified": rectified, "trial": trial, "signal": signal, "points": 3}
    return cell(scores, label, k, **(told | ROWS[letter] | others))


def drawn(frame: pd.DataFrame) -> Figure:
    return draw(find_rows(find_settings(frame)), "A suite")


def curves(ax: Any) -> dict[str, Any]:
    return {str(line.get_label()): line for line in ax.lines}


@pytest.fixture(scope="module")
def frame(cell: Make, join: Make) -> pd.DataFrame:
    """Return results of all rows, the companion of n = 20 and a baseline, in no order."""
    others = [row(cell, "a", n=20), row(cell, "b", ["mean"])]
    return join(*(row(cell, letter) for letter in ROWS), *others)


@pytest.fixture(scope="module")
def figure(frame: pd.DataFrame) -> Figure:
    return drawn(frame)


def test_rows_and_columns_are_those_of_the_paper(figure: Figure) -> None:
    assert len(figure.axes) == 15
    assert [ax.get_title() for ax in figure.axes] == ["ℓ1", "ℓ2", "ℓ∞", *[""] * 12]
    names = [" ".join(ax.get_ylabel().split()) for ax in figure.axes[::3]]
    assert names == [
        "(a) Gaussian vectors n = 40, random frames",
        "(b) MNIST, n = 100 random frames",
        "(c) MNIST, n = 100 learned frames",
        "(d) patches of bsds500 n = 256, random frames",
        "(e) patches of bsds500 n = 256, learned frames",
    ]
    assert all(ax.get_ylim() == (0, 1.02) for ax in figure.axes)


def test_a_panel_holds_six_curves_of_means(figure: Figure, frame: pd.DataFrame) -> None:
    mine = (frame["dataset"] == "mnist") & (frame["frame"] == "ksvd") & (frame["p"] == np.inf)
    summary = summarise(frame[mine])
    found = curves(figure.axes[8])
    assert len(found) == 6
    for label, (name, _) in STARTS.items():
        for rectified, suffix in ((False, ""), (True, ", rectified")):
            wanted = (summary["label"] == label) & (summary["rectified"] == rectified)
            means = summary[wanted].sort_values("n_pools")
            line = found[name + suffix]
            np.testing.assert_array_equal(line.get_xdata(), [10, 20, 40])
            np.testing.assert_array_equal(line.get_ydata(), means["mean_squared_cosine"])
            assert line.get_linestyle() == ("--" if rectified else "-")


def test_bands_are_a_standard_error_wide(figure: Figure, frame: pd.DataFrame) -> None:
    mine = (frame["n"] == 40) & (frame["p"] == 1) & ~frame["rectified"]
    summary = summarise(frame[mine & (frame["label"] == "altmin")]).sort_values("n_pools")
    band: Any = figure.axes[0].collections[0]
    corners = band.get_paths()[0].vertices
    for k, mean, error in summary[["n_pools", "mean_squared_cosine", "standard_error"]].itertuples(
        index=False
    ):
        heights = corners[corners[:, 0] == k, 1]
        assert heights.max() - heights.min() == pytest.approx(2 * error)
        assert heights.max() == pytest.approx(mean + error)


def test_colours_tell_starts_apart(figure: Figure) -> None:
    found = curves(figure.axes[4])
    for name, colour in STARTS.values():
        assert to_hex(found[name].get_color()) == colour.lower()
        assert to_hex(found[f"{name}, rectified"].get_color()) == colour.lower()


def test_legend_and_caption_name_all_and_cover_nothing(figure: Figure) -> None:
    legend: Any = figure.legends[0]
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [n + v for n, _ in STARTS.values() for v in ("", ", rectified")]
    caption = " ".join(legend.get_title().get_text().split())
    assert "± one standard error, clustered by trial" in caption
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert all(figure.bbox.contains(*corner) for corner in box.corners())
    assert not any(box.overlaps(ax.get_tightbbox()) for ax in figure.axes)


def test_missing_norms_solvers_and_rows_leave_no_trace(cell: Make, join: Make) -> None:
    few = row(cell, "e", ["kNN"], [2.0], [False])
    figure = drawn(join(row(cell, "b", ["altmin"], [1.0, 2.0]), few))
    assert [ax.get_title() for ax in figure.axes] == ["ℓ1", "ℓ2", "", ""]
    assert [ax.get_visible() for ax in figure.axes] == [True, True, False, True]
    assert [len(ax.lines) for ax in figure.axes] == [2, 2, 0, 1]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["random start", "random start, rectified", "nearest neighbours"]


def test_digits_and_other_photographs_are_rows_too(cell: Make, join: Make) -> None:
    digits = row(cell, "b", dataset="digits", n=24)
    figure = drawn(join(digits, row(cell, "d", dataset__source="photographs")))
    names = [" ".join(ax.get_ylabel().split()) for ax in figure.axes[::3]]
    assert names[0] == "(b) digits, n = 24 random frames"
    assert names[1].startswith("(d) patches of photographs")


def test_one_trial_is_told(cell: Make, join: Make) -> None:
    frame = join(row(cell, "a"))
    figure = drawn(frame[frame["trial"] == 0])
    caption = " ".join(figure.legends[0].get_title().get_text().split())
    assert "over the signals of one frame" in caption


@pytest.mark.parametrize(
    "others",
    [
        {"norms": [2.0]},
        {"variants": [True]},
        {"labels": ["RRR"]},
        {"dataset": "music"},
        {"frame": "fourier"},
        {"pooling__threshold": 0.5},
        {"pooling": "maxout"},
        {"status": "pending"},
        {"status": "unsupported"},
    ],
)
def test_nothing_is_written_for_other_suites(
    cell: Make, known: Known, tmp_path: Path, others: dict[str, Any]
) -> None:
    assert Figure1().write(known(row(cell, "b", **others)), tmp_path) == []
    assert not any(tmp_path.iterdir())


def test_the_files_are_a_drawing_and_a_picture(cell: Make, known: Known, tmp_path: Path) -> None:
    from matplotlib.image import imread

    results = known(row(cell, "a", ["altmin"], [1.0, 2.0]), title="Five & <more> $x$")
    files = Figure1().write(results, tmp_path)
    assert [file.name for file in files] == ["figure1.svg", "figure1.png"]
    tree = ElementTree.parse(files[0])
    texts = ["".join(e.itertext()).strip() for e in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Five & <more> $x$", "ℓ1", "random start, rectified", "number of pools K"} <= {*texts}
    assert imread(files[1])[..., :3].std() > 0.05
    before = [file.read_bytes() for file in files]
    with mpl.rc_context({"font.size": 20}):
        settings = dict(mpl.rcParams)
        Figure1().write(results, tmp_path)
        assert dict(mpl.rcParams) == settings
    assert [file.read_bytes() for file in files] == before
