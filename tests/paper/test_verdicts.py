from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchbase.showing import with_scores
from benchbase_paper.verdicts import Claim, Interval, Part, difference, mean, scored

Make = Callable[..., pd.DataFrame]
INF = float("inf")


def part(*values: float) -> Part:
    return Part("", values, len(values))


def claim(holds: Interval, *parts: Part, of: Any = "every") -> Claim:
    return Claim("", "", "", "", holds, parts, "", of=of)


@settings(max_examples=30)
@given(
    values=st.lists(st.floats(-1, 1), min_size=2, max_size=8), comparisons=st.sampled_from([1, 5])
)
def test_intervals_are_those_of_scipy(values: list[float], comparisons: int) -> None:
    found = part(*values).interval(comparisons)
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    half = stats.t.ppf(1 - 0.025 / comparisons, len(values) - 1) * error
    middle = np.mean(values)
    assert found == pytest.approx((middle - half, middle + half), abs=1e-12)


def test_one_trial_has_no_interval_and_decides_nothing() -> None:
    assert part(0.9).interval() is None
    assert claim((0, INF), part(0.9)).verdict == "undecided"


@pytest.mark.parametrize(
    ("parts", "of", "expected"),
    [
        ([], "every", "not measured"),
        ([(0.1, 0.11)], "every", "yes"),
        ([(-0.1, -0.11)], "every", "no"),
        ([(-0.1, 0.11)], "every", "undecided"),
        ([(0.0, 0.0)], "every", "no"),  # not above 0
        ([(0.1, 0.1), (0.2, 0.2)], "every", "yes"),
        ([(0.1, 0.1), (-0.2, -0.2)], "every", "no"),
        ([(0.1, 0.1), (-0.2, 0.2)], "every", "undecided"),
        ([(0.1, 0.1), (-0.2, -0.2)], "some", "yes"),
        ([(-0.1, -0.1), (-0.2, -0.2)], "some", "no"),
        ([(-0.1, -0.1), (-0.2, 0.2)], "some", "undecided"),
        ([(0.1,), (0.2, 0.2)], "every", "undecided"),
    ],
)
def test_verdicts(parts: list[tuple[float, ...]], of: str, expected: str) -> None:
    assert claim((0, INF), *(part(*values) for values in parts), of=of).verdict == expected


def test_one_of_many_settings_needs_a_wider_interval() -> None:
    """One part in two hundred lies outside at 95 % if nothing is the matter but chance."""
    stray, sound = part(-0.1, -0.1101), part(0.1, 0.1)
    assert claim((0, INF), stray).verdict == "no"
    assert claim((0, INF), stray, *[sound] * 200).verdict == "undecided"
    assert claim((-INF, 0), stray, *[sound] * 200, of="some").verdict == "undecided"


def test_a_claim_shows_what_its_verdict_hangs_on() -> None:
    low, high, wide = part(0.1, 0.1), part(0.3, 0.3), part(-0.4, 0.9)
    assert claim((0, INF), high, low).shown == low
    assert claim((0, INF), high, low, of="some").shown == high
    assert claim((0, INF), high, low, wide).shown == wide
    assert claim((0, INF), low, part(-0.2, -0.2), wide).shown == part(-0.2, -0.2)
    assert claim((-0.05, 0.05), part(0.01, 0.01), part(-0.04, -0.04)).shown == part(-0.04, -0.04)
    assert claim((0, INF)).shown is None


@pytest.fixture(scope="module")
def hard(cell: Make, join: Make) -> pd.DataFrame:
    """Return trials of very different difficulty."""
    levels = np.repeat([0.1, 0.5, 0.9, 0.3], 3)
    told = {"trial": np.repeat(range(4), 3), "signal": [0, 1, 2] * 4, "points": 3}
    return join(cell(levels, **told), cell(levels, k=20, **told))


def test_differences_are_taken_by_signal_and_trial(hard: pd.DataFrame) -> None:
    better = hard.assign(squared_cosine=hard["squared_cosine"] + 0.05)
    found = difference(
        "", scored(with_scores(better.sample(frac=1, random_state=0))), scored(with_scores(hard))
    )
    assert found is not None
    assert found.trials == pytest.approx([0.05] * 4)
    assert found.interval() == pytest.approx((0.05, 0.05))
    assert (found.signals, found.pools) == (24, (10, 20))


def test_only_common_signals_are_compared(hard: pd.DataFrame) -> None:
    few = hard[hard["signal"] == 0]
    rest = hard.assign(squared_cosine=hard["squared_cosine"].where(hard["signal"] == 0, 0.0))
    found = difference("", scored(with_scores(few)), scored(with_scores(rest)))
    assert found is not None
    assert found.estimate == 0
    assert found.signals == 8


def test_pools_that_not_every_trial_has_are_left_out(hard: pd.DataFrame) -> None:
    partial = hard[(hard["n_pools"] == 10) | (hard["trial"] > 0)]
    found = mean("", scored(with_scores(partial)))
    assert found is not None
    assert found.pools == (10,)
    assert len(found.trials) == 4
    assert mean("", scored(with_scores(hard[:0]))) is None


def test_what_failed_counts_as_zero_and_what_is_unsupported_not_at_all(
    cell: Make, join: Make
) -> None:
    states = ["done", "failed", "unsupported", "pending"]
    found = mean("", scored(with_scores(join(cell([1.0, np.nan, np.nan, np.nan], status=states)))))
    assert found is not None
    assert (found.estimate, found.signals) == (0.5, 2)
