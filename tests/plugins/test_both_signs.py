"""The better of two signs of a start."""

from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import Array, DenseFrame, Inverse, Problem, Recovery, Run
from benchbase.conformance import check_solver
from benchbase_restarts.both_signs import BothSigns

STARTS: list[int] = []


class Start(benchbase.Solver):
    """Draws at random, and counts how often it is asked."""

    name = "start"

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            STARTS.append(len(b))
            return Recovery(x=run.normal(problem.frame.n))

        return inverse


class Stays(benchbase.Solver):
    """Gives back its start, of which it may know the right half already."""

    name = "stays"
    init: benchbase.Solver | None = None
    counts: bool = True

    def prepare(self, problem: Problem) -> Inverse:
        assert self.init is not None
        start = self.init.prepare(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            with run.phase("init") as phase:
                x = start(b, phase).x
            return Recovery(x=x, n_iter=np.full(len(b), 3) if self.counts else None)

        return inverse


def make(**pooling: Any) -> tuple[Problem, Array, Array]:
    rng = np.random.default_rng(0)
    frame = DenseFrame(rng.standard_normal((12, 2, 4)))
    problem = Problem(frame, benchbase.build("pooling", {"name": "lp"} | pooling))
    x = rng.standard_normal((30, 4))
    b = problem.measure(x)
    b.flags.writeable = False
    return problem, x, b


@pytest.mark.parametrize("counts", [True, False])
def test_the_smaller_residual_is_kept(counts: bool) -> None:
    problem, _, b = make(rectified=True)
    inner = Stays(init=Start(), counts=counts)
    x0 = benchbase.solve(inner, problem, b, 5).x
    STARTS.clear()
    found = benchbase.solve(BothSigns(solver=inner), problem, b, 5)
    assert STARTS == [30]  # the start may be dear: it is made once
    better = problem.residual(-x0, b) < problem.residual(x0, b)
    assert 5 < better.sum() < 25
    np.testing.assert_array_equal(found.x, np.where(better[:, None], -x0, x0))
    np.testing.assert_array_equal(found.converged, False)
    if counts:
        np.testing.assert_array_equal(found.n_iter, 6)
    else:
        assert found.n_iter is None


def test_where_the_sign_is_lost_it_is_the_inner_solver() -> None:
    problem, _, b = make()
    inner = Stays(init=Start())
    one, both = (benchbase.solve(s, problem, b) for s in (inner, BothSigns(solver=inner)))
    np.testing.assert_array_equal(one.x, both.x)
    np.testing.assert_array_equal(one.n_iter, both.n_iter)


def test_signals_that_are_solved_are_not_run_again() -> None:
    problem, x, b = make(rectified=True)

    class Right(benchbase.Solver):
        name = "right"

        def prepare(self, problem: Problem) -> Inverse:
            return lambda b, run: Recovery(x=x * np.where(np.arange(30) < 20, 1, -1)[:, None])

    found = benchbase.solve(BothSigns(solver=Stays(init=Right())), problem, b)
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(found.converged, True)
    np.testing.assert_array_equal(found.n_iter, [3] * 20 + [6] * 10)


def test_it_recovers_more_rectified_signals_than_one_sign() -> None:
    rng = np.random.default_rng(1)
    frame = DenseFrame(rng.standard_normal((14, 2, 8)))
    problem = Problem(frame, benchbase.build("pooling", {"name": "lp", "rectified": True}))
    x = rng.standard_normal((300, 8))
    b = problem.measure(x)
    one = benchbase.build("solver", {"name": "altmin", "init": {"name": "gaussian"}})
    both = BothSigns(solver=one)
    solved = []
    for solver in (one, both):
        found = benchbase.solve(solver, problem, b)
        solved.append(np.sum(benchbase.squared_cosine(found.x, x, "none") > 0.999))
    assert solved[1] > 1.1 * solved[0] > 0


@pytest.mark.parametrize(
    "spec",
    [
        {"solver": {"name": "altmin"}},
        {"solver": {"name": "gaussian"}},
        {"solver": {"name": "altmin", "init": {"name": "gaussian"}}, "tol": -1.0},
    ],
)
def test_parameters_that_do_not_fit(spec: dict[str, Any]) -> None:
    with pytest.raises(benchbase.SpecError, match="must"):
        benchbase.build("solver", {"name": "both_signs"} | spec)


def test_it_keeps_the_rules_of_solvers() -> None:
    solver = benchbase.build("solver", {"name": "altmin", "init": {"name": "gaussian"}})
    check_solver(BothSigns(solver=solver))
