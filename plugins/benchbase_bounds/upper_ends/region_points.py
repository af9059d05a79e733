"""Points and pairs of signals inside a region of a half rectification."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.frame_operators import frame_operators, least_eigenvectors


def point_in_cell(vectors: Array, thresholds: Array, active: Array) -> Array | None:
    """Return a point well inside the region with this active set, by a linear program.

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
        None where the region is too narrow for the solver's tolerance.
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


def pair_in_cell(vectors: Array, thresholds: Array, active: Array) -> tuple[Array, Array] | None:
    """Return two points of a region that are apart along the direction of λ₋(F_Ω).

    Their ratio is λ₋(F_Ω), since half rectification is linear in the region. Arguments are those
    of `point_in_cell`; None where that is.
    """
    x = point_in_cell(vectors, thresholds, active)
    if x is None:
        return None
    _, direction = least_eigenvectors(frame_operators(vectors, active))
    slack = np.abs(vectors @ x - thresholds)
    speed = np.abs(vectors @ direction)
    moving = speed > 0
    length = 0.9 * float((slack[moving] / speed[moving]).min()) if moving.any() else 1.0
    return x, x + min(length, 1e6) * direction
