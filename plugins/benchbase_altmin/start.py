"""Random starts, scaled to the measurements."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run

HALVINGS = 50


def norms(rows: Array) -> Array:
    """Return the Euclidean norm of each row, in one pass."""
    size: Array = np.sqrt(np.einsum("sk,sk->s", rows, rows))
    return size


class GaussianStart(benchbase.Solver):
    """A Gaussian vector for each signal, scaled so that ‖P(F x)‖ = ‖b‖ where it can be.

    The start of solvers that are given no other.
    """

    name = "gaussian"

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare nothing."""
        return lambda b, run: Recovery(x=gaussian_start(problem, b, run))


def gaussian_start(problem: Problem, b: Array, run: Run) -> Array:
    """Draw starts (S, N) with ‖P(F x)‖ = ‖b‖; where no scale gives that they stay as drawn."""
    x = run.normal(problem.frame.n)
    c = problem.frame.analyse(x)
    wanted = norms(b)
    if problem.pooling.homogeneous:
        size = norms(problem.pooling(c))
        scale = wanted / np.where(size > 0, size, 1)
        x *= np.where(size > 0, scale, 1)[:, None]
        return x

    def reaches(scale: Array) -> Array:
        reached: Array = norms(problem.pooling(c * scale[:, None, None])) >= wanted
        return reached

    low, high = np.zeros(len(x)), np.ones(len(x))
    for _ in range(HALVINGS):  # until it reaches b, if it ever does
        high = np.where(reaches(high), high, 2 * high)
    found = reaches(high) & ~reaches(low)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        far = reaches(middle)
        low, high = np.where(far, low, middle), np.where(far, middle, high)
    x *= np.where(found, high, 1)[:, None]
    return x
