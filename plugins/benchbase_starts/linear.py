"""Linear starts, for poolings that keep the sign."""

import numpy as np

from benchbase import Array, Problem
from benchbase_starts.moments import ConditionalMoments
from benchbase_starts.start import Start

LEAST = 0.01  # the least variance; pools of one that are not cut off have none


class LinearStart(Start):
    """Weighted least squares, fitted to the coefficients that are expected given the measurements.

    This start is for poolings that keep the sign, such as half rectified ones. There the value b_k
    of a pool tells the expected value of its coefficients, E[z_j | b_k], and their variance v_k =
    Var[z_j | b_k], for standard normal coefficients (both are means over the members j of a pool).
    For a standard normal signal, the estimate is ::

        x = (I + Σ_k F_kᵀ F_k / v_k)⁻¹ Σ_k F_kᵀ E[z | b_k] / v_k

    in units in which coefficients are standard normal, as in `SpectralStart`. It is then scaled so
    that ‖P(F x)‖ = ‖b‖. Without the inverse this is the matched filter, the linear estimator of
    Mondelli, Thrampoulidis and Venkataramanan, "Optimal combination of linear and spectral
    estimators for generalized linear models", Foundations of Computational Mathematics 22 (2022).
    The inverse raises the mean squared cosine for N = 40 and p = inf from .53 to .57 with K = 60,
    and from .63 to .71 with K = 100 (100 signals). Nothing is random.
    """

    name = "linear"

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason if the sign is lost, or the one of `Start`."""
        if problem.pooling.even:
            return "linear needs a pooling that keeps the sign; spectral is for those that lose it"
        return super().unsupported(problem)

    def operations(self, rows: Array) -> float:
        """Return 2/3 N³ for elimination, and 2 L K N for its right-hand side."""
        return float(2 / 3 * rows.shape[1] ** 3 + 2 * rows.size)

    def estimate(self, rows: Array, b: Array, moments: ConditionalMoments) -> Array:
        """Return the solutions of the weighted least-squares problems, (S, N)."""
        mean = moments.first(b)
        members, n = len(rows) // b.shape[1], rows.shape[1]
        weight = 1 / np.maximum(moments.second(b) - mean**2, LEAST)
        # The identity is the signal's covariance: for vectors of length 1, standard normal
        # coefficients are those of standard normal signals.
        matrices = (rows.T * np.tile(weight, members)[:, None, :]) @ rows + np.eye(n)
        wanted = np.tile(weight * mean, members) @ rows
        x: Array = np.linalg.solve(matrices, wanted[:, :, None])[:, :, 0]
        return x
