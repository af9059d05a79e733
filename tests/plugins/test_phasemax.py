"""PhaseMax and its iteration."""

from dataclasses import replace
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import (
    Array,
    DenseFrame,
    Inverse,
    Pooling,
    Problem,
    Recovery,
    relative_error,
    squared_cosine,
)
from benchbase.conformance import check_solver
from benchbase.numerics.ledger import Ledger
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_phasemax.phasemax import PhaseMax
from benchbase_phasemax.programs import Programs
from tests.plugins.problems import Implicit, flags, lp


class Near(benchbase.Solver):
    """Gives anchors: a vector that the measurements decide, the same in all units."""

    name = "near"
    spread: float = 1.0

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Any) -> Recovery:
            weights = np.random.default_rng(5).standard_normal((problem.frame.n_pools, 1))
            vectors = problem.frame.dense().sum(axis=1)
            return Recovery(x=(b * weights[:, 0] * self.spread) @ vectors)

        return inverse


class Given(benchbase.Solver):
    """Gives one anchor to all signals."""

    name = "given"
    x: tuple[float, ...] = ()

    def prepare(self, problem: Problem) -> Inverse:
        return lambda b, run: Recovery(x=np.tile(np.array(self.x), (len(b), 1)))


def pose(
    pooling: Pooling,
    n: int = 5,
    n_pools: int = 20,
    pool_size: int = 2,
    size: int = 3,
    seed: int = 0,
) -> tuple[Problem, Array, Array]:
    rng = np.random.default_rng([n, n_pools, pool_size, seed])
    problem = Problem(DenseFrame(rng.standard_normal((n_pools, pool_size, n))), pooling)
    x = rng.standard_normal((size, n))
    return problem, x, problem.measure(x)


def near(x: Array, seed: int = 0) -> Given:
    """An anchor at about 35 degrees from a signal."""
    noise = np.random.default_rng([1, seed]).standard_normal(x.shape)
    noise *= 0.7 * np.linalg.norm(x) / np.linalg.norm(noise)
    return Given(x=tuple(float(each) for each in x + noise))


def reference(problem: Problem, b: Array, c: Array, alpha: Array) -> float:
    """max ⟨c, x⟩ subject to norms of pools, by an interior point method."""
    cvxpy: Any = import_module("cvxpy")
    x = cvxpy.Variable(len(c))
    limits = []
    for vectors, most, shift in zip(problem.frame.dense(), b, alpha.T, strict=True):
        u = vectors @ x - shift
        inside = cvxpy.pos(u) if problem.pooling.rectified else u
        limits.append(cvxpy.norm(inside, problem.pooling.p) <= most)
    program = cvxpy.Problem(cvxpy.Maximize(c @ x), limits)
    program.solve(solver="CLARABEL")
    return float(program.value)


FORMS = pytest.mark.parametrize(
    "pooling",
    [lp(1), lp(np.inf), lp(1, rectified=True), lp(np.inf, rectified=True)],
    ids=["p=1", "p=inf", "rectified p=1", "rectified p=inf"],
)


@FORMS
@pytest.mark.parametrize("pool_size", [1, 2, 4])
def test_the_optimum_is_that_of_the_norms(pooling: Pooling, pool_size: int) -> None:
    problem, x, b = pose(pooling, pool_size=pool_size)
    b = np.abs(b + 0.2 * np.random.default_rng(2).standard_normal(b.shape))
    b[1, 3] = 0
    anchor = near(x[0])
    found = benchbase.solve(PhaseMax(init=anchor), problem, b)
    assert flags(found) == [True] * 3
    assert found.message == "HiGHS: optimal"
    assert (problem.measure(found.x) <= b + 1e-6).all()
    c = np.array(anchor.x)
    for each, row in zip(found.x, b, strict=True):
        expected = reference(problem, row, c, np.zeros((pool_size, 20)))
        assert_allclose(each @ c, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("p", [1, np.inf])
@pytest.mark.parametrize("pool_size", [2, 4])
def test_thresholds(p: float, pool_size: int) -> None:
    alpha = np.random.default_rng(4).uniform(-0.3, 0.6, (20, pool_size))
    given_alpha = tuple(float(each) for each in alpha.ravel())
    pooling = lp(p, rectified=True, threshold=given_alpha)
    problem, x, b = pose(pooling, pool_size=pool_size)
    for i, signal in enumerate(x):
        anchor = near(signal)
        one = benchbase.solve(PhaseMax(init=anchor), problem, b[i])
        expected = reference(problem, b[i], np.array(anchor.x), alpha.T)
        assert_allclose(one.x @ np.array(anchor.x), expected, rtol=1e-5)
        all_of_it = benchbase.solve(PhaseMax(init=near(signal), n_iter=20), problem, b[i])
        assert relative_error(all_of_it.x, signal) < 1e-6
        assert all_of_it.converged
        # And the program before had not found it.
        assert all_of_it.n_iter is not None
        if (before := int(all_of_it.n_iter) - 1) > 0:
            stopped = benchbase.solve(PhaseMax(init=near(signal), n_iter=before), problem, b[i])
            assert relative_error(stopped.x, signal) > 1e-6


@FORMS
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), frame_unit=st.floats(-6, 6), unit=st.floats(-6, 6))
def test_units_do_not_matter(pooling: Pooling, seed: int, frame_unit: float, unit: float) -> None:
    problem, x, b = pose(pooling, seed=seed, size=1)
    solver = PhaseMax(init=near(x[0]), n_iter=3)
    found = benchbase.solve(solver, problem, b)
    other = Problem(DenseFrame(problem.frame.dense() * 10**frame_unit), pooling)
    again = benchbase.solve(solver, other, b * 10**unit)
    assert flags(again) == flags(found)
    assert_allclose(again.x * 10 ** (frame_unit - unit), found.x, atol=1e-6)
    value = problem.measure(found.x).sum()
    assert value <= b.sum() * (1 + 1e-6)


@FORMS
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_program_brings_the_measurements_nearer(pooling: Pooling, seed: int) -> None:
    problem, x, b = pose(pooling, n=8, n_pools=24, size=1, seed=seed)
    programs = Programs(problem.frame.dense(), float(pooling.p or 0), pooling.rectified, 1)
    sums = []
    for n_iter in (1, 2, 30):
        found = benchbase.solve(PhaseMax(init=near(x[0]), n_iter=n_iter), problem, b)
        assert (problem.measure(found.x) <= b + 1e-6 * b.mean()).all()
        u = problem.frame.analyse(found.x[0])
        sums.append(np.sum(programs.directions(u) * u * (b > 0)))
    assert flags(found) == [True]
    assert (np.diff(sums) >= -1e-6 * b.sum()).all()


@FORMS
def test_the_objective_of_the_second_program(pooling: Pooling) -> None:
    problem, _, b = pose(pooling, n=8, n_pools=24)
    first = benchbase.solve(PhaseMax(init=Near()), problem, b)
    second = benchbase.solve(PhaseMax(init=Near(), n_iter=2), problem, b)
    for x, after, row in zip(first.x, second.x, b, strict=True):
        u = problem.frame.analyse(x)
        size = u if pooling.rectified else np.abs(u)
        d = size == size.max(axis=0)
        if pooling.p == 1:
            d |= size > 0
        c = problem.frame.adjoint(d * (1.0 if pooling.rectified else np.sign(u)) * (row > 0))
        anchor = Given(x=tuple(float(each) for each in c))
        expected = benchbase.solve(PhaseMax(init=anchor), problem, row).x
        assert_allclose(after, expected, atol=1e-7)


@FORMS
def test_the_iteration_finds_signals(pooling: Pooling) -> None:
    problem, x, b = pose(pooling, n=10, n_pools=40, size=4)
    found = [benchbase.solve(PhaseMax(init=near(each), n_iter=30), problem, b) for each in x]
    for i, each in enumerate(found):
        assert squared_cosine(each.x[i], x[i]) > 1 - 1e-9
        assert relative_error(each.x[i], x[i], problem.ambiguity) < 1e-6
        assert flags(each)[i]
        assert each.n_iter is not None
        assert 1 <= each.n_iter[i] < 30


def test_p_1_of_pairs_is_p_inf_of_their_sums_and_differences() -> None:
    problem, x, b = pose(lp(1), n=8, n_pools=24)
    first, second = problem.frame.dense().transpose(1, 0, 2)
    turned = DenseFrame(np.stack((first + second, first - second), axis=1))
    solver = PhaseMax(init=near(x[0]))
    one = benchbase.solve(solver, problem, b)
    other = benchbase.solve(solver, Problem(turned, lp(np.inf)), b)
    assert_allclose(one.x, other.x, atol=1e-7)


def test_pools_of_one_are_alike_for_all_p() -> None:
    x = [
        benchbase.solve(PhaseMax(init=near(signals[0])), problem, b).x
        for problem, signals, b in (pose(lp(p), pool_size=1) for p in (1, 2, np.inf))
    ]
    assert_array_equal(x[0], x[1])
    assert_array_equal(x[0], x[2])


@FORMS
def test_a_batch_is_a_loop(pooling: Pooling) -> None:
    problem, _, b = pose(pooling, size=4)
    solver = PhaseMax(init=Near(), n_iter=5)
    found = benchbase.solve(solver, problem, b)
    order = [2, 0, 3, 1]
    assert_array_equal(benchbase.solve(solver, problem, b[order]).x, found.x[order])
    assert_array_equal(benchbase.solve(solver, problem, b[1]).x, found.x[1])


@pytest.mark.parametrize("n_iter", [1, 10])
def test_a_program_stopped_by_its_limit(n_iter: int) -> None:
    problem, x, b = pose(lp(np.inf), n=12, n_pools=40)
    stopped = benchbase.solve(PhaseMax(init=near(x[0]), n_iter=n_iter, max_iters=2), problem, b)
    assert flags(stopped) == [False] * 3
    assert stopped.message == "HiGHS: iteration limit"
    assert_array_equal(stopped.n_iter, 1)


def test_an_iteration_stopped_by_its_limit() -> None:
    problem, _, b = pose(lp(np.inf), n=20, n_pools=36, size=2)
    free = benchbase.solve(PhaseMax(init=Near(), n_iter=100), problem, b)
    assert free.n_iter is not None
    assert (free.n_iter > 2).all()
    assert flags(free) == [True, True]
    stopped = benchbase.solve(PhaseMax(init=Near(), n_iter=2), problem, b)
    assert flags(stopped) == [False, False]
    assert stopped.message == "HiGHS: still moving"
    assert_array_equal(stopped.n_iter, 2)


WRONG = [*product(["x", "feasible", "marginals", "stationary"], [1, np.inf]), ("sign", np.inf)]


@pytest.mark.parametrize(("what", "p"), WRONG)
def test_optimal_is_what_the_duality_gap_says(
    what: str, p: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, x, b = pose(lp(p), pool_size=4)
    right = scipy.optimize.linprog

    def wrong(*args: Any, **options: Any) -> Any:
        found = right(*args, **options)
        multipliers, limits = found.ineqlin.marginals, options["b_ub"]
        if what == "x":
            found.x = found.x * 0.999
        elif what == "feasible":  # another point with the same value
            step = np.random.default_rng(0).standard_normal(found.x.shape) / 100
            cost = args[0]
            found.x = found.x + step - cost * (cost @ step) / (cost @ cost)
        elif what == "marginals":
            found.ineqlin.marginals = multipliers * 0.999
        elif what == "sign":  # rows come with their negatives, four further on
            found.ineqlin.marginals[[0, 4]] += limits[8]
            found.ineqlin.marginals[[8, 12]] -= limits[0]
        else:  # others with the same value
            changed = np.roll(multipliers, 1)
            found.ineqlin.marginals = changed * (limits @ multipliers) / (limits @ changed)
        return found

    monkeypatch.setattr(scipy.optimize, "linprog", wrong)
    recovery = benchbase.solve(PhaseMax(init=near(x[0])), problem, b)
    assert flags(recovery) == [False] * 3
    assert recovery.message == "HiGHS: inaccurate"


@FORMS
@pytest.mark.parametrize("n_iter", [1, 5])
def test_zero_measurements(pooling: Pooling, n_iter: int) -> None:
    problem, x, b = pose(pooling)
    b[1] = 0
    found = benchbase.solve(PhaseMax(init=near(x[0]), n_iter=n_iter), problem, b)
    assert_array_equal(found.x[1], 0)
    assert flags(found)[1]
    assert (found.x[[0, 2]] != 0).any(axis=1).all()
    assert "the measurements of zero" in str(found.message)


@FORMS
def test_too_few_pools_leave_programs_unbounded(pooling: Pooling) -> None:
    problem, x, b = pose(pooling, n=12, n_pools=3)
    found = benchbase.solve(PhaseMax(init=near(x[0]), n_iter=4), problem, b)
    assert np.isnan(found.x).all()
    assert flags(found) == [False] * 3
    assert "unbounded" in str(found.message)


def test_measurements_that_nothing_is_below() -> None:
    # Neither f·x nor −f·x is more than −1.
    vectors = np.array([[[1.0, 0.0]], [[-1.0, 0.0]], [[0.0, 1.0]]])
    problem = Problem(DenseFrame(vectors), lp(np.inf, rectified=True, threshold=-1.0))
    found = benchbase.solve(PhaseMax(init=Given(x=(1.0, 1.0))), problem, np.zeros((1, 3)))
    assert np.isnan(found.x).all()
    assert flags(found) == [False]
    assert "infeasible" in str(found.message)


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_no_anchor(bad: float) -> None:
    problem, _, b = pose(lp(1))
    found = benchbase.solve(PhaseMax(init=Given(x=(bad,) * 5)), problem, b)
    assert np.isnan(found.x).all()
    assert flags(found) == [False] * 3
    assert found.message == "HiGHS: no anchor"


def test_it_is_a_start_of_other_solvers() -> None:
    problem, _, b = pose(lp(np.inf), n=10, n_pools=40, size=5)
    altmin = benchbase.build("solver", {"name": "altmin"})
    found = benchbase.solve(replace(altmin, init=PhaseMax(init=Near(), n_iter=3)), problem, b)
    assert np.isfinite(found.x).all()


@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("p", [1, np.inf])
def test_directions_are_those_of_the_largest_vertex(p: float, rectified: bool) -> None:
    u = np.random.default_rng(0).standard_normal((3, 50))
    programs = Programs(np.zeros((50, 3, 2)), p, rectified, 10)
    vertices = programs._vertices
    expected = vertices[(vertices @ u).argmax(axis=0)].T
    assert_array_equal(programs.directions(u), expected)


class _Half(type(lp(1))):  # type: ignore[misc] # a class that is only known at run time
    """Half of an lp norm, which says that it has no formula."""

    name = "half"
    slopes = None

    def __call__(self, c: Array) -> Array:
        half: Array = super().__call__(c) / 2
        return half


def test_what_it_does_not_apply_to() -> None:
    problem, _, _ = pose(lp(1))
    solver = PhaseMax(init=Near())

    def reason(frame: Any = problem.frame, pooling: Pooling = problem.pooling) -> str | None:
        return solver.unsupported(Problem(frame, pooling))

    vectors = problem.frame.dense()
    assert reason() is None
    assert reason(DenseFrame(vectors[:, :1]), lp(2)) is None
    assert "cones" in str(reason(pooling=lp(2)))
    assert "cones" in str(reason(pooling=lp(2, rectified=True)))
    assert "lp poolings" in str(reason(pooling=benchbase.build("pooling", {"name": "maxout"})))
    assert "lp poolings" in str(reason(pooling=_Half(p=1.0)))
    assert "complex" in str(reason(DenseFrame(1j * vectors)))
    assert "vectors" in str(reason(Implicit(vectors)))
    trained = PhaseMax(init=benchbase.build("solver", {"name": "knn"}))
    assert "training" in str(trained.unsupported(problem))


@pytest.mark.parametrize("wrong", [{"n_iter": 0}, {"max_iters": 0}])
def test_parameters_out_of_range(wrong: dict[str, int]) -> None:
    with pytest.raises(benchbase.ParameterError) as error:
        PhaseMax(init=Near(), **wrong)
    assert error.value.parameter in wrong


@FORMS
def test_it_keeps_the_rules_of_solvers(pooling: Pooling) -> None:
    check_solver(PhaseMax(init=Near(), n_iter=2), pose(pooling)[0])


def test_an_estimate_of_zero_has_not_converged() -> None:
    """With an anchor at −x the program is solved by zero: pools of zero bound all directions."""
    problem, x, b = pose(lp(np.inf, rectified=True), n_pools=40, size=1)
    given = Given(x=tuple(map(float, -x[0])))
    found = benchbase.solve(PhaseMax(init=given), problem, b)
    assert_array_equal(problem.measure(found.x), 0)
    assert flags(found) == [False]
    assert "1 estimates are zero, which says nothing" in found.message
    # Zero is the right answer if it has the measurements.
    nothing = benchbase.solve(PhaseMax(init=given), problem, 0 * b)
    assert flags(nothing) == [True]


def test_a_program_costs_two_products_for_each_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    """With p = infinity a product with the matrix takes as much as two frame applications."""
    problem, x, b = pose(lp(np.inf), size=2)
    iterations, solve = [], scipy.optimize.linprog

    def counted(*arguments: Any, **options: Any) -> Any:
        found = solve(*arguments, **options)
        iterations.append(found.nit)
        return found

    monkeypatch.setattr(scipy.optimize, "linprog", counted)
    ledger = Ledger()
    run = SignalRun(solver_keys(0, 0, range(2)), ledger)
    PhaseMax(init=near(x[0])).prepare(problem)(b, run)
    assert min(iterations) > 0
    assert sum(ledger.applications.values()) == pytest.approx(4 * sum(1 + i for i in iterations))
