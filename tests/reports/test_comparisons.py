"""Two solvers and many: against scipy, published examples and brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from benchbase import Array
from benchbase_reports.statistics import (
    compare_pairs,
    friedman,
    pareto_front,
    performance_profiles,
)
from benchbase_reports.statistics.many import nemenyi
from benchbase_reports.statistics.paired import signed_rank
from benchbase_reports.statistics.ranks import rank, rank_intervals

# Two solvers -------------------------------------------------------------------------------------


def compared(gap: Array, trial: Array, base: float = 0.2) -> Any:
    b = pd.Series(np.full(len(gap), base))
    return compare_pairs(b + gap, b, pd.Series(trial, dtype=int))


def test_the_difference_is_tested_over_trials() -> None:
    rng = np.random.default_rng(0)
    trial = np.repeat(np.arange(6), 10)
    gap = 0.1 + 0.05 * rng.standard_normal(6)[trial] + 0.1 * rng.standard_normal(60)
    found = compared(gap, trial)
    means = pd.Series(gap).groupby(trial).mean()
    wanted = stats.ttest_1samp(means, 0)
    interval = wanted.confidence_interval(0.95)
    assert found["p"] == pytest.approx(wanted.pvalue)
    # The bootstrap's ends are those of Student's interval but for its 9999 resamples.
    slack = float(0.04 * (interval.high - interval.low))
    assert found["low"] == pytest.approx(interval.low, abs=slack)
    assert found["high"] == pytest.approx(interval.high, abs=slack)
    assert (found["signals"], found["trials"], found["one_frame"]) == (60, 6, False)
    assert found["wins"] + found["losses"] + found["ties"] == pytest.approx(1)


def test_one_trial_is_tested_over_its_signals() -> None:
    gap = np.random.default_rng(1).standard_normal(12) / 10
    found = compared(gap, np.zeros(12, int))
    assert found["one_frame"]
    assert found["p"] == pytest.approx(stats.ttest_1samp(gap, 0).pvalue)
    assert found["wilcoxon_p"] == pytest.approx(stats.wilcoxon(gap, method="exact").pvalue)


@pytest.mark.parametrize(("gap", "p"), [(0.0, 1.0), (0.25, 0.0)])
def test_constant_differences_give_no_nan(gap: float, p: float) -> None:
    found = compared(np.full(20, gap), np.repeat(np.arange(4), 5))
    assert [found[name] for name in ("difference", "low", "high", "p")] == [gap, gap, gap, p]
    assert found["wilcoxon_p"] == (1.0 if gap == 0 else 2 / 16)
    assert found["wins"] == float(gap > 0)


def test_without_signals_nothing_is_said() -> None:
    found = compared(np.zeros(0), np.zeros(0, int))
    assert found["signals"] == 0
    assert np.isnan([found["difference"], found["p"], found["wilcoxon_p"]]).all()


def test_differences_of_rounding_are_ties() -> None:
    found = compared(np.array([1e-4, -1e-4, 0.1, 0.1]), np.arange(4))
    assert (found["wins"], found["losses"], found["ties"]) == (0.5, 0.0, 0.5)


@pytest.mark.parametrize("size", [10, 40])
def test_with_a_signal_a_cluster_the_signed_rank_test_is_wilcoxons(size: int) -> None:
    gap = np.random.default_rng(size).standard_normal(size) + 0.3
    method: Any = {10: {"method": "exact"}, 40: {"method": "approx", "correction": False}}[size]
    wanted = stats.wilcoxon(gap, **method).pvalue
    assert signed_rank(gap, np.arange(size)) == pytest.approx(wanted)


def test_the_clustered_signed_rank_test_holds_its_level() -> None:
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(10), 8)
    found = [
        signed_rank(rng.standard_normal(10)[cluster] + rng.standard_normal(80), cluster)
        for _ in range(300)
    ]
    assert 0.01 <= np.mean(np.array(found) <= 0.05) <= 0.09


# Many solvers ------------------------------------------------------------------------------------


def test_friedman_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(3)
    better = np.array([0, 1, 0, 2])
    table = pd.DataFrame(rng.integers(0, 5, (14, 4)) + better, columns=[*"abcd"])
    found = friedman(table)
    wanted = stats.friedmanchisquare(*(table[name] for name in table))
    assert (found.statistic, found.p) == pytest.approx((wanted.statistic, wanted.pvalue))
    ranks = stats.rankdata(-table.to_numpy(), axis=1).mean(axis=0)
    assert found.ranks[[*"abcd"]].tolist() == pytest.approx(ranks.tolist())
    # Demšar (2006), section 3.2.2: four classifiers, fourteen data sets.
    assert found.problems == 14
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)


@pytest.mark.parametrize(
    ("k", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (10, 3.164)],
)
def test_critical_values_are_those_of_demsars_table(k: int, q: float) -> None:
    assert nemenyi(k) == pytest.approx(q, abs=1e-3)


def test_equal_solvers_do_not_differ() -> None:
    found = friedman(pd.DataFrame(np.ones((5, 3)), columns=[*"abc"]))
    assert (found.statistic, found.p) == (0.0, 1.0)
    assert found.ranks.tolist() == [2.0, 2.0, 2.0]
    assert np.isnan(friedman(pd.DataFrame({"a": [1.0]})).p)


def test_a_performance_profile_by_hand() -> None:
    costs = pd.DataFrame({"a": [1.0, 2, np.inf, np.inf], "b": [2.0, 1, 5, np.inf]})
    profile = performance_profiles(costs)
    assert profile.index.tolist() == [1.0, 2.0]
    assert profile["a"].tolist() == [0.25, 0.5]
    assert profile["b"].tolist() == [0.5, 0.75]


@given(hnp.arrays(float, (6, 3), elements=st.sampled_from([1.0, 2.0, 3.0, 7.0, np.inf])))
def test_a_profile_ends_at_the_share_solved(costs: Array) -> None:
    profile = performance_profiles(pd.DataFrame(costs))
    assert profile.index[0] == 1
    assert (profile.diff().dropna() >= 0).to_numpy().all()
    np.testing.assert_allclose(profile.iloc[-1], np.isfinite(costs).mean(axis=0))


points = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9)


@given(points)
def test_the_pareto_front_is_what_nothing_dominates(places: list[tuple[int, int]]) -> None:
    cost, value = np.array(places, float).T

    def dominated(i: int) -> bool:
        weak = (cost <= cost[i]) & (value >= value[i])
        return bool((weak & ((cost < cost[i]) | (value > value[i]))).any())

    wanted = [not dominated(i) for i in range(len(places))]
    assert pareto_front(cost, value).tolist() == wanted


def test_what_is_not_known_is_not_in_the_front() -> None:
    found = pareto_front(np.array([1.0, np.nan, 2.0]), np.array([0.5, 1.0, np.nan]))
    assert found.tolist() == [True, False, False]


@given(points)
def test_ranks_are_those_of_scipy(places: list[tuple[int, int]]) -> None:
    first, second = np.array(places, float).T
    assert rank(first, second).tolist() == [
        int(each) for each in stats.rankdata(10 * first + second, method="min")
    ]


def test_rank_intervals_count_who_is_surely_ahead() -> None:
    resamples = np.array([[1, 2, 3]] * 60 + [[2, 1, 3]] * 40)
    low, high = rank_intervals(resamples, np.array([1, 2, 3]))
    assert low.tolist() == [1, 1, 3]
    assert high.tolist() == [2, 2, 3]
