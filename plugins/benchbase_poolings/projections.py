"""Norms of pools, and projections onto the coefficients whose pools have given norms.

Coefficients u are arrays (..., L, K). Values b are arrays (..., K) of numbers that are at least 0.
The projections are exact. If several arrays of coefficients are equally near, they return one.
"""

from functools import cache
from typing import Any

import numpy as np

from benchbase import Array


def require_real(u: Array) -> Array:
    """Return u, or raise `TypeError` if it is complex and its entries thus have no order."""
    if np.iscomplexobj(u):
        raise TypeError("the pooling takes real coefficients, not complex ones")
    return u


def norm(u: Array, p: float) -> Array:
    """Return the lp norm over axis -2 as a new array, for p in {1, 2, inf}."""
    size: Array
    if p == 1:
        size = _over_members(np.add, np.abs(u))
    elif p == np.inf:
        size = _over_members(np.maximum, np.abs(u))
    else:
        with np.errstate(over="ignore"):  # the norm of huge coefficients is infinite
            size = _squares(u.real) + _squares(u.imag) if np.iscomplexobj(u) else _squares(u)
        np.sqrt(size, out=size)
    return size


def _squares(u: Array) -> Array:
    """Return the sum of squares over axis -2."""
    return _over_members(np.add, u * u)


def _over_members(combine: np.ufunc, u: Array) -> Array:
    """Combine the members of each pool, (..., L, K) to (..., K).

    Pools are so small that this is twice as fast as ``combine.reduce``.
    """
    total: Array = u[..., 0, :]
    for member in range(1, u.shape[-2]):
        total = combine(total, u[..., member, :])
    return total


def smallest(u: Array) -> Array:
    """Return the largest norm at which a pool counts as zero.

    Its square is the smallest normal number of the dtype. Below it, squares vanish and quotients
    may overflow.
    """
    return _smallest(u.dtype)


@cache
def _smallest(dtype: np.dtype[Any]) -> Array:
    limit: Array = np.sqrt(np.finfo(dtype).tiny)
    return limit


def scaled(u: Array, factor: Array) -> Array:
    """Multiply the pools of u (..., L, K) by factors (..., K)."""
    product: Array = u * factor[..., None, :]
    return product


def largest(u: Array) -> Array:
    """Return the index of the (first) largest entry of each pool, as an array (..., 1, K)."""
    index: Array
    if u.shape[-2] == 2:  # the usual size, where a comparison is ten times as fast as argmax
        index = (u[..., 1:, :] > u[..., :1, :]).astype(np.intp)
    else:
        index = u.argmax(axis=-2, keepdims=True)
    return index


def replace_largest(u: Array, b: Array) -> Array:
    """Set the (first) largest entry of each pool to b in place, and return u."""
    np.put_along_axis(u, largest(u), b[..., None, :], axis=-2)
    return u


def onto_norm(u: Array, b: Array, p: float) -> Array:
    """Return the v nearest to u with ‖v_k‖_p = b_k, for p in {1, inf} and real or complex u.

    The nearest v has the signs (or phases) of u, so that only the absolute values are left to find.
    """
    size = np.abs(u)
    if p == np.inf:
        new = replace_largest(np.minimum(size, b[..., None, :]), b)
    else:
        new = _onto_sum(size, b)
    if not np.iscomplexobj(u):
        return np.copysign(new, u)
    return new * np.divide(u, size, out=np.ones_like(u), where=size > 0)


def onto_rectified(u: Array, b: Array, p: float) -> Array:
    """Return the v nearest to u with ‖max(0, v_k)‖_p = b_k, for real u."""
    if p == 1:
        return _onto_rectified_sum(u, b)
    if p == np.inf:
        new = np.minimum(u, b[..., None, :])
        return replace_largest(new, np.where(b > 0, b, new.max(axis=-2)))
    below = np.minimum(u, 0)
    above = u - below
    size = norm(above, p)
    limit = smallest(u)
    new = below + above * (b / np.maximum(size, limit))[..., None, :]
    # The positive entries are scaled. In a pool without any, the largest entry is raised to b.
    stuck = (size <= limit) & (b > 0)
    last = np.moveaxis(u, -2, -1)[stuck].argmax(axis=-1)
    np.moveaxis(new, -2, -1)[(*np.nonzero(stuck), last)] = np.broadcast_to(b, stuck.shape)[stuck]
    return new


def _onto_sum(size: Array, b: Array) -> Array:
    """Return the nearest nonnegative entries that sum to b: the projection onto a simplex.

    Each of the s largest entries has to gain the same amount for these entries to sum to b. Of all
    s, the right one is that with the least gain.
    """
    total = np.zeros_like(size[..., 0, :])
    gain = np.full_like(total, np.inf)
    for s, entry in enumerate(_falling(size), start=1):
        total += entry
        np.minimum(gain, (b - total) / s, out=gain)
    new: Array = np.maximum(size + gain[..., None, :], 0)
    return new


def _onto_rectified_sum(u: Array, b: Array) -> Array:
    """Return the v nearest to u whose positive entries sum to b.

    If the positive entries of u sum to more than b, they are projected onto a simplex. If they sum
    to less, the s largest entries are raised by a common amount, for the s that costs least. An s
    that is too small leaves out positive entries and costs more than s + 1; an s that is too large
    leaves raised entries negative and costs more than s - 1.
    """
    total = np.zeros_like(u[..., 0, :])
    fall, rise, cost = np.full((3, *total.shape), np.inf, dtype=u.dtype)
    count = np.zeros(total.shape, dtype=np.intp)
    for s, entry in enumerate(_falling(u), start=1):
        total += entry
        gain = (b - total) / s
        np.minimum(fall, gain, out=fall)
        trial = s * gain**2
        better = trial < cost
        for best, new in ((rise, gain), (cost, trial), (count, s)):
            np.copyto(best, new, where=better)
    count *= b > 0
    inside = fall >= 0
    moved = np.where(inside[..., None, :], _rank(u) < count[..., None, :], u > 0)
    target = u + np.where(inside, rise, fall)[..., None, :]
    return np.where(moved, np.maximum(target, 0), u)


def _falling(u: Array) -> Array:
    """Return the entries of each pool, sorted from the largest down, as an array (L, ..., K)."""
    if u.shape[-2] == 2:  # the usual size, where this is many times as fast as sorting
        return np.stack((u.max(axis=-2), u.min(axis=-2)))
    return np.moveaxis(-np.sort(-u, axis=-2), -2, 0)


def _rank(u: Array) -> Array:
    """Return the rank of each entry in its pool, 0 for the largest."""
    if u.shape[-2] == 2:
        second = u[..., 1:, :] > u[..., :1, :]
        return np.concatenate((second, ~second), axis=-2)
    return np.argsort(np.argsort(-u, axis=-2), axis=-2)
