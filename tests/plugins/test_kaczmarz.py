"""Kaczmarz's method."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.conformance import check_solver
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_descent import kaczmarz
from benchbase_descent.kaczmarz import Inverses, Kaczmarz, Sweeps, change
from benchbase_descent.pools import Pools
from tests.plugins.problems import make, signals, starting_at

NORMS: list[dict[str, Any]] = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED: list[dict[str, Any]] = [norm | {"rectified": True} for norm in NORMS]
SHIFTED: list[dict[str, Any]] = [norm | {"threshold": 0.2} for norm in RECTIFIED]
MAXOUT: dict[str, Any] = {"name": "maxout"}
POOLINGS = [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT]


def step(problem: Problem, x: Array, b: Array, pool: int) -> Array:
    """Project one signal on the measurement of one pool."""
    c = problem.frame.analyse(x)
    wanted = problem.pooling.rescale(c, b)[:, pool]
    known = problem.pooling.known(c, b)
    rows = np.ones(len(wanted), bool) if known is None else known[:, pool].copy()
    if problem.pooling.rectified and b[pool] == 0:
        rows &= wanted < c[:, pool]
    if not rows.any():
        return x
    f = problem.frame.dense()[pool][rows]
    moved: Array = x + np.linalg.pinv(f) @ (wanted - c[:, pool])[rows]
    return moved


@pytest.mark.parametrize("shape", [(5, 6, 2), (6, 5, 1), (7, 4, 3), (9, 3, 7), (3, 3, 5)])
@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
def test_sweeps_are_those_of_a_loop_over_signals(
    pooling: dict[str, Any], shape: tuple[int, int, int]
) -> None:
    problem = make(pooling, *shape)
    _, b = signals(problem, 4)
    start = np.random.default_rng(5).standard_normal((4, shape[0]))
    solver = Kaczmarz(order="cyclic", n_iter=2, tol=0.0, init=starting_at(start))
    found = benchbase.solve(solver, problem, b).x
    for x, row, each in zip(start, b, found, strict=True):
        expected = x
        for pool in [*range(shape[1])] * 2:
            expected = step(problem, expected, row, pool)
        assert_allclose(each, expected, atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    pooling=st.sampled_from(POOLINGS),
    pool_size=st.integers(1, 4),
    zero=st.booleans(),
)
def test_changes_are_what_the_pooling_says(
    seed: int, pooling: Any, pool_size: int, zero: bool
) -> None:
    rng = np.random.default_rng(seed)
    problem = make(pooling, 3, 6, pool_size)
    c = rng.standard_normal((pool_size, 6))
    c[:, 0] = 0
    b = np.abs(rng.standard_normal(6))
    b[3] *= not zero
    formula = Pools(problem).formula
    assert formula is not None
    gap, known = change(formula, c.T, b, formula.alpha.T)
    expected = problem.pooling.rescale(c, b)
    assert_allclose(c + gap.T, expected, atol=1e-12)
    mask = problem.pooling.known(c, b)
    if mask is None:
        assert known is None
    else:
        assert known is not None
        if problem.pooling.rectified:
            mask = mask & ((b > 0) | (c > formula.alpha))
        assert_array_equal(known.T, mask)


def test_inverses_are_kept_or_made() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4, 3, 5))
    vectors[1, 2] = vectors[1, 0]  # twins
    vectors[2] = 0
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", RECTIFIED[1]))
    pools = Pools(problem)
    kept = Inverses(pools)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kaczmarz, "FEW", 2)
        made = Inverses(pools)
    for mask in range(8):
        known = np.array([[mask & 1, mask & 2, mask & 4]] * 4, dtype=bool)
        pool = np.arange(4)
        first, second = kept(pool, known), made(pool, known)
        assert_allclose(first, second, atol=1e-12)
        for k in pool:
            f = pools.vectors()[k] * known[k][:, None]
            assert_allclose(f.T @ first[k], np.linalg.pinv(f), atol=1e-8)


def orders(order: str, problem: Problem, size: int, sweeps: int) -> Array:
    pools = Pools(problem)
    run = SignalRun(solver_keys(0, 0, range(size)))
    x, b = np.zeros((size, problem.frame.n)), np.ones((size, problem.frame.n_pools))
    state = Sweeps(pools, b, x, run, Inverses(pools), order)
    return np.concatenate([state._pools() for _ in range(sweeps)])


def test_orders() -> None:
    vectors = np.random.default_rng(1).standard_normal((5, 2, 4))
    vectors *= np.array([1, 2, 0, 1, 0.5])[:, None, None]
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", NORMS[1]))
    cyclic, shuffled, drawn = (
        orders(order, problem, 3, 4000).reshape(4000, 5, 3)
        for order in ("cyclic", "shuffled", "random")
    )
    assert (cyclic == np.arange(5)[:, None]).all()
    assert (np.sort(shuffled, axis=1) == np.arange(5)[:, None]).all()
    assert (shuffled[:, :, 0] != shuffled[:, :, 1]).any()
    assert (shuffled[0] != shuffled[1]).any()
    assert_allclose(np.mean(shuffled[:, 0] == 3), 0.2, atol=0.02)
    weight = np.sum(vectors**2, axis=(1, 2))
    share = np.bincount(drawn.ravel(), minlength=5) / drawn.size
    assert_allclose(share, weight / weight.sum(), atol=0.01)
    assert share[2] == 0


def test_a_frame_of_zeros_has_an_order() -> None:
    problem = Problem(DenseFrame(np.zeros((3, 2, 4))), benchbase.build("pooling", NORMS[1]))
    assert orders("random", problem, 2, 3).shape == (9, 2)
    start = np.ones((1, 4))
    found = benchbase.solve(Kaczmarz(init=starting_at(start), n_iter=5), problem, np.ones((1, 3)))
    assert_array_equal(found.x, start)


@pytest.mark.parametrize("order", ["shuffled", "random", "cyclic"])
@pytest.mark.parametrize(
    ("pooling", "n_pools"),
    [(NORMS[0], 40), (NORMS[1], 32), (NORMS[2], 40), (RECTIFIED[1], 36), (RECTIFIED[2], 40)],
    ids=str,
)
def test_most_signals_come_back_from_good_starts(
    pooling: dict[str, Any], n_pools: int, order: str
) -> None:
    problem = make(pooling, 16, n_pools)
    x, b = signals(problem, 30)
    init = {"name": "spectral" if problem.pooling.even else "linear"}
    spec = {"name": "kaczmarz", "order": order, "init": init, "n_iter": 60}
    found = benchbase.solve(benchbase.build("solver", spec), problem, b).x
    assert np.mean(benchbase.squared_cosine(found, x, problem.ambiguity) > 0.99) >= 0.7


@pytest.mark.parametrize("pooling", [*RECTIFIED, MAXOUT], ids=str)
def test_nothing_grows_without_end(pooling: dict[str, Any]) -> None:
    """Measurements that fit no signal, half of them zero, of pools that all but span the space."""
    rng = np.random.default_rng(8)
    for _ in range(2):
        vectors = rng.standard_normal((10, 8, 9))
        problem = Problem(DenseFrame(vectors), benchbase.build("pooling", pooling))
        b = np.abs(rng.standard_normal((30, 10))) * (rng.random((30, 10)) < 0.5)
        found = benchbase.solve(Kaczmarz(order="cyclic", n_iter=60), problem, b).x
        assert np.abs(found).max() < 1e3


def test_with_signs_that_stay_it_is_kaczmarz_on_equations() -> None:
    """Near the signal coefficients keep their signs, and each step comes nearer to it."""
    problem = make(NORMS[1], 5, 20, pool_size=1)
    x, b = signals(problem, 8)
    start = x + 1e-4 * np.random.default_rng(2).standard_normal(x.shape)
    errors = []
    for n_iter in range(0, 20, 5):
        solver = Kaczmarz(n_iter=n_iter, tol=0.0, init=starting_at(start))
        errors.append(np.linalg.norm(benchbase.solve(solver, problem, b).x - x, axis=1))
    assert (np.diff(errors, axis=0) <= 1e-14).all()


@pytest.mark.parametrize("pooling", [RECTIFIED[1], NORMS[2], SHIFTED[0], MAXOUT], ids=str)
def test_it_keeps_the_rules_of_solvers(pooling: dict[str, Any]) -> None:
    order = "random" if pooling is MAXOUT else "cyclic"
    spec = {"name": "kaczmarz", "n_iter": 100, "order": order}
    check_solver(benchbase.build("solver", spec), make(pooling, 5, 40))


def test_it_keeps_the_rules_of_solvers_by_default() -> None:
    check_solver(benchbase.build("solver", {"name": "kaczmarz", "n_iter": 100}))
