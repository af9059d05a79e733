"""The lp poolings and maxout: values, rescaling, nearest points."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Pooling, Problem
from benchbase_poolings.lp import LpPooling
from benchbase_poolings.maxout import Maxout

EXPONENTS = (1.0, 2.0, np.inf)
SETTINGS = list(product(EXPONENTS, (False, True)))
BATCHES = [(), (5,), (2, 3)]
every_lp = pytest.mark.parametrize(("p", "rectified"), SETTINGS)
some = settings(max_examples=25)  # for each of six poolings

# Few distinct values, so that ties, zeros and empty pools come up often; none next to nothing.
entries = st.one_of(st.integers(-2, 2).map(float), st.floats(1e-3, 3), st.floats(-3, -1e-3))
shapes = st.tuples(st.integers(1, 4), st.integers(1, 3))
coefficients = shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=entries))
values = st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.floats(1e-3, 5))


@st.composite
def coefficients_and_values(draw: st.DrawFn) -> tuple[Array, Array]:
    c = draw(coefficients)
    return c, draw(arrays(np.float64, c.shape[-1], elements=values))


def lp(
    p: float = 2.0, rectified: bool = False, threshold: float | tuple[float, ...] = 0.0
) -> Pooling:
    return LpPooling(p=p, rectified=rectified, threshold=threshold)


MAXOUT = Maxout()


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def norms(c: Array, p: float) -> Array:
    sizes: Array = np.linalg.norm(c, ord=p, axis=-2)
    return sizes


# Values


@every_lp
@pytest.mark.parametrize("pool_size", [1, 2, 5])
@pytest.mark.parametrize("batch", BATCHES)
def test_lp_is_the_norm_of_the_rectified_pool(
    p: float, rectified: bool, pool_size: int, batch: tuple[int, ...]
) -> None:
    c = normal(*batch, pool_size, 7)
    pooled = lp(p=p, rectified=rectified)(c)
    assert pooled.shape == (*batch, 7)
    assert_allclose(pooled, norms(np.maximum(c, 0) if rectified else c, p), atol=1e-14)


@pytest.mark.parametrize("p", EXPONENTS)
def test_thresholds_are_ordered_pool_by_pool(p: float) -> None:
    pooling = lp(p=p, rectified=True, threshold=(0.0, 10.0, 20.0, 30.0))
    c = np.array(
        [[1.0, 24.0], [9.0, 33.0]]
    )  # pool 0: 1 − 0 and 9 − 10; pool 1: 24 − 20 and 33 − 30
    assert_allclose(pooling(c), [1, {1.0: 7, 2.0: 5, np.inf: 4}[p]])


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("alpha", [0.5, -0.7])
def test_a_threshold_shifts_coefficients(p: float, alpha: float) -> None:
    c, b = normal(4, 3, 6), np.abs(normal(4, 6, seed=1))
    plain, shifted = lp(p=p, rectified=True), lp(p=p, rectified=True, threshold=alpha)
    each = lp(p=p, rectified=True, threshold=(alpha,) * 18)
    assert_allclose(shifted(c + alpha), plain(c), atol=1e-12)
    assert_allclose(shifted.rescale(c + alpha, b), plain.rescale(c, b) + alpha, atol=1e-12)
    assert_allclose(shifted.project(c + alpha, b), plain.project(c, b) + alpha, atol=1e-12)
    assert_array_equal(each(c), shifted(c))
    assert_array_equal(each.rescale(c, b), shifted.rescale(c, b))
    assert_array_equal(each.project(c, b), shifted.project(c, b))
    assert_array_equal(_known(each, c, b), _known(shifted, c, b))


@every_lp
@some
@given(c=coefficients, factor=st.floats(1e-3, 1e3))
def test_lp_is_positively_homogeneous(p: float, rectified: bool, c: Array, factor: float) -> None:
    pooling = lp(p=p, rectified=rectified)
    assert_allclose(pooling(factor * c), factor * pooling(c), rtol=1e-12)


@every_lp
def test_only_unrectified_poolings_lose_the_sign(p: float, rectified: bool) -> None:
    pooling, c = lp(p=p, rectified=rectified), normal(3, 50)
    same = np.array_equal(pooling(c), pooling(-c))
    assert pooling.even == same == (not rectified)
    assert pooling.nonnegative
    assert (pooling(c) >= 0).all()
    assert (pooling.p, pooling.rectified) == (p, rectified)


def test_sum_of_a_pair_is_the_maximum_of_its_sum_and_difference() -> None:
    vectors = normal(9, 2, 5)
    turned = np.stack((vectors[:, 0] + vectors[:, 1], vectors[:, 0] - vectors[:, 1]), axis=1)
    x = normal(20, 5, seed=1)
    b = Problem(DenseFrame(vectors), lp(p=1)).measure(x)
    assert_allclose(Problem(DenseFrame(turned), lp(p=np.inf)).measure(x), b, rtol=1e-12)


# Rescaling


def rescaled(u: list[float], b: float, p: float, rectified: bool, alpha: float) -> list[float]:
    """Rescale one pool, word for word."""
    if not rectified:
        direction = np.array(u) if any(u) else np.ones(len(u))
        return list(b * direction / np.linalg.norm(direction, ord=p))
    if b == 0:
        return [min(value, alpha) for value in u]
    excess = [max(0.0, value - alpha) for value in u]
    size = np.linalg.norm(excess, ord=p)
    return [
        alpha + b * above / float(size) if above > 0 else value
        for value, above in zip(u, excess, strict=True)
    ]


@every_lp
@some
@given(case=coefficients_and_values(), alpha=st.sampled_from([0.0, 0.5, -1.0]))
def test_rescale_pool_by_pool(
    p: float, rectified: bool, case: tuple[Array, Array], alpha: float
) -> None:
    c, b = case
    alpha = alpha if rectified else 0.0
    pooling = lp(p=p, rectified=rectified, threshold=alpha)
    expected = [rescaled(list(c[:, k]), b[k], p, rectified, alpha) for k in range(b.size)]
    assert_allclose(pooling.rescale(c, b), np.transpose(expected), rtol=1e-9, atol=1e-12)


@every_lp
@some
@given(case=coefficients_and_values())
def test_rescale_gives_the_values_b(p: float, rectified: bool, case: tuple[Array, Array]) -> None:
    c, b = case
    pooling = lp(p=p, rectified=rectified)
    reachable = np.ones(b.shape, dtype=bool) if not rectified else (c > 0).any(axis=0) | (b == 0)
    pooled = pooling(pooling.rescale(c, b))
    assert_allclose(pooled[reachable], b[reachable], rtol=1e-9, atol=1e-12)


def _known(pooling: Pooling, c: Array, b: Array) -> Array:
    mask = pooling.known(c, b)
    assert mask is not None
    assert mask.dtype == bool
    return mask


@pytest.mark.parametrize("p", EXPONENTS)
@some
@given(case=coefficients_and_values(), alpha=st.sampled_from([0.0, 0.5]))
def test_entries_that_are_not_known_keep_their_value(
    p: float, case: tuple[Array, Array], alpha: float
) -> None:
    c, b = case
    pooling = lp(p=p, rectified=True, threshold=alpha)
    mask = _known(pooling, c, b)
    assert_array_equal(mask, (c > alpha) | (b == 0))
    assert_array_equal(pooling.rescale(c, b)[~mask], c[~mask])


def test_all_entries_are_known_without_rectification() -> None:
    assert lp().known(normal(2, 3), np.ones(3)) is None


# Rescaling and nearest points


@every_lp
def test_consistent_coefficients_are_fixed_points(p: float, rectified: bool) -> None:
    for alpha in (0.0, 0.4) if rectified else (0.0,):
        pooling = lp(p=p, rectified=rectified, threshold=alpha)
        c = normal(4, 2, 100)
        c[0, :, :3] = -1  # pools that are inactive where rectified
        b = pooling(c)
        assert_allclose(pooling.rescale(c, b), c, atol=1e-14)
        assert_allclose(pooling.project(c, b), c, atol=1e-14)


@every_lp
@some
@given(case=coefficients_and_values(), data=st.data())
def test_the_order_of_a_pools_members_does_not_matter(
    p: float, rectified: bool, case: tuple[Array, Array], data: st.DataObject
) -> None:
    c, b = case
    order = data.draw(st.permutations(range(c.shape[0])))
    pooling = lp(p=p, rectified=rectified)
    assert_allclose(pooling(c[order]), pooling(c), rtol=1e-12)
    assert_allclose(pooling.rescale(c[order], b), pooling.rescale(c, b)[order], rtol=1e-12)
    # Of equal entries any one may be chosen, so that only the distance is the same.
    there, back = pooling.project(c[order], b) - c[order], pooling.project(c, b) - c
    assert_allclose(np.linalg.norm(there, axis=0), np.linalg.norm(back, axis=0), atol=1e-9)


# Complex coefficients


def complex_normal(*shape: int) -> Array:
    return normal(*shape) + 1j * normal(*shape, seed=1)


@pytest.mark.parametrize("p", EXPONENTS)
def test_complex_pools_are_pools_of_moduli_with_phases(p: float) -> None:
    pooling, c, b = lp(p=p), complex_normal(4, 3, 6), np.abs(normal(4, 6, seed=2))
    phase = c / np.abs(c)
    assert_allclose(pooling(c), norms(np.abs(c), p), rtol=1e-12)
    for step in (pooling.rescale, pooling.project):
        assert_allclose(step(c, b), step(np.abs(c), b) * phase, atol=1e-12)


@pytest.mark.parametrize("p", EXPONENTS)
def test_complex_pools_of_zeros_take_the_value_b(p: float) -> None:
    pooling, zeros, b = lp(p=p), np.zeros((2, 3), dtype=complex), np.array([0.0, 1.0, 2.0])
    for step in (pooling.rescale, pooling.project):
        assert_allclose(pooling(step(zeros, b)), b, atol=1e-12)


@pytest.mark.parametrize("pooling", [lp(rectified=True), MAXOUT], ids=["rectified", "maxout"])
def test_complex_coefficients_have_no_order(pooling: Pooling) -> None:
    c, b = complex_normal(2, 3), np.ones(3)
    for call in (pooling.rescale, pooling.project, pooling.known):
        with pytest.raises(TypeError, match="real coefficients"):
            call(c, b)
    with pytest.raises(TypeError, match="real coefficients"):
        pooling(c)


# Types, shapes, extremes

POOLINGS = {f"p={p} {'rectified' if r else 'linear'}": lp(p=p, rectified=r) for p, r in SETTINGS}
POOLINGS["maxout"] = MAXOUT
every_pooling = pytest.mark.parametrize("pooling", POOLINGS.values(), ids=POOLINGS.keys())


@every_pooling
@pytest.mark.parametrize("pool_size", [1, 2, 3])
def test_a_batch_is_its_rows(pooling: Pooling, pool_size: int) -> None:
    c, b = normal(2, 3, pool_size, 7), np.abs(normal(2, 3, 7, seed=1))
    for i, j in np.ndindex(2, 3):
        assert_allclose(pooling(c)[i, j], pooling(c[i, j]), rtol=1e-13)
        for step in (pooling.rescale, pooling.project, pooling.known):
            whole, row = step(c, b), step(c[i, j], b[i, j])
            assert (whole is None) == (row is None)
            if whole is not None and row is not None:
                assert_allclose(whole[i, j], row, rtol=1e-13, atol=1e-15)


@every_pooling
def test_values_broadcast_to_a_batch(pooling: Pooling) -> None:
    c, b = normal(4, 2, 7), np.abs(normal(7, seed=1))
    every = np.broadcast_to(b, (4, 7))
    assert_array_equal(pooling.rescale(c, b), pooling.rescale(c, every))
    assert_array_equal(pooling.project(c, b), pooling.project(c, every))


@every_pooling
@pytest.mark.parametrize("pool_size", [2, 3])
def test_a_batch_may_be_empty(pooling: Pooling, pool_size: int) -> None:
    c, b = np.empty((0, pool_size, 7)), np.empty((0, 7))
    assert pooling(c).shape == b.shape
    assert pooling.rescale(c, b).shape == pooling.project(c, b).shape == c.shape


@every_pooling
@pytest.mark.parametrize("pool_size", [2, 3])
def test_arguments_are_left_alone(pooling: Pooling, pool_size: int) -> None:
    c, b = normal(4, pool_size, 7), np.abs(normal(4, 7, seed=1))
    kept = c.copy(), b.copy()
    for result in (pooling(c), pooling.rescale(c, b), pooling.project(c, b)):
        result[...] = 0
    assert_array_equal(c, kept[0])
    assert_array_equal(b, kept[1])


@every_pooling
@pytest.mark.parametrize("pool_size", [2, 3])
def test_precision_is_that_of_the_coefficients(pooling: Pooling, pool_size: int) -> None:
    c, b = normal(4, pool_size, 7), np.abs(normal(4, 7, seed=1))
    c[0] = 0
    single: Array = c.astype(np.float32)
    assert pooling(single).dtype == np.float32
    assert_allclose(pooling(single), pooling(c), rtol=1e-5)
    for step in (pooling.rescale, pooling.project):
        for values_b in (b, b.astype(np.float32)):
            assert step(single, values_b).dtype == np.float32
            assert_allclose(step(single, values_b), step(c, b), atol=1e-5)


@pytest.mark.parametrize("p", EXPONENTS)
def test_complex_precision_is_kept(p: float) -> None:
    c: Array = complex_normal(4, 2, 7).astype(np.complex64)
    b = np.abs(normal(4, 7, seed=1))
    c[0] = 0
    pooling = lp(p=p)
    assert pooling(c).dtype == np.float32
    assert pooling.rescale(c, b).dtype == pooling.project(c, b).dtype == np.complex64


@every_lp
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_next_to_nothing_is_no_division_by_zero(p: float, rectified: bool, dtype: type) -> None:
    tiny = float(np.finfo(dtype).smallest_subnormal)
    c: Array = np.array([[0.0, tiny, tiny, -tiny, 0.0], [0.0, 0.0, tiny, 0.0, 1.0]], dtype=dtype)
    pooling, b = lp(p=p, rectified=rectified), np.array([1.0, 3.0, 0.0, 1.0, 0.0])
    assert np.isfinite(pooling.rescale(c, b)).all()
    found = pooling.project(c, b)
    assert np.isfinite(found).all()
    assert_allclose(pooling(found), b, rtol=1e-6, atol=1e-12)


# Maxout


@pytest.mark.parametrize("pool_size", [1, 2, 3])
def test_maxout_keeps_the_sign(pool_size: int) -> None:
    c: Array = normal(4, pool_size, 30)
    b = MAXOUT(c)
    assert_array_equal(b, np.sort(c, axis=-2)[:, -1])
    assert not MAXOUT.even
    assert not MAXOUT.nonnegative
    assert (b < 0).any()
    assert MAXOUT.p is None
    assert_array_equal(MAXOUT.rescale(c, b), c)


@some
@given(case=coefficients_and_values())
def test_maxout_sets_what_it_knows_to_b(case: tuple[Array, Array]) -> None:
    c, b = case
    mask = _known(MAXOUT, c, b)
    largest = np.arange(len(c))[:, None] == c.argmax(axis=0)  # the first of equals
    assert_array_equal(mask, largest | (c > b))
    assert_array_equal(MAXOUT.rescale(c, b), np.where(mask, b, c))


# Specs


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"p": 0}, "p: must be 1, 2 or inf, not 0"),
        ({"p": 3}, "p: must be 1, 2 or inf, not 3"),
        ({"p": float("nan")}, "p: nan is not allowed here"),
        ({"p": "two"}, "p: must be a valid number"),
        ({"threshold": 0.5}, "threshold: must be 0 unless rectified"),
        ({"threshold": [0.0, 0.0]}, "threshold: must be 0 unless rectified"),
        ({"rectified": True, "threshold": float("inf")}, "threshold: must be finite"),
        ({"rectified": True, "threshold": [0.0, float("inf")]}, "threshold: must be finite"),
        ({"rectify": True}, "no parameter 'rectify'; did you mean 'rectified'"),
    ],
)
def test_bad_parameters_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(benchbase.SpecError, match=message):
        benchbase.build("pooling", {"name": "lp", **parameters})


def test_specs_build_poolings() -> None:
    spec = {"name": "lp", "p": "inf", "rectified": True, "threshold": [0.5, 1]}
    assert benchbase.build("pooling", spec) == lp(np.inf, True, (0.5, 1.0))
    assert benchbase.build("pooling", {"name": "lp", "p": 2}) == lp()
    assert benchbase.build("pooling", {"name": "maxout"}) == MAXOUT


@pytest.mark.parametrize("count", [0, 1, 5, 7])
def test_thresholds_must_be_one_per_coefficient(count: int) -> None:
    frame = DenseFrame(normal(3, 2, 4))
    Problem(frame, lp(rectified=True, threshold=(0.1,) * 6))
    with pytest.raises(
        benchbase.ParameterError, match=f"threshold must be one number or 6 .* not {count} numbers"
    ):
        Problem(frame, lp(rectified=True, threshold=(0.1,) * count))


def test_maxout_has_no_parameters() -> None:
    with pytest.raises(benchbase.SpecError, match="maxout has no parameter 'p'"):
        benchbase.build("pooling", {"name": "maxout", "p": 2})
