"""Subdivision of pairs of cones: certified lower ends for p = 2."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase_bounds.dispatch import bounds
from benchbase_bounds.geometry import kinks
from benchbase_bounds.geometry.fans import Fan
from benchbase_bounds.lower_ends.simplicial_cones import Cones
from benchbase_bounds.lower_ends.subdivision import _halved, far, near, prove
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_ends.direct import minimise_ratio


def l2(vectors: object, rectified: bool) -> Operator:
    frame = benchbase.DenseFrame(np.asarray(vectors, dtype=np.float64))
    spec = {"name": "lp", "p": 2, "rectified": rectified}
    return Operator.of(frame, benchbase.build("pooling", spec))


def fan_of(operator: Operator) -> Fan | None:
    return kinks.fan_of(operator, 4.0)[0] if operator.rectified else None


@pytest.mark.parametrize(
    ("rectified", "n", "k", "part"),
    [
        (False, 2, 6, 0.9),
        (True, 2, 6, 0.9),
        (True, 2, 12, 0.85),
        pytest.param(False, 3, 14, 0.05, marks=pytest.mark.slow),
    ],
)
def test_small_random_frames_have_certificates(
    rectified: bool, n: int, k: int, part: float
) -> None:
    vectors = np.random.default_rng(0).standard_normal((k, 2, n))
    operator = l2(vectors, rectified)
    upper, _ = minimise_ratio(operator, restarts=16, n_iter=100)
    cones = Cones.of(operator, fan_of(operator))
    assert prove(cones, part * upper, 600_000)[0]


@pytest.mark.parametrize("rectified", [False, True])
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 6), size=st.integers(1, 3), whole=st.booleans())
def test_what_is_above_a_ratio_is_never_proved(
    rectified: bool, seed: int, k: int, size: int, whole: bool
) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((k, size, 2))
    operator = l2(np.round(vectors) if whole else vectors, rectified)
    fan = fan_of(operator)
    if rectified and fan is None:
        return
    upper, _ = minimise_ratio(operator, restarts=8, n_iter=60)
    cones = Cones.of(operator, fan)
    assert not prove(cones, upper * (1 + 1e-6) + 1e-9, 1_500)[0]


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("rectified", [False, True])
def test_what_a_test_of_two_cones_proves_is_true(rectified: bool, n: int) -> None:
    """Pairs of signals in wide cones have no ratio below the largest goal that a test proves."""
    rng = np.random.default_rng(n)
    operator = l2(rng.standard_normal((5, 2, n)), rectified)
    cones = Cones.of(operator, fan_of(operator))
    for _ in range(1 if rectified else 3 * n - 3):
        cones.split(np.arange(len(cones.rays)))
    i, k = rng.integers(0, len(cones.rays), (2, 400))
    cosines = cones.middle[i[::2]] @ cones.middle.T
    k[::2] = cosines.argsort(axis=1)[np.arange(200), -rng.integers(1, 8, 200)]  # near each other
    weights = rng.exponential(1.0, (2, 400, 100, n)) * np.exp(rng.normal(0, 1, (2, 400, 100, 1)))
    weights[:, :, :n] = np.eye(n)  # the rays themselves, where tests are tightest
    x, y = weights[0] @ cones.rays[i], weights[1] @ cones.rays[k]
    gap, apart = np.linalg.norm(operator(x) - operator(y), axis=2), np.linalg.norm(x - y, axis=2)
    least = np.where(apart > 1e-6, gap / np.maximum(apart, 1e-6), np.inf).min(axis=1)
    for test in (far, near):
        best = np.zeros(400)
        for goal in np.geomspace(0.02, 4, 40):
            best = np.where(test(cones, i, k, goal), goal, best)
        assert (best > 0).sum() > 5
        assert (best <= least + 1e-9).all()


def test_halved_pairs_cover_the_pairs_that_they_come_from() -> None:
    operator = l2(np.random.default_rng(1).standard_normal((4, 2, 3)), True)
    cones = Cones.of(operator, fan_of(operator))
    first, second = np.array([0, 0, 3, 5]), np.array([0, 2, 3, 4])
    one, two = _halved(cones, first, second)
    rng, inverses = np.random.default_rng(0), np.linalg.inv(cones.rays)
    for i, k in zip(first, second, strict=True):
        for weights in rng.exponential(1.0, (50, 2, 3)):
            x, y = weights[0] @ cones.rays[i], weights[1] @ cones.rays[k]
            of_x, of_y = ((end @ inverses >= 0).all(axis=1) for end in (x, y))  # the cones of each
            assert ((of_x[one] & of_y[two]) | (of_y[one] & of_x[two])).any()


def test_cones_cover_space_and_know_their_active_sets() -> None:
    operator = l2(np.random.default_rng(1).standard_normal((4, 2, 3)), True)
    cones = Cones.of(operator, fan_of(operator))
    cones.split(np.arange(0, cones.roots, 2))
    leaves = [i for i in range(len(cones.rays)) if i not in cones.children]
    x = np.random.default_rng(2).standard_normal((500, 3))
    inside = np.array(
        [(np.linalg.solve(cones.rays[i].T, x.T) >= -1e-12).all(axis=0) for i in leaves]
    )
    assert (inside.sum(axis=0) == 1).all()
    where = np.array(leaves)[inside.argmax(axis=0)]
    active = operator.coefficients(x).transpose(0, 2, 1)
    np.testing.assert_array_equal(active > 0, cones.active[where])
    size = np.linalg.norm(active, axis=2)
    gap = np.abs(size - np.einsum("skn,sn->sk", cones.G[where], x))
    assert (gap <= cones.loss[where] * size + 1e-12).all()
    assert (gap <= cones.off[where] * np.linalg.norm(x, axis=1)[:, None] + 1e-12).all()
    directions = active / np.where(size > 0, size, 1.0)[..., None]
    chords = np.linalg.norm(directions - cones.u[where], axis=2)
    assert (chords <= cones.chord[where] + 1e-12)[size > 0].all()


def test_brackets_of_two_dimensions_are_narrow() -> None:
    frame = benchbase.DenseFrame(np.random.default_rng(0).standard_normal((6, 2, 2)))
    for rectified in (False, True):
        pooling = benchbase.build("pooling", {"name": "lp", "p": 2, "rectified": rectified})
        found = bounds(frame, pooling, effort=0.15)
        assert 0.75 * found.upper < found.lower <= found.upper
        assert "subdivision" in found.method
