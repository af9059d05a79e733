"""Frames that are given by their vectors."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchbase.component import Array
from benchbase.errors import ParameterError
from benchbase.representation import Frame


class DenseFrame(Frame):
    """A frame given by its vectors.

    The result of a product has the memory order of its operand: if the numbers of a batch of
    signals lie next to each other, signal by signal within each component, so do the coefficients.

    Parameters
    ----------
    vectors : array_like, shape (K, L, N)
        ``vectors[k, j]`` is the j-th vector of pool k. Real or complex; copied.

    Raises
    ------
    ParameterError
        If the shape is not (K, L, N) with all sizes at least 1, or an entry is not finite.
    """

    def __init__(self, vectors: npt.ArrayLike) -> None:
        array = np.array(vectors, order="C")
        if array.ndim != 3 or 0 in array.shape:
            raise ParameterError("vectors", f"must have the shape (K, L, N), not {array.shape}")
        if not np.issubdtype(array.dtype, np.inexact):
            array = array.astype(np.float64)
        if not np.isfinite(array).all():
            raise ParameterError("vectors", "must be finite")
        array.flags.writeable = False
        self._vectors = array
        self.n_pools, self.pool_size, self.n = array.shape
        self.is_complex = bool(np.iscomplexobj(array))
        self._matrices: dict[tuple[str, np.dtype[Any], str], Array] = {}

    @cached_property
    def _matrix(self) -> Array:
        """F as a matrix (L·K, N), its rows ordered by pool member, then by pool."""
        return self._vectors.transpose(1, 0, 2).reshape(-1, self.n)

    @cached_property
    def _decomposition(self) -> tuple[Array, Array, Array]:
        """The singular value decomposition U, s, Vᴴ, without rounding error."""
        left, values, right = np.linalg.svd(self._matrix, full_matrices=False)
        cutoff = max(self._matrix.shape) * np.finfo(self._matrix.dtype).eps
        kept = values > cutoff * values[0]
        return left[:, kept], values[kept], right[kept]

    @cached_property
    def _pseudo_inverse(self) -> Array:
        left, values, right = self._decomposition
        inverse: Array = (right.conj().T / values) @ left.conj().T
        return inverse

    @property
    def condition(self) -> float | None:
        """The condition number on the span of the vectors; None if all are zero."""
        values = self._decomposition[1]
        return float(values[0] / values[-1]) if values.size else None

    def _operator(self, which: str, dtype: np.dtype[Any], order: Literal["C", "F"]) -> Array:
        """Return the right factor of ``x @ operator`` in the precision of the operand."""
        key = (which, dtype, order)
        if key not in self._matrices:
            if not np.issubdtype(dtype, np.inexact):
                dtype = np.dtype(np.float64)
            wanted = np.result_type(dtype, np.complex64) if self.is_complex else dtype
            source = {
                "analyse": lambda: self._matrix.T,
                "adjoint": lambda: self._matrix.conj(),
                "least_squares": lambda: self._pseudo_inverse.T,
            }[which]()
            self._matrices[key] = np.asarray(source, dtype=wanted, order=order)
        return self._matrices[key]

    def _product(self, operand: Array, which: str) -> Array:
        """Return ``operand @ operator``, in the memory order of the operand."""
        if operand.ndim == 2 and operand.strides[0] < operand.strides[1]:
            return (self._operator(which, operand.dtype, "F").T @ operand.T).T
        return operand @ self._operator(which, operand.dtype, "C")

    def analyse(self, x: Array) -> Array:
        """Return F x: (..., N) to (..., L, K)."""
        flat = self._product(x, "analyse")
        return flat.reshape(*x.shape[:-1], self.pool_size, self.n_pools)

    def adjoint(self, c: Array) -> Array:
        """Return Fᴴ c: (..., L, K) to (..., N)."""
        return self._product(self._flat(c), "adjoint")

    def least_squares(self, c: Array) -> Array:
        """Return F⁺ c: (..., L, K) to (..., N); the pseudo-inverse is formed once."""
        return self._product(self._flat(c), "least_squares")

    def dense(self) -> Array:
        """Return the vectors, (K, L, N), read-only."""
        return self._vectors

    def _flat(self, c: Array) -> Array:
        return c.reshape(*c.shape[:-2], self.pool_size * self.n_pools)
