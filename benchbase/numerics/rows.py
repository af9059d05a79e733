"""Sizes of the rows of a batch: one number for each signal."""

from __future__ import annotations

import math

import numpy as np

from benchbase.component import Array

STALLED = 1e-12  # relative changes up to this size are rounding errors


def energies(rows: Array) -> Array:
    """Return the sum of the squared moduli of each signal's numbers: (S, ...) to (S,).

    It takes one pass and no temporary array, and is several times as fast as
    ``np.sum(np.abs(rows) ** 2)``. The squares of huge numbers overflow and those of tiny numbers
    vanish; `root_mean_squares` avoids this.
    """
    flat = rows if rows.ndim == 2 else rows.reshape(len(rows), math.prod(rows.shape[1:]))
    if flat.dtype.kind == "c":
        flat = np.ascontiguousarray(flat).view(flat.real.dtype)
    total: Array = np.einsum("sk,sk->s", flat, flat)
    return total


def norms(rows: Array) -> Array:
    """Return the Euclidean norm of each signal's numbers: (S, ...) to (S,)."""
    size: Array = np.sqrt(energies(rows))
    return size


def moved(before: Array, after: Array) -> Array:
    """Return which signals' numbers have changed by more than rounding: (S, ...) to bool (S,)."""
    far: Array = norms(after - before) > STALLED * norms(after)
    return far


def root_mean_squares(rows: Array) -> Array:
    """Return the root mean square along the last axis: (..., M) to (...).

    Numbers are first divided by the largest of their row, so that no square overflows or vanishes.
    A row without numbers gives 0. A row that is not finite gives what NumPy's arithmetic gives.
    """
    if not rows.shape[-1]:
        return np.zeros(rows.shape[:-1])
    largest = np.abs(rows).max(axis=-1, keepdims=True)
    largest = np.where((largest > 0) & np.isfinite(largest), largest, 1)
    size: Array = largest[..., 0] * np.sqrt(np.mean((rows / largest) ** 2, axis=-1))
    return size


def divisors(sizes: Array) -> Array:
    """Return sizes that one can divide by: each zero is replaced by 1."""
    safe: Array = np.where(sizes > 0, sizes, 1.0)
    return safe
