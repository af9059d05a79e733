"""What the two relaxations share: where they apply, their loop over signals, the call of SCS."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias

import numpy as np

import benchbase
from benchbase import Array, Frame, Inverse, Problem, Recovery, Run


def load_cvxpy() -> Any:
    """Import CVXPY: late, for that takes a second, and as Any, for half its names have no types."""
    return import_module("cvxpy")


class Solution(NamedTuple):
    """What SCS says about one program: the matrix is None where it gives none."""

    matrix: Array | None
    n_iter: int
    status: str


class Estimate(NamedTuple):
    """One recovered signal (N,)."""

    x: Array
    n_iter: int
    converged: bool
    status: str


RecoverOne: TypeAlias = Callable[[Array], Estimate]
"""Recovers one signal from its measurements (K,), scaled to a mean square of 1."""


@dataclass(frozen=True)
class Program:
    """A semidefinite program with one parameter, compiled once and solved for many values.

    Parameters
    ----------
    problem : cvxpy.Problem
        The program.
    matrix : cvxpy.Variable
        Its positive semidefinite unknown.
    values : cvxpy.Parameter
        What changes from signal to signal; no value may be negative.
    max_iters : int
        The most iterations of SCS.
    eps : float
        The absolute and relative tolerance of SCS.
    """

    problem: Any
    matrix: Any
    values: Any
    max_iters: int
    eps: float

    def compile(self) -> None:
        """Do the work that all values share."""
        self.values.value = np.ones(self.values.shape)
        self.problem.get_problem_data("SCS")

    def solve(self, values: Array) -> Solution:
        """Solve for one set of values, from a cold start."""
        self.values.value = values
        with warnings.catch_warnings():
            # The status says the same, and goes into the table of results.
            warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
            try:
                self.problem.solve(
                    solver="SCS",
                    warm_start=False,  # else a result would depend on the signals before it
                    max_iters=self.max_iters,
                    eps_abs=self.eps,
                    eps_rel=self.eps,
                    # By default SCS takes MKL where its wheel has it: other bits, other threads.
                    linear_solver="qdldl",
                )
            except load_cvxpy().SolverError:
                return Solution(None, 0, "solver_error")
        matrix = self.matrix.value
        return Solution(matrix, self.problem.solver_stats.num_iters, self.problem.status)


class Relaxation(benchbase.Solver):
    """A convex relaxation in a lifted, positive semidefinite matrix, one signal at a time.

    Measurements are scaled to a mean square of 1 before and the signal back after, so that the
    tolerances of SCS mean the same in all units.
    """

    requires = ("cvxpy", "scs")
    chunk = 1
    max_iters: int = 10_000
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.max_iters < 1:
            raise benchbase.ParameterError("max_iters", f"must be at least 1, not {self.max_iters}")
        if not 0 < self.eps < np.inf:
            raise benchbase.ParameterError("eps", f"must be finite and above 0, not {self.eps}")

    def unsupported(self, problem: Problem) -> str | None:
        """Say why not, unless p = 2 without rectification and the frame has real vectors."""
        title = type(self).__name__
        pooling = problem.pooling
        if pooling.rectified or pooling.p != 2:
            has = "no p" if pooling.p is None else f"p = {pooling.p:g}"
            half = " and half rectification" if pooling.rectified else ""
            return (
                f"{title} is defined for p = 2 without rectification; this pooling has {has}{half}"
            )
        if problem.frame.is_complex:
            return f"{title} is implemented for real signals; this frame is complex"
        try:
            problem.frame.dense()
        except NotImplementedError:
            return f"{title} needs the vectors of a frame that never forms them"
        return None

    @abstractmethod
    def relax(self, frame: Frame) -> RecoverOne:
        """Compile the program of a frame."""

    def prepare(self, problem: Problem) -> Inverse:
        """Compile the program, which all signals share."""
        recover = self.relax(problem.frame)
        zero = Estimate(np.zeros(problem.frame.n), 0, True, "zero measurements")

        def inverse(b: Array, run: Run) -> Recovery:
            del run  # nothing is random
            scales = np.sqrt(np.mean(b**2, axis=1))
            found = [
                recover(row / scale) if scale else zero
                for row, scale in zip(b, scales, strict=True)
            ]
            statuses = dict.fromkeys(estimate.status for estimate in found)
            return Recovery(
                x=np.stack([estimate.x for estimate in found]) * scales[:, None],
                n_iter=np.array([estimate.n_iter for estimate in found]),
                converged=np.array([estimate.converged for estimate in found]),
                message=f"SCS: {', '.join(statuses)}",
            )

        return inverse


def outer_products(vectors: Array) -> Array:
    """Return Σ_j f_kj f_kjᵀ of each pool, (K, N·N), from vectors (K, L, N)."""
    products: Array = vectors.transpose(0, 2, 1) @ vectors
    return products.reshape(len(vectors), -1)
