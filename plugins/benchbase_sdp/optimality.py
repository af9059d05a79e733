"""How near a solution of a semidefinite program is to optimal, whichever method has found it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from benchbase import Array
from benchbase_sdp.constraints import Constraints

OPTIMAL, LIMIT = "optimal", "iteration limit"
"""The statuses that all methods use."""


class Solution(NamedTuple):
    """What a method returns for ``min tr X, A(X) =, ≤, ≥ y, X ⪰ 0``.

    Parameters
    ----------
    matrix : ndarray, shape (N, N), or None
        X, or None if the method has found none.
    multipliers : ndarray, shape (m,)
        λ, a solution of the dual ``max yᵀλ, C − A*(λ) ⪰ 0``, with λ ≤ 0 for ≤, λ ≥ 0 for ≥, and
        C = I.
    n_iter : int
        The number of iterations.
    status : str
        The status that the method reports.
    cost : ndarray, shape (N, N), optional
        C if the objective has a term γ ‖X‖₁: the identity plus γ times a subgradient of ‖X‖₁.
    """

    matrix: Array | None
    multipliers: Array
    n_iter: int
    status: str
    cost: Array | None = None


Method: TypeAlias = Callable[[Array], list[Solution]]
"""A function that solves programs with the same constraints for right-hand sides y (S, m)."""


class Optimality(NamedTuple):
    """Relative errors of a solution in the conditions of Karush, Kuhn and Tucker.

    Parameters
    ----------
    primal : float
        ‖violation of the constraints‖ / ‖y‖, or −λ_min(X) / λ_max(X) if that is larger.
    dual : float
        −λ_min(C − A*(λ)), or the share of λ that has the wrong sign if that is larger. With a
        sparsity term, it is also at least the excess of the largest entry of C − I over γ.
    gap : float
        ``|value − yᵀλ| / (|value| + |yᵀλ|)``, where the value is that of the objective at X.
    """

    primal: float
    dual: float
    gap: float

    @property
    def worst(self) -> float:
        """The largest of the three."""
        return max(self)


def optimality(
    constraints: Constraints, y: Array, solution: Solution, sparsity: float = 0.0
) -> Optimality:
    """Return how far a solution with a finite matrix is from optimal.

    The objective is tr X + `sparsity` ‖X‖₁.
    """
    matrix, multipliers, sense = solution.matrix, solution.multipliers, constraints.sense
    assert matrix is not None  # noqa: S101 # for mypy; callers pass solutions with a matrix
    eye = np.eye(constraints.n)
    cost = eye if solution.cost is None else solution.cost
    excess = constraints.apply(matrix) - y
    violation = np.where(sense == 0, excess, np.maximum(sense * excess, 0))
    spectrum = np.linalg.eigvalsh(matrix)
    slack = np.linalg.eigvalsh(cost - constraints.adjoint(multipliers))
    wrong = np.maximum(sense * multipliers, 0)
    value = np.trace(matrix).real + sparsity * np.sum(np.abs(matrix))
    bound = y @ multipliers
    return Optimality(
        primal=max(_share(violation, y), _ratio(-spectrum[0], spectrum[-1])),
        dual=max(
            _ratio(-slack[0], 1.0),
            _share(wrong, multipliers),
            float(np.max(np.abs(cost - eye))) - sparsity,
        ),
        gap=_ratio(abs(value - bound), abs(value) + abs(bound)),
    )


def _share(part: Array, whole: Array) -> float:
    return _ratio(np.linalg.norm(part), np.linalg.norm(whole))


def _ratio(part: np.floating | float, whole: np.floating | float) -> float:
    """Return the quotient, or the numerator if the denominator is not positive; at least 0."""
    return max(float(part / whole) if whole > 0 else float(part), 0.0)
