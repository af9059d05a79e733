"""Least ratios of pairs of cones on which a representation is linear.

On cones C and C' with Jacobians J and J', R(x) − R(y) = Jx − J'y. The least ‖Jx − J'y‖/‖x − y‖ over
the spans of the cones is a singular value, a lower bound of that over the cones.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchbase import Array
from benchbase_bounds.fans import Fan

_ZERO, _CLEAR = 1e-12, 1e-7  # singular values between these are neither zero nor not
_EPS = 1e-13  # rounding of singular values, relative to the norm of what they are of
_INSIDE = 1e-10  # a sine by which a point may be outside of a cone
_CHUNK = 4096


def full_bounds(J: Array, J2: Array) -> Array:
    """Return certified lower bounds of ‖Jx − J'y‖/‖x − y‖ over all x and y.

    With u = x + y and v = x − y the difference is ½(J − J')u + ½(J + J')v: what is left of the
    second matrix beside the range of the first has the bound for its least singular value.

    Parameters
    ----------
    J, J2 : ndarray, shape (P, M, N)
        Pairs of Jacobians.

    Returns
    -------
    ndarray, shape (P,)
    """
    found = np.zeros(len(J))
    if J.shape[1] < J.shape[2]:
        return found
    for start in range(0, len(J), _CHUNK):
        part = slice(start, start + _CHUNK)
        half, mean = 0.5 * (J[part] - J2[part]), 0.5 * (J[part] + J2[part])
        scale = np.linalg.norm(J[part], axis=(1, 2)) + np.linalg.norm(J2[part], axis=(1, 2))
        scale = np.where(scale > 0, scale, 1.0)
        left, values, _ = np.linalg.svd(half, full_matrices=False)
        sizes = values / scale[:, None]
        kept = sizes > _ZERO
        left = left * kept[:, None, :]
        rest = mean - left @ (left.transpose(0, 2, 1) @ mean)
        least = np.linalg.svd(rest, compute_uv=False)[:, -1]
        smallest = np.where(kept, sizes, 1.0).min(axis=1)
        least -= _EPS * scale * (1.0 + 1.0 / smallest)
        found[part] = np.where(smallest > _CLEAR, np.maximum(least, 0.0), 0.0)
    return found


def even_bounds(J: Array, J2: Array, n_steps: int = 24) -> Array:
    """Return certified lower bounds of ‖Jx − J'y‖/min(‖x − y‖, ‖x + y‖) over all x and y.

    The root of the largest μ₁ + μ₂ with Q ⪰ diag(μ₁I, μ₂I), both at least 0, where Q is the form
    ‖Jx − J'y‖² in u = x + y and v = x − y: a concave function of μ₁, maximised by golden sections.

    Parameters
    ----------
    J, J2 : ndarray, shape (P, M, N)
        Pairs of Jacobians.
    n_steps : int, optional
        Sections.

    Returns
    -------
    ndarray, shape (P,)
    """
    n = J.shape[2]
    rows = 0.5 * np.concatenate([J - J2, J + J2], axis=2)
    Q = rows.transpose(0, 2, 1) @ rows
    trace = np.trace(Q, axis1=1, axis2=2)
    margin = _EPS * 10 * (n + J.shape[1]) * trace

    def second(first: Array) -> Array:
        """Return the largest μ₂ for given μ₁, or less: Q − diag(μ₁I, 0) has a Schur complement."""
        shifted = Q[:, :n, :n] - first[:, None, None] * np.eye(n)
        values, vectors = np.linalg.eigh(shifted)
        mixed = vectors.transpose(0, 2, 1) @ Q[:, :n, n:]
        values = np.maximum(values, margin[:, None])
        rest = Q[:, n:, n:] - mixed.transpose(0, 2, 1) @ (mixed / values[:, :, None])
        least: Array = np.linalg.eigvalsh(rest)[:, 0]
        return least

    low = np.zeros(len(Q))
    high = np.maximum(np.linalg.eigvalsh(Q[:, :n, :n])[:, 0], 0.0)
    golden = 0.5 * (np.sqrt(5.0) - 1.0)
    for _ in range(n_steps):
        a, b = high - golden * (high - low), low + golden * (high - low)
        left = a + second(a) > b + second(b)
        high, low = np.where(left, b, high), np.where(left, low, a)
    first = 0.5 * (low + high)
    both = np.stack([first, second(first)])
    # What was found is checked as it stands: by how much Q falls short of it is taken off both.
    shift = np.repeat(both.T, n, axis=1)[:, :, None] * np.eye(2 * n)
    short = np.maximum(-np.linalg.eigvalsh(Q - shift)[:, 0], 0.0) + margin
    both -= short
    found = np.sqrt(np.where((both >= 0).all(axis=0), both.sum(axis=0), 0.0))
    # With one of them 0 there is no room for a margin, but singular values need none.
    return np.maximum(found, np.maximum(full_bounds(J, J2), full_bounds(J, -J2)))


def span_bound(J: Array, U: Array, J2: Array, U2: Array) -> tuple[float, Array, Array]:
    """Return a certified lower bound of ‖Jx − J'y‖/‖x − y‖ over x in one span and y in another.

    Parameters
    ----------
    J, J2 : ndarray, shape (M, N)
        The Jacobians.
    U, U2 : ndarray, shape (N, d), (N, d')
        Orthonormal bases of the spans.

    Returns
    -------
    bound : float
    x, y : ndarray, shape (N,)
        A pair that attains it, but for rounding.
    """
    n = len(U)
    apart = np.concatenate([U, -U2], axis=1)
    image = np.concatenate([J @ U, -J2 @ U2], axis=1)
    scale = float(np.linalg.norm(J) + np.linalg.norm(J2)) or 1.0
    _, sizes, right = np.linalg.svd(apart)
    kept = np.flatnonzero(sizes > _ZERO)
    if not len(kept):
        return np.inf, np.zeros(n), np.zeros(n)
    move = right[kept].T / sizes[kept]
    still = right[[i for i in range(len(right)) if i not in kept]].T
    moved = image @ move
    left, values, across = np.linalg.svd(image @ still, full_matrices=False)
    held = values > _ZERO * scale
    left, values, across = left[:, held], values[held], across[held]
    rest = moved - left @ (left.T @ moved)
    _, least, turned = np.linalg.svd(rest)
    bound = float(least[-1]) if len(least) == len(kept) else 0.0
    best = turned[-1]
    free = -across.T @ ((left.T @ (moved @ best)) / values)
    z = move @ best + still @ free
    smallest = min(float(sizes[kept].min()), float(values.min(initial=scale)) / scale)
    bound -= _EPS * scale / smallest
    bound = max(bound, 0.0) if smallest > _CLEAR else 0.0
    d = U.shape[1]
    return bound, U @ z[:d], U2 @ z[d:]


@dataclass
class Search:
    """Branch and bound over pairs of faces of a fan, for representations that lose no sign.

    The least ratio over a pair of closed cones is that over their spans, if it is attained inside;
    otherwise, as a quotient of quadratic forms has no local minima but the global one, it is that
    over pairs of which one is replaced by a facet.

    Attributes
    ----------
    fan : Fan
        The cones.
    jacobians : callable
        Takes numbers of two cones; returns J and J', each (M, N).
    ratio : callable
        Takes x and y; returns the ratio of the pair, as of the representation itself.
    upper, pair : float and tuple of ndarray
        The best pair.
    """

    fan: Fan
    jacobians: Callable[[int, int], tuple[Array, Array]]
    ratio: Callable[[Array, Array], float]
    upper: float
    pair: tuple[Array, Array]

    def run(self, bounds: list[tuple[float, int, int]], most: int) -> tuple[float, bool]:
        """Search pairs of cones with their bounds until none is below the best pair.

        Returns
        -------
        lower : float
            A certified lower bound of the ratio over all pairs that were given.
        done : bool
            Whether the search ended within `most` pairs of faces.
        """
        cones, seen = self.fan.cones, set()
        queue = [(b, at, i, k, cones[i], cones[k]) for at, (b, i, k) in enumerate(bounds)]
        heapq.heapify(queue)
        lower, count = np.inf, len(queue)
        for _ in range(most):
            if not queue or queue[0][0] >= min(self.upper, lower):
                break
            bound, _, i, k, face, face2 = heapq.heappop(queue)
            J, J2 = self.jacobians(i, k)
            value, x, y = span_bound(J, self.fan.basis(face), J2, self.fan.basis(face2))
            value = max(bound, value)
            if value >= min(self.upper, lower) or self._inside(x, y, i, k, face & face2):
                lower = min(lower, value)
                continue
            parts = [(part, face2) for part in self.fan.facets(face)]
            parts += [(face, part) for part in self.fan.facets(face2)]
            for part in parts:
                # On a face the representation is the same, whatever cone it is taken for.
                if part not in seen and any(part):
                    seen.add(part)
                    heapq.heappush(queue, (value, count, i, k, *part))
                    count += 1
        done = not queue or queue[0][0] >= min(self.upper, lower)
        lower = min([lower, self.upper, *(entry[0] for entry in queue[:1])])
        return lower, done

    def _inside(self, x: Array, y: Array, i: int, k: int, common: frozenset[int]) -> bool:
        """Look for a minimiser inside the cones, moved along what they share; keep its ratio."""
        size = np.linalg.norm(x) + np.linalg.norm(y)
        middle = self.fan.rays[sorted(common)].sum(axis=0) if common else np.zeros_like(x)
        found = False
        for sign in (1.0, -1.0):
            for far in (0.0, 1.0, 10.0, 100.0, 1000.0) if common else (0.0,):
                a, b = sign * x + far * size * middle, sign * y + far * size * middle
                ratio = self.ratio(a, b)
                if ratio < self.upper:
                    self.upper, self.pair = ratio, (a, b)
                found |= self._in_cone(a, i) and self._in_cone(b, k)
                if found:
                    return True
        return False

    def _in_cone(self, x: Array, i: int) -> bool:
        heights = self.fan.normals @ x * self.fan.signs[i]
        return bool((heights >= -_INSIDE * np.linalg.norm(x)).all())
