"""What tests of solvers build: problems, signals, and starts that are given."""

from typing import Any

import numpy as np

import benchbase
from benchbase import Array, DenseFrame, Pooling, Problem, Recovery, Solver


def make(pooling: dict[str, Any], n: int, n_pools: int, pool_size: int = 2) -> Problem:
    """Return a problem whose frame is Gaussian, the same for the same sizes."""
    rng = np.random.default_rng([n, n_pools, pool_size])
    frame = DenseFrame(rng.standard_normal((n_pools, pool_size, n)))
    return Problem(frame, benchbase.build("pooling", pooling))


def signals(problem: Problem, size: int, seed: int = 1) -> tuple[Array, Array]:
    """Draw signals and measure them, read-only."""
    x = np.random.default_rng(seed).standard_normal((size, problem.frame.n))
    b = problem.measure(x)
    x.flags.writeable = b.flags.writeable = False
    return x, b


def starting_at(start: Array) -> Solver:
    """Return a solver that gives the start back, or its first rows for fewer signals."""

    class Given(Solver):
        name = "given"

        def prepare(self, problem: Problem) -> benchbase.Inverse:
            return lambda b, run: Recovery(x=start[: len(b)])

    return Given()


def lp(p: float, *, rectified: bool = False, **more: Any) -> Pooling:
    spec = {"name": "lp", "p": float(p), "rectified": rectified, **more}
    pooling: Pooling = benchbase.build("pooling", spec)
    return pooling


def flags(recovery: Recovery) -> list[bool]:
    """Return for each signal whether the solver says that it has converged."""
    assert recovery.converged is not None
    return [bool(flag) for flag in recovery.converged]


class Implicit(DenseFrame):
    """A frame that never forms its vectors."""

    def dense(self) -> Array:
        raise NotImplementedError
