"""How often intervals of ranks hold true ranks, in simulations; all cases but one by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchbase import Array
from benchbase_reports.leaderboard import ranking
from benchbase_reports.leaderboard.ranking import rank_solvers
from benchbase_reports.statistics.bootstrap import multipliers
from benchbase_reports.statistics.logistic import logit

GRID = np.arange(20.0, 70, 5)
WIDTH = 2.5  # pools for a factor of e in the odds
SIGNALS = 25


def rank_coverage(k95: Array, trials: int, repeats: int) -> tuple[dict[str, float], float]:
    """Return shares of solvers and repeats in which intervals hold true ranks, and their width.

    Success follows a logistic curve in K. Frames shift the curves of all solvers by 1.5 pools
    (standard deviation) and that of each solver by 1 more.

    Returns
    -------
    held : dict
        "rank": the rank that the leaderboard would give, solvers of the same K95 sharing the least;
        "all ranks": each rank that a solver of the same K95 as others may be given.
    width : float
        Mean of the highest less the lowest rank.
    """
    rng = np.random.default_rng(0)
    solvers, middle = len(k95), k95 - WIDTH * logit(0.95)
    first = 1 + (k95 < k95[:, None] - 1e-9).sum(axis=1)
    last = (k95 <= k95[:, None] + 1e-9).sum(axis=1)
    held, width = np.zeros(2), 0.0
    for _ in range(repeats):
        shift = 1.5 * rng.standard_normal((1, trials, 1))
        shift = shift + rng.standard_normal((solvers, trials, 1))
        rate = 1 / (1 + np.exp(-(GRID - middle[:, None, None] - shift) / WIDTH))
        wins = rng.binomial(SIGNALS, rate).astype(float)
        sizes = np.full(wins.shape, float(SIGNALS))
        found = rank_solvers(GRID, wins, sizes, np.ones(solvers, bool))
        least = found.rank_low <= first
        each = [least & (found.rank_high >= first), least & (found.rank_high >= last)]
        held += [np.mean(e) / repeats for e in each]
        width += np.mean(found.rank_high - found.rank_low) / repeats
    return dict(zip(("rank", "all ranks"), held.tolist(), strict=True)), float(width)


REPEATS = 400  # of six solvers each, or twenty, at the same trials
K95 = {
    "the same": np.full(6, 45.0),
    "close": np.linspace(42, 48, 6),
    "far": np.linspace(28, 62, 6),
    "in pairs": np.array([38.0, 38, 45, 45, 52, 52]),
    "the same, of 20": np.full(20, 45.0),
    "far, of 20": np.linspace(28, 62, 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("trials", [4, 10, 50])
@pytest.mark.parametrize("case", K95)
def test_intervals_of_ranks_hold_them(case: str, trials: int) -> None:
    held, width = rank_coverage(K95[case], trials, REPEATS)
    print(f"{trials} trials, {case}: {held}, {width:.2f} ranks wide")  # noqa: T201 # the figures are to be quoted
    assert held["all ranks"] >= 0.92


@pytest.mark.slow
@pytest.mark.parametrize(("solvers", "told"), [(6, 0.81), (20, 0.54)])
def test_without_the_correction_for_comparisons_fewer_ranks_are_held(
    solvers: int, told: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the page on statistics says of solvers that are all the same."""
    monkeypatch.setattr(ranking, "multipliers", lambda trials, n, _=1: multipliers(trials, n))
    held, _ = rank_coverage(np.full(solvers, 45.0), 10, REPEATS)
    print(f"{solvers} solvers, each comparison at 95 %: {held}")  # noqa: T201 # as above
    assert held["all ranks"] == pytest.approx(told, abs=0.05)


@pytest.mark.parametrize("trials", [4, 10])
def test_intervals_of_ranks_hold_them_where_solvers_are_the_same(trials: int) -> None:
    """The hardest case; its standard error is .02."""
    held, _ = rank_coverage(np.full(4, 45.0), trials, 60)
    assert held["all ranks"] >= 0.9


def test_ranks_are_told_apart_where_solvers_are_far_apart() -> None:
    _, width = rank_coverage(np.array([25.0, 45.0, 65.0]), 10, 5)
    assert width == 0
