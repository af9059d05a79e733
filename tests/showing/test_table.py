from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchbase.showing import ProblemTable, comparative_table, problem_tables, summarise
from benchbase.showing.table import best_means, cell_text

Make = Callable[..., pd.DataFrame]
ALONE = ", or for the one frame if there is only one trial"


def only(*cells: pd.DataFrame, join: Make) -> ProblemTable:
    (table,) = problem_tables(summarise(join(*cells)))
    return table


def test_rows_are_solvers_and_columns_numbers_of_pools(
    cell: Make, unsupported: Make, join: Make
) -> None:
    table = only(
        cell([1.0, 0.0], "b", 20),
        cell([0.25], "few", 20),
        cell([0.5, 0.5], "a", 100),
        cell([0.5, 0.5], "b", 3),
        unsupported("c", 20, points=2),
        cell([0.5, np.nan], "d", 20, status="pending"),
        cell([0.5, np.nan], "d", 3, status=["done", "pending"]),
        join=join,
    )
    assert table.texts().index.name == "Solver"
    assert table.texts().to_dict("split") == {
        "index": ["b", "few (1 pt)", "a", "c", "d †"],
        "columns": ["K=3", "K=20", "K=100"],
        "data": [
            [".500 ± .000", ".500 ± .500", ""],
            ["", ".250", ""],
            ["", "", ".500 ± .000"],
            ["", "n/a", ""],
            [".500…", "…", ""],
        ],
    }
    assert table.best().to_dict("split")["data"] == [
        [True, True, False],
        [False, False, False],
        [False, False, True],
        [False, False, False],
        [False, False, False],
    ]


def test_frames_without_a_number_of_pools_have_a_column(cell: Make, join: Make) -> None:
    texts = only(cell([1.0]), cell([0.5], k=pd.NA), join=join).texts()
    assert [*texts] == ["K", "K=10"]
    assert texts.to_numpy().tolist() == [[".500", "1.000"]]


@pytest.mark.parametrize(
    ("digits", "expected"), [(3, [True, False, False]), (2, [True, True, False])]
)
def test_all_that_round_to_the_best_are_marked(
    cell: Make, join: Make, digits: int, expected: list[bool]
) -> None:
    rows = [cell([score], label) for label, score in (("a", 0.984), ("b", 0.98), ("c", 0.974))]
    assert best_means(summarise(join(*rows)), digits) == expected


def test_what_was_not_computed_is_never_the_best(cell: Make, unsupported: Make, join: Make) -> None:
    rows = [unsupported("a"), cell([0.0] * 3, "b"), unsupported("a", 20)]
    assert best_means(summarise(join(*rows)), 3) == [False, True, False]


def test_the_best_is_among_those_with_the_most_signals(cell: Make, join: Make) -> None:
    rows = [cell([0.5] * 3, "all"), cell([1.0], "few"), cell([1.0], "few", 20)]
    assert best_means(summarise(join(*rows)), 3) == [True, False, True]


def test_a_solver_without_any_estimate_is_never_the_best(cell: Make, join: Make) -> None:
    failed = {"status": "failed", "message": "boom"}
    rows = [
        cell([np.nan] * 3, "a", **failed),
        cell([0.0] * 3, "b"),
        cell([np.nan], "c", 20, **failed),
    ]
    assert best_means(summarise(join(*rows)), 3) == [False, True, False]


def test_cells_are_written_in_as_many_digits(cell: Make, join: Make) -> None:
    row: Any = next(summarise(join(cell([1.0, 0.9]))).itertuples())
    assert cell_text(row, 2, "±") == ".95±.05"
    assert cell_text(row) == ".950 ± .050"


def test_notes_say_what_a_reader_must_know(cell: Make, unsupported: Make, join: Make) -> None:
    states = {"status": ["failed", "done", "pending"], "message": ["boom.", "", ""]}
    rows = [
        cell([0.5] * 3),
        cell([0.5] * 2, "few"),
        unsupported("a", 10, "needs p = 2."),
        unsupported("b", 10, "needs p = 2."),
        cell([np.nan, 0.5, np.nan], "bad", **states),
    ]
    (table,) = problem_tables(summarise(join(*rows)))
    assert table.title == "digits, n = 64 · gaussian frame, pools of 2 · ℓ2"
    assert table.own_notes() == [
        "Means over 3 signals of one frame; ± is the standard error for this frame only",
        "(2 pts): only the first 2 signals of each trial",
        "†: a smaller sample than others have, so never called the best",
        "…: signals still to be computed",
        "†, only 2 of 3 signals: bad at K=10",
        "n/a, a, b: needs p = 2",
        "bad †: 1 of 2 signals at K=10 failed and count as 0 (boom)",
    ]


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ((3, 3), "3 trials of 2 signals; ± is the standard error over trials"),
        ((1, 3), "1 to 3 trials of 2 signals; ± is the standard error over trials" + ALONE),
    ],
)
def test_notes_say_what_the_standard_error_is_over(
    cell: Make, join: Make, trials: tuple[int, int], expected: str
) -> None:
    rows = [cell([0, 1], str(i), trial=t) for i, size in enumerate(trials) for t in range(size)]
    (table,) = problem_tables(summarise(join(*rows)))
    assert table.general[0] == f"Means over {expected}"


def test_all_problems_are_in_one_table(cell: Make, join: Make) -> None:
    cells = [
        cell([0.5, 0.7], "a", 100),
        cell([0.25], "a", 20, rectified=True),
        cell([0.5], "b", 3, rectified=True),
    ]
    table = comparative_table(join(*cells))
    title = "digits, n = 64 · gaussian frame, pools of 2"
    assert table.index.names == ["Problem", "Solver"]
    assert table.to_dict("split") == {
        "index": [
            (f"{title} · {p}", s) for p, s in (("ℓ2", "a"), *[("rectified ℓ2", s) for s in "ab"])
        ],
        "columns": ["K=3", "K=20", "K=100"],
        "data": [["", "", ".600 ± .100"], ["", ".250", ""], [".500", "", ""]],
    }


def test_suites_are_named_if_there_are_several(cell: Make, join: Make) -> None:
    both = comparative_table(join(cell([0.5]), cell([0.25], suite="other", run=2)))
    assert [problem.partition(" · ")[0] for problem, _ in both.index] == ["a_suite", "other"]


def test_nothing_has_an_empty_table(cell: Make) -> None:
    table = comparative_table(cell([0.5]).iloc[:0])
    assert table.shape == (0, 0)
    assert table.index.names == ["Problem", "Solver"]
