"""Moments of truncated normal variables, without cancellation in the tails."""

from typing import NamedTuple

import numpy as np

from benchbase import Array

TAIL = -30.0  # standard deviations: below it a series is used, whose error is below 1e-6
TAIL_BOTH = -8.0  # standard deviations: below it quadrature is used for intervals
NARROW = 0.1  # standard deviations: for narrower intervals closed forms would lose all digits
LARGEST = 1e100  # standard deviations: distances are clipped here so that squares do not overflow
FOLDS = 40.0  # a density counts as zero below exp(−40) times its largest value
NODES, WEIGHTS = np.polynomial.legendre.leggauss(24)  # integrates exp(−40 t) on [0, 1] to 1e-13
HALF_LOG = 0.5 * np.log(2 * np.pi)


class Truncated(NamedTuple):
    """Moments of truncated variables: logarithm of the probability, mean and variance.

    All three have the same shape.
    """

    log_mass: Array
    mean: Array
    variance: Array


def below(top: Array, mean: Array, std: Array) -> Truncated:
    """Return the moments of N(mean, std²) below `top`.

    Shapes broadcast; std is positive.
    """
    from scipy.special import log_ndtr

    x = np.clip((top - mean) / std, -LARGEST, LARGEST)
    log_mass = log_ndtr(x)
    far = x < TAIL
    hazard = np.exp(np.where(far, 0, -x * x / 2 - log_mass - HALF_LOG))
    gap = x + hazard
    variance = np.clip(1 - hazard * np.where(far, 0, gap), 0, 1)
    if far.any():
        y = -1 / x[far]
        gap[far] = y - 2 * y**3 + 10 * y**5
        variance[far] = y**2 - 6 * y**4 + 50 * y**6
    return Truncated(log_mass, top - std * gap, variance * std**2)


def within(half: Array, mean: Array, std: Array) -> Truncated:
    """Return the moments of N(mean, std²) between −half and half.

    Shapes broadcast; std and half are positive.
    """
    from scipy.special import log_ndtr

    # By symmetry the mean may be made positive: the upper end is then the likelier one.
    x = np.clip((half - np.abs(mean)) / std, -LARGEST, LARGEST)
    width = np.minimum(2 * half / std, LARGEST)
    hard = (width < NARROW) | (x < TAIL_BOTH)
    high = np.where(hard, 0, x)
    low = np.where(hard, -1, x - width)
    upper = log_ndtr(high)
    log_mass = upper + np.log1p(-np.exp(log_ndtr(low) - upper))
    at_high = np.exp(-high * high / 2 - log_mass - HALF_LOG)
    at_low = np.exp(-low * low / 2 - log_mass - HALF_LOG)
    shift = at_low - at_high
    variance = 1 + low * at_low - high * at_high - shift**2
    gap = x - shift
    if hard.any():
        moments = _by_quadrature(x[hard], np.broadcast_to(width, x.shape)[hard])
        log_mass[hard], gap[hard], variance[hard] = moments
    inside = np.copysign(np.maximum(half - std * gap, -half), mean)
    return Truncated(log_mass, inside, np.clip(variance, 0, 1) * std**2)


def _by_quadrature(x: Array, width: Array) -> tuple[Array, Array, Array]:
    """Return log mass, gap from the mean to the upper end and variance of N(0, 1) in an interval.

    The interval is [x − width, x].
    """
    length = np.minimum(width, FOLDS / np.maximum(-x, 1))
    t = length[:, None] * (NODES + 1) / 2
    weight = WEIGHTS * np.exp(t * (x[:, None] - t / 2))
    total = weight.sum(axis=1)
    gap = np.sum(weight * t, axis=1) / total
    variance = np.sum(weight * (t - gap[:, None]) ** 2, axis=1) / total
    return -x * x / 2 - HALF_LOG + np.log(total * length / 2), gap, variance
