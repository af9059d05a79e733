from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import benchbase
from benchbase_reports.leaderboard import TABLE, Board, make_board
from benchbase_reports.transitions import transitions

SUITE = """
points = 5
trials = 3
dataset = { name = "gaussian", n = 6 }
frame = { name = "gaussian" }
[grid]
frame.n_pools = [8, 16, 24]
pooling = [{ name = "lp", p = 2 }, { name = "lp", p = 2, rectified = true }]
[[solver]]
name = "altmin"
n_iter = 20
[[solver]]
name = "altmin"
label = "longer"
[[solver]]
name = "phasecut"
label = "PhaseCut"
[[solver]]
name = "mean"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> benchbase.Results:
    folder = tmp_path_factory.mktemp("board")
    (folder / "small.toml").write_text(SUITE)
    return benchbase.run(folder / "small.toml", results=folder, jobs=0)


@pytest.fixture(scope="module")
def board(results: benchbase.Results) -> Board:
    return make_board(results)


def test_a_board_has_a_row_for_each_problem_and_solver(board: Board) -> None:
    assert [*board.table.columns][-len(TABLE) :] == [*TABLE]
    assert len(board.table) == 8
    assert board.table.groupby("problem", sort=False)["label"].nunique().tolist() == [4, 4]
    assert board.table["tab"].unique().tolist() == ["ℓ2", "rectified ℓ2"]


def test_k95_is_that_of_the_transitions(board: Board, results: benchbase.Results) -> None:
    keys = ["rectified", "label"]
    names = ["K95", "K95_low", "K95_high", "signals", "trials", "failed", "unsupported"]
    wanted = transitions(results.rows()).set_index(keys)[names]
    found = board.table.set_index(keys)[names].loc[wanted.index]
    np.testing.assert_allclose(found.to_numpy(float), wanted.to_numpy(float), rtol=1e-6)


def test_what_does_not_apply_has_no_rank(board: Board) -> None:
    row = board.table[(board.table["label"] == "PhaseCut") & board.table["rectified"]].iloc[0]
    assert np.isnan(row["K95"])
    assert pd.isna(row["rank"])
    assert "phasecut does not apply to half" in row["message"]


def test_environments_are_told(board: Board) -> None:
    assert board.table["environment"].str.startswith("benchbase ").all()


def test_the_environment_of_each_cell(results: benchbase.Results) -> None:
    cells = {*results.rows()["cell"]}
    assert {cell for cell, _ in results.environments()} == cells
    assert all("numpy" in facts["versions"] for _, facts in results.environments())


def test_a_budget_is_positive(results: benchbase.Results) -> None:
    with pytest.raises(benchbase.BenchbaseError, match="a budget is a positive number, not 0"):
        make_board(results, budget=0)
