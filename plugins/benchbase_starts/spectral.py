"""Spectral starts, where measurements lose the sign."""

from typing import Literal

import numpy as np

from benchbase import Array, Problem
from benchbase_starts.moments import ConditionalMoments
from benchbase_starts.start import Start

LEAST = -3.0  # weight, for pools that say that x is all but orthogonal to them


class SpectralStart(Start):
    """The leading eigenvector of Σ_k T(b_k) F_kᵀ F_k, scaled so that ‖P(F x)‖ = ‖b‖.

    For measurements that lose the sign: a pool with a large b_k has x near the span of its
    vectors, one with a small b_k far from it. The idea is that of Netrapalli, Jain and Sanghavi
    (2013) and of Candès, Li and Soltanolkotabi (2015), here for pools of any size and norm; the
    weights are those of Mondelli and Montanari, "Fundamental limits of weak recovery with
    applications to phase retrieval", Foundations of Computational Mathematics 19 (2019), and of
    Luo, Alghamdi and Lu, "Optimal spectral initialization for signal recovery with applications to
    phase retrieval", IEEE Transactions on Signal Processing 67 (2019), with the moments of a
    pool's coefficients in the place of those of a single one.

    Nothing is random. Vectors are scaled to a root mean square length of 1 in each pool and
    measurements to units in which coefficients are standard normal, from the mean of b².

    Parameters
    ----------
    weights : {"optimal", "plain"}, optional
        "optimal": T(b) = max(1 − 1/E[z_j² | b], −3), with the mean over the pool's members of
        the conditional second moments of standard normal coefficients. "plain": T(b) = b².
    """

    name = "spectral"
    weights: Literal["optimal", "plain"] = "optimal"

    def unsupported(self, problem: Problem) -> str | None:
        """Say why not, in particular where the sign is not lost."""
        if not problem.pooling.even:
            return "spectral is for poolings that lose the sign; linear uses it where it is kept"
        return super().unsupported(problem)

    def estimate(self, rows: Array, b: Array, moments: ConditionalMoments) -> Array:
        """Return the leading eigenvectors."""
        if self.weights == "plain":
            weight = b**2
        else:
            weight = np.maximum(1 - 1 / np.maximum(moments.second(b), 1e-3), LEAST)
        weight = np.tile(weight, len(rows) // b.shape[1])
        matrices = (rows.T * weight[:, None, :]) @ rows
        leading: Array = np.linalg.eigh(matrices)[1][:, :, -1]
        return leading
