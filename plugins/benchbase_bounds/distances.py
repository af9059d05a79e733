"""Distances of pairs, and how a pooling representation changes them."""

from __future__ import annotations

import numpy as np

from benchbase import Array, Frame, Pooling


def distance(pooling: Pooling, x: Array, y: Array) -> Array:
    """Return d(x, y): min(‖x − y‖, ‖x + y‖) where the pooling loses the sign, else ‖x − y‖.

    Parameters
    ----------
    pooling : Pooling
        What the signals are to be told apart by.
    x, y : ndarray, shape (..., N)
        Real signals.

    Returns
    -------
    ndarray, shape (...)
    """
    away: Array = np.linalg.norm(x - y, axis=-1)
    return np.minimum(away, np.linalg.norm(x + y, axis=-1)) if pooling.even else away


def ratio(frame: Frame, pooling: Pooling, x: Array, y: Array) -> Array:
    """Return ‖R(x) − R(y)‖ / d(x, y) of pairs, for the pooling representation R.

    Parameters
    ----------
    frame : Frame
        Real frame.
    pooling : Pooling
        Pooling operator.
    x, y : ndarray, shape (..., N)
        Signals.

    Returns
    -------
    ndarray, shape (...)
        Infinity where the distance is zero.
    """
    apart = distance(pooling, x, y)
    change = np.linalg.norm(pooling(frame.analyse(x)) - pooling(frame.analyse(y)), axis=-1)
    quotient: Array = np.divide(change, apart, out=np.full_like(apart, np.inf), where=apart > 0)
    return quotient
