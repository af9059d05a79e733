"""Random starts, scaled to the measurements."""

import benchbase
from benchbase import Inverse, Problem, Recovery


class GaussianStart(benchbase.Solver):
    """A Gaussian vector for each signal, scaled so that ‖P(F x)‖ = ‖b‖ if there is such a scale.

    The start of iterative solvers that are given no other.
    """

    name = "gaussian"

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare nothing."""
        return lambda b, run: Recovery(x=benchbase.gaussian_start(problem, b, run))
