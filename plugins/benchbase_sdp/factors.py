"""Alternating minimisation in several copies of the signal at once: factors V of X = V Vᵀ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from benchbase import Array
from benchbase_sdp.momentum import Momentum

CHECK = 10  # iterations between two looks at where a signal stands
TINY = np.finfo(np.float64).tiny

Rescale: TypeAlias = Callable[[Array, Array], Array]
"""Gives sizes of coefficients (S, L, K) the values that b (S, K) asks for."""

Judge: TypeAlias = Callable[[Array, Array, Array], Array]
"""Marks the signals that are done, from factors, indices, and the last steps' relative sizes."""


class Analysis(Protocol):
    """A frame, or what stands for one."""

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
    """Alternate between the sizes that b asks for and the V with the nearest coefficients.

    A row's coefficients are a vector of r numbers. It keeps its direction and takes the size that
    `rescale` gives; then V = F⁺ of all. With r = 1 this is alternating minimisation.

    Parameters
    ----------
    frame : Analysis
        F.
    rescale : callable
        What b says about sizes.
    factors : ndarray, shape (S, r, N)
        The starts: the columns of V.
    b : ndarray, shape (S, K)
        The measurements.
    n_iter : int
        The most iterations.
    judge : callable
        Asked every 10 iterations; a signal that is done leaves the batch.
    momentum : bool
        Whether to go ahead along the last step, unless that points uphill.
    part : callable, optional
        Returns the part of coefficients (S, r, L, K) that is measured; the rest stays. By default
        all is.

    Returns
    -------
    factors : ndarray, shape (S, r, N)
    n_iter : ndarray of int, shape (S,)
    """
    found, count = factors.copy(), np.full(len(b), n_iter)
    batch, moves = np.arange(len(b)), np.full(len(b), np.inf)
    point, ahead = factors, Momentum(len(b))
    for i in range(n_iter + 1):
        if i % CHECK == 0 or i == n_iter:
            found[batch] = factors
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
    return found, count


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
    """Return the scales (S,) at which measurements are nearest to b, both (S, K)."""
    square = np.sum(measured**2, axis=1)
    scale: Array = np.sum(measured * b, axis=1) / np.where(square > 0, square, 1)
    return scale
