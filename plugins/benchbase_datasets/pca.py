"""Principal components of images, with signs that do not depend on the linear algebra library."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchbase import Array

BLOCK = 4096
"""Images that are converted to float64 at a time; the images themselves may be many."""

_TIE = 1e-6


def principal_components(images: Array, components: int, *, centred: bool) -> Array:
    """Return the leading principal components of images.

    They are the eigenvectors of the second-moment matrix, or of the covariance. Sums of whole
    numbers are exact in float64, so that for grey levels neither the size of the blocks nor the
    number of threads changes the matrix.

    Parameters
    ----------
    images : ndarray, shape (T, P)
        T images of P pixels.
    components : int
        The number N of components, at most P.
    centred : bool
        Whether the mean image is taken away first.

    Returns
    -------
    ndarray, shape (P, N)
        Orthonormal columns by decreasing eigenvalue, float64. The entry of largest magnitude of
        each is positive (the first of them where several are equally large). Where eigenvalues
        are equal, as for pixels that never change, the basis of their space is arbitrary.
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
    # Symmetric components have entries that are equal but for rounding: take the first of them.
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
        What to take away from the pixels, in units of white.
    basis : ndarray, shape (P, N), or None
        Orthonormal columns; None leaves the pixels.

    Returns
    -------
    ndarray, shape (T, N), float32
    """
    width = images.shape[1] if basis is None else basis.shape[1]
    signals = np.empty((len(images), width), dtype=np.float32)
    for rows in _blocks(len(images)):
        pixels = images[rows] / white - mean
        signals[rows] = pixels if basis is None else pixels @ basis
    return signals


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, count, BLOCK))
