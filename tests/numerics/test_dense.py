"""Frames that are given by their vectors: products in either memory order."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchbase import Array, DenseFrame

S, K, L, N = 7, 5, 2, 4


def signals_adjacent(rows: Array) -> Array:
    """Return equal rows (S, ...), whose numbers lie next to each other in memory for each S."""
    adjacent: Array = np.moveaxis(np.ascontiguousarray(np.moveaxis(rows, 0, -1)), -1, 0)
    return adjacent


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex128])
def test_products_keep_the_memory_order_of_signals(kind: Any) -> None:
    rng = np.random.default_rng(0)
    frame = DenseFrame(rng.standard_normal((K, L, N)).astype(kind))
    x, c = rng.standard_normal((S, N)).astype(kind), rng.standard_normal((S, L, K)).astype(kind)
    for product, rows in ((frame.analyse, x), (frame.adjoint, c), (frame.least_squares, c)):
        expected, found = product(rows), product(signals_adjacent(rows))
        assert found.dtype == expected.dtype
        assert_allclose(found, expected, rtol=1e-4 if kind is np.float32 else 1e-12)
        assert expected.flags.c_contiguous
        assert np.moveaxis(found, 0, -1).flags.c_contiguous
