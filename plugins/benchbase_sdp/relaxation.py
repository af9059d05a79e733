"""What the relaxations share: parameters, units, results, and the problems that they refuse."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run

TRIVIAL = 1e-3  # share of the measurements up to which those of an estimate count as none


class Defaults(NamedTuple):
    """The parameters that a method uses if no others are given, and what it needs.

    Parameters
    ----------
    max_iters : int
        The largest number of iterations.
    eps : float
        The tolerance.
    requires : tuple of str, optional
        The modules that the method imports.
    chunk : int, optional
        The number of signals per call.
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
        The estimates; the row of a signal without an estimate is NaN.
    n_iter : ndarray of int, shape (S,)
        The number of iterations of each signal.
    violation : ndarray, shape (S,)
        How far the solution is from optimal, in the relaxation's own measure; NaN for a signal
        without a solution.
    status : list of str
        The status that the method reports for each signal.
    """

    x: Array
    n_iter: Array
    violation: Array
    status: list[str]


Recover: TypeAlias = Callable[[Array, Run], Estimates]
"""A function that recovers signals from measurements (S, K), each scaled to a mean square of 1."""


class Relaxation(benchbase.Solver):
    """Base class of convex relaxations in a lifted, positive semidefinite matrix.

    The measurements of each signal are scaled to a mean square of 1 before the program is solved,
    and the estimate is scaled back, so that tolerances mean the same in all units.

    Attributes
    ----------
    tolerance : float
        The violation of the conditions of optimality at which a signal has converged, whatever
        the method's own status is. Class attribute.
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
        """The defaults of the chosen method, and the modules that it needs."""

    @property
    def limits(self) -> tuple[int, float]:
        """The largest number of iterations and the tolerance, as given or by default."""
        own = self.defaults
        return (
            own.max_iters if self.max_iters is None else self.max_iters,
            own.eps if self.eps is None else self.eps,
        )

    @property
    def requires(self) -> tuple[str, ...]:  # type: ignore[override] # it depends on the method
        """The modules that the chosen method imports."""
        return self.defaults.requires

    @property
    def chunk(self) -> int:  # type: ignore[override] # it depends on the method
        """The number of signals per call."""
        return self.defaults.chunk

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not apply to poolings that are no lp norm, nor to frames that never form their
        vectors or whose vectors are all zero.
        """
        reason = no_norm(problem)
        if reason is not None:
            return f"{self.name} needs {reason}"
        try:
            vectors = problem.vectors(counted=True)
        except NotImplementedError:
            return f"{self.name} needs the frame's vectors, but this frame never forms them"
        if not vectors.any():
            return f"{self.name} needs a frame whose vectors are not all zero"
        return super().unsupported(problem)

    @abstractmethod
    def recoverer(self, problem: Problem) -> Recover:
        """Prepare what all signals share, and return a function that recovers signals."""

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare what all signals share."""
        recover = self.recoverer(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            # Divided by the largest first, as squares of huge or tiny values overflow or vanish.
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
                estimates = recover(unit / sizes[:, None], run.rows(some))
                x[some] = estimates.x * (sizes * largest[some])[:, None]
                n_iter[some], violation[some] = estimates.n_iter, estimates.violation
                for index, one in zip(some, estimates.status, strict=True):
                    status[index] = one
            message = ", ".join(dict.fromkeys(status))
            measured = violation[some][np.isfinite(violation[some])]
            if measured.size:
                message += f"; optimal to {measured.max():.0e}"
            # A program may be solved although its solution says nothing about the signal.

            reached = np.linalg.norm(problem.measure(x[some] / largest[some, None]), axis=1)
            trivial = np.zeros(len(b), dtype=bool)
            trivial[some] = reached <= TRIVIAL * np.linalg.norm(unit, axis=1)
            if trivial.any():
                message += f"; {np.count_nonzero(trivial)} estimates are zero, which says nothing"
            converged = (violation <= self.tolerance) & ~trivial
            return Recovery(x=x, n_iter=n_iter, converged=converged, message=message)

        return inverse


def no_norm(problem: Problem) -> str | None:
    """Return what the solver needs instead of this pooling, or None if the pooling is suitable.

    Suitable poolings are lp norms of coefficients that may be half rectified, without thresholds.
    """
    pooling, frame = problem.pooling, problem.frame
    if pooling.p is None or pooling.slopes not in ((-1, 1), (0, 1)):
        return "an lp pooling, but this pooling has no p"
    if frame.is_complex and pooling.rectified:
        return "a real frame if the pooling is rectified"
    return None if pooling.homogeneous else "a pooling without threshold"
