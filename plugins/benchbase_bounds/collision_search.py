"""A search for collisions: pairs of signals with the same representation (Proposition 2.8)."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.representation import Operator


def find_collision(
    operator: Operator, rng: np.random.Generator, *, starts: int = 64, n_iter: int = 60
) -> tuple[Array, Array] | None:
    """Look for two signals with the same representation, by Gauss-Newton steps.

    R(x) = R(y) is solved for pairs of unit norm from random starts. Each step is the shortest
    solution of the linearised equation, cut to a quarter of the pair's norm. If R is piecewise
    linear, a few steps are enough. Only the short steps keep the signals of a pair apart, and pairs
    whose signals meet do not count.

    Parameters
    ----------
    operator : Operator
        The representation.
    rng : numpy.random.Generator
        Source of the starts.
    starts, n_iter : int, optional
        The numbers of starts and of steps.

    Returns
    -------
    tuple of two ndarrays, shape (N,), or None
        x and y with ‖R(x) − R(y)‖ ≤ 1e-10 λ₊(F) at a distance of at least 1e-3, both relative to
        √(‖x‖² + ‖y‖²). None if no start led to such a pair, which proves nothing.
    """
    n = operator.n
    z = rng.standard_normal((starts, 2 * n))
    scale = float(np.linalg.norm(operator.vectors.reshape(-1, n), ord=2))
    for _ in range(n_iter):
        if operator.homogeneous:
            z /= np.linalg.norm(z, axis=1, keepdims=True)
        x, y = z[:, :n], z[:, n:]
        gap = operator(x) - operator(y)
        size = np.linalg.norm(z, axis=1)
        apart = operator.distance(x, y) > 1e-3 * size
        hit = apart & (np.linalg.norm(gap, axis=1) <= 1e-10 * scale * size)
        if hit.any():
            index = int(np.argmax(hit))
            return x[index], y[index]
        z = z[apart]
        if not len(z):
            return None
        jacobian = np.concatenate([operator.jacobian(x), -operator.jacobian(y)], axis=2)[apart]
        step = -np.einsum("sik,sk->si", np.linalg.pinv(jacobian, rcond=1e-10), gap[apart])
        length = np.linalg.norm(step, axis=1) / size[apart]
        z = z + step / np.maximum(4 * length, 1)[:, None]
    return None
