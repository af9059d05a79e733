"""What the solvers of this package share: units, starts, and the problems that they refuse."""

from abc import abstractmethod
from functools import partial
from typing import ClassVar

import numpy as np

import benchbase
from benchbase import Array, Begin, Blocks, Problem, Run, Start, norms
from benchbase_descent.pools import Pools


class Method(benchbase.Iteration):
    """The state of a descent method for one block of signals, in the units of `Pools`.

    Parameters
    ----------
    pools : Pools
        The problem.
    b : ndarray, shape (S, K)
        The measurements, in the units of the problem.
    x : ndarray, shape (S, N)
        The starts, in the units of `Pools`.

    Attributes
    ----------
    b, x
        The measurements and the estimates, both in the units of `Pools`.
    unit : ndarray, shape (S,)
        The numbers by which the measurements of each signal were divided.
    """

    per_signal = (*benchbase.Iteration.per_signal, "unit")

    def __init__(self, pools: Pools, b: Array, x: Array) -> None:
        self.pools, self.unit = pools, pools.units(b)
        super().__init__(pools.problem, b / self.unit[:, None], x)

    def values(self) -> Array:
        """Return P(F x), (S, K)."""
        return self.pools.values(self.pools.analyse(self.x), self.unit)

    def look(self) -> tuple[Array, Array]:
        """Return the signals in the units of the problem, and their residuals."""
        scale = (self.unit / self.pools.length)[:, None]
        return self.x * scale, norms(self.values() - self.b)

    def reference(self) -> Array:
        """Return ‖b‖ of each signal, (S,); if it is zero, 1 in the units of the problem."""
        size = norms(self.b)
        return np.where(size > 0, size, 1 / self.unit)


class Descent(benchbase.IterativeSolver):
    """Base class of solvers that go from a start to a nearby signal that fits the measurements.

    Its parameters and errors are those of `IterativeSolver`.

    Attributes
    ----------
    vectors : bool
        Whether the solver needs the frame's vectors. Class attribute.
    """

    best: ClassVar[bool] = False
    blocks: ClassVar[Blocks] = Blocks(50_000, "floor")  # such blocks stay in an L2 cache
    vectors: ClassVar[bool] = True

    @abstractmethod
    def method(self, pools: Pools) -> Begin:
        """Prepare what all signals share; return a function that begins with a block of signals."""

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not apply to complex frames, nor, if it needs vectors, to frames that never form
        them.
        """
        if self.vectors and not problem.frame.is_complex:
            try:
                problem.vectors(counted=True)
            except NotImplementedError:
                return f"{self.name} needs the frame's vectors, but this frame never forms them"
        return super().unsupported(problem)

    def set_up(self, problem: Problem) -> tuple[Start, Begin]:
        """Prepare the units, the solver that gives the start, and what the method needs."""
        if self.init is None:
            pools = Pools(problem)
            return partial(_gaussian_start, pools), self.method(pools)
        init, pools = benchbase.start_of(self.init, problem), Pools(problem)

        def start(b: Array, run: Run) -> Array:
            x = init(b, run) / pools.units(b)[:, None] * pools.length
            x[~np.isfinite(x).all(axis=1)] = np.nan
            return x

        return start, self.method(pools)


def _gaussian_start(pools: Pools, b: Array, run: Run) -> Array:
    """Draw starts with ‖P(F x)‖ = ‖b‖, in the units of `Pools`.

    A start for which no scale gives that stays as drawn.
    """
    x, unit = run.normal(pools.n), pools.units(b)
    c = pools.analyse(x)

    def values(scale: Array) -> Array:
        return pools.values(c * scale[:, None, None], unit)

    wanted = norms(b / unit[:, None])
    x *= benchbase.fitting_scale(values, wanted, homogeneous=pools.homogeneous)[:, None]
    return x
