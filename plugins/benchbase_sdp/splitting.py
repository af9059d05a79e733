"""The splitting conic solver SCS, called directly so that its factorisation is kept."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from benchbase import Array
from benchbase_sdp.constraints import Constraints
from benchbase_sdp.optimality import LIMIT, OPTIMAL, Method, Solution

# The weight of the constraints against the cone, for tr X of about 1 and y of mean 1. It is
# constant, as each change means another factorisation. At n = 40, a tolerance of 1e-6 takes: for
# K = 100, p = 2 and 20 signals, 330 iterations with 20 and 10,000 with 200; for K = 60, p = ∞,
# 1,800 iterations with 1, 2,400 with .3, and more than 3,000 with 5. On MNIST with n = 100 and
# K = 130, where X keeps a higher rank, 8 signals take 12,200 iterations with 20 and 4,800 with 200.
SCALE_EQUAL, SCALE_FEW, SCALE_BOUNDED = 20.0, 200.0, 1.0
FEW = 2  # constraints per dimension below which X usually has a higher rank
ALPHA = 1.8


def scs_direct(constraints: Constraints, max_iters: int, eps: float) -> Method:
    """Return a method that solves by SCS, set up and factorised once for `constraints`.

    No signal depends on those before it. Each starts cold, without changes of scale and without
    SCS's acceleration, which remembers earlier solutions. `eps` is the absolute and relative
    tolerance of SCS.
    """
    scs = import_module("scs")
    sparse = import_module("scipy.sparse")
    coordinates = Coordinates(constraints.n, bool(np.iscomplexobj(constraints.rows)))
    bounded = np.flatnonzero(constraints.sense)
    order = np.concatenate([np.flatnonzero(constraints.sense == 0), bounded])
    sigma = np.where(constraints.sense == 0, 1, constraints.sense)[order]
    rows = sigma[:, None] * coordinates.of(constraints.matrices[order])
    few = len(order) < FEW * constraints.n
    scale = SCALE_BOUNDED if bounded.size else SCALE_FEW if few else SCALE_EQUAL
    size = rows.shape[1]

    def right(y: Array) -> Array:
        return np.concatenate([sigma * y[order], np.zeros(size)])

    solver = scs.SCS(
        {
            "A": sparse.vstack([sparse.csc_matrix(rows), -sparse.identity(size)], format="csc"),
            "b": right(np.ones(len(constraints))),
            "c": coordinates.of(np.eye(constraints.n)),
        },
        {"z": len(order) - len(bounded), "l": len(bounded), coordinates.cone: [constraints.n]},
        verbose=False,
        max_iters=max_iters,
        eps_abs=eps,
        eps_rel=eps,
        adaptive_scale=False,
        acceleration_lookback=0,
        alpha=ALPHA,
        scale=scale,
        # By default SCS uses MKL if it is installed, with other rounding and other threads.
        linear_solver="qdldl",
    )

    def one(y: Array) -> Solution:
        solver.update(b=right(y))
        result = solver.solve(warm_start=False)
        info: dict[str, Any] = result["info"]
        multipliers = np.empty(len(constraints))
        multipliers[order] = -sigma * result["y"][: len(order)]
        status = {1: OPTIMAL, 2: LIMIT}.get(info["status_val"], info["status"])
        matrix = coordinates.matrix(result["x"]) if info["status_val"] > 0 else None
        return Solution(matrix, multipliers, info["iter"], status)

    return lambda y: [one(row) for row in y]


class Coordinates:
    """Hermitian matrices (n, n) as real vectors with the same inner product, in SCS's order.

    A vector holds the lower triangle by columns, with entries off the diagonal multiplied by √2.
    The real and the imaginary part of a complex entry stand side by side.
    """

    def __init__(self, n: int, is_complex: bool) -> None:
        self.cone = "cs" if is_complex else "s"
        self._n, self._complex = n, is_complex
        columns, rows = np.triu_indices(n)
        self._rows, self._columns = rows, columns
        self._off = rows > columns
        self._factor = np.where(self._off, np.sqrt(2), 1)
        # Marks the parts of entries that are coordinates: a diagonal entry has no imaginary part.
        self._kept = np.column_stack([np.ones(len(rows), dtype=bool), self._off]).ravel()

    def of(self, matrices: Array) -> Array:
        """Return the vectors (..., n² or n (n + 1) / 2) of Hermitian matrices (..., n, n)."""
        entries = matrices[..., self._rows, self._columns] * self._factor
        if not self._complex:
            return entries.real
        parts = np.stack([entries.real, entries.imag], axis=-1)
        return parts.reshape(*entries.shape[:-1], -1)[..., self._kept]

    def matrix(self, vector: Array) -> Array:
        """Return the Hermitian matrix of a vector."""
        entries = vector
        if self._complex:
            parts = np.zeros(len(self._kept))
            parts[self._kept] = vector
            entries = parts[::2] + 1j * parts[1::2]
        entries = entries / self._factor
        matrix = np.zeros((self._n, self._n), dtype=entries.dtype)
        matrix[self._columns, self._rows] = entries.conj()
        matrix[self._rows, self._columns] = entries
        return matrix
