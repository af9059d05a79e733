from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import benchbase
from benchbase import BenchbaseError, StoreError
from benchbase.discovery.registry import Registry
from benchbase.results import COLUMNS, Results, load_results
from benchbase.storage.store import Store

SUITE = """
title = "Scores < 1 & more"
points = 5
trials = 2

[dataset]
name = "gaussian"
n = 4

[frame]
name = "gaussian"

[grid]
frame.n_pools = [5, 40]
pooling = [
    { name = "lp", p = 2 },
    { name = "lp", p = inf, rectified = true },
    { name = "lp", p = 1, rectified = true, threshold = 0.5 },
    { name = "maxout" },
]

[[solver]]
name = "half"

[[solver]]
name = "raises"

[[solver]]
name = "refuses"

[[solver]]
name = "altmin"
n_iter = 200
rectified_update = "keep"
init = { name = "half", scale = 2 }
"""

PLUGIN = (Path(__file__).parent / "parts" / "results.py").read_text()
ROWS = 2 * 4 * 2 * 5  # K, poolings, trials, points


@pytest.fixture(scope="module")
def results(
    as_installed: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Results:
    """Return the results of a run in which every status comes up but pending."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "plugin.py").write_text(PLUGIN)
    (folder / "suite.toml").write_text(SUITE)
    with as_installed():
        return run(folder)


def run(folder: Path, suite: str = "suite.toml", **options: Any) -> Results:
    from benchbase.api import execute, resolve
    from benchbase.discovery.registry import registry
    from benchbase.running.launch import make_plan

    registry().load_file(folder / "plugin.py")
    resolved = resolve(folder / suite, **options)
    place = folder / "results"
    return execute(resolved, make_plan(resolved, place), place, command="test", progress=False)


@pytest.fixture
def folder(tmp_path: Path, fresh_registry: Registry) -> Path:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    text = SUITE.replace("trials = 2", "trials = 1").replace("[5, 40]", "[5]")
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


# The frame ---------------------------------------------------------------------------------------


def test_every_cell_has_a_row_a_signal_whatever_its_status(results: Results) -> None:
    frame = results.rows()
    assert len(frame) == 4 * ROWS
    cells = frame.groupby("cell")["signal"].agg(list)
    assert len(cells) == 4 * ROWS / 5
    assert all(signals == [0, 1, 2, 3, 4] for signals in cells)
    others = frame[frame["label"] != "altmin"]
    assert others.groupby(["label", "status"]).size().to_dict() == {
        ("half", "done"): ROWS * 4 // 5,
        ("half", "failed"): ROWS // 5,
        ("raises", "failed"): ROWS,
        ("refuses", "unsupported"): ROWS,
    }


def test_rows_are_in_the_order_of_the_suite(results: Results) -> None:
    frame = results.rows()
    heads = frame.drop_duplicates("cell")
    assert (
        heads["label"].tolist()[:8]
        == ["half"] * 2 + ["raises"] * 2 + ["refuses"] * 2 + ["altmin"] * 2
    )
    assert heads["n_pools"].is_monotonic_increasing
    assert heads["trial"].tolist() == [0, 1] * 32


def test_columns_come_first_and_have_types_of_their_own(results: Results) -> None:
    frame = results.rows()
    assert list(frame.columns[: len(COLUMNS)]) == list(COLUMNS)
    wanted = {
        "run": "Int64",
        "n_pools": "Int64",
        "signal": "Int64",
        "n_iter": "Int64",
        "converged": "boolean",
        "rectified": "boolean",
        "p": "float64",
        "squared_cosine": "float64",
        "residual": "float64",
        "solve_seconds": "float64",
        "frame_applications": "float64",
    }
    assert {name: str(frame[name].dtype) for name in wanted} == wanted


def test_types_do_not_depend_on_the_rows(folder: Path, results: Results) -> None:
    wanted = results.rows().dtypes[list(COLUMNS)]
    for labels in (["refuses"], ["raises"], ["half"]):
        found = run(folder, "one.toml", labels=labels).rows().dtypes[list(COLUMNS)]
        assert found.equals(wanted)
    empty = Results(folder / "results", ()).rows()
    assert list(empty.columns) == list(COLUMNS)
    assert empty.dtypes[["n_iter", "p"]].equals(wanted[["n_iter", "p"]])


def test_what_was_not_finite_or_failed_has_no_scores(results: Results) -> None:
    frame = results.rows()
    lost = frame[(frame["label"] == "half") & (frame["status"] == "failed")]
    assert set(lost["signal"]) == {2}
    assert lost["message"].eq("the estimate is not finite: a, b").all()
    bad = frame[frame["status"].isin(["failed", "unsupported"])]
    assert bad[["squared_cosine", "relative_error", "residual"]].isna().all(axis=None)
    good = frame[frame["status"] == "done"]
    assert good[["squared_cosine", "relative_error", "residual"]].notna().all(axis=None)
    raised = frame[frame["label"] == "raises"]
    assert raised["message"].str.startswith('ArithmeticError: a "quote", a comma').all()
    assert raised[["n_iter", "converged", "solve_seconds"]].isna().all(axis=None)


def test_what_solvers_tell_is_passed_on(results: Results) -> None:
    frame = results.rows()
    done = frame[(frame["label"] == "half") & (frame["status"] == "done")]
    assert done["message"].eq("a, b").all()
    assert done[done["signal"] == 1]["n_iter"].eq(1).all()
    assert done[done["signal"] == 3]["n_iter"].eq(0).all()  # the first of the second chunk
    assert done[done["signal"].isin([1, 4])]["converged"].all()
    assert not done[done["signal"].isin([0, 3])]["converged"].any()


def test_parameters_are_flattened(results: Results) -> None:
    frame = results.rows()
    altmin = frame[frame["label"] == "altmin"]
    assert altmin["solver.init.scale"].eq(2.0).all()
    assert altmin["solver.init.name"].eq("half").all()
    assert frame[frame["label"] != "altmin"]["solver.init.scale"].isna().all()
    assert frame[frame["label"] == "refuses"]["solver.weights"].eq("[1.0, 2.0]").all()
    maxout = frame[frame["pooling"] == "maxout"]
    assert maxout[["p", "pooling.p", "pooling.threshold"]].isna().all(axis=None)
    assert not maxout["rectified"].any()
    assert sorted(frame["p"].dropna().unique()) == [1, 2, np.inf]
    thresholds = frame[frame["p"] == 1]["pooling.threshold"]
    assert thresholds.eq(0.5).all()


def test_the_frame_is_a_copy(results: Results) -> None:
    frame = results.rows()
    frame["squared_cosine"] = 7.0
    assert results.rows()["squared_cosine"].max() <= 1


def test_signals_and_estimates_are_those_that_were_scored(results: Results) -> None:
    frame = results.rows()
    for (cell, pooling), rows in frame[frame["label"] == "half"].groupby(["cell", "pooling"]):
        x, truth = results.estimates(str(cell)), results.signals(str(cell))
        assert x.dtype == truth.dtype == np.float32
        assert x.shape == truth.shape == (5, 4)
        even = pooling == "lp" and not rows["rectified"].iloc[0]
        with np.errstate(invalid="ignore"):
            cosine = benchbase.squared_cosine(
                x.astype(float), truth.astype(float), "sign" if even else "none"
            )
        np.testing.assert_array_equal(cosine, rows["squared_cosine"])
    failed = frame[frame["label"] == "raises"]["cell"].iloc[0]
    assert np.isnan(results.estimates(failed)).all()
    with pytest.raises(StoreError):
        results.signals("no such cell")


def test_problems_are_rebuilt_as_solvers_met_them(
    results: Results, fresh_registry: Registry
) -> None:
    fresh_registry.load_file(results.folder.parent / "plugin.py")
    cells = results.rows().drop_duplicates("cell")
    for row in cells[cells["label"].isin(["half", "altmin"])].to_dict("records"):
        problem = results.problem(row["cell"])
        frame = problem.frame
        assert (frame.n, frame.n_pools, frame.pool_size) == (4, row["n_pools"], 2)
        assert problem.pooling.name == row["pooling"]
        x, truth = (
            array(row["cell"]).astype(float) for array in (results.estimates, results.signals)
        )
        b = problem.measure(truth)
        mine = results.rows().query("cell == @row['cell'] and status == 'done'")
        found = problem.residual(x, b)[mine["signal"].to_numpy(int)]
        np.testing.assert_allclose(found, mine["residual"], rtol=1e-9, atol=1e-12)
    kinds = cells.groupby(["pooling", "n_pools", "trial"])["cell"].first()
    vectors = [results.problem(cell).frame.dense().sum() for cell in kinds]
    assert len({float(total) for total in vectors}) == 4  # one a number of pools and trial


def test_a_problem_that_cannot_be_rebuilt_says_why(folder: Path) -> None:
    results = run(folder, "one.toml", labels=["half"])
    cell = results.rows()["cell"].iloc[0]
    with pytest.raises(StoreError, match="there is no cell nonesuch"):
        results.problem("nonesuch")
    with Store(folder / "results") as store:
        store._connection.execute("UPDATE cell SET facts = replace(facts, 'half', 'whole')")
    with pytest.raises(BenchbaseError, match=r"cannot be rebuilt: .*no solver named 'whole'"):
        results.problem(cell)


def test_a_cell_without_outcomes_is_pending(folder: Path) -> None:
    results = run(folder, "one.toml")
    with Store(folder / "results") as store:
        keys = {key for _, label, key, _ in store.cells(1) if label == "half"}
        for key in keys:
            # The first chunk is missing, as it may be when workers are interrupted.
            store._connection.execute("DELETE FROM chunk WHERE key = ? AND start = 0", (key,))
    frame = load_results(results.folder).rows()
    half = frame[frame["label"] == "half"]
    assert len(half) == 4 * 5
    assert half.groupby("signal")["status"].unique().map(list).to_dict() == {
        0: ["pending"],
        1: ["pending"],
        2: ["pending"],
        3: ["done"],
        4: ["done"],
    }


# Runs --------------------------------------------------------------------------------------------


def test_the_latest_run_of_each_suite_is_chosen(folder: Path) -> None:
    for suite in ("one.toml", "two.toml", "one.toml"):
        run(folder, suite)
    path = folder / "results"
    assert load_results(path).runs == (2, 3)
    assert load_results(path, 1).runs == load_results(path, "1").runs == (1,)
    assert load_results(path, "all").runs == (1, 2, 3)
    assert [each["suite"] for each in load_results(path).suites] == ["two", "one"]
    # The same cell of a suite appears once, for its latest run.
    frame = load_results(path, "all").rows()
    assert frame.groupby("suite")["run"].unique().map(list).to_dict() == {"one": [3], "two": [2]}
    assert len(frame) == 2 * 4 * 4 * 5


def test_cells_of_earlier_runs_are_kept_among_all(folder: Path) -> None:
    run(folder, "one.toml")
    run(folder, "one.toml", points=2, labels=["half"])
    path = folder / "results"
    assert len(load_results(path).rows()) == 4 * 2
    every = load_results(path, "all").rows()
    assert every.groupby("run").size().to_dict() == {1: 4 * 4 * 5, 2: 4 * 2}
    assert every["run"].is_monotonic_increasing


@pytest.mark.parametrize("number", [0, 2, "2", "first", "", "²", -1])
def test_there_is_no_such_run(number: Any, folder: Path) -> None:
    run(folder, "one.toml", labels=["refuses"])
    with pytest.raises(StoreError, match=r"no run .*there are: 1 \(one\)"):
        load_results(folder / "results", number)


def test_there_are_no_results(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results in"):
        load_results(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


# Exports -----------------------------------------------------------------------------------------

NUMBERS = ["squared_cosine", "relative_error", "residual", "solve_seconds"]


def check_same(found: pd.DataFrame, frame: pd.DataFrame) -> None:
    """Check that an export that was read again holds what the frame does."""
    assert list(found.columns) == list(frame.columns)
    assert len(found) == len(frame)
    for name in [*NUMBERS, "n_iter"]:
        numbers = [np.nan if pd.isna(value) else float(value) for value in found[name]]
        wanted = frame[name].to_numpy(float, na_value=np.nan)
        np.testing.assert_array_equal(numbers, wanted, err_msg=name)
    for name in ("cell", "label", "status", "pooling"):
        assert found[name].tolist() == frame[name].tolist()
    assert found["message"].fillna("").tolist() == frame["message"].tolist()
    assert found["p"].isna().equals(frame["p"].isna())


def test_csv_round_trip(results: Results, tmp_path: Path) -> None:
    frame = results.rows()
    results.export("csv", tmp_path / "all.csv")
    stream = io.StringIO()
    results.export("csv", stream)
    assert (tmp_path / "all.csv").read_text() == stream.getvalue()
    found = pd.read_csv(tmp_path / "all.csv", dtype=str)
    check_same(found, frame)
    assert set(found["p"].dropna()) == {"1.0", "2.0", "inf"}


def test_parquet_round_trip(results: Results, tmp_path: Path) -> None:
    frame = results.rows()
    results.export("parquet", tmp_path / "all.parquet")
    found = pd.read_parquet(tmp_path / "all.parquet")
    check_same(found, frame)
    assert found.dtypes[list(COLUMNS)].astype(str).equals(frame.dtypes[list(COLUMNS)].astype(str))


def test_parquet_of_parameters_of_several_types(folder: Path, tmp_path: Path) -> None:
    text = (folder / "one.toml").read_text()
    for weights in ("0.5", "[1, 2]"):
        text += f'[[solver]]\nname = "refuses"\nlabel = "{weights}"\nweights = {weights}\n'
    (folder / "one.toml").write_text(text)
    run(folder, "one.toml", labels=["0.5", "[1, 2]"]).export("parquet", tmp_path / "file")
    found = pd.read_parquet(tmp_path / "file")
    values = found.groupby("label")["solver.weights"].unique().map(list).to_dict()
    assert values == {"0.5": ["0.5"], "[1, 2]": ["[1.0, 2.0]"]}


def test_json_round_trip(results: Results, tmp_path: Path) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    frame = results.rows()
    results.export("json", tmp_path / "all.json")
    records = json.loads((tmp_path / "all.json").read_text(), parse_constant=refuse)
    stream = io.StringIO()
    results.export("json", stream)
    assert json.loads(stream.getvalue()) == records
    assert {json.dumps(record["p"]) for record in records} == {"null", "1.0", "2.0", '"inf"'}
    assert all(type(record["signal"]) is int for record in records)
    assert {record["converged"] for record in records} == {None, True, False}
    check_same(pd.DataFrame(records), frame)


def test_exports_of_nothing(folder: Path, tmp_path: Path) -> None:
    run(folder, "one.toml", labels=["refuses"])
    nothing = Results(folder / "results", ())
    for form in ("csv", "json", "parquet"):
        nothing.export(form, tmp_path / f"none.{form}")
    assert json.loads((tmp_path / "none.json").read_text()) == []
    assert (tmp_path / "none.csv").read_text() == ",".join(COLUMNS) + "\n"
    assert pd.read_parquet(tmp_path / "none.parquet").shape == (0, len(COLUMNS))


def test_exports_that_cannot_be(results: Results, tmp_path: Path) -> None:
    with pytest.raises(BenchbaseError, match="name a file with -o"):
        results.export("parquet", io.StringIO())
    for form in ("csv", "json", "parquet"):
        with pytest.raises(BenchbaseError, match="nowhere"):
            results.export(form, tmp_path / "nowhere" / "file")
    with pytest.raises((BenchbaseError, ValueError), match="xlsx"):
        results.export("xlsx", tmp_path / "file")


# Notebooks ---------------------------------------------------------------------------------------


def cells_of(html: str) -> list[list[str]]:
    """Return the table of a page as text."""
    rows = re.findall(r"<tr.*?</tr>", html, re.DOTALL)
    return [[cell.strip() for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)] for row in rows]


def test_notebooks_show_the_comparative_table(results: Results) -> None:
    table = results.table()
    rows = cells_of(results._repr_html_())
    assert rows[0][2:] == [*table] == ["K=5", "K=40"]
    assert [row[-2:] for row in rows[2:]] == table.to_numpy().tolist()
    frame = results.rows()
    for name, pooling in (("ℓ2", "lp"), ("maxout", "maxout")):
        same = (frame["label"] == "half") & (frame["pooling"] == pooling) & ~frame["rectified"]
        scores = frame[same & (frame["n_pools"] == 40)]["squared_cosine"]
        mean = scores.fillna(0).sum() / len(scores)  # what is lost counts as 0
        problem = f"gaussian, n = 4 · gaussian frame, pools of 2 · {name}"
        assert str(table["K=40"][problem, "half"]).startswith(f"{mean:.3f} ± "[1:])
    assert set(table.xs("refuses", level="Solver").to_numpy().ravel()) == {"n/a"}


def test_notebooks_show_titles_as_they_are(results: Results) -> None:
    html = results._repr_html_()
    assert "Scores &lt; 1 &amp; more (run 1)" in html


def test_notebooks_show_results_without_scores(folder: Path) -> None:
    assert "Scores" in run(folder, "one.toml", labels=["refuses"])._repr_html_()
