"""The upper Lipschitz constant B = sup ‖J(x)‖, the largest norm of a derivative."""

from __future__ import annotations

import math

import numpy as np

from benchbase import Array
from benchbase_bounds.representation import Operator

_EPS = 1e-13  # rounding of a largest singular value, relative
_TURNS = 200


def largest(operator: Operator, *, seed: int = 0, restarts: int = 16) -> tuple[float, float]:
    """Return a value that B attains, and an upper bound of B.

    B is the largest norm of a derivative, as any two points are joined by a line (of x and −x, one
    is taken). Without rectification B = max ‖R(w)‖ over unit w, since |⟨g, w⟩| ≤ R_k(w) for the
    gradient g of a norm; for p = 2 that is λ₊(F). For others the lower value is the best of
    `ascend`, and the upper one λ₊ of the vectors, of sums √L times it.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed, restarts : int, optional
        Starts of the search.

    Returns
    -------
    low, high : float
        Equal to rounding where B is known.
    """
    flat = operator.vectors.reshape(-1, operator.n)
    top = float(np.linalg.norm(flat, 2)) * (1 + _EPS)
    if operator.p == 2 and not operator.rectified:
        return top, top
    size = operator.vectors.shape[1]
    high = top * (math.sqrt(size) if operator.p == 1 else 1.0)
    return ascend(operator, seed=seed, restarts=restarts), high


def ascend(operator: Operator, *, seed: int = 0, restarts: int = 16) -> float:
    """Return the largest norm of a derivative that ascents find, a lower bound of B.

    x becomes the leading right singular vector of J(x), of its two signs the one with the longer
    representation; without rectification ‖R(x)‖ never falls.
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


def steepest(attained: Array, bounds: Array) -> tuple[float, float]:
    """Return the largest norms of Jacobians: of those attained, and of those that bound.

    Parameters
    ----------
    attained, bounds : ndarray, shape (C, M, N)
        One a cone; the same where the representation is linear on cones.
    """
    low = float(np.linalg.norm(attained, 2, axis=(1, 2)).max()) if len(attained) else 0.0
    high = low if bounds is attained else float(np.linalg.norm(bounds, 2, axis=(1, 2)).max())
    return low, max(low, high * (1 + _EPS))
