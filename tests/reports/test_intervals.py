"""Means, shares and medians with intervals: against scipy, closed forms and simulations."""

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
from benchbase_reports.statistics import means, medians, recovery_areas, success_rates
from benchbase_reports.statistics.bootstrap import multipliers
from benchbase_reports.statistics.intervals import mean_interval, median_interval, share_interval

scores = hnp.arrays(float, st.integers(2, 30), elements=st.floats(0, 1, width=32))


@given(scores)
def test_a_mean_has_students_interval(values: Array) -> None:
    value, low, high = mean_interval(values)
    assert value == pytest.approx(values.mean())
    if np.ptp(values) > 1e-6:
        wanted = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        assert (low, high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


@given(st.integers(0, 60), st.integers(1, 60))
def test_without_clusters_a_share_has_wilsons_interval(wins: int, losses: int) -> None:
    signals = np.arange(wins + losses) < wins
    found = share_interval(signals * 1.0, np.ones(len(signals)))
    wanted = stats.binomtest(wins, wins + losses).proportion_ci(0.95, "wilson")
    assert [*map(float, found)] == pytest.approx([wins / len(signals), wanted.low, wanted.high])


def test_a_clustered_share_is_wilsons_for_the_effective_sample_size() -> None:
    shares = np.array([0.2, 0.5, 0.4, 0.7, 0.3])
    p, t = shares.mean(), stats.t(4).ppf(0.975)
    z = stats.norm.ppf(0.975)
    n = p * (1 - p) / (shares.var(ddof=1) / 5) * (z / t) ** 2
    centre, half = (p + z**2 / (2 * n)), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = share_interval(shares, np.full(5, 50))
    wanted = [p, (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)]
    assert [*map(float, found)] == pytest.approx(wanted)


@given(st.integers(2, 60), st.floats(0, 1))
def test_equal_values_have_intervals_without_nan(count: int, value: float) -> None:
    assert [*mean_interval(np.full(count, value))] == [value] * 3
    found = median_interval(np.full((1, count), value), np.arange(count)[None] % 2)
    assert [float(each[0]) for each in found] == [value] * 3


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_none_recovered_is_as_sure_as_frames_can_make_it(share: float) -> None:
    """Frames of 41 signals that all agree count for a third: the design effect 1 + .05 · 40."""
    value, low, high = share_interval(np.full(6, share), np.full(6, 41))
    assert value == share
    wanted = stats.binomtest(round(82 * share), 82).proportion_ci(0.95, "wilson")
    assert (low, high) == pytest.approx((wanted.low, wanted.high))


def test_one_bad_frame_among_good_ones_widens_the_interval() -> None:
    good = share_interval(np.full(10, 1.0), np.full(10, 50))
    bad = share_interval(np.array([0.98] + [1.0] * 9), np.full(10, 50))
    assert bad.low < good.low
    n = 500 / (1 + 0.05 * 0.9 * 49)
    p, z = 0.998, stats.norm.ppf(0.975)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert float(bad.low) == pytest.approx((p + z**2 / (2 * n) - half) / (1 + z**2 / n))


def test_one_cluster_has_no_interval_and_none_has_nothing() -> None:
    value, low, high = mean_interval(np.array([[0.5, np.nan], [np.nan, np.nan]]))
    np.testing.assert_array_equal(value, [0.5, np.nan])
    assert np.isnan([low, high]).all()
    assert np.isnan(share_interval(np.full(2, np.nan), np.zeros(2))).all()


def test_the_median_of_independent_signals_has_an_interval_by_order_statistics() -> None:
    values = np.arange(101.0)
    found = median_interval(values[None], np.arange(101)[None])
    half = stats.t(100).ppf(0.975) * 0.5 / np.sqrt(101)
    assert [float(each[0]) for each in found] == pytest.approx(
        [50, 50 - 100 * half, 50 + 100 * half]
    )


def test_rows_of_a_batch_do_not_know_of_each_other() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((3, 40))
    values[1, 20:] = np.nan
    cluster = rng.integers(0, 5, values.shape)
    together = median_interval(values, cluster)
    for row in range(3):
        there = ~np.isnan(values[row])
        alone = median_interval(values[row, there][None], cluster[row, there][None])
        np.testing.assert_allclose([e[row] for e in together], np.array(alone)[:, 0])


def test_the_quantiles_of_resamples_are_students() -> None:
    values = np.random.default_rng(1).standard_normal(5)
    moved = multipliers(5, 100_000) @ (values - values.mean()) / 5
    wanted = stats.t(4).ppf(0.975) * values.std(ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(np.quantile(moved, [0.025, 0.975]), [-wanted, wanted], rtol=0.02)
    assert not multipliers(1, 10).any()


def signals(trials: int, each: int, **columns: Any) -> pd.DataFrame:
    told: dict[str, Any] = {"seed": 0, "trial": np.repeat(np.arange(trials), each), "label": "a"}
    return pd.DataFrame(told | columns)


def test_frames_of_signals_have_a_row_a_group() -> None:
    rng = np.random.default_rng(2)
    values = rng.random(40)
    frame = signals(4, 10, score=values, won=(values > 0.5) * 1.0)
    frame.loc[39, "score"] = np.nan
    one = frame[frame["trial"] == 0].assign(label="b")
    table = means(pd.concat([frame, one]), ["label"])
    assert table["label"].tolist() == ["a", "b"]
    assert table["signals"].tolist() == [39, 10]
    assert table["one_frame"].tolist() == [False, True]
    wanted = frame.groupby("trial")["score"].mean()
    assert float(table["score"].iloc[0]) == pytest.approx(float(wanted.mean()))
    tested: Any = stats.ttest_1samp(one["score"], 0)
    interval = tested.confidence_interval(0.95)
    assert [table["low"][1], table["high"][1]] == pytest.approx([interval.low, interval.high])
    assert success_rates(one, ["label"])["won"][0] == one["won"].mean()
    assert medians(one, ["label"])["score"][0] == one["score"].median()


def test_the_area_under_a_curve() -> None:
    curve = pd.DataFrame({"label": "a", "n_pools": [30, 10, 20], "success": [1.0, 0.0, 0.5]})
    single = pd.DataFrame({"label": "b", "n_pools": [10], "success": [0.25]})
    table = recovery_areas(pd.concat([curve, single]), ["label"])
    assert table["area"].tolist() == [0.5, 0.25]
    rng = np.random.default_rng(3)
    k, y = np.cumsum(rng.random(9)), rng.random(9)
    other = pd.DataFrame({"label": "c", "n_pools": k, "success": y})
    found = recovery_areas(other, ["label"])["area"][0]
    assert found == pytest.approx(np.trapezoid(y, k) / (k[-1] - k[0]))


# Coverage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("trials", [4, 10, 50])
def test_intervals_hold_what_they_should(trials: int) -> None:
    """A thousand data sets of 20 signals a trial; the standard error of a coverage is .007."""
    rng, repeats, each = np.random.default_rng(4), 1000, 20
    rate = rng.beta(8, 8, (repeats, trials, 1))  # trials differ: intraclass correlation 1/17
    won = (rng.random((repeats, trials, each)) < rate) * 1.0
    shift = 0.05 * rng.standard_normal((repeats, trials, 1))
    value = 0.5 + shift + 0.1 * rng.standard_normal((repeats, trials, each))
    flat = value.reshape(repeats, -1)
    owner = np.broadcast_to(np.repeat(np.arange(trials), each), flat.shape)
    found = {
        "share": share_interval(won.mean(axis=2), np.full((repeats, trials), each)),
        "mean": mean_interval(value.mean(axis=2)),
        "median": median_interval(flat, owner),
    }
    for name, (_, low, high) in found.items():
        held = np.mean((low <= 0.5) & (high >= 0.5))
        assert 0.92 <= held <= 0.98, name
