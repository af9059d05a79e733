"""Results as plain data and back, statuses of all kinds among them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import benchbase
from benchbase import StoreError, read_records, write_records
from benchbase.storage.merge import merge

HERE = Path(__file__).parents[1]
SUITE = """\
title = "Of all kinds"
points = 5
trials = 2
report = []
dataset = { name = "gaussian", n = 6 }
frame = { name = "gaussian" }
[grid]
frame.n_pools = [6, 12]
pooling = [{ name = "lp", p = inf }, { name = "lp", p = 2, rectified = true }]
[[solver]]
name = "half"
[[solver]]
name = "raises"
[[solver]]
name = "refuses"
"""


@pytest.fixture(scope="module")
def results(
    as_installed: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[benchbase.Results]:
    folder = tmp_path_factory.mktemp("exchange")
    (folder / "suite.toml").write_text(SUITE)
    with as_installed():
        plugin = HERE / "parts" / "results.py"
        yield benchbase.run(folder / "suite.toml", results=folder, plugins=plugin)


def written(folder: Path, runs: list[benchbase.SuiteRunRecord]) -> benchbase.Results:
    return benchbase.Results(folder, write_records(folder, runs))


def test_what_is_read_and_written_is_the_same(results: benchbase.Results, tmp_path: Path) -> None:
    again = written(tmp_path / "again", read_records(results))
    pd.testing.assert_frame_equal(results.rows(), again.rows())
    assert again.suites == results.suites
    assert set(again.rows()["status"]) == {"done", "failed", "unsupported"}
    for cell in results.rows()["cell"].unique():
        np.testing.assert_array_equal(results.estimates(cell), again.estimates(cell))
        np.testing.assert_array_equal(results.signals(cell), again.signals(cell))
    assert merge([results.folder, again.folder], tmp_path / "both") == []


def test_only_the_runs_asked_for_are_read(results: benchbase.Results) -> None:
    assert len(read_records(results)) == 1
    assert read_records(benchbase.Results(results.folder, ())) == []


def test_two_records_of_one_key_are_one_cell(results: benchbase.Results, tmp_path: Path) -> None:
    (run,) = read_records(results)
    again = written(tmp_path / "again", [run, run])
    assert again.runs == (1, 2)
    assert len(again.rows()) == len(results.rows())


def test_a_suite_is_described_with_its_problems(results: benchbase.Results) -> None:
    (run,) = read_records(results)
    suite = run.described()
    (experiment,) = suite["experiments"]
    assert (suite["title"], experiment["trials"], experiment["points"]) == ("Of all kinds", 2, 5)
    told = [(each["n_pools"], each["p"], each["rectified"]) for each in experiment["problems"]]
    assert told == [(6, "inf", False), (6, 2.0, True), (12, "inf", False), (12, 2.0, True)]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results in"):
        read_records(benchbase.Results(tmp_path, (1,)))
