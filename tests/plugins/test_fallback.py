from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Inverse, Problem, Recovery, Run
from benchbase.conformance import check_solver
from benchbase_restarts.fallback import Fallback

CALLS: list[tuple[str, int]] = []


class Offers(benchbase.Solver):
    """Offers the truth times `scale` for every `every`-th signal, and zero for the others."""

    name = "offers"
    scale: float = 1.0
    every: int = 1
    applies: bool = True

    def unsupported(self, problem: Problem) -> str | None:
        return None if self.applies else f"not with a scale of {self.scale}"

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            CALLS.append((str(self.scale), len(b)))
            truth = problem.frame.least_squares(b[:, None, :])
            right = (np.round(b[:, 0]) % self.every == 0)[:, None]
            x = np.where(right, self.scale * truth, 0.0)
            return Recovery(x=x, n_iter=np.full(len(b), 3))

        return inverse


@pytest.fixture
def problem() -> Problem:
    CALLS.clear()
    pooling = benchbase.build("pooling", {"name": "lp", "rectified": True})
    return Problem(DenseFrame(np.eye(4)[:, None, :]), pooling)


TRUTH = np.arange(1.0, 25).reshape(6, 4)  # the first entries are 1, 5, 9, ..., 21


def test_solvers_run_in_turn_on_what_is_left(problem: Problem) -> None:
    solver = Fallback(solvers=(Offers(every=5), Offers(scale=1 + 1e-4), Offers(scale=1 - 1e-9)))
    found = benchbase.solve(solver, problem, TRUTH)
    assert CALLS == [("1.0", 6), ("1.0001", 5), ("0.999999999", 5)]
    np.testing.assert_allclose(found.x, TRUTH, rtol=1e-8)
    assert_array_equal(found.x[1], TRUTH[1])
    assert found.n_iter is not None
    assert found.n_iter.tolist() == [9, 3, 9, 9, 9, 9]
    assert found.converged is not None
    assert found.converged.all()


def test_the_least_residual_is_kept(problem: Problem) -> None:
    found = benchbase.solve(Fallback(solvers=(Offers(scale=1.1), Offers(scale=3))), problem, TRUTH)
    np.testing.assert_allclose(found.x, 1.1 * TRUTH)
    assert found.converged is not None
    assert not found.converged.any()


def test_what_does_not_apply_is_passed_over(problem: Problem) -> None:
    no, other = Offers(scale=2, applies=False), Offers(scale=4, applies=False)
    solver = Fallback(solvers=(no, Offers()))
    assert solver.unsupported(problem) is None
    assert_array_equal(benchbase.solve(solver, problem, TRUTH).x, TRUTH)
    assert Fallback(solvers=(no, other)).unsupported(problem) == "not with a scale of 4"


def test_without_signals_nothing_is_recovered(problem: Problem) -> None:
    found = benchbase.solve(Fallback(solvers=(Offers(), Offers())), problem, TRUTH[:0])
    assert found.x.shape == (0, 4)


def test_it_conforms() -> None:
    solvers = [{"name": "altmin", "n_iter": 5}, {"name": "altmin", "init": {"name": "spectral"}}]
    check_solver(benchbase.build("solver", {"name": "fallback", "solvers": solvers}))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [({"solvers": []}, "solvers: must be one or more"), ({"tol": -1}, "tol: must be finite")],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any], told: str) -> None:
    spec = {"name": "fallback", "solvers": [{"name": "altmin"}]} | parameters
    with pytest.raises(benchbase.SpecError, match=told):
        benchbase.build("solver", spec)
