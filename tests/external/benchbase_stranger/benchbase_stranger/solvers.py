"""A solver as a class, with a start by any other, and one as a function."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class Averaged(benchbase.Solver):
    """Alternating projections.

    Parameters
    ----------
    n_iter : int, optional
        The number of iterations.
    init : Solver, optional
        Gives the start.
    """

    name = "averaged"
    n_iter: int = 200
    init: benchbase.Solver | None = None

    def prepare(self, problem: Problem) -> Inverse:
        start = None if self.init is None else self.init.prepare(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            if start is None:
                x = run.normal(problem.frame.n)
            else:
                with run.phase("init") as inner:
                    x = start(b, inner).x
            for i in range(self.n_iter):
                run.record(i, x)
                c = problem.frame.analyse(x)
                x = problem.frame.least_squares(problem.pooling.rescale(c, b))
            n_iter = np.full(run.size, self.n_iter)
            return Recovery(x, n_iter, problem.residual(x, b) < 1e-6, "averaged well")

        return inverse


@benchbase.solver
def shot_in_the_dark(
    frame: benchbase.Frame,
    pooling: benchbase.Pooling,
    b: Array,
    rng: np.random.Generator,
    *,
    scale: float = 1.0,
) -> Array:
    """Draw at random."""
    return scale * rng.standard_normal(frame.n)
