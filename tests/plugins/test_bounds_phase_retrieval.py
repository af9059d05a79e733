"""Phase retrieval by pools of one: reference values, an oracle, certificates."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Array
from benchbase_bounds.dispatch import bounds
from benchbase_bounds.geometry.frame_operators import split_values
from benchbase_bounds.lower_ends.subsets import branch_and_bound
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_ends.subsets import local_search

PLAIN = benchbase.build("pooling", {"name": "lp", "p": 2})
GOLDEN = (1 + 5**0.5) / 2
ICOSAHEDRON = np.array(
    [[0, 1, s * GOLDEN] for s in (1, -1)]
    + [[1, s * GOLDEN, 0] for s in (1, -1)]
    + [[GOLDEN, 0, s] for s in (1, -1)]
)
ICOSAHEDRON = ICOSAHEDRON / np.hypot(1, GOLDEN)
ANGLES = np.pi / 2 + 2 * np.pi * np.arange(3) / 3
MERCEDES = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])


def gauss(n: int, m: int, seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal((n, m)).T


def harmonic(m: int) -> Any:
    angles = np.pi * np.arange(m) / m
    return np.column_stack([np.cos(angles), np.sin(angles)])


def singles(vectors: Any) -> benchbase.DenseFrame:
    return benchbase.DenseFrame(np.asarray(vectors, dtype=np.float64)[:, None, :])


def least_split(vectors: Array) -> float:
    """Return the least λmin(S_Ω) + λmin(S_Ωᶜ) over all 2^(M−1) subsets, the oracle of searches."""
    codes = np.arange(2 ** (len(vectors) - 1))
    subsets = (codes[:, None] >> np.arange(len(vectors))) & 1 == 1  # the last is never inside
    return float(split_values(vectors, subsets).min())


@pytest.mark.parametrize(
    ("vectors", "value", "largest"),
    [
        (MERCEDES, 0.5**0.5, 1.5**0.5),
        ([[1, 0], [0, 1], [1, 1]], ((3 - 5**0.5) / 2) ** 0.5, 3**0.5),
        ([[1, 0], [0, 1], [1, 1], [1, -1]], (3 - 5**0.5) ** 0.5, 3**0.5),
        (ICOSAHEDRON, ((5 - 5**0.5) / 5) ** 0.5, 2**0.5),
        (np.eye(3), 0, 1),
        (np.vstack([np.eye(3), np.ones((1, 3))]), 0, 2),
        (gauss(3, 9, 0), 0.5042246868, None),
        (gauss(4, 12, 0), 0.4077989823, None),
        (gauss(5, 15, 0), 0.2799965128, None),
        (gauss(6, 14, 0), 0.0785731504, None),
        (gauss(6, 24, 0), 0.64749864, None),
        pytest.param(gauss(8, 32, 0), 0.67422367, None, marks=pytest.mark.slow),
        pytest.param(gauss(6, 36, 0), 1.53169052, None, marks=pytest.mark.slow),
    ],
)
def test_reference_values_are_certified(vectors: Any, value: float, largest: float | None) -> None:
    found = bounds(singles(vectors), PLAIN)
    assert found.exact
    assert found.reason == ""
    assert found.seconds < 60
    assert found.upper == pytest.approx(value, abs=6e-9)
    assert found.lower <= found.upper
    assert found.pair is not None
    again = Operator.of(singles(vectors), PLAIN).ratio(*found.pair)
    assert again == pytest.approx(found.upper, abs=1e-12)
    if largest is not None:
        assert found.largest == pytest.approx(largest)
    assert found.largest_exact


@pytest.mark.parametrize("m", range(3, 12))
def test_harmonic_frames(m: int) -> None:
    half = 1 / (2 * np.sin(np.pi / 2 / m)) if m % 2 else 1 / np.sin(np.pi / m)
    found = bounds(singles(harmonic(m)), PLAIN)
    assert found.exact
    assert found.upper**2 == pytest.approx(m / 2 - half)
    assert found.largest**2 == pytest.approx(m / 2)


@settings(max_examples=60)
@given(st.integers(1, 4), st.integers(1, 12), st.integers(0, 10**6), st.integers(0, 3))
def test_branch_and_bound_agrees_with_enumeration(n: int, m: int, seed: int, kind: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((m, n))
    if kind == 1:  # many ties, dependent and repeated vectors
        vectors = rng.integers(-1, 2, (m, n)).astype(float)
    elif kind == 2:
        vectors *= 10.0 ** rng.integers(-6, 7)
    subset = rng.random(m) < 0.5
    oracle, search = least_split(vectors), branch_and_bound(vectors, subset, most=10**6)
    size = float(np.sum(vectors**2))
    assert search.complete
    assert search.value == pytest.approx(oracle, abs=1e-11 * size)
    assert search.lower <= oracle + 1e-15 * size
    assert local_search(vectors, rng, starts=4)[0] >= oracle - 1e-11 * size


def test_branch_and_bound_from_a_poor_subset() -> None:
    """As the best value falls during the search, nodes that wait are compared with it again."""
    for seed in range(12):
        vectors = gauss(3, 14, seed)
        search = branch_and_bound(vectors, np.ones(14, dtype=bool), most=10**6)
        assert search.value == pytest.approx(least_split(vectors), abs=1e-12)


@pytest.mark.parametrize("m", [14, 15])
def test_larger_frames_agree_with_enumeration(m: int) -> None:
    vectors = gauss(4, m, 7)
    search = branch_and_bound(vectors, np.arange(m) < 5, most=10**6)
    assert search.value == pytest.approx(least_split(vectors), abs=1e-12)


def test_a_search_that_is_given_up_certifies_less_and_says_so() -> None:
    found = bounds(singles(gauss(8, 24, 0)), PLAIN, effort=1e-5)
    assert not found.exact
    assert "given up" in found.reason
    assert found.lower <= 0.2195211826 <= found.upper + 1e-9


def test_beyond_branch_and_bound_the_lower_end_is_the_polynomial_one() -> None:
    found = bounds(singles(gauss(17, 170, 0)), PLAIN, effort=0.01)
    assert "17 dimensions" in found.reason
    assert "polynomial" in found.method
    assert 0 < found.lower < found.upper


@pytest.mark.parametrize("scale", [1e-200, 1e-9, 1e12, 1e150])
def test_a_scale_changes_nothing_but_the_scale(scale: float) -> None:
    plain, scaled = (bounds(singles(gauss(3, 9, 0) * s), PLAIN) for s in (1.0, scale))
    assert scaled.exact
    assert scaled.upper / scale == pytest.approx(plain.upper, rel=1e-9)


@pytest.mark.parametrize(
    "vectors", [np.zeros((3, 2)), np.eye(3)[:2], [[1, 0], [1, 0], [-1, 0]], np.zeros((1, 1))]
)
@pytest.mark.parametrize("rectified", [False, True])
def test_frames_that_do_not_span_have_zero(vectors: Any, rectified: bool) -> None:
    pooling = benchbase.build("pooling", {"name": "lp", "p": 2, "rectified": rectified})
    found = bounds(singles(vectors), pooling)
    assert found.lower == 0
    assert found.upper == pytest.approx(0, abs=1e-12)
    assert found.exact
    assert found.largest_exact or rectified
