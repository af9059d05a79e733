"""Where iterative solvers start."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem, Recovery
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.streams import SignalRun, solver_keys

NORMS: list[dict[str, Any]] = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
MAXOUT = {"name": "maxout"}


def make(pooling: dict[str, Any], n: int = 8, n_pools: int = 14) -> tuple[Problem, Array]:
    """Return a problem and the measurements of ten signals."""
    rng = np.random.default_rng([n, n_pools])
    frame = DenseFrame(rng.standard_normal((n_pools, 2, n)))
    problem = Problem(frame, benchbase.build("pooling", pooling))
    return problem, problem.measure(rng.standard_normal((10, n)))


def run_of(size: int) -> SignalRun:
    return SignalRun(solver_keys(3, 0, range(size)))


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, MAXOUT])
def test_a_gaussian_start_is_drawn_and_scaled(pooling: dict[str, Any]) -> None:
    problem, b = make(pooling)
    x = benchbase.gaussian_start(problem, b, run_of(10))
    drawn = run_of(10).normal(8)
    size = np.linalg.norm(b, axis=1) / np.linalg.norm(problem.measure(drawn), axis=1)
    assert_allclose(x, drawn * size[:, None], rtol=1e-12)


@pytest.mark.parametrize("threshold", [-0.5, 0.3, 2.0])
def test_a_threshold_leaves_the_direction_and_the_size(threshold: float) -> None:
    """No ratio of norms gives the scale there."""
    problem, b = make(RECTIFIED[1] | {"threshold": threshold}, n_pools=40)
    x = benchbase.gaussian_start(problem, b, run_of(10))
    measured = np.linalg.norm(problem.measure(x), axis=1)
    assert_allclose(measured, np.linalg.norm(b, axis=1), rtol=1e-9)
    assert_allclose(benchbase.squared_cosine(x, run_of(10).normal(8), "none"), 1)


def test_starts_that_no_scale_fits_stay_as_drawn() -> None:
    blind = Problem(DenseFrame([[[1.0]]]), benchbase.build("pooling", RECTIFIED[1]))
    drawn = run_of(10).normal(1)[:, 0]
    assert (drawn < 0).any()
    x = benchbase.gaussian_start(blind, np.full((10, 1), 5.0), run_of(10))[:, 0]
    assert_allclose(x, np.where(drawn < 0, drawn, 5.0))
    problem, b = make(RECTIFIED[1] | {"threshold": 0.5})
    beyond = benchbase.gaussian_start(problem, np.full_like(b, np.inf), run_of(10))
    assert_array_equal(beyond, run_of(10).normal(8))


def test_a_start_does_not_depend_on_the_other_signals() -> None:
    for pooling in (NORMS[1], RECTIFIED[0] | {"threshold": 0.3}):
        problem, b = make(pooling)
        whole = benchbase.gaussian_start(problem, b, run_of(10))
        alone = benchbase.gaussian_start(problem, b[4:5], run_of(10).rows(np.array([4])))
        assert_allclose(alone[0], whole[4], rtol=1e-12)


@settings(deadline=None)
@given(st.floats(0.1, 5), st.floats(0.5, 3), st.lists(st.floats(0.1, 1e3), min_size=1, max_size=4))
def test_the_scale_solves_its_equation(size: float, power: float, wanted: list[float]) -> None:
    """‖v t^power‖ = wanted has the solution (wanted / ‖v‖)^(1 / power)."""
    v = size * np.ones((len(wanted), 3))

    def values(scale: Array) -> Array:
        return v * (scale**power)[:, None]

    norms = np.array(wanted)
    found = benchbase.fitting_scale(values, norms, homogeneous=power == 1)
    expected = (norms / (size * 3**0.5)) ** (1 / power)
    assert_allclose(found, expected, rtol=1e-9)


def test_a_norm_that_is_never_reached_has_the_scale_1() -> None:
    def bounded(scale: Array) -> Array:
        values: Array = np.minimum(scale, 1)[:, None]
        return values

    found = benchbase.fitting_scale(bounded, np.array([0.5, 2.0]), homogeneous=False)
    assert_allclose(found, [0.5, 1.0])
    found = benchbase.fitting_scale(
        lambda t: 1 + t[:, None], np.array([0.5, 3.0]), homogeneous=False
    )
    assert_allclose(found, [1.0, 2.0])


class Draw(benchbase.Solver):
    """Draws, measures, and gives a read-only array of whole numbers."""

    name = "draw"

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        def inverse(b: Array, run: benchbase.Run) -> Recovery:
            x = np.rint(10 * run.normal(problem.frame.n)).astype(np.int64)
            problem.measure(x.astype(np.float64))
            x.flags.writeable = False
            return Recovery(x=x)

        return inverse


def test_another_solver_gives_the_start_in_a_phase_of_its_own() -> None:
    problem, b = make(NORMS[1])
    ledger = Ledger()
    counted = Problem(CountingFrame(problem.frame, ledger), problem.pooling)
    start = benchbase.start_of(Draw(), counted)
    run = SignalRun(solver_keys(3, 0, range(10)), ledger)
    with ledger.clock(()):
        x = start(b, run)
    with run_of(10).phase("init") as inner:
        expected = np.rint(10 * inner.normal(8))
    assert_array_equal(x, expected)
    assert x.dtype == np.float64
    assert x.flags.writeable
    assert dict(ledger.applications) == {("init",): 10}


def test_without_another_solver_the_start_is_gaussian() -> None:
    problem, b = make(MAXOUT)
    start = benchbase.start_of(None, problem)
    assert_array_equal(start(b, run_of(10)), benchbase.gaussian_start(problem, b, run_of(10)))
