"""Branch and bound over pairs of faces: A itself for poolings that keep the sign of a signal.

These are rectified ℓ1 and ℓ∞ and maxout. The least ratio over a pair of closed cones is that over
their spans, if it is attained inside. Otherwise it is attained on a pair in which one cone is
replaced by one of its facets, as a quotient of quadratic forms has no local minima but the global
one.

Bounds over spans allow for rounding as those of `benchbase_bounds.lower_ends.cone_pairs` do.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.fans import Fan
from benchbase_bounds.geometry.rational import Ranks
from benchbase_bounds.geometry.rounding import CLEAR, ZERO
from benchbase_bounds.lower_ends.cone_pairs import rounding

_INSIDE = 1e-10  # the sine by which a point may lie outside of a cone


@dataclass(frozen=True)
class Span:
    """The span of a face: an orthonormal basis (N, d), and how far it may be from the true one."""

    basis: Array
    off: float


def span_bound(
    J: Array, one: Span, J2: Array, other: Span, ranks: Callable[[int, int], bool]
) -> tuple[float, Array, Array]:
    """Return a certified lower bound of ‖Jx − J'y‖/‖x − y‖ over x in one span and y in another.

    With z = (x, y) in coordinates of the bases, A z = Jx − J'y and B z = x − y, it is the least
    singular value of AB⁺ beside the range of A on the null space of B.

    Parameters
    ----------
    J, J2 : ndarray, shape (M, N)
        The Jacobians.
    one, other : Span
        The spans.
    ranks : callable
        Takes the ranks of B, and of A on its null space, that floating point finds; returns
        whether exact arithmetic agrees.

    Returns
    -------
    bound : float
    x, y : ndarray, shape (N,)
        A pair that attains it, but for rounding.
    """
    U, U2 = one.basis, other.basis
    n = len(U)
    apart = np.concatenate([U, -U2], axis=1)
    image = np.concatenate([J @ U, -J2 @ U2], axis=1)
    scale = float(np.linalg.norm(J) + np.linalg.norm(J2)) or 1.0
    _, sizes, right = np.linalg.svd(apart)
    kept = np.flatnonzero(sizes > ZERO)
    if not len(kept):
        return np.inf, np.zeros(n), np.zeros(n)
    move = right[kept].T / sizes[kept]
    still = right[[i for i in range(len(right)) if i not in kept]].T
    moved = image @ move
    left, values, across = np.linalg.svd(image @ still, full_matrices=False)
    held = values > ZERO * scale
    left, values, across = left[:, held], values[held], across[held]
    rest = moved - left @ (left.T @ moved)
    _, least, turned = np.linalg.svd(rest)
    best = turned[-1]
    free = -across.T @ ((left.T @ (moved @ best)) / values)
    z = move @ best + still @ free
    x, y = np.split(z, [U.shape[1]])
    size, size2 = float(sizes[kept].min()), float(values.min(initial=scale)) / scale
    bound = float(least[-1]) if len(least) == len(kept) else 0.0
    bound -= scale * _span_rounding(one.off + other.off, rounding(len(J), n), size, size2)
    clear = min(size, size2) > CLEAR and bound > 0
    return bound if clear and ranks(len(kept), len(values)) else 0.0, U @ x, U2 @ y


def _span_rounding(off: float, p: float, size: float, size2: float) -> float:
    """Return the error of the bound of two spans, relative to ‖J‖ + ‖J'‖.

    Parameters
    ----------
    off : float
        How far both spans may be from the true ones.
    p : float
        p ε.
    size, size2 : float
        The least singular values that are not zero, of B, and of A on its null space, relative.
    """
    moved = 2 * (off + p)  # of A and B
    null = moved / size  # by which the null space of B turns
    range_ = (moved + null) / size2 if null else 0.0  # and the range of A on it
    return float(range_ / size + moved / size + 2 * moved / size**2)


@dataclass
class Search:
    """A search over pairs of faces of a fan.

    Attributes
    ----------
    fan : Fan
        The cones.
    J : ndarray, shape (C, M, N)
        Their Jacobians.
    slopes : ndarray of int, shape (C, K, L)
        What row k of a Jacobian is in the frame's vectors: Σ_l slopes[k, l] · vectors[k, l].
    ranks : Ranks
        Exact ranks of such rows and of the fan's hyperplanes.
    ratio : callable
        Takes x and y, and returns the ratio of the pair under the representation itself.
    upper, pair : float and tuple of ndarray
        The best pair so far, and its ratio.
    """

    fan: Fan
    J: Array
    slopes: Array
    ranks: Ranks
    ratio: Callable[[Array, Array], float]
    upper: float
    pair: tuple[Array, Array]

    def run(self, table: Array, most: int) -> tuple[float, bool]:
        """Search until no pair of faces can have a smaller ratio than the best pair.

        Parameters
        ----------
        table : ndarray, shape (C, C)
            Lower bounds over pairs of cones.
        most : int
            The largest number of pairs of faces.

        Returns
        -------
        lower : float
            A certified lower bound of the ratio over all pairs of cones.
        done : bool
            Whether the search ended within `most` pairs of faces.
        """
        cones, seen = self.fan.cones, set()
        first, second = np.triu_indices(len(cones))
        open_ = table[first, second] < self.upper
        queue = [
            (float(table[i, k]), at, int(i), int(k), cones[i], cones[k])
            for at, (i, k) in enumerate(zip(first[open_], second[open_], strict=True))
        ]
        heapq.heapify(queue)
        lower, count = np.inf, len(queue)
        for _ in range(most):
            if not queue or queue[0][0] >= min(self.upper, lower):
                break
            bound, _, i, k, face, face2 = heapq.heappop(queue)
            value, x, y = self._bound(i, k, face, face2)
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

    def _bound(
        self, i: int, k: int, face: frozenset[int], face2: frozenset[int]
    ) -> tuple[float, Array, Array]:
        """Return a bound over the spans of two faces, of the cones i and k, and its pair."""
        one, other = self._span(face), self._span(face2)

        def agree(of_b: int, of_a: int) -> bool:
            n, both = len(one.basis), one.basis.shape[1] + other.basis.shape[1]
            if of_b == n and both == n:
                return True
            held = self.fan.holding(face) | self.fan.holding(face2)
            walls = self.ranks.rank(None, held)  # the spans have N − walls dimensions in common
            if both - (n - walls) != of_b:
                return False
            return self.ranks.rank(self.slopes[i] - self.slopes[k], held) - walls == of_a

        return span_bound(self.J[i], one, self.J[k], other, agree)

    def _span(self, face: frozenset[int]) -> Span:
        basis, size = self.fan.basis(face)
        n_rows, n = self.fan.normals.shape
        return Span(basis, 0.0 if basis.shape == (n, n) else rounding(n_rows, n) / size)

    def _inside(self, x: Array, y: Array, i: int, k: int, common: frozenset[int]) -> bool:
        """Return whether a minimiser lies inside the cones, and keep its ratio if it is the least.

        The pair may be moved along the rays that both cones share, which does not change x − y.
        """
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
