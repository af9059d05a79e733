"""Sizes of the rows of a batch: one number for each signal."""

from __future__ import annotations

import math

import numpy as np

from benchbase.component import Array

STALLED = 1e-12  # relative change that is no more than rounding


def energies(rows: Array) -> Array:
    """Return the sum of the squared moduli of each signal's numbers: (S, ...) to (S,).

    In one pass and without a temporary array, which makes it several times as fast as
    ``np.sum(np.abs(rows) ** 2)``. The squares of huge or tiny numbers overflow or vanish; see
    `root_mean_squares`.
    """
    flat = rows if rows.ndim == 2 else rows.reshape(len(rows), math.prod(rows.shape[1:]))
    if flat.dtype.kind == "c":
        flat = np.ascontiguousarray(flat).view(flat.real.dtype)
    total: Array = np.einsum("sk,sk->s", flat, flat)
    return total


def norms(rows: Array) -> Array:
    """Return the Euclidean norm of each signal's numbers, in one pass: (S, ...) to (S,)."""
    size: Array = np.sqrt(energies(rows))
    return size


def moved(before: Array, after: Array) -> Array:
    """Return which signals' numbers have changed by more than rounding: (S, ...) to bool (S,)."""
    far: Array = norms(after - before) > STALLED * norms(after)
    return far


def root_mean_squares(rows: Array) -> Array:
    """Return the root mean square along the last axis: (..., M) to (...).

    Numbers are divided by the largest of their row first, so that no square overflows or vanishes.
    Rows without numbers give 0, and rows that are not finite what NumPy makes of them.
    """
    if not rows.shape[-1]:
        return np.zeros(rows.shape[:-1])
    largest = np.abs(rows).max(axis=-1, keepdims=True)
    largest = np.where((largest > 0) & np.isfinite(largest), largest, 1)
    size: Array = largest[..., 0] * np.sqrt(np.mean((rows / largest) ** 2, axis=-1))
    return size


def divisors(sizes: Array) -> Array:
    """Return sizes to divide by: 1 takes the place of those that are zero."""
    safe: Array = np.where(sizes > 0, sizes, 1.0)
    return safe
