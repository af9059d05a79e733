"""Methods that solve the program of PhaseCut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from benchbase import Array, Run
from benchbase_sdp.block_coordinate import block_coordinate
from benchbase_sdp.costs import splitting
from benchbase_sdp.cut import Basis, relative_gap, relative_value
from benchbase_sdp.factors import TINY, alternate
from benchbase_sdp.modelling import STATUSES, load_cvxpy, solve_scs
from benchbase_sdp.optimality import LIMIT, OPTIMAL

STALLED = 1e-13  # relative size of a step up to which a signal counts as at rest


class Found(NamedTuple):
    """What a method returns: factors (S, r, R) of X, numbers of iterations, and statuses."""

    factors: Array
    n_iter: Array
    status: list[str]


Method: TypeAlias = Callable[[Array, Run], Found]
"""A function that solves (P) for measurements (S, K)."""


class LowRank:
    """Solves (P) in factors of X with few columns, from a random start.

    Parameters
    ----------
    rows : Basis
        The frame.
    max_iters : int
        The largest number of iterations.
    eps : float
        The relative duality gap at which a signal is solved and leaves the batch.
    rank : int
        The number of columns r.
    blocks : bool
        Whether to change the rows of U pool by pool instead of all at once.
    """

    def __init__(self, rows: Basis, max_iters: int, eps: float, rank: int, *, blocks: bool) -> None:
        self._rows, self._max_iters, self._eps = rows, max_iters, eps
        self._rank, self._blocks = rank, blocks

    def __call__(self, b: Array, run: Run) -> Found:
        """Solve for measurements (S, K)."""
        start, n_iter, rows = self._start(b, run), self._max_iters, self._rows.counting(run)
        progress = Progress(rows, b, self._eps)
        if self._blocks:
            factors, count = block_coordinate(rows, start, b, n_iter, progress)
        else:
            factors, count = alternate(rows, in_norm, start, b, n_iter, progress, momentum=True)
        stops = np.where(count < n_iter, "stalled", LIMIT)
        solved = zip(progress.solved, stops, strict=True)
        return Found(factors, count, [OPTIMAL if one else str(stop) for one, stop in solved])

    def _start(self, b: Array, run: Run) -> Array:
        """Draw factors, scaled so that the pools' norms have the norm of b."""
        rank = self._rows.rank
        draw = run.normal(2 if self._rows.is_complex else 1, self._rank, rank)
        start: Array = draw[:, 0] + 1j * draw[:, 1] if self._rows.is_complex else draw[:, 0]
        reached = np.linalg.norm(start, axis=(1, 2))
        start *= (np.linalg.norm(b, axis=1) / reached)[:, None, None]
        return start


class Progress:
    """Checks the factors during an iteration, and marks the signals that are solved.

    Parameters
    ----------
    rows : Basis
        The frame.
    b : ndarray, shape (S, K)
        Measurements.
    eps : float
        The relative duality gap at which a signal is solved.
    """

    def __init__(self, rows: Basis, b: Array, eps: float) -> None:
        self._rows, self._b, self._eps = rows, b, eps
        self._value = np.full(len(b), np.inf)
        self.solved = np.zeros(len(b), dtype=bool)

    def __call__(self, factors: Array, index: Array, moves: Array) -> Array:
        """Return which signals at `index` are solved or have stopped moving."""
        b = self._b[index]
        value = relative_value(self._rows, factors, b)
        solved = value <= self._eps  # as 0 is a lower bound
        # A better bound costs an eigenvalue: it is computed only if the value hardly falls now.
        slow = np.flatnonzero(~solved & (self._value[index] - value <= self._eps))
        if slow.size:
            solved[slow] = relative_gap(self._rows, factors[slow], b[slow]) <= self._eps
        self._value[index], self.solved[index] = value, solved
        done: Array = solved | (moves <= STALLED)
        return done


def in_norm(size: Array, b: Array) -> Array:
    """Return the sizes of coefficients, (S, L, K), scaled so that pools have the norms b (S, K)."""
    norm = np.linalg.norm(size, axis=1)
    scaled: Array = size * (b / np.maximum(norm, TINY))[:, None]
    return scaled


class Reference:
    """Solves (P) by CVXPY and SCS, compiled once, for measurements of mean square 1.

    Parameters
    ----------
    rows : Basis
        The frame.
    max_iters : int
        The largest number of iterations of SCS.
    eps : float
        The tolerance of SCS.
    """

    def __init__(self, rows: Basis, max_iters: int, eps: float) -> None:
        cvxpy = load_cvxpy()
        self._rows, self._limits, self._error = rows, (max_iters, eps), cvxpy.SolverError
        n_pools, n = len(rows.rows), rows.rank
        # Each square stands in two rows of the constraints.
        self._cost = splitting(2 * n_pools, n, is_complex=rows.is_complex, embedded=True)
        products = rows.rows.conj().swapaxes(1, 2) @ rows.rows
        # If b has a mean square of 1, tr X is about K. SCS needs several times fewer iterations for
        # an unknown of trace 1, which means a signal of length 1, than for one of trace K.
        flat = n_pools * products.reshape(n_pools, -1).conj()
        if rows.is_complex:
            matrix = cvxpy.Variable((n, n), hermitian=True)
            cones = [matrix >> 0]
            squares = cvxpy.real(flat @ cvxpy.vec(matrix, order="C"))
            trace = cvxpy.real(cvxpy.trace(matrix))
        else:
            matrix, cones = cvxpy.Variable((n, n), PSD=True), []
            squares = flat @ cvxpy.vec(matrix, order="C")
            trace = cvxpy.trace(matrix)
        self._b = cvxpy.Parameter(n_pools, nonneg=True)
        s = cvxpy.Variable(n_pools)
        # s² ≤ t, written as the second-order cone ‖(2 s, t − 1)‖ ≤ t + 1.
        root = cvxpy.SOC(squares + 1, cvxpy.vstack([2 * s, squares - 1]), axis=0)
        value = n_pools * trace - 2 * self._b @ s
        self._matrix = matrix
        self._problem: Any = cvxpy.Problem(cvxpy.Minimize(value), [root, *cones])
        self._b.value = np.ones(n_pools)
        self._problem.get_problem_data("SCS")

    def __call__(self, b: Array, run: Run) -> Found:
        """Solve for measurements (S, K), one signal after the other."""
        # Nothing is drawn at random.
        factors, n_iter, status = zip(*(self._one(row) for row in b), strict=True)
        operations = len(b) * self._cost.factorisation + sum(n_iter) * self._cost.iteration
        run.count(operations / self._rows.unit)
        self._rows.counting(run).spend(len(b) * 9 * self._rows.rank**3)
        return Found(np.stack(factors), np.array(n_iter), list(status))

    def _one(self, b: Array) -> tuple[Array, int, str]:
        self._b.value = b
        missing = np.full((self._rows.rank, self._rows.rank), np.nan)
        try:
            solve_scs(self._problem, *self._limits)
        except self._error:
            return missing, 0, "solver_error"
        status = STATUSES.get(self._problem.status, self._problem.status)
        count = self._problem.solver_stats.num_iters
        if self._matrix.value is None:
            return missing, count, status
        values, vectors = np.linalg.eigh(self._matrix.value * len(b))
        return (vectors * np.sqrt(np.maximum(values, 0))).T, count, status
