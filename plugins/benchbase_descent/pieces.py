"""Values of pools along a line: the intervals on which they are polynomials.

Along x + t e a pool has the coefficients c + t g. For p = 1, infinity and the signed maximum its
value, and for p = 2 its squared value, is a polynomial A t² + 2 B t + C on each of a few intervals
of t.
"""

from typing import NamedTuple

import numpy as np

from benchbase import Array
from benchbase_descent.pools import Formula

FARTHEST = 1e30  # the farthest place, so that its fourth power does not overflow
FLAT = 1e-30  # slopes up to this size count as zero


class Pieces(NamedTuple):
    """The polynomials that give the value of each pool along a line.

    Attributes
    ----------
    places : ndarray, shape (S, R, K)
        The t at which the polynomials change, in ascending order.
    parts : ndarray, shape (3, S, R + 1, K)
        A, B and C on the intervals between the places, from left to right.
    """

    places: Array
    parts: Array


def pieces(formula: Formula, c: Array, g: Array) -> Pieces:
    """Return the polynomials of pools along a line.

    Parameters
    ----------
    formula : Formula
        What the pooling computes.
    c : ndarray, shape (S, L, K)
        Coefficients at t = 0, less their thresholds.
    g : ndarray, shape (S, L, K)
        The derivatives of the coefficients with respect to t.
    """
    g = np.where(np.abs(g) > FLAT, g, 0)
    if formula.p == np.inf:
        return _largest_of(_lines(g, formula.member), _lines(c, formula.member))
    terms = np.stack((np.zeros_like(g), g / 2, c) if formula.p == 1 else (g**2, g * c, c**2))
    if formula.p == 2 and formula.member == "size":
        return Pieces(c[:, :0], terms.sum(axis=2, keepdims=True))
    return _sum_of(terms, c, g, formula.member)


def _lines(u: Array, member: str) -> Array:
    """Return the lines (S, lines, K) whose maximum is the value of the pool."""
    if member == "signed":
        return u
    return np.concatenate([u, -u if member == "size" else np.zeros_like(u[:, :1])], axis=1)


def _sum_of(terms: Array, c: Array, g: Array, member: str) -> Pieces:
    """Return the polynomials of the sum over members of the size of u, or of u or u² if u > 0."""
    side = np.sign(g)
    place = np.divide(-c, g, out=np.full_like(c, FARTHEST), where=side != 0)
    place = np.clip(place, -FARTHEST, FARTHEST)
    if member == "size":
        first = np.where(side == 0, np.sign(c), -side) * terms
        jumps = 2 * side * terms
    else:
        first = ((side < 0) | ((side == 0) & (c > 0))) * terms
        jumps = side * terms
    order = place.argsort(axis=1)
    jumps = np.take_along_axis(jumps, order[None], axis=2)
    parts = [first.sum(axis=2)]
    for j in range(c.shape[1]):  # a loop takes a tenth of the time of cumsum
        parts.append(parts[-1] + jumps[:, :, j])
    return Pieces(np.take_along_axis(place, order, axis=1), np.stack(parts, axis=2))


def _largest_of(slope: Array, start: Array) -> Pieces:
    """Return the polynomials of the maximum of lines with slopes and starts (S, lines, K)."""

    def pick(index: Array) -> tuple[Array, Array]:
        return np.take_along_axis(slope, index, axis=1), np.take_along_axis(start, index, axis=1)

    least = slope == slope.min(axis=1, keepdims=True)
    now = pick(np.where(least, start, -np.inf).argmax(axis=1)[:, None])
    places: list[Array] = []
    parts = [now]
    for _ in range(slope.shape[1] - 1):
        rise = slope - now[0]
        meet = np.full_like(slope, np.inf)
        np.divide(now[1] - start, rise, out=meet, where=rise > FLAT)
        nearest = meet.min(axis=1, keepdims=True)
        ended = np.isinf(nearest)
        ahead = pick(np.where(meet <= nearest, slope, -np.inf).argmax(axis=1)[:, None])
        now = np.where(ended, now[0], ahead[0]), np.where(ended, now[1], ahead[1])
        here = np.clip(nearest, -FARTHEST, FARTHEST)
        places.append(np.maximum(here, places[-1]) if places else here)
        parts.append(now)
    bend, rest = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    polynomials = np.stack([np.zeros_like(bend), bend / 2, rest])
    return Pieces(np.concatenate([start[:, :0], *places], axis=1), polynomials)
