"""Starts of iterative solvers: the estimates of another solver, or scaled Gaussian vectors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from benchbase.component import Array
from benchbase.interfaces import Solver
from benchbase.numerics.rows import divisors, norms
from benchbase.problem import Problem, Run

HALVINGS = 50

Start: TypeAlias = Callable[[Array, Run], Array]
"""Returns starts (S, N) for measurements (S, K) and the run of their signals."""


def gaussian_start(problem: Problem, b: Array, run: Run) -> Array:
    """Draw a Gaussian vector for each signal and scale it so that ‖P(F x)‖ = ‖b‖.

    Parameters
    ----------
    problem : Problem
        Frame and pooling.
    b : ndarray, shape (S, K)
        The measurements.
    run : Run
        The run of these signals. Each vector is drawn from the stream of its signal.

    Returns
    -------
    ndarray, shape (S, N)
        The starts. If no scale fits a vector to b, it stays as drawn.
    """
    x = run.normal(problem.frame.n)
    c = problem.frame.analyse(x)

    def values(scale: Array) -> Array:
        return problem.pooling(c * scale[:, None, None])

    x *= fitting_scale(values, norms(b), homogeneous=problem.pooling.homogeneous)[:, None]
    return x


def start_of(
    init: Solver | None,
    problem: Problem,
    otherwise: Callable[[Problem, Array, Run], Array] = gaussian_start,
) -> Start:
    """Prepare a function that returns the starts of an iterative solver.

    Parameters
    ----------
    init : Solver or None
        The solver whose estimates are the starts. It runs in the phase "init", which has its own
        streams, clock and count of frame applications.
    problem : Problem
        The problem to solve.
    otherwise : callable, optional
        Returns the starts, from problem, b and run, if `init` is None.

    Returns
    -------
    callable
        ``start(b, run)`` takes measurements (S, K) and a `Run`, and returns a new array (S, N).
    """
    if init is None:
        return partial(otherwise, problem)
    inverse = init.prepare(problem)

    def start(b: Array, run: Run) -> Array:
        with run.phase("init") as inner:
            return np.array(inverse(b, inner).x, dtype=np.float64)

    return start


def fitting_scale(values: Callable[[Array], Array], wanted: Array, *, homogeneous: bool) -> Array:
    """Return scales t at which measurements have given norms, ‖values(t)‖ = wanted.

    Parameters
    ----------
    values : callable
        Returns the measurements (S, K) of the signals after scaling by t (S,).
    wanted : ndarray, shape (S,)
        The norms that the measurements must have.
    homogeneous : bool
        Whether values(t) = t · values(1) for t > 0 (`Pooling.homogeneous`). If not, the scale is
        found by bisection.

    Returns
    -------
    ndarray, shape (S,)
        The scales, or 1 for a signal without such a scale.
    """
    if homogeneous:
        size = norms(values(np.ones_like(wanted)))
        return np.where(size > 0, wanted / divisors(size), 1.0)

    def reaches(scale: Array) -> Array:
        reached: Array = norms(values(scale)) >= wanted
        return reached

    low, high = np.zeros_like(wanted), np.ones_like(wanted)
    for _ in range(HALVINGS):  # double the scale until it reaches the norm, if it ever does
        high = np.where(reaches(high), high, 2 * high)
    exists = reaches(high) & ~reaches(low)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        far = reaches(middle)
        low, high = np.where(far, low, middle), np.where(far, middle, high)
    return np.where(exists, high, 1.0)
