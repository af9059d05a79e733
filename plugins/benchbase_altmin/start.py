"""Random starts, scaled to the measurements."""

import benchbase
from benchbase import Inverse, Problem, Recovery


class GaussianStart(benchbase.Solver):
    """A Gaussian vector for each signal, scaled so that ‖P(F x)‖ = ‖b‖ if there is such a scale.

    It is meant as the start of an iterative solver; many iterative solvers use it by default.
    """

    name = "gaussian"

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare nothing."""
        return lambda b, run: Recovery(x=benchbase.gaussian_start(problem, b, run))
