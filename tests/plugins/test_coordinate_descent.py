"""Coordinate descent."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import benchbase
from benchbase import Array, Problem
from benchbase.conformance import check_solver
from benchbase.numerics.streams import Snapshot
from benchbase_descent.coordinate_descent import CoordinateDescent
from benchbase_descent.line_search import cubic_roots, least_loss
from benchbase_descent.pieces import pieces
from benchbase_descent.pools import Pools
from tests.plugins.problems import make, signals, starting_at

NORMS: list[dict[str, Any]] = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED: list[dict[str, Any]] = [norm | {"rectified": True} for norm in NORMS]
SHIFTED: list[dict[str, Any]] = [norm | {"threshold": 0.2} for norm in RECTIFIED]
MAXOUT: dict[str, Any] = {"name": "maxout"}
POOLINGS = [*NORMS, *RECTIFIED, MAXOUT]


def loss(problem: Problem, x: Array, b: Array) -> Array:
    power = 2 if problem.pooling.p == 2 else 1
    total: Array = np.sum((problem.measure(x) ** power - b**power) ** 2, axis=-1)
    return total


def line(seed: int, pooling: Any, pool_size: int, kind: str) -> tuple[Problem, Array, Array, Array]:
    """Coefficients c + t g of two signals, and measurements."""
    rng = np.random.default_rng(seed)
    problem = make(pooling, 3, 5, pool_size)
    c, g = rng.standard_normal((2, 2, pool_size, 5))
    if kind == "flat":
        g[rng.random(g.shape) < 0.5] = 0
    if kind == "ties":
        c, g = np.round(c), np.round(g)
    b = np.abs(rng.standard_normal((2, 5)))
    if kind == "near":
        b = problem.pooling(c) * (1 + 1e-6 * rng.standard_normal((2, 5)))
    return problem, c, g, b


lines = given(
    seed=st.integers(0, 2**32),
    pooling=st.sampled_from(POOLINGS),
    pool_size=st.integers(1, 4),
    kind=st.sampled_from(["plain", "flat", "ties", "near"]),
)


@lines
@settings(max_examples=40, deadline=None)
def test_pieces_are_the_values_of_pools(seed: int, pooling: Any, pool_size: int, kind: str) -> None:
    problem, c, g, _ = line(seed, pooling, pool_size, kind)
    formula = Pools(problem).formula
    assert formula is not None
    places, parts = pieces(formula, c, g)
    assert (np.diff(places, axis=1) >= 0).all()
    for t in (-30.0, -1.7, -0.3, 0.0, 0.2, 1.1, 2.9, 40.0):
        which = np.sum(places < t, axis=1)[None, :, None]
        a, b, rest = np.take_along_axis(parts, np.repeat(which, 3, axis=0), axis=2)[:, :, 0]
        value = problem.pooling(c + t * g)
        wanted = value**2 if formula.p == 2 else value
        assert_allclose(a * t**2 + 2 * b * t + rest, wanted, atol=1e-9, rtol=1e-9)


@lines
@settings(max_examples=40, deadline=None)
def test_nothing_on_the_line_has_less_loss(
    seed: int, pooling: Any, pool_size: int, kind: str
) -> None:
    problem, c, g, b = line(seed, pooling, pool_size, kind)
    formula = Pools(problem).formula
    assert formula is not None
    power = 2 if formula.p == 2 else 1
    found = least_loss(pieces(formula, c, g), b**power)
    with np.errstate(divide="ignore", invalid="ignore"):
        places = np.nan_to_num((-c / g).reshape(2, -1), posinf=0, neginf=0)
    grid = np.sort(np.concatenate([places, np.tile(np.linspace(-6, 6, 301), (2, 1))], axis=1))

    def losses(t: Array) -> Array:
        value = problem.pooling(c + t[..., None, None] * g)
        total: Array = np.sum((value**power - b**power) ** 2, axis=-1)
        return total

    every = np.stack([losses(t) for t in grid.T])
    best = losses(found)
    assert np.isfinite(found).all()
    assert (best <= every.min(axis=0) + 1e-9).all()
    # At a least value, not near one.
    for shift in (-1e-4, 1e-4):
        assert (best <= losses(found + shift) + 1e-11).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=3, max_size=3), st.floats(0.1, 10), st.floats(-1, 1))
def test_cubics_have_their_roots(roots: list[int], lead: float, shift: float) -> None:
    wanted = np.sort(np.array(roots) + shift)
    d = lead * np.polynomial.polynomial.polyfromroots(wanted)
    found = np.sort(cubic_roots(*(np.array([each]) for each in d)), axis=0)[:, 0]
    assert_allclose(np.polynomial.polynomial.polyval(found, d) / lead, 0, atol=1e-9)
    for root in set(roots):
        if roots.count(root) != 2:  # where the cubic only touches zero a quartic is not least
            assert np.abs(found - root - shift).min() < 1e-4


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_cubics_of_any_size_have_their_real_roots(seed: int) -> None:
    rng = np.random.default_rng(seed)
    d = rng.standard_normal(4) * 10.0 ** rng.integers(-3, 4, 4)
    found = cubic_roots(*(np.array([each]) for each in d))[:, 0]
    every = np.roots(d[::-1])
    real = every[np.abs(every.imag) < 1e-9 * np.abs(every)].real
    for root in real:
        assert np.abs(found - root).min() <= 1e-6 * max(np.abs(root), 1e-9)
    for each in found:
        assert np.abs(every - each).min() <= 1e-6 * max(np.abs(each), 1e-9)


def test_a_cubic_without_a_cube() -> None:
    zero, one = np.zeros(1), np.ones(1)
    assert (cubic_roots(zero, zero, zero, zero) == 0).all()
    assert (cubic_roots(zero, zero, zero, one) == 0).all()
    assert_allclose(cubic_roots(-8 * one, zero, zero, one), 2)


def one_signal(f: Array, x: Array, b: Array, sweeps: int) -> Array:
    """Algorithm of Zeng and So for vectors f (K, L, N): the best root of a cubic, in a loop."""
    x = x.copy()
    for _ in range(sweeps):
        for i in range(len(x)):
            quartic: Array = np.zeros(1)
            for pool, value in zip(f, b, strict=True):
                u, g = pool @ x, pool[:, i]
                inner = np.array([u @ u - value**2, 2 * u @ g, g @ g])
                quartic = np.polynomial.polynomial.polyadd(quartic, np.convolve(inner, inner))
            roots = np.roots(np.polynomial.polynomial.polyder(quartic)[::-1])
            real = roots[np.abs(roots.imag) < 1e-8].real
            x[i] += min(real, key=lambda t: np.polynomial.polynomial.polyval(t, quartic))
    return x


@pytest.mark.parametrize("pool_size", [1, 2, 3])
def test_sweeps_are_those_of_a_loop_over_signals(pool_size: int) -> None:
    problem = make(NORMS[1], 4, 9, pool_size)
    _, b = signals(problem, 4)
    start = np.random.default_rng(5).standard_normal((4, 4))
    solver = CoordinateDescent(n_iter=3, tol=0.0, init=starting_at(start))
    found = benchbase.solve(solver, problem, b).x
    for x, row, each in zip(start, b, found, strict=True):
        assert_allclose(each, one_signal(problem.frame.dense(), x, row, 3), atol=1e-7)


@pytest.mark.parametrize("pooling", [*POOLINGS, *SHIFTED], ids=str)
def test_no_sweep_raises_the_loss(pooling: dict[str, Any]) -> None:
    for order in ("cyclic", "random", "greedy"):
        problem = make(pooling, 5, 14)
        _, b = signals(problem, 6)
        noisy = np.abs(b + 0.2 * np.random.default_rng(6).standard_normal(b.shape))
        solver: Any = benchbase.build(
            "solver", {"name": "coordinate_descent", "order": order, "n_iter": 15}
        )
        if solver.unsupported(problem):
            continue
        trace: list[Snapshot] = []
        benchbase.solve(solver, problem, noisy, trace=trace)
        path = np.stack([loss(problem, snapshot.x, noisy) for snapshot in trace])
        assert (np.diff(path, axis=0) <= 1e-9 * path[0]).all()
        assert np.mean(path[-1] < 0.5 * path[0]) > 0.5  # it may end where there is a kink


@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[1], SHIFTED[1]], ids=str)
def test_it_ends_where_no_entry_can_improve(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 4, 14)
    _, b = signals(problem, 3)
    noisy = b + 0.1 * np.random.default_rng(6).random(b.shape)
    found = benchbase.solve(CoordinateDescent(n_iter=100), problem, noisy).x
    least = loss(problem, found, noisy)
    for step in (-1.0, -0.1, -1e-3, 1e-3, 0.1, 1.0):
        for i in range(4):
            assert (loss(problem, found + step * np.eye(4)[i], noisy) >= least - 1e-9).all()


@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[1], SHIFTED[1]], ids=str)
def test_the_greedy_order_takes_the_largest_derivative(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 5, 14)
    _, b = signals(problem, 20)
    start = np.random.default_rng(3).standard_normal((20, 5))
    shape = (20, 5)
    greedy = CoordinateDescent(order="greedy", n_iter=1, init=starting_at(start))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchbase_descent.coordinate_descent.Coordinates._entries", lambda _: [None])
        change = benchbase.solve(greedy, problem, b).x - start
    slope = np.empty(shape)
    for i, e in enumerate(np.eye(5)):
        ahead, behind = (loss(problem, start + sign * 1e-6 * e, b) for sign in (1, -1))
        slope[:, i] = np.abs(ahead - behind)
    assert (np.sum(np.abs(change) > 1e-9, axis=1) == 1).all()
    assert (np.abs(change).argmax(axis=1) == slope.argmax(axis=1)).all()


def test_the_random_order_is_uniform_and_each_signals_own() -> None:
    problem = make(NORMS[1], 5, 14)
    _, b = signals(problem, 200)
    start = np.random.default_rng(3).standard_normal((1, 5)).repeat(200, axis=0)
    solver = CoordinateDescent(order="random", n_iter=1, init=starting_at(start))
    moved = np.abs(benchbase.solve(solver, problem, b[:1].repeat(200, 0)).x - start) > 1e-12
    # Of five draws an entry is among them with the probability 1 − (4/5)⁵.
    assert_allclose(moved.mean(axis=0), 1 - 0.8**5, atol=0.12)
    assert not moved.all(axis=1).all()


@pytest.mark.parametrize("order", ["cyclic", "random", "greedy"])
@pytest.mark.parametrize(
    ("pooling", "n_pools"), [(NORMS[1], 22), (NORMS[2], 32), (RECTIFIED[1], 26)], ids=str
)
def test_most_signals_come_back_from_good_starts(
    pooling: dict[str, Any], n_pools: int, order: str
) -> None:
    problem = make(pooling, 8, n_pools)
    x, b = signals(problem, 20)
    init = {"name": "spectral" if problem.pooling.even else "linear"}
    spec = {"name": "coordinate_descent", "order": order, "init": init, "n_iter": 40}
    solver: Any = benchbase.build("solver", spec)
    if solver.unsupported(problem):
        assert order == "greedy"
        return
    found = benchbase.solve(solver, problem, b).x
    assert np.mean(benchbase.squared_cosine(found, x, problem.ambiguity) > 0.99) >= 0.7


def test_the_greedy_order_needs_derivatives() -> None:
    greedy = CoordinateDescent(order="greedy")
    for pooling in (NORMS[0], NORMS[2], RECTIFIED[0], MAXOUT):
        assert "kinks" in str(greedy.unsupported(make(pooling, 4, 9)))
    assert greedy.unsupported(make(SHIFTED[1], 4, 9)) is None


@pytest.mark.parametrize("pooling", [RECTIFIED[1], NORMS[2], SHIFTED[0], MAXOUT], ids=str)
def test_it_keeps_the_rules_of_solvers(pooling: dict[str, Any]) -> None:
    greedy, drawn = CoordinateDescent(order="greedy"), CoordinateDescent(order="random")
    solver = greedy if pooling is RECTIFIED[1] else drawn
    check_solver(replace(solver, n_iter=10), make(pooling, 5, 30))


def test_it_keeps_the_rules_of_solvers_by_default() -> None:
    check_solver(CoordinateDescent(n_iter=10))
