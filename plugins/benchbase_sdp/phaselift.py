"""PhaseLift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

import benchbase
from benchbase import Array, Frame, Problem, Run
from benchbase_sdp.admm import Admm
from benchbase_sdp.constraints import Constraints, lift, rectified
from benchbase_sdp.interior_point import interior_point
from benchbase_sdp.modelling import modelled
from benchbase_sdp.optimality import Method, Solution, optimality
from benchbase_sdp.relaxation import Defaults, Estimates, Recover, Relaxation
from benchbase_sdp.splitting import scs_direct

DEFAULTS = {
    "interior-point": Defaults(max_iters=100, eps=1e-7),
    "scs": Defaults(max_iters=10_000, eps=1e-6, requires=("scs", "scipy.sparse")),
    "admm": Defaults(max_iters=10_000, eps=1e-5, chunk=25),
    "cvxpy": Defaults(max_iters=10_000, eps=1e-6, requires=("cvxpy", "scs")),
}


MANY = 10_000  # bounds of p = 1: the system of an interior point has so many rows squared
SPREAD = 0.3  # of the largest eigenvalue of X, added to all in the weight of the next program


class _Solved(NamedTuple):
    """One signal's X, or None, and how it was found."""

    matrix: Array | None
    n_iter: int
    violation: float
    status: str


class PhaseLift(Relaxation):
    """Lift the signal to X = x xᵀ, drop the rank, and minimise the trace.

    ::

        minimise tr X  subject to  tr(F_k X F_kᵀ) = b_k² for each pool k,  X ⪰ 0

    with F_k the L × N matrix of a pool's vectors; then x = √λ₁ u₁, of the largest eigenvalue of X
    and its eigenvector. Candès, Strohmer and Voroninski, "PhaseLift", Communications on Pure and
    Applied Mathematics 66 (2013), here for real signals and pools as in section 3.1.2 of Bruna,
    Szlam and LeCun, ICML 2014. For p = ∞ and p = 1 the equations become bounds (`lift`), and for
    p = ∞ with half rectification and pools of two the signal itself borders the matrix
    (`rectified`).

    A signal has converged if X and the multipliers that come with it meet the conditions of
    optimality with a relative error of at most 1e-5, whatever the method says. Where the program
    has no solution, as with noise, the estimate is not a number and the message says
    "infeasible".

    Parameters
    ----------
    method : {"interior-point", "scs", "admm", "cvxpy"}, optional
        How the program is solved; all give the same where the solution is unique.
        "interior-point": a primal-dual method that uses the low rank of the constraints, the
        fastest by far. "scs": the splitting conic solver, factorised once. "admm": the splitting
        of CPRL (Ohlsson, Yang, Dong and Sastry, NIPS 2012), batched over signals. "cvxpy": the
        program as it stands, through CVXPY and SCS: the reference.
    real : bool, optional
        Whether X is real. If not it is Hermitian, as in software for complex signals: the two
        coefficients of a pair count as real and imaginary part of one, and x is the real part of
        the eigenvector, its phase turned to make that largest. A weaker relaxation, for p = 2.
    sparsity : float, optional
        γ of a term γ ‖X‖₁ (the sum of all absolute entries) in the objective, for signals with
        few entries that are not zero; tr X is 1 or so where it is minimised, in all units. Only
        "admm".
    reweights : int, optional
        Programs after the first, each minimising tr(W X) with W = (X₀ + .3 λ₁(X₀) I)⁻¹ of the
        X₀ before: "reweighted trace minimisation", a local method for the least log det (Fazel,
        Hindi and Boyd, ACC 2003; Candès, Eldar, Strohmer and Voroninski, SIAM Journal on Imaging
        Sciences 6, 2013, section 4). Where the trace does not single out the signal it may.
    max_iters : int, optional
        The most iterations of a program: 100 of "interior-point" and 10,000 of the others.
    eps : float, optional
        The tolerance: a relative violation of the conditions of optimality for "interior-point"
        (1e-7) and "admm" (1e-5), SCS's absolute and relative tolerance for the others (1e-6).

    Raises
    ------
    ParameterError
        If `max_iters` is less than 1, `eps` not positive or not finite, `sparsity` negative, not
        finite, or given with another method, or `reweights` negative or given with `sparsity`.
    """

    name = "phaselift"
    tolerance = 1e-5
    method: Literal["interior-point", "scs", "admm", "cvxpy"] = "interior-point"
    real: bool = True
    sparsity: float = 0.0
    reweights: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        benchbase.check_range("sparsity", self.sparsity, least=0, below=np.inf)
        if self.sparsity and self.method != "admm":
            raise benchbase.ParameterError("sparsity", f"must be 0 with method = {self.method!r}")
        benchbase.check_range("reweights", self.reweights, least=0)
        if self.reweights and self.sparsity:
            raise benchbase.ParameterError("reweights", "must be 0 with a sparsity term")

    @property
    def defaults(self) -> Defaults:
        """What the chosen method needs and uses."""
        return DEFAULTS[self.method]

    def unsupported(self, problem: Problem) -> str | None:
        """Name poolings without a convex form, and what a Hermitian matrix cannot hold."""
        reason = super().unsupported(problem)
        if reason is not None:
            return reason
        pooling, frame = problem.pooling, problem.frame
        if not self.real and (pooling.rectified or (pooling.p != 2 and frame.pool_size > 1)):
            return "PhaseLift with real = false is for p = 2 without rectification"
        if not self.real and not frame.is_complex and frame.pool_size > 2:
            return "PhaseLift with real = false takes pools of one or two for a complex coefficient"
        if frame.is_complex and pooling.p != 2 and frame.pool_size > 1:
            return "PhaseLift is for p = 2 where the frame is complex"
        bounds = frame.n_pools * 2 ** (frame.pool_size - 1)
        if pooling.p == 1 and not pooling.rectified and bounds > MANY:
            return f"PhaseLift for p = 1 takes 2^(L−1) bounds a pool, here {bounds:,}: too many"
        if pooling.rectified and self.sparsity:
            return "PhaseLift has no sparsity term where the signal borders the matrix"
        if (
            pooling.rectified
            and frame.pool_size > 1
            and (pooling.p, frame.pool_size) != (np.inf, 2)
        ):
            return (
                "PhaseLift knows a convex form of half rectification for p = inf and pools of two"
                " (and for pools of one): otherwise negative coefficients leave x free"
            )
        return None

    def recoverer(self, problem: Problem) -> Recover:
        """Factorise or compile the program, unless half rectification gives each signal its own."""
        vectors, size = scaled_vectors(problem.frame, real=self.real)
        missing = np.full(problem.frame.n, np.nan)

        def estimates(solved: list[_Solved], signal: Callable[[Array], Array]) -> Estimates:
            x = [missing if one.matrix is None else signal(one.matrix) / size for one in solved]
            return Estimates(
                x=np.stack(x),
                n_iter=np.array([one.n_iter for one in solved]),
                violation=np.array([one.violation for one in solved]),
                status=[one.status for one in solved],
            )

        if problem.pooling.rectified:

            def by_signal(b: Array, run: Run) -> Estimates:
                del run  # nothing is random
                programs = [rectified(vectors, row) for row in b]
                solved = [
                    self._finish(these, y, self._method(these)(y[None])[0]) for these, y in programs
                ]
                return estimates(solved, lambda matrix: matrix[0, 1:])

            return by_signal

        assert problem.pooling.p is not None  # noqa: S101 # for mypy; `unsupported` has refused it
        # Norms of one number are all alike, of real and imaginary part that of p = 2.
        lifted = lift(vectors, 2 if problem.frame.pool_size == 1 else problem.pooling.p)
        method = self._method(lifted.constraints)

        def together(b: Array, run: Run) -> Estimates:
            del run  # nothing is random
            values = lifted.values(b)
            solutions = zip(values, method(values), strict=True)
            return estimates(
                [self._finish(lifted.constraints, y, one) for y, one in solutions], leading
            )

        return together

    def _finish(self, constraints: Constraints, y: Array, found: Solution) -> _Solved:
        """Solve the reweighted programs that follow, and judge the last."""
        these, root, n_iter = constraints, np.eye(constraints.n), found.n_iter
        for _ in range(self.reweights):
            if found.matrix is None:
                break
            # In X' = W^½ X W^½ the objective is tr X' again.
            values, vectors = np.linalg.eigh(root @ found.matrix @ root)
            spread = np.maximum(values, 0) + SPREAD * max(values[-1], np.finfo(np.float64).tiny)
            root = (vectors * np.sqrt(spread)) @ vectors.conj().T
            these = replace(constraints, rows=constraints.rows @ root)
            found = self._method(these)(y[None])[0]
            n_iter += found.n_iter
        if found.matrix is None:
            return _Solved(None, n_iter, np.nan, found.status)
        violation = optimality(these, y, found, self.sparsity).worst
        return _Solved(root @ found.matrix @ root, n_iter, violation, found.status)

    def _method(self, constraints: Constraints) -> Method:
        max_iters, eps = self.limits
        if self.method == "admm":
            return Admm(constraints, max_iters, eps, self.sparsity)
        ways = {"interior-point": interior_point, "scs": scs_direct, "cvxpy": modelled}
        return ways[self.method](constraints, max_iters, eps)


def scaled_vectors(frame: Frame, *, real: bool) -> tuple[Array, float]:
    """Return the frame's vectors (K, L', N) divided by a number, and that number.

    It makes the mean of ‖F_k‖² N, and so tr X about 1. Complex coefficients of a real signal are
    two real ones, and for `real` = False the coefficients of a pair one complex one.
    """
    vectors = np.array(frame.dense(), dtype=np.complex128 if frame.is_complex else np.float64)
    size = float(np.sqrt(np.sum(np.abs(vectors) ** 2) / (frame.n_pools * frame.n)))
    vectors /= size
    if real and frame.is_complex:
        vectors = np.concatenate([vectors.real, vectors.imag], axis=1)
    elif not real and not frame.is_complex:
        imaginary = vectors[:, 1:].sum(axis=1, keepdims=True)  # none in pools of one
        vectors = vectors[:, :1] + 1j * imaginary
    return vectors, size


def leading(matrix: Array) -> Array:
    """Return √λ₁ u₁ of a Hermitian matrix, real.

    The phase of a complex u₁ is turned to make its real part as long as can be.
    """
    values, vectors = np.linalg.eigh(matrix)
    return longest_real(np.sqrt(max(values[-1], 0.0)) * vectors[:, -1])


def longest_real(x: Array) -> Array:
    """Return the real part of x (..., N), its phase turned so that it is the longest."""
    if not np.iscomplexobj(x):
        return x
    turn = np.exp(-0.5j * np.angle(np.sum(x**2, axis=-1, keepdims=True)))
    real: Array = (x * turn).real
    return real
