"""A primal-dual interior-point method for semidefinite programs with constraints of low rank."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchbase import Array
from benchbase_sdp.constraints import Constraints
from benchbase_sdp.optimality import LIMIT, OPTIMAL, Method, Solution, optimality

LARGE = 10.0  # size of the start over the expected one: infeasible, but well inside the cones
# The share of the way to the boundary of the cones that a step takes, and how much is added to it
# if the predictor step gets far (as in SDPT3; Toh, Todd and Tütüncü, 1999). With a constant .98 one
# rectified signal in three creeps along a boundary (n = 30, K = 60); with this rule none of 144
# signals of all kinds needs more than 18 iterations.
SHARE, MORE = 0.9, 0.09
CERTAIN = 1e-9  # λ_max(A*(λ)) / yᵀλ below which λ proves that no X is feasible
RIDGE = 1e-15  # relative to the diagonal of the Schur complement
STALLED = 1e-8  # a step that takes a smaller share than this does not advance
NOTHING = 1e-20  # the mean product μ, for tr X of about 1, up to which only rounding is left


class Point(NamedTuple):
    """An iterate or a step: X and slacks s, multipliers λ, and S and slacks z of the dual."""

    matrix: Array
    slacks: Array
    multipliers: Array
    dual: Array
    dual_slacks: Array

    def moved(self, step: Point, primal: float, dual: float) -> Point:
        """Return the point after a share `primal` of the step in X and s, `dual` in the rest."""
        shares = (primal, primal, dual, dual, dual)
        return Point(*(a + share * d for a, share, d in zip(self, shares, step, strict=True)))

    @property
    def centrality(self) -> float:
        """The mean μ of the products of primal and dual eigenvalues."""
        total = np.vdot(self.matrix, self.dual).real + self.slacks @ self.dual_slacks
        return float(total / (len(self.matrix) + len(self.slacks)))


class System:
    """The linearised conditions of optimality at one iterate.

    The conditions are A(X) + σ s = y, A*(λ) + S = C, z = −σ λ and X S = μ I. Source: Helmberg,
    Rendl, Vanderbei and Wolkowicz, SIAM Journal on Optimization 6 (1996).
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
        """Return the step to X S = `target` · I.

        If a step `before` is given, the result is corrected by the second-order term that this
        step leaves out.
        """
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
        """Return the next iterate and the shorter of its two step lengths, by Mehrotra's rule."""
        point = self._point
        straight = self.step(0.0)
        lengths = step_lengths(point, straight, SHARE + MORE)
        left = max(point.moved(straight, *lengths).centrality / point.centrality, 0.0)
        centring = min(1.0, left ** max(1.0, 3 * min(lengths) ** 2))
        step = self.step(centring * point.centrality, straight)
        lengths = step_lengths(point, step, SHARE + MORE * min(lengths))
        return point.moved(step, *lengths), min(lengths)


def interior_point(constraints: Constraints, max_iters: int, eps: float) -> Method:
    """Return a method that solves for right-hand sides of `constraints`, signal by signal.

    Each iteration factorises an m × m system whose entries need only products of the constraints'
    rows; 10 to 30 iterations are usual. A signal has the status "optimal" if its `Optimality` is at
    most `eps`.
    """

    def solve(y: Array) -> list[Solution]:
        return [_solve(constraints, row, max_iters, eps) for row in y]

    return solve


def _solve(constraints: Constraints, y: Array, max_iters: int, eps: float) -> Solution:
    """Solve one program; whatever ends the iteration, return the best iterate."""
    point = _start(constraints, y)
    best, least, status = Solution(point.matrix, point.multipliers, 0, ""), np.inf, LIMIT
    for n_iter in range(max_iters + 1):
        solution = Solution(point.matrix, point.multipliers, n_iter, OPTIMAL)
        worst = optimality(constraints, y, solution).worst
        if worst <= eps:
            return solution
        if worst < least:
            best, least = solution, worst
        if _proves_infeasible(constraints, y, point.multipliers):
            return solution._replace(matrix=None, status="infeasible")
        if n_iter == max_iters:
            break
        try:
            point, length = System(constraints, y, point).next()
        except np.linalg.LinAlgError:  # rounding has led out of the cone
            length = 0.0
        if not (length > STALLED and point.centrality > NOTHING):
            status = "stalled"
            break
    return best._replace(n_iter=n_iter, status=status)


def _start(constraints: Constraints, y: Array) -> Point:
    """Return a start of multiples of the identity, `LARGE` times the expected solution's size."""
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
    """Return whether A*(λ) ⪯ 0 and yᵀλ > 0, which proves that no X ⪰ 0 has A(X) = y."""
    value = y @ multipliers
    if not value > 1 / CERTAIN:  # if a solution exists, the value is of the order of the optimum
        return False
    largest = np.linalg.eigvalsh(constraints.adjoint(multipliers))[-1]
    return bool(largest <= CERTAIN * value)


def step_lengths(point: Point, step: Point, share: float) -> tuple[float, float]:
    """Return the shares of a step to take in the primal and in the dual, at most 1.

    A step takes no more than `share` of the way to the boundary of the cones.
    """
    primal = min(_to_cone(point.matrix, step.matrix), _to_orthant(point.slacks, step.slacks))
    dual = min(_to_cone(point.dual, step.dual), _to_orthant(point.dual_slacks, step.dual_slacks))
    return min(1.0, share * primal), min(1.0, share * dual)


def _to_cone(matrix: Array, step: Array) -> float:
    """Return the multiple of a step that leads to the boundary of the semidefinite cone."""
    factor = np.linalg.inv(np.linalg.cholesky(matrix))
    least = float(np.linalg.eigvalsh(hermitian(factor @ step @ factor.conj().T))[0])
    return -1 / least if least < 0 else np.inf


def _to_orthant(values: Array, step: Array) -> float:
    """Return the multiple of a step after which the first value is zero."""
    fastest = float(np.max(-step / values, initial=0.0))
    return 1 / fastest if fastest > 0 else np.inf


def hermitian(matrix: Array) -> Array:
    """Return the Hermitian part (X + Xᴴ) / 2 of a matrix."""
    half: Array = (matrix + matrix.conj().T) / 2
    return half
