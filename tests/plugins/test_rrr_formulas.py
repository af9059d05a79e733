"""The steps of rrr, raar and hio, against the formulas of the papers and against each other."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.streams import SignalRun, Snapshot, solver_keys
from benchbase_poolings.lp import LpPooling
from benchbase_rrr.iteration import ProjectionMethod
from benchbase_rrr.methods import HIO, RAAR, RRR
from tests.plugins.problems import make, starting_at

Map: TypeAlias = Callable[[Array], Array]
Rule: TypeAlias = Callable[[Array, Map, Map, float], Array]
Method: TypeAlias = type[RRR] | type[RAAR] | type[HIO]
METHODS: tuple[Method, ...] = (RRR, RAAR, HIO)
every_method = pytest.mark.parametrize("method", METHODS)
NORMS = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
SHIFTED = [norm | {"threshold": 0.2} for norm in RECTIFIED]
MAXOUT = {"name": "maxout"}


def draw(problem: Problem, size: int, seed: int = 1) -> tuple[Array, Array]:
    """Draw starts, and the measurements of other signals."""
    start, x = np.random.default_rng(seed).standard_normal((2, size, problem.frame.n))
    return start, problem.measure(x)


def range_of(problem: Problem) -> Map:
    """Project one signal's coefficients (L, K) onto what signals have."""
    rows = problem.frame.dense().transpose(1, 0, 2).reshape(-1, problem.frame.n)

    def project(y: Array) -> Array:
        x = np.linalg.lstsq(rows, y.ravel(), rcond=None)[0]
        onto: Array = (rows @ x).reshape(y.shape)
        return onto

    return project


def nearest_pools(b: Array, p: float) -> Map:
    """Project one signal's pairs (2, K) onto those with the p norms b, pool by pool."""

    def project(y: Array) -> Array:
        found = np.empty_like(y)
        for k, value in enumerate(b):
            u, v = y[:, k]
            if p == 2:
                found[:, k] = value * y[:, k] / np.hypot(u, v)
            elif p == np.inf:
                j = int(abs(v) > abs(u))
                found[:, k] = np.clip(y[:, k], -value, value)
                found[j, k] = value * np.sign(y[j, k])
            else:
                t = np.clip((abs(u) - abs(v) + value) / 2, 0, value)
                found[:, k] = t * np.sign(u), (value - t) * np.sign(v)
        return found

    return project


# The formulas, as they are printed. R = 2 P − I.


def elser(y: Array, onto_a: Map, onto_b: Map, beta: float) -> Array:
    return y + beta * (onto_b(2 * onto_a(y) - y) - onto_a(y))


def luke(y: Array, onto_a: Map, onto_b: Map, beta: float) -> Array:
    r_b = 2 * onto_b(y) - y
    r_a = 2 * onto_a(r_b) - r_b
    new: Array = beta / 2 * (r_a + y) + (1 - beta) * onto_b(y)
    return new


def fienup(y: Array, onto_a: Map, onto_b: Map, beta: float) -> Array:
    """Output inside, input less β times output outside."""
    output = onto_b(y)
    outside = y - beta * output
    return onto_a(output) + outside - onto_a(outside)


def hybrid(y: Array, onto_a: Map, onto_b: Map, beta: float) -> Array:
    """Equation of the hybrid projection-reflection method, for a subspace A."""
    r_b = 2 * onto_b(y) - y
    inner = r_b + (beta - 1) * onto_b(y)
    r_a = 2 * onto_a(inner) - inner
    new: Array = (r_a + y + (1 - beta) * onto_b(y)) / 2
    return new


def douglas_rachford(y: Array, first: Map, second: Map) -> Array:
    return y + second(2 * first(y) - y) - first(y)


RULES: dict[Any, tuple[Rule, ...]] = {RRR: (elser,), RAAR: (luke,), HIO: (fienup, hybrid)}


def steps_of(solver: ProjectionMethod, problem: Problem, b: Array, y: Array, n: int) -> Array:
    """Take n steps from y (S, L, K) and return all iterates, (n, S, L, K)."""
    y = y.copy()
    c = problem.frame.analyse(problem.frame.least_squares(y))
    found = []
    for _ in range(n):
        y, x, c = solver.step(problem, b, y, c)
        assert_allclose(problem.frame.analyse(x), c, atol=1e-12)
        found.append(y.copy())
    return np.array(found)


@every_method
@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("beta", [0.4, 0.9, 1.0])
def test_steps_are_those_of_the_papers(method: Method, p: float, beta: float) -> None:
    problem = make({"name": "lp", "p": p}, 9, 14)
    start, b = draw(problem, 4)
    y = problem.frame.analyse(start) + 0.3 * np.random.default_rng(3).standard_normal((4, 2, 14))
    found = steps_of(method(beta=beta), problem, b, y, 20)
    for rule in RULES[method]:
        for i in range(4):
            expected = y[i]
            for step in range(20):
                expected = rule(expected, range_of(problem), nearest_pools(b[i], p), beta)
                assert_allclose(found[step, i], expected, atol=1e-8)


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_without_relaxation_all_are_douglas_rachford(p: float) -> None:
    problem = make({"name": "lp", "p": p}, 9, 14)
    start, b = draw(problem, 1)
    y = problem.frame.analyse(start)
    onto_a, onto_b = range_of(problem), nearest_pools(b[0], p)
    for method in METHODS:
        first, second = (onto_a, onto_b) if method is RRR else (onto_b, onto_a)
        expected = y[0]
        for found in steps_of(method(beta=1.0), problem, b, y, 15):
            expected = douglas_rachford(expected, first, second)
            assert_allclose(found[0], expected, atol=1e-9)


class PriorFrame(DenseFrame):
    """Least squares with a prior: x = m + (FᵀF + Q)⁻¹ Fᵀ (c − F m)."""

    def __init__(self, vectors: Array, mean: Array, precision: Array) -> None:
        super().__init__(vectors)
        self._mean = mean
        rows = vectors.transpose(1, 0, 2).reshape(-1, self.n)
        self._gain = np.linalg.solve(rows.T @ rows + precision, rows.T)

    def least_squares(self, c: Array) -> Array:
        gap = c - self.analyse(self._mean)
        x: Array = self._mean + gap.reshape(*c.shape[:-2], -1) @ self._gain.T
        return x


def with_prior(n: int, n_pools: int, mean: Array) -> Problem:
    rng = np.random.default_rng([n, n_pools])
    root = rng.standard_normal((n, n))
    frame = PriorFrame(rng.standard_normal((n_pools, 2, n)), mean, root @ root.T)
    return Problem(frame, LpPooling())


@every_method
def test_the_frame_may_fit_signals_with_a_prior(method: Method) -> None:
    """P_A is then affine; hio in the form in which its points of rest are those of P_A y = y."""
    mean = np.random.default_rng(5).standard_normal(9)
    problem = with_prior(9, 14, mean)
    start, b = draw(problem, 3)
    y, onto_b = problem.frame.analyse(start), nearest_pools(b[0], 2)

    def onto_a(y: Array) -> Array:
        return problem.frame.analyse(problem.frame.least_squares(y))

    def affine_hio(y: Array, onto_a: Map, onto_b: Map, beta: float) -> Array:
        return y - beta * onto_b(y) + (1 + beta) * onto_a(onto_b(y)) - onto_a(y)

    rule = affine_hio if method is HIO else RULES[method][0]
    expected = y[0]
    for found in steps_of(method(beta=0.8), problem, b, y, 15):
        expected = rule(expected, onto_a, onto_b, 0.8)
        assert_allclose(found[0], expected, atol=1e-8)
    # A mean that is the truth, which P_A then leaves where it is.
    rest = problem.frame.analyse(mean)[None]
    for found in steps_of(method(beta=0.8), problem, problem.measure(mean[None]), rest, 15):
        assert_allclose(found, rest, atol=1e-10)


@every_method
def test_estimates_of_a_prior_are_its_least_squares(method: Method) -> None:
    """They have a part that few vectors do not see, and nothing is added to it."""
    problem = with_prior(9, 3, np.zeros(9))
    start, b = draw(problem, 20)
    x = benchbase.solve(method(n_iter=10, init=starting_at(start)), problem, b).x
    expected = start.copy()
    y = problem.frame.analyse(start)
    c = problem.frame.analyse(problem.frame.least_squares(y))
    for _ in range(10):
        y, estimate, c = method().step(problem, b, y, c)
    better = problem.residual(estimate, b) < problem.residual(start, b)
    assert better.any()
    expected[better] = estimate[better]
    assert_allclose(x, expected, atol=1e-10)


@every_method
@pytest.mark.parametrize("pool_size", [1, 2, 3])
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT])
def test_the_truth_is_a_fixed_point(
    method: Method, pooling: dict[str, Any], pool_size: int
) -> None:
    for n, n_pools in ((6, 40), (9, 2)):
        problem = make(pooling, n, n_pools, pool_size)
        x = np.random.default_rng(1).standard_normal((5, n))
        y = problem.frame.analyse(x)
        for found in steps_of(method(), problem, problem.measure(x), y, 30):
            assert_allclose(found, y, atol=1e-9)
        solver = method(n_iter=30, tol=0.0, init=starting_at(x))
        assert_allclose(benchbase.solve(solver, problem, problem.measure(x)).x, x, atol=1e-10)


@every_method
def test_p_1_and_p_inf_are_one_on_turned_pairs(method: Method) -> None:
    one = make(NORMS[0], 12, 16)
    first, second = one.frame.dense()[:, 0], one.frame.dense()[:, 1]
    turned = DenseFrame(np.stack([first + second, first - second], axis=1))
    largest = Problem(turned, benchbase.build("pooling", NORMS[2]))
    start, b = draw(one, 10)
    here = steps_of(method(), one, b, one.frame.analyse(start), 40)
    there = steps_of(method(), largest, b, turned.analyse(start), 40)
    assert_allclose(here.sum(axis=-2), there[..., 0, :], atol=1e-7)
    assert_allclose(here[..., 0, :] - here[..., 1, :], there[..., 1, :], atol=1e-7)
    for seed in (0, 1):
        solver = method(n_iter=45)
        x, other = (benchbase.solve(solver, problem, b, seed).x for problem in (one, largest))
        assert_allclose(x, other, atol=1e-7)


# The best estimate, and what it costs


@every_method
@pytest.mark.parametrize("n_iter", [0, 3, 10, 37])
def test_the_best_of_the_estimates_looked_at_is_kept(method: Method, n_iter: int) -> None:
    """Those after 0, 10, 20 and so on iterations, and after the last."""
    problem = make(NORMS[1], 12, 13)
    start, b = draw(problem, 30)
    trace: list[Snapshot] = []
    solver = method(n_iter=n_iter, init=starting_at(start))
    recovery = benchbase.solve(solver, problem, b, trace=trace)
    looks = [*range(0, n_iter, 10), n_iter]
    estimates = {0: start}
    y = problem.frame.analyse(start)
    c = problem.frame.analyse(problem.frame.least_squares(y))
    for step in range(1, n_iter + 1):
        y, x, c = method().step(problem, b, y, c)
        if step in looks:
            estimates[step] = x
    residuals = np.array([problem.residual(estimates[step], b) for step in looks])
    best = np.minimum.accumulate(residuals, axis=0)
    assert [snapshot.n_iter for snapshot in trace] == looks
    kept = np.array([problem.residual(snapshot.x, b) for snapshot in trace])
    assert_allclose(kept, best, atol=1e-8)
    assert_allclose(problem.residual(recovery.x, b), best[-1], atol=1e-8)
    assert_array_equal(recovery.n_iter, n_iter)
    assert_array_equal(recovery.converged, False)
    if n_iter == 37:
        assert (best[-1] < residuals[-1]).any()  # there was something to keep


class Counted(LpPooling):
    """Counts projections, signal by signal."""

    name = "counted"

    def project(self, c: Array, b: Array) -> Array:
        counted.append(len(c))
        return super().project(c, b)


counted: list[int] = []


@every_method
@pytest.mark.parametrize("n_iter", [1, 25])
def test_an_iteration_costs_one_projection_each(method: Method, n_iter: int) -> None:
    dense, ledger = make(NORMS[1], 12, 13).frame, Ledger()
    problem = Problem(CountingFrame(dense, ledger), Counted())
    start, b = draw(problem, 6)
    inverse = method(n_iter=n_iter, tol=0.0, init=starting_at(start)).prepare(problem)
    counted.clear()
    ledger.clear()
    recovery = inverse(
        b,
        SignalRun(solver_keys(0, 0, range(6))),
    )
    assert_array_equal(recovery.n_iter, n_iter)
    assert sum(counted) == 6 * n_iter
    # F x0, P_A y, and P_A once an iteration.
    assert sum(ledger.applications.values()) == 6 * (1 + 2 + 2 * n_iter)
