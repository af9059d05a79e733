"""Alternating minimisation on the sphere of the signals' common norm."""

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.conformance import check_solver
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_altmin.altmin import AltMin
from benchbase_altmin.sphere import on_sphere
from benchbase_altmin.updates import RIDGE, KnownRowsOnSphere, Sphere
from tests.plugins.problems import starting_at

LINEAR = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in LINEAR]
Update = Literal["rows", "keep"]
UPDATES: tuple[Update, ...] = ("rows", "keep")
RADIUS = 1.7


def make(pooling: dict[str, Any], n: int, n_pools: int, rank: int | None = None) -> Problem:
    """Return a problem; the frame's vectors may lie in the first dimensions only."""
    vectors = np.random.default_rng([n, n_pools]).standard_normal((n_pools, 2, n))
    vectors[..., rank:] *= rank is None
    return Problem(DenseFrame(vectors), benchbase.build("pooling", pooling), signal_norm=RADIUS)


def on_it(rng: np.random.Generator, *shape: int) -> Array:
    x = rng.standard_normal(shape)
    x *= RADIUS / np.linalg.norm(x, axis=-1, keepdims=True)
    return x


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(1, 6),
    scale=st.floats(-6, 6),
    flat=st.booleans(),
    hidden=st.sampled_from([None, "least", "all"]),
)
def test_the_least_on_a_sphere(
    seed: int, size: int, scale: float, flat: bool, hidden: str | None
) -> None:
    """The conditions of a global minimum: (λ + μ) z = g, λ + μ ≥ 0, ‖z‖ right."""
    rng = np.random.default_rng(seed)
    eigenvalues = np.sort(rng.random(size) ** 4) * (not flat)
    g = 10**scale * rng.standard_normal((20, size))
    g[:, : {None: 0, "least": 1, "all": size}[hidden]] = 0
    radius = 10 ** rng.uniform(-2, 2, 20)
    z = on_sphere(eigenvalues, g, rng.standard_normal((20, size)), radius)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), radius, rtol=1e-12)
    mu = np.sum(z * (g - eigenvalues * z), axis=1) / radius**2
    room = 1e-9 * (np.abs(g).max(axis=1) / radius + eigenvalues.max(initial=0))
    assert (mu >= -eigenvalues[0] - room).all()
    gap = (eigenvalues + mu[:, None]) * z - g
    assert (np.abs(gap).max(axis=1) <= radius * np.maximum(room, 1e-290)).all()


def test_each_signal_may_have_its_own_eigenvalues() -> None:
    rng = np.random.default_rng(0)
    eigenvalues = np.sort(rng.random((7, 4)), axis=1)
    g, x, radius = rng.standard_normal((7, 4)), rng.standard_normal((7, 4)), rng.random(7) + 0.1
    together = on_sphere(eigenvalues, g, x, radius)
    for i in range(7):
        alone = on_sphere(eigenvalues[i], g[i : i + 1], x[i : i + 1], radius[i : i + 1])
        np.testing.assert_allclose(together[i], alone[0], rtol=1e-12)


def test_what_lacks_comes_from_the_least_direction_with_the_sign_of_before() -> None:
    x = np.array([[3.0, 0.0], [-3.0, 0.0]])
    z = on_sphere(np.array([0.5, 1.0]), np.array([[0.0, 0.3]] * 2), x, np.ones(2))
    expected = np.array([[0.8, 0.6], [-0.8, 0.6]])  # μ = −λ₁, and .3 / (1 − .5) = .6
    np.testing.assert_allclose(z, expected, atol=1e-12)


def least(problem: Problem, y: Array, x: Array, unseen: bool) -> float:
    """Return the least ‖F z − y‖ on the sphere among many z near x and elsewhere."""
    rng = np.random.default_rng(0)
    tries = np.concatenate([on_it(rng, 4000, len(x)), x + rng.normal(0, 0.05, (4000, len(x)))])
    if not unseen:
        tries[:, 4:] = 0
    tries *= RADIUS / np.linalg.norm(tries, axis=1, keepdims=True)
    gap = problem.frame.analyse(tries) - y
    return float(np.sqrt(np.sum(gap**2, axis=(-2, -1)).min()))


@pytest.mark.parametrize(("n_pools", "rank"), [(12, None), (12, 4), (2, None)])
def test_the_update_is_the_nearest_on_the_sphere(n_pools: int, rank: int | None) -> None:
    """Also for a frame that does not see all directions, or that has fewer vectors than these."""
    problem = make(LINEAR[1], 6, n_pools, rank)
    rng = np.random.default_rng(1)
    for size in (0.01, 1.0, 100.0):
        x = on_it(rng, 8, 6)
        y = size * problem.frame.analyse(on_it(rng, 8, 6))
        found = Sphere(problem)(x, problem.frame.analyse(x), y, np.zeros((8, n_pools)))
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), RADIUS)
        if rank:
            np.testing.assert_allclose(found[:, rank:], 0, atol=1e-12)
        for one, wanted in zip(found, y, strict=True):
            gap = np.linalg.norm(problem.frame.analyse(one) - wanted)
            assert gap <= least(problem, wanted, one, unseen=rank is None) + 1e-9 * (1 + size)


def test_what_a_small_frame_does_not_see_is_kept() -> None:
    problem = make(LINEAR[1], 9, 2)
    rng = np.random.default_rng(2)
    x = on_it(rng, 5, 9)
    rows = problem.frame.dense().reshape(-1, 9)
    unseen = np.eye(9) - np.linalg.pinv(rows) @ rows
    small = 0.01 * problem.frame.analyse(x)
    found = Sphere(problem)(x, small, small, np.zeros((5, 2)))
    before, after = x @ unseen, found @ unseen
    cosine = np.sum(before * after, axis=1)
    cosine /= np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    np.testing.assert_allclose(cosine, 1)


def test_the_update_on_known_rows_is_the_nearest_on_the_sphere() -> None:
    """With the ridge on the step, by the conditions of a minimum."""
    problem = make(RECTIFIED[1], 6, 12)
    rng = np.random.default_rng(3)
    x, b = on_it(rng, 8, 6), problem.measure(on_it(rng, 8, 6))
    b[0] = 0
    c = problem.frame.analyse(x)
    y, known = problem.pooling.rescale(c, b), problem.pooling.known(c, b)
    assert known is not None
    found = KnownRowsOnSphere(problem, SignalRun(solver_keys(0, 0, range(8))))(x, c, y, b)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), RADIUS)
    rows = problem.frame.dense().transpose(1, 0, 2).reshape(-1, 6)
    ridge = RIDGE * np.sum(rows**2) / 6
    for one, before, wanted, mask in zip(found, x, y, known, strict=True):
        part = rows[mask.ravel()]
        matrix = part.T @ part + ridge * np.eye(6)
        right = part.T @ wanted[mask] + ridge * before
        mu = one @ (right - matrix @ one) / RADIUS**2
        assert mu >= -np.linalg.eigvalsh(matrix)[0] - 1e-9
        np.testing.assert_allclose(matrix @ one + mu * one, right, atol=1e-9 * len(part))


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("pooling", [*LINEAR, *RECTIFIED])
def test_the_truth_is_a_fixed_point_and_near_starts_come_to_it(
    pooling: dict[str, Any], update: Update
) -> None:
    problem = make(pooling, 8, 40)
    rng = np.random.default_rng(4)
    x = on_it(rng, 10, 8)
    for start in (x, 5 * (x + 0.05 * rng.standard_normal(x.shape))):  # of any length
        solver = AltMin(init=starting_at(start), sphere=True, rectified_update=update)
        found = benchbase.solve(solver, problem, problem.measure(x))
        np.testing.assert_allclose(found.x, x, atol=1e-6)
        np.testing.assert_array_equal(found.converged, True)


@pytest.mark.parametrize("pooling", [LINEAR[1], RECTIFIED[1]])
def test_the_sphere_helps_where_measurements_are_few(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 10, 12)
    x = on_it(np.random.default_rng(5), 60, 10)
    b = problem.measure(x)
    plain, constrained = (
        benchbase.solve(AltMin(sphere=sphere), problem, b).x for sphere in (False, True)
    )
    np.testing.assert_allclose(np.linalg.norm(constrained, axis=1), RADIUS)
    estimates = (plain, constrained)
    cosines = [benchbase.squared_cosine(found, x, problem.ambiguity) for found in estimates]
    assert cosines[1].mean() > cosines[0].mean() + 0.02


@pytest.mark.parametrize("update", UPDATES)
@pytest.mark.parametrize("pooling", [LINEAR[1], RECTIFIED[1]])
def test_a_start_that_is_not_finite_spoils_no_other(
    pooling: dict[str, Any], update: Update
) -> None:
    problem = make(pooling, 8, 40)
    x = on_it(np.random.default_rng(6), 4, 8)
    start = x.copy()
    start[1] = np.nan
    solver = AltMin(init=starting_at(start), sphere=True, rectified_update=update)
    with np.errstate(invalid="ignore"):
        found = benchbase.solve(solver, problem, problem.measure(x)).x
    np.testing.assert_allclose(found[[0, 2, 3]], x[[0, 2, 3]], atol=1e-6)


def test_problems_that_it_does_not_apply_to() -> None:
    problem = make(LINEAR[1], 4, 8)
    assert AltMin(sphere=True).unsupported(problem) is None
    unknown = Problem(problem.frame, problem.pooling)
    assert "signals of one norm" in str(AltMin(sphere=True).unsupported(unknown))

    class Hidden(DenseFrame):
        def dense(self) -> Array:
            raise NotImplementedError

    hidden = Problem(Hidden(problem.frame.dense()), problem.pooling, signal_norm=1.0)
    assert "sphere = true needs the frame's vectors" in str(AltMin(sphere=True).unsupported(hidden))


@pytest.mark.parametrize("update", UPDATES)
def test_it_keeps_the_rules_of_solvers(update: Update) -> None:
    problem = make(LINEAR[1] if update == "keep" else RECTIFIED[1], 5, 30)
    check_solver(AltMin(sphere=True, rectified_update=update), problem)
