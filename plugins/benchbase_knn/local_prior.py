"""Gaussian priors of the training signals that are near."""

from __future__ import annotations

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_knn.fit import fit
from benchbase_knn.index import Index, blocks, least
from benchbase_knn.prior import Prior, PriorSolver, moments


class LocalPrior(PriorSolver):
    """An inner solver whose least squares know each signal's neighbours among training signals.

    The q training signals with the nearest measurements, their signs aligned to their leading
    principal component where the sign is lost, have a mean m and a covariance S; the prior is
    N(m, (1 − g) S + g Σ tr S / tr Σ), with Σ that of all training signals. The inner solver starts
    at m, scaled to b, and the weight of the prior falls from stage to stage. Then the neighbours
    are chosen again, those nearest to the estimate itself, and all is done once more, `refresh`
    times. A signal that is solved leaves.

    On MNIST images held out of the training signals (n = 100, with ``{ name = "rrr", n_iter = 300
    }``, 2 frames × 25, the least squared cosine in brackets): p = 2, K = 90 .996 (.981), with g =
    .02 .995 (.920); half rectified p = ∞, K = 110 .994 (.963), with g = .2 .992 (.975). Nothing is
    random but what the inner solver draws.

    Parameters
    ----------
    q : int, optional
        The number of neighbours.
    shrinkage : float, optional
        g, the share of all training signals in the covariance, from 0 to 1.
    refresh : int, optional
        How often the neighbours are chosen again.

    Raises
    ------
    ParameterError
        As `PriorSolver`; and if `q` is less than 2, `shrinkage` outside of 0 to 1, or `refresh`
        negative.
    """

    name = "local_prior"
    q: int = 300
    shrinkage: float = 0.05
    refresh: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        benchbase.check_range("q", self.q, least=2)
        benchbase.check_range("shrinkage", self.shrinkage, least=0, most=1)
        benchbase.check_range("refresh", self.refresh, least=0)

    def unsupported(self, problem: Problem) -> str | None:
        """Say so where there are fewer training signals than neighbours."""
        if problem.training is not None and 0 < len(problem.training) < self.q:
            return f"q = {self.q} is more than the {len(problem.training)} training signals"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Work out the covariance of all training signals."""
        assert problem.training is not None  # noqa: S101 # for mypy; `unsupported` has said so
        training, index = problem.training, Index(problem)
        mean, second = moments(training)
        if problem.pooling.even:
            mean = np.zeros_like(mean)
        everywhere = second - np.outer(mean, mean)

        def inverse(b: Array, run: Run) -> Recovery:
            x, n_iter = np.zeros((len(b), problem.frame.n)), np.zeros(len(b), dtype=np.int64)
            todo = np.arange(len(b))
            near = index.nearest(b, self.q)
            for turn in range(1 + self.refresh):
                with run.phase(f"turn {turn}") as phase:
                    for i, neighbours in zip(todo, near, strict=True):
                        row = slice(i, i + 1)
                        mean, covariance = self._local(training[neighbours], everywhere, problem)
                        prior = Prior(problem.frame, mean, covariance)
                        frames = [prior.frame(weight) for weight in self.weights]
                        start = x[row] if turn else _scaled(problem, mean, b[row])
                        own = phase.rows(np.array([i]))
                        x[row], steps = self.descend(problem, frames, b[row], own, start)
                        n_iter[row] += steps
                    run.record(turn + 1, x)
                todo = np.flatnonzero(~(problem.residual(x, b) <= self.tol))
                if not todo.size or turn == self.refresh:
                    break
                near = nearest_signals(training, x[todo], self.q, even=problem.pooling.even)
            return Recovery(x=x, n_iter=n_iter, converged=problem.residual(x, b) <= self.tol)

        return inverse

    def _local(self, near: Array, everywhere: Array, problem: Problem) -> tuple[Array, Array]:
        """Return mean and covariance of the prior from the neighbours (q, N)."""
        near = near.astype(np.float64)
        if problem.pooling.even:
            leading = np.linalg.eigh(near.T @ near)[1][:, -1]
            near *= np.where(near @ leading < 0, -1, 1)[:, None]
        mean = near.mean(axis=0)
        own = (near - mean).T @ (near - mean) / len(near)
        whole = np.trace(everywhere)
        share = self.shrinkage * np.trace(own) / whole if whole > 0 else 0.0
        return mean, (1 - self.shrinkage) * own + share * everywhere


def _scaled(problem: Problem, mean: Array, b: Array) -> Array:
    """Return the mean (1, N), scaled so that its measurements fit b (1, K) best."""
    size = np.linalg.norm(mean)
    direction = mean[None] / (size if size > 0 else 1)
    return fit(problem, direction, b, np.array([4 * size]))


def nearest_signals(training: Array, x: Array, q: int, *, even: bool) -> Array:
    """Return the indices (S, q), in no order, of the training signals nearest to x (S, N).

    Nearest to x or −x if `even`. In one pass over the training signals, block by block.
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
