"""Complement property, spark, dimension counts and collisions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase_bounds.collision_search import (
    dimension_count,
    find_collision,
    has_complement_property,
    spark,
)
from benchbase_bounds.lower_ends.subsets import enumerate_subsets
from benchbase_bounds.representation import Operator


def test_spark() -> None:
    assert spark(np.random.default_rng(0).standard_normal((9, 4))) == 5
    assert spark(np.eye(3)) == 4
    assert spark(np.vstack([np.eye(3), [1.0, 1, 0]])) == 3
    assert spark(np.array([[1.0, 0], [2, 0], [0, 1]])) == 2
    assert spark(np.array([[1.0, 0], [0, 0]])) == 1
    assert spark(np.ones((40, 20)), most=30) is None


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 10**6))
def test_the_complement_property_is_that_a_is_positive(n: int, m: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).integers(-1, 2, (m, n)).astype(float)
    positive = enumerate_subsets(vectors).value > 1e-9
    assert has_complement_property(vectors) == positive


def test_the_complement_property_is_not_guessed() -> None:
    vectors = np.random.default_rng(0).standard_normal((30, 10))
    assert has_complement_property(vectors, most=1000) is None


@pytest.mark.parametrize("p", [1, 2, "inf"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_proposition_2_8_on_drawn_frames(p: float, size: int) -> None:
    pooling = benchbase.build("pooling", {"name": "lp", "p": p})
    n, rng = 5, np.random.default_rng(1)
    count = dimension_count(n, pooling, size)
    assert count is not None
    assert (count.necessary, count.stated) == (9, 20)

    def collisions(k: int) -> int:
        total = 0
        for _ in range(6):
            operator = Operator.of(benchbase.DenseFrame(rng.standard_normal((k, size, n))), pooling)
            pair = find_collision(operator, rng)
            if pair is not None:
                x, y = pair
                scale = np.hypot(np.linalg.norm(x), np.linalg.norm(y))
                assert operator.distance(x, y) > 1e-3 * scale
                assert operator.ratio(x, y) < 1e-5
                total += 1
        return total

    assert collisions(2 * n - 2) == 6
    assert (
        collisions(2 * n - 1) == 0 if count.sufficient == 2 * n - 1 else collisions(2 * n - 1) > 3
    )
    assert collisions(2 * n) == 0
    assert collisions(4 * n) == 0


def test_no_count_where_active_pools_change() -> None:
    for spec in ({"name": "lp", "p": 2, "rectified": True}, {"name": "maxout"}):
        assert dimension_count(4, benchbase.build("pooling", spec), 2) is None
