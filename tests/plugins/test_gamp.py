"""Message passing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.conformance import check_solver
from benchbase.numerics.streams import SignalRun, Snapshot, solver_keys
from benchbase_gamp import passing
from benchbase_gamp.gamp import Gamp
from benchbase_gamp.linear import Linear, Message
from tests.plugins.problems import Implicit, make, signals, starting_at

NORMS: list[dict[str, Any]] = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
SHIFTED: list[dict[str, Any]] = [norm | {"threshold": a} for norm in RECTIFIED for a in (-0.4, 0.4)]
MAXOUT: dict[str, Any] = {"name": "maxout"}
ARRAYS = ("x", "n_iter", "converged")


def share(problem: Problem, found: Array, x: Array) -> float:
    """The share of signals that came back."""
    return float(np.mean(benchbase.relative_error(found, x, problem.ambiguity) < 1e-5))


@pytest.mark.parametrize(
    ("pooling", "pool_size", "n_pools"),
    [
        (NORMS[1], 1, 60), (NORMS[0], 2, 52), (NORMS[1], 2, 44), (NORMS[2], 2, 52),
        (NORMS[1], 4, 40), (NORMS[2], 4, 80), (RECTIFIED[0], 2, 55), (RECTIFIED[1], 2, 55),
        (RECTIFIED[2], 2, 55), (RECTIFIED[2], 4, 45), (RECTIFIED[1], 1, 80), (MAXOUT, 3, 40),
        *((pooling, 2, 60 if pooling["threshold"] < 0 else 90) for pooling in SHIFTED),
    ],
)  # fmt: skip # a short list
def test_signals_come_back_from_few_pools(
    pooling: dict[str, Any], pool_size: int, n_pools: int
) -> None:
    problem = make(pooling, 30, n_pools, pool_size)
    x, b = signals(problem, 40)
    recovery = benchbase.solve(Gamp(n_iter=300), problem, b)
    assert share(problem, recovery.x, x) >= 0.7
    assert_array_equal(recovery.converged, problem.residual(recovery.x, b) <= 1e-8)


def test_it_needs_fewer_pools_than_alternating_minimisation() -> None:
    problem = make(NORMS[2], 60, 84)
    x, b = signals(problem, 40)
    start = benchbase.build("solver", {"name": "spectral"})
    altmin = replace(benchbase.build("solver", {"name": "altmin"}), init=start)
    found, other = (benchbase.solve(s, problem, b).x for s in (Gamp(init=start), altmin))
    assert share(problem, found, x) >= 0.85 > share(problem, other, x) + 0.3


def test_restarts_solve_more() -> None:
    problem = make(NORMS[2], 20, 25)
    x, b = signals(problem, 40)
    spec = {"name": "gamp", "init": {"name": "spectral"}}
    once = benchbase.solve(benchbase.build("solver", spec), problem, b).x
    more = {"name": "restarts", "n": 6, "solver": spec}
    often = benchbase.solve(benchbase.build("solver", more), problem, b).x
    assert share(problem, often, x) > share(problem, once, x) + 0.1


@pytest.mark.parametrize("pooling", RECTIFIED)
def test_pools_of_one_vector_twice(pooling: dict[str, Any]) -> None:
    """Messages that take both for independent overshoot; with half the damping they do not."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.standard_normal((60, 1, 20)), 2, axis=1)
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", pooling))
    x, b = signals(problem, 20)
    found = benchbase.solve(Gamp(init=benchbase.build("solver", {"name": "linear"})), problem, b)
    assert share(problem, found.x, x) >= 0.9


@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[2]])
def test_a_frame_of_wide_singular_values(pooling: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((60, 2, 20)) * np.geomspace(1, 0.02, 20)
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", pooling))
    x, b = signals(problem, 20)
    assert share(problem, benchbase.solve(Gamp(), problem, b).x, x) >= 0.7


def test_p_1_and_p_inf_are_one_on_turned_pairs() -> None:
    one = make(NORMS[0], 12, 17)
    first, second = one.frame.dense()[:, 0], one.frame.dense()[:, 1]
    turned = DenseFrame(np.stack([first + second, first - second], axis=1))
    largest = Problem(turned, benchbase.build("pooling", NORMS[2]))
    _, b = signals(one, 10)
    here, there = (benchbase.solve(Gamp(n_iter=20), problem, b).x for problem in (one, largest))
    assert_allclose(here, there, atol=1e-7)


@pytest.mark.parametrize("pooling", NORMS)
def test_the_opposite_start_gives_the_opposite_signal(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 12, 17)
    _, b = signals(problem, 10)
    start = np.random.default_rng(2).standard_normal((10, 12))
    here, there = (
        benchbase.solve(Gamp(n_iter=30, perturbation=0, init=starting_at(each)), problem, b).x
        for each in (start, -start)
    )
    assert_allclose(here, -there, atol=1e-8)


@settings(max_examples=10)
@given(frame_unit=st.floats(-9, 9), unit=st.floats(-9, 9), which=st.integers(0, 6))
def test_units_do_not_matter(frame_unit: float, unit: float, which: int) -> None:
    problem = make([*NORMS, *RECTIFIED, MAXOUT][which], 12, 20)
    _, b = signals(problem, 5)
    x = benchbase.solve(Gamp(n_iter=20), problem, b).x
    other = replace(problem, frame=DenseFrame(problem.frame.dense() * 10**frame_unit))
    again = benchbase.solve(Gamp(n_iter=20), other, b * 10**unit).x
    assert_allclose(again * 10 ** (frame_unit - unit), x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED])
def test_units_and_the_order_of_pools_do_not_matter(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 12, 30)
    x, b = signals(problem, 10)
    rng = np.random.default_rng(3)
    units, order = rng.uniform(0.1, 9, 30), rng.permutation(30)
    vectors = problem.frame.dense() * units[:, None, None]
    other = replace(problem, frame=DenseFrame(vectors[order]))
    found = benchbase.solve(Gamp(), problem, b).x
    again = benchbase.solve(Gamp(), other, (b * units)[:, order]).x
    assert share(problem, found, x) >= 0.8
    assert share(problem, again, x) == share(problem, found, x)
    # A few iterations are the same, but for which of the estimates has the least residual.
    for n_iter in (10, 20):
        here, there = (
            benchbase.solve(Gamp(n_iter=n_iter, init=starting_at(0.01 * x)), p, values).x
            for p, values in ((problem, b), (other, (b * units)[:, order]))
        )
        assert_allclose(here, there, atol=1e-6)


def test_thresholds_and_measurements_share_their_unit() -> None:
    problem = make(SHIFTED[3], 12, 40)
    other = replace(problem, pooling=benchbase.build("pooling", SHIFTED[3] | {"threshold": 40.0}))
    _, b = signals(problem, 5)
    x = benchbase.solve(Gamp(n_iter=20), problem, b).x
    assert_allclose(benchbase.solve(Gamp(n_iter=20), other, 100 * b).x, 100 * x, rtol=1e-6)


def test_pools_without_vectors_say_nothing() -> None:
    problem = make(NORMS[2], 12, 30)
    x, _ = signals(problem, 5)
    vectors = np.concatenate((np.zeros((4, 2, 12)), problem.frame.dense()))
    more = replace(problem, frame=DenseFrame(vectors))
    found, again = (benchbase.solve(Gamp(), p, p.measure(x)).x for p in (problem, more))
    assert_allclose(again, found, atol=1e-7)


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED])
def test_a_batch_is_solved_as_its_signals_are(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 12, 30)
    _, b = signals(problem, 6)
    solver = Gamp(init=benchbase.build("solver", {"name": "gaussian"}))
    whole = benchbase.solve(solver, problem, b)
    inverse = solver.prepare(problem)
    alone = [inverse(b[i : i + 1], SignalRun(solver_keys(0, 0, [i]))) for i in range(6)]
    x, converged = (
        np.concatenate([getattr(each, k) for each in alone]) for k in ("x", "converged")
    )
    solved = np.asarray(whole.converged)
    assert solved.sum() >= 4  # of others rounding changes the way
    error = benchbase.relative_error(x, whole.x, problem.ambiguity)
    assert error[solved].max() < 1e-6
    assert_array_equal(converged[solved], True)


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT])
def test_the_truth_is_kept(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 12, 30)
    x, b = signals(problem, 5)
    recovery = benchbase.solve(Gamp(init=starting_at(x)), problem, b)
    assert_allclose(recovery.x, x, rtol=1e-12)
    assert_array_equal(recovery.n_iter, 0)
    assert_array_equal(recovery.converged, True)


def test_the_length_of_a_start_does_not_matter() -> None:
    problem = make(NORMS[1], 12, 30)
    x, b = signals(problem, 5)
    start = x + 0.5 * np.random.default_rng(2).standard_normal(x.shape)
    runs = [benchbase.solve(Gamp(init=starting_at(start * t)), problem, b) for t in (1, 1e3)]
    assert_allclose(runs[0].x, runs[1].x, atol=1e-7)


def test_perturbed_starts_differ_and_others_do_not() -> None:
    problem = make(NORMS[1], 12, 30)
    _, b = signals(problem, 5)
    start = benchbase.build("solver", {"name": "spectral"})
    for perturbation in (0.0, 0.5, 1.0):
        solver = Gamp(n_iter=10, init=start, perturbation=perturbation)
        one, other = (benchbase.solve(solver, problem, b, seed).x for seed in (0, 1))
        assert np.array_equal(one, other) == (perturbation == 0)


def test_a_start_that_is_not_finite_or_zero_is_drawn() -> None:
    problem = make(NORMS[1], 12, 30)
    x, b = signals(problem, 4)
    start = np.array(x)
    start[1], start[2] = np.nan, 0
    recovery = benchbase.solve(Gamp(init=starting_at(start)), problem, b)
    assert_array_equal(recovery.converged, True)
    drawn = benchbase.solve(Gamp(), problem, b)
    assert_array_equal(np.asarray(recovery.n_iter)[1:3], np.asarray(drawn.n_iter)[1:3])


def test_what_the_frame_does_not_see_stays_as_in_the_start() -> None:
    problem = make(RECTIFIED[1], 20, 6)
    _, b = signals(problem, 10)
    start = np.random.default_rng(5).standard_normal((10, 20))
    found = benchbase.solve(Gamp(init=starting_at(start)), problem, b)
    rows = problem.frame.dense().reshape(-1, 20)
    seen = np.linalg.pinv(rows) @ rows
    change = found.x - start
    assert np.linalg.norm(change, axis=1).min() > 0.1
    assert_allclose(change @ seen, change, atol=1e-8)


def test_snapshots_hold_the_whole_batch_and_get_no_worse() -> None:
    problem = make(NORMS[1], 12, 18)
    _, b = signals(problem, 8)
    trace: list[Snapshot] = []
    found = benchbase.solve(Gamp(n_iter=305), problem, b, trace=trace)
    residuals = np.array([problem.residual(snapshot.x, b) for snapshot in trace])
    assert residuals.shape[1] == 8
    assert (np.diff(residuals, axis=0) <= 0).all()
    assert_array_equal(trace[-1].x, found.x)
    assert [snapshot.n_iter for snapshot in trace][:3] == [0, 10, 20]
    assert set(np.asarray(found.n_iter)) <= {*range(0, 305, 10), 305}


def test_signals_that_do_not_get_on_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make(NORMS[1], 20, 15)  # too few pools
    _, b = signals(problem, 10)
    monkeypatch.setattr(passing, "PATIENCE", 30)
    found = benchbase.solve(Gamp(n_iter=100_000), problem, b)
    assert not np.asarray(found.converged).any()
    assert np.asarray(found.n_iter).max() < 5000


@pytest.mark.parametrize(
    ("pooling", "n_pools"), [(NORMS[1], 60), (NORMS[2], 60), (RECTIFIED[2], 80)]
)
def test_noise_is_left_out_as_far_as_can_be(pooling: dict[str, Any], n_pools: int) -> None:
    problem = make(pooling, 20, n_pools)
    x, clean = signals(problem, 40)
    std = 0.05 * np.sqrt(np.mean(clean**2))
    b = np.maximum(clean + std * np.random.default_rng(4).standard_normal(clean.shape), 0)
    found = benchbase.solve(Gamp(), replace(problem, noise=float(std)), b).x
    error = benchbase.relative_error(found, x, problem.ambiguity)
    step = 1e-6
    bounds = []
    for each in x:  # Cramér-Rao: the variance of no unbiased estimate is less
        slopes = (problem.measure(each + step * np.eye(20)) - problem.measure(each)) / step
        bounds.append(
            std * np.sqrt(np.trace(np.linalg.inv(slopes @ slopes.T))) / np.linalg.norm(each)
        )
    assert np.median(error / np.array(bounds)) < 1.25


def test_the_linear_half_is_a_normal_posterior() -> None:
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((9, 4))
    r, v = rng.standard_normal((3, 9)), np.array([[0.1], [1.0], [30.0]])
    added, inner = Linear(matrix)(Message(r, v))
    for i in range(3):
        covariance = matrix @ np.linalg.inv(np.eye(4) + matrix.T @ matrix / v[i]) @ matrix.T
        mean = covariance @ r[i] / v[i]
        assert_allclose(matrix @ Linear(matrix).signal(inner)[i], mean, atol=1e-10)
        posterior = np.trace(covariance) / 9
        assert_allclose(1 / added.variance[i], 1 / posterior - 1 / v[i])
        product = (mean / posterior - r[i] / v[i]) * added.variance[i]
        assert_allclose(added.mean[i], product, atol=1e-9)


VECTORS = np.random.default_rng(0).standard_normal((20, 2, 6))
ODD = {
    "some zero": VECTORS * (np.arange(20) % 3 > 0)[:, None, None],
    "all zero": np.zeros((5, 2, 6)),
    "one pool": VECTORS[:1],
    "few pools": VECTORS[:4],
    "all the same": np.repeat(VECTORS[:1], 20, axis=0),
    "rank 3": VECTORS * (np.arange(6) < 3),
    "one dimension": VECTORS[:, :, :1],
    "one number": np.ones((1, 1, 1)),
    "huge": VECTORS * 1e150,
    "tiny": VECTORS * 1e-150,
    "mixed": VECTORS * 10.0 ** np.arange(-100, 100, 10)[:, None, None],
}


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, *SHIFTED[2:4], MAXOUT])
@pytest.mark.parametrize("vectors", ODD.values(), ids=ODD)
def test_odd_input(vectors: Array, pooling: dict[str, Any]) -> None:
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", pooling))
    b = np.array(signals(problem, 4)[1])
    b[1] = problem.measure(np.zeros(problem.frame.n))
    found = benchbase.solve(Gamp(n_iter=30), problem, b)
    assert np.isfinite(found.x).all()
    assert_array_equal(found.x[1], 0)
    assert np.asarray(found.converged)[1]
    none = benchbase.solve(Gamp(), problem, np.zeros((0, problem.frame.n_pools)))
    assert none.x.shape == (0, problem.frame.n)


@pytest.mark.parametrize("unit", [1e150, 1e-150])
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, MAXOUT])
def test_huge_and_tiny_signals(pooling: dict[str, Any], unit: float) -> None:
    problem = make(pooling, 8, 30)
    _, b = signals(problem, 10)
    expected = benchbase.solve(Gamp(), problem, b)
    found = benchbase.solve(Gamp(), problem, b * unit)
    assert_array_equal(found.converged, expected.converged)
    solved = np.asarray(expected.converged)
    assert solved.sum() >= 8
    assert_allclose(found.x[solved] / unit, expected.x[solved], atol=1e-6)


def test_what_it_does_not_apply_to() -> None:
    problem = make(NORMS[1], 5, 9)
    vectors = problem.frame.dense()
    assert Gamp().unsupported(problem) is None
    assert "complex" in str(Gamp().unsupported(replace(problem, frame=DenseFrame(1j * vectors))))
    assert "vectors" in str(Gamp().unsupported(replace(problem, frame=Implicit(vectors))))
    assert "at most two" in str(Gamp().unsupported(make(NORMS[0], 5, 9, 3)))
    assert "half rectified" in str(Gamp().unsupported(make(RECTIFIED[1], 5, 9, 3)))
    start = benchbase.build("solver", {"name": "linear"})
    assert "linear" in str(Gamp(init=start).unsupported(problem))


@pytest.mark.parametrize(
    "wrong",
    [{"n_iter": -1}, {"damping": 0.0}, {"damping": 1.5},
     {"overlap": 0.0}, {"overlap": 1.0}, {"perturbation": -0.1}, {"perturbation": 1.1}],
)  # fmt: skip # a short list
def test_parameters_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(benchbase.ParameterError) as error:
        Gamp(**wrong)
    assert error.value.parameter in wrong


@pytest.mark.parametrize("pooling", [None, *NORMS, *RECTIFIED, SHIFTED[2], MAXOUT])
def test_it_keeps_the_rules_of_solvers(pooling: dict[str, Any] | None) -> None:
    check_solver(Gamp(), None if pooling is None else make(pooling, 5, 40))
