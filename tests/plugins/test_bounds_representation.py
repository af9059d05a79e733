"""The operators of the bounds are the poolings of the solvers."""

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase_bounds.representation import Operator


@st.composite
def problems(draw: st.DrawFn) -> tuple[benchbase.DenseFrame, benchbase.Pooling, int]:
    """Draw a frame, any pooling that has bounds, and a seed; few values, so that ties are met."""
    k, size, n = (draw(st.integers(1, most)) for most in (5, 4, 4))
    seed = draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((k, size, n))
    if draw(st.booleans()):
        vectors = np.round(vectors)
    spec: dict[str, Any] = {"name": draw(st.sampled_from(["lp", "maxout"]))}
    if spec["name"] == "lp":
        spec["p"] = draw(st.sampled_from([1, 2, math.inf]))
        spec["rectified"] = draw(st.booleans())
        kind = draw(st.sampled_from(["none", "one", "each"]))
        if spec["rectified"] and kind != "none":
            each = np.round(rng.standard_normal(k * size), 1)
            spec["threshold"] = float(each[0]) if kind == "one" else each.tolist()
    return benchbase.DenseFrame(vectors), benchbase.build("pooling", spec), seed


@settings(max_examples=100)
@given(problems())
def test_values_are_those_of_the_pooling(
    problem: tuple[benchbase.DenseFrame, benchbase.Pooling, int],
) -> None:
    frame, pooling, seed = problem
    operator = Operator.of(frame, pooling)
    x = np.random.default_rng(seed).integers(-2, 3, (6, frame.n)).astype(float)
    expected = pooling(frame.analyse(x))
    np.testing.assert_allclose(operator(x), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(operator.with_slopes(x)[0], expected, rtol=1e-12, atol=1e-12)
    assert operator.even == pooling.even


@settings(max_examples=100)
@given(problems())
def test_slopes_are_derivatives_of_the_pooling(
    problem: tuple[benchbase.DenseFrame, benchbase.Pooling, int],
) -> None:
    frame, pooling, seed = problem
    operator = Operator.of(frame, pooling)
    rng = np.random.default_rng(seed)
    x, step, h = rng.standard_normal(frame.n), rng.standard_normal(frame.n), 1e-6
    values = [pooling(frame.analyse(x + s * h * step)) for s in (-1, 0, 1)]
    below, above = (values[1] - values[0]) / h, (values[2] - values[1]) / h
    smooth = np.abs(above - below) < 1e-4  # elsewhere a kink lies between
    slope = operator.jacobian(x) @ step
    np.testing.assert_allclose(slope[smooth], (0.5 * (below + above))[smooth], rtol=1e-4, atol=2e-4)
