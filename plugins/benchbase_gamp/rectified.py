"""Posterior moments of half rectified pools, and of the signed maximum."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from benchbase import Array
from benchbase_gamp.circle import quarter
from benchbase_gamp.truncated import below, within

TINY = 1e-100  # takes the place of b = 0, for which an arc would have no length
ROOT = np.sqrt(2 * np.pi)
NEGATIVE = -7.0  # standard deviations: if a member's p is below this, only the other is active


class Posterior(NamedTuple):
    """The posterior of coefficients u ~ N(p, v·I) given b, as `benchbase_gamp.outputs` defines it.

    Attributes
    ----------
    mean : ndarray, shape (S, L, K)
        The means.
    variance : ndarray, shape (S, K)
        The variances, averaged over the members of a pool.
    log_mass : ndarray, shape (S, K)
        The logarithm of the density of the pool's value at b.
    """

    mean: Array
    variance: Array
    log_mass: Array


Active: TypeAlias = Callable[[Array, Array, Array], Posterior]
"""The posterior given b > 0, from p (S, L, K), v (S, 1) and b (S, K)."""


def largest(p: Array, v: Array, b: Array) -> Posterior:
    """Return the posterior on max u_j = b: one member is b, and the others are below."""
    std, top = np.sqrt(v)[:, :, None], b[:, None]
    other = below(top, p, std)
    log_weight = -(((top - p) / std) ** 2) / 2 - other.log_mass
    peak = log_weight.max(axis=1)
    at = np.exp(log_weight - peak[:, None])
    total = at.sum(axis=1)
    at /= total[:, None]
    rest = left_by(at)
    mean = at * top + rest * other.mean
    variance = rest * (other.variance + at * (top - other.mean) ** 2)
    log_mass = other.log_mass.sum(axis=1) + peak + np.log(total) - np.log(ROOT * std[:, 0])
    return Posterior(mean, variance.mean(axis=1), log_mass)


def positive_sum(p: Array, v: Array, b: Array) -> Posterior:
    """Return the posterior on ρ(u_1) + ρ(u_2) = b, for pairs.

    This set is a segment between (b, 0) and (0, b), and two half lines beyond its ends.
    """
    std = np.sqrt(v)
    half, middle = np.maximum(b, TINY) / 2, (p[:, 0] - p[:, 1]) / 2
    segment = within(half, middle, std / 2**0.5)
    along = np.stack((half + segment.mean, half - segment.mean), axis=1)
    distance = (p[:, 0] + p[:, 1] - b) / std
    # The density of u_1 + u_2 at b, in units of 1 / (ROOT · std), times the segment's share.
    log_mass = segment.log_mass - distance**2 / 4 - np.log(2) / 2
    return _with_half_lines(p, std, b, Posterior(along, 2 * segment.variance, log_mass))


def positive_circle(p: Array, v: Array, b: Array) -> Posterior:
    """Return the posterior on ‖ρ(u)‖ = b, for pairs.

    This set is a quarter of a circle, and two half lines beyond its ends.
    """
    std, radius = np.sqrt(v), np.maximum(b, TINY)
    length = np.hypot(p[:, 0], p[:, 1])
    # A p with a negative member is nearer to a half line, which begins where the arc ends: the arc
    # is computed only for the other p.
    near = np.nonzero(p.min(axis=1) > NEGATIVE * std)
    arc = quarter((radius * (length / v))[near], np.arctan2(p[:, 1], p[:, 0])[near])
    along, spread, log_mass = np.zeros_like(p), np.zeros_like(b), np.full_like(b, -np.inf)
    along[near[0], :, near[1]] = radius[near][:, None] * np.stack((arc.cosine, arc.sine), axis=1)
    spread[near] = radius[near] ** 2 * arc.variance
    log_mass[near] = arc.log_mass
    log_mass += np.log(radius / (ROOT * std)) - ((length - radius) / std) ** 2 / 2
    return _with_half_lines(p, std, b, Posterior(along, spread, log_mass))


def _with_half_lines(p: Array, std: Array, b: Array, both: Posterior) -> Posterior:
    """Mix the posterior of two positive members with that of one member at b, the other negative.

    `both` is the posterior of two positive members. Its variance is the sum over the two members,
    and its mass is in units of 1 / (ROOT · std). In these units a half line has the probability of
    the negative member times exp(−d²/2), where d is its distance from p in standard deviations.
    """
    other = below(np.zeros(1), p, std[:, :, None])  # the moments of member j if it is negative
    line = -(((b[:, None] - p[:, ::-1]) / std[:, :, None]) ** 2) / 2 + other.log_mass
    logs = np.concatenate((both.log_mass[:, None], line), axis=1)
    peak = logs.max(axis=1)
    weight = np.exp(logs - peak[:, None])
    total = weight.sum(axis=1)
    weight /= total[:, None]
    inside, low = weight[:, :1], weight[:, 1:]
    high = low[:, ::-1]  # the weight of member j being the one at b
    mean = inside * both.mean + low * other.mean + high * b[:, None]
    spread = inside * (both.mean - mean) ** 2 + high * (b[:, None] - mean) ** 2
    spread += low * ((other.mean - mean) ** 2 + other.variance)
    variance = (spread.sum(axis=1) + weight[:, 0] * both.variance) / 2
    return Posterior(mean, variance, peak + np.log(total) - np.log(ROOT * std))


def inactive(p: Array, v: Array) -> Posterior:
    """Return the posterior of members that are all at most zero; its mass is their probability."""
    off = below(np.zeros(1), p, np.sqrt(v)[:, :, None])
    return Posterior(off.mean, off.variance.mean(axis=1), off.log_mass.sum(axis=1))


def mixed(one: Posterior, other: Posterior) -> Posterior:
    """Return the mixture of two posteriors by their masses; its own log mass has no meaning."""
    peak = np.maximum(one.log_mass, other.log_mass)
    a, b = np.exp(one.log_mass - peak), np.exp(other.log_mass - peak)
    a, b = a / (a + b), b / (a + b)
    mean = a[:, None] * one.mean + b[:, None] * other.mean
    apart = np.mean((one.mean - other.mean) ** 2, axis=1)
    return Posterior(mean, a * one.variance + b * other.variance + a * b * apart, peak)


def left_by(weight: Array) -> Array:
    """Return the weight that each member j leaves to the others, Σ_{i≠j} w_i, for w (S, L, K)."""
    rest: Array = weight[:, ::-1] if weight.shape[1] == 2 else np.maximum(1 - weight, 0)
    return rest
