from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from benchbase.showing import (
    STATISTICS,
    pooling_name,
    problem_columns,
    setting_name,
    solver_names,
    summarise,
    variant_name,
    varying_parameters,
)

Make = Callable[..., pd.DataFrame]
SCORES = st.floats(0, 1, allow_subnormal=False)
TRIALS = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: hnp.arrays(float, shape, elements=SCORES)
)


def only(summary: pd.DataFrame) -> Any:
    assert len(summary) == 1
    return summary.iloc[0]


def trials(cell: Make, scores: np.ndarray[Any, Any]) -> list[pd.DataFrame]:
    return [cell(row, trial=number) for number, row in enumerate(scores)]


def test_one_trial_has_the_closed_form(cell: Make, join: Make) -> None:
    row = only(summarise(join(cell([0.0, 0.5, 1.0]))))
    assert row["signals"] == 3
    assert row["trials"] == 1
    assert row["mean_squared_cosine"] == 0.5
    assert row["standard_error"] == pytest.approx(0.5 / np.sqrt(3))
    assert row["exact_share"] == pytest.approx(1 / 3)
    assert row["seconds"] == 0.75  # init and solve, not prepare
    assert (row["failed"], row["unsupported"], row["pending"]) == (0, 0, 0)


def test_the_standard_error_is_clustered_by_trial(cell: Make, join: Make) -> None:
    row = only(summarise(join(*trials(cell, np.array([[0.0] * 50, [1.0] * 50])))))
    assert row["trials"] == 2
    assert row["mean_squared_cosine"] == 0.5
    assert row["standard_error"] == pytest.approx(0.5)  # 100 free signals would give .05


@settings(max_examples=20)
@given(scores=TRIALS)
def test_statistics_are_those_of_numpy(
    cell: Make, join: Make, scores: np.ndarray[Any, Any]
) -> None:
    row = only(summarise(join(*trials(cell, scores))))
    sample = scores.mean(axis=1) if len(scores) > 1 else scores[0]
    assert row["signals"] == scores.size
    assert row["mean_squared_cosine"] == pytest.approx(scores.mean())
    assert row["exact_share"] == pytest.approx((scores > 0.99).mean())
    if sample.size > 1:
        expected = np.std(sample, ddof=1) / np.sqrt(sample.size)
        assert row["standard_error"] == pytest.approx(expected, abs=1e-9)
    else:
        assert np.isnan(row["standard_error"])


@pytest.mark.parametrize("shape", [(1, 5), (3, 5), (2, 1)])
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0])
def test_constants_have_a_standard_error_of_zero(
    cell: Make, join: Make, shape: tuple[int, int], value: float
) -> None:
    row = only(summarise(join(*trials(cell, np.full(shape, value)))))
    assert row["mean_squared_cosine"] == pytest.approx(value)
    assert row["standard_error"] == pytest.approx(0, abs=1e-15)


def test_exact_is_above_ninety_nine_hundredths(cell: Make, join: Make) -> None:
    row = only(summarise(join(cell([0.99, np.nextafter(0.99, 1), 1.0, 0.5]))))
    assert row["exact_share"] == 0.5


def test_a_fit_to_the_measurements_may_be_wrong(cell: Make, join: Make) -> None:
    scores = [0.999, 0.5, 0.5, np.nextafter(0.999, 1), np.nan, 0.5]
    told: dict[str, Any] = {"residual": [0.0, 1e-6, 2e-6, 0.0, 0.0, np.nan]}
    told["status"] = ["done"] * 4 + ["failed", "done"]
    rows = [cell(scores, **told), cell([0.5], trial=1, residual=0.0, points=6)]
    row = only(summarise(join(*rows)))
    assert row["wrong_fit_share"] == pytest.approx((2 / 6 + 1) / 2)  # mean of the trials'


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_failures_count_as_zero_whatever_their_score(cell: Make, join: Make, status: str) -> None:
    states = ["done", status, status, "done"]
    told = ["fine", "it broke", "it broke", ""]
    frame = join(cell([1.0, 1.0, np.nan, 1.0], status=states, message=told))
    row = only(summarise(frame))
    assert row["signals"] == 4
    assert row["failed"] == 2
    assert row["mean_squared_cosine"] == 0.5
    assert row["standard_error"] == pytest.approx(np.std([1, 0, 0, 1], ddof=1) / 2)
    assert row["exact_share"] == 0.5
    assert row["message"] == "it broke"


@pytest.mark.parametrize("score", [np.nan, np.inf])
def test_scores_that_are_not_finite_count_as_failures(cell: Make, join: Make, score: float) -> None:
    row = only(summarise(join(cell([1.0, score]))))
    assert row["failed"] == 1
    assert row["mean_squared_cosine"] == 0.5


def test_unsupported_and_pending_are_left_out(cell: Make, join: Make, unsupported: Make) -> None:
    waiting = cell([0.5, np.nan, 1.0], "b", status=["done", "pending", "done"])
    summary: Any = summarise(join(unsupported("a"), waiting)).set_index("label")
    assert summary["unsupported"].to_dict() == {"a": 3, "b": 0}
    assert summary["pending"].to_dict() == {"a": 0, "b": 1}
    assert summary["signals"].to_dict() == {"a": 0, "b": 2}
    assert summary["trials"].to_dict() == {"a": 0, "b": 1}
    assert summary["message"].to_dict() == {"a": "needs p = 2", "b": ""}
    assert np.isnan(summary.loc["a", "mean_squared_cosine"])
    assert summary.loc["b", "mean_squared_cosine"] == 0.75
    assert summary.loc["b", "failed"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_matter(cell: Make, join: Make, seed: int) -> None:
    scores = np.random.default_rng(1).random((3, 4))
    rows = [*trials(cell, scores), cell([0.5, 0.25], "other"), cell([1.0], k=20)]
    frame = join(*rows)
    shuffled = frame.sample(frac=1, random_state=seed)
    names = ["label", "n_pools", "points"]
    ours, theirs = (
        summarise(f).sort_values(names).reset_index(drop=True) for f in (frame, shuffled)
    )
    pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.parametrize(
    "column",
    [
        {"experiment": "b"},
        {"dataset": "mnist"},
        {"dataset__components": 50},
        {"frame": "learned"},
        {"frame__pools": "drawn"},
        {"pool_size": 3},
        {"pooling": "maxout", "p": np.nan},
        {"p": np.inf},
        {"rectified": True},
        {"pooling__threshold": 0.1},
        {"k": 20},
        {"label": "b"},
        {"points": 7},
    ],
)
def test_what_differs_is_not_averaged(cell: Make, join: Make, column: dict[str, Any]) -> None:
    summary = summarise(join(cell([0.0, 0.0]), cell([1.0, 1.0], **column)))
    assert summary["mean_squared_cosine"].tolist() == [0.0, 1.0]
    on_axis = set(column) & {"k", "label", "points"}
    groups = summary.groupby(problem_columns(summary), dropna=False).ngroups
    assert groups == (1 if on_axis else 2)


def test_seeds_are_frames_of_their_own(cell: Make, join: Make) -> None:
    row = only(summarise(join(cell([0.0, 0.0], seed=1), cell([1.0, 1.0], seed=2))))
    assert row["trials"] == 2
    assert row["standard_error"] == pytest.approx(0.5)


def test_of_a_trial_that_ran_twice_the_later_counts(cell: Make, join: Make) -> None:
    rows = [cell([1.0, 1.0], run=2), cell([0.0, 0.0], run=1), cell([0.5, 0.5], trial=1, run=1)]
    row = only(summarise(join(*rows)))
    assert row["signals"] == 4
    assert row["mean_squared_cosine"] == 0.75


def test_a_frame_without_rows_has_an_empty_summary(cell: Make, join: Make) -> None:
    summary = summarise(join(cell([1.0])).iloc[:0])
    assert len(summary) == 0
    assert [*summary.columns][-len(STATISTICS) :] == [*STATISTICS]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ({}, "ℓ2"),
        ({"p": 1.0}, "ℓ1"),
        ({"p": np.inf}, "ℓ∞"),
        ({"rectified": True}, "rectified ℓ2"),
        ({"rectified": True, "pooling__threshold": 0.1}, "rectified ℓ2, threshold .1"),
        ({"pooling": "maxout", "p": np.nan}, "maxout"),
        ({"pooling": "soft", "pooling__hard": True, "pooling__mode": "fast"},
         "ℓ2 (soft), hard, mode fast"),
        ({"pooling__p": 2.0, "pooling__rectified": True}, "ℓ2"),
        ({"pooling__threshold": "[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]"},
         "ℓ2, threshold [0.1, 0.2, 0.3, 0.4, 0.5…"),
    ],
)  # fmt: skip
def test_poolings_have_names_for_people(
    cell: Make, join: Make, column: dict[str, Any], expected: str
) -> None:
    assert pooling_name(summarise(join(cell([1.0], **column))).iloc[0]) == expected


def test_variants_are_named_without_their_norm(cell: Make, join: Make) -> None:
    rows = [cell([1.0]), cell([1.0], rectified=True, pooling__threshold=-0.5)]
    names = [variant_name(row) for _, row in summarise(join(*rows)).iterrows()]
    assert names == ["linear", "rectified, threshold -0.5"]


def test_settings_name_the_parameters_that_vary(cell: Make, join: Make) -> None:
    common = {"experiment": "first", "dataset__centred": True}
    rows = [cell([1.0], dataset__components=value, **common) for value in (50, 100)]
    summary = summarise(join(*rows, cell([1.0], pool_size=pd.NA, **common)))
    names = [setting_name(row, varying_parameters(summary)) for _, row in summary.iterrows()]
    assert names == [
        "first · digits, n = 64, components 50 · gaussian frame, pools of 2",
        "first · digits, n = 64, components 100 · gaussian frame, pools of 2",
        "first · digits, n = 64 · gaussian frame",
    ]


def test_solvers_on_fewer_points_say_so(cell: Make, join: Make) -> None:
    rows = [cell([1.0] * 5), cell([1.0] * 3, "slow"), cell([1.0], "slower")]
    elsewhere = cell([1.0] * 3, "slow", p=1.0)
    names = solver_names(summarise(join(*rows, elsewhere)))
    assert names == ["altmin", "slow (3 pts)", "slower (1 pt)", "slow"]


def test_importing_the_reports_imports_nothing_slow() -> None:
    slow = "{'pandas', 'matplotlib', 'rich', 'jinja2', 'tabulate', 'scipy'}"
    code = f"import sys, benchbase_reports; print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
