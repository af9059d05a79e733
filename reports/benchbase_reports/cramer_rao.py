"""The Cramér-Rao bound: the least error of an unbiased estimate from noisy measurements."""

from __future__ import annotations

import numpy as np

from benchbase import Array, Problem

_STEP = 1e-6  # of finite differences, relative to a pool's largest coefficient
_RANK = 1e-7  # singular values below this, relative to the largest, are rounding


def cramer_rao(problem: Problem, x: Array, sigma: float | Array) -> Array:
    """Return the least root mean square error ‖x̂ − x‖ of unbiased estimates.

    It is √(σ² tr((JᵀJ)⁻¹)), where J is the Jacobian of the measurements and white Gaussian noise of
    standard deviation σ is on each of them (Kay, "Fundamentals of statistical signal processing:
    estimation theory", 1993, section 3.9). Row k of J is the gradient of pool k. Of a half
    rectified pool only the active members count; a pool without any has a gradient of zero.

    Parameters
    ----------
    problem : Problem
        A real frame and a pooling.
    x : ndarray, shape (S, N)
        The signals.
    sigma : float or ndarray, shape (S,)
        The standard deviation σ of the noise.

    Returns
    -------
    ndarray, shape (S,)
        Infinite if the rank of J is below N, because nearby signals then have the same
        measurements to first order. NaN for complex frames.
    """
    if problem.frame.is_complex:
        return np.full(len(x), np.nan)
    bound = np.full(len(x), np.inf)
    if problem.frame.n_pools < problem.frame.n or not len(x):
        return bound
    values = np.linalg.svd(jacobian(problem, x), compute_uv=False)
    full = values[:, -1] > _RANK * values[:, 0]
    trace = np.sum(values[full] ** -2.0, axis=1)
    bound[full] = np.broadcast_to(sigma, len(x))[full] * np.sqrt(trace)
    return bound


def jacobian(problem: Problem, x: Array) -> Array:
    """Return the derivatives of measurements, (S, K, N), by central differences.

    Parameters
    ----------
    problem : Problem
        A real frame, and a pooling whose value for a pool depends on that pool alone.
    x : ndarray, shape (S, N)
        The signals.
    """
    frame, pooling = problem.frame, problem.pooling
    c = frame.analyse(x)
    largest = np.abs(c).max(axis=-2)
    step = _STEP * np.where(largest > 0, largest, 1.0)
    vectors = frame.analyse(np.eye(frame.n))  # (N, L, K)
    total = np.zeros((*x.shape[:-1], frame.n_pools, frame.n))
    for member in range(frame.pool_size):
        up, down = c.copy(), c.copy()
        up[..., member, :] += step
        down[..., member, :] -= step
        gap = up[..., member, :] - down[..., member, :]  # as rounded
        slope = (pooling(up) - pooling(down)) / gap
        total += slope[..., None] * vectors[:, member, :].T
    return total
