"""Noise on measurements or on signals."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

import benchbase
from benchbase import Array, Problem


class GaussianNoise(benchbase.Noise):
    """White Gaussian noise of a given signal-to-noise ratio.

    On measurements, b + e, with e of the expected energy ‖b‖² · 10^(−SNR/10), spread over all
    pools: those that measure zero too, for a zero that stays exact would tell which coefficients a
    half rectification cuts off. On signals, P(F (x + e)), with e of the expected energy ‖x‖² ·
    10^(−SNR/10); the signal to recover stays x. What is below zero becomes zero where a pooling has
    no negative values. With fewer pools the noise is that of the first of more pools, scaled.

    Parameters
    ----------
    snr : float, optional
        SNR, 10 log₁₀ of the ratio of energies, in decibels; infinity for no noise.
    on : {"measurements", "signals"}, optional
        What it is added to.

    Raises
    ------
    ParameterError
        If `snr` is minus infinity.
    """

    name = "gaussian"
    snr: float = 40.0
    on: Literal["measurements", "signals"] = "measurements"

    def __post_init__(self) -> None:
        if self.snr == -np.inf:
            raise benchbase.ParameterError("snr", "must be more than -inf decibels")

    def measure(
        self, problem: Problem, x: Array, generators: Sequence[np.random.Generator]
    ) -> Array:
        """Return noisy measurements: (S, N) to (S, K)."""
        if self.on == "signals":
            return problem.measure(self._noisy(x, generators))
        b = self._noisy(problem.measure(x), generators)
        return np.maximum(b, 0) if problem.pooling.nonnegative else b

    def _noisy(self, values: Array, generators: Sequence[np.random.Generator]) -> Array:
        """Return values (S, M) with noise of their own energy."""
        size = values.shape[1]
        noise = np.stack([g.standard_normal(size) for g in generators]).reshape(values.shape)
        energy = np.linalg.norm(values, axis=1) * 10 ** (-self.snr / 20)
        noisy: Array = values + noise * (energy / np.sqrt(size))[:, None]
        return noisy


class PoissonNoise(benchbase.Noise):
    """Photons counted: intensities b² become counts, and their roots the measurements.

    b̃_k = √(n_k / c) with n_k Poisson distributed of mean c b_k², and c such that a pool counts
    `photons` on average over the signal's pools. Where there are many, the noise is all but
    Gaussian of variance 1 / (4 c), the same for all pools, with an SNR of 10 log₁₀(4 · photons)
    decibels.

    Parameters
    ----------
    photons : float, optional
        The mean number of photons a pool, at most 1e15.

    Raises
    ------
    ParameterError
        If `photons` is not positive, or more than 1e15.
    """

    name = "poisson"
    photons: float = 1000.0

    def __post_init__(self) -> None:
        benchbase.check_range("photons", self.photons, above=0, most=1e15)  # NumPy counts to 9e18

    def measure(
        self, problem: Problem, x: Array, generators: Sequence[np.random.Generator]
    ) -> Array:
        """Return noisy measurements: (S, N) to (S, K).

        Raises
        ------
        ValueError
            If the pooling has negative values, which no count has.
        """
        if not problem.pooling.nonnegative:
            raise ValueError("photons are counted where measurements are never negative")
        b = problem.measure(x)
        largest = b.max(axis=1, keepdims=True, initial=0)
        unit = b / np.where(largest > 0, largest, 1)  # squares of huge or tiny values are none
        power = np.mean(unit**2, axis=1, keepdims=True)
        scale = self.photons / np.where(power > 0, power, 1)
        means = scale * unit**2
        counts = np.stack([g.poisson(m) for g, m in zip(generators, means, strict=True)])
        noisy: Array = np.sqrt(counts / scale) * largest
        return noisy
