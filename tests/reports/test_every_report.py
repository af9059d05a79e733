"""Every report that is installed, on results of every state: each says what there is to say."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import benchbase
from benchbase.api import collect_errors
from benchbase.discovery.registry import registry
from benchbase.showing import open_console, problem_tables, summarise
from benchbase_reports.leaderboard import make_board
from benchbase_reports.leaderboard.compare import compare
from benchbase_reports.leaderboard.formats import WRITERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benchbase.errors import BenchbaseError

SUITE = """
title = "All & <b>everything</b> 5 % [x] ℓ2"
points = 3
trials = 2
dataset = { name = "gaussian", n = 3 }

[[experiment]]
title = "plain"
trace = true
frame = { name = "gaussian" }
[experiment.grid]
frame.n_pools = [5, 9]
pooling = [{ name = "lp", p = 2 }, { name = "lp", p = 1 }]

[[experiment]]
title = "noisy"
frame = { name = "gaussian", n_pools = 6 }
pooling = { name = "lp", p = 2 }
noise = { name = "gaussian" }
[experiment.grid]
noise.snr = [10, 20]

[[solver]]
name = "altmin"
n_iter = 5
[[solver]]
name = "altmin"
label = "altmin + kNN"
n_iter = 0
"""
SOLVERS = Path(__file__).parent.parent / "parts" / "results.py"
ALL = ["altmin", "altmin + kNN", "half", "raises", "refuses"]


QUICK = {"bounds": {"effort": 1e-6, "limit": 0.02}, "collisions": {"starts": 1, "limit": 0.02}}
"""Parameters of the reports that take long."""


class View(benchbase.results.Results):
    """Results of which some rows are shown, or none."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def view(results: benchbase.Results, change: Callable[[pd.DataFrame], pd.DataFrame]) -> View:
    changed = View(results.folder, results.runs)
    changed.__dict__["_rows"] = change(results.rows()).reset_index(drop=True)
    return changed


def without_outcome(rows: pd.DataFrame, which: pd.Series[bool]) -> pd.DataFrame:
    """Return rows of which some are still to be computed."""
    numbers = ["squared_cosine", "relative_error", "residual", "frame_applications", "condition"]
    numbers += ["prepare_seconds", "init_seconds", "solve_seconds"]
    rows.loc[which, numbers] = np.nan
    rows.loc[which, ["n_iter", "converged"]] = pd.NA
    rows.loc[which, "status"], rows.loc[which, "message"] = "pending", ""
    return rows


def lost(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(squared_cosine=np.nan, relative_error=np.nan, residual=np.nan)


STATES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "whole": lambda rows: rows,
    "no rows": lambda rows: rows.iloc[:0],
    "one row": lambda rows: rows.iloc[:1],
    "one row of each cell": lambda rows: rows.drop_duplicates("cell"),
    "one K": lambda rows: rows[rows["n_pools"] == 9],
    "one trial": lambda rows: rows[rows["trial"] == 0],
    "no scores": lost,
    "pending": lambda rows: without_outcome(rows, rows["run"] > 0),
    "interrupted": lambda rows: without_outcome(rows, rows["trial"] + rows["signal"] > 1),
    "one solver pending": lambda rows: without_outcome(rows, rows["label"] == "altmin"),
}
OWN_RUNS = {
    "all unsupported": ["refuses"],
    "all failed": ["raises"],
    "failed and unsupported": ["raises", "refuses"],
}


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, as_installed: Any
) -> Iterator[Callable[..., benchbase.Results]]:
    folder = tmp_path_factory.mktemp("states")
    (folder / "all.toml").write_text(SUITE, encoding="utf-8")

    @cache
    def chosen(*labels: str) -> benchbase.Results:
        return benchbase.run(
            folder / "all.toml", results=folder, solvers=[*labels], plugins=SOLVERS
        )

    with as_installed():
        yield chosen


@pytest.fixture(scope="module")
def whole(run: Callable[..., benchbase.Results]) -> benchbase.Results:
    return run(*ALL)


def every_report() -> list[str]:
    return sorted(registry().classes["report"])


LEAN = ("no rows", "interrupted", "all unsupported")
"""The states that are tried each time; the others hold nothing that these do not hold."""


@pytest.fixture(
    params=[
        pytest.param(state, marks=() if state in LEAN else pytest.mark.slow)
        for state in (*STATES, *OWN_RUNS)
    ]
)
def results(
    request: pytest.FixtureRequest,
    run: Callable[..., benchbase.Results],
    whole: benchbase.Results,
) -> benchbase.Results:
    if request.param in OWN_RUNS:
        return run(*OWN_RUNS[request.param])
    return view(whole, STATES[request.param])


@pytest.fixture(autouse=True)
def quick_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make figures without laying them out, which takes most of the time; draw some of them."""
    drawn = bool(request.node.get_closest_marker("slow"))

    def save(figure: Figure, file: Path, **others: object) -> None:
        figure.set_layout_engine("none")
        if drawn and file.suffix == ".png":
            figure.draw_without_rendering()
        file.touch()

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)


NOTHING = re.compile(r"\b(nan|NaN|None|<NA>|inf)\b")
"""What Python calls a missing or infinite number; no table for people holds it."""


def check_file(file: Path) -> None:
    text = file.read_text(encoding="utf-8") if file.suffix != ".png" else ""
    if file.suffix == ".csv":
        assert list(pd.read_csv(file))
    elif file.suffix == ".json":
        json.loads(text, parse_constant=pytest.fail)
    elif file.suffix == ".tex":
        assert text.count(r"\begin{table}") == text.count(r"\end{table}")
    elif file.suffix == ".md":
        assert text.startswith("# ")
        assert not NOTHING.search(text), file
    elif file.suffix == ".html":
        assert "<b>everything" not in text.partition("<script")[0]


@pytest.mark.parametrize("name", every_report())
def test_a_report_says_what_there_is_to_say(
    name: str, results: benchbase.Results, tmp_path: Path
) -> None:
    report: Any = registry().build("report", {"name": name} | QUICK.get(name, {}))
    errors: list[BenchbaseError] = []
    files: list[Path] = []
    stream = io.StringIO()
    with collect_errors(report, errors):
        files = report.write(results, tmp_path)
    with collect_errors(report, errors):
        report.show(results, open_console(stream))
    assert [str(each) for each in errors] == []
    for file in files:
        check_file(file)
    assert not NOTHING.search(stream.getvalue())


def test_every_other_form_says_what_there_is_to_say(
    results: benchbase.Results, tmp_path: Path
) -> None:
    rows = results.rows()
    board = make_board(results)
    texts = [results.table().to_string(), results._repr_html_()]
    texts += [WRITERS[name](board) for name in ("markdown", "latex")]
    assert not any(NOTHING.search(text) for text in texts)
    assert len(json.loads(WRITERS["json"](board))["table"]) == len(board.table)
    assert list(pd.read_csv(io.StringIO(WRITERS["csv"](board)))) == list(board.table)
    stream = io.StringIO()
    for form, read in (("csv", pd.read_csv), ("json", pd.read_json)):
        results.export(form, tmp_path / form)
        results.export(form, stream)
        assert len(read(tmp_path / form)) == len(rows)
    results.export("parquet", tmp_path / "parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parquet"), rows, check_dtype=False)
    for comparison in compare(rows, results.suites[-1], "altmin", "raises") if len(rows) else ():
        assert not NOTHING.search(comparison.sentence())


def test_a_solver_that_failed_or_has_a_small_sample_leads_nowhere(
    whole: benchbase.Results, tmp_path: Path
) -> None:
    """Whatever shows a best marks none but full samples with an estimate."""
    results = view(whole, STATES["one solver pending"])
    rows = results.rows()
    rows.loc[rows["label"] == "altmin + kNN", "squared_cosine"] = 1.0
    first = (rows["label"] == "altmin + kNN") & (rows["signal"] == 2)
    results = view(whole, lambda _: without_outcome(rows, first))
    table = make_board(results).table.set_index(["problem", "label"])
    assert not table.loc[(slice(None), ["raises", "refuses", "altmin"]), "rank"].notna().any()
    few = table.xs("altmin + kNN", level="label")
    assert few["reduced"].all()
    assert not few[["pareto_seconds", "pareto_applications"]].to_numpy().any()
    assert not table.xs("half", level="label")["reduced"].any()
    for each in problem_tables(summarise(rows)):
        best = each.best()
        assert best.loc["half"].all()
        assert best.sum().eq(1).all()
        assert [name for name in best.index if name.endswith("†")] == ["altmin + kNN †"]
