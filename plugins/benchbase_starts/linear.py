"""Linear starts, where measurements keep the sign."""

import numpy as np

from benchbase import Array, Problem
from benchbase_starts.moments import ConditionalMoments
from benchbase_starts.start import Start

LEAST = 0.01  # variance: with pools of one that are not cut off it is zero


class LinearStart(Start):
    """Weighted least squares on what measurements say about coefficients, linear in that.

    For poolings that keep the sign, such as half rectified ones, where a pool's value b_k gives
    its coefficients a mean: E[z_j | b_k], with the variance v_k = Var[z_j | b_k], of standard
    normal coefficients (means over the members j of a pool). With a standard normal signal, ::

        x = (I + Σ_k F_kᵀ F_k / v_k)⁻¹ Σ_k F_kᵀ E[z | b_k] / v_k

    in units in which coefficients are standard normal, as in `SpectralStart`, then scaled so that
    ‖P(F x)‖ = ‖b‖. Without the inverse it is the matched filter, the linear estimator of
    Mondelli, Thrampoulidis and Venkataramanan, "Optimal combination of linear and spectral
    estimators for generalized linear models", Foundations of Computational Mathematics 22 (2022);
    with it the mean squared cosine of n = 40, p = inf, K = 60 / 100 is .57 / .71, not .53 / .63
    (100 signals). Nothing is random.
    """

    name = "linear"

    def unsupported(self, problem: Problem) -> str | None:
        """Say why not, in particular where the sign is lost."""
        if problem.pooling.even:
            return "linear is for poolings that keep the sign; spectral is for those that lose it"
        return super().unsupported(problem)

    def estimate(self, rows: Array, b: Array, moments: ConditionalMoments) -> Array:
        """Return the weighted least squares."""
        mean = moments.first(b)
        members, n = len(rows) // b.shape[1], rows.shape[1]
        weight = 1 / np.maximum(moments.second(b) - mean**2, LEAST)
        # Coefficients of vectors of length 1 are standard normal for a signal of variance 1.
        matrices = (rows.T * np.tile(weight, members)[:, None, :]) @ rows + np.eye(n)
        wanted = np.tile(weight * mean, members) @ rows
        x: Array = np.linalg.solve(matrices, wanted[:, :, None])[:, :, 0]
        return x
