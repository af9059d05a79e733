from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize

from benchbase_reports.statistics.logistic import LEVELS, bracket, fit_many, logit
from benchbase_reports.transitions import COLUMNS, find_crossings, transitions

Array = npt.NDArray[Any]
Make = Callable[..., pd.DataFrame]
SIZE = 20
GRID = np.array([10.0, 14.0, 20.0, 22.0])


def curve(shares: list[float], trials: int = 1) -> tuple[Array, Array]:
    """Return successes and signals of trials that all have the same shares of 20 signals."""
    successes = np.tile(np.array(shares) * SIZE, (trials, 1))
    return successes, np.full(successes.shape, float(SIZE))


def crossings(shares: list[float], grid: Array = GRID, trials: int = 1) -> dict[str, Any]:
    return {**find_crossings(grid, *curve(shares, trials))}


class Curve:
    """The fit of one solver."""

    def __init__(self, pools: Array, successes: Array, sizes: Array) -> None:
        self.fits = fit_many(pools, successes[None], sizes[None])
        self.centre, self.scale = float(self.fits.centre[0]), float(self.fits.scale[0])
        self.beta, self.model, self.robust = (
            each[0] for each in (self.fits.beta, self.fits.model, self.fits.robust)
        )

    def reach(self, gradient: Array) -> float:
        return float(self.fits.reach(gradient[None])[0])


# The fit -----------------------------------------------------------------------------------------


@given(wins=st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)))
def test_two_pools_have_the_closed_form_of_half_a_success_more(wins: tuple[int, int]) -> None:
    """A saturated model: the penalty is Jeffreys' prior, one for each share."""
    assume(0 < sum(wins) < 2 * SIZE)  # else there is nothing to fit
    found = Curve(np.array([3.0, 7.0]), np.array([wins], float), np.full((1, 2), float(SIZE)))
    wanted = [math.log((w + 0.5) / (SIZE - w + 0.5)) for w in wins]
    logits = found.beta[0] + found.beta[1] * np.array([-1.0, 1.0])
    assert logits == pytest.approx(wanted, abs=1e-8)


SHARES = [[0.1, 0.3, 0.75, 0.9], [0.0, 0.0, 1.0, 1.0], [0.0, 0.05, 0.0, 0.0], [0.9, 0.4, 0.2, 0.1]]


@pytest.mark.parametrize("shares", SHARES)
def test_the_fit_is_the_maximum_of_the_penalised_likelihood(shares: list[float]) -> None:
    successes, sizes = curve(shares, 2)
    found = Curve(GRID, successes, sizes)
    x = np.stack([np.ones(4), (GRID - found.centre) / found.scale], axis=1)

    def negative(beta: Array) -> float:
        p = 1 / (1 + np.exp(-x @ beta))
        likelihood = (successes * np.log(p) + (sizes - successes) * np.log1p(-p)).sum()
        information = x.T @ np.diag(sizes.sum(axis=0) * p * (1 - p)) @ x
        return -float(likelihood + np.log(np.linalg.det(information)) / 2)

    best = minimize(negative, np.zeros(2), method="Nelder-Mead", tol=1e-10)
    assert found.beta == pytest.approx(best.x, abs=1e-4)
    assert negative(found.beta) <= best.fun + 1e-9


def test_the_models_variance_is_the_curvature_of_the_likelihood() -> None:
    successes, sizes = curve([0.1, 0.3, 0.75, 0.9])
    found = Curve(GRID, successes, sizes)
    x = np.stack([np.ones(4), (GRID - found.centre) / found.scale], axis=1)

    def likelihood(beta: Array) -> float:
        eta = x @ beta
        return float((successes * eta - sizes * np.log1p(np.exp(eta))).sum())

    h, steps = 1e-3, np.eye(2)
    hessian = np.array(
        [
            [
                sum(
                    s * t * likelihood(found.beta + h * (s * a + t * b))
                    for s in (-1, 1)
                    for t in (-1, 1)
                )
                / (4 * h * h)
                for b in steps
            ]
            for a in steps
        ]
    )
    np.testing.assert_allclose(np.linalg.inv(-hessian), found.model, rtol=1e-4)


def test_the_sandwich_is_that_of_the_trials() -> None:
    """Trials that are alike have none; signals that are all doubled have the same."""
    assert np.abs(Curve(GRID, *curve([0.1, 0.3, 0.75, 0.9], 4)).robust).max() < 1e-12
    rng = np.random.default_rng(0)
    successes = rng.binomial(500, [0.1, 0.3, 0.75, 0.9], (5, 4)).astype(float)
    sizes = np.full(successes.shape, 500.0)
    once, twice = Curve(GRID, successes, sizes), Curve(GRID, 2 * successes, 2 * sizes)
    np.testing.assert_allclose(twice.robust, once.robust, rtol=0.01)
    np.testing.assert_allclose(2 * twice.model, once.model, rtol=0.01)


def test_the_sandwich_of_a_mean_is_that_of_its_trials() -> None:
    """At the centre of two pools that are alike, the logit is that of the mean share."""
    shares = np.array([[0.2], [0.4], [0.5], [0.3]])
    successes = np.round(np.tile(shares, (1, 2)) * 10_000)
    found = Curve(np.array([1.0, 2.0]), successes, np.full((4, 2), 10_000.0))
    error = shares.std(ddof=1) / 2 / (0.35 * 0.65)  # of the logit, by the delta method
    assert math.sqrt(found.robust[0, 0]) == pytest.approx(error, rel=1e-3)
    t = 3.182446  # of 3 degrees of freedom
    assert found.reach(np.array([1.0, 0.0])) == pytest.approx(t * error, rel=1e-3)


def test_the_larger_of_two_variances_counts() -> None:
    found = Curve(GRID, *curve([0.1, 0.3, 0.75, 0.9], 4))
    gradient = np.array([1.0, -0.5])
    model = math.sqrt(gradient @ found.model @ gradient)
    assert found.reach(gradient) == pytest.approx(3.182446 * model, rel=1e-5)


def test_one_trial_has_the_normal_interval_of_the_model() -> None:
    found = Curve(GRID, *curve([0.1, 0.3, 0.75, 0.9]))
    assert found.reach(np.array([1.0, 0.0])) == pytest.approx(
        1.959964 * math.sqrt(found.model[0, 0]), rel=1e-5
    )


def test_trials_without_a_signal_do_not_count() -> None:
    successes, sizes = curve([0.1, 0.3, 0.75, 0.9], 3)
    padded = [np.vstack([part, np.zeros(4)]) for part in (successes, sizes)]
    assert find_crossings(GRID, *padded) == find_crossings(GRID, successes, sizes)


def test_the_interval_of_a_crossing_is_that_of_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    grid = np.arange(10.0, 50, 5)
    successes = rng.binomial(SIZE, expit((grid - 25) / 4), (4, len(grid))).astype(float)
    sizes = np.full(successes.shape, float(SIZE))
    found, crossing = Curve(grid, successes, sizes), find_crossings(grid, successes, sizes)["K95"]

    def place(beta: Array) -> float:
        return float(found.centre + found.scale * (logit(0.95) - beta[0]) / beta[1])

    gradient = np.array(
        [(place(found.beta + h) - place(found.beta - h)) / 2e-6 for h in 1e-6 * np.eye(2)]
    )
    half = found.reach(gradient)
    assert crossing.value == pytest.approx(place(found.beta))
    assert 10 < crossing.value - half < crossing.value + half < 45
    assert (crossing.low, crossing.high) == pytest.approx(
        (crossing.value - half, crossing.value + half), rel=1e-6
    )


# The rules ---------------------------------------------------------------------------------------

COUNTS = st.tuples(st.integers(1, 4), st.integers(1, 6)).flatmap(
    lambda shape: hnp.arrays(int, shape, elements=st.integers(0, 7))
)


@settings(max_examples=150)
@given(counts=COUNTS)
def test_nothing_is_read_off_outside_the_grid(counts: Array) -> None:
    grid = np.arange(counts.shape[1]) * 3.0 + 20
    found = find_crossings(grid, counts.astype(float), np.full(counts.shape, 7.0))
    for crossing in found.values():
        value, low, high = crossing.value, crossing.low, crossing.high
        assert math.isnan(value) or math.isinf(value) or grid[0] <= value <= grid[-1]
        assert low == 0 or grid[0] <= low <= grid[-1]
        assert math.isinf(high) or grid[0] <= high <= grid[-1]
        assert math.isnan(value) or low <= value <= high
    k50, k95 = found["K50"].value, found["K95"].value
    assert math.isnan(k50) or math.isnan(k95) or k50 <= k95


@settings(max_examples=30)
@given(counts=COUNTS, seed=st.integers(0, 99))
def test_neither_unit_nor_order_of_trials_matters(counts: Array, seed: int) -> None:
    grid, sizes = np.arange(counts.shape[1]) * 3.0 + 20, np.full(counts.shape, 7.0)
    shuffled = np.random.default_rng(seed).permutation(counts)
    ours = find_crossings(grid, counts.astype(float), sizes)
    theirs = find_crossings(5 * grid, shuffled.astype(float), sizes)
    for name in LEVELS:
        for field in ("value", "low", "high"):
            mine, other = getattr(ours[name], field), getattr(theirs[name], field)
            assert other == pytest.approx(5 * mine, rel=1e-6, nan_ok=True)


def test_a_transition_between_the_ends_is_inside() -> None:
    for trials in (1, 4):
        found = crossings([0.05, 0.3, 0.9, 1.0], trials=trials)
        assert 14 < found["K50"].value < 20
        assert 20 < found["K95"].value < 22
        assert all(10 < each.low < each.value < each.high for each in found.values())
        assert found["K50"].high < 20


def test_separated_successes_have_finite_estimates_and_the_gap_as_interval() -> None:
    for trials in (1, 4):
        found = crossings([0, 0, 1, 1], trials=trials)
        assert found["K50"].value == pytest.approx(17, abs=0.6)
        assert 17 < found["K95"].value < 20
        for crossing in found.values():
            assert crossing.low <= 14
            assert 20 <= crossing.high < math.inf


def test_with_one_mixed_pool_the_interval_reaches_the_next() -> None:
    """K95 may be anywhere between 14 and 20, however steep the curve is that fits best."""
    found = crossings([0, 0.6, 1, 1], trials=10)
    assert found["K95"].low <= 14
    assert found["K95"].high >= 20
    assert found["K50"].low <= 10
    assert found["K50"].high < 15


def test_what_never_reaches_a_level_is_above_the_largest() -> None:
    found = crossings([0, 0, 0, 0])
    assert {vars(each).values().__repr__() for each in found.values()} == {
        "dict_values([inf, 22.0, inf])"
    }
    found = crossings([0.1, 0.2, 0.3, 0.6], trials=5)
    assert 20 < found["K50"].value < 22
    assert (found["K95"].value, found["K95"].low, found["K95"].high) == (math.inf, 22, math.inf)


def test_near_the_largest_the_interval_begins_before_it() -> None:
    found = crossings([0.1, 0.4, 0.8, 0.9])["K95"]
    assert math.isinf(found.value)
    assert 14 < found.low < 22
    assert math.isinf(found.high)


def test_what_always_succeeds_is_at_or_below_the_least() -> None:
    found = crossings([1, 1, 1, 1])
    assert [(each.value, each.low, each.high) for each in found.values()] == [(10, 0, 10)] * 2
    found = crossings([1, 1, 0.95, 1], trials=5)
    assert (found["K50"].value, found["K50"].low, found["K50"].high) == (10, 0, 10)
    assert (found["K95"].value, found["K95"].low) == (10, 0)
    assert found["K95"].high > 10


def test_an_interval_that_leaves_the_grid_ends_where_the_grid_tells() -> None:
    """A plateau: the slope is not known, but that 10 pools are not enough is."""
    found = crossings([0.6, 0.7, 0.7, 0.8], trials=4)["K95"]
    assert (found.value, found.high) == (math.inf, math.inf)
    assert found.low in (20, 22)


def test_what_does_not_grow_has_no_crossing() -> None:
    found = crossings([0.9, 0.6, 0.4, 0.1])
    assert math.isnan(found["K50"].value)
    assert (found["K50"].low, found["K50"].high) == (0, math.inf)
    assert math.isinf(found["K95"].value)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (1.0, [(10, 0, 10), (10, 0, 10)]),
        (0.0, [(math.inf, 10, math.inf)] * 2),
        (0.8, [(10, 0, math.inf), (math.inf, 0, math.inf)]),
    ],
)
def test_a_single_number_of_pools_says_which_side(
    share: float, expected: list[tuple[float, float, float]]
) -> None:
    found = crossings([share], np.array([10.0]))
    assert [(each.value, each.low, each.high) for each in found.values()] == expected


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.1, 0.94, 0.95, 1.0], (14, 20)),
        ([0.1, 0.96, 0.9, 1.0], (20, 22)),
        ([1.0, 1.0, 1.0, 1.0], (0, 10)),
        ([0.1, 0.96, 1.0, 0.9], (22, math.inf)),
    ],
)
def test_the_bracket_is_read_off_the_grid(
    shares: list[float], expected: tuple[float, float]
) -> None:
    last, first = bracket(GRID, np.array([shares]), 0.95)
    assert (last[0], first[0]) == expected


def expit(eta: Array) -> Array:
    probability: Array = 1 / (1 + np.exp(-eta))
    return probability


def coverage(
    trials: int, spread: float, *, repeats: int, width: float = 2.5, seed: int = 0
) -> float:
    """Return how often the interval of K95 holds it, in trials whose curves are shifted."""
    rng, grid, sizes = np.random.default_rng(seed), np.arange(26.0, 66, 4), 50
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    fine = np.linspace(30, 60, 3001)
    middle = 45 - width * logit(0.95)
    mean = expit((fine[:, None] - middle - spread * nodes) / width) @ weights / weights.sum()
    truth = float(np.interp(0.95, mean, fine))  # of the mean over all frames
    held = 0
    for _ in range(repeats):
        shift = spread * rng.standard_normal((trials, 1))
        wins = rng.binomial(sizes, expit((grid - middle - shift) / width)).astype(float)
        found = find_crossings(grid, wins, np.full(wins.shape, float(sizes)))["K95"]
        held += found.low <= truth <= found.high
    return held / repeats


@pytest.mark.parametrize("trials", [4, 10])
def test_intervals_hold_the_truth_as_often_as_they_say(trials: int) -> None:
    """More in tests/studies: this is one spread of frames, and few repeats."""
    assert 0.92 <= coverage(trials, 1.5, repeats=400) <= 0.98


# The table ---------------------------------------------------------------------------------------


def grid_of(cell: Make, shares: dict[int, list[float]], **others: Any) -> list[pd.DataFrame]:
    """Return cells of 20 signals; by K, the share of each trial that is recovered."""
    return [
        cell(np.arange(SIZE) < round(share * SIZE), k=k, trial=trial, **others)
        for k, row in shares.items()
        for trial, share in enumerate(row)
    ]


SHARES_BY_K = {10: [0.0, 0.1], 20: [0.4, 0.6], 30: [0.9, 1.0], 40: [1.0, 1.0]}


def only(table: pd.DataFrame) -> Any:
    assert len(table) == 1
    return table.iloc[0]


def test_a_row_holds_what_the_fit_says(cell: Make, join: Make) -> None:
    row = only(transitions(join(*grid_of(cell, SHARES_BY_K))))
    wins = np.array(list(SHARES_BY_K.values())).T * SIZE
    found = find_crossings(np.array([10.0, 20, 30, 40]), wins, np.full((2, 4), float(SIZE)))
    for name, crossing in found.items():
        assert (row[name], row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(
            (crossing.value, crossing.low, crossing.high)
        )
    assert row["K95_per_n"] == row["K95"] / 64
    assert (row["trials"], row["signals"], row["least"], row["largest"]) == (2, 160, 10, 40)
    assert (row["last_below"], row["all_from"], row["at"]) == (20, 30, 40)
    assert row["label"] == "altmin"


def test_costs_are_those_at_the_first_pool_from_k95_on(cell: Make, join: Make) -> None:
    cells = grid_of(cell, SHARES_BY_K)
    for i, part in enumerate(cells):
        part["solve_seconds"], part["frame_applications"] = float(i), 10.0 * i
    row = only(transitions(join(*cells)))
    assert row["at"] == 40
    assert row["seconds"] == pytest.approx((6 + 7) / 2 + 0.25)
    assert row["frame_applications"] == pytest.approx(65)
    never = only(transitions(join(*grid_of(cell, {10: [0.0], 20: [0.5]}))))
    assert never[["at", "seconds", "frame_applications"]].isna().all()


def test_recovered_is_above_a_squared_cosine(cell: Make, join: Make) -> None:
    table = join(cell([0.999] * 4, k=10), cell([np.nextafter(0.999, 1)] * 4, k=20))
    row = only(transitions(table))
    assert (row["last_below"], row["all_from"]) == (10, 20)
    assert only(transitions(table, 0.4))["all_from"] == 10


@pytest.mark.parametrize("status", ["failed", "timeout", "crashed"])
def test_what_failed_is_not_recovered(cell: Make, join: Make, status: str) -> None:
    states = {"status": ["done", status], "message": ["", "it broke"]}
    cells = [cell([1.0, 1.0], k=k, **states) for k in (10, 20)]
    row = only(transitions(join(*cells, cell([1.0, np.nan], k=30))))
    assert (row["failed"], row["signals"], row["last_below"]) == (3, 6, 30)
    assert row["message"] == "it broke"


def test_what_is_unsupported_or_pending_is_left_out_and_told(
    cell: Make, join: Make, unsupported: Make
) -> None:
    waiting = cell([1.0, 0.0], k=10, status=["done", "pending"])
    cells = [waiting, cell([1.0, 1.0], k=20), unsupported("altmin", 5)]
    for other in cells[1:]:
        other["points"] = 2
    rows = [*cells, unsupported("no", 10), unsupported("no", 20)]
    table: Any = transitions(join(*rows)).set_index("label")
    row = table.loc["altmin"]
    assert (row["signals"], row["pending"], row["unsupported"]) == (3, 1, 3)
    assert (row["least"], row["K95"], row["message"]) == (10, 10, "needs p = 2")
    assert row["at"] == 10
    row = table.loc["no"]
    assert (row["signals"], row["unsupported"]) == (0, 6)
    assert row[["K50", "K95", "least", "at", "wrong_fit_share"]].isna().all()


def test_a_fit_to_the_measurements_may_be_wrong(cell: Make, join: Make) -> None:
    residual = [0.0, 1e-6, 2e-6, 0.0, np.nan, 0.0]
    scores = [0.999, 0.5, 0.5, 1.0, np.nan, 0.5]
    states = ["done"] * 5 + ["timeout"]
    cells = [cell(scores, k=k, residual=residual, status=states) for k in (10, 20)]
    assert only(transitions(join(*cells)))["wrong_fit_share"] == pytest.approx(2 / 6)


def test_problems_and_solvers_have_rows_of_their_own(cell: Make, join: Make) -> None:
    shares = {10: [0.0], 20: [1.0]}
    others: list[dict[str, Any]] = [{"p": 1.0}, {"label": "b"}, {"n": 32}, {"noise__snr": 3.0}]
    cells = [part for other in [{}, *others] for part in grid_of(cell, shares, **other)]
    table = transitions(join(*cells))
    assert len(table) == 5
    assert table["signals"].tolist() == [40] * 5
    assert table["p"].tolist() == [2, 1, 2, 2, 2]
    assert [*table.columns][-len(COLUMNS) :] == [*COLUMNS]


def test_seeds_are_trials_and_of_two_runs_the_later_counts(cell: Make, join: Make) -> None:
    shares = {10: [0.0], 20: [1.0]}
    old = grid_of(cell, {10: [1.0], 20: [0.0]}, run=1)
    new = grid_of(cell, shares, run=2) + grid_of(cell, shares, run=1, seed=5)
    row = only(transitions(join(*old, *new)))
    assert (row["trials"], row["signals"], row["last_below"]) == (2, 80, 10)


def test_frames_without_a_number_of_pools_are_left_out(cell: Make, join: Make) -> None:
    assert transitions(join(cell([1.0], k=pd.NA))).empty
    assert [*transitions(join(cell([1.0])).iloc[:0]).columns][-1] == "message"
