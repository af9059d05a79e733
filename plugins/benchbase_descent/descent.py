"""What the methods of this package share: units, starts, and where they apply."""

from abc import abstractmethod
from functools import partial
from typing import ClassVar

import numpy as np

import benchbase
from benchbase import Array, Begin, Blocks, Problem, Run, Start, norms
from benchbase_descent.pools import Pools


class Method(benchbase.Iteration):
    """A method on its way, in the units of `Pools`.

    Parameters
    ----------
    pools : Pools
        The problem.
    b : ndarray, shape (S, K)
        The measurements, in the units of the problem.
    x : ndarray, shape (S, N)
        The starts, in those of `Pools`.

    Attributes
    ----------
    b, x
        Both in the units of `Pools`.
    unit : ndarray, shape (S,)
        What the measurements were divided by.
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
        """Return ‖b‖, or where that is zero 1 in the units of the problem; (S,)."""
        size = norms(self.b)
        return np.where(size > 0, size, 1 / self.unit)


class Descent(benchbase.IterativeSolver):
    """A method that goes from a start to a nearby signal that fits the measurements.

    Parameters and errors are those of `IterativeSolver`.

    Attributes
    ----------
    vectors : bool
        Whether the vectors of the frame are needed. Class attribute.
    """

    best: ClassVar[bool] = False
    blocks: ClassVar[Blocks] = Blocks(50_000, "floor")  # which then stay in an L2 cache
    vectors: ClassVar[bool] = True

    @abstractmethod
    def method(self, pools: Pools) -> Begin:
        """Prepare what all signals share; return what begins with a block."""

    def unsupported(self, problem: Problem) -> str | None:
        """Say why not: complex frames, and frames without the vectors that are needed."""
        if self.vectors and not problem.frame.is_complex:
            try:
                problem.frame.dense()
            except NotImplementedError:
                return f"{self.name} needs the vectors of a frame that never forms them"
        return super().unsupported(problem)

    def set_up(self, problem: Problem) -> tuple[Start, Begin]:
        """Prepare the units, the initialiser and what the method needs."""
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
    """Draw starts with ‖P(F x)‖ = ‖b‖, in units; if no scale gives that, they stay as drawn."""
    x, unit = run.normal(pools.n), pools.units(b)
    c = pools.analyse(x)

    def values(scale: Array) -> Array:
        return pools.values(c * scale[:, None, None], unit)

    wanted = norms(b / unit[:, None])
    x *= benchbase.fitting_scale(values, wanted, homogeneous=pools.homogeneous)[:, None]
    return x
