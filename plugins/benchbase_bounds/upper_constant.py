"""The upper Lipschitz constant B: the largest norm of a derivative of the representation.

B is the largest norm of a derivative because any two signals are joined by a line. Where the sign
of a signal is lost, the line from x or from −x is taken, whichever is shorter.
"""

from __future__ import annotations

import math

import numpy as np

from benchbase import Array
from benchbase_bounds.representation import Operator

_EPS = 1e-13  # rounding of a largest singular value, relative
_TURNS = 200


def upper_constant(operator: Operator, *, seed: int = 0) -> tuple[float, float]:
    """Return a value that B attains, and an upper bound of B, for any pooling.

    Without rectification B = max ‖R(w)‖ over unit w, since |⟨g, w⟩| ≤ R_k(w) for the gradient g of
    a norm; for p = 2 this is λ₊(F). For other poolings the lower value is the best of `ascend`. The
    upper one is λ₊(F), or √L times it for p = 1.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed : int, optional
        Seed of the search.

    Returns
    -------
    low, high : float
        Both ends, equal to rounding if B is known.
    """
    flat = operator.vectors.reshape(-1, operator.n)
    high = float(np.linalg.norm(flat, 2)) * (1 + _EPS)
    if operator.p == 2 and not operator.rectified:
        return high, high
    if operator.p == 1:
        high *= math.sqrt(operator.vectors.shape[1])
    return ascend(operator, seed=seed), high


def ascend(operator: Operator, *, seed: int = 0, restarts: int = 16) -> float:
    """Return the largest norm of a derivative that ascents find: a lower bound of B.

    x becomes the leading right singular vector of J(x), with the sign that has the longer
    representation. Without rectification ‖R(x)‖ never falls.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed, restarts : int, optional
        Seed and number of the starts.
    """
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((restarts, operator.n))
    x /= np.linalg.norm(x, axis=1)[:, None]
    if not operator.homogeneous:
        x *= 1e3 * np.abs(operator.alpha).max() / np.linalg.norm(operator.vectors, axis=2).max()
    scale = np.linalg.norm(x, axis=1)[:, None]
    best = np.zeros(restarts)
    for _ in range(_TURNS):
        J = operator.jacobian(x)
        values, vectors = np.linalg.eigh(J.transpose(0, 2, 1) @ J)
        now = np.sqrt(np.maximum(values[:, -1], 0.0))
        if (now <= best * (1 + 1e-12)).all():
            break
        best = np.maximum(best, now)
        step = scale * vectors[:, :, -1]
        longer = np.linalg.norm(operator(step), axis=1) >= np.linalg.norm(operator(-step), axis=1)
        x = np.where(longer[:, None], step, -step)
    return float(best.max())


def of_cones(jacobians: Array) -> float:
    """Return B of a representation that is linear on cones, from its Jacobians, (C, M, N).

    B is at most the result, which allows for rounding.
    """
    return float(np.linalg.norm(jacobians, 2, axis=(1, 2)).max(initial=0.0)) * (1 + _EPS)


def of_active_sets(operator: Operator, active: Array, *, seed: int = 0) -> tuple[float, float]:
    """Return both ends of B for rectified ℓ2: at most the largest λ₊ of an active set.

    Parameters
    ----------
    operator : Operator
        The representation.
    active : ndarray of bool, shape (C, K, L)
        The active sets.
    seed : int, optional
        Seed of the search for the lower end.
    """
    flat = operator.vectors.reshape(-1, operator.n)
    tops = np.linalg.norm(flat * active.reshape(len(active), -1, 1), 2, axis=(1, 2))
    high = float(tops.max()) * (1 + _EPS)
    return min(ascend(operator, seed=seed), high), high
