"""Noise on measurements or on signals."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

import benchbase
from benchbase import Array, Problem


class GaussianNoise(benchbase.Noise):
    """White Gaussian noise with a given signal-to-noise ratio, on measurements or on signals.

    On measurements, the solver gets b + e, with e of the expected energy ‖b‖² · 10^(−SNR/10). The
    noise is spread over all pools. Pools that measure zero get noise too: an exact zero would tell
    which coefficients a half rectification cuts off. If the pooling has no negative values,
    measurements below zero become zero.

    On signals, the solver gets P(F (x + e)), with e of the expected energy ‖x‖² · 10^(−SNR/10). The
    signal to recover is still x.

    With fewer pools, the noise is that of the first of more pools, up to its scale.

    Parameters
    ----------
    snr : float, optional
        The signal-to-noise ratio SNR in decibels: 10 log₁₀ of the ratio of the energies. Infinity
        means no noise.
    on : {"measurements", "signals"}, optional
        What the noise is added to.

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
            raise benchbase.ParameterError("snr", "must be more than -inf (decibels)")

    def measure(
        self, problem: Problem, x: Array, generators: Sequence[np.random.Generator]
    ) -> Array:
        """Return noisy measurements (S, K) of signals x (S, N)."""
        if self.on == "signals":
            return problem.measure(self._noisy(x, generators))
        b = self._noisy(problem.measure(x), generators)
        return np.maximum(b, 0) if problem.pooling.nonnegative else b

    def _noisy(self, values: Array, generators: Sequence[np.random.Generator]) -> Array:
        """Return values (S, M) with noise in proportion to the norm of each row."""
        size = values.shape[1]
        noise = np.stack([g.standard_normal(size) for g in generators]).reshape(values.shape)
        noise_norm = np.linalg.norm(values, axis=1) * 10 ** (-self.snr / 20)
        noisy: Array = values + noise * (noise_norm / np.sqrt(size))[:, None]
        return noisy


class PoissonNoise(benchbase.Noise):
    """Noise of photon counting: intensities b² become random counts.

    The measurements are the roots of the counts, b̃_k = √(n_k / c), where n_k has a Poisson
    distribution with mean c b_k². The factor c is such that `photons` photons are expected per
    pool, on average over the pools of the signal. If there are many photons, the noise is nearly
    Gaussian with variance 1 / (4 c), the same for all pools. Its SNR is then 10 log₁₀(4 · photons)
    decibels.

    Parameters
    ----------
    photons : float, optional
        The mean number of photons per pool, positive and at most 1e15.

    Raises
    ------
    ParameterError
        If `photons` is not positive or is more than 1e15.
    """

    name = "poisson"
    photons: float = 1000.0

    def __post_init__(self) -> None:
        benchbase.check_range("photons", self.photons, above=0, most=1e15)  # NumPy counts to 9e18

    def measure(
        self, problem: Problem, x: Array, generators: Sequence[np.random.Generator]
    ) -> Array:
        """Return noisy measurements (S, K) of signals x (S, N).

        Raises
        ------
        ValueError
            If the pooling has negative values, which counts cannot have.
        """
        if not problem.pooling.nonnegative:
            raise ValueError("poisson noise needs a pooling whose measurements are never negative")
        b = problem.measure(x)
        largest = b.max(axis=1, keepdims=True, initial=0)
        unit = b / np.where(
            largest > 0, largest, 1
        )  # squares of huge or tiny values over- or underflow
        power = np.mean(unit**2, axis=1, keepdims=True)
        scale = self.photons / np.where(power > 0, power, 1)
        means = scale * unit**2
        counts = np.stack([g.poisson(m) for g, m in zip(generators, means, strict=True)])
        noisy: Array = np.sqrt(counts / scale) * largest
        return noisy
