"""Gaussian priors learned from training signals, for solvers that use least squares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

import numpy as np

import benchbase
from benchbase import Array, Frame, Inverse, Problem, Recovery, Run
from benchbase_knn.index import blocks


class PriorFrame(Frame):
    """A frame whose least squares prefer signals that are likely under a Gaussian prior.

    `least_squares` returns the x with the least ‖F x − c‖² + s (x − m)ᵀ C⁻¹ (x − m), which is ::

        x = m + R (R FᵀF R + s I)⁻¹ R Fᵀ(c − F m),  R = C^½

    If C is singular, x − m lies in its range. Everything else is that of the given frame, so that a
    solver that alternates between coefficients and signals does not have to know of the prior.

    Parameters
    ----------
    frame : Frame
        A real frame with vectors.
    mean : ndarray, shape (N,)
        The mean m of the prior.
    inverse : ndarray, shape (N, N)
        The matrix R (R FᵀF R + s I)⁻¹ R.
    """

    def __init__(self, frame: Frame, mean: Array, inverse: Array) -> None:
        self.n, self.n_pools, self.pool_size = frame.n, frame.n_pools, frame.pool_size
        self._frame, self._mean, self._inverse = frame, mean, inverse
        self._measured = frame.analyse(mean)
        self._count: Callable[[float], None] | None = None

    def counting(self, run: Run) -> PriorFrame:
        """Return the same frame, whose products with the N × N matrix count as a run's cost."""
        counting = copy(self)
        counting._count = run.count
        return counting

    def analyse(self, x: Array) -> Array:
        """Return the coefficients F x, as the given frame does."""
        return self._frame.analyse(x)

    def adjoint(self, c: Array) -> Array:
        """Return Fᵀ c, as the given frame does."""
        return self._frame.adjoint(c)

    def least_squares(self, c: Array) -> Array:
        """Return the solution x of the least-squares problem with the prior."""
        if self._count is not None:
            # 2 N² operations for each signal, beside the adjoint, which is counted by itself
            self._count(c.size / (self.pool_size * self.n_pools) ** 2 * self.n)
        x: Array = self._mean + self._frame.adjoint(c - self._measured) @ self._inverse
        return x

    def dense(self) -> Array:
        """Return the vectors of the given frame."""
        return self._frame.dense()

    def vectors(self, *, counted: bool) -> Array:
        """Return the vectors of the given frame."""
        return self._frame.vectors(counted=counted)


class Prior:
    """A Gaussian prior for signals, which gives a frame with the prior for any weight.

    To form it takes 2 K L N² + 24 N³ operations (two eigendecompositions and three products), and
    4 N³ for each weight.

    The weight w is relative, s = w · tr(FᵀF)/N · tr(C)/N, so that neither the units of the frame
    nor those of the signals matter.

    Parameters
    ----------
    frame : Frame
        A real frame with vectors.
    mean : ndarray, shape (N,)
        The mean m of the prior.
    covariance : ndarray, shape (N, N)
        The covariance C of the prior, positive semidefinite.
    """

    def __init__(self, frame: Frame, mean: Array, covariance: Array) -> None:
        self._frame, self._mean = frame, mean
        vectors = np.asarray(frame.vectors(counted=True), dtype=np.float64).reshape(-1, frame.n)
        gram = vectors.T @ vectors
        values, basis = np.linalg.eigh(covariance)
        self._root = (basis * np.sqrt(np.maximum(values, 0))) @ basis.T
        self._values, self._basis = np.linalg.eigh(self._root @ gram @ self._root)
        self._unit = float(np.trace(gram)) * float(np.trace(covariance)) / frame.n**2

    def frame(self, weight: float) -> PriorFrame:
        """Return the frame whose least squares include the prior with a relative weight."""
        least = np.finfo(np.float64).tiny  # the covariance of a single signal is zero
        values = np.maximum(self._values, 0) + max(weight * self._unit, least)
        turned = self._root @ self._basis
        return PriorFrame(self._frame, self._mean, (turned / values) @ turned.T)


class PriorSolver(benchbase.Solver):
    """The shared part of solvers with a prior: an inner solver and weights that fall.

    Parameters
    ----------
    solver : Solver
        The inner solver, such as ``{ name = "rrr", n_iter = 300 }``. It must take a start as `init`
        and fit signals to coefficients with `Frame.least_squares`.
    weights : tuple of float, optional
        The relative weights of the prior, one per stage. Each stage starts where the last one
        ended.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.

    Raises
    ------
    ParameterError
        If `solver` has no `init`, if `weights` is empty or a weight is negative or not finite, or
        if `tol` is negative or not finite.
    """

    solver: benchbase.Solver
    weights: tuple[float, ...] = (0.3, 0.03, 0.003)
    tol: float = 1e-8

    def __post_init__(self) -> None:
        if not benchbase.has_init(self.solver):
            told = f"must take a start as init; {self.solver.name} does not"
            raise benchbase.ParameterError("solver", told)
        if not self.weights or not all(0 <= weight < np.inf for weight in self.weights):
            told = f"must be one or more finite numbers of at least 0, not {self.weights}"
            raise benchbase.ParameterError("weights", told)
        benchbase.check_range("tol", self.tol, least=0, below=np.inf)

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason if training signals or vectors are missing or the frame is complex."""
        if problem.training is None or len(problem.training) == 0:
            return "needs training signals"
        if problem.frame.is_complex:
            return "the frame is complex, but the prior is for real signals"
        try:
            problem.vectors(counted=True)
        except NotImplementedError:
            return f"{self.name} needs the frame's vectors, but this frame never forms them"
        return super().unsupported(problem)

    def descend(
        self, problem: Problem, frames: Sequence[PriorFrame], b: Array, run: Run, x: Array | None
    ) -> tuple[Array, Array]:
        """Run the inner solver on one frame after the other, each time from the last estimates.

        Parameters
        ----------
        problem : Problem
            The problem with the true frame.
        frames : sequence of PriorFrame
            One frame per stage.
        b : ndarray, shape (S, K)
            The measurements.
        run : Run
            The run of these signals.
        x : ndarray, shape (S, N), or None
            The starts. None leaves the start to the inner solver.

        Returns
        -------
        x : ndarray, shape (S, N)
            The estimates of the last stage.
        n_iter : ndarray of int, shape (S,)
            The iterations of all stages together.
        """
        from dataclasses import replace

        n_iter = np.zeros(len(b), dtype=np.int64)
        for stage, frame in enumerate(frames):
            solver = self.solver if x is None else benchbase.starting_at(self.solver, [x])
            with run.phase(f"stage {stage}") as phase:
                counted = replace(problem, frame=frame.counting(phase))
                found = solver.prepare(counted)(b, phase)
            x = np.array(found.x, dtype=np.float64)
            if found.n_iter is not None:
                n_iter += found.n_iter
        assert x is not None  # noqa: S101 # for mypy; there is at least one stage
        return x, n_iter


class GaussianPrior(PriorSolver):
    """An inner solver with a Gaussian prior, learned from all training signals.

    If the sign is lost, the prior is N(0, Σ), where Σ is the mean of x xᵀ over the training
    signals. If the sign is kept, it is N(m, Σ) with their mean and covariance. An iteration that
    projects onto the coefficients with measurements b and onto the coefficients of signals, as
    `rrr` does, then prefers signals that are likely. The weight of the prior falls from stage to
    stage.

    The cost is that of the inner solver, whose least squares take 2 N² operations besides F and its
    adjoint. The prior is formed while preparing, which does not count.
    """

    name = "gaussian_prior"

    def prepare(self, problem: Problem) -> Inverse:
        """Compute the moments of the training signals, and from them the frames with the prior."""
        assert problem.training is not None  # noqa: S101 # for mypy; `unsupported` has refused such problems
        mean, second = moments(problem.training)
        if problem.pooling.even:
            mean = np.zeros_like(mean)
        prior = Prior(problem.frame, mean, second - np.outer(mean, mean))
        frames = [prior.frame(weight) for weight in self.weights]

        def inverse(b: Array, run: Run) -> Recovery:
            x, n_iter = self.descend(problem, frames, b, run, None)
            return Recovery(x=x, n_iter=n_iter, converged=problem.residual(x, b) <= self.tol)

        return inverse


def moments(training: Array) -> tuple[Array, Array]:
    """Return the mean (N,) and the mean of x xᵀ (N, N) of training signals, in one pass."""
    n = training.shape[1]
    total, square = np.zeros(n), np.zeros((n, n))
    for block in blocks(len(training), n):
        signals = training[block].astype(np.float64)
        total += signals.sum(axis=0)
        square += signals.T @ signals
    return total / len(training), square / len(training)
