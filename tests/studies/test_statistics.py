"""How often the intervals of means, shares and medians hold the truth; a minute, by hand."""

import numpy as np
import pytest

from benchbase_reports.statistics.bootstrap import multipliers
from benchbase_reports.statistics.intervals import mean_interval, median_interval, share_interval

pytestmark = pytest.mark.slow

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
