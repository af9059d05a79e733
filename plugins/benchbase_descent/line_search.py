"""Exact line search: the global minimum of the loss along a line."""

import numpy as np

from benchbase import Array
from benchbase_descent.pieces import Pieces

# The gain that a minimum on another interval must bring over the minimum on the present one,
# relative to the largest constant term of any interval. The rounding errors of the running sums are
# smaller.
GAIN = 1e-12
# The leading coefficient, relative to the largest, up to which the loss counts as flat.
ROUNDING = 1e-14


def least_loss(pieces: Pieces, target: Array) -> Array:
    """Return the t with the least Σ_k (A_k t² + 2 B_k t + C_k − target_k)².

    The minimum is exact. Between neighbouring places of all pools the sum is a polynomial of degree
    4, or of degree 2 if all A are zero. Its coefficients are running sums over the places in
    ascending order.

    Parameters
    ----------
    pieces : Pieces
        A, B and C of the pools, with R places for each pool.
    target : ndarray, shape (S, K)
        The values that the polynomials should have.

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
    powers = [d**2, 4 * b * d, 4 * b**2]  # coefficients of the powers of t, ascending
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
    """Return the t with the least loss, and that loss.

    Of several t inside their intervals whose losses differ from the least by no more than `gain`,
    the t nearest to zero is taken.
    """
    rows, best = np.arange(len(t)), loss.argmin(axis=1)
    equal = inside & (loss <= (loss[rows, best] + gain)[:, None])
    nearest = np.where(equal, np.abs(t), np.inf).argmin(axis=1)
    chosen = np.where(equal.any(axis=1), nearest, best)
    return t[rows, chosen], loss[rows, chosen]


def _stationary(q: Array, low: Array, high: Array, home: Array) -> Array:
    """Return the stationary points of the quartics, (3, S, intervals).

    If a quartic grows or falls on its whole interval, and zero is not in the interval, an end of
    the interval is returned instead, which serves as well. The signs of the derivative's
    coefficients in the Bernstein basis of the interval tell whether that is so.
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
    """Return the real roots of d0 + d1 t + d2 t² + d3 t³, (3, ...), one root three times if alone.

    If d3 = 0 the roots returned are zero. Cardano's or Viète's formula gives one root, the one of
    the largest size if there are three. The others are the roots of the quadratic that remains,
    which keeps small roots exact beside a large one.
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
    three = np.where(np.abs(first) > np.abs(last), first, last)  # the other one is between them
    r = _polish(np.where(disc > 0, one, three), a, b, c)
    # The quadratic t² − s t + rest remains; of two formulas for it, take the one that loses less.
    outer = np.abs(r) ** 3 >= np.abs(c)
    rest = np.divide(-c, r, out=np.zeros_like(r), where=outer & (r != 0))
    s = np.where(outer, np.divide(b - rest, r, out=np.zeros_like(r), where=r != 0), -a - r)
    rest = np.where(outer, rest, b - r * s)
    room = s**2 / 4 - rest
    far = s / 2 + np.copysign(np.sqrt(np.maximum(room, 0)), s)
    near = np.divide(rest, far, out=np.zeros_like(far), where=far != 0)
    pair = [_polish(np.where(room >= 0, each, r), a, b, c) for each in (far, near)]
    return np.stack([r, *pair])


def _polish(t: Array, a: Array, b: Array, c: Array) -> Array:
    """Return t after two Newton steps towards a root of c + b t + a t² + t³, where they help."""
    value = c + t * (b + t * (a + t))
    for _ in range(2):
        slope = b + t * (2 * a + 3 * t)
        trial = t - np.divide(value, slope, out=np.zeros_like(t), where=slope != 0)
        new = c + trial * (b + trial * (a + trial))
        better = np.abs(new) < np.abs(value)
        t, value = np.where(better, trial, t), np.where(better, new, value)
    return t
