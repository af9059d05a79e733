"""Piecewise linear poolings and rectified ℓ2: fans, pairs of cones, direct minimisation."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Array
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.brackets.piecewise_linear import Pieces
from benchbase_bounds.dispatch import bounds
from benchbase_bounds.geometry.fans import fan, n_cones
from benchbase_bounds.geometry.kinks import fan_of
from benchbase_bounds.geometry.rational import Ranks, fractions
from benchbase_bounds.geometry.regions import TooManyRegionsError
from benchbase_bounds.lower_ends.cone_pairs import even_bounds, full_bounds
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_ends.direct import flattest, log_ratio, minimise_ratio, upper_end

CASES: dict[str, dict[str, Any]] = {
    "l1": {"name": "lp", "p": 1},
    "linf": {"name": "lp", "p": math.inf},
    "rectified l1": {"name": "lp", "p": 1, "rectified": True},
    "rectified l2": {"name": "lp", "p": 2, "rectified": True},
    "rectified linf": {"name": "lp", "p": math.inf, "rectified": True},
    "maxout": {"name": "maxout"},
}
NORMS = [(p, rectified) for p in (1, 2, math.inf) for rectified in (False, True)]


def bracket(vectors: Array, case: str, effort: float = 0.1) -> tuple[Bracket, Operator]:
    frame, pooling = benchbase.DenseFrame(vectors), benchbase.build("pooling", CASES[case])
    return bounds(frame, pooling, effort=effort), Operator.of(frame, pooling)


def lp(vectors: Array, p: float, rectified: bool = False) -> Operator:
    spec = {"name": "lp", "p": p, "rectified": rectified}
    return Operator.of(benchbase.DenseFrame(vectors), benchbase.build("pooling", spec))


def gauss(n: int, m: int, size: int) -> Array:
    return np.random.default_rng(0).standard_normal((n, m)).T.reshape(-1, size, n)


def test_a_fan_narrower_than_rounding_is_not_certified() -> None:
    c = np.cos(np.pi / 2 * np.arange(4)), np.sin(np.pi / 2 * np.arange(4))
    square = np.stack(c, axis=1)  # its entries are ±1 and about 1e-16
    padded = np.stack([square, 0 * square], axis=1)
    for case in ("rectified l1", "rectified linf", "rectified l2"):
        found, _ = bracket(padded, case, effort=0.02)
        assert found.lower == 0
        assert not found.exact
        assert "rounding decides" in found.reason
        whole, _ = bracket(np.round(padded), case, effort=0.02)
        assert "rounding" not in whole.reason
        if case != "rectified l2":  # its subdivision fails if vectors of two pools are opposite
            assert whole.lower == pytest.approx(0.5**0.5)


def test_corollary_2_7_as_corrected() -> None:
    found, operator = bracket(np.array([[[1.0]], [[-1.0]], [[-2.0]]]), "rectified linf")
    assert found.exact
    assert found.upper == pytest.approx(math.sqrt(5 / 6), abs=1e-12)
    assert found.lower <= float(operator.ratio(np.array([5.0]), np.array([-1.0]))) < 1


def test_corollary_2_5_as_corrected() -> None:
    alone, _ = bracket(np.array([[[1.0], [-2.0]]]), "rectified l2")
    angles = np.deg2rad([-60, -30, 0, 30, 60])
    f = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found, operator = bracket(np.stack([f, -2 * f], axis=1), "rectified l2")
    x = np.array([1.0, 0.0])
    assert float(operator.ratio(x, -x / 2)) < 1e-12
    assert alone.lower == found.lower == 0
    assert max(alone.upper, found.upper) < 1e-6


@pytest.mark.parametrize("case", ["rectified l1", "rectified linf"])
def test_signed_basis_half_rectified(case: str) -> None:
    vectors = np.array([[[1.0, 0]], [[-1.0, 0]], [[0, 1.0]], [[0, -1.0]]])
    found, _ = bracket(vectors, case)
    assert found.exact
    assert found.upper == pytest.approx(math.sqrt(0.5), abs=1e-10)
    assert found.largest == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize(("case", "value"), [("l1", math.sqrt(2)), ("linf", math.sqrt(0.5))])
def test_mercedes_benz_in_pools(case: str, value: float) -> None:
    angles = np.deg2rad([90, 210, 330])
    f = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for second, expected in ((f, value), (0 * f, math.sqrt(0.5))):
        found, _ = bracket(np.stack([f, second], axis=1), case)
        assert found.exact
        assert found.upper == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "m", "p", "value"),
    [
        (2, 8, 2, 0.2225495),
        (2, 8, math.inf, 0.1374695),
        (2, 8, 1, 0.3859381),
        (3, 12, 2, 0.2925173),
        (3, 12, math.inf, 0.2696319),
        (3, 12, 1, 0.2286595),
    ],
)
def test_pooled_reference_values_are_reached(n: int, m: int, p: float, value: float) -> None:
    found, pair = minimise_ratio(lp(gauss(n, m, 2), p), restarts=48, n_iter=400)
    assert found <= value + 6e-8
    assert found == lp(gauss(n, m, 2), p).ratio(*pair)


@pytest.mark.parametrize(("p", "rectified"), NORMS)
def test_gradient_of_the_log_ratio(p: float, rectified: bool) -> None:
    operator = lp(gauss(3, 16, 2), p, rectified)
    rng = np.random.default_rng(1)
    z, step = rng.standard_normal((2, 5, 6))
    _, gradient = log_ratio(operator, z)
    h = 1e-6
    up, down = (log_ratio(operator, z + s * h * step)[0] for s in (1, -1))
    np.testing.assert_allclose((up - down) / (2 * h), np.sum(gradient * step, axis=1), rtol=1e-5)


def test_no_false_tiny_ratio_from_pairs_too_close() -> None:
    operator = lp(gauss(3, 40, 2), 2)
    x = np.ones(3)
    assert np.isinf(operator.ratio(x, x + 1e-7))
    found, _ = minimise_ratio(operator, restarts=24, n_iter=400)
    assert found > 1


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_the_estimate_is_at_most_what_short_derivatives_attain(p: float) -> None:
    operator = lp(gauss(6, 48, 2), p, True)
    pairs = flattest(operator, walkers=8)
    values = operator.ratio(pairs[:, 0], pairs[:, 1])
    J = operator.jacobian(pairs[:, 0])
    least = np.sqrt(np.maximum(np.linalg.eigvalsh(J.transpose(0, 2, 1) @ J)[:, 0], 0))
    assert np.median(np.abs(values - least)) < 0.05  # a few lie across a kink
    drawn = operator.jacobian(np.random.default_rng(0).standard_normal((8, 6)))
    assert least.mean() < np.linalg.svd(drawn, compute_uv=False)[:, -1].mean()
    assert upper_end(operator, seed=0, effort=0.1)[0] <= values.min()


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_short_derivatives_lower_the_upper_end_with_rectification(p: float) -> None:
    operator = lp(np.random.default_rng(0).standard_normal((12, 2, 4)), p, True)
    without, _ = minimise_ratio(operator, restarts=4, n_iter=400)
    assert upper_end(operator, seed=0, effort=0.1)[0] < 0.9 * without


def test_no_ratio_of_pairs_that_thresholds_drown() -> None:
    spec = {"name": "lp", "p": 2, "rectified": True, "threshold": [-1.0, 0.5]}
    frame = benchbase.DenseFrame(np.ones((2, 1, 1)))
    operator = Operator.of(frame, benchbase.build("pooling", spec))
    x, y = np.array([1e-14]), np.array([-3e-14])  # R(x) and R(y) are 1 to within 200 roundings
    assert np.isinf(operator.ratio(x, y))
    assert operator.ratio(1e10 * x, 1e10 * y) == pytest.approx(1)


@given(seed=st.integers(0, 2**32), h=st.integers(2, 9), n=st.integers(1, 4))
@settings(max_examples=30)
def test_number_of_cones_in_general_position(seed: int, h: int, n: int) -> None:
    found = fan(fractions(np.random.default_rng(seed).standard_normal((h, n))), most=1000)
    assert len(found.cones) == n_cones(len(found.normals), n)
    assert np.linalg.matrix_rank(found.normals) == n  # completed by coordinate hyperplanes


@given(seed=st.integers(0, 2**32), h=st.integers(1, 6), n=st.integers(1, 3))
@settings(max_examples=30)
def test_cones_are_where_their_signs_and_rays_say(seed: int, h: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    found = fan(fractions(rng.integers(-2, 3, (h, n)).astype(float)), most=1000)
    heights = found.rays @ found.normals.T
    assert (np.abs(heights[found.incident]) < 1e-12).all()
    for cone, signs in zip(found.cones, found.signs, strict=True):
        assert len(cone) >= n
        assert (heights[sorted(cone)] * signs > -1e-12).all()
        assert np.linalg.matrix_rank(found.rays[sorted(cone)]) == n
    drawn = {tuple(row) for row in np.sign(rng.standard_normal((200, n)) @ found.normals.T)}
    assert drawn <= {tuple(row) for row in found.signs}


@pytest.mark.parametrize("case", [case for case in CASES if case != "rectified l2"])
@pytest.mark.parametrize(("n", "size"), [(2, 3), (3, 2)])
def test_representations_are_linear_on_the_cones_of_their_fan(case: str, n: int, size: int) -> None:
    rng = np.random.default_rng(n)
    vectors = rng.standard_normal((3, size, n))
    operator = Operator.of(benchbase.DenseFrame(vectors), benchbase.build("pooling", CASES[case]))
    cones, _ = fan_of(operator, 1.0)
    assert cones is not None
    for cone, middle in zip(cones.cones, cones.interior(), strict=True):
        x = rng.exponential(1.0, (20, len(cone))) @ cones.rays[sorted(cone)]
        np.testing.assert_allclose(operator.jacobian(x) - operator.jacobian(middle), 0, atol=1e-12)


def test_too_many_cones_are_refused() -> None:
    normals = fractions(np.random.default_rng(0).standard_normal((30, 3)))
    with pytest.raises(TooManyRegionsError):
        fan(normals, most=100)
    operator = lp(gauss(3, 60, 2), math.inf, True)
    none, reason = fan_of(operator, 0.01)
    assert none is None
    assert "too many to certify" in reason


def test_cones_of_reflection_groups() -> None:
    for n, order in ((2, 8), (3, 48)):
        unit = np.eye(n)
        mixed = [unit[i] + s * unit[j] for i in range(n) for j in range(i) for s in (1, -1)]
        assert len(fan(fractions(np.array([*unit, *mixed])), most=100).cones) == order


@pytest.mark.parametrize(("change", "least"), [(0.0, 1.0), (1e-13, 0.0)])
def test_a_rank_that_rounding_leaves_in_doubt_is_taken_exactly(change: float, least: float) -> None:
    """Rows of J − J' are along (1, 0) and (1, change), which rounding takes for one direction."""
    vectors = np.array(
        [[[1, 1], [-1, 1]], [[1, -1 + change], [-1, -1 - change]], [[1, 0], [0, 0]]], dtype=float
    )
    slopes = np.array([[[1, 0], [1, 0], [1, 0]], [[0, 1], [0, 1], [1, 0]]])
    J = np.einsum("ckl,kln->ckn", slopes, vectors)
    (found,) = full_bounds(J[:1], J[1:], slopes[:1] - slopes[1:], Ranks(vectors))
    assert found == pytest.approx(least)
    assert found < least or found == 0  # there is an allowance for rounding


@pytest.mark.parametrize("turned", [1, -1])
def test_a_pair_bound_is_that_of_both_signs(turned: int) -> None:
    J = np.array([[[1.0], [2.0]]])
    slopes = np.array([[[1], [1]]])
    ranks = Ranks(np.array([[[1.0]], [[2.0]]]))
    found = even_bounds(J, turned * J, slopes, turned * slopes, ranks)
    assert found == pytest.approx(5**0.5)


@pytest.mark.parametrize("case", ["rectified l1", "rectified linf", "maxout"])
def test_the_search_over_faces_finds_a_by_itself(case: str) -> None:
    """From a bad pair it finds the least ratio; cut short, it certifies less."""
    vectors = np.random.default_rng(0).standard_normal((5, 2, 2))
    operator = Operator.of(benchbase.DenseFrame(vectors), benchbase.build("pooling", CASES[case]))
    cones, _ = fan_of(operator, 1.0)
    assert cones is not None
    pieces = Pieces.of(operator, cones)
    x, y = np.eye(2) * 7
    table, bad = pieces.table(), float(operator.ratio(x, y))
    least, _ = minimise_ratio(operator, restarts=32, n_iter=200)
    assert bad > 1.2 * least > 0.1
    search = pieces.search(operator, cones, bad, (x, y))
    lower, done = search.run(table, 10**5)
    assert done
    assert lower == pytest.approx(least, abs=1e-8)
    assert search.upper == pytest.approx(least, abs=1e-8)
    for most in (0, 1, 5, 20):
        lower, _ = pieces.search(operator, cones, bad, (x, y)).run(table, most)
        assert lower <= least + 1e-9
