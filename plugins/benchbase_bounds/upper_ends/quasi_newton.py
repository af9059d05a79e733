"""Quasi-Newton minimisation of a function from many starts at once; it may have kinks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchbase import Array

_DECREASE, _CURVATURE = 1e-4, 0.5  # of the weak Wolfe conditions
_HALVINGS = 30  # steps that a line search tries at most
_STALL = 1e-10  # a row ends if `_WINDOW` iterations decrease it by less than this
_WINDOW = 20


def quasi_newton(
    function: Callable[[Array], tuple[Array, Array]],
    start: Array,
    n_iter: int,
    *,
    least: float,
) -> Array:
    """Minimise a function from many starts by BFGS with weak Wolfe line searches.

    With these line searches BFGS needs no smoothness. It finds local minima at which pieces meet,
    as those of maxima do (Lewis and Overton, "Nonsmooth optimization via quasi-Newton methods",
    Mathematical Programming 141, 2013). All starts advance together.

    Parameters
    ----------
    function : callable
        Takes points (S, D), and returns values (S,), which may be infinite, and gradients (S, D).
    start : ndarray, shape (S, D)
        Points where the function is finite.
    n_iter : int
        The largest number of iterations.
    least : float
        A value at which a row stops.

    Returns
    -------
    ndarray, shape (S, D)
        Where each start has led.
    """
    x = np.array(start, dtype=np.float64)
    size, dimension = x.shape
    f, g = function(x)
    inverse = np.broadcast_to(np.eye(dimension), (size, dimension, dimension)).copy()
    scaled = np.zeros(size, dtype=bool)
    before = f.copy()
    rows = np.flatnonzero(np.isfinite(f) & (f > least))
    for i in range(n_iter):
        if not len(rows):
            break
        step = -np.einsum("sij,sj->si", inverse[rows], g[rows])
        slope = np.einsum("si,si->s", step, g[rows])
        wrong = ~(slope < 0)
        if wrong.any():  # rounding has spoilt a matrix: start again from the gradient
            inverse[rows[wrong]] = np.eye(dimension)
            scaled[rows[wrong]] = False
            step[wrong] = -g[rows[wrong]]
            slope[wrong] = -np.einsum("si,si->s", g[rows[wrong]], g[rows[wrong]])
        length = np.where(scaled[rows], 1.0, 1.0 / np.maximum(np.linalg.norm(step, axis=1), 1e-300))
        length, new_f, new_g = _search(function, x, f, rows, step, slope, length)
        moved = length > 0
        move = length[:, None] * step
        change = new_g - g[rows]
        x[rows] += move
        f[rows], g[rows] = new_f, new_g
        _update(inverse, scaled, rows[moved], move[moved], change[moved])
        going = moved & (new_f > least)
        if i % _WINDOW == _WINDOW - 1:
            going &= before[rows] - new_f > _STALL
            before[rows] = new_f
        rows = rows[going]
    return x


def _search(
    function: Callable[[Array], tuple[Array, Array]],
    x: Array,
    f: Array,
    rows: Array,
    step: Array,
    slope: Array,
    length: Array,
) -> tuple[Array, Array, Array]:
    """Bisect for steps that meet the weak Wolfe conditions; a step is 0 if nothing decreases."""
    low, high = np.zeros(len(rows)), np.full(len(rows), np.inf)
    best, best_f = np.zeros(len(rows)), f[rows].copy()
    best_g = np.zeros_like(step)
    open_ = np.arange(len(rows))
    for _ in range(_HALVINGS):
        at = rows[open_]
        new_f, new_g = function(x[at] + length[open_, None] * step[open_])
        falls = new_f <= f[at] + _DECREASE * length[open_] * slope[open_]
        steep = np.einsum("si,si->s", new_g, step[open_]) < _CURVATURE * slope[open_]
        good = open_[falls]
        best[good], best_f[good], best_g[good] = length[good], new_f[falls], new_g[falls]
        high[open_[~falls]] = length[open_[~falls]]
        low[open_[falls & steep]] = length[open_[falls & steep]]
        open_ = open_[~falls | steep]
        if not len(open_):
            break
        bounded = np.isfinite(high[open_])
        middle = 0.5 * (low[open_] + np.where(bounded, high[open_], 0.0))
        length[open_] = np.where(bounded, middle, 2.0 * low[open_])
    return best, best_f, best_g


def _update(inverse: Array, scaled: Array, rows: Array, s: Array, y: Array) -> None:
    """Update the inverse Hessians of rows with positive curvature, in place."""
    curvature = np.einsum("si,si->s", s, y)
    good = curvature > 1e-14 * np.linalg.norm(s, axis=1) * np.linalg.norm(y, axis=1)
    rows, s, y, curvature = rows[good], s[good], y[good], curvature[good]
    if not len(rows):
        return
    fresh = ~scaled[rows]
    scale = curvature / np.einsum("si,si->s", y, y)
    inverse[rows[fresh]] *= scale[fresh, None, None]
    scaled[rows] = True
    H = inverse[rows]
    Hy = np.einsum("sij,sj->si", H, y)
    factor = (1.0 + np.einsum("si,si->s", y, Hy) / curvature) / curvature
    mixed = Hy[:, :, None] * (s / curvature[:, None])[:, None, :]
    H -= mixed
    H -= mixed.transpose(0, 2, 1)
    H += s[:, :, None] * (factor[:, None] * s)[:, None, :]
    inverse[rows] = H
