from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbase_datasets.photographs import bundled
from benchbase_datasets.sampling import Sampling, distinct, highest, sample, scatter


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=50)
@given(st.data())
def test_the_variance_is_exact(data: st.DataObject) -> None:
    seed, pixels = data.draw(st.integers(0, 999)), data.draw(st.integers(1, 256))
    patches = rng(seed).integers(0, 256, (7, pixels))
    exact = [pixels * sum(int(v) ** 2 for v in row) - int(row.sum()) ** 2 for row in patches]
    assert scatter(patches.astype(np.float64)).tolist() == exact


@given(values=st.lists(st.integers(0, 9), min_size=1, max_size=30), data=st.data())
def test_highest_takes_the_first_of_equal_values(values: list[int], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(values)))
    ranked = sorted(range(len(values)), key=lambda i: (-values[i], i))
    assert highest(np.array(values, dtype=float), count).tolist() == sorted(ranked[:count])


@given(population=st.integers(1, 50), data=st.data())
def test_distinct_numbers_are_below_the_population(population: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, population))
    drawn = distinct(population, count, rng(data.draw(st.integers(0, 99)))).tolist()
    assert len(drawn) == count
    assert drawn == sorted(set(drawn))
    assert all(0 <= number < population for number in drawn)


@pytest.mark.parametrize("count", [2, 4])
def test_distinct_numbers_are_uniform_over_subsets(count: int) -> None:
    stream = rng(1)
    subsets = [tuple(distinct(6, count, stream).tolist()) for _ in range(3000)]
    frequencies = np.array([subsets.count(each) for each in set(subsets)])
    assert len(frequencies) == 15
    # Chi-squared with 14 degrees of freedom: beyond 36 once in a thousand times.
    assert np.sum((frequencies - 200) ** 2) / 200 < 36


def test_memory_is_that_of_the_kept_patches() -> None:
    size = 4 * 256
    tracemalloc.start()
    try:
        photographs = bundled().photographs()
        plan = Sampling(size=16, sampled=200_000, n_train=8_000, n_test=2_000, by_image=False)
        sample(photographs, plan, lambda: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    kept, numbers = 10_000 * size, 200_000 * 8
    assert kept < peak < kept + 5 * numbers + (6 << 20)
    assert peak < 200_000 * 256 / 1.5  # less than all drawn patches, even as single bytes
