import numpy as np
import pytest
from numpy.testing import assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Inverse, Problem, Recovery, Run


class Doubles(benchbase.Solver):
    """Doubles its start, or ones."""

    name = "doubles"
    factor: float = 2.0
    init: benchbase.Solver | None = None

    def prepare(self, problem: Problem) -> Inverse:
        start = None if self.init is None else self.init.prepare(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            x = np.ones((len(b), problem.frame.n)) if start is None else start(b, run).x
            return Recovery(x=self.factor * x)

        return inverse


@pytest.fixture
def problem() -> Problem:
    frame = DenseFrame(np.random.default_rng(0).standard_normal((4, 2, 3)))
    return Problem(frame, benchbase.build("pooling", {"name": "lp"}))


def test_a_solver_starts_where_it_is_told(problem: Problem) -> None:
    x = np.arange(6.0).reshape(2, 3)
    found = benchbase.solve(benchbase.starting_at(Doubles(factor=3), [x]), problem, np.ones((2, 4)))
    assert_array_equal(found.x, 3 * x)


def test_a_prepared_solver_takes_one_start_after_the_other(problem: Problem) -> None:
    starts: list[Array] = []
    solver = benchbase.starting_at(Doubles(), starts)
    for value in (1.0, 5.0):
        starts[:] = [np.full((2, 3), value)]
        assert_array_equal(benchbase.solve(solver, problem, np.ones((2, 4))).x, 2 * value)


def test_only_solvers_with_an_init_can_be_started() -> None:
    assert benchbase.has_init(Doubles())
    restarts = benchbase.build("solver", {"name": "restarts", "solver": {"name": "altmin"}})
    assert not benchbase.has_init(restarts)
    with pytest.raises(TypeError, match="init"):
        benchbase.starting_at(restarts, [np.zeros((1, 3))])
