"""The cells of an arrangement of hyperplanes: the sets that a rectification lets through.

Every cell of a central arrangement whose normals span R^D has a ray, on which D − 1 independent
hyperplanes meet. All subsets of D − 1 are gone through; the cells at a ray have the ray's signs off
the hyperplanes that hold it, and on those the signs of any cell of their own arrangement, which
lives in D − 1 dimensions. In general position that is all 2^(D−1) sign vectors; where more
hyperplanes meet, the same is done again.

Signs are taken in floating point where rounding leaves no doubt and in rational numbers elsewhere,
so that the cells are those of the frame as it is given, however degenerate.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import comb

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.rational import null_vector, parallel, sign

_CHUNK = 4096  # rays at a time
_EPS = float(np.finfo(np.float64).eps)


class TooManyCellsError(ValueError):
    """An arrangement has too many rays to be gone through."""


def active_sets(vectors: Array, thresholds: Array, *, most: int = 200_000) -> Array:
    """Return the sets {i : ⟨x, f_i⟩ > α_i} that x in open regions of R^N can have.

    Parameters
    ----------
    vectors : ndarray, shape (M, N)
        The frame, which spans R^N.
    thresholds : ndarray, shape (M,)
        α.
    most : int, optional
        The largest number of subsets to go through, and a sixteenth of that of sign vectors.

    Returns
    -------
    ndarray of bool, shape (C, M)
        One row a set, in a fixed order.

    Raises
    ------
    TooManyCellsError
        If there are more.
    """
    if not thresholds.any():
        return sign_vectors(vectors, most=most)
    # At the height 1 of one dimension more, the hyperplanes are central.
    normals = np.column_stack([vectors, -thresholds])
    normals = np.vstack([normals, np.eye(normals.shape[1])[-1]])
    signs = sign_vectors(normals, most=most)
    return signs[signs[:, -1], :-1]


def sign_vectors(normals: Array, *, most: int = 200_000, exact: Array | None = None) -> Array:
    """Return the signs of the normals (M, D) on the cells of their central arrangement.

    `exact` has the same normals as fractions, where the floating-point ones have been rounded.

    Returns
    -------
    ndarray of bool, shape (C, M)
        True where positive. A zero normal is nowhere positive.

    Raises
    ------
    TooManyCellsError
        If there are more than `most` subsets of D − 1 normals, or 16 times as many sign vectors.
    """
    normals = np.asarray(normals, dtype=np.float64)
    exact = normals if exact is None else exact
    members, orientation = _lines(normals, exact)
    distinct = [line[0] for line in members]
    signs = _of_distinct(normals[distinct], exact[distinct], most)
    whole = np.zeros((len(signs), len(normals)), dtype=bool)
    for column, (line, same) in enumerate(zip(members, orientation, strict=True)):
        for index, positive in zip(line, same, strict=True):
            whole[:, index] = signs[:, column] == positive
    return whole


def _lines(normals: Array, exact: Array) -> tuple[list[list[int]], list[list[bool]]]:
    """Group normals on one line, zero ones left out; True where they point as the first does."""
    members: list[list[int]] = []
    orientation: list[list[bool]] = []
    units = normals / np.maximum(np.abs(normals).max(axis=1, keepdims=True), 1e-300)
    units = units / np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-300)
    for index in np.flatnonzero(normals.any(axis=1)):
        for line, same in zip(members, orientation, strict=True):
            cosine = units[line[0]] @ units[index]
            near = abs(cosine) > 1 - 1e-9
            if near and parallel(exact[line[0]], exact[index]):
                line.append(int(index))
                same.append(bool(cosine > 0))
                break
        else:
            members.append([int(index)])
            orientation.append([True])
    return members, orientation


def _of_distinct(normals: Array, exact: Array, most: int) -> Array:
    """Return the sign vectors of normals no two of which are on a line."""
    m, dimension = normals.shape
    if dimension == 1:
        return np.array([[False], [True]])
    count = comb(m, dimension - 1)
    if max(count, count * 2**dimension // 16) > most:
        raise TooManyCellsError(f"{m} hyperplanes in {dimension} dimensions have too many rays")
    every = np.array(list(itertools.product((False, True), repeat=dimension - 1)))
    found = [np.zeros((0, (m + 7) // 8), dtype=np.uint8)]
    crowded: dict[bytes, Array] = {}
    for subsets, signs in _rays(normals, exact):
        on = signs == 0
        simple = on.sum(axis=1) == dimension - 1
        for ray in signs[~simple]:
            crowded[(ray == 0).tobytes()] = ray
        rows = _completed(signs[simple] > 0, subsets[simple], every)
        found.append(np.unique(np.packbits(rows, axis=1), axis=0))
    for ray in crowded.values():
        on = np.flatnonzero(ray == 0)
        local = _local(normals, exact, on, most)
        rows = _completed((ray > 0)[None], on[None], local)
        found.append(np.packbits(rows, axis=1))
    packed = np.unique(np.concatenate(found), axis=0)
    return np.unpackbits(packed, axis=1, count=m).astype(bool)


def _rays(normals: Array, exact: Array) -> Iterator[tuple[Array, Array]]:
    """Yield independent subsets (S, D − 1), and the signs -1, 0, 1 of all (S, M) on their ray."""
    m, dimension = normals.shape
    units = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    choices = itertools.combinations(range(m), dimension - 1)
    while chunk := list(itertools.islice(choices, _CHUNK)):
        subsets = np.array(chunk)
        _, sizes, right = np.linalg.svd(units[subsets])
        values = right[:, -1] @ units.T
        # The ray is off by a small multiple of its rounding over the least singular value.
        margin = 100 * dimension * _EPS / np.maximum(sizes[:, -1:], _EPS)
        signs = np.where(np.abs(values) > margin, np.sign(values), 0).astype(np.int8)
        np.put_along_axis(signs, subsets, np.int8(0), axis=1)
        doubtful = (signs == 0).sum(axis=1) > dimension - 1
        doubtful |= sizes[:, -1] < 1e-6
        keep = np.ones(len(subsets), dtype=bool)
        for row in np.flatnonzero(doubtful):
            ray = null_vector(exact[subsets[row]])
            keep[row] = ray is not None
            if ray is not None:
                signs[row] = [sign(normal, ray) for normal in exact]
        yield subsets[keep], signs[keep]


def _local(normals: Array, exact: Array, on: Array, most: int) -> Array:
    """Return the sign vectors of the normals that vanish on a ray, in one dimension less.

    What they are on y does not change along the ray, so that a coordinate in which the ray is not
    zero may be left out.
    """
    ray = null_vector(exact[on])
    if ray is None:  # cannot be: `on` holds D − 1 independent normals and vanishes on the ray
        raise AssertionError("the normals on a ray span one dimension less")
    largest = max(range(len(ray)), key=lambda i: abs(ray[i]))
    less, exact_less = (np.delete(each[on], largest, axis=1) for each in (normals, exact))
    return sign_vectors(less, most=most, exact=exact_less)


def _completed(positive: Array, on: Array, local: Array) -> Array:
    """Return the sign vectors at rays and at their opposites: those of `local` where they vanish.

    Parameters
    ----------
    positive : ndarray of bool, shape (S, M)
        Where the normals are positive on a ray.
    on : ndarray of int, shape (S, Z)
        Where they vanish.
    local : ndarray of bool, shape (C, Z)
        The signs that these can have.
    """
    both = np.stack([positive, ~positive], axis=1)
    rows = np.repeat(both[:, :, None, :], len(local), axis=2)
    index = np.broadcast_to(on[:, None, None, :], (*rows.shape[:3], on.shape[1]))
    np.put_along_axis(rows, index, np.broadcast_to(local, index.shape), axis=3)
    return rows.reshape(-1, positive.shape[1])
