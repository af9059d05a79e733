"""Half rectification of pools of one: regions, A₀, certificates of degenerate arrangements."""

from itertools import product
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase_bounds.dispatch import bounds
from benchbase_bounds.geometry.frame_operators import frame_operators, least_eigenvalues
from benchbase_bounds.geometry.regions import TooManyRegionsError, active_sets, sign_vectors
from benchbase_bounds.lower_ends.region_pairs import pair_bound
from benchbase_bounds.representation import Operator


def rectified(threshold: Any = 0.0) -> benchbase.Pooling:
    spec = {"name": "lp", "p": 2, "rectified": True, "threshold": threshold}
    pooling: benchbase.Pooling = benchbase.build("pooling", spec)
    return pooling


def singles(vectors: Any) -> benchbase.DenseFrame:
    return benchbase.DenseFrame(np.asarray(vectors, dtype=np.float64)[:, None, :])


def polygon(m: int) -> Any:
    angles = 2 * np.pi * np.arange(m) / m
    return np.column_stack([np.cos(angles), np.sin(angles)])


def a_0(vectors: Any) -> float:
    """Return A₀ of the paper's equation 8 without thresholds: the least λ₋(F_Ω) of active sets."""
    sets = active_sets(vectors, np.zeros(len(vectors)))
    n = vectors.shape[1]
    return min(
        float(np.linalg.svd(vectors[kept], compute_uv=False)[-1]) if kept.sum() >= n else 0.0
        for kept in sets
    )


def signed(n: int) -> Any:
    return np.vstack([np.eye(n), -np.eye(n)])


@pytest.mark.parametrize(("n", "m"), [(1, 4), (2, 6), (3, 8), (4, 9), (5, 10)])
def test_counts_in_general_position(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    vectors, thresholds = rng.standard_normal((m, n)), rng.standard_normal(m)
    central = 2 * sum(comb(m - 1, j) for j in range(n))
    assert len(active_sets(vectors, np.zeros(m))) == central
    assert len(active_sets(vectors, thresholds)) == sum(comb(m, j) for j in range(n + 1))


def test_counts_of_reflection_arrangements() -> None:
    for n, chambers in ((2, 8), (3, 48)):
        roots = [*np.eye(n)]
        roots += [
            np.eye(n)[i] + s * np.eye(n)[j] for i in range(n) for j in range(i) for s in (1, -1)
        ]
        assert len(sign_vectors(np.array(roots), np.array(roots))) == chambers
    assert len(sign_vectors(signed(4), signed(4))) == 16
    grid = np.array([[1.0, 0]] * 3 + [[0, 1.0]] * 2)
    assert len(active_sets(grid, np.array([0.0, 1, 2, 0, 1]))) == 12


def test_narrow_cells_are_not_lost() -> None:
    sets = active_sets(np.array([[1.0, 0], [-1, 1e-17], [0, 1]]), np.zeros(3))
    assert [True, True, True] in sets.tolist()
    assert [False, False, False] in sets.tolist()


@settings(max_examples=60)
@given(st.integers(1, 3), st.integers(1, 6), st.integers(0, 10**6), st.booleans())
def test_cells_of_small_whole_numbers(n: int, m: int, seed: int, thresholds: bool) -> None:
    rng = np.random.default_rng(seed)
    vectors = np.vstack([np.eye(n), rng.integers(-2, 3, (m, n))]).astype(float)
    alpha = rng.integers(-1, 2, len(vectors)) * float(thresholds)
    sets = active_sets(vectors, alpha)
    assert len(np.unique(sets, axis=0)) == len(sets)
    points = np.array(list(product(np.arange(-9, 9.1, 0.75 if n < 3 else 1.5), repeat=n)))
    points = points + rng.uniform(-0.05, 0.05, points.shape)
    met = {tuple(row) for row in (points @ vectors.T > alpha).tolist()}
    assert met <= {tuple(row) for row in sets.tolist()}


def test_too_many_cells_are_refused() -> None:
    with pytest.raises(TooManyRegionsError, match="too many"):
        active_sets(np.random.default_rng(0).standard_normal((200, 20)), np.zeros(200))


@pytest.mark.parametrize(("m", "lower"), [(5, 0.831253876), (7, 1.105676686), (9, 1.316797462)])
def test_regular_polygons(m: int, lower: float) -> None:
    vectors = polygon(m)
    assert a_0(vectors) == pytest.approx(lower, abs=1e-9)
    found = bounds(singles(vectors), rectified())
    assert lower / 2 - 1e-9 <= found.lower <= found.upper <= lower + 1e-9


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_plus_and_minus_the_basis_is_certified(n: int) -> None:
    vectors = signed(n)
    assert a_0(vectors) == 1
    found = bounds(singles(vectors), rectified())
    assert found.exact
    assert found.upper == pytest.approx(0.5**0.5)
    assert found.largest == pytest.approx(1)


@pytest.mark.parametrize("thresholds", [(0.0, 0.0), (1.0, -1.0)])
def test_inequality_9_is_false(thresholds: tuple[float, float]) -> None:
    vectors = np.array([[1.0], [-1.0]])
    sets = active_sets(vectors, np.array(thresholds))
    # One vector is active at a time. So A₀ = 1, and A₀₀ = 1: two equal sets share a vector, and of
    # two different ones the lesser λ₋² of what each has alone is 1.
    assert sorted(sets.tolist()) == [[False, True], [True, False]]
    pooling = rectified(thresholds)
    x, y = ((1.0, -1.0), (1.5, 0.5))[thresholds[0] > 0]
    operator = Operator.of(singles(vectors), pooling)
    assert operator.ratio(np.array([x]), np.array([y])) == pytest.approx(0.5**0.5)
    found = bounds(singles(vectors), pooling)
    assert found.exact
    assert found.upper == pytest.approx(0.5**0.5)


def test_the_map_of_corollary_2_3_jumps() -> None:
    """Taking x or −x, whichever has more active coefficients, gives a map without a B."""
    vectors = polygon(5)

    def recovered(x: Any) -> Any:
        c = vectors @ x
        return np.maximum(c if (c > 0).sum() > (c < 0).sum() else -c, 0)

    gaps = []
    for angle in np.arange(10) * np.pi / 10:
        ends = [np.array([np.cos(angle + e), np.sin(angle + e)]) for e in (-1e-6, 1e-6)]
        gaps.append(np.linalg.norm(recovered(ends[0]) - recovered(ends[1])))
    assert max(gaps) == pytest.approx(1.58, abs=0.01)


def test_mercedes_benz_is_not_injective() -> None:
    angles = np.pi / 2 + 2 * np.pi * np.arange(3) / 3
    found = bounds(singles(np.column_stack([np.cos(angles), np.sin(angles)])), rectified())
    assert found.exact
    assert found.upper == pytest.approx(0, abs=1e-12)


def test_nearly_degenerate_frames_get_a_reason() -> None:
    found = bounds(singles(polygon(4)), rectified())  # its cosines are ±1 and 6e-17
    assert found.lower <= 0.5**0.5 + 1e-9
    assert not found.exact
    assert "nearly degenerate" in found.reason


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_sampled_ratios_lie_in_the_bracket(
    n: int, m: int, seed: int, thresholds: bool, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((m, n))
    if whole:
        vectors = rng.integers(-2, 3, (m, n)).astype(float)
    pooling = rectified(tuple(rng.integers(-2, 2, m) * 0.5)) if thresholds else rectified()
    frame = singles(vectors)
    found = bounds(frame, pooling, effort=0.1)
    x, y = 2 * rng.standard_normal((2, 500, n))
    y[::2] = x[::2] + 0.1 * y[::2]
    operator = Operator.of(frame, pooling)
    ratios = operator.ratio(x, y)
    ratios = ratios[np.isfinite(ratios)]  # pairs too close to be told apart
    assert (ratios >= found.lower - 1e-9 * max(1, found.largest)).all()
    assert (ratios <= found.largest + 1e-9 * max(1, found.largest)).all()
    assert found.lower <= found.upper
    if found.pair is not None:
        assert operator.ratio(*found.pair) == pytest.approx(found.upper, rel=1e-6, abs=1e-9)


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(2, 8), st.integers(0, 10**6), st.booleans())
def test_the_pair_bound_alone_is_below_the_ratios_of_its_pairs(
    n: int, m: int, seed: int, thresholds: bool
) -> None:
    """No upper end cuts the pair bound to size here."""
    rng = np.random.default_rng(seed)
    vectors = np.vstack([rng.integers(-2, 3, (m, n)).astype(float), signed(n)])
    alpha = rng.integers(-1, 2, len(vectors)) * 0.5 * thresholds
    sets = active_sets(vectors, alpha)
    squares = np.maximum(least_eigenvalues(frame_operators(vectors, sets)), 0)
    found = pair_bound(vectors, alpha, sets, squares, most=10**6)
    operator = Operator.of(singles(vectors), rectified(tuple(alpha)))
    x, y = 2 * rng.standard_normal((2, 2000, n))
    y[::2] = -x[::2] * rng.random((1000, 1))
    ratios = operator.ratio(x, y)
    pairs = [float(operator.ratio(a, b)) for a, b in found.pairs]
    assert found.lower <= min([*pairs, float(ratios.min())]) + 1e-9
