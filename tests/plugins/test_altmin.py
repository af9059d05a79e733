"""Alternating minimisation."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.conformance import check_solver
from benchbase.numerics.streams import SignalRun, Snapshot, solver_keys
from benchbase_altmin.altmin import AltMin
from benchbase_altmin.updates import RIDGE, KnownRows
from tests.plugins.problems import Implicit, make, signals, starting_at

NORMS = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
SHIFTED = [norm | {"threshold": 0.2} for norm in RECTIFIED]
MAXOUT = {"name": "maxout"}
Update = Literal["rows", "keep"]
UPDATES: tuple[Update, ...] = ("rows", "keep")
ARRAYS = ("x", "n_iter", "converged")


def rows_of(problem: Problem) -> Array:
    """The frame as a matrix (L·K, N), in the order of coefficients."""
    return problem.frame.dense().transpose(1, 0, 2).reshape(-1, problem.frame.n)


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("pool_size", [1, 2, 3])
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT])
def test_the_truth_is_a_fixed_point(
    pooling: dict[str, Any], pool_size: int, update: Update
) -> None:
    for n, n_pools in ((6, 40), (9, 2)):
        problem = make(pooling, n, n_pools, pool_size)
        x, b = signals(problem, 5)
        solver = AltMin(n_iter=30, tol=0.0, init=starting_at(x), rectified_update=update)
        np.testing.assert_allclose(benchbase.solve(solver, problem, b).x, x, atol=1e-10)


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT])
def test_signals_come_back_from_a_start_near_them(pooling: dict[str, Any], update: Update) -> None:
    problem = make(pooling, 8, 40)
    x, b = signals(problem, 20)
    start = x + 0.1 * np.random.default_rng(2).standard_normal(x.shape)
    solver = AltMin(init=starting_at(start), rectified_update=update)
    recovery = benchbase.solve(solver, problem, b)
    assert recovery.converged is not None
    assert recovery.converged.all()
    np.testing.assert_allclose(recovery.x, x, atol=1e-6)


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED])
def test_most_signals_come_back_from_a_random_start(
    pooling: dict[str, Any], update: Update
) -> None:
    problem = make(pooling, 8, 40)
    x, b = signals(problem, 40)
    recovery = benchbase.solve(AltMin(rectified_update=update), problem, b)
    error = benchbase.relative_error(recovery.x, x, problem.ambiguity)
    assert np.mean(error < 1e-6) >= (0.95 if problem.pooling.rectified else 0.65)
    np.testing.assert_array_equal(recovery.converged, problem.residual(recovery.x, b) <= 1e-8)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), n_pools=st.integers(2, 20))
def test_each_step_lowers_the_linear_residual(seed: int, n_pools: int) -> None:
    problem = make(NORMS[1], 8, n_pools)
    _, b = signals(problem, 3, seed)
    trace: list[Snapshot] = []
    benchbase.solve(AltMin(n_iter=100), problem, b, seed, trace=trace)
    x = np.stack([snapshot.x for snapshot in trace])
    image = problem.frame.analyse(x)
    gap = np.linalg.norm(image - problem.pooling.rescale(image, b), axis=(-2, -1))
    assert (np.diff(gap, axis=0) <= 1e-9).all()


@pytest.mark.parametrize("pooling", [*RECTIFIED, MAXOUT])
def test_a_step_is_damped_least_squares_on_the_known_rows(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 10, 15)
    _, b = signals(problem, 20)
    start = np.random.default_rng(5).standard_normal((20, 10))
    step = benchbase.solve(AltMin(n_iter=1, init=starting_at(start)), problem, b).x
    rows = rows_of(problem)
    ridge = np.sqrt(RIDGE * np.sum(rows**2) / 10) * np.eye(10)
    z = problem.frame.analyse(start)
    gap = (problem.pooling.rescale(z, b) - z).reshape(20, -1)
    known = problem.pooling.known(z, b)
    assert known is not None
    for x, change, mask, found in zip(start, gap, known.reshape(20, -1), step, strict=True):
        damped = np.vstack([rows[mask], ridge])
        wanted = np.append(change[mask], np.zeros(10))
        expected = x + np.linalg.lstsq(damped, wanted, rcond=None)[0]
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_pools_of_zero_pull_positive_coefficients_down() -> None:
    problem = Problem(DenseFrame(np.eye(2)[None]), benchbase.build("pooling", RECTIFIED[1]))
    start = np.array([[3.0, -2.0], [-1.0, -2.0]])
    found = benchbase.solve(AltMin(init=starting_at(start)), problem, np.zeros((2, 1)))
    np.testing.assert_allclose(found.x, np.minimum(start, 0), atol=1e-8)
    np.testing.assert_array_equal(found.converged, True)


def test_matrices_are_made_anew_only_when_rows_change(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make(RECTIFIED[1], 8, 40)
    x, b = signals(problem, 5)
    made: list[int] = []
    factorise = KnownRows._factorise

    def count(self: KnownRows, i: int, gram: Array) -> None:
        made.append(i)
        factorise(self, i, gram)

    monkeypatch.setattr(KnownRows, "_factorise", count)
    benchbase.solve(AltMin(tol=0.0, n_iter=30, init=starting_at(x * 1.01)), problem, b)
    assert len(made) == 5


def test_the_kept_step_is_least_squares_on_all_rows() -> None:
    problem = make(RECTIFIED[0], 10, 15)
    _, b = signals(problem, 20)
    start = np.random.default_rng(5).standard_normal((20, 10))
    solver = AltMin(n_iter=1, init=starting_at(start), rectified_update="keep")
    y = problem.pooling.rescale(problem.frame.analyse(start), b).reshape(20, -1)
    expected = np.linalg.lstsq(rows_of(problem), y.T, rcond=None)[0].T
    np.testing.assert_allclose(benchbase.solve(solver, problem, b).x, expected, atol=1e-10)


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED])
def test_a_batch_is_solved_as_its_signals_are(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 8, 40)
    _, b = signals(problem, 12)
    batch = benchbase.solve(AltMin(), problem, b)
    inverse = AltMin().prepare(problem)
    alone = [inverse(b[i : i + 1], SignalRun(solver_keys(0, 0, [i]))) for i in range(12)]
    x, n_iter, converged = (np.concatenate([getattr(each, k) for each in alone]) for k in ARRAYS)
    assert len(set(n_iter)) > 1  # signals leave at different looks
    assert benchbase.relative_error(batch.x, x, problem.ambiguity).max() < 1e-6
    np.testing.assert_array_equal(batch.n_iter, n_iter)
    np.testing.assert_array_equal(batch.converged, converged)


def test_p_1_and_p_inf_are_one_on_turned_pairs() -> None:
    one = make(NORMS[0], 8, 12)
    first, second = one.frame.dense()[:, 0], one.frame.dense()[:, 1]
    turned = DenseFrame(np.stack([first + second, first - second], axis=1))
    largest = Problem(turned, benchbase.build("pooling", NORMS[2]))
    _, b = signals(one, 10)
    solver = AltMin(n_iter=40)
    here, there = (benchbase.solve(solver, problem, b).x for problem in (one, largest))
    np.testing.assert_allclose(here, there, atol=1e-8)


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED])
def test_the_scale_of_the_measurements_is_that_of_the_signals(
    pooling: dict[str, Any], update: Update
) -> None:
    problem = make(pooling, 8, 14)
    _, b = signals(problem, 10)
    solver = AltMin(n_iter=25, rectified_update=update)
    expected = 300 * benchbase.solve(solver, problem, b).x
    np.testing.assert_allclose(benchbase.solve(solver, problem, 300 * b).x, expected, atol=1e-7)


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[1]])
def test_what_the_frame_does_not_see_is_kept(pooling: dict[str, Any], update: Update) -> None:
    problem = make(pooling, 20, 6)
    _, b = signals(problem, 10)
    start = np.random.default_rng(5).standard_normal((10, 20))
    solver = AltMin(n_iter=50, init=starting_at(start), rectified_update=update)
    change = benchbase.solve(solver, problem, b).x - start
    seen = np.linalg.pinv(rows_of(problem)) @ rows_of(problem)
    assert np.linalg.norm(change, axis=1).min() > 0.1
    np.testing.assert_allclose(change @ seen, change, atol=1e-10)


def test_the_start_is_that_of_the_gaussian_solver() -> None:
    problem = make(RECTIFIED[1] | {"threshold": 0.3}, 8, 40)
    _, b = signals(problem, 20)
    run = SignalRun(solver_keys(0, 0, range(20)))
    expected = benchbase.gaussian_start(problem, b, run)
    for solver in (AltMin(n_iter=0), benchbase.build("solver", {"name": "gaussian"})):
        np.testing.assert_array_equal(benchbase.solve(solver, problem, b).x, expected)


@pytest.mark.parametrize("threshold", [-1.0, 0.5, 2.0])
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_signals_come_back_through_a_threshold(p: float, threshold: float) -> None:
    pooling = {"name": "lp", "p": p, "rectified": True, "threshold": threshold}
    problem = make(pooling, 8, 80)
    x, b = signals(problem, 40)
    both = {"name": "both_signs", "solver": {"name": "altmin", "init": {"name": "gaussian"}}}
    found = benchbase.solve(benchbase.build("solver", both), problem, b).x
    share = np.mean(benchbase.relative_error(found, x, "none") < 1e-6)
    assert share >= (0.65 if threshold == 2.0 else 0.9)  # a quarter of the coefficients, or half


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED])
def test_measurements_of_zero_are_measured_by_zero(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 8, 14)
    recovery = benchbase.solve(AltMin(), problem, np.zeros((2, 14)))
    np.testing.assert_array_equal(recovery.converged, True)
    np.testing.assert_allclose(problem.measure(recovery.x), 0, atol=1e-8)


@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[1]])
def test_a_start_that_is_not_finite_spoils_no_other(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 8, 40)
    x, b = signals(problem, 3)
    start = x + 0.01
    start[1] = np.nan
    recovery = benchbase.solve(AltMin(init=starting_at(start)), problem, b)
    np.testing.assert_array_equal(recovery.converged, [True, False, True])
    assert np.isnan(recovery.x[1]).all()
    np.testing.assert_allclose(recovery.x[[0, 2]], x[[0, 2]], atol=1e-6)


def test_maxout_gives_finite_estimates_that_fit_better() -> None:
    problem = make(MAXOUT, 8, 40)
    _, b = signals(problem, 10)
    start, end = (benchbase.solve(AltMin(n_iter=n), problem, b).x for n in (0, 200))
    assert (problem.residual(end, b) < problem.residual(start, b)).all()


def test_problems_that_it_does_not_apply_to() -> None:
    vectors = np.ones((3, 2, 4))
    linear, rectified = (benchbase.build("pooling", spec) for spec in (NORMS[1], RECTIFIED[1]))
    hidden = Problem(Implicit(vectors), rectified)
    assert "complex" in str(AltMin().unsupported(Problem(DenseFrame(vectors * 1j), linear)))
    assert "rows" in str(AltMin().unsupported(hidden))
    assert AltMin(rectified_update="keep").unsupported(hidden) is None
    assert AltMin().unsupported(Problem(Implicit(vectors), linear)) is None
    init = benchbase.build("solver", {"name": "knn"})
    assert "training" in str(AltMin(init=init).unsupported(make(NORMS[1], 8, 14)))


@pytest.mark.parametrize("update", UPDATES)
def test_it_keeps_the_rules_of_solvers(update: Update) -> None:
    check_solver(AltMin(rectified_update=update))
    check_solver(AltMin(rectified_update=update), make(RECTIFIED[1], 8, 40))


@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED])
def test_random_frames_and_starts_say_nothing_about_the_data(pooling: dict[str, Any]) -> None:
    """Frame and start look the same from all sides: digits are Gaussian vectors to them."""
    n, n_pools, points, trials = 16, 24, 10, 40
    design = benchbase.build("frame", {"name": "gaussian", "n_pools": n_pools})
    operator = benchbase.build("pooling", pooling)
    solver = benchbase.build("solver", {"name": "altmin", "n_iter": 60})
    means: list[Array] = []
    for spec in ({"name": "digits", "components": n}, {"name": "gaussian", "n": n}):
        dataset = benchbase.build("dataset", spec)
        of_trial = []
        for trial in range(trials):
            rng = np.random.default_rng([trial, len(means)])
            problem = Problem(design.build(n, None, rng), operator)
            x = np.asarray(dataset.test(points, rng), dtype=np.float64)
            found = benchbase.solve(solver, problem, problem.measure(x), trial).x
            of_trial.append(benchbase.squared_cosine(found, x, problem.ambiguity).mean())
        means.append(np.array(of_trial))
    gap = means[0].mean() - means[1].mean()
    error = np.sqrt(sum(values.var(ddof=1) / trials for values in means))
    assert 0.1 < means[1].mean() < 0.9  # there is something to differ in
    assert abs(gap) <= 4 * error
