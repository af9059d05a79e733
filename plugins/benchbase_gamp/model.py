"""The two halves of an iteration for a problem, in units in which signals have variance 1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchbase import Array, Problem
from benchbase_gamp.linear import Linear, Message
from benchbase_gamp.outputs import Output, output_of
from benchbase_gamp.scale import Scale

CERTAIN, USELESS = 1e-3, 0.999  # least and largest ratio of posterior to prior variance
LEAST_STD = 1e-15  # least standard deviation of noise, in units of signals: less is rounding


class Measured(NamedTuple):
    """Measurements of a batch of signals, in units of each signal and pool.

    Attributes
    ----------
    b : ndarray, shape (S, J)
        The measurements.
    thresholds : ndarray, shape (S, L, J), or None
        The thresholds α, or None if they are all zero.
    noise : ndarray, shape (S, J), or None
        The variances of the noise, or None if there is no noise.
    """

    b: Array
    thresholds: Array | None
    noise: Array | None


class Model:
    """What message passing needs for a problem: units, matrix and output function.

    Parameters
    ----------
    problem : Problem
        A problem that `Gamp` supports, whose frame has a vector that is not zero.

    Attributes
    ----------
    problem : Problem
        The problem.
    linear : Linear
        The linear half of an iteration.
    rows : int
        The number of vectors M.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        frame, pooling = problem.frame, problem.pooling
        output = output_of(pooling, frame.pool_size)
        assert not isinstance(output, str)  # noqa: S101 # for mypy; `unsupported` has refused it
        self._output: Output = output
        self._noise_std = problem.noise or 0.0
        self._scale = Scale(problem, output)
        rows = self._scale.vectors.transpose(1, 0, 2).reshape(-1, frame.n)
        self.rows, self._columns = len(rows), np.ascontiguousarray(rows.T)
        self.linear = Linear(rows)

    def measured(self, b: Array) -> tuple[Measured, Array]:
        """Return measurements (S, K) in units of each signal and pool, and σ (S,).

        σ is the unit of each signal.
        """
        scale = self._scale
        own = b[:, scale.pools] / scale.lengths
        sigma = scale.sigma(own)
        alpha, noise = scale.thresholds, self._noise_std / scale.lengths
        return Measured(
            own / sigma[:, None],
            alpha / sigma[:, None, None] if alpha.any() else None,
            np.maximum(noise / sigma[:, None], LEAST_STD) ** 2 if self._noise_std > 0 else None,
        ), sigma

    def analyse(self, x: Array) -> Array:
        """Return the coefficients (S, M) of signals (S, N), both in the units of messages."""
        c: Array = x @ self._columns
        return c

    def pools(self, given: Message, measured: Measured) -> Message:
        """Return what measurements add to a message about coefficients.

        The posterior of the coefficients is treated as the product of the message and of what
        measurements add, both normal with one variance for all coefficients.
        """
        r, v = given
        alpha = measured.thresholds
        u = r.reshape(len(r), -1, measured.b.shape[1])
        if alpha is not None:
            u = u - alpha
        mean, variance = self._output(u, v, measured.b, measured.noise)
        if alpha is not None:
            mean = mean + alpha
        posterior = np.mean(variance, axis=1, keepdims=True)
        posterior = np.clip(posterior, CERTAIN * v, USELESS * v)
        ratio = posterior / (v - posterior)
        flat = mean.reshape(r.shape)
        return Message(flat + (flat - r) * ratio, v * ratio)
