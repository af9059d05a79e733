"""How often the intervals of means, shares and medians hold the truth; a minute, by hand."""

import re
from pathlib import Path

import numpy as np
import pytest

from benchbase_reports.statistics import intervals
from benchbase_reports.statistics.bootstrap import multipliers
from benchbase_reports.statistics.intervals import mean_interval, median_interval, share_interval

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
REPEATS = 4000  # the standard error of a coverage of .95 is .0034
EACH = 50


@pytest.mark.parametrize("trials", [4, 10, 50])
@pytest.mark.parametrize("rate", [0.5, 0.8])
@pytest.mark.parametrize("correlation", [0.02, 0.1])
def test_intervals_hold_the_truth(trials: int, rate: float, correlation: float) -> None:
    rng = np.random.default_rng(0)
    size = (1 - correlation) / correlation
    shares = rng.beta(rate * size, (1 - rate) * size, (REPEATS, trials))
    won = rng.binomial(EACH, shares) / EACH
    spread = np.sqrt(correlation)
    shift = spread * rng.standard_normal((REPEATS, trials, 1))
    value = shift + np.sqrt(1 - spread**2) * rng.standard_normal((REPEATS, trials, EACH))
    means = value.mean(axis=2)
    owner = np.broadcast_to(np.repeat(np.arange(trials), EACH), (REPEATS, trials * EACH))
    away = means - means.mean(axis=1, keepdims=True)
    moved = np.quantile(multipliers(trials, 1999) @ away.T / trials, [0.025, 0.975], axis=0)
    ends = {
        "share": (*share_interval(won, np.full(won.shape, EACH))[1:], rate),
        "mean": (*mean_interval(means)[1:], 0.0),
        "median": (*median_interval(value.reshape(REPEATS, -1), owner)[1:], 0.0),
        "bootstrap": (*(means.mean(axis=1) + moved), 0.0),
    }
    held = {n: float(np.mean((low <= v) & (v <= high))) for n, (low, high, v) in ends.items()}
    print(f"{trials} trials, {rate}, correlation {correlation}: {held}")  # noqa: T201 # the figures are to be quoted
    assert all(0.92 <= share <= 0.98 for share in held.values())


@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize(
    ("rate", "correlation"),
    [(0.98, 0.02), (0.98, 0.1), (0.98, 0.4), (0.9, 0.1), (0.9, 0.4), (0.8, 0.4)],
)
def test_shares_near_1_are_held_as_often_as_the_page_says(
    rate: float, correlation: float, column: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "statistics.rst").read_text("utf-8")
    head = f"{rate:g}, {correlation:g}".replace("0.", ".")
    (row,) = re.findall(rf"(?m)^{re.escape(head)}  +(.*)$", page)
    told = [float(number) / 100 for number in re.findall(r"[\d.]+", row)[2 * column :][:2]]
    trials, repeats, size = (4, 10, 50)[column], 8000, (1 - correlation) / correlation
    rng = np.random.default_rng(1)
    shares = rng.beta(rate * size, (1 - rate) * size, (repeats, trials))
    won = rng.binomial(EACH, shares) / EACH
    for bound, share in zip((intervals.LEAST_CORRELATION, 0.0), told, strict=True):
        monkeypatch.setattr(intervals, "LEAST_CORRELATION", bound)
        _, low, high = intervals.share_interval(won, np.full(won.shape, EACH))
        assert np.mean((low <= rate) & (rate <= high)) == pytest.approx(share, abs=0.015)
