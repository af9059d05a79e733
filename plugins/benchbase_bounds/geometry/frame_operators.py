"""Frame operators S = Σ w_i f_i f_iᵀ of subsets of a frame's vectors, and their least eigenvalues.

λ₋(F_Ω), the N-th singular value of the vectors in Ω, is the root of the least eigenvalue of S_Ω. It
is zero if they do not span R^N.
"""

from __future__ import annotations

import numpy as np

from benchbase import Array


def frame_operators(vectors: Array, weights: Array) -> Array:
    """Return Σ_i w_i f_i f_iᵀ: vectors (M, N) and weights (..., M) to (..., N, N)."""
    m, n = vectors.shape
    squares = (vectors[:, :, None] * vectors[:, None, :]).reshape(m, n * n)
    operators: Array = np.matmul(np.asarray(weights, dtype=np.float64), squares)
    return operators.reshape(*operators.shape[:-1], n, n)


def least_eigenvalues(operators: Array) -> Array:
    """Return the least eigenvalue of symmetric matrices: (..., N, N) to (...)."""
    values: Array = np.linalg.eigvalsh(operators)[..., 0]
    return values


def least_eigenvectors(operators: Array) -> tuple[Array, Array]:
    """Return the least eigenvalue and its vector: (..., N, N) to (...) and (..., N)."""
    values, vectors = np.linalg.eigh(operators)
    return values[..., 0], vectors[..., 0]


def split_values(vectors: Array, subsets: Array) -> Array:
    """Return λmin(S_Ω) + λmin(S_Ωᶜ): vectors (M, N) and subsets bool (..., M) to (...)."""
    inside = frame_operators(vectors, subsets)
    outside = frame_operators(vectors, ~subsets)
    return least_eigenvalues(inside) + least_eigenvalues(outside)


def rounding(vectors: Array) -> float:
    """Return a bound of the error of the least eigenvalue of a subset's frame operator.

    A sum of M products is off by at most M ε Σ ‖f‖², and LAPACK's symmetric eigenvalues by a small
    multiple of N ε ‖S‖ (Higham, "Accuracy and stability of numerical algorithms", 2002, chapters 3
    and 20), for which 10 N is taken; all this four times over.

    Parameters
    ----------
    vectors : ndarray, shape (..., N)
        All vectors of the frame.
    """
    flat = vectors.reshape(-1, vectors.shape[-1])
    m, n = flat.shape
    return float(4 * np.finfo(np.float64).eps * (m + 10 * n) * np.sum(flat**2))
