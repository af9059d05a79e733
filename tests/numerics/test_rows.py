"""Sizes of rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array

numbers = st.floats(-1e3, 1e3)
kinds = st.sampled_from([np.float64, np.complex128])
batches = array_shapes(min_dims=2, max_dims=3, max_side=5).flatmap(
    lambda shape: st.one_of(
        arrays(np.float64, shape, elements=numbers),
        arrays(np.complex128, shape, elements=st.complex_numbers(max_magnitude=1e3)),
    )
)


@given(batches)
def test_energies_and_norms_are_those_of_numpy(rows: Array) -> None:
    flat = rows.reshape(len(rows), -1)
    assert_allclose(benchbase.energies(rows), np.sum(np.abs(flat) ** 2, axis=1), rtol=1e-12)
    assert_allclose(benchbase.norms(rows), np.linalg.norm(flat, axis=1), rtol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 2, 3), (2, 0, 3)])
@pytest.mark.parametrize("kind", [np.float64, np.complex128])
def test_there_may_be_no_rows_or_no_numbers(shape: tuple[int, ...], kind: Any) -> None:
    empty = np.zeros(shape, dtype=kind)
    for size in (benchbase.energies(empty), benchbase.norms(empty)):
        assert_array_equal(size, np.zeros(shape[0]))
    assert_array_equal(benchbase.root_mean_squares(empty.real), np.zeros(shape[:-1]))


@given(arrays(np.float64, (3, 4), elements=numbers), st.integers(-900, 900))
def test_the_root_mean_square_of_numbers_of_any_size(rows: Array, power: int) -> None:
    """Powers of two lose no digit, though the squares of these numbers overflow or vanish."""
    size = np.sqrt(np.mean(rows**2, axis=1))
    found = benchbase.root_mean_squares(np.ldexp(rows, power))
    assert_allclose(np.ldexp(found, -power), size, rtol=1e-12, atol=1e-14)


def test_rows_that_are_not_finite_have_no_finite_size() -> None:
    found = benchbase.root_mean_squares(np.array([[1.0, np.inf], [np.nan, 1.0], [3.0, 4.0]]))
    assert_array_equal(np.isfinite(found), [False, False, True])
    assert found[0] == np.inf


@given(arrays(np.float64, 4, elements=st.floats(0, 1e3)))
def test_divisors_are_never_zero(sizes: Array) -> None:
    assert_array_equal(benchbase.divisors(sizes), [1 if size == 0 else size for size in sizes])


def test_what_has_moved() -> None:
    before = np.array([[[1.0, 2.0]], [[1.0, 2.0]], [[0.0, 0.0]], [[1.0, 2.0]], [[1.0, 2.0]]])
    after = before + np.array([0.0, 1e-15, 0.0, 1e-9, np.nan])[:, None, None]
    assert_array_equal(benchbase.moved(before, after), [False, False, False, True, False])
