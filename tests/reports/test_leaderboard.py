"""The leaderboard's report and commands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from rich.console import Console
from scipy import stats

import benchbase
from benchbase_reports.leaderboard import Board, make_board
from benchbase_reports.leaderboard.cells import ROUNDING, read_cells, signal_costs
from benchbase_reports.leaderboard.compare import compare, resolve
from benchbase_reports.leaderboard.figure import cell_costs, draw_budgets
from benchbase_reports.leaderboard.formats import as_csv, as_json, latex, markdown, print_board
from benchbase_reports.leaderboard.ranking import rank_solvers
from benchbase_reports.leaderboard.text import many, many_text
from benchbase_reports.statistics import friedman

Make = Callable[..., pd.DataFrame]
POOLS = (10, 20, 30, 40)
CURVES = {"good & fast": (0.1, 0.9, 1, 1), "fair_er": (0, 0.2, 0.9, 1), "none": (0, 0, 0, 0)}


class Results:
    """Results whose rows are given."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.table = rows
        self.suites = [{"id": 1, "suite": "a_suite", "title": "A suite", "command": "run it"}]

    def rows(self) -> pd.DataFrame:
        return self.table.copy()

    def environments(self) -> list[tuple[str, dict[str, Any]]]:
        return [("key", {"python": "3.11", "versions": {"benchbase": "0.1.0"}})]


def rows_of(cell: Make, label: str, trials: int = 4, **others: Any) -> list[pd.DataFrame]:
    return [
        cell(np.arange(20) < round(share * 20), label, k, trial=trial, **others)
        for k, share in zip(POOLS, CURVES[label], strict=True)
        for trial in range(trials)
    ]


@pytest.fixture(scope="module")
def rows(cell: Make, join: Callable[..., pd.DataFrame], unsupported: Make) -> pd.DataFrame:
    parts = [part for label in CURVES for part in rows_of(cell, label, n_iter=np.arange(1, 21))]
    told = {"points": 20}
    parts += [unsupported("refuses", k, "needs 5 % & <more>", **told) for k in POOLS]
    parts += rows_of(cell, "none", frame_applications=np.nan, p=np.inf)
    return join(*parts)


@pytest.fixture(scope="module")
def board(rows: pd.DataFrame) -> Board:
    return make_board(Results(rows))  # type: ignore[arg-type] # as good as any


def shown(board: Board, width: int) -> str:
    stream = io.StringIO()
    print_board(board, Console(file=stream, width=width))
    return stream.getvalue()


def test_solvers_are_ranked(board: Board) -> None:
    first = board.table[board.table["tab"] == "ℓ2"]
    assert first["label"].tolist() == ["good & fast", "fair_er", "none", "refuses"]
    assert first["rank"].tolist()[:3] == [1, 2, 3]
    assert (first["rank_low"] <= first["rank"]).all()
    assert (first["rank_high"] >= first["rank"]).all()
    assert first["area"].tolist()[:3] == pytest.approx([0.817, 0.533, 0], abs=1e-3)
    numbers = first[first["signals"] > 0].select_dtypes("number")
    assert numbers.drop(columns=["pooling.threshold"]).notna().all(axis=None)


def test_a_budget_counts_what_it_holds(rows: pd.DataFrame) -> None:
    # A signal's cost is 2 · i / 10.5 for i = 1 .. 20: a budget of 2 holds ten.
    table = make_board(Results(rows), budget=2).table.set_index(["tab", "label"])  # type: ignore[arg-type] # as above
    assert table.loc[("ℓ2", "good & fast"), "success"] == pytest.approx((2 + 10 + 10 + 10) / 80)
    other: Any = table.loc[("ℓ∞", "none")]
    assert pd.isna(other["rank"])
    assert "not counted" in other["message"]


def test_solvers_without_any_application_have_no_budgets(rows: pd.DataFrame) -> None:
    board = make_board(Results(rows.assign(frame_applications=0.0)))  # type: ignore[arg-type] # as above
    assert board.budgets.empty
    assert set(board.table["label"]) == {*CURVES, "refuses"}


def test_k95_falls_with_the_budget(board: Board) -> None:
    for _, line in board.budgets.groupby(["problem", "label"]):
        values = line.sort_values("budget")["K95"].to_numpy()
        assert (values[1:] <= values[:-1] + 1e-6).all()
    last = board.budgets.groupby("label")["K95"].last()
    table = board.table.set_index("label")
    assert last["good & fast"] == pytest.approx(table.loc["good & fast", "K95"])
    assert draw_budgets(board) is not None


def test_costs_of_signals_add_up_to_those_of_the_chunk(rows: pd.DataFrame) -> None:
    counted = rows[rows["status"] == "done"]
    costs = signal_costs(counted, np.arange(0, len(counted), 20))
    known = counted["frame_applications"].to_numpy()
    assert np.nansum(costs) == pytest.approx(np.nansum(known))
    assert read_cells(rows).cost[:2].tolist() == pytest.approx([2 / 10.5, 4 / 10.5])


def test_signals_that_take_what_the_mean_is_are_within_that_budget() -> None:
    """Whatever a mean, over the iterations and times them again, is rounded to."""
    same = {"frame_applications": 1 / 3, "init_seconds": 0.0, "solve_seconds": 0.0}
    rows = pd.DataFrame({"n_iter": np.arange(1, 1000).repeat(7)} | same)
    costs = signal_costs(rows, np.arange(0, len(rows), 7))
    assert (costs > 1 / 3).any()  # what the allowance is for
    assert (costs <= (1 + ROUNDING) / 3).all()


def test_cells_that_lack_their_first_signals_are_told_apart(cell: Make, join: Make) -> None:
    whole = cell([1, 1, 0, 0]), cell([0, 0, 1, 1], cell="other", k=20)
    rows = join(whole[0].iloc[:2], whole[1].iloc[2:])  # signals 0, 1 and 2, 3
    assert read_cells(rows).sizes.tolist() == [2, 2]
    assert make_board(Results(rows)).table["signals"].tolist() == [4]  # type: ignore[arg-type] # as above


def test_solvers_that_are_the_same_share_a_rank(cell: Make, join: Make) -> None:
    parts = [p for name in ("a", "b") for p in rows_of(cell, "fair_er")]
    half = len(parts) // 2
    same = join(*parts[:half], *(part.assign(label="twin") for part in parts[half:]))
    table = make_board(Results(same)).table  # type: ignore[arg-type] # as above
    assert table["rank"].tolist() == [1, 1]
    assert table["rank_low"].tolist() == [1, 1]
    assert table["rank_high"].tolist() == [2, 2]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ((3, 3, 3, 3), (1, 1, 1, 1)),  # neither has a K95: the larger area
        ((0, 0, 10, 10), (9, 9, 9, 9)),  # K95 comes first, although the area is smaller
    ],
)
def test_the_larger_area_ranks_first_where_k95_is_the_same(
    better: tuple[int, ...], worse: tuple[int, ...], first: int
) -> None:
    order = [better, worse] if first == 0 else [worse, better]
    wins = np.repeat(np.array(order, float)[:, None], 3, axis=1)  # three trials
    found = rank_solvers(np.array(POOLS, float), wins, np.full(wins.shape, 10.0), np.ones(2, bool))
    assert found.rank[[first, 1 - first]].tolist() == [1, 2]


def test_solvers_are_compared_once_a_trial(rows: pd.DataFrame, board: Board) -> None:
    """Further numbers of pools are no further evidence of their differing."""
    found = many(board, "ℓ2")
    assert found.problems == 4
    assert found.ranks.to_dict() == {"good & fast": 1, "fair_er": 2, "none": 3}
    wanted = stats.friedmanchisquare([3, 3, 3, 3], [2, 2, 2, 2], [1, 1, 1, 1])
    assert (found.statistic, found.p) == pytest.approx((wanted.statistic, wanted.pvalue))
    again = rows[rows["status"] == "done"].assign(n_pools=lambda own: own["n_pools"] + 5)
    more = make_board(Results(pd.concat([rows, again.assign(cell="other")])))  # type: ignore[arg-type] # as above
    assert many(more, "ℓ2").p == found.p
    assert "over 4 trials" in str(many_text(board, "ℓ2"))


def test_equal_solvers_are_found_to_differ_in_one_case_of_twenty_at_most() -> None:
    """Signals of a trial that are hard at one K are so at all: by K, a third were too many."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        skill = rng.standard_normal((8, 3))  # of solvers in trials
        tries = skill[:, None] + 0.3 * rng.standard_normal((8, 6, 3))  # at six K
        by_trial, by_pools = tries.mean(axis=1), tries.reshape(-1, 3)
        found.append([friedman(pd.DataFrame(each)).p <= 0.05 for each in (by_trial, by_pools)])
    by_trial, by_pools = np.mean(found, axis=0)
    assert by_trial <= 0.07
    assert by_pools > 0.3


def test_one_trial_is_said_to_be_one_frame(cell: Make, join: Make) -> None:
    one = join(*(part for label in CURVES for part in rows_of(cell, label, trials=1)))
    board = make_board(Results(one))  # type: ignore[arg-type] # as above
    assert board.table["one_frame"].all()
    assert "for this frame only" in shown(board, 200)


def test_json_has_no_nan_and_all_rows(board: Board) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    found = json.loads(as_json(board), parse_constant=refuse)
    assert len(found["table"]) == len(board.table)
    assert found["budget"] == "inf"
    assert {row["K95"] for row in found["table"]} >= {"inf", None}


def test_csv_has_all_columns(board: Board) -> None:
    found = [*csv.DictReader(io.StringIO(as_csv(board)))]
    assert [*found[0]] == [*board.table.columns]
    assert found[0]["label"] == "good & fast"


def test_markdown_and_latex_escape(board: Board) -> None:
    assert r"fair\_er" in markdown(board)
    assert r"needs 5 % & \<more\>" in markdown(board)
    text = latex(board)
    assert text.count(r"\toprule") == 2
    assert text.count("\\resizebox{\\linewidth}{!}{%\n\\begin{tabular}{") == 2
    assert text.count("\\end{tabular}}\n\\end{table}") == 2
    assert text.count("{") == text.count("}")
    assert r"good \& fast" in text
    assert r"needs 5 \% \& \textless{}more\textgreater{}" in text


@pytest.mark.parametrize("width", [80, 140])
def test_the_terminal_has_a_section_a_pooling(board: Board, width: int) -> None:
    text = shown(board, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\nℓ2\n" in text
    assert "\nℓ∞\n" in text
    assert "not counted" in text
    assert "n/a, refuses: needs 5 % & <more>" in text


def test_what_a_recovered_signal_costs(board: Board) -> None:
    costs = cell_costs(board, "seconds")
    first = costs.xs(20, level="n_pools").iloc[0]
    assert first["good & fast"] == pytest.approx(0.75 / 0.9)
    assert np.isinf(first["none"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    grid = {"grid.frame.n_pools": [24, 72]}
    solvers = ["altmin", "altmin + kNN", "PhaseCut"]
    benchbase.run(
        "quick", results=folder, points=4, trials=2, solvers=solvers, changes=grid, jobs=0
    )
    return folder


def test_the_commands(cli: Callable[..., Result], folder: Path, tmp_path: Path) -> None:
    results = ("--results", str(folder))
    ran = cli("leaderboard", *results)
    assert ran.exit_code == 0, ran.output
    assert "rectified ℓ2" in ran.stdout
    file = tmp_path / "board.json"
    assert cli("leaderboard", *results, "--format", "json", "-o", file).exit_code == 0
    assert json.loads(file.read_text(encoding="utf-8"))["suite"] == "quick"
    page = cli("leaderboard", *results, "--format", "html", "--budget", "1000").stdout
    assert page.lower().startswith("<!doctype html>")
    assert "PhaseCut" in page
    assert cli("leaderboard", *results, "--budget", "0").exit_code == 2
    ran = cli("compare", "altmin + kNN", "altmin", *results)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith("quick, all problems: altmin + kNN ")
    assert "of 32 signals" in ran.stdout
    ran = cli("compare", "altmin", "phasecut", *results, "--json")
    found = json.loads(ran.stdout)
    assert [row["signals"] for row in found] == [16, 0]
    ran = cli("compare", "altmim", "PhaseCut", *results)
    assert ran.exit_code == 2
    assert "did you mean 'altmin'" in ran.stderr


def test_the_report_writes_all_formats(folder: Path, tmp_path: Path) -> None:
    report = benchbase.build("report", {"name": "leaderboard"})
    files = report.write(benchbase.load_results(folder), tmp_path)
    ends = {file.name for file in files}
    assert {f"leaderboard.{end}" for end in ("csv", "json", "md", "tex")} <= ends
    assert "leaderboard-profiles.svg" in ends
    with pytest.raises(benchbase.BenchbaseError, match="budget"):
        benchbase.build("report", {"name": "leaderboard", "budget": -1.0})


def test_a_name_of_several_labels_is_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(benchbase.BenchbaseError, match="several labels"):
        resolve([rows], "altmin")


def verdict(cell: Make, join: Make, a: float, b: float, pools: tuple[int, ...] = (10,)) -> str:
    """Return what is said of two solvers that have these squared cosines in each of four trials."""
    cells = [
        cell([score] * 5, name, k, trial=trial)
        for name, score in (("one", a), ("other", b))
        for k in pools
        for trial in range(4)
    ]
    return compare(join(*cells), {"suite": "s"}, "one", "other")[0].sentence()


def test_a_verdict_says_no_more_than_there_is_to_say(cell: Make, join: Make) -> None:
    assert "one and other are level: " in verdict(cell, join, 0.9995, 0.9990)
    small = verdict(cell, join, 0.9905, 0.9885)
    assert "one recovers better than other" in small
    assert "difference +.0020 [+.0020, +.0020]" in small
    assert "signed rank p = .125 (the least that 4 trials can give)" in small
    for pools in ((10,), (10, 20)):  # recovered at the least K: K95 may be anywhere below
        assert "K95" not in verdict(cell, join, 1, 1, pools)
