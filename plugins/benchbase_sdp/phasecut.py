"""PhaseCut, a semidefinite relaxation, in a form whose matrix has the size of the signal."""

from __future__ import annotations

from typing import Literal

import numpy as np

import benchbase
from benchbase import Array, Problem, Run
from benchbase_sdp.cut import Basis, basis, relative_gap, signals
from benchbase_sdp.cut_methods import LowRank, Method, Reference
from benchbase_sdp.factors import fitting
from benchbase_sdp.relaxation import Defaults, Estimates, Recover, Relaxation

DEFAULTS = {
    "burer-monteiro": Defaults(max_iters=10_000, eps=1e-8, chunk=25),
    "block-coordinate": Defaults(max_iters=2_000, eps=1e-7, chunk=25),
    "cvxpy": Defaults(max_iters=10_000, eps=1e-6, requires=("cvxpy", "scs")),
}


class PhaseCut(Relaxation):
    """PhaseCut: a semidefinite relaxation of phase retrieval in the manner of a maximal cut.

    The program relaxes what the pools lose: signs, or directions. The coefficients of pool k are
    b_k u_k with an unknown unit vector u_k of L entries, and the coefficients of a signal lie in
    the frame's range. Let u be the u_k stacked, let U take the place of u uᵀ, and let
    M = diag(b) (I − F F⁺) diag(b), where each b_k stands L times. The program is ::

        minimise tr(M U)  subject to  tr U_kk = 1 for each pool's L × L block,  U ⪰ 0

    The leading eigenvector of U, with each pool's part scaled to length 1, gives the coefficients
    and x = F⁺(b u); x is then scaled to fit the measurements best. Source: Waldspurger, d'Aspremont
    and Mallat, "Phase recovery, MaxCut and complex semidefinite programming", Mathematical
    Programming 149 (2015), here for real signals. With pools of one it is their program, as
    tr U_kk = 1 is then U_kk = 1.

    Parameters
    ----------
    method : {"burer-monteiro", "block-coordinate", "cvxpy"}, optional
        The method that solves the program; all give the same result if the solution is unique.
        "burer-monteiro": X = V Vᵀ with few columns (see the notes), by alternating minimisation
        with momentum from a random start; the fastest by far. "block-coordinate": the rows of U of
        one pool after the other, as PhaseCut's authors do, in factors too and with momentum between
        sweeps. "cvxpy": the program in X, by CVXPY and SCS; the reference.
    real : bool, optional
        Whether U is real. If not, U is Hermitian, as in software for complex signals: the two
        coefficients of a pair count as real and imaginary part of one complex coefficient, and x is
        the real part of the solution, with the phase turned to make this part largest. That is a
        weaker relaxation.
    rank : int, optional
        The number of columns of the factors, no more than there are dimensions; not for "cvxpy".
        The default is the least r for which r (r + 1) / 2 > K; with that many columns no local
        minimum but the global one is to be expected (Boumal, Voroninski and Bandeira, NIPS 2016).
        Without noise 4 columns are enough.
    max_iters : int, optional
        The largest number of iterations. The default is 10,000, or 2,000 for "block-coordinate",
        where each is a sweep over all pools.
    eps : float, optional
        The tolerance. For "burer-monteiro" (default 1e-8) and "block-coordinate" (1e-7) it is the
        relative duality gap at which a signal is solved and leaves the batch; for "cvxpy" (1e-6) it
        is the absolute and relative tolerance of SCS.

    Raises
    ------
    ParameterError
        If `max_iters` or `rank` is less than 1, `eps` is not positive or not finite, or `rank` is
        given with "cvxpy".

    Notes
    -----
    U has K·L rows, but there is a program of the same value in a matrix X of at most N rows. Let
    the columns of Q be an orthonormal basis of the frame's range, let Q_k be the L rows of pool k,
    and let s_k(X)² = tr(Q_k X Q_kᵀ). The dual of the program above, with w_k = 1/(1 − λ_k) for the
    multipliers λ_k and a Schur complement, is ::

        maximise Σ b_k² (1 − 1/w_k)  subject to  Σ w_k Q_kᵀ Q_k ⪯ I,  w > 0        (D)

    The dual of (D) with the multiplier X is, as Σ Q_kᵀ Q_k = I, ::

        minimise Σ (s_k(X) − b_k)² = tr X − 2 Σ b_k s_k(X) + ‖b‖²  over X ⪰ 0        (P)

    where s_k is concave. From an optimal X, with G = diag(b_k/s_k), the matrix V = G Q X Qᵀ G is
    diag(b) U diag(b) of an optimal U. For any X, w = b/s divided by the largest eigenvalue of
    Σ w_k Q_kᵀ Q_k is feasible in (D), and its value bounds the optimum from below, as does 0.

    A signal has converged if the value reached is within 1e-6 ‖b‖² of that bound, whatever the
    method's own status is. As X ⪰ 0 and w are exactly feasible, this is all that the conditions of
    optimality ask. Without noise it means a relative error of the measurements of at most 1e-3.

    The frame applications of a signal are operations divided by those of an application. A product
    of Q or its adjoint with V takes 2 K L R r of them. An iteration of "burer-monteiro" makes two
    such products, a sweep of "block-coordinate" four. A bound of the optimum takes
    2 K L R² + 4/3 R³. With "cvxpy" each program is factorised once, and SCS's number of iterations
    is multiplied by what `splitting` says of one, with 2 K rows.

    With X = V Vᵀ, (P) is min Σ (‖Q_k V‖ − b_k)². The gradient method for this is alternating
    minimisation in several copies of the signal.

    Without noise the minimum is 0, and all X with s(X) = b are optimal. Below some K ≈ 2N there are
    many such X, and the one at which a method ends depends on its path. No figure of PhaseCut is
    exact in that range.
    """

    name = "phasecut"
    tolerance = 1e-6
    method: Literal["burer-monteiro", "block-coordinate", "cvxpy"] = "burer-monteiro"
    real: bool = True
    rank: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank is not None:
            benchbase.check_range("rank", self.rank, least=1)
        if self.rank is not None and self.method == "cvxpy":
            raise benchbase.ParameterError("rank", "must not be given with method = 'cvxpy'")

    @property
    def defaults(self) -> Defaults:
        """The defaults of the chosen method, and the modules that it needs."""
        return DEFAULTS[self.method]

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not apply to poolings that lose more than signs or directions, nor, if `real` is
        false, to real pools of more than two.
        """
        pooling, frame = problem.pooling, problem.frame
        if pooling.p is not None and pooling.rectified:
            return "phasecut does not apply to half rectification, which loses more than signs"
        if pooling.p is not None and pooling.p != 2 and frame.pool_size > 1:
            return f"phasecut needs p = 2 or pools of one, but this pooling has p = {pooling.p:g}"
        if not self.real and not frame.is_complex and frame.pool_size > 2:
            return "phasecut with real = false needs complex frames or pools of one or two"
        return super().unsupported(problem)

    def recoverer(self, problem: Problem) -> Recover:
        """Compute the coordinates and prepare the chosen method."""
        rows = basis(problem.frame, real=self.real)
        method = self.method_for(rows)

        def recover(b: Array, run: Run) -> Estimates:
            found, counting = method(b, run), rows.counting(run)
            fine = np.isfinite(found.factors).all(axis=(1, 2))
            x = np.full((len(b), problem.frame.n), np.nan)
            gap = np.full(len(b), np.nan)
            if fine.any():
                factors, values = found.factors[fine], b[fine]
                gap[fine] = relative_gap(counting, factors, values)
                x[fine] = signals(counting, factors, values)
            x *= fitting(problem.measure(x), b)[:, None]
            return Estimates(x, found.n_iter, gap, found.status)

        return recover

    def method_for(self, rows: Basis) -> Method:
        """Return the chosen method for a frame's coordinates."""
        if self.method == "cvxpy":
            return Reference(rows, *self.limits)
        full = int((np.sqrt(8 * len(rows.rows) + 1) - 1) / 2) + 1
        rank = min(full if self.rank is None else self.rank, rows.rank)
        return LowRank(rows, *self.limits, rank, blocks=self.method == "block-coordinate")
