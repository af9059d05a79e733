"""The linear programs: a linear function of signals whose measurements are at most b.

Half rectified or not, P(u) of a pool is the maximum of v·u over a finite set of v if p is 1 or
infinity: the vertices of a polytope. All of P(F x) ≤ b is then linear in x.
"""

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from benchbase import Array

FEW = 3  # members of a pool up to which the vertices of p = 1, of which there are 2^L, are listed
TOLERANCE = 1e-6  # of what is checked of a solution
STATUS = {0: "optimal", 1: "iteration limit", 2: "infeasible", 3: "unbounded"}


class Solution(NamedTuple):
    """What HiGHS gives for one program: x (N,), or None where it has none, and what it says."""

    x: Array | None
    status: str


class Programs:
    """Maximise c·x subject to P(F x) ≤ b, for any c and b.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame, of a size such that its vectors and b have about the same.
    p : float
        1 or infinity.
    rectified : bool
        Whether coefficients are half rectified.
    max_iters : int
        The most iterations of HiGHS.

    Notes
    -----
    For p = infinity the vertices are the unit vectors and, without rectification, their negatives;
    for p = 1 the vectors of ±1, or with it those of 0 and 1 but for 0 itself. Pools of more than
    three with p = 1 take auxiliary variables instead: t_j ≥ u_j, t_j ≥ −u_j without rectification,
    t_j ≥ 0, and Σ_j t_j ≤ b.
    """

    def __init__(self, vectors: Array, p: float, rectified: bool, max_iters: int) -> None:
        _, pool_size, self._n = vectors.shape
        self._p, self._rectified, self._max_iters = p, rectified, max_iters
        self._auxiliary = p == 1 and pool_size > FEW
        if self._auxiliary:
            self._matrix = _with_auxiliary(vectors, rectified)
        else:
            # (K, V, N): a row for each vertex of each pool.
            self._vertices = _vertices(pool_size, p, rectified)
            self._matrix = (self._vertices @ vectors).reshape(-1, self._n)
        free = [(None, None)] * self._n
        self._bounds = free + [(0, None)] * (self._matrix.shape[1] - self._n)

    def limits(self, b: Array, threshold: Array) -> Array:
        """Return the right-hand side for measurements b (K,) and a threshold α (L, K)."""
        if not self._auxiliary:
            at_most: Array = b[:, None] + (self._vertices @ threshold).T
            return at_most.ravel()
        alpha = threshold.T.ravel()
        return np.concatenate((alpha, *([] if self._rectified else [alpha]), b))

    def solve(self, c: Array, limits: Array) -> Solution:
        """Solve one program; "optimal" is what the duality gap of the solution confirms."""
        from scipy.optimize import linprog

        cost = np.zeros(self._matrix.shape[1])
        cost[: self._n] = -c
        found: Any = linprog(
            cost,
            A_ub=self._matrix,
            b_ub=limits,
            bounds=self._bounds,
            method="highs",
            options={"maxiter": self._max_iters},
        )
        x = None if found.x is None else found.x[: self._n]
        if found.status != 0:
            return Solution(x, STATUS.get(found.status, "HiGHS failed"))
        return Solution(x, "optimal" if self._is_optimal(found, cost, limits) else "inaccurate")

    def _is_optimal(self, found: Any, cost: Array, limits: Array) -> bool:
        """Whether the multipliers prove the value to be the least, and the point is feasible."""
        multipliers = -found.ineqlin.marginals
        rest = cost + self._matrix.T @ multipliers  # zero, or at least that where t ≥ 0
        gap = abs(cost @ found.x + limits @ multipliers)
        slack = limits - self._matrix @ found.x
        wrong = max(
            np.abs(rest[: self._n]).max() / np.abs(cost).max(),
            -rest[self._n :].min(initial=0) / np.abs(cost).max(),
            -multipliers.min(),
            gap / max(abs(cost @ found.x), np.linalg.norm(cost)),
            -slack.min(),
        )
        return bool(wrong <= TOLERANCE)

    def directions(self, u: Array) -> Array:
        """Return the vertex v with the largest v·u of each pool: (L, K) for u (L, K)."""
        size = u if self._rectified else np.abs(u)
        first = np.arange(len(u))[:, None] == size.argmax(axis=0)
        if self._p == 1:
            first |= size > 0
        sign = 1 if self._rectified else np.where(u < 0, -1, 1)
        chosen: Array = first * sign
        return chosen.astype(np.float64)


def _vertices(pool_size: int, p: float, rectified: bool) -> Array:
    """Return the v, (V, L), of which P(u) is the maximum of v·u, but for 0."""
    if p != 1:
        unit = np.eye(pool_size)
        return unit if rectified else np.concatenate((unit, -unit))
    values = (1.0, 0.0) if rectified else (1.0, -1.0)
    listed = np.array(list(product(values, repeat=pool_size)))
    return listed[:-1] if rectified else listed


def _with_auxiliary(vectors: Array, rectified: bool) -> Any:
    """Return the sparse matrix of the constraints of p = 1 in x and t, pool by pool."""
    from scipy import sparse

    n_pools, pool_size, n = vectors.shape
    rows = sparse.csr_array(vectors.reshape(-1, n))
    t = sparse.eye_array(len(vectors) * pool_size)
    total = sparse.kron(sparse.eye_array(n_pools), np.ones((1, pool_size)))
    blocks: Any = [[rows, -t], *([] if rectified else [[-rows, -t]]), [None, total]]
    return sparse.block_array(blocks, format="csr")
