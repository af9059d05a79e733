"""Brackets of all operators against the ratios of drawn pairs."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Array
from benchbase_bounds.dispatch import bounds
from benchbase_bounds.representation import Operator

SPECS: list[dict[str, Any]] = [
    {"name": "lp", "p": p, "rectified": rectified}
    for p in (1, 2, math.inf)
    for rectified in (False, True)
] + [{"name": "maxout"}]


def drawn_problem(rng: np.random.Generator, spec: dict[str, Any], n: int) -> tuple[Array, Any]:
    """Draw vectors (K, L, N) and a pooling: generic, whole, repeated, opposite or graded ones."""
    k, size = int(rng.integers(1, 8 if n < 3 else 6)), int(rng.integers(1, 4))
    vectors = rng.standard_normal((k, size, n))
    kind = rng.integers(0, 6)
    if kind == 1:
        vectors = np.round(vectors)
    elif kind in (2, 3):  # repeated or opposite, exactly or up to rounding
        flat = vectors.reshape(-1, n)
        one, other = rng.integers(0, len(flat), 2)
        flat[one] = rng.choice([-2.0, -1.0, 1.0]) * flat[other]
        flat[one] += (kind == 3) * 1e-16 * rng.standard_normal(n)
    elif kind == 4:
        vectors *= 10.0 ** rng.integers(-3, 4, (k, size, 1))
    elif kind == 5:
        vectors *= 10.0 ** rng.choice([-150, 150])
    if spec.get("rectified") and rng.random() < 0.25:
        each = rng.choice([-1.0, 0.0, 0.5], k * size) * np.abs(vectors).max()
        spec = spec | {"threshold": each.tolist()}
    return vectors, benchbase.build("pooling", spec)


def check_bracket(
    rng: np.random.Generator, spec: dict[str, Any], n: int, number: int, effort: float
) -> None:
    """Check lower ≤ ratio ≤ B for many pairs of a drawn problem, and the pair of the bracket."""
    vectors, pooling = drawn_problem(rng, spec, n)
    frame = benchbase.DenseFrame(vectors)
    found = bounds(frame, pooling, effort=effort)
    scale = float(np.abs(vectors).max()) or 1.0
    operator = Operator.of(frame, pooling)
    operator = Operator(
        vectors / scale, operator.p, operator.rectified, operator.signed, operator.alpha / scale
    )
    x, y = rng.standard_normal((2, number, n)) * np.exp(rng.normal(0, 1, (number, 1)))
    y[::4] = x[::4] + 1e-3 * y[::4]
    y[1::4] = -x[1::4] * rng.random((len(x[1::4]), 1)) * 2
    x[2::8], y[2::8] = np.round(x[2::8]), np.round(y[2::8])
    ratios = operator.ratio(x, y)
    ratios = ratios[np.isfinite(ratios)]  # pairs too close to be told apart
    lower, upper, largest = (v / scale for v in (found.lower, found.upper, found.largest))
    assert (lower <= ratios + 1e-10 * largest).all()
    assert (ratios <= largest * (1 + 1e-9)).all()
    assert lower <= upper
    if found.exact:
        assert (ratios >= upper - 2e-6 * largest).all()
    else:
        assert found.reason
    assert found.pair is not None
    assert abs(float(operator.ratio(*found.pair)) - upper) <= 1e-9 * largest


@pytest.mark.parametrize("spec", SPECS, ids=str)
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), n=st.sampled_from([1, 2, 2, 3, 4]))
def test_ratios_of_pairs_lie_in_the_bracket(spec: dict[str, Any], seed: int, n: int) -> None:
    check_bracket(np.random.default_rng(seed), spec, n, number=4000, effort=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_ratios_of_pairs_lie_in_the_brackets_of_many_frames(spec: dict[str, Any]) -> None:
    for seed in range(300):
        rng = np.random.default_rng(seed)
        check_bracket(rng, spec, n=1 + seed % 4, number=5000, effort=0.02)
