"""Moments of normal variables that are restricted to a sphere or to a quarter of a circle."""

from typing import NamedTuple

import numpy as np

from benchbase import Array

LARGE = 1e6  # the concentration above which an expansion takes over; its error is below 1e-12
FALL = 20.0  # the density of an arc counts as zero below exp(−20) times its largest value
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)  # with FALL, the error of a variance is 2e-6
EIGHTH = np.pi / 8


def mean_length(concentration: Array, size: int) -> tuple[Array, Array]:
    """Return the length A of the mean of unit vectors with density exp(κ·⟨m, u⟩), and 1 − A².

    This is the von Mises-Fisher distribution on the sphere of R^L, for which
    A = I_{L/2}(κ) / I_{L/2−1}(κ) (Mardia and Jupp, "Directional Statistics", 2000, section 9.3.2).
    For L = 1, A is tanh κ.

    Parameters
    ----------
    concentration : ndarray
        κ, at least zero.
    size : int
        L, at least 1.
    """
    from scipy.special import i0e, i1e, ive

    if size == 1:
        small = np.exp(-2 * np.minimum(concentration, 350))
        return np.tanh(concentration), 4 * small / (1 + small) ** 2
    large = concentration > LARGE
    kappa = np.minimum(concentration, LARGE)
    if size == 2:
        length = i1e(kappa) / i0e(kappa)
    else:
        # For the smallest concentrations the Bessel functions vanish; two terms are enough there.
        tiny = kappa**2 < 1e-6 * size
        safe = np.where(tiny, 1.0 + size, kappa)
        ratio = ive(size / 2, safe) / ive(size / 2 - 1, safe)
        length = np.where(tiny, kappa / size * (1 - kappa**2 / (size * (size + 2))), ratio)
    rest = (1 - length) * (1 + length)
    if large.any():
        half = (size - 1) / (2 * concentration[large])
        length[large] = 1 - half
        rest[large] = half * (2 - half)
    return length, rest


class Arc(NamedTuple):
    """Moments on an arc: log mass, means of cosine and sine, and the sum of their variances.

    All four have the same shape.
    """

    log_mass: Array
    cosine: Array
    sine: Array
    variance: Array


def quarter(concentration: Array, angle: Array) -> Arc:
    """Return the moments of angles θ in [0, π/2] with the density exp(κ·(cos(θ − angle) − 1)).

    If the density is negligible outside the quarter, these are the moments of the von Mises
    distribution. Otherwise they are computed by Gauss-Legendre quadrature on each half of the
    quarter, over the part of it where the density is not negligible.

    Parameters
    ----------
    concentration : ndarray, shape (M,)
        κ, at least zero.
    angle : ndarray, shape (M,)
        The angle of the peak, between −π and π.
    """
    from scipy.special import i0e

    to_end = np.minimum(angle, np.pi / 2 - angle)
    whole = (to_end > 0) & (2 * concentration * np.sin(to_end / 2) ** 2 > FALL)
    length, rest = mean_length(concentration, 2)
    log_mass = np.log(2 * np.pi * i0e(concentration))
    arc = Arc(log_mass, length * np.cos(angle), length * np.sin(angle), rest)
    if not whole.all():
        cut = _by_quadrature(concentration[~whole], angle[~whole])
        for moment, values in zip(arc, cut, strict=True):
            moment[~whole] = values
    return arc


def _by_quadrature(concentration: Array, angle: Array) -> Arc:
    """Return the moments on the quarter for any concentrations (M,) and angles (M,)."""
    halves = [_nodes(concentration, angle, middle) for middle in (EIGHTH, 3 * EIGHTH)]
    log_density, measure, cosine, sine = (
        np.concatenate(parts) for parts in zip(*halves, strict=True)
    )
    top = log_density.max(axis=0)
    weight = measure * np.exp(log_density - top)
    total = weight.sum(axis=0)
    weight /= total
    c, s = np.sum(weight * cosine, axis=0), np.sum(weight * sine, axis=0)
    variance = np.sum(weight * ((cosine - c) ** 2 + (sine - s) ** 2), axis=0)
    return Arc(top + np.log(total), c, s, variance)


def _nodes(kappa: Array, angle: Array, middle: float) -> tuple[Array, Array, Array, Array]:
    """Return nodes on the half of the arc around `middle`: log density, measure, cosine, sine.

    The nodes are values of t = sin(δ/2), where δ is the angle from the highest point of the half;
    this needs no trigonometric function at a node. The first axis of the arrays is the node.
    """
    off = np.mod(angle - middle + np.pi, 2 * np.pi) - np.pi
    place = np.clip(off, -EIGHTH, EIGHTH)  # of the highest point on this half
    beyond = (place - off) / 2  # half the angle from that point to the peak; 0 for a peak inside
    sine, cosine = np.sin(beyond), np.cos(beyond)
    # The log density falls by FALL within the smaller of two distances, one for a peak inside and
    # one for a peak outside.
    inside = np.sqrt(FALL / 2 / np.maximum(kappa, FALL))
    slope = kappa * np.abs(2 * sine * cosine)
    reach = np.minimum(inside, FALL / 2 / np.maximum(slope, FALL))
    low = np.maximum(-reach, np.sin((-EIGHTH - place) / 2))
    high = np.minimum(reach, np.sin((EIGHTH - place) / 2))
    t = low + (high - low) * ((1 + NODES) / 2)[:, None]
    u = np.sqrt(1 - t * t)
    log_density = -2 * kappa * (t * cosine + u * sine) ** 2
    measure = (high - low) * WEIGHTS[:, None] / u  # dδ = 2 dt / cos(δ/2)
    turn, rise = 2 * t * u, 1 - 2 * t * t  # sine and cosine of δ
    c, s = np.cos(middle + place), np.sin(middle + place)
    return log_density, measure, c * rise - s * turn, s * rise + c * turn
