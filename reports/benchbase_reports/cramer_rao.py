"""The Cramér-Rao bound: what no unbiased estimate of a signal from noisy measurements beats."""

from __future__ import annotations

import numpy as np

from benchbase import Array, Problem

_STEP = 1e-6  # of finite differences, relative to a pool's largest coefficient
_RANK = 1e-7  # singular values below this, relative to the largest, are those of a step's rounding


def cramer_rao(problem: Problem, x: Array, sigma: float | Array) -> Array:
    """Return the least root mean square error ‖x̂ − x‖ of unbiased estimates.

    √(σ² tr((JᵀJ)⁻¹)) with J the Jacobian of the measurements, for white Gaussian noise of standard
    deviation σ on each (Kay, "Fundamentals of statistical signal processing: estimation theory",
    1993, section 3.9). Row k of J is the gradient of pool k: of a half rectified pool only its
    active members count, and one that is not active says nothing.

    Parameters
    ----------
    problem : Problem
        Real frame, and pooling.
    x : ndarray, shape (S, N)
        The signals.
    sigma : float or ndarray, shape (S,)
        σ.

    Returns
    -------
    ndarray, shape (S,)
        Infinity where J has a rank below N, as its nearby signals have the same measurements to
        first order; NaN for complex frames.
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
        Real frame, and pooling, whose number for a pool depends on that pool alone.
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
