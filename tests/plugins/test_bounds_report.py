"""The report ``bounds`` on small runs: its tables, its figures, and what it leaves out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import benchbase
from benchbase.api import installed_reports
from benchbase.cli import main
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.dispatch import bounds
from benchbase_bounds.reports import figure
from benchbase_bounds.reports.bounds import Bounds, bracket, markdown
from benchbase_bounds.reports.constants import attained_largest, bounds_table, frames_table
from benchbase_bounds.reports.frames import (
    measured,
    setting_columns,
)

SUITE = """
title = "small"
trials = 2
points = 3
dataset = { name = "gaussian", n = 2 }

[[solver]]
name = "altmin"
[[solver]]
name = "gaussian"
label = "start"

[[experiment]]
title = "against K"
frame = { name = "gaussian", pool_size = 2, pools = "drawn" }
[experiment.grid]
frame.n_pools = [3, 5]
pooling = [
    { name = "lp", p = inf, rectified = true },
    { name = "lp", p = inf },
    { name = "maxout" },
]

[[experiment]]
title = "against L"
frame = { name = "gaussian", n_pools = 6, pools = "drawn" }
pooling = { name = "lp", p = 2 }
[experiment.grid]
frame.pool_size = [1, 2, 3]
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> benchbase.Results:
    folder = tmp_path_factory.mktemp("bounds")
    (folder / "small.toml").write_text(SUITE)
    return benchbase.run(folder / "small.toml", results=folder / "results", jobs=0)


@pytest.fixture(scope="module")
def frames(results: benchbase.Results) -> pd.DataFrame:
    return frames_table(results, effort=0.05)


@pytest.fixture(scope="module")
def table(frames: pd.DataFrame) -> pd.DataFrame:
    found = bounds_table(frames)
    return found.assign(pooling_name="ℓ")


@dataclass
class Changed:
    """Results whose rows are changed; counts the problems that are rebuilt."""

    results: benchbase.Results
    table: pd.DataFrame
    rebuilt: list[str] = field(default_factory=list)

    def rows(self) -> pd.DataFrame:
        return self.table.copy()

    def problem(self, cell: str) -> benchbase.Problem:
        self.rebuilt.append(cell)
        return self.results.problem(cell)

    @property
    def suites(self) -> list[dict[str, Any]]:
        return self.results.suites


def test_every_frame_of_every_trial_is_there(
    results: benchbase.Results, frames: pd.DataFrame
) -> None:
    assert len(frames) == 2 * (2 * 3 + 3)
    for _, row in frames.iterrows():
        assert row["lower"] <= row["upper"] <= row["largest_lower"] * (1 + 1e-9)
        assert row["largest_lower"] <= row["largest"]
        assert row["inverse_lower"] == pytest.approx(row["lower"] / row["largest"])
        assert row["inverse_upper"] == pytest.approx(row["upper"] / row["largest_lower"])
    scores = results.rows()
    one = scores[(scores["pooling"] == "maxout") & (scores["n_pools"] == 3)]
    means = one.groupby(["trial", "label"])["squared_cosine"].mean()
    own = frames[(frames["pooling"] == "maxout") & (frames["n_pools"] == 3)].set_index("trial")
    for trial in (0, 1):
        assert own.loc[trial, "cos² altmin"] == pytest.approx(means[trial, "altmin"])
        assert own.loc[trial, "cos² start"] == pytest.approx(means[trial, "start"])


def test_constants_are_those_of_the_frames(
    results: benchbase.Results, frames: pd.DataFrame
) -> None:
    rows = results.rows().query("pooling == 'maxout' and n_pools == 5 and label == 'start'")
    for trial, own in frames.query("pooling == 'maxout' and n_pools == 5").groupby("trial"):
        problem = results.problem(rows[rows["trial"] == trial]["cell"].iloc[0])
        found = bounds(problem.frame, problem.pooling, effort=0.05)
        assert own["upper"].item() == pytest.approx(found.upper)
        assert own["largest"].item() == pytest.approx(found.largest)
        least = attained_largest(problem.frame, problem.pooling, found)
        assert own["largest_lower"].item() == pytest.approx(least)


def test_frames_of_a_problem_are_taken_together(frames: pd.DataFrame, table: pd.DataFrame) -> None:
    assert len(table) == 9
    assert (table["frames"] == 2).all()
    row = table.query("pooling == 'lp' and rectified and n_pools == 5").iloc[0]
    own = frames.query("pooling == 'lp' and rectified and n_pools == 5")
    assert row["upper"] == pytest.approx(own["upper"].mean())
    assert (row["upper_min"], row["upper_max"]) == (own["upper"].min(), own["upper"].max())
    assert row["condition_lower"] == pytest.approx(1 / own["inverse_upper"].mean())
    assert row["cos² altmin"] == pytest.approx(own["cos² altmin"].mean())
    assert row["limit_lower"] == pytest.approx(math.sqrt(5 * (3 / 8 - 1 / (4 * math.pi))))
    assert row["limit_upper"] == pytest.approx(math.sqrt(5 * (3 / 4 + 1 / (2 * math.pi))))
    zero = table[table["lower"] == 0]
    assert np.isinf(zero["condition_upper"]).all()
    assert table.query("pooling == 'maxout'")["limit_lower"].isna().all()


def test_what_fails_counts_as_nothing_recovered(results: benchbase.Results) -> None:
    rows = results.rows().query("experiment == 'against L'")
    rows.loc[rows["label"] == "start", "status"] = "unsupported"
    rows.loc[(rows["label"] == "altmin") & (rows["trial"] == 1), "status"] = "timeout"
    rows.loc[(rows["label"] == "altmin") & (rows["trial"] == 0), "squared_cosine"] = 1.0
    found = measured(Changed(results, rows), lambda _: {}, label="", limit=9.0)  # type: ignore[arg-type] # as good as results
    assert {*found.query("trial == 0")["cos² altmin"]} == {1.0}
    assert {*found.query("trial == 1")["cos² altmin"]} == {0.0}
    assert "cos² start" not in found


def test_noise_makes_no_other_frame(results: benchbase.Results) -> None:
    rows = results.rows().query("experiment == 'against L'")
    noisy = rows.assign(noise="gaussian", squared_cosine=0.5)
    changed = Changed(results, pd.concat([rows, noisy], ignore_index=True))
    found = measured(changed, lambda p: {"size": p.frame.pool_size}, label="", limit=9.0)  # type: ignore[arg-type] # as good as results
    assert len(changed.rebuilt) == 3 * 2
    assert len(found) == 2 * 3 * 2
    assert (found["size"] == found["pool_size"]).all()
    assert {*found.query("noise == 'gaussian'")["cos² altmin"]} == {0.5}


def test_pools_of_one_are_the_same_for_every_p(
    results: benchbase.Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[benchbase.Pooling] = []

    def counted(frame: benchbase.Frame, pooling: benchbase.Pooling, **options: Any) -> Any:
        calls.append(pooling)
        return bounds(frame, pooling, **options)

    rows = results.rows().query("pool_size == 1 and trial == 0 and label == 'start'")
    other = rows.assign(p=1.0)  # the same cell, and so the same frame
    monkeypatch.setattr("benchbase_bounds.dispatch.bounds", counted)
    changed = Changed(results, pd.concat([rows, other], ignore_index=True))
    found = frames_table(changed, effort=0.05)  # type: ignore[arg-type] # as good as results
    assert len(found) == 2
    assert len(calls) == 1


def test_what_is_not_computed_is_said(results: benchbase.Results, tmp_path: Path) -> None:
    files = Bounds(limit=1e-9, experiments=("against L",)).write(results, tmp_path)
    text = (tmp_path / "bounds.md").read_text(encoding="utf-8")
    assert "6 of 6 frames: not computed: the limit of 1e-09 seconds was reached." in text
    table = pd.read_csv(tmp_path / "bounds.csv")
    assert table["upper"].isna().all()
    assert (table["frames"] == 0).all()
    assert table["cos² altmin"].notna().all()
    pictures = [file for file in files if file.suffix == ".svg"]
    assert pictures
    assert all("not computed" in file.read_text(encoding="utf-8") for file in pictures)


def test_frames_that_cannot_be_rebuilt_have_a_reason(results: benchbase.Results) -> None:
    rows = results.rows().query("experiment == 'against L'").assign(cell="gone")
    found = frames_table(Changed(results, rows))  # type: ignore[arg-type] # as good as results
    assert found["upper"].isna().all()
    assert found["reason"].str.contains("not computed: there is no cell gone").all()


def test_experiments_are_chosen_by_name(results: benchbase.Results) -> None:
    found = measured(results, lambda _: {}, label="", limit=9.0, experiments=["against L"])
    assert {*found["experiment"]} == {"against L"}
    with pytest.raises(benchbase.BenchbaseError, match="no experiment 'K'; there are: 'against K'"):
        measured(results, lambda _: {}, label="", limit=9.0, experiments=["K"])


@pytest.mark.parametrize("options", [{"effort": 0}, {"limit": 0}])
def test_effort_and_limit_are_positive(options: dict[str, float]) -> None:
    with pytest.raises(benchbase.ParameterError, match="must be positive"):
        Bounds(**options)  # type: ignore[arg-type] # a number each


def test_files_and_terminal(
    results: benchbase.Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found_before = Bracket(
        lower=0.5, upper=1.0, exact=False, largest=3.0, largest_exact=True,
        pair=None, method="known", seconds=0.0,
    )  # fmt: skip # one argument a line says no more
    monkeypatch.setattr("benchbase_bounds.dispatch.bounds", lambda *given, effort: found_before)
    folder = str(results.folder)
    arguments = ["report", "bounds", "--results", folder, "-o", str(tmp_path)]
    found = CliRunner().invoke(main, arguments, env={"COLUMNS": "200"})
    assert found.exit_code == 0, found.output
    names = sorted(file.name for file in (tmp_path / "small" / "run-1").iterdir())
    pictures = ["bounds-1-against-k", "bounds-2-against-l"]
    pictures = [name + end for name in pictures for end in (".png", ".svg")]
    assert names == sorted(["bounds.csv", "bounds-frames.csv", "bounds.md", *pictures])
    assert "rectified ℓ∞" in found.stdout
    assert "0.5 – 1" in found.stdout
    assert "certified lower to the best upper end" in found.stdout
    text = (tmp_path / "small" / "run-1" / "bounds.md").read_text(encoding="utf-8")
    assert "## against K · gaussian, n = 2 · gaussian frame" in text


def test_the_report_is_made_only_where_it_is_named() -> None:
    names = {report.name for report in installed_reports()}
    assert "table" in names
    assert not names & {"bounds", "collisions"}


def parts(table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for _, part in table.groupby(setting_columns(table), dropna=False, sort=False):
        yield part


def line(drawn: Figure, column: int, row: int, gid: str, columns: int) -> Any:
    (found,) = (x for x in drawn.axes[row * columns + column].get_lines() if x.get_gid() == gid)
    return found


def test_the_figure_against_k(table: pd.DataFrame) -> None:
    part = next(parts(table))
    drawn = figure.draw(part, "small", by_size=False)
    axes = np.array(drawn.axes).reshape(4, 2)
    assert [ax.get_title() for ax in axes[0]] == ["ℓ∞", "maxout"]
    labels = [ax.get_ylabel() for ax in axes[:, 0]]
    assert labels == ["A / √K", "B / √K", "B/A", "mean cos²"]
    assert drawn._supxlabel.get_text() == "number of pools K"  # type: ignore[attr-defined] # no public name
    assert "pools of 2" in drawn._suptitle.get_text()  # type: ignore[attr-defined] # as above
    for ax in axes.flat:
        assert ax.get_yscale() == "linear"
        assert ax.get_ylim()[0] == 0
    own = part.query("pooling == 'lp' and not rectified").sort_values("n_pools")
    for row, gid, value in (
        (1, "B linear", own["largest"] / np.sqrt(own["n_pools"].astype(float))),
        (2, "B/A linear", own["inverse_upper"]),
        (3, "cos² altmin linear", own["cos² altmin"]),
    ):
        assert line(drawn, 0, row, gid, 2).get_ydata() == pytest.approx(value.to_numpy(float))
    points = [x for x in axes[0, 0].get_lines() if x.get_gid() == "A linear"]
    drawn_at = {x: y for each in points for x, y in zip(*each.get_data(), strict=True)}
    upper: list[float] = (own["upper"] / np.sqrt(own["n_pools"].astype(float))).tolist()
    assert drawn_at == pytest.approx(dict(zip(own["n_pools"], upper, strict=True)))
    limit = line(drawn, 0, 0, "limit linear", 2).get_ydata()
    assert limit == pytest.approx([math.sqrt(1 - 2 / math.pi)] * 2)
    limit = line(drawn, 0, 1, "limit linear", 2).get_ydata()
    assert limit == pytest.approx([math.sqrt(1 + 2 / math.pi)] * 2)
    ticks = dict(zip(axes[2, 0].get_yticks(), axes[2, 0].yaxis.get_ticklabels(), strict=True))
    formatter = axes[2, 0].yaxis.get_major_formatter()
    assert formatter(0.0) == "∞"
    assert formatter(0.2) == "5"
    assert 0.0 in ticks
    legend = {text.get_text() for text in drawn.legends[0].get_texts()}
    assert {"linear", "rectified", "both ends", "range over 2 frames", "altmin"} <= legend
    assert "limit for K → ∞" in legend


@pytest.mark.parametrize("top", [1.0, 0.6, 0.2, 0.004])
def test_ticks_of_the_condition_are_plain_and_apart(top: float) -> None:
    ticks = figure._inverse_ticks(top)
    assert ticks[-1] == 0
    assert len(ticks) >= 4
    assert (-np.diff(ticks) >= 0.069 * top).all()
    assert ticks[0] <= top
    assert all(float(f"{1 / t:.2g}") == pytest.approx(1 / t) for t in ticks[:-1])


def test_exact_values_are_full_and_others_hollow(table: pd.DataFrame) -> None:
    part = next(parts(table)).query("pooling == 'maxout'")
    known = part.assign(exact=[2, 1])
    drawn = figure.draw(known, "small", by_size=False)
    points = [x for x in drawn.axes[0].get_lines() if x.get_gid() == "A linear"]
    faces = {float(np.ravel(x.get_xdata())[0]): x.get_markerfacecolor() for x in points}
    first, second = part["n_pools"]
    assert faces[second] == "white"
    assert faces[first] != "white"


def test_the_figure_against_l(table: pd.DataFrame) -> None:
    part = list(parts(table))[1]
    drawn = figure.draw(part, "small", by_size=True)
    title = drawn._suptitle.get_text()  # type: ignore[attr-defined] # no public name
    assert "K = 6" in title
    assert "pools of" not in title
    assert drawn._supxlabel.get_text() == "vectors per pool L"  # type: ignore[attr-defined] # as above
    x = line(drawn, 0, 3, "cos² altmin linear", 1).get_xdata()
    assert [*x] == [1, 2, 3]


def test_one_noise_of_several_is_drawn_and_said(table: pd.DataFrame) -> None:
    part = list(parts(table))[1]
    noisy = part.assign(noise="gaussian", **{"noise.snr": 20.0})
    drawn = figure.draw(pd.concat([part.assign(**{"noise.snr": np.nan}), noisy]), "", by_size=True)
    title = drawn._suptitle.get_text()  # type: ignore[attr-defined] # no public name
    assert "recovery with no noise, the first of 2 settings" in title
    assert len(line(drawn, 0, 3, "cos² altmin linear", 1).get_xdata()) == 3


def test_pictures_are_the_same_again(table: pd.DataFrame, tmp_path: Path) -> None:
    part = list(parts(table))[1]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        figure.save(part, "small", tmp_path / name)
    first, second = (sorted((tmp_path / name).iterdir()) for name in ("a", "b"))
    assert len(first) == 2
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_markdown_has_both_ends(table: pd.DataFrame) -> None:
    text = markdown(table, "small")
    assert "cos² altmin" in text
    row = table.query("pooling == 'lp' and n_pools == 5 and not rectified").iloc[0]
    assert f" {bracket(row['lower'], row['upper'])} |" in text
    assert f" {bracket(row['condition_lower'], row['condition_upper'])} |" in text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0, 0, "0"),
        (0, 1.2345, "0 – 1.23"),
        (1.2345, 1.2345, "1.23"),
        (13, math.inf, "≥ 13"),
        (math.inf, math.inf, "∞"),
        (math.nan, math.nan, "–"),
    ],
)
def test_intervals(low: float, high: float, text: str) -> None:
    assert bracket(low, high) == text
