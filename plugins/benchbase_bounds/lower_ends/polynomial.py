"""A lower bound of A in polynomial time, for phase retrieval and ℓ2 (Propositions 2.1 and 2.4)."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.rounding import EPS

_LARGEST = 45  # the largest N: the matrix has about N²/2 rows


def polynomial_lower_bound(vectors: Array) -> float:
    """Return a certified lower bound of A for the ℓ2 pooling of real vectors.

    Let P_k = F_k F_kᵀ, σ_k² = ‖P_k‖, and u and v unit vectors along x + x′ and x − x′. Pool k adds
    ½(s − √(s² − 4t²)) ≥ t²/s to the squared distance, with t = uᵀP_k v and s = ‖F_kᵀu‖² +
    ‖F_kᵀv‖² ≤ 2σ_k² (Proposition 2.4). A pool of one adds min(⟨u, f⟩², ⟨v, f⟩²) ≥ t²/σ_k². As
    t = ⟨P_k, sym(uvᵀ)⟩ and ‖sym(uvᵀ)‖² ≥ ½,

        A² ≥ (c/2) λmin(Σ_k vec(P_k) vec(P_k)ᵀ / σ_k²) on symmetric matrices,

    with c = 1 for pools of one and ½ for larger ones. It is zero for K < N(N+1)/2.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame.

    Returns
    -------
    float
        The bound, with an allowance for rounding. It is 0 for N above 45, too.
    """
    n_pools, size, n = vectors.shape
    vectors = vectors[np.abs(vectors).max(axis=(1, 2)) > 0]  # pools of zeros add nothing
    if len(vectors) < n * (n + 1) // 2 or n > _LARGEST:
        return 0.0
    gram = np.einsum("kln,klm->knm", vectors, vectors)
    norms = np.linalg.norm(vectors, ord=2, axis=(1, 2)) * (1 + 20 * size * n * EPS)
    rows, columns = np.triu_indices(n)
    scale = np.where(rows == columns, 1.0, np.sqrt(2.0))
    coordinates = gram[:, rows, columns] * scale / norms[:, None]
    square = coordinates.T @ coordinates
    allowance = 4 * EPS * (n_pools + 10 * len(square) + size) * np.trace(square)
    least = np.linalg.eigvalsh(square)[0] - allowance
    c = 1.0 if size == 1 else 0.5
    return float(np.sqrt(max(0.0, c / 2 * least)))
