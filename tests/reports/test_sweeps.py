from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

import benchbase
from benchbase_reports.cramer_rao import cramer_rao
from benchbase_reports.sweep_figure import draw
from benchbase_reports.sweep_report import Sweeps, cramer_rao_bounds
from benchbase_reports.sweeps import sweeps

Make = Callable[..., pd.DataFrame]
Known = Callable[..., Any]
SNRS = (10.0, 30.0, np.inf)


def noisy(
    cell: Make, snr: float, errors: list[float], label: str = "altmin", **others: Any
) -> pd.DataFrame:
    told: dict[str, Any] = {"noise": "gaussian", "noise__snr": snr, "noise__on": "measurements"}
    scores = [1.0 if error < 0.01 else 0.5 for error in errors]
    return cell(scores, label, relative_error=errors, **(told | others))


def swept(cell: Make, labels: tuple[str, ...] = ("a", "b"), **others: Any) -> list[pd.DataFrame]:
    rng = np.random.default_rng(0)
    errors = dict(zip(SNRS, (0.1, 1e-3, 1e-8), strict=True))
    return [
        noisy(cell, snr, list(errors[snr] * rng.uniform(1, 2, 5)), label, trial=trial, **others)
        for label, snr, trial in product(labels, SNRS, range(3))
    ]


def drawn(table: pd.DataFrame) -> Figure:
    return draw(table.assign(bound=np.nan) if "bound" not in table else table, "A suite")


class Elsewhere:
    """Results whose problems cannot be rebuilt."""

    def __init__(self, known: Any) -> None:
        self.suites, self.rows = known.suites, known.rows

    def problem(self, cell: str) -> Any:
        raise benchbase.DataError("not here")


def titles(figure: Figure) -> list[str]:
    return [ax.get_title() for ax in figure.axes if ax.get_title()]


# The table ---------------------------------------------------------------------------------------


def test_a_point_is_the_mean_of_the_trials_medians(cell: Make, join: Make) -> None:
    errors = [[1e-4, 1e-3, 0.1], [1e-6, 1e-5, 1e-5], [0.5, 0.2, 0.2]]
    rows = [noisy(cell, 20.0, each, trial=i) for i, each in enumerate(errors)]
    table = sweeps(join(*rows, noisy(cell, 40.0, [0.1])))
    row = table[table["value"] == 20].iloc[0]
    medians = np.log([1e-3, 1e-5, 0.2])
    half = stats.t.ppf(0.975, 2) * stats.sem(medians)
    wanted = np.exp([medians.mean(), medians.mean() - half, medians.mean() + half])
    ends = ["", "_low", "_high"]
    assert row[[f"relative_error{end}" for end in ends]].tolist() == pytest.approx(wanted)
    shares = np.array([2 / 3, 1, 0])
    half = stats.t.ppf(0.975, 2) * stats.sem(shares)
    assert half > shares.mean()  # so that the interval ends at 0 and 1
    assert row[[f"success{end}" for end in ends]].tolist() == pytest.approx([shares.mean(), 0, 1])
    assert (row["parameter"], row["trials"], row["signals"]) == ("noise.snr", 3, 9)
    alone = table[table["value"] == 40].iloc[0]
    assert alone[["relative_error", "success"]].tolist() == pytest.approx([0.1, 0])
    assert (
        alone[[f"{name}{end}" for name in ("relative_error", "success") for end in ends[1:]]]
        .isna()
        .all()
    )


def test_what_is_lost_counts_as_an_estimate_of_zero(cell: Make, join: Make) -> None:
    states: dict[str, Any] = {"status": ["failed", "timeout", "done", "pending", "unsupported"]}
    row = noisy(cell, 20.0, [np.nan, np.nan, 1e-3, np.nan, np.nan], **states)
    other = noisy(cell, 30.0, [0.0, 0.0, 0.0, np.nan, np.nan], **states)
    table = sweeps(join(row, other)).sort_values("value")
    assert table["signals"].tolist() == [3, 3]
    assert table["relative_error"].tolist() == pytest.approx([1, 1])
    assert table["success"].tolist() == pytest.approx([1 / 3, 1 / 3])


def test_an_error_of_zero_is_one_of_rounding(cell: Make, join: Make) -> None:
    table = sweeps(join(noisy(cell, 20.0, [0.0]), noisy(cell, 30.0, [0.1])))
    assert table["relative_error"].tolist() == pytest.approx([1e-9, 0.1])


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("noise.snr", (10.0, np.inf)),
        ("noise.photons", (10.0, 1e5)),
        ("hint.degrees", (0.0, 45.0)),
        ("pooling.threshold", (-0.5, 0.5)),
        ("dataset.components", (10, 20)),
    ],
)
def test_numbers_that_vary_are_swept(
    cell: Make, join: Make, column: str, values: tuple[float, ...]
) -> None:
    name = column.replace(".", "__")
    table = sweeps(join(*(cell([1.0], **{name: value}) for value in values)))
    assert table["parameter"].tolist() == [column] * 2
    assert table["value"].tolist() == list(values)


def test_dimension_and_pool_size_follow_their_parameters(cell: Make, join: Make) -> None:
    rows = [
        cell([1.0], n=n, dataset__n=n, pool_size=size, frame__pool_size=size)
        for n, size in product((10, 20), (2, 3, 4))
    ]
    table = sweeps(join(*rows))
    assert table.groupby("parameter", sort=False).size().to_dict() == {
        "dataset.n": 6,
        "frame.pool_size": 6,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"k": 20},
        {"p": 1.0, "pooling__p": 1.0},
        {"rectified": True, "pooling__rectified": True},
        {"label": "b", "solver__n_iter": 5},
        {"dataset__source": "b"},
        {"frame": "ksvd", "noise__snr": 20.0},
        {"seed": 1},
    ],
)
def test_nothing_else_is_swept(cell: Make, join: Make, change: dict[str, Any]) -> None:
    same: dict[str, Any] = {"noise__snr": 10.0, "pooling__p": 2.0, "pooling__rectified": False}
    same |= {"dataset__source": "a", "solver__n_iter": 1}
    assert sweeps(join(cell([1.0], **same), cell([1.0], **(same | change)))).empty


def test_of_a_trial_that_ran_twice_the_later_counts(cell: Make, join: Make) -> None:
    rows = [noisy(cell, 20.0, [0.5], run=1), noisy(cell, 20.0, [0.1], run=2)]
    table = sweeps(join(*rows, noisy(cell, 30.0, [0.2])))
    assert sorted(table["relative_error"]) == pytest.approx([0.1, 0.2])


def test_without_outcomes_there_is_nothing(cell: Make, join: Make, unsupported: Make) -> None:
    assert sweeps(join(cell([1.0])).iloc[:0]).empty
    refused = [unsupported("a", noise__snr=snr) for snr in SNRS]
    assert sweeps(join(*refused)).empty


# The figure --------------------------------------------------------------------------------------


def test_there_is_a_pair_of_panels_a_pooling_and_number_of_pools(cell: Make, join: Make) -> None:
    cells = [
        part
        for k, p in product((10, 20), (2.0, np.inf))
        for part in swept(cell, p=p, k=k, frame__n_pools=k)
    ]
    figure = drawn(sweeps(join(*cells)))
    names = [f"{pooling}, K = {k}" for pooling in ("ℓ2", "ℓ∞") for k in (10, 20)]
    assert titles(figure) == names
    visible = [ax for ax in figure.axes if ax.get_visible()]
    assert len(visible) == 8
    assert visible[0].get_yscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
    assert figure.subfigs[0].get_suptitle() == (
        "digits, n = 64, gaussian frame, pools of 2, gaussian noise, on measurements"
    )


def test_of_many_numbers_of_pools_six_are_drawn(cell: Make, join: Make) -> None:
    cells = [noisy(cell, snr, [0.1], k=k) for k in range(10, 30) for snr in SNRS]
    table = sweeps(join(*cells))
    assert len(table) == 60
    names = titles(drawn(table))
    assert len(names) == 6
    assert (names[0], names[-1]) == ("ℓ2, K = 10", "ℓ2, K = 29")


def test_lines_hold_the_table_and_infinity_is_apart(cell: Make, join: Make) -> None:
    table = sweeps(join(*swept(cell)))
    ax, below = drawn(table).axes
    own = table[table["label"] == "a"]
    bars: list[Any] = [*ax.containers]
    (markers,) = [bar for bar in bars if bar.lines[0].get_color() == "#0072B2"]
    x, y = markers.lines[0].get_data()
    np.testing.assert_array_equal(y, own["relative_error"])
    assert x[:2].tolist() == [10, 30]
    assert x[2] > 30
    assert [text.get_text() for text in below.get_xticklabels()] == ["10", "30", "∞"]
    lines: list[Any] = [*ax.lines]
    curve = [
        line
        for line in lines
        if line.get_color() == "#0072B2" and line.get_xdata().tolist() == [10, 30]
    ]
    np.testing.assert_array_equal(curve[0].get_ydata(), own["relative_error"][:2])


@pytest.mark.parametrize(
    ("values", "scale", "labels"),
    [
        ((1.0, 10.0, 1000.0), "log", ["1", "10¹", "10³"]),
        ((1.0, 10.0, 1000.0, np.inf), "log", ["1", "10¹", "10³", "∞"]),
        ((0.0, 45.0, 90.0), "linear", ["0", "45", "90"]),
        ((np.inf, 5.0), "linear", ["5", "∞"]),
    ],
)
def test_the_scale_is_that_of_the_values(
    cell: Make, join: Make, values: tuple[float, ...], scale: str, labels: list[str]
) -> None:
    ax = drawn(sweeps(join(*(cell([1.0], hint__degrees=value) for value in values)))).axes[1]
    assert ax.get_xscale() == scale
    assert [text.get_text() for text in ax.get_xticklabels()] == labels
    low, high = ax.get_xlim()
    assert low < min(ax.get_xticks())
    assert high > max(ax.get_xticks())


def test_blocks_name_what_their_panels_share(cell: Make, join: Make) -> None:
    rows = [
        cell([1.0], n=n, dataset__n=n, pool_size=size, experiment="e")
        for n, size in product((10, 20), (2, 3))
    ]
    figure = drawn(sweeps(join(*rows)))
    (block,) = figure.subfigs
    assert block.get_suptitle() == "e, digits, n = 10 to 20, gaussian frame"
    assert titles(figure) == ["pools of 2, ℓ2, K = 10", "pools of 3, ℓ2, K = 10"]


def test_a_swept_threshold_is_in_no_title(cell: Make, join: Make) -> None:
    rows = [cell([1.0], rectified=True, pooling__threshold=value) for value in (0.0, 0.1, 0.2)]
    assert titles(drawn(sweeps(join(*rows)))) == ["rectified ℓ2, K = 10"]


def test_the_legend_covers_no_panel(cell: Make, join: Make) -> None:
    figure = drawn(sweeps(join(*swept(cell, labels=("a", "a label that is rather long")))))
    figure.draw_without_rendering()
    legend: Any = figure.legends[0].get_window_extent()
    assert figure.bbox.contains(legend.x1, legend.y1)
    assert not any(legend.overlaps(ax.get_tightbbox()) for ax in figure.axes if ax.get_visible())


# Files -------------------------------------------------------------------------------------------


def test_files_are_the_same_for_the_same_results(cell: Make, known: Known, tmp_path: Path) -> None:
    results: Any = Elsewhere(known(*swept(cell), title="Five & more"))
    files = Sweeps().write(results, tmp_path)
    assert [file.name for file in files] == ["sweeps.csv", "sweeps.svg", "sweeps.png"]
    before = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in Sweeps().write(results, tmp_path)] == before
    table = pd.read_csv(tmp_path / "sweeps.csv")
    assert table["value"].tolist() == [*SNRS] * 2
    tree = ElementTree.parse(tmp_path / "sweeps.svg")
    texts = ["".join(e.itertext()).strip() for e in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Five & more", "a", "b", "∞", "noise.snr", "relative error", "recovered"} <= {*texts}


def test_where_nothing_varies_there_is_no_file(cell: Make, known: Known, tmp_path: Path) -> None:
    assert Sweeps().write(known(cell([1.0]), cell([1.0], k=20)), tmp_path) == []
    assert not any(tmp_path.iterdir())


# The bound ---------------------------------------------------------------------------------------

SUITE = """
points = 4
trials = 2
seed = 3
[dataset]
name = "gaussian"
n = 5
[frame]
name = "gaussian"
[grid]
frame.n_pools = [3, 25]
noise = [
    { name = "gaussian", snr = 20 },
    { name = "gaussian", snr = 60 },
    { name = "gaussian", snr = inf },
    { name = "gaussian", snr = 20, on = "signals" },
    { name = "gaussian", snr = 60, on = "signals" },
]
[pooling]
name = "lp"
p = 1
[[solver]]
name = "restarts"
solver = { name = "altmin" }
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> benchbase.Results:
    folder = tmp_path_factory.mktemp("sweeps")
    (folder / "s.toml").write_text(SUITE)
    return benchbase.run(folder / "s.toml", results=folder, jobs=0)


@pytest.fixture(scope="module")
def table(results: benchbase.Results) -> pd.DataFrame:
    frame = results.rows()
    found = sweeps(frame)
    return found.assign(bound=cramer_rao_bounds(results, frame, found))


def test_the_bound_is_that_of_the_cells_own_problem(
    results: benchbase.Results, table: pd.DataFrame
) -> None:
    frame = results.rows()
    own = table[(table["noise.on"] == "measurements") & (table["n_pools"] == 25)]
    cells = frame[(frame["noise.snr"] == 20) & (frame["noise.on"] == "measurements")]
    medians = []
    for cell in cells[cells["n_pools"] == 25]["cell"].unique():
        problem, x = results.problem(cell), results.signals(cell).astype(float)
        b = problem.measure(x)
        sigma = np.linalg.norm(b, axis=1) * 10 ** (-20 / 20) / 5
        medians.append(np.median(cramer_rao(problem, x, sigma) / np.linalg.norm(x, axis=1)))
    assert len(medians) == 2
    wanted = np.exp(np.mean(np.log(medians)))
    assert own["bound"].tolist() == pytest.approx([wanted, wanted / 100, 0])
    # Small noise, solved: the errors are of that size.
    row = own[own["value"] == 60].iloc[0]
    assert 0.3 < row["relative_error"] / row["bound"] < 3
    # Too few pools, or noise on signals: none.
    assert table[table["n_pools"] == 3]["bound"].isna().all()
    assert table[table["noise.on"] == "signals"]["bound"].isna().all()


def test_the_bound_is_drawn(table: pd.DataFrame) -> None:
    figure = drawn(table[table["n_pools"] == 25])
    assert figure.legends[0].get_texts()[-1].get_text() == "Cramér-Rao bound"
    dashed = [
        line.get_xdata().tolist()  # type: ignore[union-attr] # arrays
        for ax in figure.axes
        for line in ax.lines
        if line.get_linestyle() == "--" and len(line.get_xdata())  # type: ignore[arg-type] # as above
    ]
    assert dashed == [[20, 60]]


def test_a_problem_that_is_not_here_has_no_bound(cell: Make, known: Known) -> None:
    results: Any = Elsewhere(known(*swept(cell)))
    frame = results.rows()
    assert np.isnan(cramer_rao_bounds(results, frame, sweeps(frame))).all()
