from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from rich.console import Console

import benchbase
from benchbase_reports.transition_figure import draw
from benchbase_reports.transition_panels import Panel, crossing_text, main_grid, make_panels
from benchbase_reports.transition_report import Transitions, markdown, theories
from benchbase_reports.transitions import transitions

Make = Callable[..., pd.DataFrame]
Known = Callable[..., Any]
FILES = [f"transitions.{end}" for end in ("csv", "md", "tex", "svg", "png")]
CURVES = {
    "slow & sure": {10: 0.0, 20: 0.2, 30: 0.9, 40: 1.0},
    "fast|er": {10: 0.1, 20: 0.9, 30: 1.0, 40: 1.0},
    "never": {10: 0.0, 20: 0.0, 30: 0.0, 40: 0.0},
    "always": {10: 1.0, 20: 1.0, 30: 1.0, 40: 1.0},
}


def grid_of(cell: Make, label: str, trials: int = 4, **others: Any) -> list[pd.DataFrame]:
    return [
        cell(np.arange(20) < round(share * 20), label, k, trial=trial, **others)
        for k, share in CURVES[label].items()
        for trial in range(trials)
    ]


@pytest.fixture(scope="module")
def cells(cell: Make, unsupported: Make) -> list[pd.DataFrame]:
    """Return cells of two poolings and two frames; one solver refuses one of the poolings."""
    parts = []
    for size in (2, 4):
        problems: list[dict[str, Any]] = [{"p": 2.0}, {"p": np.inf, "rectified": True}]
        for problem in problems:
            for label in CURVES:
                if label == "always" and problem["p"] == np.inf:
                    told = {"pool_size": size, "points": 20, **problem}
                    parts += [
                        unsupported(label, k, "needs 5% of_it & more", **told) for k in (10, 20)
                    ]
                else:
                    parts += grid_of(cell, label, pool_size=size, **problem)
    return parts


@pytest.fixture(scope="module")
def suite(cells: list[pd.DataFrame], known: Known) -> Any:
    return known(*cells, title="Suite_1: 100% & more")


@pytest.fixture(scope="module")
def panels(suite: Any) -> list[Panel]:
    return make_panels(with_theory(suite.rows()))


@pytest.fixture(scope="module")
def figure(panels: list[Panel]) -> Figure:
    return drawn(panels)


@pytest.fixture(scope="module")
def written(suite: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the report's files."""
    folder = tmp_path_factory.mktemp("transitions")
    assert [file.name for file in Transitions().write(suite, folder)] == FILES
    return folder


def with_theory(frame: pd.DataFrame, value: float = np.nan) -> pd.DataFrame:
    return transitions(frame).assign(theory=value)


def drawn(panels: list[Panel]) -> Figure:
    figure = draw(panels, "A suite")
    assert figure is not None
    return figure


def shown(results: Any, width: int = 100) -> str:
    stream = io.StringIO()
    Transitions().show(results, Console(file=stream, width=width))
    return stream.getvalue()


# Text --------------------------------------------------------------------------------------------


def test_solvers_are_in_the_order_of_what_they_need(panels: list[Panel]) -> None:
    assert [panel.title for panel in panels] == [
        f"digits, n = 64 · gaussian frame, pools of {size}" for size in (2, 4)
    ]
    for panel in panels:
        assert panel.poolings == ["ℓ2", "rectified ℓ∞"]
        assert [*panel.rows] == ["always", "fast|er", "slow & sure", "never"]


def test_the_grid_holds_numbers_with_intervals(panels: list[Panel]) -> None:
    table = main_grid(panels[0], costs=True)
    assert [*table] == ["Solver", "ℓ2", "rectified ℓ∞"]
    rows = table.to_numpy().tolist()
    assert rows[0] == ["always", "≤10\n0.75 s; 2", "n/a"]
    assert rows[3] == ["never", ">40", ">40"]
    row = panels[0].rows["slow & sure"]["ℓ2"]
    number = f"{row['K95']:.1f} [{row['K95_low']:.1f}, {row['K95_high']:.1f}]"
    assert rows[2][1] == f"{number}\n0.75 s; 2"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((20.04, 14.0, 26.0), "20.0 [14.0, 26.0]"),
        ((20.0, 0.0, np.inf), "20.0 [≤10, >40]"),
        ((np.inf, 40.0, np.inf), ">40"),
        ((np.inf, 33.3, np.inf), ">40 [33.3, >40]"),
        ((10.0, 0.0, 10.0), "≤10"),
        ((10.0, 0.0, 12.5), "≤10 [≤10, 12.5]"),
        ((np.nan, 0.0, np.inf), "flat"),
    ],
)
def test_numbers_are_written_for_people(values: tuple[float, ...], expected: str) -> None:
    row = pd.Series(dict(zip(("K95", "K95_low", "K95_high"), values, strict=True)))
    row = pd.concat([row, pd.Series({"least": 10, "largest": 40, "signals": 8, "pending": 0})])
    assert crossing_text(row, "K95") == expected
    assert crossing_text(row, "K95", interval=False) == expected.split(" [")[0]
    row["pending"] = 1
    assert crossing_text(row, "K95") == f"{expected}…"


def test_notes_say_what_a_reader_must_know(cell: Make, join: Make, unsupported: Make) -> None:
    states = {"status": ["failed", "done"], "message": ["boom.", ""]}
    told = {"points": 2, "p": 2.0}
    rows = [
        *(cell([1.0, 0.0], "a", k) for k in (10, 20)),
        *(cell([0.5, 1.0], "b", k, **states) for k in (10, 20)),
        *(cell([1.0, np.nan], "c", k, status=["done", "pending"]) for k in (10, 20)),
        *(unsupported(label, 10, "needs p = 1.", **told) for label in ("d", "e", "a")),
        *(cell([1 - i, 1 - i], "f", k) for i, k in enumerate((10, 20))),
    ]
    (panel,) = make_panels(with_theory(join(*rows)))
    assert panel.notes() == [
        "one trial: intervals are for its frames only",
        "flat: success passes the level, and does not grow with K",
        "…: signals still to be computed, left out",
        "†: from fewer signals or trials than other solvers have",
        "b, ℓ2: 2 of 4 signals failed and are not recovered (boom)",
        "n/a, a (ℓ2 at some K): needs p = 1",
        "n/a, d; e (ℓ2): needs p = 1",
    ]


def test_csv_holds_the_table_in_full(suite: Any, written: Path) -> None:
    table = with_theory(suite.rows())
    with (written / "transitions.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == [*table.columns]
    for column in ("K50", "K95", "K95_low", "K95_high", "K95_per_n", "at", "seconds", "signals"):
        read = [float(row[column] or "nan") for row in rows]
        np.testing.assert_array_equal(read, table[column].to_numpy(float, na_value=np.nan))


def test_markdown_parses_back(written: Path) -> None:
    text = (written / "transitions.md").read_text(encoding="utf-8")
    assert text.startswith("# Suite\\_1: 100% & more: how many pools\n")
    tables = re.findall(r"(?m)^#+ .*\n\n((?:\|.*\n)+)", text)
    assert len(tables) == 2 * 3  # K95, and two poolings
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in tables[1].splitlines()]
    heads, _, *rows = [[entry.strip() for entry in line] for line in lines]
    assert heads[:5] == ["Solver", "K50", "K95", "K95/n", "95 % between"]
    assert heads[5:] == ["seconds", "applications", "fit, wrong"]
    assert rows[1][0] == "fast\\|er"
    assert rows[1][4:7] == ["20 and 30", "0.75", "2"]
    assert [row[4] for row in rows] == ["≤10", "20 and 30", "30 and 40", "\\>40"]
    assert rows[0][7] == ".000"  # all recovered
    assert rows[3][7] == "1.000"  # nothing recovered, without a residual
    assert "- n/a, always (rectified ℓ∞): needs 5% of\\_it & more." in text


def test_latex_is_well_formed(written: Path) -> None:
    text = (written / "transitions.tex").read_text(encoding="utf-8")
    bare = re.sub(r"\\(?:[A-Za-z]+|[&%$#_{}\\])", "", text.partition("\n")[2].replace(r"\ell_", ""))
    assert not re.search(r"[%#_^~]", bare)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert text.isascii()
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert labels == [f"tab:a-suite-transitions-{i}" for i in range(1, 7)]
    for columns, body in re.findall(
        r"(?s)tabular\}\{(l?r*)\}.*?\\midrule\n(.*?)\\bottomrule", text
    ):
        for row in body.splitlines():
            assert row.endswith(r"\\")
            assert len(re.findall(r"(?<!\\)&", row)) == len(columns) - 1
    assert r"slow \& sure & " in text
    assert r"\textgreater{}40" in text


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_the_terminal_shows_all_whatever_the_width(suite: Any, width: int) -> None:
    text = shown(suite, width)
    assert max(map(len, text.splitlines())) <= width
    for part in ("ℓ2", "rectified ℓ∞", "always", ">40", "≤10", "0.75 s; 2", "n/a"):
        assert part in text
    for row in with_theory(suite.rows()).to_dict("records"):
        if np.isfinite(row["K95"]) and row["K95_low"] > 0:
            assert crossing_text(pd.Series(row), "K95").split(" [")[0] in text
    flat = " ".join(text.split())
    assert flat.count("n/a, always (rectified ℓ∞)") == 2
    assert flat.count("by a logistic fit") == 1


def test_labels_are_no_markup(cell: Make, known: Known) -> None:
    label = "[red]a[/red] :smile:"
    assert label in shown(known(*(cell([1.0], label, k) for k in (10, 20))))


# What there is to show ---------------------------------------------------------------------------


def test_without_a_grid_there_is_nothing(
    cell: Make, unsupported: Make, known: Known, tmp_path: Path
) -> None:
    rows = [cell([1.0]), cell([1.0], "b"), cell([1.0], n=5, k=20), cell([1.0], k=pd.NA)]
    results = known(*rows, unsupported("a", 20, points=1))
    assert Transitions().write(results, tmp_path) == []
    assert shown(results) == ""
    assert not any(tmp_path.iterdir())


def test_problems_with_one_number_of_pools_are_left_out(
    cell: Make, known: Known, tmp_path: Path
) -> None:
    rows = [cell([1.0], k=10), cell([1.0], k=20), cell([1.0], n=5), cell([1.0], "few")]
    Transitions().write(known(*rows), tmp_path)
    table = pd.read_csv(tmp_path / "transitions.csv")
    assert table[["label", "n"]].to_numpy().tolist() == [["altmin", 64], ["few", 64]]


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_recovered_is_a_squared_cosine(value: float) -> None:
    with pytest.raises(benchbase.ParameterError, match="between 0 and 1"):
        Transitions(recovered=value)


def test_recovered_is_passed_on(cell: Make, known: Known, tmp_path: Path) -> None:
    results = known(*(cell([0.95, 0.85], k=k) for k in (10, 20)))
    Transitions(recovered=0.8).write(results, tmp_path)
    assert pd.read_csv(tmp_path / "transitions.csv")["all_from"].tolist() == [10]
    assert "squared cosine above 0.8" in (tmp_path / "transitions.md").read_text("utf-8")


def test_the_same_results_give_the_same_files(suite: Any, written: Path, tmp_path: Path) -> None:
    again = Transitions().write(suite, tmp_path)
    assert [f.read_bytes() for f in again] == [(written / f.name).read_bytes() for f in again]


# Theory ------------------------------------------------------------------------------------------

PLUGIN = '''
import benchbase


class Seer(benchbase.Solver):
    """Knows what it needs."""

    name = "seer"
    factor: float = 1.0

    def transition(self, pooling, pool_size):
        return self.factor * pool_size if pooling.p == float("inf") else None

    def prepare(self, problem):
        return lambda b, run: benchbase.Recovery(x=run.normal(problem.frame.n))


@benchbase.hookimpl
def register_solvers(register):
    register(Seer)
'''
SUITE = """
points = 3
[dataset]
name = "gaussian"
n = 4
[frame]
name = "gaussian"
[grid]
frame.n_pools = [5, 8]
frame.pool_size = [2, 3]
pooling = [{ name = "lp", p = 2 }, { name = "lp", p = inf, rectified = true, threshold = 0.5 }]
[[experiment]]
title = "one"
[[experiment.solver]]
name = "seer"
label = "same"
factor = 2
[[experiment.solver]]
name = "altmin"
[[experiment]]
title = "two"
[[experiment.solver]]
name = "seer"
label = "same"
factor = 3
"""


def test_theory_is_that_of_the_solver_of_the_row(tmp_path: Path, fresh_registry: Any) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "s.toml").write_text(SUITE)
    results = benchbase.run(
        tmp_path / "s.toml", results=tmp_path, plugins=[tmp_path / "plugin.py"], jobs=0
    )
    table = transitions(results.rows())
    table = table.assign(theory=theories(table, results.suites))
    keys = ["experiment", "label", "p", "pool_size"]
    found = table.set_index(keys)["theory"].dropna().to_dict()
    assert found == {
        ("one", "same", np.inf, 2): 4,
        ("one", "same", np.inf, 3): 6,
        ("two", "same", np.inf, 2): 6,
        ("two", "same", np.inf, 3): 9,
    }
    assert markdown("", make_panels(table), "").count("theory K/n") == 4


def test_what_cannot_be_built_has_no_theory(cell: Make, join: Make) -> None:
    table = transitions(join(*(cell([1.0], label, k) for label in "ab" for k in (10, 20))))
    solvers = [{"label": "a", "points": None, "time_limit": None, "name": "no such solver"}]
    resolved = json.dumps({"experiments": [{"name": "", "solvers": solvers}]})
    assert np.isnan(theories(table, [{"id": 1, "resolved": resolved}])).all()
    assert np.isnan(theories(table, [{"id": 1}])).all()


# The figure --------------------------------------------------------------------------------------


def markers(ax: Any) -> dict[float, Any]:
    """Return the markers of a panel by height."""
    return {line.get_ydata()[0]: line for line in ax.lines if line.get_linestyle() == "None"}


def test_panels_show_solvers_from_the_top(figure: Figure) -> None:
    assert len(figure.axes) == 2
    for ax in figure.axes:
        names = [text.get_text() for text in ax.get_yticklabels()]
        assert names == ["always", "fast|er", "slow & sure", "never"]
        low, high = ax.get_ylim()
        assert low > high
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["ℓ2", "rectified ℓ∞", "K = n"]


def test_markers_stand_at_k95_per_dimension(figure: Figure, panels: list[Panel]) -> None:
    found = markers(figure.axes[0])
    assert len(found) == 7  # one of eight does not apply
    rows = [[*by_pooling.values()] for by_pooling in panels[0].rows.values()]
    for height, line in found.items():
        place = round(height)
        row = rows[place][int(height > place)]
        inside = np.isfinite(row["K95"])
        assert line.get_xdata()[0] == pytest.approx((row["K95"] if inside else 40) / 64)
        beyond = not inside or row["K95_low"] == 0
        assert (line.get_markerfacecolor() == "white") == beyond
    colours = [to_hex(line.get_color()) for _, line in sorted(found.items())]
    assert colours[1:3] == colours[3:5] == colours[5:]
    assert len(set(colours)) == 2


def test_bars_are_the_intervals(figure: Figure, panels: list[Panel]) -> None:
    ax = figure.axes[0]
    row = panels[0].rows["slow & sure"]["ℓ2"]
    wanted = np.array([row["K95_low"], row["K95_high"]]) / 64
    lines: list[Any] = [*ax.lines]
    bars = [line.get_xdata() for line in lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(bar, wanted) for bar in bars)


def test_what_is_outside_the_grid_has_an_arrow(figure: Figure) -> None:
    texts: list[Any] = [*figure.axes[0].texts]
    arrows = [text for text in texts if text.arrow_patch is not None]
    ways = sorted(np.sign(text.xy[0] - text.xyann[0]) for text in arrows)
    assert ways == [-1, 1, 1]  # always; never, for two poolings
    assert [text.get_text() for text in texts if text.arrow_patch is None] == ["n/a"]


def test_theory_has_a_tick(suite: Any) -> None:
    figure = drawn(make_panels(with_theory(suite.rows(), 1.25)))
    ticks = [
        line for line in figure.axes[0].lines if np.array_equal(line.get_xdata(), [1.25, 1.25])
    ]
    assert len(ticks) == 7
    assert figure.legends[0].get_texts()[-1].get_text() == "theory for large n"


@pytest.mark.parametrize("solvers", [1, 15])
def test_neither_names_nor_the_legend_are_cut(cell: Make, join: Make, solvers: int) -> None:
    cells = [
        cell([1.0, float(k > 10 + i)], f"solver {i} " + "with a long name " * (i % 5), k, p=p)
        for i in range(solvers)
        for k in (10, 20, 60)
        for p in (1.0, 2.0)
    ]
    figure = drawn(make_panels(with_theory(join(*cells))))
    figure.draw_without_rendering()
    (ax,) = figure.axes
    legend: Any = figure.legends[0].get_window_extent()
    assert figure.bbox.contains(legend.x0, legend.y0)
    assert figure.bbox.contains(legend.x1, legend.y1)
    assert not legend.overlaps(ax.get_tightbbox())
    boxes: list[Any] = [text.get_window_extent() for text in ax.get_yticklabels()]
    assert len(boxes) == solvers
    assert all(box.x0 >= 0 for box in boxes)
    for above, below in pairwise(boxes):
        assert below.y1 <= above.y0 + 1


def test_the_svg_names_every_solver(written: Path) -> None:
    tree = ElementTree.parse(written / "transitions.svg")
    texts = ["".join(e.itertext()).strip() for e in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {*CURVES, "ℓ2", "rectified ℓ∞", "Suite_1: 100% & more"} <= {*texts}


def test_without_a_number_there_is_no_figure(join: Make, unsupported: Make) -> None:
    table = with_theory(join(*(unsupported("a", k) for k in (10, 20))))
    assert draw(make_panels(table), "") is None
