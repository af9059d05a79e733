"""Alternating minimisation in several copies of the signal at once: factors V of X = V Vᵀ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from benchbase import Array
from benchbase_sdp.momentum import Momentum

CHECK = 10  # iterations between two checks of whether signals are done
TINY = np.finfo(np.float64).tiny

Rescale: TypeAlias = Callable[[Array, Array], Array]
"""A function that gives the sizes of coefficients (S, L, K) the values that b (S, K) asks for."""

Judge: TypeAlias = Callable[[Array, Array, Array], Array]
"""A function that marks the signals that are done: mask (S,).

Its arguments are factors, the indices of their signals, and the relative sizes of the last steps.
"""


class Analysis(Protocol):
    """A frame, or something with these two methods in its place."""

    def analyse(self, x: Array) -> Array:
        """Return the coefficients (..., L, K) of x (..., N)."""

    def least_squares(self, c: Array) -> Array:
        """Return the x (..., N) whose coefficients are nearest to c (..., L, K)."""


def alternate(
    frame: Analysis,
    rescale: Rescale,
    factors: Array,
    b: Array,
    n_iter: int,
    judge: Judge,
    *,
    momentum: bool,
    part: Callable[[Array], Array] | None = None,
) -> tuple[Array, Array]:
    """Run alternating minimisation on factors V with r columns in the place of a signal.

    The coefficients of a row of the frame are a vector of r numbers. In each iteration this vector
    keeps its direction and takes the size that `rescale` gives. Then V is the one with the nearest
    coefficients, F⁺ applied to all of them. With r = 1 this is alternating minimisation.

    Parameters
    ----------
    frame : Analysis
        F.
    rescale : callable
        Gives the sizes that b asks for.
    factors : ndarray, shape (S, r, N)
        The starts: the columns of V.
    b : ndarray, shape (S, K)
        The measurements.
    n_iter : int
        The largest number of iterations.
    judge : callable
        Tells every 10 iterations which signals are done and leave the batch.
    momentum : bool
        Whether to go ahead along the last step, unless that points uphill.
    part : callable, optional
        Returns the part of coefficients (S, r, L, K) that is measured; the rest stays as it is. By
        default all of it is measured.

    Returns
    -------
    factors : ndarray, shape (S, r, N)
        The factors at which each signal was done.
    n_iter : ndarray of int, shape (S,)
        The number of iterations of each signal.
    """
    latest, count = factors.copy(), np.full(len(b), n_iter)
    batch, moves = np.arange(len(b)), np.full(len(b), np.inf)
    point, ahead = factors, Momentum(len(b))
    for i in range(n_iter + 1):
        if i % CHECK == 0 or i == n_iter:
            latest[batch] = factors
            done = judge(factors, batch, moves)
            count[batch[done]] = i
            if done.all() or i == n_iter:
                break
            if done.any():
                state = (batch, factors, point, b, moves)
                batch, factors, point, b, moves = (kept[~done] for kept in state)
                ahead.keep(~done)
        c = frame.analyse(point)
        seen = c if part is None else part(c)
        size = sizes(seen)
        change = rescale(size, b) / np.maximum(size, TINY) - 1
        before, factors = factors, frame.least_squares(c + seen * change[:, None])
        step = factors - before
        if momentum:
            shares = ahead.shares(inner(point - factors, step) > 0)
            point = factors + shares[:, None, None] * step
        else:
            point = factors
        if (i + 1) % CHECK == 0:
            moves = np.sqrt(inner(step, step) / np.maximum(inner(factors, factors), TINY))
    return latest, count


def sizes(c: Array) -> Array:
    """Return the 2-norms over the r copies: (S, r, L, K) to (S, L, K)."""
    square = np.einsum("srlk,srlk->slk", c.real, c.real)
    if np.iscomplexobj(c):
        square += np.einsum("srlk,srlk->slk", c.imag, c.imag)
    root: Array = np.sqrt(square)
    return root


def inner(left: Array, right: Array) -> Array:
    """Return the real inner product of each signal's factors: (S, r, N) twice to (S,)."""
    product: Array = np.einsum("srn,srn->s", left.real, right.real)
    if np.iscomplexobj(left):
        product += np.einsum("srn,srn->s", left.imag, right.imag)
    return product


def fitting(measured: Array, b: Array) -> Array:
    """Return the factors (S,) that bring measurements nearest to b, both of shape (S, K)."""
    square = np.sum(measured**2, axis=1)
    scale: Array = np.sum(measured * b, axis=1) / np.where(square > 0, square, 1)
    return scale
