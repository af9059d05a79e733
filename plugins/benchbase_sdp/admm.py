"""The alternating direction method of multipliers (ADMM), batched over signals."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from benchbase import Array
from benchbase_sdp.constraints import Constraints
from benchbase_sdp.costs import ADMM_CHECK as CHECK
from benchbase_sdp.optimality import LIMIT, OPTIMAL, Solution, optimality

RELAXATION = 1.6
LEAST, MOST = 1e-8, 1e8  # limits of the penalties, for tr X of about 1
UNBALANCED = 5.0  # ratio of primal and dual residual at which the penalty changes


@dataclass
class _State:
    """The state of ADMM: copies of the variables, and their scaled dual variables.

    Axis 0 is the signal. X has a copy that is positive semidefinite and, if there is a sparsity
    term, a second copy that is sparse. Bounded A_i(X) have copies within their bounds.
    """

    y: Array
    penalty: Array  # (S, 1, 1, 1)
    copies: Array  # (S, 1 or 2, N, N)
    duals: Array
    bounds: Array  # (S, q)
    bound_duals: Array
    multipliers: Array  # (S, m), in units of the penalty

    def keep(self, stay: Array) -> None:
        """Go on with the signals that a boolean mask (S,) marks."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[stay])

    def scale(self, factor: Array) -> None:
        """Multiply the penalties by factors (S,), without a change of the unscaled duals.

        The penalties stay within limits, as they would grow or fall for ever if a program has no
        solution.
        """
        penalty = self.penalty[:, 0, 0, 0] * factor
        factor = np.where((penalty < LEAST) | (penalty > MOST), 1.0, factor)
        self.penalty = self.penalty * factor[:, None, None, None]
        self.duals = self.duals / factor[:, None, None, None]
        self.bound_duals = self.bound_duals / factor[:, None]


class Admm:
    """Solves ``min tr X + γ ‖X‖₁, A(X) =, ≤, ≥ y, X ⪰ 0`` by steps that have closed forms.

    The splitting is that of Ohlsson, Yang, Dong and Sastry, "CPRL", NIPS 2012; γ = 0 is PhaseLift.
    The iteration is over-relaxed, and the penalty of each signal follows its residuals, as in Boyd
    et al., "Distributed optimization and statistical learning via the alternating direction method
    of multipliers" (2011), sections 3.4.1 and 3.4.3.

    Parameters
    ----------
    constraints : Constraints
        The constraints that all signals share.
    max_iters : int
        The largest number of iterations.
    eps : float
        The `Optimality` at which a signal is solved.
    sparsity : float
        γ, at least 0.
    """

    def __init__(
        self, constraints: Constraints, max_iters: int, eps: float, sparsity: float
    ) -> None:
        self._constraints, self._max_iters, self._eps = constraints, max_iters, eps
        self._sparsity, self._count = sparsity, 2 if sparsity > 0 else 1
        self._bounded = constraints.sense != 0
        self._sigma = constraints.sense[self._bounded]
        self._eye = np.eye(constraints.n)
        gram = constraints.schur(self._eye, self._eye)
        # In units of ‖A_i‖, a bounded A_i(X) follows its copy as closely as X follows its copies.
        slack = np.where(self._bounded, self._count * np.diag(gram), 0.0)
        self._fit = np.linalg.pinv(gram + np.diag(slack), hermitian=True)

    def __call__(self, y: Array) -> list[Solution]:
        """Solve for right-hand sides (S, m)."""
        solved: dict[int, Solution] = {}
        batch, state = np.arange(len(y)), self._start(y)
        for i in range(self._max_iters + 1):
            if i == self._max_iters or i % CHECK == 0:
                solutions = self._solutions(state, i)
                done = np.array([one.status == OPTIMAL for one in solutions])
                done |= i == self._max_iters
                solved |= {int(batch[j]): solutions[j] for j in np.flatnonzero(done)}
                if done.all():
                    break
                batch = batch[~done]
                state.keep(~done)
            self._iterate(state, balance=i % CHECK == CHECK - 1)
        return [solved[j] for j in range(len(y))]

    def _start(self, y: Array) -> _State:
        size, n = len(y), self._constraints.n
        trace = n * np.linalg.norm(y, axis=1) / np.linalg.norm(self._constraints.apply(self._eye))
        zeros = np.zeros((size, self._count, n, n), dtype=self._constraints.rows.dtype)
        return _State(
            y=y,
            penalty=(n / np.maximum(trace, np.finfo(np.float64).tiny))[:, None, None, None],
            copies=zeros,
            duals=zeros,
            bounds=np.zeros((size, len(self._sigma))),
            bound_duals=np.zeros((size, len(self._sigma))),
            multipliers=np.zeros(y.shape),
        )

    def _iterate(self, state: _State, *, balance: bool) -> None:
        constraints = self._constraints
        wanted = np.mean(state.copies - state.duals - self._eye / state.penalty / self._count, 1)
        target = state.y.copy()
        target[:, self._bounded] = state.bounds - state.bound_duals
        state.multipliers = (target - constraints.apply(wanted)) @ self._fit
        matrix = (wanted + constraints.adjoint(state.multipliers))[:, None]
        values = constraints.apply(matrix[:, 0])[:, self._bounded]

        before = state.copies
        loose = RELAXATION * matrix + (1 - RELAXATION) * before + state.duals
        parts = [positive_part(loose[:, 0])]
        if self._count == 2:
            parts.append(shrunk(loose[:, 1], self._sparsity / state.penalty[:, 0]))
        state.copies = np.stack(parts, axis=1)
        state.duals = loose - state.copies
        free = RELAXATION * values + (1 - RELAXATION) * state.bounds + state.bound_duals
        limit = self._sigma * state.y[:, self._bounded]
        state.bounds = self._sigma * np.minimum(self._sigma * free, limit)
        state.bound_duals = free - state.bounds
        if balance:
            primal, dual = _sizes(matrix - state.copies), _sizes(state.copies - before)
            # The primal residual is in units of ‖X‖ and the dual one in units of the cost, ‖I‖.
            ratio = primal / _sizes(state.copies) * np.sqrt(len(self._eye))
            ratio /= np.maximum(dual * state.penalty.ravel(), np.finfo(np.float64).tiny)
            grow, fall = ratio > UNBALANCED, ratio < 1 / UNBALANCED
            state.scale(np.where(grow, 2.0, np.where(fall, 0.5, 1.0)))

    def _solutions(self, state: _State, n_iter: int) -> list[Solution]:
        """Return the present solution of each signal, with the status "optimal" if it is."""
        multipliers = self._count * state.penalty[:, 0, 0] * state.multipliers
        cost = None
        if self._count == 2:
            subgradient = state.penalty[:, 0] * state.duals[:, 1]
            cost = self._eye + subgradient
        solutions = []
        for j, y in enumerate(state.y):
            one = Solution(
                state.copies[j, 0], multipliers[j], n_iter, LIMIT, None if cost is None else cost[j]
            )
            worst = optimality(self._constraints, y, one, self._sparsity).worst
            solutions.append(one._replace(status=OPTIMAL) if worst <= self._eps else one)
        return solutions


def _sizes(stack: Array) -> Array:
    """Return the norm of each signal's part of a stack, (S,), at least the tiniest number."""
    sizes: Array = np.linalg.norm(stack.reshape(len(stack), -1), axis=1)
    return np.maximum(sizes, np.finfo(np.float64).tiny)


def positive_part(matrices: Array) -> Array:
    """Return the positive semidefinite matrices nearest to Hermitian matrices (..., N, N)."""
    values, vectors = np.linalg.eigh(matrices)
    part: Array = (vectors * np.maximum(values, 0)[..., None, :]) @ _adjoint(vectors)
    return part


def shrunk(matrices: Array, by: Array) -> Array:
    """Return matrices whose entries are smaller in size by `by`, or zero if they were no larger."""
    size = np.abs(matrices)
    less = np.maximum(size - by, 0)
    part: Array = matrices * np.divide(less, size, out=np.zeros_like(size), where=size > 0)
    return part


def _adjoint(matrices: Array) -> Array:
    return np.swapaxes(matrices, -1, -2).conj()
