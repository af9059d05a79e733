"""Lifted alternating minimisation."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem, Solver, relative_error, squared_cosine
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_sdp.factors import alternate, sizes
from benchbase_sdp.lifted import APERTURE, in_cone
from benchbase_sdp.momentum import Momentum

POOLINGS = pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
RECTIFIED = pytest.mark.parametrize("rectified", [False, True])


def build(name: str = "lifted", **parameters: Any) -> Solver:
    solver: Solver = benchbase.build("solver", {"name": name, **parameters})
    return solver


def pose(n: int, n_pools: int, pool_size: int = 2, *, seed: int = 0, **pooling: Any) -> Problem:
    vectors = np.random.default_rng(seed).standard_normal((n_pools, pool_size, n))
    spec = {"name": "lp", "p": 2.0} | pooling
    return Problem(DenseFrame(vectors), benchbase.build("pooling", spec))


def signals(n: int, size: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal((size, n))


def run(size: int) -> SignalRun:
    return SignalRun(solver_keys(0, 0, range(size)))


@POOLINGS
def test_rank_one_is_alternating_minimisation(p: float) -> None:
    problem = pose(8, 20, p=p)
    b = problem.measure(signals(8, 5))
    for n_iter in (0, 1, 7):
        lifted = build(rank=1, n_iter=n_iter, momentum=False).prepare(problem)(b, run(5)).x
        plain = build("altmin", n_iter=n_iter).prepare(problem)(b, run(5)).x
        cosine = np.sum(lifted * plain, axis=1) / np.linalg.norm(plain, axis=1)
        assert_allclose(np.abs(cosine), np.linalg.norm(lifted, axis=1), rtol=1e-12)


@POOLINGS
def test_so_it_is_with_half_rectification(p: float) -> None:
    problem = pose(8, 20, p=p, rectified=True)
    b = problem.measure(signals(8, 5))
    for n_iter in (0, 1, 7):
        lifted = build(rank=1, n_iter=n_iter, momentum=False).prepare(problem)(b, run(5)).x
        plain = build("altmin", n_iter=n_iter, rectified_update="keep")
        start = plain.prepare(problem)(b, run(5)).x
        assert_allclose(squared_cosine(lifted, start, "none"), 1, rtol=1e-12)


@RECTIFIED
@POOLINGS
def test_true_signals_stay(p: float, rectified: bool) -> None:
    problem = pose(6, 15, p=p, rectified=rectified)
    x = signals(6, 3)
    b = problem.measure(x)
    factors = np.zeros((3, 4, 6))
    factors[:, 0] = x

    def never(factors: Array, index: Array, moves: Array) -> Array:
        del factors, moves
        return np.zeros(len(index), dtype=bool)

    part = in_cone if rectified else None
    found, n_iter = alternate(
        problem.frame, problem.pooling.rescale, factors, b, 5, never, momentum=True, part=part
    )
    assert_allclose(found, factors, atol=1e-12)
    assert_array_equal(n_iter, [5, 5, 5])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rank=st.integers(1, 5), share=st.floats(0, 1))
def test_the_misfit_never_grows_without_momentum(seed: int, rank: int, share: float) -> None:
    problem = pose(5, 12, seed=seed)
    rng = np.random.default_rng(seed)
    b = problem.measure(signals(5, 2, seed)) + share * rng.random((2, 12))
    misfits: list[Array] = []

    def judge(factors: Array, index: Array, moves: Array) -> Array:
        del moves
        pools = np.linalg.norm(sizes(problem.frame.analyse(factors)), axis=1)
        misfits.append(np.linalg.norm(pools - b, axis=1))
        return np.zeros(len(index), dtype=bool)

    start = rng.standard_normal((2, rank, 5))
    alternate(problem.frame, problem.pooling.rescale, start, b, 60, judge, momentum=False)
    assert len(misfits) == 7
    assert (np.diff(misfits, axis=0) <= 1e-9).all()


@given(seed=st.integers(0, 2**32 - 1), rank=st.integers(1, 5))
def test_the_cone_takes_the_nearest_point(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    c = rng.standard_normal((3, rank, 2, 4))
    part = in_cone(c)
    excess = sizes(part[:, 1:]) - APERTURE * part[:, 0]
    assert (excess <= 1e-12).all()
    # Moreau: the rest is orthogonal to the part, and has no part of its own.
    assert_allclose(np.sum(part * (c - part), axis=1), 0, atol=1e-12)
    others = in_cone(rng.standard_normal((3, rank, 2, 4)))
    assert (np.sum(others * (c - part), axis=1) <= 1e-12).all()
    if rank == 1:
        assert_array_equal(part, np.maximum(c, 0))


@POOLINGS
def test_a_start_for_alternating_minimisation_without_data(p: float) -> None:
    problem = pose(20, 40, p=p)
    x = signals(20, 30)
    b = problem.measure(x)
    lifted = benchbase.solve(build("altmin", init={"name": "lifted"}), problem, b)
    plain = benchbase.solve(build("altmin"), problem, b)
    assert squared_cosine(lifted.x, x).mean() > 0.95
    assert squared_cosine(plain.x, x).mean() < 0.8


@pytest.mark.parametrize("p", [2.0, np.inf])
def test_so_it_is_with_half_rectified_measurements(p: float) -> None:
    problem = pose(20, 36, p=p, rectified=True)
    x = signals(20, 60)
    b = problem.measure(x)
    lifted = benchbase.solve(build("altmin", init={"name": "lifted"}), problem, b)
    plain = benchbase.solve(build("altmin"), problem, b)
    known = [squared_cosine(one.x, x, "none").mean() for one in (plain, lifted)]
    assert known[1] > known[0] + 0.03


@RECTIFIED
@POOLINGS
def test_signals_with_many_measurements_come_back(p: float, rectified: bool) -> None:
    problem = pose(6, 60, p=p, rectified=rectified)
    x = signals(6, 5)
    recovery = benchbase.solve(build(n_iter=1000), problem, problem.measure(x))
    error = 0.1 if rectified else 1e-3  # what others than the first column hold goes slowly
    assert (relative_error(recovery.x, x, problem.ambiguity) < error).all()


def test_solved_signals_leave_the_batch() -> None:
    problem = pose(10, 16)
    b = problem.measure(signals(10, 4))
    recovery = benchbase.solve(build(n_iter=2000), problem, b)
    assert recovery.n_iter is not None
    assert (recovery.n_iter < 2000).all()
    stopped = benchbase.solve(build(n_iter=5), problem, b)
    assert stopped.converged is not None
    assert not stopped.converged.any()
    assert_array_equal(stopped.n_iter, [5] * 4)


@pytest.mark.parametrize("rectified", [False, True])
def test_a_signal_has_converged_only_if_it_fits(rectified: bool) -> None:
    problem = pose(10, 14, rectified=rectified)
    b = problem.measure(signals(10, 20))
    wide = benchbase.solve(build(n_iter=2000), problem, b)
    assert wide.converged is not None
    assert (problem.residual(wide.x, b)[wide.converged] < 1e-7).all()
    assert not wide.converged.all()  # the factors fit, but have more than one column


def test_signals_may_leave_before_the_last_iterations() -> None:
    """The last look comes 3 iterations after the one at which some of them leave."""
    problem = pose(3, 30)
    b = problem.measure(signals(3, 12))
    found = build(rank=1, n_iter=13, tol=1e-4).prepare(problem)(b, run(12))
    assert set(np.asarray(found.n_iter)) == {10, 13}


def test_signals_that_stand_still_leave_it_too() -> None:
    problem = pose(4, 30)
    b = problem.measure(signals(4, 3))
    b *= 1 + 0.3 * np.random.default_rng(2).random(b.shape)
    recovery = benchbase.solve(build(n_iter=5000), problem, b)
    assert recovery.converged is not None
    assert recovery.n_iter is not None
    assert not recovery.converged.any()
    assert (recovery.n_iter < 5000).all()


@RECTIFIED
@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_units_do_not_matter(unit: float, rectified: bool) -> None:
    problem = pose(6, 20, rectified=rectified)
    b = problem.measure(signals(6, 4))
    once, again = (benchbase.solve(build(), problem, scale * b) for scale in (1.0, unit))
    assert_allclose(again.x / unit, once.x, atol=1e-9)


@RECTIFIED
def test_a_batch_is_a_loop(rectified: bool) -> None:
    problem = pose(6, 14, rectified=rectified)
    b = problem.measure(signals(6, 4))
    inverse = build().prepare(problem)
    batch = inverse(b, run(4))
    for i in range(4):
        alone = inverse(b[i : i + 1], SignalRun(solver_keys(0, 0, [i])))
        assert_allclose(alone.x[0], batch.x[i], atol=1e-8)


@RECTIFIED
def test_zero_measurements_give_the_zero_signal(rectified: bool) -> None:
    problem = pose(6, 20, rectified=rectified)
    x = signals(6, 3)
    x[1] = 0
    recovery = benchbase.solve(build(), problem, problem.measure(x))
    assert_array_equal(recovery.x[1], np.zeros(6))
    assert recovery.converged is not None
    assert recovery.converged[1]
    assert np.isfinite(recovery.x).all()


def test_problems_that_are_not_supported_get_the_reason() -> None:
    def reason(problem: Problem) -> str:
        return build().unsupported(problem) or ""

    assert reason(pose(4, 8, p=1.0, rectified=True)) == ""
    assert "threshold" in reason(pose(4, 8, rectified=True, threshold=0.5))
    maxout = Problem(pose(4, 8).frame, benchbase.build("pooling", {"name": "maxout"}))
    assert "no p" in reason(maxout)
    turned = Problem(DenseFrame(1j * pose(4, 8).frame.dense()), pose(4, 8).pooling)
    assert "complex" in reason(turned)


@pytest.mark.parametrize(
    ("parameter", "value"), [("rank", 0), ("n_iter", -1), ("tol", -1.0), ("tol", np.inf)]
)
def test_wrong_parameters_are_refused(parameter: str, value: Any) -> None:
    with pytest.raises(benchbase.SpecError, match=parameter):
        build(**{parameter: value})


def test_momentum_begins_anew_where_it_restarts() -> None:
    ahead = Momentum(3)
    never, first = np.zeros(3, dtype=bool), np.array([True, False, False])
    shares = np.stack([ahead.shares(never) for _ in range(5)])
    assert_array_equal(shares[0], np.zeros(3))
    assert_allclose(shares[1], (np.sqrt(5) - 1) / (1 + np.sqrt(7 + 2 * np.sqrt(5))))
    assert (np.diff(shares, axis=0) > 0).all()
    restarted = ahead.shares(first)
    assert restarted[0] == 0
    assert (restarted[1:] > shares[-1, 1:]).all()
    ahead.keep(~never ^ np.array([False, True, False]))
    following = ahead.shares(never[:2])
    assert following[0] == shares[1, 0]
    assert following[1] > restarted[2]
