"""Scaling of given directions so that their measurements fit."""

from collections.abc import Callable

import numpy as np

from benchbase import Array, Problem

GOLDEN = (np.sqrt(5) - 1) / 2
STEPS = 45  # of golden-section search: the interval shrinks to 4e-10 of its length


def fit(problem: Problem, direction: Array, b: Array, largest: Array) -> Array:
    """Return the signals s·v, s ≥ 0, whose measurements are nearest to b.

    If measurements tell v from −v, the better of the two is taken.

    Parameters
    ----------
    problem : Problem
        The problem, which measures signals.
    direction : ndarray, shape (S, N)
        The unit vectors v.
    b : ndarray, shape (S, K)
        The measurements to fit.
    largest : ndarray, shape (S,)
        The largest s that is tried. It matters only if P(s c) is not s P(c), as with a threshold.

    Returns
    -------
    ndarray, shape (S, N)
        One row per signal.
    """
    x, gap = _fit_one_sign(problem, direction, b, largest)
    if problem.pooling.even:
        return x
    other, other_gap = _fit_one_sign(problem, -direction, b, largest)
    best: Array = np.where((other_gap < gap)[:, None], other, x)
    return best


def _fit_one_sign(
    problem: Problem, direction: Array, b: Array, largest: Array
) -> tuple[Array, Array]:
    """Return the signals s·v for v as it is, and their residuals ‖P(F s v) − b‖."""
    c = problem.frame.analyse(direction)

    def gap(scale: Array) -> Array:
        size: Array = np.linalg.norm(problem.pooling(c * scale[:, None, None]) - b, axis=-1)
        return size

    if problem.pooling.homogeneous:
        measured = problem.pooling(c)
        power = np.sum(measured**2, axis=-1)
        inner = np.sum(measured * b, axis=-1)
        scale = np.maximum(inner / np.where(power > 0, power, 1), 0)
    else:
        scale = _golden_section(gap, largest)
    return direction * scale[:, None], gap(scale)


def _golden_section(gap: Callable[[Array], Array], largest: Array) -> Array:
    """Return, for each row, a scale from 0 to `largest` where the gap has a local minimum."""
    low, high = np.zeros_like(largest), largest
    for _ in range(STEPS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        fall = gap(left) > gap(right)  # the minimum lies to the right of `left`
        low, high = np.where(fall, left, low), np.where(fall, high, right)
    return (low + high) / 2
