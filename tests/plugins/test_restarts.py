"""Restarts of another solver."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Array, DenseFrame, Inverse, Problem, Recovery, Run
from benchbase.conformance import check_solver
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_restarts.restarts import Restarts


class Lottery(benchbase.Solver):
    """Guesses at random."""

    name = "lottery"

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            return Recovery(x=run.normal(problem.frame.n), n_iter=np.full(len(b), 7))

        return inverse


def make(n: int = 4, n_pools: int = 12, seed: int = 0) -> tuple[Problem, Array, Array]:
    rng = np.random.default_rng([n, n_pools, seed])
    frame = DenseFrame(rng.standard_normal((n_pools, 2, n)))
    problem = Problem(frame, benchbase.build("pooling", {"name": "lp"}))
    x = rng.standard_normal((6, n))
    b = problem.measure(x)
    b.flags.writeable = False
    return problem, x, b


def run_of(size: int) -> SignalRun:
    return SignalRun(solver_keys(0, 0, range(size)))


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 8), seed=st.integers(0, 2**32))
def test_the_least_residual_of_all_rounds_is_kept(n: int, seed: int) -> None:
    problem, _, b = make(seed=seed)
    rounds = []
    for r in range(n):
        with run_of(6).phase(f"start {r}") as phase:
            rounds.append(phase.normal(4))
    residuals = np.stack([problem.residual(x, b) for x in rounds])
    expected = np.stack(rounds)[residuals.argmin(axis=0), np.arange(6)]
    recovery = benchbase.solve(Restarts(solver=Lottery(), n=n), problem, b)
    np.testing.assert_array_equal(recovery.x, expected)
    np.testing.assert_array_equal(recovery.n_iter, 7 * n)
    np.testing.assert_array_equal(recovery.converged, False)


def test_one_round_is_the_inner_solver() -> None:
    problem, _, b = make()
    inner = benchbase.build("solver", {"name": "altmin", "n_iter": 50})
    with run_of(6).phase("start 0") as phase:
        expected = inner.prepare(problem)(b, phase)
    found = benchbase.solve(Restarts(solver=inner, n=1), problem, b)
    for each in ("x", "n_iter", "converged"):
        np.testing.assert_array_equal(getattr(found, each), getattr(expected, each))


def test_more_starts_solve_more() -> None:
    problem, _, b = make(n=6, n_pools=12)
    inner = benchbase.build("solver", {"name": "altmin"})

    def solved(n: int) -> int:
        converged = benchbase.solve(Restarts(solver=inner, n=n), problem, b).converged
        assert converged is not None
        return int(converged.sum())

    assert solved(1) <= solved(2) <= solved(20) == len(b)
    assert solved(1) < solved(20)


def test_solved_signals_are_left_alone() -> None:
    problem, x, b = make()
    asked: list[Array] = []

    class OneMore(benchbase.Solver):
        """Solves the first signal it is given."""

        name = "one_more"

        def prepare(self, problem: Problem) -> Inverse:
            def inverse(b: Array, run: Run) -> Recovery:
                asked.append(b)
                estimate = run.normal(4)
                estimate[0] = x[6 - len(b)]
                return Recovery(x=estimate, n_iter=np.ones(len(b), dtype=int))

            return inverse

    recovery = benchbase.solve(Restarts(solver=OneMore(), n=20), problem, b)
    np.testing.assert_array_equal(recovery.x, x)
    np.testing.assert_array_equal(recovery.n_iter, [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(recovery.converged, True)
    assert [len(each) for each in asked] == [6, 5, 4, 3, 2, 1]
    np.testing.assert_array_equal(asked[2], b[2:])


@pytest.mark.parametrize(("tol", "rounds"), [(1e-8, 4), (1e-3, 1)])
def test_a_signal_is_solved_at_the_tolerance(tol: float, rounds: int) -> None:
    problem, x, b = make()

    class Near(benchbase.Solver):
        """Comes near the signals."""

        name = "near"

        def prepare(self, problem: Problem) -> Inverse:
            return lambda b, run: Recovery(x=x * (1 + 1e-5), n_iter=np.ones(6, dtype=int))

    recovery = benchbase.solve(Restarts(solver=Near(), n=4, tol=tol), problem, b)
    np.testing.assert_array_equal(recovery.n_iter, rounds)
    np.testing.assert_array_equal(recovery.converged, rounds == 1)


def test_a_signal_meets_the_same_streams_whoever_else_is_unsolved() -> None:
    problem, _, b = make(n=6, n_pools=9)
    inner = benchbase.build("solver", {"name": "altmin", "n_iter": 200})
    inverse = Restarts(solver=inner, n=5).prepare(problem)
    batch = inverse(b, run_of(6))
    for i in range(6):
        alone = inverse(b[i : i + 1], SignalRun(solver_keys(0, 0, [i])))
        assert alone.n_iter is not None
        assert batch.n_iter is not None
        assert alone.n_iter[0] == batch.n_iter[i]
        assert benchbase.relative_error(alone.x[0], batch.x[i]) < 1e-6


@pytest.mark.parametrize("bad_round", [0, 1])
def test_rounds_that_are_not_finite(bad_round: int) -> None:
    problem, _, b = make()
    calls = iter(range(9))

    class Fails(Lottery):
        name = "fails"

        def prepare(self, problem: Problem) -> Inverse:
            def inverse(b: Array, run: Run) -> Recovery:
                estimate = run.normal(4)
                if next(calls) in (bad_round, 5):
                    estimate[0] = np.nan
                return Recovery(x=estimate)

            return inverse

    recovery = benchbase.solve(Restarts(solver=Fails(), n=2), problem, b)
    assert np.isfinite(recovery.x).all()
    assert recovery.n_iter is None
    calls = iter([bad_round])
    only = benchbase.solve(Restarts(solver=Fails(), n=1), problem, b).x
    assert np.isnan(only[0]).all()
    assert np.isfinite(only[1:]).all()


def test_what_the_inner_solver_does_not_apply_to() -> None:
    problem, _, _ = make()
    solver = Restarts(solver=benchbase.build("solver", {"name": "knn"}))
    assert "training" in str(solver.unsupported(problem))
    assert Restarts(solver=Lottery()).unsupported(problem) is None


@pytest.mark.parametrize("wrong", [{"n": 0}, {"tol": -1.0}, {"tol": np.inf}, {"tol": np.nan}])
def test_parameters_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(benchbase.ParameterError) as error:
        Restarts(solver=Lottery(), **wrong)
    assert error.value.parameter in wrong


def test_it_keeps_the_rules_of_solvers() -> None:
    spec = {"name": "restarts", "n": 3, "solver": {"name": "altmin"}}
    check_solver(benchbase.build("solver", spec))
