"""The two halves of an iteration, in units in which signals have the variance 1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchbase import Array, Problem
from benchbase_gamp.linear import Linear, Message
from benchbase_gamp.outputs import Output, output_of
from benchbase_gamp.scale import Scale

CERTAIN, USELESS = 1e-3, 0.999  # least and largest ratio of posterior and prior variance
LEAST_STD = 1e-15  # of noise, in units of signals: less is rounding


class Measured(NamedTuple):
    """Measurements of a batch of signals, in units of each signal and pool.

    Attributes
    ----------
    b : ndarray, shape (S, J)
        Measurements.
    thresholds : ndarray, shape (S, L, J), or None
        Thresholds α; None where they are zero.
    noise : ndarray, shape (S, J), or None
        Variances of the noise; None where there is none.
    """

    b: Array
    thresholds: Array | None
    noise: Array | None


class Model:
    """What is prepared for a problem: units, matrix and output function.

    Parameters
    ----------
    problem : Problem
        One that `Gamp` supports, with a vector that is not zero.

    Attributes
    ----------
    problem : Problem
        The problem.
    linear : Linear
        The linear half of an iteration.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        frame, pooling = problem.frame, problem.pooling
        output = output_of(pooling, frame.pool_size)
        assert not isinstance(output, str)  # noqa: S101 # for mypy; `unsupported` has said so
        self._output: Output = output
        self._noise_std = problem.noise or 0.0
        self._scale = Scale(problem, output)
        rows = self._scale.vectors.transpose(1, 0, 2).reshape(-1, frame.n)
        self._columns = np.ascontiguousarray(rows.T)
        self.linear = Linear(rows)

    def measured(self, b: Array) -> tuple[Measured, Array]:
        """Return measurements (S, K) in units of each signal and pool, and the former, σ (S,)."""
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
        """Return the coefficients (S, M) of signals (S, N), both in units."""
        c: Array = x @ self._columns
        return c

    def pools(self, given: Message, measured: Measured) -> Message:
        """Return what measurements add to a message about coefficients.

        The posterior of the coefficients is taken for the product of both, normal with one variance
        for all.
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
