"""Least ratios of pairs of cones on which a representation is linear.

On cones C and C' with Jacobians J and J', R(x) − R(y) = Jx − J'y. The least ‖Jx − J'y‖/‖x − y‖ over
the spans of the cones is a singular value, a lower bound of that over the cones.

Rounding. Computed singular values and vectors are those of a matrix at most p ε of its norm away
(Higham, "Accuracy and stability of numerical algorithms", 2002, chapter 20, with p = 10 times the
numbers of rows and columns). Spaces turn by at most the distance over the least singular value that
is not zero, and pseudo-inverses B⁺ change by at most 2‖B⁺‖² times the distance, if the rank is
the same (Wedin, "Perturbation theory for pseudo-inverses", 1973). So ranks have to be known:
singular values below 1e-12 are zero where exact arithmetic finds that rank (`Exact`), or where rows
are too few for another; with any between 1e-12 and 1e-7, nothing is certified.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.fans import Fan
from benchbase_bounds.geometry.rational import fractions, rank

_ZERO, _CLEAR = 1e-12, 1e-7  # singular values between these are neither zero nor not
_INSIDE = 1e-10  # a sine by which a point may be outside of a cone
_CHUNK = 4096
_MOST_RANKS = 3000
_SECTIONS = 24


class Exact:
    """Ranks in rational numbers, of differences of Jacobians and of hyperplanes.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame.
    slopes : ndarray, shape (C, K, L)
        Whole numbers: row k of a Jacobian is Σ_l slopes[k, l] · vectors[k, l].
    walls : ndarray of Fraction, shape (H, N)
        The hyperplanes.
    """

    def __init__(self, vectors: Array, slopes: Array, walls: Array) -> None:
        self.vectors, self.walls = fractions(vectors), walls
        self.slopes = slopes.astype(int)
        self.known: dict[bytes, int] = {}

    def rank(self, change: Array | None, held: Array | None) -> int:
        """Return the rank of rows Σ_l change[k, l] · vectors[k, l] and of hyperplanes together.

        That of everything, N, where too many have been asked for, which certifies nothing.
        """
        parts = [
            change if change is None else change.tobytes(),
            held if held is None else held.tobytes(),
        ]
        key = b"|".join(b"" if part is None else part for part in parts)
        if key not in self.known:
            n = self.walls.shape[1]
            if len(self.known) >= _MOST_RANKS:
                return int(n)
            rows = [] if held is None else [*self.walls[held]]
            if change is not None:
                used = change.any(axis=1)
                rows += [*(change[used, :, None] * self.vectors[used]).sum(axis=1)]
            self.known[key] = rank(np.array(rows, dtype=object).reshape(-1, n))
        return self.known[key]


def rounding(n_rows: int, n: int) -> float:
    """Return p ε, the relative distance of matrices whose decompositions are exact."""
    return 10 * (n_rows + 2 * n) * float(np.finfo(np.float64).eps)


def full_bounds(J: Array, J2: Array, exact_rank: Callable[[int], int]) -> Array:
    """Return certified lower bounds of ‖Jx − J'y‖/‖x − y‖ over all x and y.

    With u = x + y and v = x − y the difference is ½(J − J')u + ½(J + J')v: what is left of the
    second matrix beside the range of the first has the bound for its least singular value.

    Parameters
    ----------
    J, J2 : ndarray, shape (P, M, N)
        Pairs of Jacobians.
    exact_rank : callable
        Takes the number of a pair; returns the rank of J − J'.

    Returns
    -------
    ndarray, shape (P,)
    """
    found = np.zeros(len(J))
    m, n = J.shape[1:]
    if m < n:
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
        # The range turns by p ε/smallest, which moves the rest by as much of the mean's norm.
        least -= 2 * rounding(m, n) * scale * (1.0 + 1.0 / smallest)
        found[part] = np.where(smallest > _CLEAR, np.maximum(least, 0.0), 0.0)
        ranks = kept.sum(axis=1)
        doubtful = (ranks < n) & (half.any(axis=2).sum(axis=1) > ranks) & (found[part] > 0)
        for at in np.flatnonzero(doubtful):
            if exact_rank(start + int(at)) > ranks[at]:
                found[start + at] = 0.0
    return found


def even_bounds(
    J: Array, J2: Array, exact_ranks: tuple[Callable[[int], int], Callable[[int], int]]
) -> Array:
    """Return certified lower bounds of ‖Jx − J'y‖/min(‖x − y‖, ‖x + y‖) over all x and y.

    The root of the largest μ₁ + μ₂ with Q ⪰ diag(μ₁I, μ₂I), both at least 0, where Q is the form
    ‖Jx − J'y‖² in u = x + y and v = x − y: a concave function of μ₁, maximised by golden sections.

    Parameters
    ----------
    J, J2 : ndarray, shape (P, M, N)
        Pairs of Jacobians.
    exact_ranks : tuple of two callables
        Take the number of a pair; return the ranks of J − J' and of J + J'.

    Returns
    -------
    ndarray, shape (P,)
    """
    n = J.shape[2]
    rows = 0.5 * np.concatenate([J - J2, J + J2], axis=2)
    Q = rows.transpose(0, 2, 1) @ rows
    trace = np.trace(Q, axis1=1, axis2=2)
    # Of the products, and of the least eigenvalue, of matrices up to twice as large as Q.
    margin = 4 * rounding(J.shape[1], n) * trace

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
    for _ in range(_SECTIONS):
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
    alone = [full_bounds(J, s * J2, each) for s, each in zip((1, -1), exact_ranks, strict=True)]
    return np.maximum(found, np.maximum(*alone))


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
    best = turned[-1]
    free = -across.T @ ((left.T @ (moved @ best)) / values)
    z = move @ best + still @ free
    x, y = np.split(z, [U.shape[1]])
    size, size2 = float(sizes[kept].min()), float(values.min(initial=scale)) / scale
    bound = float(least[-1]) if len(least) == len(kept) else 0.0
    bound -= scale * _span_rounding(one.off + other.off, rounding(len(J), n), size, size2)
    clear = min(size, size2) > _CLEAR and bound > 0
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
    """Branch and bound over pairs of faces of a fan, for representations that lose no sign.

    The least ratio over a pair of closed cones is that over their spans, if it is attained inside;
    otherwise, as a quotient of quadratic forms has no local minima but the global one, it is that
    over pairs of which one is replaced by a facet.

    Attributes
    ----------
    fan : Fan
        The cones.
    J : ndarray, shape (C, M, N)
        Their Jacobians.
    kind : ndarray of int, shape (C,)
        Cones of the same kind have the same Jacobian.
    exact : Exact
        Ranks, with slopes by kinds and the hyperplanes of the fan.
    ratio : callable
        Takes x and y; returns the ratio of the pair, as of the representation itself.
    upper, pair : float and tuple of ndarray
        The best pair.
    """

    fan: Fan
    J: Array
    kind: Array
    exact: Exact
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
        """Bound the ratio over the spans of two faces, of the cones i and k."""
        one, other = self._span(face), self._span(face2)

        def agree(of_b: int, of_a: int) -> bool:
            n, both = len(one.basis), one.basis.shape[1] + other.basis.shape[1]
            if of_b == n and both == n:
                return True
            held = self.fan.holding(face) | self.fan.holding(face2)
            walls = self.exact.rank(None, held)  # the spans have N − walls dimensions in common
            if both - (n - walls) != of_b:
                return False
            slopes = self.exact.slopes
            change = slopes[self.kind[i]] - slopes[self.kind[k]]
            return self.exact.rank(change, held) - walls == of_a

        return span_bound(self.J[i], one, self.J[k], other, agree)

    def _span(self, face: frozenset[int]) -> Span:
        basis, size = self.fan.basis(face)
        n_rows, n = self.fan.normals.shape
        return Span(basis, 0.0 if basis.shape == (n, n) else rounding(n_rows, n) / size)

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
