from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

import benchbase
from benchbase.numerics.traces import COLUMNS as TRACE
from benchbase_reports.progress import COLUMNS, cumulate, quartiles, trace_curves
from benchbase_reports.trace_report import Traces, draw

Make = Callable[..., pd.DataFrame]
Known = Callable[..., Any]
Record = tuple[str, int, float, float]
"""Phase, iteration, residual and error of a record."""


def trace(records: Sequence[Record], cell: str = "key", signal: int = 0) -> pd.DataFrame:
    """Return the records of a signal, a second apart."""
    phases, n_iter, residual, error = zip(*records, strict=True)
    steps = np.arange(len(records))
    columns = {
        "cell": cell, "signal": signal, "step": steps, "phase": phases, "n_iter": n_iter,
        "seconds": steps + 1.0, "squared_cosine": 0.5, "relative_error": error,
        "residual": residual,
    }  # fmt: skip # a table
    assert [*columns] == ["cell", *TRACE]
    return pd.DataFrame(columns)


def iterations(records: Sequence[Record]) -> list[int]:
    return cumulate(trace(records))["iterations"].tolist()


def errors(records: Sequence[Record]) -> list[float]:
    return cumulate(trace(records))["error"].tolist()


class WithTraces:
    """Results with given rows and traces."""

    def __init__(self, known: Any, traces: pd.DataFrame) -> None:
        self._traces = traces
        self.suites, self.rows = known.suites, known.rows

    def traces(self) -> pd.DataFrame:
        return self._traces


# What a signal's records come to -----------------------------------------------------------------


def test_iterations_add_up_over_phases_and_restarts() -> None:
    records = [
        ("init", 0, 0.9, 0.9), ("init", 5, 0.8, 0.8), ("", 0, 0.75, 0.7), ("", 10, 0.6, 0.6),
        ("polish", 3, 0.5, 0.5), ("", 20, 0.4, 0.4), ("polish", 0, 0.39, 0.3),
        ("polish", 2, 0.3, 0.2),
    ]  # fmt: skip # a table
    assert iterations(records) == [0, 5, 5, 15, 18, 28, 28, 30]


def test_a_frozen_signal_makes_no_iterations() -> None:
    """It has left the batch at 20; the others go on to 100, and a second start follows."""
    records = [
        ("start 0", 0, 0.9, 0.9), ("start 0", 10, 0.5, 0.5), ("start 0", 20, 0.3, 0.4),
        ("start 0", 30, 0.3, 0.4), ("start 0", 100, 0.3, 0.4), ("start 1", 0, 0.8, 0.9),
        ("start 1", 10, 0.1, 0.2),
    ]  # fmt: skip # as above
    assert iterations(records) == [0, 10, 20, 20, 30]


def test_each_moment_has_the_error_of_the_least_residual_so_far() -> None:
    residuals = [0.9, 0.5, 0.7, 0.2, 0.8]
    records = [("", 10 * i, residual, residual**2) for i, residual in enumerate(residuals)]
    assert errors(records) == pytest.approx([0.81, 0.25, 0.25, 0.04, 0.04])


def test_what_is_not_finite_is_never_the_best() -> None:
    records = [("", 0, np.nan, np.nan), ("", 10, 0.5, 0.4), ("", 20, np.nan, np.nan)]
    assert errors(records) == [1.0, 0.4, 0.4]


def test_of_runs_that_record_together_the_best_counts() -> None:
    """As `Run.repeat` has them: several rows of a signal in one record."""
    both = pd.concat(
        [
            trace([("", 0, 0.9, 0.9), ("", 10, 0.5, 0.6)]),
            trace([("", 0, 0.7, 0.8), ("", 10, 0.6, 0.1)]),
        ]
    )
    found = cumulate(both)
    assert found["error"].tolist() == [0.8, 0.6]
    assert found["iterations"].tolist() == [0, 10]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["", "a", "b"]), st.integers(0, 5), st.integers(0, 9)),
                min_size=1, max_size=12), st.integers(0, 9))  # fmt: skip # as above
def test_signals_do_not_depend_on_one_another(
    records: list[tuple[str, int, int]], seed: int
) -> None:
    own = [(phase, n, float(value), float(value)) for phase, n, value in records]
    alone = cumulate(trace(own))
    others = [trace([*own[::-1], own[0]], signal=1), trace(own, cell="other")]
    table = pd.concat([*others, trace(own)]).sample(frac=1, random_state=seed)
    among = cumulate(table)
    mine = among[(among["cell"] == "key") & (among["signal"] == 0)]
    pd.testing.assert_frame_equal(mine.reset_index(drop=True), alone.reset_index(drop=True))
    assert alone["iterations"].is_monotonic_increasing
    assert alone["error"].tolist() == np.minimum.accumulate(alone["error"]).tolist()


# Curves ------------------------------------------------------------------------------------------


def steps_of(*records: Sequence[Record]) -> pd.DataFrame:
    return cumulate(pd.concat([trace(each, signal=i) for i, each in enumerate(records)]))


def test_quartiles_are_those_of_all_signals() -> None:
    steps = steps_of(
        [("", 0, 0.9, 0.9), ("", 10, 0.1, 0.1)],  # done early: keeps its value
        [("", 0, 0.8, 0.8), ("", 20, 0.2, 0.2)],
        [("", 0, 0.7, 0.7), ("", 20, 0.6, 0.5), ("", 30, 0.3, 0.3)],
    )
    found = quartiles(steps, "iterations", 3)
    wanted = [[0.9, 0.8, 0.7], [0.1, 0.8, 0.7], [0.1, 0.2, 0.5], [0.1, 0.2, 0.3]]
    assert found["at"].tolist() == [0, 10, 20, 30]
    quarters = np.quantile(wanted, [0.25, 0.5, 0.75], axis=1).T
    np.testing.assert_allclose(found[["lower", "median", "upper"]], quarters)


def test_a_curve_begins_where_half_of_the_signals_have_an_estimate() -> None:
    late: list[Record] = [("", 50, 0.5, 0.3)]
    steps = steps_of([("", 0, 0.9, 0.8), ("", 10, 0.5, 0.2)], late, late)
    found = quartiles(steps, "iterations", 3)
    assert found["at"].tolist() == [50]
    assert found["median"].tolist() == [0.3]
    found = quartiles(steps, "iterations", 4)  # one has recorded nothing: it counts as 1
    assert found["upper"].tolist() == pytest.approx([np.quantile([0.2, 0.3, 0.3, 1], 0.75)])


def test_long_curves_are_thinned_out_and_keep_their_ends() -> None:
    records: list[Record] = [("", i, 1 / (i + 1), 1 / (i + 1)) for i in range(5000)]
    found = quartiles(steps_of(records), "iterations", 1)
    assert len(found) <= 120
    assert found["at"].iloc[[0, -1]].tolist() == [0, 4999]
    assert found["median"].iloc[[0, -1]].tolist() == pytest.approx([1, 1 / 5000])
    exact = 1 / (np.floor(found["at"] + 1e-9) + 1)
    # What has been recorded up to the place counts, as late as the place before.
    assert (found["median"] >= exact * (1 - 1e-9)).all()
    assert (found["median"] <= exact.shift(fill_value=1.0)).all()


def test_curves_have_the_rows_of_problems_and_solvers(cell: Make, join: Make) -> None:
    rows = [cell([1.0, 1.0], "a", trial=t, cell=f"a{t}", k=k) for k in (10, 20) for t in (0, 1)] + [
        cell([1.0, 1.0], "mute", cell="m")
    ]
    frame = join(*rows)
    frame["cell"] = [f"{name}-{k}" for name, k in zip(frame["cell"], frame["n_pools"], strict=True)]
    records: list[Record] = [("", 0, 0.5, 0.5), ("", 10, 0.1, 0.1)]
    traces = [trace(records, f"a{t}-{k}", s) for t in (0, 1) for k in (10, 20) for s in (0, 1)]
    curves = trace_curves(frame, pd.concat(traces))
    assert [*curves.columns][-len(COLUMNS) :] == [*COLUMNS]
    found = curves.groupby(["label", "n_pools", "axis"]).size().to_dict()
    assert found == {("a", k, axis): 2 for k in (10, 20) for axis in ("iterations", "seconds")}
    assert set(curves["signals"]) == {4}
    own = curves[curves["axis"] == "seconds"]
    assert own["at"].tolist() == [1, 2, 1, 2]
    assert own["median"].tolist() == [0.5, 0.1] * 2


def test_signals_that_failed_count_and_others_do_not(cell: Make, join: Make) -> None:
    states = ["done", "failed", "failed", "pending", "unsupported"]
    frame = join(cell([1.0, np.nan, np.nan, np.nan, np.nan], status=states))
    curves = trace_curves(frame, trace([("", 0, 0.1, 0.1)]))
    assert set(curves["signals"]) == {3}
    assert curves["median"].tolist() == [1.0, 1.0]
    assert curves["lower"].tolist() == pytest.approx([0.55, 0.55])


def test_a_cell_of_two_labels_has_both_curves(cell: Make, join: Make) -> None:
    frame = join(cell([1.0], "a"), cell([1.0], "b"))
    curves = trace_curves(frame, trace([("", 0, 0.1, 0.1)]))
    assert curves["label"].unique().tolist() == ["a", "b"]


# The report --------------------------------------------------------------------------------------

SUITE = """
title = "Traced & drawn"
points = 4
trials = 2
trace = true
[dataset]
name = "gaussian"
n = 5
[frame]
name = "gaussian"
[grid]
frame.n_pools = [8]
pooling = [{ name = "lp", p = 2 }, { name = "lp", p = inf, rectified = true }]
[[solver]]
name = "altmin"
n_iter = 60
[[solver]]
name = "restarts"
n = 3
solver = { name = "altmin", n_iter = 30 }
[[solver]]
name = "mean"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> benchbase.Results:
    folder = tmp_path_factory.mktemp("traces")
    (folder / "s.toml").write_text(SUITE)
    return benchbase.run(folder / "s.toml", results=folder, jobs=0)


@pytest.fixture(scope="module")
def curves(results: benchbase.Results) -> pd.DataFrame:
    return trace_curves(results.rows(), results.traces())


def test_curves_end_at_least_as_well_as_the_results(
    results: benchbase.Results, curves: pd.DataFrame
) -> None:
    frame = results.rows()
    keys = ["label", "n_pools", "p"]
    ends = curves[curves["axis"] == "iterations"].groupby(keys)["median"].last()
    found = frame.groupby(keys)["relative_error"].median()[ends.index]
    np.testing.assert_allclose(ends, found, rtol=0.02, atol=1e-6)
    longest = curves[curves["axis"] == "iterations"].groupby("label")["at"].max()
    assert longest.to_dict() == {"altmin": 60, "restarts": 90}


def test_files_hold_all_curves(results: benchbase.Results, tmp_path: Path) -> None:
    files = Traces().write(results, tmp_path)
    assert [file.name for file in files] == ["traces.csv", "traces.svg", "traces.png"]
    table = pd.read_csv(files[0])
    assert set(table["label"]) == {"altmin", "restarts"}
    assert (table[["lower", "median", "upper"]].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    tree = ElementTree.parse(tmp_path / "traces.svg")
    texts = ["".join(e.itertext()).strip() for e in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"altmin", "restarts", "iterations", "ℓ2, K = 8", "Traced & drawn"} <= {*texts}


def test_the_same_results_give_the_same_files(cell: Make, known: Known, tmp_path: Path) -> None:
    results: Any = WithTraces(known(cell([1.0])), trace([("", 0, 0.9, 0.9), ("", 9, 0.1, 0.1)]))
    before = [file.read_bytes() for file in Traces().write(results, tmp_path)]
    assert [file.read_bytes() for file in Traces().write(results, tmp_path)] == before


def visible(figure: Figure) -> list[Any]:
    return [ax for ax in figure.axes if ax.get_visible()]


@pytest.fixture(scope="module")
def figure(curves: pd.DataFrame) -> Figure:
    return draw(curves, "A suite")


def test_there_is_a_pair_of_panels_a_problem(figure: Figure) -> None:
    panels = visible(figure)
    names = [ax.get_title(loc="left") for ax in panels]
    assert names == [
        text for pooling in ("ℓ2", "rectified ℓ∞") for text in (f"{pooling}, K = 8", "")
    ]  # fmt: skip # two loops
    assert [ax.get_xlabel() for ax in panels] == ["iterations", "seconds per signal"] * 2
    assert all(ax.get_yscale() == "log" for ax in panels)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["altmin", "restarts"]


def test_lines_hold_the_medians(figure: Figure, curves: pd.DataFrame) -> None:
    ax = visible(figure)[0]
    own = curves[(curves["p"] == 2) & (curves["axis"] == "iterations")]
    for line, (_, curve) in zip(ax.lines, own.groupby("label", sort=False), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), curve["at"])
        np.testing.assert_array_equal(line.get_ydata(), curve["median"])


def many(cell: Make, join: Make, pools: int, last: int) -> pd.DataFrame:
    frame = join(*(cell([1.0], k=k, cell=f"c{k}") for k in range(10, 10 + pools)))
    records: list[Record] = [("", 0, 0.9, 0.9), ("", 10, 0.5, 0.0), ("", last, 0.1, 0.0)]
    return trace_curves(frame, pd.concat(trace(records, f"c{k}") for k in range(10, 10 + pools)))


def test_of_many_numbers_of_pools_six_are_drawn(cell: Make, join: Make) -> None:
    curves = many(cell, join, 9, 20)
    assert len(curves["n_pools"].unique()) == 9
    panels = visible(draw(curves, "A suite"))
    assert len(panels) == 12
    names = [ax.get_title(loc="left") for ax in panels[::2]]
    assert (names[0], names[-1]) == ("ℓ2, K = 10", "ℓ2, K = 18")


@pytest.mark.parametrize(("last", "scale"), [(90, "linear"), (5000, "symlog")])
def test_iterations_of_several_sizes_have_a_logarithmic_axis_from_0_on(
    cell: Make, join: Make, last: int, scale: str
) -> None:
    figure = draw(many(cell, join, 1, last), "A suite")
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert ax.get_xscale() == scale
    if scale == "symlog":
        labels = [text.get_text() for text in ax.get_xticklabels()]
        assert labels == ["0", "10¹", "10²", "10³"]
        assert ax.get_xlim()[0] == 0
    assert ax.get_ylim()[0] > 0  # errors of zero are drawn too


def test_the_legend_covers_no_panel(cell: Make, join: Make) -> None:
    names = ("a", "a label that is rather long " * 2)
    frame = join(*(cell([1.0], name) for name in names))
    figure = draw(trace_curves(frame, trace([("", 0, 0.9, 0.9), ("", 10, 0.5, 1e-5)])), "A suite")
    figure.draw_without_rendering()
    legend: Any = figure.legends[0].get_window_extent()
    assert figure.bbox.contains(legend.x1, legend.y1)
    assert not any(legend.overlaps(ax.get_tightbbox()) for ax in visible(figure))


def test_without_traces_there_is_no_file(cell: Make, known: Known, tmp_path: Path) -> None:
    for empty in (trace([("", 0, 0.1, 0.1)]).iloc[:0], pd.DataFrame(columns=["cell", *TRACE])):
        results: Any = WithTraces(known(cell([1.0])), empty)
        assert Traces().write(results, tmp_path) == []
    assert not any(tmp_path.iterdir())


def test_a_run_without_traces_has_no_file(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SUITE.replace("trace = true", ""))
    changes = {"grid.frame.n_pools": [8]}
    results = benchbase.run(tmp_path / "s.toml", results=tmp_path, jobs=0, changes=changes)
    (tmp_path / "out").mkdir()
    assert Traces().write(results, tmp_path / "out") == []
