"""PhaseCut, in a form whose matrix has the size of the signal."""

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

_TOLERANCE = 1e-6
_SMALLEST = 1e-12


class PhaseCut(Relaxation):
    """Relax what the pools lose, signs or directions, in the manner of a maximal cut.

    Each pool's coefficients are b_k u_k with an unknown unit vector u_k of L entries, and those
    of a signal lie in the frame's range. With u stacked from the u_k, U in the place of u uᵀ and
    M = diag(b) (I − F F⁺) diag(b), where each b_k stands L times, ::

        minimise tr(M U)  subject to  tr U_kk = 1 for each pool's L × L block,  U ⪰ 0

    Then the leading eigenvector of U, each pool's part scaled to length 1, gives the coefficients,
    x = F⁺(b u), and a scale for x that fits the measurements best. Waldspurger, d'Aspremont and
    Mallat, "Phase recovery, MaxCut and complex semidefinite programming", Mathematical
    Programming 149 (2015), here for real signals; with pools of one it is their program, tr U_kk
    = 1 being U_kk = 1.

    A signal has converged if SCS says "optimal" *and* the value reached is within 1e-6 ‖b‖² of a
    bound from below (see the notes). Without noise that means a relative error of the
    measurements of at most 1e-3 before the eigenvector is taken.

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

    Notes
    -----
    U has K·L rows; the program that is solved has a matrix X of at most N, and the same value.
    Let the columns of Q be an orthonormal basis of the frame's range, Q_k the L rows of pool k,
    and s_k(X)² = tr(Q_k X Q_kᵀ). The dual of the program above, with w_k = 1/(1 − λ_k) for the
    multipliers λ_k and a Schur complement, is ::

        maximise Σ b_k² (1 − 1/w_k)  subject to  Σ w_k Q_kᵀ Q_k ⪯ I,  w > 0        (D)

    and the dual of that, with the multiplier X and as Σ Q_kᵀ Q_k = I, ::

        minimise Σ (s_k(X) − b_k)² = tr X − 2 Σ b_k s_k(X) + ‖b‖²  over X ⪰ 0        (P)

    where s_k is concave. From X, with G = diag(b_k/s_k), V = G Q X Qᵀ G is diag(b) U diag(b) of an
    optimal U. For any X, w = b/s divided by the largest eigenvalue of Σ w_k Q_kᵀ Q_k is feasible in
    (D), which bounds the optimum from below, as does 0.

    Without noise the minimum is 0 and all X with s(X) = b are optimal: below some K ≈ 2N there
    are many, and which one SCS ends at depends on its path and on the scale of X. No figure of
    PhaseCut is exact there.
    """

    name = "phasecut"
    eps: float = 1e-6

    def relax(self, frame: Frame) -> RecoverOne:
        """Compile the program in the coordinates of a basis of the frame's range."""
        basis = orthonormal_rows(np.asarray(frame.dense(), dtype=np.float64))
        products = outer_products(basis)
        program = self.program(products)

        def recover(b: Array) -> Estimate:
            found = program.solve(b)
            if found.matrix is None:
                return Estimate(np.full(frame.n, np.nan), found.n_iter, False, found.status)
            matrix = found.matrix * frame.n_pools
            s = np.sqrt(np.maximum(products @ matrix.ravel(), 0.0))
            x = frame.least_squares((b[:, None] * directions(basis, matrix, s, b)).T)
            measured = np.linalg.norm(frame.analyse(x), axis=0)
            if measured.any():
                x = x * (measured @ b) / (measured @ measured)
            gap = np.sum((s - b) ** 2) - lower_bound(products, s, b)
            converged = found.status == "optimal" and gap <= _TOLERANCE * (b @ b)
            return Estimate(x, found.n_iter, bool(converged), found.status)

        return recover

    def program(self, products: Array) -> Program:
        """Compile (P) for the matrices Q_kᵀ Q_k (K, R·R), in b; the variable is X/K."""
        cvxpy = load_cvxpy()
        n_pools, rank = len(products), round(products.shape[1] ** 0.5)
        # With a mean square of 1 in b, tr X is about K. SCS needs several times fewer iterations
        # for an unknown of trace 1, a signal of length 1, than for one of trace K.
        matrix = cvxpy.Variable((rank, rank), PSD=True)
        b = cvxpy.Parameter(n_pools, nonneg=True)
        s = cvxpy.Variable(n_pools)
        squares = n_pools * products @ cvxpy.vec(matrix, order="C")
        # s² ≤ t as ‖(2 s, t − 1)‖ ≤ t + 1
        root = cvxpy.SOC(squares + 1, cvxpy.vstack([2 * s, squares - 1]), axis=0)
        value = n_pools * cvxpy.trace(matrix) - 2 * b @ s
        program = Program(
            cvxpy.Problem(cvxpy.Minimize(value), [root]), matrix, b, self.max_iters, self.eps
        )
        program.compile()
        return program


def orthonormal_rows(vectors: Array) -> Array:
    """Return Q, (K, L, R): the frame (K, L, N) in an orthonormal basis of its range."""
    n_pools, pool_size, n = vectors.shape
    left, values, _ = np.linalg.svd(vectors.reshape(-1, n), full_matrices=False)
    cutoff = values[0] * max(n_pools * pool_size, n) * np.finfo(values.dtype).eps
    rows: Array = left[:, values > cutoff].reshape(n_pools, pool_size, -1)
    return rows


def directions(basis: Array, matrix: Array, s: Array, b: Array) -> Array:
    """Return the u_k, (K, L), from the leading eigenvector of U; 0 where b or s says nothing.

    U = H Hᵀ, where H has the rows of Q √X, each pool's divided by s_k.
    """
    values, vectors = np.linalg.eigh(matrix)
    half = basis @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    half = half * np.divide(1.0, s, out=np.zeros_like(s), where=(s > 0) & (b > 0))[:, None, None]
    flat = half.reshape(-1, half.shape[-1])
    u = half @ np.linalg.eigh(flat.T @ flat)[1][:, -1]
    length = np.linalg.norm(u, axis=1, keepdims=True)
    unit: Array = np.divide(u, length, out=np.zeros_like(u), where=length > 0)
    return unit


def lower_bound(products: Array, s: Array, b: Array) -> float:
    """Return a value that (P) and (D) are at least: that of w = b/s scaled to be feasible, or 0."""
    s = np.maximum(s, _SMALLEST)  # any positive s gives a bound
    rank = round(products.shape[1] ** 0.5)
    largest = np.linalg.eigvalsh(((b / s) @ products).reshape(rank, rank))[-1]
    return float(max(b @ b - largest * (b @ s), 0.0))
