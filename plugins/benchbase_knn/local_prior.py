"""Gaussian priors learned from the neighbours of each signal among the training signals."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_knn.fit import fit
from benchbase_knn.index import Index, blocks, least
from benchbase_knn.prior import Prior, PriorSolver, moments


class LocalPrior(PriorSolver):
    """An inner solver with a Gaussian prior, learned from each signal's nearest training signals.

    The neighbours of a signal are the q training signals with the nearest measurements. If the sign
    is lost, the signs of the neighbours are aligned to their leading principal component. With m
    and S their mean and covariance, the prior is N(m, (1 − g) S + g Σ tr S / tr Σ), where Σ is the
    covariance of all training signals. The inner solver starts at m, scaled to b, and the weight of
    the prior falls from stage to stage. Then the neighbours are chosen again, now as the training
    signals nearest to the estimate itself, and everything is repeated; this happens `refresh`
    times. A signal that is solved takes no further part. Only the inner solver draws random
    numbers.

    The cost is that of `gaussian_prior`, and for each signal and turn that of its prior (`Prior`),
    2 q N² to 4 q N² + 9 N³ operations for mean and covariance, and 2 T N for distances from the
    T training signals.

    The share g matters most for the worst signals. For MNIST images held out of the training
    signals, N = 100, the inner solver ``{ name = "rrr", n_iter = 300 }`` and 2 frames with 25
    signals each, the squared cosines are:

    ==========================  =====  =====  =====
    pooling                     g      mean   least
    ==========================  =====  =====  =====
    p = 2, K = 90               .05    .996   .981
    p = 2, K = 90               .02    .995   .920
    rectified p = ∞, K = 110    .05    .994   .963
    rectified p = ∞, K = 110    .2     .992   .975
    ==========================  =====  =====  =====

    Parameters
    ----------
    q : int, optional
        The number of neighbours.
    shrinkage : float, optional
        The share g of all training signals in the covariance, from 0 to 1.
    refresh : int, optional
        How often the neighbours are chosen again.

    Raises
    ------
    ParameterError
        As `PriorSolver` does, and if `q` is less than 2, `shrinkage` is not from 0 to 1, or
        `refresh` is negative.
    """

    name = "local_prior"
    asks_alike: ClassVar[bool] = True
    q: int = 300
    shrinkage: float = 0.05
    refresh: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        benchbase.check_range("q", self.q, least=2)
        benchbase.check_range("shrinkage", self.shrinkage, least=0, most=1)
        benchbase.check_range("refresh", self.refresh, least=0)

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason if there are fewer training signals than neighbours."""
        if problem.training is not None and 0 < len(problem.training) < self.q:
            return f"q = {self.q} is more than the {len(problem.training)} training signals"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Compute the covariance of all training signals, and an index to find neighbours."""
        assert problem.training is not None  # noqa: S101 # for mypy; `unsupported` has refused such problems
        training, index = problem.training, Index(problem)
        mean, second = moments(training)
        if problem.pooling.even:
            mean = np.zeros_like(mean)
        everywhere = second - np.outer(mean, mean)
        prior_cost = self._operations(problem) / _unit(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            x, n_iter = np.zeros((len(b), problem.frame.n)), np.zeros(len(b), dtype=np.int64)
            todo = np.arange(len(b))
            near = index.find(b, self.q, run)
            run.count(len(b) * index.search_cost)
            for turn in range(1 + self.refresh):
                with run.phase(f"turn {turn}") as phase:
                    for i, neighbours in zip(todo, near, strict=True):
                        row = slice(i, i + 1)
                        mean, covariance = self._local(training[neighbours], everywhere, problem)
                        prior = Prior(problem.frame, mean, covariance)
                        frames = [prior.frame(weight) for weight in self.weights]
                        start = x[row] if turn else _scaled(problem, mean, b[row])
                        own = phase.rows(np.array([i]))
                        own.count(prior_cost)
                        x[row], steps = self.descend(problem, frames, b[row], own, start)
                        n_iter[row] += steps
                    run.record(turn + 1, x)
                todo = np.flatnonzero(~(problem.residual(x, b) <= self.tol))
                if not todo.size or turn == self.refresh:
                    break
                near = nearest_signals(training, x[todo], self.q, even=problem.pooling.even)
                run.count(len(todo) * 2 * training.size / _unit(problem))
            return Recovery(x=x, n_iter=n_iter, converged=problem.residual(x, b) <= self.tol)

        return inverse

    def _operations(self, problem: Problem) -> float:
        """Return the operations of one prior and its frames, from neighbours that are known."""
        n, even = problem.frame.n, problem.pooling.even
        moments = (4 if even else 2) * self.q * n**2 + (9 * n**3 if even else 0)
        return moments + n * _unit(problem) + (24 + 4 * len(self.weights)) * n**3

    def _local(self, near: Array, everywhere: Array, problem: Problem) -> tuple[Array, Array]:
        """Return mean (N,) and covariance (N, N) of the prior, from neighbours (q, N)."""
        near = near.astype(np.float64)
        if problem.pooling.even:
            leading = np.linalg.eigh(near.T @ near)[1][:, -1]
            near *= np.where(near @ leading < 0, -1, 1)[:, None]
        mean = near.mean(axis=0)
        own = (near - mean).T @ (near - mean) / len(near)
        whole = np.trace(everywhere)
        share = self.shrinkage * np.trace(own) / whole if whole > 0 else 0.0
        return mean, (1 - self.shrinkage) * own + share * everywhere


def _unit(problem: Problem) -> float:
    """Return the operations of one application of a real frame."""
    return 2.0 * problem.frame.n_pools * problem.frame.pool_size * problem.frame.n


def _scaled(problem: Problem, mean: Array, b: Array) -> Array:
    """Return the mean (1, N), scaled so that its measurements fit b (1, K) best."""
    size = np.linalg.norm(mean)
    direction = mean[None] / (size if size > 0 else 1)
    return fit(problem, direction, b, np.array([4 * size]))


def nearest_signals(training: Array, x: Array, q: int, *, even: bool) -> Array:
    """Return the indices (S, q), in arbitrary order, of the training signals nearest to x (S, N).

    If `even`, they are the nearest to x or −x. One pass is made over the training signals, block by
    block.
    """
    best = np.full((len(x), q), np.inf)
    index = np.zeros((len(x), q), dtype=np.int64)
    for block in blocks(len(training), max(x.shape[1], len(x))):
        signals = training[block].astype(np.float64)
        inner = x @ signals.T
        square = np.sum(signals**2, axis=1) - 2 * (np.abs(inner) if even else inner)
        numbers = np.broadcast_to(np.arange(block.start, block.stop), square.shape)
        best, index = least(
            np.concatenate([best, square], axis=1), np.concatenate([index, numbers], axis=1), q
        )
    return index
