"""The linear programs of PhaseMax: maximise c·x over the signals with measurements at most b.

If p is 1 or infinity, then P(u) of a pool, half rectified or not, is the maximum of v·u over a
finite set of v, the vertices of a polytope. The inequalities P(F x) ≤ b are then linear in x.
"""

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from benchbase import Array

FEW = 3  # the largest pool size L for which all vertices of p = 1, about 2^L, are listed
TOLERANCE = 1e-6  # for all conditions that are checked of a solution
STATUS = {0: "optimal", 1: "iteration limit", 2: "infeasible", 3: "unbounded"}


class Solution(NamedTuple):
    """The result of HiGHS for one program.

    Parameters
    ----------
    x : ndarray, shape (N,), or None
        The solution, or None if there is none.
    status : str
        How HiGHS ended.
    operations : float
        What that took: two products with the matrix of the constraints, 4 operations for each of
        its entries, for each iteration of HiGHS and for the check of the result.
    """

    x: Array | None
    status: str
    operations: float


class Programs:
    """The linear programs "maximise c·x subject to P(F x) ≤ b" of a frame, for any c and b.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The vectors of the frame, scaled so that they and b have about the same size.
    p : float
        The exponent, 1 or infinity.
    rectified : bool
        Whether coefficients are half rectified.
    max_iters : int
        The largest number of iterations of HiGHS in one program.

    Notes
    -----
    For p = infinity the vertices are the unit vectors and, without rectification, their negatives.
    For p = 1 they are the vectors of ±1 or, with rectification, the vectors of 0 and 1 except for
    0 itself. Pools of more than three with p = 1 have auxiliary variables instead, with t_j ≥ u_j,
    t_j ≥ −u_j (only without rectification), t_j ≥ 0, and Σ_j t_j ≤ b.
    """

    def __init__(self, vectors: Array, p: float, rectified: bool, max_iters: int) -> None:
        _, pool_size, self._n = vectors.shape
        self._p, self._rectified, self._max_iters = p, rectified, max_iters
        self._auxiliary = p == 1 and pool_size > FEW
        if self._auxiliary:
            self._matrix = _with_auxiliary(vectors, rectified)
        else:
            # The product has shape (K, V, N): one row per vertex of each pool.
            self._vertices = _vertices(pool_size, p, rectified)
            self._matrix = (self._vertices @ vectors).reshape(-1, self._n)
        free = [(None, None)] * self._n
        self._entries = int(self._matrix.nnz if self._auxiliary else self._matrix.size)
        self._bounds = free + [(0, None)] * (self._matrix.shape[1] - self._n)

    def limits(self, b: Array, threshold: Array) -> Array:
        """Return the right-hand side for measurements b (K,) and a threshold α (L, K)."""
        if not self._auxiliary:
            at_most: Array = b[:, None] + (self._vertices @ threshold).T
            return at_most.ravel()
        alpha = threshold.T.ravel()
        return np.concatenate((alpha, *([] if self._rectified else [alpha]), b))

    def solve(self, c: Array, limits: Array) -> Solution:
        """Solve one program; its status is "optimal" only if the duality gap confirms it."""
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
        operations = 4.0 * self._entries * (1 + found.nit)
        if found.status != 0:
            return Solution(x, STATUS.get(found.status, "HiGHS failed"), operations)
        optimal = self._is_optimal(found, cost, limits)
        return Solution(x, "optimal" if optimal else "inaccurate", operations)

    def _is_optimal(self, found: Any, cost: Array, limits: Array) -> bool:
        """Return whether the point is feasible and the multipliers prove it to be optimal."""
        multipliers = -found.ineqlin.marginals
        rest = cost + self._matrix.T @ multipliers  # must be zero for x and at least zero for t ≥ 0
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
        """Return, for u (L, K), the vertex v with the largest v·u of each pool, (L, K)."""
        size = u if self._rectified else np.abs(u)
        first = np.arange(len(u))[:, None] == size.argmax(axis=0)
        if self._p == 1:
            first |= size > 0
        sign = 1 if self._rectified else np.where(u < 0, -1, 1)
        chosen: Array = first * sign
        return chosen.astype(np.float64)


def _vertices(pool_size: int, p: float, rectified: bool) -> Array:
    """Return the vertices v, (V, L), without 0; P(u) is the maximum of v·u over them."""
    if p != 1:
        unit = np.eye(pool_size)
        return unit if rectified else np.concatenate((unit, -unit))
    values = (1.0, 0.0) if rectified else (1.0, -1.0)
    listed = np.array(list(product(values, repeat=pool_size)))
    return listed[:-1] if rectified else listed


def _with_auxiliary(vectors: Array, rectified: bool) -> Any:
    """Return the sparse matrix of the constraints on x and t for p = 1, pool by pool."""
    from scipy import sparse

    n_pools, pool_size, n = vectors.shape
    rows = sparse.csr_array(vectors.reshape(-1, n))
    t = sparse.eye_array(len(vectors) * pool_size)
    total = sparse.kron(sparse.eye_array(n_pools), np.ones((1, pool_size)))
    blocks: Any = [[rows, -t], *([] if rectified else [[-rows, -t]]), [None, total]]
    return sparse.block_array(blocks, format="csr")
