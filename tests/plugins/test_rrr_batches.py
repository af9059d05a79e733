"""rrr, raar and hio on batches of signals, in all units, and on input at the edge."""

from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.numerics.streams import SignalRun, Snapshot, solver_keys
from benchbase_rrr.methods import HIO, RAAR, RRR
from tests.plugins.problems import make, signals, starting_at

Method: TypeAlias = type[RRR] | type[RAAR] | type[HIO]
METHODS: tuple[Method, ...] = (RRR, RAAR, HIO)
every_method = pytest.mark.parametrize("method", METHODS)
NORMS = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
SHIFTED = [norm | {"threshold": a} for norm in RECTIFIED for a in (-0.6, 0.3)]
MAXOUT = {"name": "maxout"}
ARRAYS = ("x", "n_iter", "converged")


# Batches


@every_method
@pytest.mark.parametrize("pooling", [NORMS[0], NORMS[1], RECTIFIED[2], MAXOUT])
def test_a_batch_is_solved_as_its_signals_are(method: Method, pooling: dict[str, Any]) -> None:
    problem = make(pooling, 8, 60)
    _, b = signals(problem, 6)
    batch = benchbase.solve(method(), problem, b)
    inverse = method().prepare(problem)
    alone = [inverse(b[i : i + 1], SignalRun(solver_keys(0, 0, [i]))) for i in range(6)]
    x, n_iter, converged = (np.concatenate([getattr(each, k) for each in alone]) for k in ARRAYS)
    assert len(set(n_iter)) > 1  # signals leave at different looks
    assert benchbase.relative_error(batch.x, x, problem.ambiguity).max() < 1e-6
    assert_array_equal(batch.n_iter, n_iter)
    assert_array_equal(batch.converged, converged)


def test_blocks_are_small_and_of_like_size() -> None:
    """They hold 12,000 coefficients at most, but 64 signals always."""
    for n_pools, sizes in ((60, [60, 60]), (500, [60, 60]), (5, [120])):
        problem = make(NORMS[1], 4, n_pools)
        trace: list[Snapshot] = []
        benchbase.solve(RRR(n_iter=0), problem, signals(problem, 120)[1], trace=trace)
        assert [len(snapshot.rows) for snapshot in trace] == sizes


def test_a_signal_leaves_when_it_no_longer_moves() -> None:
    """Without a solution raar settles, and rrr goes on."""
    problem = Problem(DenseFrame([[[1.0]], [[1.0]]]), benchbase.build("pooling", NORMS[1]))
    init, b = starting_at(np.ones((1, 1))), [[1.0, 3.0]]
    settled = benchbase.solve(RAAR(beta=0.7, init=init), problem, b)
    assert_allclose(settled.x, 2.0, atol=1e-10)
    assert_array_equal(settled.converged, False)
    assert settled.n_iter is not None
    assert 20 < settled.n_iter[0] < 200
    assert_array_equal(benchbase.solve(RRR(init=init), problem, b).n_iter, 2000)


# Equivariance


@every_method
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, MAXOUT])
def test_units_turns_and_the_order_of_pools_and_signals_do_not_matter(
    method: Method, pooling: dict[str, Any]
) -> None:
    problem = make(pooling, 8, 20)
    _, b = signals(problem, 10)
    rng = np.random.default_rng(4)
    start = rng.standard_normal((10, 8))

    def solve(vectors: Array, b: Array, start: Array) -> Array:
        turned = Problem(DenseFrame(vectors), problem.pooling)
        return benchbase.solve(method(n_iter=35, init=starting_at(start)), turned, b).x

    vectors = problem.frame.dense()
    expected = solve(vectors, b, start)
    pools, members, order = rng.permutation(20), [1, 0], rng.permutation(10)
    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0]

    def check(found: Array, expected: Array = expected) -> None:
        assert_allclose(found, expected, atol=1e-7)

    check(solve(vectors[pools], b[:, pools], start))
    check(solve(vectors[:, members], b, start))
    check(solve(vectors, b[order], start[order]), expected[order])
    check(solve(vectors @ turn, b, start @ turn), expected @ turn)
    check(solve(vectors, 300 * b, 300 * start) / 300)
    check(solve(vectors * 300, b, start / 300) * 300)


@every_method
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, MAXOUT])
@pytest.mark.parametrize(("of_frame", "of_signal"), [(1, 500), (1, -500), (500, 0), (-500, 0)])
def test_units_may_be_huge_or_tiny(
    method: Method, pooling: dict[str, Any], of_frame: int, of_signal: int
) -> None:
    """Powers of two, to 1e150 and back: not a digit is lost."""
    problem = make(pooling, 8, 20)
    _, b = signals(problem, 10)
    scaled = Problem(DenseFrame(np.ldexp(problem.frame.dense(), of_frame)), problem.pooling)
    solver = method(n_iter=40)
    expected = benchbase.solve(solver, problem, b).x
    found = benchbase.solve(solver, scaled, np.ldexp(b, of_frame + of_signal)).x
    assert_allclose(np.ldexp(found, -of_signal), expected, atol=1e-7)


def test_the_same_seed_gives_the_same() -> None:
    problem = make(NORMS[1], 8, 14)
    _, b = signals(problem, 5)
    first, second, other = (benchbase.solve(RRR(n_iter=30), problem, b, s).x for s in (4, 4, 5))
    assert_array_equal(first, second)
    assert (first != other).any(axis=1).all()


# Degenerate input


@every_method
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, *SHIFTED])
def test_measurements_of_zero_are_measured_by_zero(method: Method, pooling: dict[str, Any]) -> None:
    problem = make(pooling, 8, 14)
    recovery = benchbase.solve(method(), problem, np.zeros((2, 14)))
    if pooling.get("threshold", 0) < 0:  # all coefficients negative: few have a solution
        assert np.isfinite(recovery.x).all()
        return
    assert_array_equal(recovery.converged, True)
    assert_allclose(problem.measure(recovery.x), 0, atol=1e-8)


@every_method
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT])
@pytest.mark.parametrize("case", ["zero pool", "rank", "twins", "zero", "one", "none", "few"])
def test_frames_of_all_kinds(method: Method, pooling: dict[str, Any], case: str) -> None:
    vectors = np.random.default_rng(6).standard_normal((12, 2, 4))
    vectors = {
        "zero pool": vectors * (np.arange(12) != 3)[:, None, None],
        "rank": vectors * np.array([1.0, 1.0, 1.0, 0.0]),
        "twins": vectors[np.arange(12) // 2][:, [0, 0]],
        "zero": np.zeros((3, 2, 4)),
        "one": vectors[:, :1, :1],
        "none": vectors,
        "few": vectors[:1],
    }[case]
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", pooling))
    x, b = signals(problem, 0 if case == "none" else 4)
    solved = case in ("zero", "few", "one")
    recovery = benchbase.solve(method(n_iter=600 if solved else 100), problem, b)
    assert recovery.x.shape == x.shape
    assert np.isfinite(recovery.x).all()
    start = benchbase.solve(method(n_iter=0), problem, b).x
    assert (problem.residual(recovery.x, b) <= problem.residual(start, b)).all()
    if solved:
        assert_array_equal(recovery.converged, True)


@st.composite
def small_problems(draw: st.DrawFn) -> tuple[Problem, Array]:
    """Frames and signals of few integers: ties, zeros, dependent and repeated vectors."""
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 4)))
    entries = st.integers(-2, 2).map(float)
    vectors = draw(arrays(np.float64, shape, elements=entries))
    x = draw(arrays(np.float64, (3, shape[2]), elements=entries))
    poolings: list[dict[str, Any]] = [*NORMS, *RECTIFIED, *SHIFTED, MAXOUT]
    pooling = draw(st.sampled_from(poolings))
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", pooling))
    return problem, problem.measure(x)


@every_method
@settings(max_examples=40, deadline=None)
@given(case=small_problems(), n_iter=st.integers(0, 45), seed=st.integers(0, 9))
def test_estimates_are_finite_and_fit_as_well_as_the_start(
    method: Method, case: tuple[Problem, Array], n_iter: int, seed: int
) -> None:
    problem, b = case
    start = benchbase.solve(method(n_iter=0), problem, b, seed).x
    recovery = benchbase.solve(method(n_iter=n_iter), problem, b, seed)
    assert np.isfinite(recovery.x).all()
    residual = problem.residual(recovery.x, b)
    assert (residual <= problem.residual(start, b) + 1e-9).all()
    assert recovery.n_iter is not None
    assert (recovery.n_iter <= n_iter).all()
    assert (residual[recovery.converged] <= 1e-8 + 1e-12).all()


@every_method
@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[0], RECTIFIED[1], MAXOUT])
def test_a_start_that_is_not_finite_spoils_no_other(
    method: Method, pooling: dict[str, Any]
) -> None:
    problem = make(pooling, 8, 60)
    x, b = signals(problem, 3)
    start = x + 0.01
    start[1] = np.nan
    recovery = benchbase.solve(method(init=starting_at(start)), problem, b)
    assert_array_equal(recovery.converged, [True, False, True])
    assert_array_equal(np.isnan(recovery.x), np.isnan(start))
    assert_allclose(recovery.x[[0, 2]], x[[0, 2]], atol=1e-6)
