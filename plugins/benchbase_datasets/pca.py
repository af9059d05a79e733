"""Principal components of images, whose signs do not depend on the linear algebra library."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchbase import Array

BLOCK = 4096
"""The number of images that are converted to float64 at a time, to bound the memory."""

_TIE = 1e-6
"""Entries whose magnitudes differ relatively by less than this count as equally large."""


def principal_components(images: Array, components: int, *, centred: bool) -> Array:
    """Return the leading principal components of images.

    The components are the eigenvectors of the second-moment matrix or, if `centred`, of the
    covariance matrix. Grey levels are whole numbers, whose sums are exact in float64: neither the
    size of the blocks nor the number of threads changes the matrix.

    Parameters
    ----------
    images : ndarray, shape (T, P)
        T images of P pixels.
    components : int
        The number N of components, at most P.
    centred : bool
        Whether the mean image is subtracted first.

    Returns
    -------
    ndarray, shape (P, N)
        Orthonormal columns by decreasing eigenvalue, float64. In each column the entry of largest
        magnitude is positive; if several are equally large, the first of them is. If eigenvalues
        are equal, as they are for pixels that never change, the basis of their eigenspace is
        arbitrary.
    """
    count, pixels = images.shape
    total = np.zeros(pixels)
    moment = np.zeros((pixels, pixels))
    for rows in _blocks(count):
        block = images[rows].astype(np.float64)
        total += block.sum(axis=0)
        moment += block.T @ block
    if centred:
        moment = count * moment - np.outer(total, total)
    leading = np.linalg.eigh(moment)[1][:, ::-1][:, :components]
    size = np.abs(leading)
    # In symmetric components several entries are equal up to rounding: the first of them decides.
    first = np.argmax(size >= (1 - _TIE) * size.max(axis=0), axis=0)
    signs = np.sign(leading[first, np.arange(leading.shape[1])])
    return np.ascontiguousarray(leading * signs)


def coefficients(images: Array, white: float, mean: Array, basis: Array | None) -> Array:
    """Turn images into signals.

    Parameters
    ----------
    images : ndarray, shape (T, P)
        Grey levels.
    white : float
        The grey level that becomes 1.
    mean : ndarray, shape (P,)
        What is subtracted from the pixels, in units of `white`.
    basis : ndarray, shape (P, N), or None
        Orthonormal columns onto which the pixels are projected. None leaves the pixels as they are.

    Returns
    -------
    ndarray, shape (T, N), float32
        One row per image.
    """
    width = images.shape[1] if basis is None else basis.shape[1]
    signals = np.empty((len(images), width), dtype=np.float32)
    for rows in _blocks(len(images)):
        pixels = images[rows] / white - mean
        signals[rows] = pixels if basis is None else pixels @ basis
    return signals


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))
