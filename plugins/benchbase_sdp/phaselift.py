"""PhaseLift."""

from __future__ import annotations

import numpy as np

from benchbase import Array, Frame
from benchbase_sdp.relaxation import (
    Estimate,
    Program,
    RecoverOne,
    Relaxation,
    load_cvxpy,
    outer_products,
)


class PhaseLift(Relaxation):
    """Lift the signal to X = x xᵀ, drop the rank, and minimise the trace.

    ::

        minimise tr X  subject to  tr(F_kᵀ X F_k) = b_k² for each pool k,  X ⪰ 0

    with F_k the N × L matrix of a pool's vectors; then x = √λ₁ u₁, of the largest eigenvalue of X
    and its eigenvector. Candès, Strohmer and Voroninski, "PhaseLift", Communications on Pure and
    Applied Mathematics 66 (2013), here for real signals and pools as in section 3.1.2 of Bruna,
    Szlam and LeCun, ICML 2014. CVXPY states the program and SCS solves it.

    A signal has converged if SCS says "optimal" *and* X has the squared measurements with a
    relative error of at most 1e-4. With noise the constraints may have no solution: the estimate
    is then not a number and the message says "infeasible".

    Parameters
    ----------
    max_iters : int, optional
        The most iterations of SCS.
    eps : float, optional
        The absolute and relative tolerance of SCS, for measurements of mean square 1.

    Raises
    ------
    ParameterError
        If `max_iters` is less than 1, or `eps` not positive or not finite.
    """

    name = "phaselift"
    eps: float = 1e-5

    def relax(self, frame: Frame) -> RecoverOne:
        """Compile the program for frame vectors scaled to a mean of 1 over the pools' ‖F_k‖²."""
        vectors = np.asarray(frame.dense(), dtype=np.float64)
        size = np.sqrt(np.sum(vectors**2) / frame.n_pools)
        products = outer_products(vectors / size)
        program = self.program(products)

        def recover(b: Array) -> Estimate:
            found = program.solve(b**2)
            if found.matrix is None:
                return Estimate(np.full(frame.n, np.nan), found.n_iter, False, found.status)
            gap = np.linalg.norm(products @ found.matrix.ravel() - b**2)
            converged = found.status == "optimal" and gap <= 1e-4 * np.linalg.norm(b**2)
            values, basis = np.linalg.eigh(found.matrix)
            x = np.sqrt(max(values[-1], 0.0)) * basis[:, -1] / size
            return Estimate(x, found.n_iter, bool(converged), found.status)

        return recover

    def program(self, products: Array) -> Program:
        """Compile the program for the pools' matrices F_k F_kᵀ (K, N·N), in b_k²."""
        cvxpy = load_cvxpy()
        n = round(products.shape[1] ** 0.5)
        matrix = cvxpy.Variable((n, n), PSD=True)
        squares = cvxpy.Parameter(len(products), nonneg=True)
        fits = products @ cvxpy.vec(matrix, order="C") == squares
        problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.trace(matrix)), [fits])
        program = Program(problem, matrix, squares, self.max_iters, self.eps)
        program.compile()
        return program
