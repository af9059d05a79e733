"""Fans: the cones into which hyperplanes through the origin cut R^N, by their rays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from benchbase import Array

_ZERO = 1e-12  # sines below this are zero
_CLEAR = 1e-7  # and those between are neither zero nor not: nothing is certified of them


class NearlyDegenerateError(ArithmeticError):
    """Whether hyperplanes meet is less than rounding can tell."""


@dataclass(frozen=True)
class Fan:
    """The closed cones of a central arrangement of hyperplanes that meet in the origin alone.

    Attributes
    ----------
    rays : ndarray, shape (R, N)
        Unit vectors, one a ray.
    incident : ndarray of bool, shape (R, H)
        Which hyperplanes hold a ray.
    cones : list of frozenset of int
        The rays of each N-dimensional cone.
    normals : ndarray, shape (H, N)
        Unit normals of the hyperplanes.
    signs : ndarray of int8, shape (C, H)
        On which side of each hyperplane a cone is.
    """

    rays: Array
    incident: Array
    cones: list[frozenset[int]]
    normals: Array
    signs: Array

    def interior(self) -> Array:
        """Return a point inside each cone, (C, N)."""
        return np.array([self.rays[[*cone]].sum(axis=0) for cone in self.cones])

    def facets(self, face: frozenset[int]) -> list[frozenset[int]]:
        """Return the facets of a face, each by its rays; that of a ray is the origin, no rays."""
        members = np.array(sorted(face), dtype=int)
        parts = {
            frozenset(members[held].tolist()) for held in self.incident[members].T if not held.all()
        }
        return [part for part in parts if not any(part < other for other in parts)]

    def holding(self, face: frozenset[int]) -> Array:
        """Return which hyperplanes hold a face, (H,) bool."""
        held: Array = np.all(self.incident[sorted(face)], axis=0)
        return held

    def basis(self, face: frozenset[int]) -> tuple[Array, float]:
        """Return an orthonormal basis of the span of a face, (N, dimension), and a condition.

        The span is the null space of the hyperplanes that hold the face; the condition is their
        least singular value that is not zero, 1 where there are none.
        """
        normals = self.normals[self.holding(face)]
        if not len(normals):
            return np.eye(self.normals.shape[1]), 1.0
        _, values, right = np.linalg.svd(normals)
        count = int(_nonzero(values).sum())
        basis: Array = right[count:].T
        return basis, float(values[count - 1])


def n_cones(n_planes: int, n: int) -> int:
    """Return the number of cones of hyperplanes in general position: 2 Σ_{j<N} C(H − 1, j)."""
    return 2 * sum(math.comb(n_planes - 1, j) for j in range(n))


def hyperplanes(vectors: Array) -> Array:
    """Return the unit normals of the hyperplanes that vectors are orthogonal to, each once.

    Where they do not span R^N, coordinate vectors are added until they do: a finer cut changes
    nothing that is asked of the cones.

    Parameters
    ----------
    vectors : ndarray, shape (..., N)
        Zeros have no hyperplane.

    Raises
    ------
    NearlyDegenerateError
        If two are nearly the same, or a vector is nearly zero.
    """
    flat = vectors.reshape(-1, vectors.shape[-1])
    lengths = np.linalg.norm(flat, axis=1)
    kept = _nonzero(lengths / max(lengths.max(initial=0.0), np.finfo(float).tiny))
    units = flat[kept] / lengths[kept, None]
    found = _distinct(units, [])
    if not found or _rank(np.array(found)) < flat.shape[1]:
        found = _distinct(np.eye(flat.shape[1]), found)
    return np.array(found)


def _distinct(units: Array, found: list[Array]) -> list[Array]:
    """Add unit vectors to a list, those on a line with one of it left out."""
    found = [*found]
    for unit in units:
        if not found or _nonzero(_sines(np.array(found), unit)).all():
            found.append(unit)
    return found


def fan(normals: Array) -> Fan:
    """Cut R^N along hyperplanes.

    Every ray lies on N − 1 independent hyperplanes. The cones around a ray are those of the
    hyperplanes through it in the space orthogonal to it, found by recursion, so that any number may
    meet in a ray.

    Parameters
    ----------
    normals : ndarray, shape (H, N)
        From `hyperplanes`.

    Raises
    ------
    NearlyDegenerateError
        If it is less than rounding whether a ray lies on a hyperplane.
    """
    rays = _rays(normals)
    heights = rays @ normals.T
    incident = ~_nonzero(np.abs(heights))
    cones: dict[bytes, list[int]] = {}
    patterns: dict[bytes, Array] = {}
    for i, (ray, held) in enumerate(zip(rays, incident, strict=True)):
        signs = np.sign(heights[i]).astype(np.int8)
        key = held.tobytes()
        if key not in patterns:
            patterns[key] = _around(normals[held], ray)
        for pattern in patterns[key]:
            signs[held] = pattern
            cones.setdefault(signs.tobytes(), []).append(i)
    signs = np.array([np.frombuffer(key, dtype=np.int8) for key in cones])
    return Fan(rays, incident, [frozenset(each) for each in cones.values()], normals, signs)


def _rays(normals: Array) -> Array:
    """Return the unit vectors on N − 1 independent hyperplanes, (R, N), with their negatives."""
    h, n = normals.shape
    if n == 1:
        return np.array([[1.0], [-1.0]])
    chosen = np.array([*combinations(range(h), n - 1)])
    _, values, right = np.linalg.svd(normals[chosen], full_matrices=True)
    lines = right[_nonzero(values).all(axis=1), -1]
    heights = ~_nonzero(np.abs(lines @ normals.T))
    _, first = np.unique(heights, axis=0, return_index=True)  # a line is known by its hyperplanes
    lines = lines[np.sort(first)]
    return np.concatenate([lines, -lines])


def _around(normals: Array, ray: Array) -> Array:
    """Return the sides of hyperplanes through a ray on which the cones around it lie."""
    h, n = len(normals), len(ray)
    if h == n - 1:
        return np.array([*product((1, -1), repeat=h)], dtype=np.int8).reshape(2**h, h)
    across = np.linalg.svd(ray[None])[2][1:]  # orthonormal, (N − 1, N)
    local = normals @ across.T
    return fan(local / np.linalg.norm(local, axis=1)[:, None]).signs


def _nonzero(sines: Array) -> Array:
    """Tell which numbers are not zero; raise where that is less than rounding can tell."""
    if ((sines > _ZERO) & (sines < _CLEAR)).any():
        raise NearlyDegenerateError
    return sines >= _CLEAR


def _sines(units: Array, unit: Array) -> Array:
    """Return the sines between unit vectors and another, without cancellation."""
    cosines = units @ unit
    rest: Array = np.linalg.norm(units - cosines[:, None] * unit, axis=1)
    return rest


def _rank(units: Array) -> int:
    return int(_nonzero(np.linalg.svd(units, compute_uv=False)).sum())
