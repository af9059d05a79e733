"""Samples of different sizes: which are marked, and which may lead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchbase.showing import (
    mark_meaning,
    may_lead,
    reduced,
    sample_notes,
    sample_texts,
    solver_names,
    summarise,
)

Make = Callable[..., pd.DataFrame]


def test_fewer_signals_or_trials_make_a_smaller_sample() -> None:
    table = pd.DataFrame({"k": [1, 1, 1, 1, 2], "signals": [20, 5, 20, 0, 5]})
    assert reduced(table, ["k"]).tolist() == [False, True, False, False, False]
    assert reduced(table, []).tolist() == [False, True, False, False, True]
    table["trials"] = [4, 1, 2, 0, 1]
    assert reduced(table, ["k"]).tolist() == [False, True, True, False, False]
    texts = ["", "5 of 20 signals", "2 of 4 trials", "", ""]
    table["reduced"] = reduced(table, ["k"])
    assert sample_texts(table, ["k"]) == texts
    assert sample_texts(table[table["k"] == 2], ["k"]) == [""]
    assert [*sample_notes(["a", "b", "c", "d", "b"], texts, ["1", "1", "1", "1", "2"])] == [
        "†, only 5 of 20 signals: b at K=1",
        "†, only 2 of 4 trials: c at K=1",
    ]


def test_only_full_samples_with_an_estimate_may_lead() -> None:
    table = pd.DataFrame({"signals": [4, 4, 4, 0], "failed": [0, 3, 4, 0]})
    assert may_lead(table.assign(reduced=False)).tolist() == [True, True, False, False]
    assert not may_lead(table.assign(reduced=True)).any()


def test_a_legend_explains_the_mark_if_a_name_has_it() -> None:
    assert mark_meaning(["a", "b †"]) == "†: fewer signals"
    assert mark_meaning(["a", "b (2 pts)"]) is None


@pytest.mark.parametrize(
    ("few", "name"),
    [
        ({"status": ["done", "done", "pending"]}, "b †"),
        ({"points": 2}, "b (2 pts)"),  # its name says so
    ],
)
def test_names_say_that_a_sample_is_smaller(
    cell: Make, join: Make, few: dict[str, Any], name: str
) -> None:
    size = few.get("points", 3)
    rows = join(cell([0.5] * 3), cell([0.5] * size, "b", **few), cell([0.5] * 3, "b", p=np.inf))
    assert solver_names(summarise(rows)) == ["altmin", name, "b"]
