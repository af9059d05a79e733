"""The regions into which hyperplanes cut R^N, on each of which a rectification is linear.

Every region of a central arrangement whose normals span R^D has a ray, in which D − 1 independent
hyperplanes meet. The search goes through all subsets of D − 1 hyperplanes. A region at a ray has
the ray's signs off the hyperplanes that hold it. On those hyperplanes it has the signs of some
region of their own arrangement, which lives in D − 1 dimensions. In general position these are all
2^(D−1) sign vectors; if more hyperplanes meet in the ray, the same search finds them.

Signs are taken in floating point if rounding leaves no doubt, and in rational numbers otherwise.
So the regions are those of the frame as it is given, however degenerate it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from math import comb

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.rational import Row, null_vector, parallel, sign
from benchbase_bounds.geometry.rounding import EPS

_CHUNK = 4096  # rays at a time


class TooManyRegionsError(ValueError):
    """An arrangement has too many rays or regions to go through."""


def active_sets(vectors: Array, thresholds: Array, *, most: int = 200_000) -> Array:
    """Return the active sets {i : ⟨x, f_i⟩ > α_i} of all x in open regions of R^N.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame, which spans R^N.
    thresholds : ndarray, shape (M,)
        α.
    most : int, optional
        The largest number of subsets of hyperplanes to go through. At most 16 times as many sign
        vectors are made.

    Returns
    -------
    ndarray of bool, shape (C, M)
        One row per set, in a fixed order.

    Raises
    ------
    TooManyRegionsError
        If there are more.
    """
    if not thresholds.any():
        return sign_vectors(vectors, vectors, most=most)
    # At the height 1 of one more dimension, the hyperplanes are central.
    normals = np.column_stack([vectors, -thresholds])
    normals = np.vstack([normals, np.eye(normals.shape[1])[-1]])
    signs = sign_vectors(normals, normals, most=most)
    return signs[signs[:, -1], :-1]


def sign_vectors(normals: Array, exact: Array, *, most: int = 200_000) -> Array:
    """Return the signs of hyperplanes' normals in the regions of their central arrangement.

    Parameters
    ----------
    normals : ndarray, shape (M, D)
        The normals, which span R^D.
    exact : ndarray, shape (M, D)
        The same normals, as fractions if the floating-point ones have been rounded.
    most : int, optional
        As in `active_sets`.

    Returns
    -------
    ndarray of bool, shape (C, M)
        True where a normal is positive. A zero normal is nowhere positive.

    Raises
    ------
    TooManyRegionsError
        If there are more than `most` subsets of D − 1 normals, or 16 times as many sign vectors.
    """
    members, orientation = lines(normals, exact)
    distinct = [line[0] for line in members]
    signs = signs_of_distinct(normals[distinct], exact[distinct], most)
    whole = np.zeros((len(signs), len(normals)), dtype=bool)
    for column, (line, same) in enumerate(zip(members, orientation, strict=True)):
        for index, positive in zip(line, same, strict=True):
            whole[:, index] = signs[:, column] == positive
    return whole


def lines(
    normals: Array, exact: Array, *, most: float = np.inf
) -> tuple[list[list[int]], list[list[bool]]]:
    """Group the normals that lie on one line. Zero normals are left out.

    Parameters
    ----------
    normals, exact : ndarray, shape (M, D)
        As in `sign_vectors`.
    most : float, optional
        The largest number of lines.

    Returns
    -------
    members : list of list of int
        The normals on each line.
    orientation : list of list of bool
        Whether each of them points the same way as the first one on its line.

    Raises
    ------
    TooManyRegionsError
        If there are more lines.
    """
    first: list[int] = []
    members: list[list[int]] = []
    orientation: list[list[bool]] = []
    units = normals / np.maximum(np.abs(normals).max(axis=1, keepdims=True), 1e-300)
    units = units / np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-300)
    for index in np.flatnonzero(normals.any(axis=1)):
        cosines = units[first] @ units[index]
        for at in np.flatnonzero(np.abs(cosines) > 1 - 1e-9):
            if parallel(exact[first[at]], exact[index]):
                members[at].append(int(index))
                orientation[at].append(bool(cosines[at] > 0))
                break
        else:
            if len(first) >= most:
                raise TooManyRegionsError(f"the hyperplanes are more than {most}")
            first.append(int(index))
            members.append([int(index)])
            orientation.append([True])
    return members, orientation


def signs_of_distinct(normals: Array, exact: Array, most: int) -> Array:
    """Return the sign vectors, (C, M), of normals of which no two lie on one line.

    The arguments and the error are those of `sign_vectors`.
    """
    m, dimension = normals.shape
    if dimension == 1:
        return np.array([[False], [True]])
    count = comb(m, dimension - 1)
    if max(count, count * 2**dimension // 16) > most:
        raise TooManyRegionsError(f"{m} hyperplanes in {dimension} dimensions have too many rays")
    every = np.array(list(itertools.product((False, True), repeat=dimension - 1)))
    found = [np.zeros((0, (m + 7) // 8), dtype=np.uint8)]
    crowded: dict[bytes, Array] = {}
    for rays in rays_of_distinct(normals, exact):
        on = rays.signs == 0
        simple = on.sum(axis=1) == dimension - 1
        for ray in rays.signs[~simple]:
            crowded[(ray == 0).tobytes()] = ray
        rows = _completed(rays.signs[simple] > 0, rays.subsets[simple], every)
        found.append(np.unique(np.packbits(rows, axis=1), axis=0))
    for ray in crowded.values():
        on = np.flatnonzero(ray == 0)
        local = _local(normals, exact, on, most)
        rows = _completed((ray > 0)[None], on[None], local)
        found.append(np.packbits(rows, axis=1))
    packed = np.unique(np.concatenate(found), axis=0)
    return np.unpackbits(packed, axis=1, count=m).astype(bool)


@dataclass(frozen=True)
class Rays:
    """The rays in which D − 1 independent hyperplanes meet, of some subsets of hyperplanes.

    Attributes
    ----------
    subsets : ndarray of int, shape (S, D − 1)
        The hyperplanes of each subset.
    signs : ndarray of int8, shape (S, M)
        The exact signs -1, 0 and 1 of all normals on the ray.
    directions : ndarray, shape (S, D)
        The ray, a unit vector.
    least : ndarray, shape (S,)
        The least singular value of the subset's unit normals.
    """

    subsets: Array
    signs: Array
    directions: Array
    least: Array


def rays_of_distinct(normals: Array, exact: Array) -> Iterator[Rays]:
    """Yield the rays of an arrangement, some thousand subsets at a time, without their negatives.

    A ray in which more than D − 1 hyperplanes meet is yielded for each of its subsets. The
    arguments are those of `signs_of_distinct`.
    """
    m, dimension = normals.shape
    units = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    choices = itertools.combinations(range(m), dimension - 1)
    while chunk := list(itertools.islice(choices, _CHUNK)):
        subsets = np.array(chunk)
        _, sizes, right = np.linalg.svd(units[subsets])
        directions, least = right[:, -1], sizes[:, -1]
        values = directions @ units.T
        # The ray is off by a small multiple of its rounding over the least singular value.
        margin = 100 * dimension * EPS / np.maximum(least[:, None], EPS)
        signs = np.where(np.abs(values) > margin, np.sign(values), 0).astype(np.int8)
        np.put_along_axis(signs, subsets, np.int8(0), axis=1)
        doubtful = (signs == 0).sum(axis=1) > dimension - 1
        doubtful |= least < 1e-6
        keep = np.ones(len(subsets), dtype=bool)
        for row in np.flatnonzero(doubtful):
            ray = null_vector(exact[subsets[row]])
            keep[row] = ray is not None
            if ray is not None:
                turn = _orientation(ray, directions[row])
                signs[row] = [turn * sign(normal, ray) for normal in exact]
        yield Rays(subsets[keep], signs[keep], directions[keep], least[keep])


def _orientation(ray: Row, direction: Array) -> int:
    """Return 1 if an exact ray points as a computed direction does, and -1 if it is opposite."""
    peak = max(map(abs, ray))
    inner = sum(float(entry / peak) * along for entry, along in zip(ray, direction, strict=True))
    return 1 if inner >= 0 else -1


def _local(normals: Array, exact: Array, on: Array, most: int) -> Array:
    """Return the sign vectors of the normals that vanish on a ray, in one dimension less.

    Moving y along the ray does not change their signs on y, so that a coordinate in which the ray
    is not zero may be left out.
    """
    ray = null_vector(exact[on])
    if ray is None:  # cannot be: `on` holds D − 1 independent normals and vanishes on the ray
        raise AssertionError("the normals on a ray span one dimension less")
    largest = max(range(len(ray)), key=lambda i: abs(ray[i]))
    less, exact_less = (np.delete(each[on], largest, axis=1) for each in (normals, exact))
    return sign_vectors(less, exact_less, most=most)


def _completed(positive: Array, on: Array, local: Array) -> Array:
    """Return the sign vectors of the regions at rays and at their negatives.

    Parameters
    ----------
    positive : ndarray of bool, shape (S, M)
        Where the normals are positive on a ray.
    on : ndarray of int, shape (S, Z)
        Where they vanish.
    local : ndarray of bool, shape (C, Z)
        The signs that the vanishing ones can have nearby.
    """
    both = np.stack([positive, ~positive], axis=1)
    rows = np.repeat(both[:, :, None, :], len(local), axis=2)
    index = np.broadcast_to(on[:, None, None, :], (*rows.shape[:3], on.shape[1]))
    np.put_along_axis(rows, index, np.broadcast_to(local, index.shape), axis=3)
    return rows.reshape(-1, positive.shape[1])
