"""The least loss along a line, of all its minima."""

import numpy as np

from benchbase import Array
from benchbase_descent.pieces import Pieces

# What a minimum elsewhere must be better by than the one at hand, relative to the largest sum along
# the intervals. What these leave to rounding is less.
GAIN = 1e-12
ROUNDING = 1e-14  # leading coefficient, relative to the largest, of an interval that is flat


def least_loss(pieces: Pieces, target: Array) -> Array:
    """Return the t with the least Σ_k (A_k t² + 2 B_k t + C_k − target_k)².

    Exactly: between the places of all pools the sum is a polynomial of degree 4, or 2 where all A
    are zero, whose coefficients are running sums over the places in their order.

    Parameters
    ----------
    pieces : Pieces
        A, B and C of the pools, with R places each.
    target : ndarray, shape (S, K)
        What the polynomials should be.

    Returns
    -------
    ndarray, shape (S,)
    """
    S = len(target)
    q, places = _running_sums(pieces, target)
    edge = np.full((S, 1), np.inf)
    low, high = np.concatenate([-edge, places], axis=1), np.concatenate([places, edge], axis=1)
    home = np.sum(places < 0, axis=1)
    flat = q[-1] <= ROUNDING * q[-1].max(axis=1, keepdims=True, initial=0)
    q[1:, flat] = 0
    if len(q) == 3:
        t = np.divide(-q[1], 2 * q[2], out=np.zeros_like(low), where=~flat)[None]
    else:
        t = _stationary(q, low, high, home)
    inside = (low <= t) & (t <= high)
    t = np.clip(t, low, high)
    loss = q[-1]
    for each in q[-2::-1]:
        loss = loss * t + each
    gain = GAIN * q[0].max(axis=1)
    here = (slice(None), np.arange(S), home)
    near = _nearest(t[here].T, loss[here].T, inside[here].T, gain)
    t, loss, inside = (np.moveaxis(each, 1, 0).reshape(S, -1) for each in (t, loss, inside))
    far = _nearest(t, loss, inside, gain)
    return np.where(far[1] < near[1] - gain, far[0], near[0])


def _running_sums(pieces: Pieces, target: Array) -> tuple[Array, Array]:
    """Return the polynomials (powers, S, intervals) and the places between them, ascending."""
    a, b, c = pieces.parts
    d = c - target[:, None, :]
    powers = [d**2, 4 * b * d, 4 * b**2]  # of t, ascending
    if a.any():
        powers[2] += 2 * a * d
        powers += [4 * a * b, a**2]
    q = np.stack(powers)
    places = pieces.places.reshape(len(target), -1)
    order = places.argsort(axis=1)
    jumps = np.diff(q, axis=2).reshape(*q.shape[:2], -1)
    jumps = np.take_along_axis(jumps, order[None], axis=2)
    q = np.concatenate([q[:, :, 0].sum(axis=2)[:, :, None], jumps], axis=2).cumsum(axis=2)
    return q, np.take_along_axis(places, order, axis=1)


def _nearest(t: Array, loss: Array, inside: Array, gain: Array) -> tuple[Array, Array]:
    """Return the t with the least loss, and that: of equal ones the nearest, if it is inside."""
    rows, best = np.arange(len(t)), loss.argmin(axis=1)
    equal = inside & (loss <= (loss[rows, best] + gain)[:, None])
    nearest = np.where(equal, np.abs(t), np.inf).argmin(axis=1)
    chosen = np.where(equal.any(axis=1), nearest, best)
    return t[rows, chosen], loss[rows, chosen]


def _stationary(q: Array, low: Array, high: Array, home: Array) -> Array:
    """Return the stationary points of the quartics, (3, S, intervals).

    Where a quartic grows or falls all over its interval, and zero is not in it, an end of the
    interval does as well. That is known from the signs of the coefficients of its derivative in
    the Bernstein basis of the interval.
    """
    d = [q[1], 2 * q[2], 3 * q[3], 4 * q[4]]
    wide = np.isinf(low) | np.isinf(high)
    start, width = np.where(wide, 0, low), np.where(wide, 0, high - low)
    rise = [
        d[0] + start * (d[1] + start * (d[2] + start * d[3])),
        width * (d[1] + start * (2 * d[2] + start * 3 * d[3])) / 3,
        width**2 * (d[2] + start * 3 * d[3]) / 3,
        width**3 * d[3],
    ]
    ends = [rise[0], rise[0] + rise[1], rise[0] + 2 * rise[1] + rise[2]]
    ends.append(rise[0] + 3 * rise[1] + 3 * rise[2] + rise[3])
    bent = wide | ((np.min(ends, axis=0) <= 0) & (np.max(ends, axis=0) >= 0))
    bent[np.arange(len(home)), home] = True
    t = np.repeat(np.where(np.isinf(high), low, high)[None], 3, axis=0)
    t[:, bent] = cubic_roots(*(each[bent] for each in d))
    return t


def cubic_roots(d0: Array, d1: Array, d2: Array, d3: Array) -> Array:
    """Return the real roots of d0 + d1 t + d2 t² + d3 t³, (3, ...), repeated if there is one.

    Zero where d3 = 0. One root, of three real ones the largest, is Cardano's or Viète's; the others
    are those of the quadratic that it leaves, which keeps small ones beside a large one.
    """
    real = d3 != 0
    lead = np.where(real, d3, 1)
    a, b, c = (np.where(real, each / lead, 0) for each in (d2, d1, d0))
    p, q = b / 3 - (a / 3) ** 2, (a / 3) ** 3 - a * b / 6 + c / 2
    disc = q**2 + p**3
    u = np.cbrt(-q - np.copysign(np.sqrt(np.maximum(disc, 0)), q))
    one = u - np.divide(p, u, out=np.zeros_like(u), where=u != 0) - a / 3
    size = np.sqrt(np.maximum(-p, 0))
    cosine = np.divide(-q, size**3, out=np.zeros_like(q), where=size**3 > 0)
    angle = np.arccos(np.clip(cosine, -1, 1)) / 3
    first, last = (2 * size * np.cos(angle + turn) - a / 3 for turn in (0, 2 * np.pi / 3))
    three = np.where(np.abs(first) > np.abs(last), first, last)  # the third is between them
    r = _polish(np.where(disc > 0, one, three), a, b, c)
    outer = np.abs(r) ** 3 >= np.abs(c)  # t² − s t + rest is left, with the fewest digits lost
    rest = np.divide(-c, r, out=np.zeros_like(r), where=outer & (r != 0))
    s = np.where(outer, np.divide(b - rest, r, out=np.zeros_like(r), where=r != 0), -a - r)
    rest = np.where(outer, rest, b - r * s)
    room = s**2 / 4 - rest
    far = s / 2 + np.copysign(np.sqrt(np.maximum(room, 0)), s)
    near = np.divide(rest, far, out=np.zeros_like(far), where=far != 0)
    pair = [_polish(np.where(room >= 0, each, r), a, b, c) for each in (far, near)]
    return np.stack([r, *pair])


def _polish(t: Array, a: Array, b: Array, c: Array) -> Array:
    """Return t after some of Newton's steps towards a root of c + b t + a t² + t³."""
    value = c + t * (b + t * (a + t))
    for _ in range(2):
        slope = b + t * (2 * a + 3 * t)
        trial = t - np.divide(value, slope, out=np.zeros_like(t), where=slope != 0)
        new = c + trial * (b + trial * (a + trial))
        better = np.abs(new) < np.abs(value)
        t, value = np.where(better, trial, t), np.where(better, new, value)
    return t
