"""Spectral starts, for poolings that lose the sign."""

from typing import Literal, TypeAlias

import numpy as np

from benchbase import Array, Problem
from benchbase_starts.moments import ConditionalMoments
from benchbase_starts.start import Start

LEAST = -3.0  # the least weight, for pools to which x is nearly orthogonal
Weights: TypeAlias = Literal[
    "optimal", "plain", "truncated", "amplitude", "weighted", "orthogonality-promoting", "null"
]


class SpectralStart(Start):
    """The leading eigenvector of Σ_k T(b_k) F_kᵀ F_k, scaled so that ‖P(F x)‖ = ‖b‖.

    This start is for poolings that lose the sign. If b_k is large, x is near the span of the
    vectors of pool k; if b_k is small, x is far from it. The idea is that of Netrapalli, Jain and
    Sanghavi (2013) and of Candès, Li and Soltanolkotabi (2015), here for pools of any size and
    norm. The default weights are those of Mondelli and Montanari, "Fundamental limits of weak
    recovery with applications to phase retrieval", Foundations of Computational Mathematics 19
    (2019), and of Luo, Alghamdi and Lu, "Optimal spectral initialization for signal recovery with
    applications to phase retrieval", IEEE Transactions on Signal Processing 67 (2019), with the
    moments of a pool's coefficients in place of those of a single coefficient.

    Nothing is random. Vectors are scaled to a root mean square length of 1 in each pool.
    Measurements are scaled by the mean of b² to units in which coefficients are standard normal.

    The default weights give the best start in every column of the table. It shows the mean squared
    cosine of the start for N = 40 and orthonormal pools, over 8 frames with 50 signals each
    (standard errors up to .012):

    ===========================  ================  ================  ================
    weights                      L = 1             L = 2, p = 2      L = 2, p = inf
    ===========================  ================  ================  ================
    K                            60    100   200   60    100   200   60    100   200
    "optimal"                    .510  .742  .906  .611  .805  .924  .591  .794  .921
    "plain"                      .301  .424  .609  .314  .452  .645  .299  .436  .634
    "truncated"                  .290  .415  .599  .313  .451  .644  .298  .435  .632
    "amplitude"                  .324  .451  .644  .329  .483  .681  .324  .471  .673
    "weighted"                   .311  .441  .636  .323  .476  .681  .310  .460  .670
    "orthogonality-promoting"    .289  .411  .616  .304  .452  .660  .285  .429  .648
    "null"                       .071  .299  .849  .160  .445  .818  .149  .420  .802
    ===========================  ================  ================  ================

    Parameters
    ----------
    weights : str, optional
        The weights T(b). Some of them select pools by the order of b among the K pools. All but the
        first are from phase retrieval (pools of one), with the constants of the papers.

        "optimal"
            max(1 − 1/E[z_j² | b], −3), with the mean over the pool's members of the conditional
            second moments of standard normal coefficients.
        "plain"
            b². Candès, Li and Soltanolkotabi, "Phase retrieval via Wirtinger flow", IEEE
            Transactions on Information Theory 61 (2015).
        "truncated"
            b² if it is at most 9 times its mean, else 0. Chen and Candès, "Solving random
            quadratic systems of equations is nearly as easy as solving linear systems",
            Communications on Pure and Applied Mathematics 70 (2017).
        "amplitude"
            b if it is between the root mean square of b and 5 times that, else 0. Zhang, Zhou,
            Liang and Chi, "A nonconvex approach for phase retrieval: reshaped Wirtinger flow and
            incremental algorithms", Journal of Machine Learning Research 18 (2017).
        "weighted"
            √b for the 3/13 of the pools with the largest b (rounded down), else 0; this is weighted
            maximal correlation. Wang, Giannakis, Saad and Chen, "Solving almost all systems of
            random quadratic equations", NeurIPS 2017.
        "orthogonality-promoting"
            1 for the sixth of the pools with the largest b (rounded up), else 0. Wang, Giannakis
            and Eldar, "Solving systems of random quadratic equations via truncated amplitude flow",
            IEEE Transactions on Information Theory 64 (2018).
        "null"
            −1 for the half of the pools with the least b (rounded up), else 0; the start is the
            vector most orthogonal to these. Chen, Fannjiang and Liu, "Phase retrieval with one or
            two diffraction patterns by alternating projections with the null initialization",
            Journal of Fourier Analysis and Applications 24 (2018). If the vectors form a tight
            frame, this is the same as 1 for the other pools and 0 for these.
    """

    name = "spectral"
    weights: Weights = "optimal"

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason if the sign is kept, or the one of `Start`."""
        if not problem.pooling.even:
            return "spectral needs a pooling that loses the sign; linear is for those that keep it"
        return super().unsupported(problem)

    def operations(self, rows: Array) -> float:
        """Return 9 N³, the operations of a symmetric eigendecomposition."""
        return float(9 * rows.shape[1] ** 3)

    def estimate(self, rows: Array, b: Array, moments: ConditionalMoments) -> Array:
        """Return the leading eigenvectors, (S, N)."""
        members, n = len(rows) // b.shape[1], rows.shape[1]
        seen = np.asarray(rows.reshape(members, -1, n).any(axis=(0, 2)))
        weight = np.tile(np.where(seen, self._weight(b, seen, moments), 0), members)
        matrices = (rows.T * weight[:, None, :]) @ rows
        leading: Array = np.linalg.eigh(matrices)[1][:, :, -1]
        return leading

    def _weight(self, b: Array, seen: Array, moments: ConditionalMoments) -> Array:
        """Return T(b), (S, K), given a mask (K,) of the pools that have vectors other than zero."""
        rms = moments.mean_square**0.5  # of measurements in these units
        pools = int(seen.sum())
        match self.weights:
            case "plain":
                return b**2
            case "truncated":
                return np.where(b <= 3 * rms, b**2, 0)
            case "amplitude":
                return np.where((b > rms) & (b < 5 * rms), b, 0)
            case "weighted":
                return np.where(_first(-b, seen, max(3 * pools // 13, 1)), np.sqrt(b), 0)
            case "orthogonality-promoting":
                return np.where(_first(-b, seen, -(-pools // 6)), 1.0, 0.0)
            case "null":
                return np.where(_first(b, seen, -(-pools // 2)), -1.0, 0.0)
        return np.maximum(1 - 1 / np.maximum(moments.second(b), 1e-3), LEAST)


def _first(values: Array, seen: Array, size: int) -> Array:
    """Mark the `size` least values in each row of an array (S, K), among the columns `seen`."""
    order = np.argsort(np.where(seen, values, np.inf), axis=1, kind="stable")
    first = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(first, order[:, :size], values=True, axis=1)
    return first
