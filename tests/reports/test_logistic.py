"""Logistic curves in batches."""

from __future__ import annotations

import numpy as np
import pytest

from benchbase import Array
from benchbase_reports.statistics.logistic import LEVELS, find_levels, fit_many, resampled
from benchbase_reports.transitions import find_crossings

POOLS = np.arange(20.0, 60, 5)


def draw(trials: int, points: int) -> tuple[Array, Array]:
    """Draw successes of curves of all kinds, some without some K."""
    rng, batch = np.random.default_rng(points), 150
    middle, width = rng.uniform(0, 90, batch), rng.choice([-3, 0.1, 0.5, 2, 10, 40], batch)
    sizes = np.full((batch, trials, len(POOLS)), float(points))
    sizes[(rng.random((batch, 1, len(POOLS))) < 0.15).repeat(trials, axis=1)] = 0
    eta = np.clip((POOLS - middle[:, None, None]) / width[:, None, None], -500, 500)
    wins = rng.binomial(sizes.astype(int), 1 / (1 + np.exp(-eta))).astype(float)
    return wins, sizes


@pytest.mark.parametrize("points", [5, 25])
@pytest.mark.parametrize("trials", [1, 4])
def test_a_batch_has_the_crossings_of_each(trials: int, points: int) -> None:
    wins, sizes = draw(trials, points)
    fits = fit_many(POOLS, wins, sizes, trials=trials > 1)
    pooled = wins.sum(axis=1), sizes.sum(axis=1)
    found = {name: find_levels(fits, POOLS, *pooled, level) for name, level in LEVELS.items()}
    for each in range(len(wins)):
        there = pooled[1][each] > 0
        if not there.any():
            continue
        crossings = find_crossings(POOLS[there], wins[each][:, there], sizes[each][:, there])
        for name, crossing in crossings.items():
            wanted = [crossing.value, crossing.low, crossing.high]
            own = [part[each] for part in found[name]]
            np.testing.assert_allclose(own, wanted, rtol=1e-5, atol=1e-6)


def test_influences_add_up() -> None:
    """And the sandwich is made of them: (count / (count − 1)) Σ ψ ψᵀ, here by differences."""
    wins, sizes = draw(4, 25)
    fits = fit_many(POOLS, wins, sizes)
    np.testing.assert_allclose(fits.influence.sum(axis=1), 0, atol=1e-6)
    fitted = ~np.isnan(fits.beta[:, 0])
    for each in np.flatnonzero(fitted)[:30]:
        psi = fits.influence[each]
        np.testing.assert_allclose(fits.robust[each], psi.T @ psi * 4 / 3)


def test_a_resample_is_what_a_refit_gives_to_first_order() -> None:
    rng = np.random.default_rng(0)
    sizes = np.full((1, 40, len(POOLS)), 20.0)
    wins = rng.binomial(20, 1 / (1 + np.exp(-(POOLS - 38) / 5)), sizes.shape).astype(float)
    fits = fit_many(POOLS, wins, sizes)
    weights = np.ones(40) + 0.2 * rng.standard_normal(40)
    scaled = weights[None, :, None]
    refitted = fit_many(POOLS, wins * scaled, sizes * scaled)
    one_step = fits.beta + np.einsum("c,bci->bi", weights - 1, fits.influence)
    moved = refitted.beta - fits.beta
    np.testing.assert_allclose(one_step - fits.beta, moved, atol=0.1 * np.abs(moved).max())


def test_resampled_crossings_keep_to_the_grid() -> None:
    wins, sizes = np.array([[[0.0, 5, 10]]]), np.full((1, 1, 3), 10.0)
    fits = fit_many(np.array([10.0, 20, 30]), wins, sizes, trials=False)
    beta = np.array([[[0.0, 5.0]], [[-30.0, 5.0]], [[30.0, 5.0]], [[3.0, -1e-9]], [[-3.0, -1.0]]])
    found = resampled(beta, fits, np.array([[10.0, 30.0]]), 0.5)
    assert found[:, 0].tolist() == [20.0, np.inf, 10.0, 10.0, np.inf]
