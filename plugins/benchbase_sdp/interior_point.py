"""A primal-dual interior-point method for semidefinite programs with constraints of low rank."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchbase import Array
from benchbase_sdp.constraints import Constraints
from benchbase_sdp.optimality import LIMIT, OPTIMAL, Method, Solution, optimality

LARGE = 10.0  # the start, in multiples of what is expected: infeasible, but well inside the cones
# Of the way to the boundary of the cones: more where the straight step gets far (as in SDPT3; Toh,
# Todd and Tütüncü, 1999). With a constant .98 one rectified signal in three creeps along a
# boundary (n = 30, K = 60); with this none of 144 of all kinds needs more than 18 iterations.
SHARE, MORE = 0.9, 0.09
CERTAIN = 1e-9  # λ_max(A*(λ)) / yᵀλ below which λ proves that nothing is feasible
RIDGE = 1e-15  # relative to the diagonal of the Schur complement
STALLED = 1e-8  # a step shorter than this goes nowhere
NOTHING = 1e-20  # of X S, where tr X is 1 or so: all that there is to gain is rounding


class Point(NamedTuple):
    """An iterate or a step: X and slacks s, multipliers λ, S and z of the dual."""

    matrix: Array
    slacks: Array
    multipliers: Array
    dual: Array
    dual_slacks: Array

    def moved(self, step: Point, primal: float, dual: float) -> Point:
        """Go a share `primal` of the step in X and s, `dual` in λ, S and z."""
        shares = (primal, primal, dual, dual, dual)
        return Point(*(a + share * d for a, share, d in zip(self, shares, step, strict=True)))

    @property
    def centrality(self) -> float:
        """The mean μ of the products of primal and dual eigenvalues."""
        total = np.vdot(self.matrix, self.dual).real + self.slacks @ self.dual_slacks
        return float(total / (len(self.matrix) + len(self.slacks)))


class System:
    """The linearised conditions at one iterate: A(X) + σ s = y, A*(λ) + S = C, z = −σ λ, X S = μ I.

    Helmberg, Rendl, Vanderbei and Wolkowicz, SIAM Journal on Optimization 6 (1996).
    """

    def __init__(self, constraints: Constraints, y: Array, point: Point) -> None:
        self._constraints, self._point = constraints, point
        self._bounded = constraints.sense != 0
        self._sigma = constraints.sense[self._bounded]
        self._lacks = y - constraints.apply(point.matrix)
        self._lacks[self._bounded] -= self._sigma * point.slacks
        self._dual_lacks = (
            np.eye(constraints.n) - constraints.adjoint(point.multipliers) - point.dual
        )
        self._slack_lacks = -self._sigma * point.multipliers[self._bounded] - point.dual_slacks
        self._inverse = np.linalg.inv(point.dual)
        self._ratio = point.slacks / point.dual_slacks
        schur = constraints.schur(point.matrix, self._inverse)
        diagonal = np.einsum("ii->i", schur)
        diagonal[self._bounded] += self._ratio
        diagonal += RIDGE * np.maximum(diagonal, RIDGE * diagonal.mean())
        self._schur = schur

    def step(self, target: float, before: Point | None = None) -> Point:
        """Return the step to X S = `target` · I, corrected by what a step `before` leaves out."""
        point, inverse = self._point, self._inverse
        rest = target * inverse - point.matrix
        slack_rest = target / point.dual_slacks - point.slacks
        if before is not None:
            rest = rest - before.matrix @ before.dual @ inverse
            slack_rest = slack_rest - before.slacks * before.dual_slacks / point.dual_slacks
        lacks = self._lacks - self._constraints.apply(
            hermitian(rest - point.matrix @ self._dual_lacks @ inverse)
        )
        lacks[self._bounded] -= self._sigma * (slack_rest - self._ratio * self._slack_lacks)
        multipliers = np.linalg.solve(self._schur, lacks)
        dual = self._dual_lacks - self._constraints.adjoint(multipliers)
        dual_slacks = self._slack_lacks - self._sigma * multipliers[self._bounded]
        return Point(
            matrix=hermitian(rest - point.matrix @ dual @ inverse),
            slacks=slack_rest - self._ratio * dual_slacks,
            multipliers=multipliers,
            dual=dual,
            dual_slacks=dual_slacks,
        )

    def next(self) -> tuple[Point, float]:
        """Return the next iterate and the shorter of its two step lengths (Mehrotra's rule)."""
        point = self._point
        straight = self.step(0.0)
        lengths = step_lengths(point, straight, SHARE + MORE)
        left = max(point.moved(straight, *lengths).centrality / point.centrality, 0.0)
        centring = min(1.0, left ** max(1.0, 3 * min(lengths) ** 2))
        step = self.step(centring * point.centrality, straight)
        lengths = step_lengths(point, step, SHARE + MORE * min(lengths))
        return point.moved(step, *lengths), min(lengths)


def interior_point(constraints: Constraints, max_iters: int, eps: float) -> Method:
    """Return the method for right-hand sides of `constraints`, one signal after the other.

    Each iteration factorises an m × m system whose entries need products of the constraints' rows
    only; 10 to 30 iterations are usual. A signal has status "optimal" when its `Optimality` is at
    most `eps`.
    """

    def solve(y: Array) -> list[Solution]:
        return [_solve(constraints, row, max_iters, eps) for row in y]

    return solve


def _solve(constraints: Constraints, y: Array, max_iters: int, eps: float) -> Solution:
    """Solve one program; the best iterate is returned whatever ends the iteration."""
    point = _start(constraints, y)
    best, least, status = Solution(point.matrix, point.multipliers, 0, ""), np.inf, LIMIT
    for n_iter in range(max_iters + 1):
        found = Solution(point.matrix, point.multipliers, n_iter, OPTIMAL)
        worst = optimality(constraints, y, found).worst
        if worst <= eps:
            return found
        if worst < least:
            best, least = found, worst
        if _proves_infeasible(constraints, y, point.multipliers):
            return found._replace(matrix=None, status="infeasible")
        if n_iter == max_iters:
            break
        try:
            point, length = System(constraints, y, point).next()
        except np.linalg.LinAlgError:  # rounding has left the cone
            length = 0.0
        if not (length > STALLED and point.centrality > NOTHING):
            status = "stalled"
            break
    return best._replace(n_iter=n_iter, status=status)


def _start(constraints: Constraints, y: Array) -> Point:
    """Return multiples of the identity of the order of what is wanted, times `LARGE`."""
    n, m = constraints.n, len(constraints)
    eye = np.eye(n, dtype=constraints.rows.dtype)
    size = np.linalg.norm(constraints.apply(eye))
    scale = LARGE * max(float(np.linalg.norm(y) / size), np.finfo(np.float64).tiny)
    bounds = np.count_nonzero(constraints.sense)
    return Point(
        matrix=scale * eye,
        slacks=np.full(bounds, scale * size / np.sqrt(m)),
        multipliers=np.zeros(m),
        dual=eye,
        dual_slacks=np.full(bounds, LARGE * np.sqrt(n) / size),
    )


def _proves_infeasible(constraints: Constraints, y: Array, multipliers: Array) -> bool:
    """Whether A*(λ) ⪯ 0 while yᵀλ > 0, which no X ⪰ 0 with A(X) = y allows."""
    value = y @ multipliers
    if not value > 1 / CERTAIN:  # of the order of the optimum otherwise
        return False
    largest = np.linalg.eigvalsh(constraints.adjoint(multipliers))[-1]
    return bool(largest <= CERTAIN * value)


def step_lengths(point: Point, step: Point, share: float) -> tuple[float, float]:
    """Return how much of a step to take in the primal and in the dual, at most 1.

    No more than a `share` of the way to the boundary of the cones.
    """
    primal = min(_to_cone(point.matrix, step.matrix), _to_orthant(point.slacks, step.slacks))
    dual = min(_to_cone(point.dual, step.dual), _to_orthant(point.dual_slacks, step.dual_slacks))
    return min(1.0, share * primal), min(1.0, share * dual)


def _to_cone(matrix: Array, step: Array) -> float:
    """Return how much of a step leads to the boundary of the positive semidefinite cone."""
    factor = np.linalg.inv(np.linalg.cholesky(matrix))
    least = float(np.linalg.eigvalsh(hermitian(factor @ step @ factor.conj().T))[0])
    return -1 / least if least < 0 else np.inf


def _to_orthant(values: Array, step: Array) -> float:
    """Return how much of a step leads to where a value is zero."""
    fastest = float(np.max(-step / values, initial=0.0))
    return 1 / fastest if fastest > 0 else np.inf


def hermitian(matrix: Array) -> Array:
    """Return (X + Xᴴ) / 2."""
    half: Array = (matrix + matrix.conj().T) / 2
    return half
