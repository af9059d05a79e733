"""ℓ2 pooling: reference values, known pools, the polynomial bound."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase_bounds.dispatch import bounds
from benchbase_bounds.lower_ends.polynomial import polynomial_lower_bound
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_ends.l2 import alternate, descend, values

PLAIN = benchbase.build("pooling", {"name": "lp", "p": 2})


def gauss(n: int, m: int, seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal((n, m)).T


@pytest.mark.parametrize(
    ("n", "m", "value"), [(2, 8, 0.2225495), (3, 12, 0.2925173)], ids=["2,8", "3,12"]
)
def test_reference_values_are_reached(n: int, m: int, value: float) -> None:
    found = bounds(benchbase.DenseFrame(gauss(n, m, 0).reshape(m // 2, 2, n)), PLAIN, effort=0.1)
    assert found.upper <= value + 1e-7
    assert 0 < found.lower < found.upper


def test_known_pools() -> None:
    golden = (1 + 5**0.5) / 2
    axes = [[0, 1, golden], [0, 1, -golden], [1, golden, 0], [1, -golden, 0], [golden, 0, 1]]
    icosahedron = np.array([*axes, [golden, 0, -1]]) / np.hypot(1, golden)
    angles = np.pi / 2 + 2 * np.pi * np.arange(3) / 3
    mercedes = np.column_stack([np.cos(angles), np.sin(angles)])
    padded = np.stack([mercedes, 0 * mercedes], axis=1)
    doubled = np.stack([mercedes, mercedes], axis=1)
    planes = np.stack([np.linalg.svd(axis[None])[2][1:] for axis in icosahedron])
    bases = np.stack([np.linalg.qr(pair)[0] for pair in gauss(2, 10, 3).reshape(5, 2, 2)])

    def upper(vectors: Any) -> float:
        found = bounds(benchbase.DenseFrame(vectors), PLAIN, effort=0.05)
        if vectors is planes:
            assert found.largest == pytest.approx(2)
        return found.upper

    assert upper(padded) == pytest.approx(0.5**0.5)
    assert upper(doubled) == pytest.approx(1)
    assert upper(planes) <= 0.58690955 + 1e-8
    assert upper(bases) == pytest.approx(0, abs=1e-7)


def test_turns_and_descents_never_raise_the_value() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((24, 2, 8))
    u, v = rng.standard_normal((2, 6, 8))
    start = values(vectors, u, v)
    before = start
    for most in range(1, 8):
        now = values(vectors, *alternate(vectors, u, v, most=most).transpose(1, 0, 2))
        assert (now <= before + 1e-10).all()
        before = now
    assert (values(vectors, *descend(vectors, u, v).transpose(1, 0, 2)) <= start).all()


@settings(max_examples=60)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 10**6))
def test_the_polynomial_bound_is_below_every_ratio(n: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n * (n + 1) // 2 + int(rng.integers(0, 9)), size, n))
    x, y = rng.standard_normal((2, 300, n))
    ratios = Operator.of(benchbase.DenseFrame(vectors), PLAIN).ratio(x, y)
    assert polynomial_lower_bound(vectors) <= ratios.min()
