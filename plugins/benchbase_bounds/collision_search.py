"""Is a pooling representation injective? Conditions on frames, and a search for collisions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np

from benchbase import Array, Pooling
from benchbase_bounds.geometry.rational import rank
from benchbase_bounds.representation import Operator

_SAFE = 1e-9  # relative singular values above it are not zero, whatever the rounding
_CHUNK = 4096


def spark(vectors: Array, *, most: int = 200_000) -> int | None:
    """Return the least number of linearly dependent vectors, M + 1 where there are none.

    A frame has full spark if this is N + 1.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    most : int, optional
        The largest number of subsets to test.

    Returns
    -------
    int or None
        None where `most` is not enough.
    """
    m, n = int(vectors.shape[0]), int(vectors.shape[1])
    for size in range(1, min(m, n) + 1):
        if comb(m, size) > most:
            return None
        if any(bool(dependent.any()) for _, dependent in _subsets(vectors, size)):
            return size
    return int(min(m, n)) + 1


def has_complement_property(vectors: Array, *, most: int = 200_000) -> bool | None:
    """Say whether of every subset and its complement one spans R^N.

    It holds if and only if the phaseless map is injective (Balan, Casazza and Edidin, "On signal
    reconstruction without phase", 2006; Proposition 2.1 has its Lipschitz form). A subset that
    does not span lies in a hyperplane that N − 1 independent vectors span, or that fewer leave
    open; so the vectors off each such hyperplane must span.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame.
    most : int, optional
        The largest number of hyperplanes to go through.

    Returns
    -------
    bool or None
        None where `most` is not enough.
    """
    vectors = vectors[np.abs(vectors).max(axis=1) > 0]
    m, n = vectors.shape
    if m < 2 * n - 1 or not _spans(vectors):
        return False
    if n == 1:
        return True
    if comb(m, n - 1) > most:
        return None
    for subsets, dependent in _subsets(vectors, n - 1):
        for subset in subsets[~dependent]:
            off = np.array([not _lies_in(vectors[subset], vector) for vector in vectors])
            if not _spans(vectors[off]):
                return False
    return True


@dataclass(frozen=True)
class Count:
    """How many pools generic frames need, by dimensions.

    Attributes
    ----------
    necessary : int
        With fewer pools a collision is to be expected of every frame.
    sufficient : int
        With as many, generic frames are injective.
    stated : int
        The number 4N of Proposition 2.8.
    """

    necessary: int
    sufficient: int
    stated: int


def dimension_count(n: int, pooling: Pooling, pool_size: int) -> Count | None:
    """Return the numbers of pools at which collisions appear and disappear.

    K equations in pairs of signals, which have 2N unknowns, one of them their common scale:
    collisions are to be expected for K ≤ 2N − 2. The pieces of p = 1 and p = ∞ are linear, and
    generically two of them meet in 0 alone for K ≥ 2N; the squares of p = 2 need 2N − 1, as
    the phaseless map does. Proposition 2.8 of Bruna, Szlam and LeCun, "Signal recovery from
    pooling representations", ICML 2014, has 4N: true, not sharp.

    Parameters
    ----------
    n : int
        N.
    pooling : Pooling
        An lp pooling.
    pool_size : int
        L; pools of one are the phaseless map, whatever p.

    Returns
    -------
    Count or None
        None for rectified poolings, where the number of active pools changes with the signal, and
        for poolings that keep signs.
    """
    if pooling.rectified or pooling.p is None:
        return None
    quadratic = pooling.p == 2 or pool_size == 1
    return Count(2 * n - 1, 2 * n - 1 if quadratic else 2 * n, 4 * n)


def find_collision(
    operator: Operator, rng: np.random.Generator, *, starts: int = 64, n_iter: int = 60
) -> tuple[Array, Array] | None:
    """Look for two signals with the same representation, by Gauss-Newton steps.

    R(x) = R(y) is solved in pairs of unit norm from random starts, the shortest step first, cut to
    a quarter; where R is piecewise linear it ends in a few steps. Pairs of one start at a distance
    are kept away from each other by that step alone, and those that meet do not count.

    Parameters
    ----------
    operator : Operator
        The representation.
    rng : numpy.random.Generator
        Source of the starts.
    starts, n_iter : int, optional
        Starts, and steps.

    Returns
    -------
    x, y : ndarray, shape (N,), or None
        ‖R(x) − R(y)‖ ≤ 1e-10 ‖R‖ at a distance of at least 1e-3 (‖x‖² + ‖y‖² = 1); None where no
        start led to such a pair, which proves nothing.
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


def _subsets(vectors: Array, size: int) -> Iterator[tuple[Array, Array]]:
    """Yield all subsets of so many vectors, (S, size), and which are linearly dependent, (S,)."""
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
    choices = itertools.combinations(range(len(vectors)), size)
    while chunk := list(itertools.islice(choices, _CHUNK)):
        subsets = np.array(chunk)
        least = np.linalg.svd(units[subsets], compute_uv=False)[:, -1]
        dependent = least < _SAFE
        for row in np.flatnonzero(dependent):
            dependent[row] = rank(vectors[subsets[row]]) < size
        yield subsets, dependent


def _spans(vectors: Array) -> bool:
    """Say whether vectors (M, N) span R^N."""
    n = vectors.shape[1]
    if len(vectors) < n:
        return False
    sizes = np.linalg.svd(vectors, compute_uv=False)
    return bool(sizes[-1] > _SAFE * sizes[0]) or rank(vectors) == n


def _lies_in(subset: Array, vector: Array) -> bool:
    """Say whether a vector lies in the span of independent ones, (N − 1, N)."""
    stacked = np.vstack([subset, vector])
    stacked = stacked / np.linalg.norm(stacked, axis=1, keepdims=True)
    if np.linalg.svd(stacked, compute_uv=False)[-1] > _SAFE:
        return False
    return rank(np.vstack([subset, vector])) < len(stacked)
