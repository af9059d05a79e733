"""The shared part of starts: units, blocks of signals, and the scale of an estimate."""

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_starts.moments import ConditionalMoments, conditional_moments

BLOCK = 4_000_000  # numbers in the matrices of a block of signals


class Start(benchbase.Solver):
    """A start that is computed from the measurements of a signal, without random numbers.

    The vectors of pool k are divided by r_k, the root mean square of their lengths. The
    measurements are divided by r_k and by σ, the standard deviation that coefficients then have,
    which is computed from the mean of (b_k / r_k)². The coefficients of a Gaussian signal are then
    standard normal, whatever the units of the frame and of the signals.
    """

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason for complex frames, missing vectors or poolings with a threshold."""
        frame, pooling = problem.frame, problem.pooling
        if frame.is_complex:
            return f"{self.name} is for real frames; this one is complex"
        if not pooling.homogeneous:
            # With a threshold, what b says about coefficients depends on the signal's norm.
            return f"{self.name} is for poolings with P(t c) = t P(c), and this one has none"
        try:
            problem.vectors(counted=True)
        except NotImplementedError:
            return f"{self.name} needs the frame's vectors, but this frame never forms them"
        return super().unsupported(problem)

    @abstractmethod
    def operations(self, rows: Array) -> float:
        """Return the operations of one estimate besides its matrix, for the vectors (L·K, N)."""

    @abstractmethod
    def estimate(self, rows: Array, b: Array, moments: ConditionalMoments) -> Array:
        """Return a direction for each signal, (S, N).

        Parameters
        ----------
        rows : ndarray, shape (L·K, N)
            The vectors in units in which coefficients are standard normal, ordered by member, then
            by pool.
        b : ndarray, shape (S, K)
            The measurements in these units.
        moments : ConditionalMoments
            The moments of the coefficients given the measurements.
        """

    def prepare(self, problem: Problem) -> Inverse:
        """Scale the vectors, and tabulate the moments of coefficients given the measurements."""
        frame, pooling = problem.frame, problem.pooling
        vectors = np.asarray(problem.vectors(counted=True), dtype=np.float64)
        lengths = np.sqrt(np.mean(np.sum(vectors**2, axis=2), axis=1))
        inverse_lengths = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        scaled = vectors * inverse_lengths[:, None, None]
        rows = np.ascontiguousarray(scaled.transpose(1, 0, 2).reshape(-1, frame.n))
        moments = conditional_moments(pooling, frame.n_pools, frame.pool_size)
        share = moments.mean_square * np.count_nonzero(lengths)

        def inverse(b: Array, run: Run) -> Recovery:
            # Dividing by the largest first avoids over- and underflow of squares.
            largest = np.abs(b).max(axis=1, keepdims=True, initial=0.0)
            b = b / np.where(largest > 0, largest, 1)
            standard = b * inverse_lengths
            sigma = np.sqrt(np.sum(standard**2, axis=1) / max(share, np.finfo(float).tiny))
            standard /= np.where(sigma > 0, sigma, 1)[:, None]
            x = np.zeros((len(b), frame.n))
            for block in _blocks(len(b), BLOCK // (frame.n * max(frame.n, len(rows)))):
                x[block] = self.estimate(rows, standard[block], moments)
            # The matrix Σ w f fᵀ of a signal takes as many operations as N applications.
            run.count(len(b) * (frame.n + self.operations(rows) / (2 * rows.size)))
            size = np.linalg.norm(problem.measure(x), axis=1)
            scale = np.linalg.norm(b, axis=1) / np.where(size > 0, size, 1)
            return Recovery(x=x * np.where(size > 0, scale, 0)[:, None] * largest)

        return inverse


def _blocks(signals: int, size: int) -> Iterator[slice]:
    """Yield slices that cut a batch into blocks of at most `size` signals, at least one each."""
    size = max(size, 1)
    return (slice(first, first + size) for first in range(0, signals, size))
