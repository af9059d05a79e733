"""What the relaxations share: where they apply, parameters, units, what they give back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class Defaults(NamedTuple):
    """What a method needs, and uses where nothing else is given.

    Parameters
    ----------
    max_iters : int
        The most iterations.
    eps : float
        Its tolerance.
    requires : tuple of str, optional
        Modules that it imports.
    chunk : int, optional
        Signals a call.
    """

    max_iters: int
    eps: float
    requires: tuple[str, ...] = ()
    chunk: int = 1


class Estimates(NamedTuple):
    """Recovered signals.

    Parameters
    ----------
    x : ndarray, shape (S, N)
        The estimates; rows that are not numbers where there is none.
    n_iter : ndarray of int, shape (S,)
        Iterations.
    violation : ndarray, shape (S,)
        How far the solution is from optimal, in the relaxation's own measure; NaN where there is
        none.
    status : list of str
        What the method says of each signal.
    """

    x: Array
    n_iter: Array
    violation: Array
    status: list[str]


Recover: TypeAlias = Callable[[Array, Run], Estimates]
"""Recovers signals from measurements (S, K), each scaled to a mean square of 1."""


class Relaxation(benchbase.Solver):
    """A convex relaxation in a lifted, positive semidefinite matrix.

    Measurements are scaled to a mean square of 1 before and the signal back after, so that
    tolerances mean the same in all units.

    Attributes
    ----------
    tolerance : float
        The violation of the conditions of optimality at which a signal has converged, whatever
        the method says. Class attribute.
    """

    tolerance: ClassVar[float]
    max_iters: int | None = None
    eps: float | None = None

    def __post_init__(self) -> None:
        if self.max_iters is not None:
            benchbase.check_range("max_iters", self.max_iters, least=1)
        if self.eps is not None:
            benchbase.check_range("eps", self.eps, above=0, below=np.inf)

    @property
    @abstractmethod
    def defaults(self) -> Defaults:
        """What the chosen method needs and uses."""

    @property
    def limits(self) -> tuple[int, float]:
        """The most iterations and the tolerance: what was given, or the method's own."""
        own = self.defaults
        return (
            own.max_iters if self.max_iters is None else self.max_iters,
            own.eps if self.eps is None else self.eps,
        )

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override] # it depends on the method
        """The modules that the method imports."""
        return self.defaults.requires

    @property
    def chunk(self) -> int:  # type: ignore[override] # it depends on the method
        """Signals a call."""
        return self.defaults.chunk

    def unsupported(self, problem: Problem) -> str | None:
        """Say why not: a pooling that is no lp norm, or a frame that does not form its vectors."""
        title = type(self).__name__
        reason = no_norm(problem)
        if reason is not None:
            return f"{title} is for {reason}"
        try:
            vectors = problem.frame.dense()
        except NotImplementedError:
            return f"{title} needs the vectors of a frame that never forms them"
        if not vectors.any():
            return f"{title} needs a frame with vectors that are not zero"
        return super().unsupported(problem)

    @abstractmethod
    def recoverer(self, problem: Problem) -> Recover:
        """Do what all signals share, and return what recovers them."""

    def prepare(self, problem: Problem) -> Inverse:
        """Compile or factorise what all signals share."""
        recover = self.recoverer(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            # By the largest first: squares of huge or tiny values are no numbers.
            largest = np.abs(b).max(axis=1, initial=0.0)
            some = np.flatnonzero(np.isfinite(largest) & (largest > 0))
            unit = b[some] / largest[some, None]
            sizes = np.sqrt(np.mean(unit**2, axis=1))
            x, n_iter = np.zeros((len(b), problem.frame.n)), np.zeros(len(b), dtype=np.int64)
            violation = np.zeros(len(b))
            status = ["zero measurements"] * len(b)
            for index in np.flatnonzero(~np.isfinite(largest)):
                x[index], violation[index] = np.nan, np.nan
                status[index] = "measurements that are not finite"
            if some.size:
                found = recover(unit / sizes[:, None], run.rows(some))
                x[some] = found.x * (sizes * largest[some])[:, None]
                n_iter[some], violation[some] = found.n_iter, found.violation
                for index, one in zip(some, found.status, strict=True):
                    status[index] = one
            message = ", ".join(dict.fromkeys(status))
            measured = violation[some][np.isfinite(violation[some])]
            if measured.size:
                message += f"; optimal to {measured.max():.0e}"
            converged = violation <= self.tolerance
            return Recovery(x=x, n_iter=n_iter, converged=converged, message=message)

        return inverse


def no_norm(problem: Problem) -> str | None:
    """Say what a pooling would have to be that is no lp norm of (half rectified) coefficients."""
    pooling, frame = problem.pooling, problem.frame
    if pooling.p is None or pooling.slopes not in ((-1, 1), (0, 1)):
        return "lp poolings; this one has no p"
    if frame.is_complex and pooling.rectified:
        return "real frames where the pooling is rectified"
    return None if pooling.homogeneous else "poolings without threshold"
