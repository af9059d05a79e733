"""What the methods of this package share: units, starts, batches, and when a signal is done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_descent.pools import Pools, norms
from benchbase_descent.start import gaussian_start

STALLED = 1e-12  # relative change between two checks at which nothing more is to come


@dataclass
class Batch:
    """Signals on their way, in the units of `Pools`.

    Parameters
    ----------
    x : ndarray, shape (S, N)
        The signals.
    b : ndarray, shape (S, K)
        Their measurements.
    unit : ndarray, shape (S,)
        What these were divided by.
    run : Run
        The run of all that the batch began with.
    """

    x: Array
    b: Array
    unit: Array
    run: Run

    def keep(self, stay: Array) -> None:
        """Go on with the signals that a boolean mask (S,) marks."""
        self.x, self.b, self.unit = self.x[stay], self.b[stay], self.unit[stay]


class Method(ABC):
    """The state of an iteration on a batch of signals.

    Parameters
    ----------
    pools : Pools
        The problem.
    batch : Batch
        The signals, of which `x` is to be replaced.

    Attributes
    ----------
    streams : list of numpy.random.Generator
        Those of the signals, where the method needs them.
    """

    def __init__(self, pools: Pools, batch: Batch) -> None:
        self.pools, self.batch = pools, batch
        self.streams: list[np.random.Generator] = []

    def values(self) -> Array:
        """Return P(F x), (S, K)."""
        batch = self.batch
        return self.pools.values(self.pools.analyse(batch.x), batch.unit)

    @abstractmethod
    def advance(self, first: int, steps: int) -> Array:
        """Make iterations `first` and on; return which signals have more to come, bool (S,)."""

    def keep(self, stay: Array) -> None:
        """Go on with the signals that a boolean mask (S,) marks."""
        self.batch.keep(stay)
        self.streams = [each for each, kept in zip(self.streams, stay, strict=False) if kept]

    def is_moving(self, before: Array) -> Array:
        """Return which signals have left where they were, (S, N); bool (S,)."""
        x = self.batch.x
        moving: Array = norms(x - before) > STALLED * norms(x)
        return moving


class Descent(benchbase.Solver):
    """A method that goes from a start to a nearby signal that fits the measurements.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start, in the phase "init". By default a Gaussian vector for each signal, scaled
        so that ‖P(F x)‖ = ‖b‖ where there is such a scale.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or `tol` negative or not finite.
    """

    block: ClassVar[int] = 50_000  # numbers of a block of signals, which then stay in an L2 cache
    check: ClassVar[int] = 10  # iterations between two looks at the residual
    vectors: ClassVar[bool] = True  # whether the frame's are needed
    n_iter: int = 1000
    tol: float = 1e-8
    init: benchbase.Solver | None = None

    def __post_init__(self) -> None:
        if self.n_iter < 0:
            raise benchbase.ParameterError("n_iter", f"must be at least 0, not {self.n_iter}")
        if not 0 <= self.tol < np.inf:
            raise benchbase.ParameterError("tol", f"must be finite and at least 0, not {self.tol}")

    @abstractmethod
    def method(self, pools: Pools) -> Callable[[Batch], Method]:
        """Prepare what all signals share; return what begins with a batch."""

    def numbers(self, problem: Problem) -> int:
        """Return how many numbers an iteration works on for each signal."""
        return problem.frame.pool_size * problem.frame.n_pools

    def unsupported(self, problem: Problem) -> str | None:
        """Say why not: complex frames, and frames without the vectors that are needed."""
        if problem.frame.is_complex:
            return f"{self.name} is for real frames; this one is complex"
        if self.vectors:
            try:
                problem.frame.dense()
            except NotImplementedError:
                return f"{self.name} needs the vectors of a frame that never forms them"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the initialiser, the units and what the method needs."""
        start = None if self.init is None else self.init.prepare(problem)
        pools = Pools(problem)
        begin = self.method(pools)
        numbers = self.numbers(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            unit = pools.units(b)
            scaled = b / unit[:, None]
            if start is None:
                x = gaussian_start(pools, scaled, unit, run)
            else:
                with run.phase("init") as inner:
                    x = np.asarray(start(b, inner).x, dtype=np.float64) / unit[:, None]
                x *= pools.length
                x[~np.isfinite(x).all(axis=1)] = np.nan
            scale = (unit / pools.length)[:, None]
            n_iter, converged = np.zeros(len(b), dtype=np.int64), np.zeros(len(b), dtype=bool)
            blocks = max(1, min(len(b), len(b) * numbers // self.block))
            for rows in np.array_split(np.arange(len(b)), blocks):
                part = run.rows(rows)
                batch = Batch(x[rows], scaled[rows], unit[rows], part)
                done = self._iterate(begin(batch), scale[rows], part)
                x[rows], n_iter[rows], converged[rows] = done
            return Recovery(x=x, n_iter=n_iter, converged=converged)

        return inverse

    def _iterate(self, method: Method, scale: Array, run: Run) -> tuple[Array, Array, Array]:
        """Run all iterations; return x in the units of the problem, iterations, convergence."""
        batch = method.batch
        found = np.empty_like(batch.x)
        n_iter, converged = np.full(len(found), self.n_iter), np.zeros(len(found), dtype=bool)
        rows = np.arange(len(found))  # the signals that have not left
        size = norms(batch.b)
        limit = self.tol * np.where(size > 0, size, 1 / batch.unit)
        moving = np.isfinite(batch.x).all(axis=1)
        for i in [*range(0, self.n_iter, self.check), self.n_iter]:
            found[rows] = batch.x * scale[rows]
            run.record(i, found)
            solved = norms(method.values() - batch.b) <= limit
            stay = moving & ~solved
            converged[rows[solved]] = True
            n_iter[rows[~stay]] = i
            if i == self.n_iter or not stay.any():
                break
            if not stay.all():
                rows, limit = rows[stay], limit[stay]
                method.keep(stay)
            moving = method.advance(i, min(self.check, self.n_iter - i))
        return found, n_iter, converged
