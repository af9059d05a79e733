"""The upper end of A for ℓ2: Proposition 2.4 in closed form, by alternation and by L-BFGS."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.frame_operators import least_eigenvectors
from benchbase_bounds.representation import Operator

_TINY = float(np.finfo(np.float64).tiny)


def upper_end(operator: Operator, *, seed: int, starts: int) -> tuple[float, tuple[Array, Array]]:
    """Return the upper end of A for ℓ2 pooling and the pair of signals that attains it.

    With u = x + x′, v = x − x′, s_k = ‖F_kᵀu‖² + ‖F_kᵀv‖² and t_k = ⟨F_kᵀu, F_kᵀv⟩,

        A² = min over ‖u‖ = ‖v‖ = 1 of Σ_k ½ (s_k − √(s_k² − 4t_k²))

    (Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014, Proposition
    2.4, whose minimum over projectors this is in closed form; tight). Alternation and L-BFGS
    minimise it, each from the same random starts, and then in turns from the best results of both.

    Parameters
    ----------
    operator : Operator
        With p = 2, without rectification.
    seed, starts : int
        Seed and number of the starts.
    """
    vectors = operator.vectors
    u, v = np.random.default_rng(seed).standard_normal((2, starts, operator.n))
    candidates = np.concatenate([alternate(vectors, u, v), descend(vectors, u, v)])
    candidates = candidates[np.argsort(values(vectors, *candidates.transpose(1, 0, 2)))]
    best = candidates[: max(2, starts // 8)]
    for _ in range(2):  # each method goes on where the other had stopped
        best = alternate(vectors, *descend(vectors, *best.transpose(1, 0, 2)).transpose(1, 0, 2))
    candidates = np.concatenate([candidates, best])
    x, y = candidates.sum(axis=1) / 2, (candidates[:, 0] - candidates[:, 1]) / 2
    ratios = operator.ratio(x, y)
    index = int(ratios.argmin())
    return float(ratios[index]), (x[index], y[index])


def values(vectors: Array, u: Array, v: Array) -> Array:
    """Return Σ_k ½ (s_k − √(s_k² − 4t_k²)) at unit vectors along u and v.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame.
    u, v : ndarray, shape (S, N)
        Any vectors other than zero.

    Returns
    -------
    ndarray, shape (S,)
    """
    a, b = (_coefficients(vectors, _unit(z)) for z in (u, v))
    s, t, root = _parts(a, b)
    total: Array = np.sum(2 * t**2 / np.maximum(s + root, _TINY), axis=-1)
    return total


def alternate(vectors: Array, u: Array, v: Array, *, most: int = 100) -> Array:
    """Lower the value by turns, from starts u and v.

    The value is the least of Σ_k ‖Π_k F_kᵀu‖² + ‖(I − Π_k) F_kᵀv‖² over projectors. Π_k projects
    onto the direction in which F_kᵀ(uuᵀ − vvᵀ)F_k is negative, if there is one. For given
    projectors, u and v are least eigenvectors. No turn raises the value.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame.
    u, v : ndarray, shape (S, N)
        Starts.
    most : int, optional
        The largest number of turns.

    Returns
    -------
    ndarray, shape (S, 2, N)
        Unit vectors u and v.
    """
    pair = np.stack([_unit(u), _unit(v)], axis=1)
    flat = vectors.reshape(-1, vectors.shape[-1])
    whole = flat.T @ flat
    before = np.full(len(pair), np.inf)
    moving = np.arange(len(pair))
    for _ in range(most):
        a, b = (_coefficients(vectors, pair[moving, i]) for i in (0, 1))
        difference = a[..., :, None] * a[..., None, :] - b[..., :, None] * b[..., None, :]
        least, direction = np.linalg.eigh(difference)
        negative = np.where(least[..., :1] < 0, direction[..., 0], 0.0)
        kept = np.einsum("skl,kln->skn", negative, vectors)
        inside = kept.transpose(0, 2, 1) @ kept
        value, new_u = least_eigenvectors(inside)
        other, new_v = least_eigenvectors(whole - inside)
        pair[moving] = np.stack([new_u, new_v], axis=1)
        now = value + other
        falling = now < before[moving] * (1 - 1e-9) - 1e-14 * np.trace(whole)
        before[moving] = now
        moving = moving[falling]
        if not moving.size:
            break
    return pair


def descend(vectors: Array, u: Array, v: Array) -> Array:
    """Lower the value by L-BFGS, from starts u and v.

    Arguments and result are those of `alternate`.
    """
    from scipy.optimize import minimize

    n = vectors.shape[-1]
    found = np.empty((len(u), 2, n))
    for i, start in enumerate(np.concatenate([_unit(u), _unit(v)], axis=1)):
        end = minimize(
            partial(_value_and_gradient, vectors),
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 400, "ftol": 1e-15, "gtol": 1e-10},
        )
        found[i] = _unit(end.x.reshape(2, n))
    return found


def _value_and_gradient(vectors: Array, z: Array) -> tuple[float, Array]:
    """Return the value at unit vectors along u and v, z = (u, v), and its gradient, (2N,)."""
    u, v = z.reshape(2, -1)
    lengths = np.linalg.norm(u), np.linalg.norm(v)
    units = u / lengths[0], v / lengths[1]
    a, b = (vectors @ z for z in units)
    s, t, root = _parts(a, b)
    value = float(np.sum(2 * t**2 / np.maximum(s + root, _TINY)))
    safe = np.maximum(root, 1e-12 * np.maximum(s, _TINY))[:, None]  # a kink where root = 0
    by_a = a - (s[:, None] * a - 2 * t[:, None] * b) / safe
    by_b = b - (s[:, None] * b - 2 * t[:, None] * a) / safe
    gradients = []
    for by, unit, length in zip((by_a, by_b), units, lengths, strict=True):
        gradient = np.einsum("kl,kln->n", by, vectors)
        gradients.append((gradient - (gradient @ unit) * unit) / length)
    return value, np.concatenate(gradients)


def _coefficients(vectors: Array, z: Array) -> Array:
    """Return F_kᵀz: (S, N) to (S, K, L)."""
    n_pools, size, n = vectors.shape
    return (z @ vectors.reshape(-1, n).T).reshape(len(z), n_pools, size)


def _parts(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return s, t and √(s² − 4t²) = ‖a + b‖ ‖a − b‖ of pools, over the last axis."""
    s = np.sum(a**2 + b**2, axis=-1)
    t = np.sum(a * b, axis=-1)
    return s, t, np.sqrt(np.maximum((s + 2 * t) * (s - 2 * t), 0))


def _unit(z: Array) -> Array:
    unit: Array = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return unit
