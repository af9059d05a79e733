from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from benchbase.showing import (
    STYLE,
    log_axis,
    looks,
    power_of_ten,
    save_figure,
    set_title,
    some,
    wrapped,
)


def test_ninety_names_can_be_told_apart() -> None:
    style = looks(f"solver {i}" for i in range(90))
    assert len({(look["color"], look["marker"]) for look in style.values()}) == 90


def test_a_name_has_one_look_however_often_it_comes() -> None:
    assert looks(["b", "a", "b"]) == looks(["b", "a"])
    assert [*looks(["b", "a", "b"])] == ["b", "a"]


def test_figures_look_alike_whatever_the_settings(tmp_path: Path) -> None:
    def make() -> Figure:
        figure = Figure()
        figure.subplots().plot([0, 1], label="a $b$")
        return figure

    before = [file.read_bytes() for file in save_figure(tmp_path, "first", make)]
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        settings = dict(mpl.rcParams)
        files = save_figure(tmp_path, "second", make)
        assert dict(mpl.rcParams) == settings
    assert [file.name for file in files] == ["second.svg", "second.png"]
    assert [file.read_bytes() for file in files] == before


def test_no_figure_leaves_no_file(tmp_path: Path) -> None:
    assert save_figure(tmp_path, "none", lambda: None) == []
    assert not any(tmp_path.iterdir())


def test_titles_are_as_wide_as_the_figure() -> None:
    with mpl.rc_context(STYLE):
        figure = Figure((3.0, 3.0))
        set_title(figure, "word " * 20, "own line")
        figure.draw_without_rendering()
    assert figure.get_suptitle().endswith("\nown line")
    (text,) = figure.texts
    assert text.get_window_extent().x1 < figure.bbox.x1
    assert max(map(len, wrapped("word " * 20, 3.0).splitlines())) <= 40


@given(values=st.lists(st.integers(), min_size=1, unique=True), most=st.integers(2, 8))
def test_some_of_many_are_in_order_with_both_ends(values: list[int], most: int) -> None:
    found = some(values, most)
    assert len(found) == min(len(values), most)
    assert (found[0], found[-1]) == (values[0], values[-1])
    places = [values.index(value) for value in found]
    gaps = [after - before for before, after in pairwise(places)]
    assert all(gap > 0 for gap in gaps)
    assert max(gaps, default=1) - min(gaps, default=1) <= 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (1e-3, "10⁻³"), (10.0, "10¹"), (1e120, "10¹²⁰"), (20.0, "20"), (0.0, "0")],
)
def test_powers_of_ten_are_text(value: float, text: str) -> None:
    assert power_of_ten(value) == text


@pytest.mark.parametrize("which", ["x", "y"])
def test_logarithmic_axes_have_no_formulas(which: str) -> None:
    figure = Figure()
    ax = figure.subplots()
    ax.plot([1e-8, 1], [1e-8, 1])
    log_axis(ax, which)
    figure.draw_without_rendering()
    axis = ax.xaxis if which == "x" else ax.yaxis
    assert axis.get_scale() == "log"
    labels = [text.get_text() for text in axis.get_ticklabels(which="both")]
    assert "10⁻⁸" in labels
    assert not any("$" in label for label in labels)
