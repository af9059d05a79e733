"""Fans: the cones into which hyperplanes through the origin cut R^N, with their rays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.rational import fractions, rank
from benchbase_bounds.geometry.regions import (
    TooManyRegionsError,
    lines,
    rays_of_distinct,
    signs_of_distinct,
)
from benchbase_bounds.geometry.rounding import CLEAR, ZERO, NearlyDegenerateError

_MOST_SUBSETS = 10**6  # of hyperplanes; the limits on cones come first


@dataclass(frozen=True)
class Fan:
    """The closed cones of a central arrangement of hyperplanes that meet only in the origin.

    Attributes
    ----------
    rays : ndarray, shape (R, N)
        The rays, unit vectors.
    incident : ndarray of bool, shape (R, H)
        Which hyperplanes hold a ray.
    cones : list of frozenset of int
        The rays of each N-dimensional cone.
    normals : ndarray, shape (H, N)
        Unit normals of the hyperplanes.
    signs : ndarray of int8, shape (C, H)
        On which side of each hyperplane a cone lies, 1 or -1.
    walls : ndarray of Fraction, shape (H, N)
        Exact normals of the hyperplanes, of any length.
    """

    rays: Array
    incident: Array
    cones: list[frozenset[int]]
    normals: Array
    signs: Array
    walls: Array

    def interior(self) -> Array:
        """Return a point inside each cone, (C, N)."""
        return np.array([self.rays[[*cone]].sum(axis=0) for cone in self.cones])

    def facets(self, face: frozenset[int]) -> list[frozenset[int]]:
        """Return the facets of a face, each as its rays. The facet of a ray has no rays."""
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

        The span is the null space of the hyperplanes that hold the face. The condition is their
        least singular value that is not zero, or 1 if no hyperplane holds the face.
        """
        normals = self.normals[self.holding(face)]
        if not len(normals):
            return np.eye(self.normals.shape[1]), 1.0
        _, values, right = np.linalg.svd(normals)
        count = int((values >= CLEAR).sum())
        basis: Array = right[count:].T
        return basis, float(values[count - 1])


def n_cones(n_planes: int, n: int) -> int:
    """Return the number of cones of hyperplanes in general position: 2 Σ_{j<N} C(H − 1, j)."""
    return 2 * sum(math.comb(n_planes - 1, j) for j in range(n))


def fan(walls: Array, *, most: int) -> Fan:
    """Cut R^N along hyperplanes, as the exact arrangement has it.

    If the normals do not span R^N, the coordinate hyperplanes are added: a finer cut changes
    nothing that is asked of the cones. Rays and spans are computed in floating point; which ray
    lies on which side of a hyperplane is decided exactly.

    Parameters
    ----------
    walls : ndarray of Fraction, shape (..., N)
        Exact normals. Zeros have no hyperplane, and normals on one line share theirs.
    most : int
        The largest number of cones.

    Returns
    -------
    Fan

    Raises
    ------
    TooManyRegionsError
        If there are more cones, or if general position would have more than four times as many.
    NearlyDegenerateError
        If a computed ray does not show clearly which hyperplanes it lies on, or nearly so.
    """
    n = walls.shape[-1]
    exact = walls.reshape(-1, n)
    exact = exact[exact.any(axis=1)]
    lengths = np.linalg.norm(exact.astype(np.float64), axis=1)
    if (lengths < CLEAR * lengths.max(initial=0.0)).any():
        raise NearlyDegenerateError
    exact = _distinct(exact, most)
    if rank(exact) < n:
        exact = _distinct(np.concatenate([exact, fractions(np.eye(n))]), most)
    normals = exact.astype(np.float64)
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    positive = signs_of_distinct(normals, exact, _MOST_SUBSETS)
    if len(positive) > most:
        raise TooManyRegionsError
    rays, sides = _rays(normals, exact)
    apart = (sides > 0).astype(int) @ ~positive.T + (sides < 0).astype(int) @ positive.T
    first = (apart == 0).argmax(axis=0)
    order = np.lexsort([*~positive.T[::-1], first])  # by the first ray, then by signs
    cones = [frozenset(np.flatnonzero(column == 0).tolist()) for column in apart.T[order]]
    signs = np.where(positive[order], 1, -1).astype(np.int8)
    return Fan(rays, sides == 0, cones, normals, signs, exact)


def _distinct(walls: Array, most: int) -> Array:
    """Return the first of the normals on each line, (H, N)."""
    planes = 1
    while walls.shape[1] > 1 and n_cones(planes + 1, walls.shape[1]) <= 4 * most:
        planes += 1
    members, _ = lines(walls.astype(np.float64), walls, most=planes)
    return walls[[line[0] for line in members]]


def _rays(normals: Array, exact: Array) -> tuple[Array, Array]:
    """Return the rays of an arrangement, (R, N), and their signs -1, 0 and 1, (R, H)."""
    if normals.shape[1] == 1:
        directions, signs = np.array([[1.0]]), np.sign(normals.T).astype(np.int8)
    else:
        parts = [*rays_of_distinct(normals, exact)]
        directions = np.concatenate([part.directions for part in parts])
        signs = np.concatenate([part.signs for part in parts])
        heights = np.abs(directions @ normals.T)
        unclear = np.where(signs == 0, heights > ZERO, heights < CLEAR).any()
        if unclear or min(part.least.min(initial=1.0) for part in parts) < CLEAR:
            raise NearlyDegenerateError
        _, first = np.unique(signs == 0, axis=0, return_index=True)
        first = np.sort(first)  # a ray is known by its hyperplanes
        directions, signs = directions[first], signs[first]
    return np.concatenate([directions, -directions]), np.concatenate([signs, -signs])
