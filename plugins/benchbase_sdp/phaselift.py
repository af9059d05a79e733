"""PhaseLift, a semidefinite relaxation of phase retrieval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

import benchbase
from benchbase import Array, Frame, Problem, Run
from benchbase_sdp.admm import Admm
from benchbase_sdp.constraints import Constraints, lift, rectified
from benchbase_sdp.costs import application, cost_of
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


MANY = 10_000  # most bounds for p = 1: an interior-point system has the square of this many entries
# Share of the largest eigenvalue of X that is added to all in the weight of the next program.
SPREAD = 0.3


class _Solved(NamedTuple):
    """One signal's X, or None if there is none, how it was found, and the operations spent."""

    matrix: Array | None
    n_iter: int
    violation: float
    status: str
    operations: float


class PhaseLift(Relaxation):
    """PhaseLift: a semidefinite relaxation of phase retrieval that minimises the trace.

    It lifts the signal to X = x xᵀ, drops the condition that X has rank 1, and solves ::

        minimise tr X  subject to  tr(F_k X F_kᵀ) = b_k² for each pool k,  X ⪰ 0

    where F_k is the L × N matrix of the vectors of pool k. The estimate is x = √λ₁ u₁, from the
    largest eigenvalue of X and its eigenvector. Source: Candès, Strohmer and Voroninski,
    "PhaseLift", Communications on Pure and Applied Mathematics 66 (2013), here for real signals and
    pools as in section 3.1.2 of Bruna, Szlam and LeCun, ICML 2014. For p = ∞ and p = 1 the
    equations become bounds (`lift`). For p = ∞ with half rectification and pools of two, the signal
    itself borders the matrix (`rectified`).

    A signal has converged if X and the multipliers that come with it meet the conditions of
    optimality with a relative error of at most 1e-5, whatever the method's own status is. If the
    program has no solution, as with noise, the estimate is not a number and the message says
    "infeasible".

    The frame applications of a signal are the iterations of its programs times the operations of
    one iteration (`cost_of`), with the measurement of optimality and the eigendecomposition of X,
    divided by those of an application. What the programs of all signals share belongs to preparing
    and does not count. With half rectification and with reweighting each program is new: forming
    and factorising it counts.

    Parameters
    ----------
    method : {"interior-point", "scs", "admm", "cvxpy"}, optional
        The method that solves the program; all give the same result if the solution is unique.
        "interior-point": a primal-dual method that uses the low rank of the constraints; the
        fastest by far. "scs": the splitting conic solver, factorised once. "admm": the splitting
        of CPRL (Ohlsson, Yang, Dong and Sastry, NIPS 2012), batched over signals. "cvxpy": the
        program as it stands, by CVXPY and SCS; the reference.
    real : bool, optional
        Whether X is real. If not, X is Hermitian, as in software for complex signals: the two
        coefficients of a pair count as real and imaginary part of one complex coefficient, and x is
        the real part of the eigenvector, with the phase turned to make this part largest. That is a
        weaker relaxation, for p = 2.
    sparsity : float, optional
        The γ of a term γ ‖X‖₁ (the sum of all absolute entries) in the objective, for signals with
        few nonzero entries. Whatever the units of the measurements, tr X is about 1 in the program
        that is solved. Only "admm" takes this term.
    reweights : int, optional
        The number of programs after the first. Each minimises tr(W X) with
        W = (X₀ + .3 λ₁(X₀) I)⁻¹ for the previous X₀. This is "reweighted trace minimisation", a
        local method for the least log det (Fazel, Hindi and Boyd, ACC 2003; Candès, Eldar, Strohmer
        and Voroninski, SIAM Journal on Imaging Sciences 6, 2013, section 4). It may single out the
        signal if the trace does not.
    max_iters : int, optional
        The largest number of iterations of a program. The default is 100 for "interior-point" and
        10,000 for the others.
    eps : float, optional
        The tolerance. For "interior-point" (default 1e-7) and "admm" (1e-5) it is a relative
        violation of the conditions of optimality; for the others (1e-6) it is the absolute and
        relative tolerance of SCS.

    Raises
    ------
    ParameterError
        If `max_iters` is less than 1; if `eps` is not positive or not finite; if `sparsity` is
        negative, not finite, or given with a method other than "admm"; or if `reweights` is
        negative or given with `sparsity`.
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
            raise benchbase.ParameterError(
                "sparsity", f"must be 0 with method = {self.method!r}; only 'admm' uses it"
            )
        benchbase.check_range("reweights", self.reweights, least=0)
        if self.reweights and self.sparsity:
            raise benchbase.ParameterError("reweights", "must be 0 with a sparsity term")

    @property
    def defaults(self) -> Defaults:
        """The defaults of the chosen method, and the modules that it needs."""
        return DEFAULTS[self.method]

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not apply to poolings without a convex form, to problems that a Hermitian matrix
        cannot represent, and to more bounds than can be solved for.
        """
        reason = super().unsupported(problem)
        if reason is not None:
            return reason
        pooling, frame = problem.pooling, problem.frame
        if not self.real and (pooling.rectified or (pooling.p != 2 and frame.pool_size > 1)):
            return "phaselift with real = false needs p = 2 without rectification"
        if not self.real and not frame.is_complex and frame.pool_size > 2:
            return "phaselift with real = false needs complex frames or pools of one or two"
        if frame.is_complex and pooling.p != 2 and frame.pool_size > 1:
            return "phaselift needs p = 2 if the frame is complex"
        bounds = frame.n_pools * 2 ** (frame.pool_size - 1)
        if pooling.p == 1 and not pooling.rectified and bounds > MANY:
            return (
                "phaselift for p = 1 needs 2^(L−1) bounds per pool; "
                f"{bounds:,} bounds in all are too many"
            )
        if pooling.rectified and self.sparsity:
            return "phaselift has no sparsity term for rectified poolings; set sparsity = 0"
        if (
            pooling.rectified
            and frame.pool_size > 1
            and (pooling.p, frame.pool_size) != (np.inf, 2)
        ):
            return (
                "phaselift can treat half rectification only with pools of one, or with p = inf "
                "and pools of two; in other cases its convex program does not determine x"
            )
        return None

    def recoverer(self, problem: Problem) -> Recover:
        """Prepare the program for all signals; with half rectification each has its own program."""
        vectors, size = scaled_vectors(problem.frame, real=self.real)
        missing = np.full(problem.frame.n, np.nan)
        unit = application(problem.frame)

        def estimates(
            solved: list[_Solved], signal: Callable[[Array], Array], run: Run
        ) -> Estimates:
            run.count(sum(one.operations for one in solved) / unit)
            x = [missing if one.matrix is None else signal(one.matrix) / size for one in solved]
            return Estimates(
                x=np.stack(x),
                n_iter=np.array([one.n_iter for one in solved]),
                violation=np.array([one.violation for one in solved]),
                status=[one.status for one in solved],
            )

        if problem.pooling.rectified:

            def by_signal(b: Array, run: Run) -> Estimates:
                solved = []
                for row in b:
                    these, y = rectified(vectors, row)
                    one = self._finish(these, y, self._method(these)(y[None])[0])
                    setup = cost_of(self.method, these).setup
                    solved.append(one._replace(operations=one.operations + setup))
                return estimates(solved, lambda matrix: matrix[0, 1:], run)

            return by_signal

        assert problem.pooling.p is not None  # noqa: S101 # for mypy; `unsupported` refuses None
        # All norms of one number are the same; that of its real and imaginary part has p = 2.
        lifted = lift(vectors, 2 if problem.frame.pool_size == 1 else problem.pooling.p)
        method = self._method(lifted.constraints)

        def together(b: Array, run: Run) -> Estimates:
            values = lifted.values(b)
            solutions = zip(values, method(values), strict=True)
            solved = [self._finish(lifted.constraints, y, one) for y, one in solutions]
            return estimates(solved, leading, run)

        return together

    def _finish(self, constraints: Constraints, y: Array, solution: Solution) -> _Solved:
        """Solve the reweighted programs that follow the first, and measure the last solution."""
        these, root, n_iter = constraints, np.eye(constraints.n), solution.n_iter
        cost = cost_of(self.method, constraints)
        spent = cost.start
        for _ in range(self.reweights):
            if solution.matrix is None:
                break
            # In terms of X' = W^½ X W^½ the objective is tr X' again.
            values, vectors = np.linalg.eigh(root @ solution.matrix @ root)
            spread = np.maximum(values, 0) + SPREAD * max(values[-1], np.finfo(np.float64).tiny)
            root = (vectors * np.sqrt(spread)) @ vectors.conj().T
            these = replace(constraints, rows=constraints.rows @ root)
            solution = self._method(these)(y[None])[0]
            n_iter += solution.n_iter
            spent += cost.reweighting + cost.setup + cost.start
        spent += n_iter * cost.iteration
        if solution.matrix is None:
            return _Solved(None, n_iter, np.nan, solution.status, spent)
        spent += cost.finish
        violation = optimality(these, y, solution, self.sparsity).worst
        return _Solved(root @ solution.matrix @ root, n_iter, violation, solution.status, spent)

    def _method(self, constraints: Constraints) -> Method:
        max_iters, eps = self.limits
        if self.method == "admm":
            return Admm(constraints, max_iters, eps, self.sparsity)
        ways = {"interior-point": interior_point, "scs": scs_direct, "cvxpy": modelled}
        return ways[self.method](constraints, max_iters, eps)


def scaled_vectors(frame: Frame, *, real: bool) -> tuple[Array, float]:
    """Return the frame's vectors (K, L', N) divided by a number, and that number.

    The number makes the mean of ‖F_k‖² equal to N, and thereby tr X about 1. If `real` is true, a
    complex coefficient of a real signal counts as two real ones. Otherwise the two real
    coefficients of a pair count as one complex coefficient.
    """
    vectors = frame.vectors(counted=True)
    vectors = np.array(vectors, dtype=np.complex128 if frame.is_complex else np.float64)
    size = float(np.sqrt(np.sum(np.abs(vectors) ** 2) / (frame.n_pools * frame.n)))
    vectors /= size
    if real and frame.is_complex:
        vectors = np.concatenate([vectors.real, vectors.imag], axis=1)
    elif not real and not frame.is_complex:
        imaginary = vectors[:, 1:].sum(axis=1, keepdims=True)  # zero for pools of one
        vectors = vectors[:, :1] + 1j * imaginary
    return vectors, size


def leading(matrix: Array) -> Array:
    """Return √λ₁ u₁ of a Hermitian matrix, or its real part if u₁ is complex.

    The phase of a complex u₁ is turned to make its real part as long as possible.
    """
    values, vectors = np.linalg.eigh(matrix)
    return longest_real(np.sqrt(max(values[-1], 0.0)) * vectors[:, -1])


def longest_real(x: Array) -> Array:
    """Return the real part of x (..., N), after a turn of the phase that makes it longest."""
    if not np.iscomplexobj(x):
        return x
    turn = np.exp(-0.5j * np.angle(np.sum(x**2, axis=-1, keepdims=True)))
    real: Array = (x * turn).real
    return real
