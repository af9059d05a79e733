"""Least squares on a sphere, for batches of signals."""

import numpy as np

from benchbase import Array

STEPS = 60  # of Newton's method, which converges quadratically, from one side; 5 to 10 are common
TINY = 1e-14  # share of the largest possible gradient below which a direction counts as not seen


def on_sphere(eigenvalues: Array, g: Array, x: Array, radius: Array) -> Array:
    """Return the z with ‖z‖ = radius and the least Σ λᵢ zᵢ² − 2 gᵢ zᵢ.

    The solution is zᵢ = gᵢ / (λᵢ + μ) with the μ > −λ₁ for which the norm is right, where λ₁ is the
    least eigenvalue (Forsythe and Golub, "On the stationary values of a second-degree polynomial on
    the unit sphere", 1965). 1 / ‖z(μ)‖ is concave and increasing in μ, so that Newton's method on
    it comes to 1 / radius from below without passing it (Conn, Gould and Toint, "Trust-region
    methods", 2000, section 7.3.3). If g has no part in the direction of λ₁, there may be no such
    μ; z then takes what it lacks from that direction, with the sign of x.

    Parameters
    ----------
    eigenvalues : ndarray, shape (R,) or (S, R)
        λ, at least zero, in ascending order.
    g : ndarray, shape (S, R)
        The linear part.
    x : ndarray, shape (S, R)
        Vectors whose first column gives the signs; its other columns are not used.
    radius : ndarray, shape (S,)
        The norms of the solutions, positive.

    Returns
    -------
    ndarray, shape (S, R)
    """
    least = eigenvalues[..., :1]
    gaps = eigenvalues - least  # with ν = μ + λ₁, λᵢ + μ = gapᵢ + ν, a sum that loses no digits
    size = radius[:, None]
    limit = TINY * (np.abs(g).max(axis=1) + eigenvalues[..., -1] * radius)
    limit = np.maximum(limit, 1e-150)  # the square of 1e-150 does not vanish
    g = g.copy()
    hidden = np.abs(g[:, 0]) < limit
    g[hidden, 0] = np.copysign(limit, x[:, 0])[hidden]
    nu = (np.abs(g) / size - gaps).max(axis=1)
    for _ in range(STEPS):
        z = g / (gaps + nu[:, None])
        square = np.einsum("sr,sr->s", z, z)
        slope = np.einsum("sr,sr->s", z, z / (gaps + nu[:, None]))
        step = square / slope * (np.sqrt(square) / radius - 1)
        if not (step > 1e-15 * nu).any():
            break
        nu += np.maximum(step, 0)
    z = g / (gaps + nu[:, None])
    # Newton's method leaves the norm right up to rounding; this removes the rest.
    solution: Array = z * (size / np.linalg.norm(z, axis=1, keepdims=True))
    return solution
