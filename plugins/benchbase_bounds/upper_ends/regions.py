"""Pairs of signals inside one region of a half rectification, and the best pair of several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.frame_operators import frame_operators, least_eigenvectors
from benchbase_bounds.representation import Operator

_TRIED = 50  # regions in which a pair is looked for, those of least λ₋ first


def best_pair(
    operator: Operator, sets: Array, squares: Array, pairs: Sequence[tuple[Array, Array]]
) -> tuple[tuple[Array, Array] | None, float]:
    """Return the pair of least ratio among those given and those inside regions, and its ratio.

    Parameters
    ----------
    operator : Operator
        A half rectification of pools of one.
    sets : ndarray of bool, shape (C, M)
        The active sets of its regions.
    squares : ndarray, shape (C,)
        λ₋²(F_Ω) of each.
    pairs : sequence of tuples of two ndarrays, each of shape (N,)
        Pairs to compare with.

    Returns
    -------
    pair : tuple of two ndarrays, or None
        None if no pairs are given and every region is too narrow for one.
    ratio : float
    """
    vectors, thresholds = operator.vectors[:, 0, :], operator.alpha[0]
    best, upper = None, np.inf
    for x, y in pairs:
        ratio = float(operator.ratio(x, y))
        if ratio < upper:
            best, upper = (x, y), ratio
    for index in np.argsort(squares, kind="stable")[:_TRIED]:
        if np.sqrt(squares[index]) >= upper:
            break
        pair = pair_in_region(vectors, thresholds, sets[index])
        if pair is not None:
            ratio = float(operator.ratio(*pair))
            if ratio < upper:
                best, upper = pair, ratio
    return best, upper


def pair_in_region(vectors: Array, thresholds: Array, active: Array) -> tuple[Array, Array] | None:
    """Return two points of a region that lie apart along the direction of λ₋(F_Ω).

    Their ratio is λ₋(F_Ω), since half rectification is linear in the region. The arguments are
    those of `point_in_region`, and so is None.
    """
    x = point_in_region(vectors, thresholds, active)
    if x is None:
        return None
    _, direction = least_eigenvectors(frame_operators(vectors, active))
    slack = np.abs(vectors @ x - thresholds)
    speed = np.abs(vectors @ direction)
    moving = speed > 0
    length = 0.9 * float((slack[moving] / speed[moving]).min()) if moving.any() else 1.0
    return x, x + min(length, 1e6) * direction


def point_in_region(vectors: Array, thresholds: Array, active: Array) -> Array | None:
    """Return a point well inside the region that has an active set, by a linear program.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    thresholds : ndarray, shape (M,)
        α.
    active : ndarray of bool, shape (M,)
        The vectors with ⟨x, f⟩ > α.

    Returns
    -------
    ndarray, shape (N,), or None
        None if the region is too narrow for the solver's tolerance.
    """
    from scipy.optimize import linprog

    lengths = np.linalg.norm(vectors, axis=1)
    kept = lengths > 0
    units, heights = vectors[kept] / lengths[kept, None], thresholds[kept] / lengths[kept]
    signs = np.where(active[kept], 1.0, -1.0)
    n = vectors.shape[1]
    reach = 10 * max(1.0, float(np.abs(heights).max(initial=0.0)))
    # Maximise the margin t: sign (⟨unit, x⟩ − height) ≥ t.
    found = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.column_stack([-signs[:, None] * units, np.ones(len(units))]),
        b_ub=-signs * heights,
        bounds=[(-reach, reach)] * n + [(0, reach)],
    )
    if found.x is None or found.status != 0 or found.x[-1] <= 1e-7 * reach:
        return None
    point: Array = found.x[:-1]
    return point
