"""A plugin file of solvers whose results are of all kinds."""

from collections.abc import Callable

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class Half(benchbase.Solver):
    """Guesses, in chunks of three; the third row of each is not finite."""

    name = "half"
    chunk = 3
    scale: float = 1.0

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            x = self.scale * run.normal(problem.frame.n)
            x[2::3] = np.nan
            n = np.arange(len(b))
            return Recovery(x=x, n_iter=n, converged=n > 0, message="a, b")

        return inverse


class Raises(benchbase.Solver):
    name = "raises"

    def prepare(self, problem: Problem) -> Inverse:
        raise ArithmeticError('a "quote", a comma')


class Refuses(Raises):
    name = "refuses"
    weights: float | tuple[float, ...] = (1.0, 2.0)

    def unsupported(self, problem: Problem) -> str | None:
        return "never"


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    for cls in (Half, Raises, Refuses):
        register(cls)
