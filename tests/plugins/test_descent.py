"""What the methods of the descent package share: units, starts, batches, stopping."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Pooling, Problem, Recovery
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_descent.descent import Descent
from benchbase_descent.pools import Pools
from tests.plugins.problems import Implicit, make, signals, starting_at

NORMS: list[dict[str, Any]] = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED: list[dict[str, Any]] = [norm | {"rectified": True} for norm in NORMS]
SHIFTED: list[dict[str, Any]] = [norm | {"threshold": 0.2} for norm in RECTIFIED]
MAXOUT: dict[str, Any] = {"name": "maxout"}
POOLINGS: list[dict[str, Any]] = [*NORMS, *RECTIFIED[1:], SHIFTED[1], MAXOUT]
SOLVERS: list[dict[str, Any]] = [
    {"name": "levenberg_marquardt"},
    {"name": "wirtinger", "variant": "af"},
    {"name": "wirtinger", "variant": "raf"},
    {"name": "kaczmarz"},
    {"name": "coordinate_descent"},
    {"name": "coordinate_descent", "order": "random"},
    {"name": "coordinate_descent", "order": "greedy"},
]
each_solver = pytest.mark.parametrize("spec", SOLVERS, ids=lambda spec: "-".join(spec.values()))
each_pooling = pytest.mark.parametrize("pooling", POOLINGS, ids=str)


def build(spec: dict[str, Any], **more: Any) -> Descent:
    solver: Descent = replace(benchbase.build("solver", spec), **more)
    return solver


def applies(spec: dict[str, Any], pooling: dict[str, Any]) -> bool:
    if spec.get("order") == "greedy":
        return pooling.get("p") == 2
    return pooling != MAXOUT or spec.get("variant") != "raf"


@each_solver
@each_pooling
def test_the_truth_is_a_fixed_point(spec: dict[str, Any], pooling: dict[str, Any]) -> None:
    if not applies(spec, pooling):
        return
    for n, n_pools, pool_size in ((5, 3, 2), (4, 8, 1), (3, 6, 3)):
        problem = make(pooling, n, n_pools, pool_size)
        x, b = signals(problem, 3)
        found = benchbase.solve(build(spec, n_iter=5, tol=0.0, init=starting_at(x)), problem, b)
        assert_allclose(found.x, x, atol=1e-9)


@each_solver
@each_pooling
def test_signals_come_back_from_a_start_near_them(
    spec: dict[str, Any], pooling: dict[str, Any]
) -> None:
    if not applies(spec, pooling):
        return
    problem = make(pooling, 3, 20)
    x, b = signals(problem, 8)
    start = x + 0.03 * np.random.default_rng(2).standard_normal(x.shape)
    recovery = benchbase.solve(build(spec, init=starting_at(start)), problem, b)
    assert recovery.converged is not None
    back = benchbase.relative_error(recovery.x, x, problem.ambiguity) < 1e-6
    assert_array_equal(recovery.converged, back)
    # At a kink every coordinate can be at its best on the way there.
    assert back.mean() >= (0.6 if spec["name"] == "coordinate_descent" else 1)


@each_solver
@pytest.mark.parametrize("pooling", [NORMS[0], RECTIFIED[1], SHIFTED[1], MAXOUT], ids=str)
def test_a_batch_is_solved_as_its_signals_are(
    spec: dict[str, Any], pooling: dict[str, Any]
) -> None:
    if not applies(spec, pooling):
        return
    problem = make(pooling, 3, 12)
    x, b = signals(problem, 3)
    start = x + 0.1 * np.random.default_rng(3).standard_normal(x.shape)
    start[2] = x[2]  # this signal leaves at once
    given = {row.tobytes(): each for row, each in zip(b, start, strict=True)}

    class Near(benchbase.Solver):
        name = "near"

        def prepare(self, problem: Problem) -> benchbase.Inverse:
            return lambda b, run: Recovery(x=np.stack([given[row.tobytes()] for row in b]))

    solver = build(spec, n_iter=7, init=Near())
    batch = benchbase.solve(solver, problem, b)
    inverse = solver.prepare(problem)
    alone = [inverse(b[i : i + 1], SignalRun(solver_keys(0, 0, [i]))) for i in range(3)]
    assert_allclose(np.concatenate([each.x for each in alone]), batch.x, atol=1e-6)
    for name in ("n_iter", "converged"):
        each = np.concatenate([np.asarray(getattr(one, name)) for one in alone])
        assert_array_equal(each, getattr(batch, name))
    assert np.asarray(batch.n_iter)[2] == 0


@each_solver
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED], ids=str)
def test_units_of_signals_and_frames_do_not_matter(
    spec: dict[str, Any], pooling: dict[str, Any]
) -> None:
    if not applies(spec, pooling):
        return
    problem = make(pooling, 5, 9)
    _, b = signals(problem, 4)
    solver = build(spec, n_iter=5)
    expected = benchbase.solve(solver, problem, b).x
    for size, frame_size in ((300.0, 1.0), (1e140, 1e-100), (1e-140, 1e100), (1e-100, 1.0)):
        frame = DenseFrame(problem.frame.dense() * frame_size)
        found = benchbase.solve(solver, Problem(frame, problem.pooling), b * size).x
        assert_allclose(found * (frame_size / size), expected, atol=1e-7)


@each_solver
@pytest.mark.parametrize("threshold", [-0.4, 0.3])
def test_thresholds_are_in_the_units_of_coefficients(
    spec: dict[str, Any], threshold: float
) -> None:
    """Of a problem with all numbers a thousand times as large, so are the signals."""
    rng = np.random.default_rng(3)
    frame = DenseFrame(rng.standard_normal((12, 2, 4)))
    start, found = rng.standard_normal((5, 4)), []
    for size in (1.0, 1000.0):
        each = {"name": "lp", "rectified": True, "threshold": threshold * size}
        problem = Problem(frame, benchbase.build("pooling", each))
        _, b = signals(problem, 5)
        b = problem.measure(size * signals(problem, 5)[0])
        solver = build(spec, n_iter=10, init=starting_at(start * size))
        found.append(benchbase.solve(solver, problem, b).x / size)
    assert_allclose(found[1], found[0], atol=1e-7)


def degenerate() -> dict[str, Array]:
    rng = np.random.default_rng(4)
    few, members, plain, twins = (rng.standard_normal((8, 2, 5)) for _ in range(4))
    plain[2] = plain[5, 0] = 0
    members[:, 1] = members[:, 0]
    twins[4:], twins[..., 3], twins[..., 4] = twins[:4], 0, twins[..., 0]
    uneven = rng.standard_normal((8, 2, 5)) * 10.0 ** np.arange(-8, 8, 2)[:, None, None]
    return {
        "zero pools": plain,
        "zero frame": np.zeros((4, 2, 3)),
        "no deep frame": few[:2],
        "equal members": members,
        "equal pools, zero and equal columns": twins,
        "uneven pools": uneven,
        "a single number": np.ones((1, 1, 1)),
        "one dimension": rng.standard_normal((4, 2, 1)),
        "pools of one": rng.standard_normal((6, 1, 4)),
        "wide pools": rng.standard_normal((4, 7, 5)),
    }


@each_solver
@pytest.mark.parametrize("case", degenerate())
def test_degenerate_input_has_finite_answers(spec: dict[str, Any], case: str) -> None:
    rng = np.random.default_rng(5)
    for pooling in (*NORMS, *RECTIFIED, SHIFTED[1], MAXOUT):
        if not applies(spec, pooling):
            continue
        problem = Problem(DenseFrame(degenerate()[case]), benchbase.build("pooling", pooling))
        _, b = signals(problem, 2)
        anything = np.abs(rng.standard_normal(b.shape)) * (rng.random(b.shape) < 0.6)
        every = np.concatenate([b, 0 * b, anything, 1e-140 * anything])
        recovery = benchbase.solve(build(spec, n_iter=3), problem, every)
        assert np.isfinite(recovery.x).all()
        assert_array_equal(recovery.converged, problem.residual(recovery.x, every) <= 1e-8)


@each_solver
@pytest.mark.parametrize("pooling", [*NORMS, *RECTIFIED], ids=str)
def test_measurements_of_zero_are_measured_by_zero(
    spec: dict[str, Any], pooling: dict[str, Any]
) -> None:
    if not applies(spec, pooling):
        return
    problem = make(pooling, 4, 12)
    recovery = benchbase.solve(build(spec), problem, np.zeros((2, 12)))
    assert_array_equal(recovery.converged, True)
    assert_array_equal(problem.measure(recovery.x), 0)


@each_solver
@pytest.mark.parametrize("pooling", [NORMS[1], RECTIFIED[1]], ids=str)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_start_that_is_not_finite_spoils_no_other(
    spec: dict[str, Any], pooling: dict[str, Any], bad: float
) -> None:
    problem = make(pooling, 4, 40)
    x, b = signals(problem, 3)
    start = x + 1e-3
    start[1] = bad
    recovery = benchbase.solve(build(spec, init=starting_at(start)), problem, b)
    assert_array_equal(recovery.converged, [True, False, True])
    assert np.isnan(recovery.x[1]).all()
    assert_allclose(recovery.x[[0, 2]], x[[0, 2]], atol=1e-6)


@pytest.mark.parametrize("spec", [s for s in SOLVERS if s["name"] != "kaczmarz"], ids=str)
def test_a_signal_leaves_when_it_no_longer_moves(spec: dict[str, Any]) -> None:
    problem = Problem(DenseFrame([[[1.0]], [[1.0]]]), benchbase.build("pooling", NORMS[1]))
    solver = build(spec, n_iter=10_000, init=starting_at(np.ones((1, 1))))
    recovery = benchbase.solve(solver, problem, [[1.0, 3.0]])
    if spec["name"] == "coordinate_descent":  # of the squares: (1 + 9) / 2
        assert_allclose(recovery.x, 5**0.5, atol=1e-9)
    elif spec.get("variant") != "raf":
        assert_allclose(recovery.x, 2.0, atol=1e-9)
    assert recovery.n_iter is not None
    assert recovery.n_iter[0] <= 2000
    assert recovery.converged is not None
    assert not recovery.converged[0]


def test_the_start_is_gaussian_and_has_the_size_of_the_measurements() -> None:
    problem = make(RECTIFIED[1], 8, 14)
    _, b = signals(problem, 10)
    found = benchbase.solve(build(SOLVERS[0], n_iter=0), problem, b, seed=3).x
    drawn = SignalRun(solver_keys(3, 0, range(10))).normal(8)
    size = np.linalg.norm(b, axis=1) / np.linalg.norm(problem.measure(drawn), axis=1)
    assert_allclose(found, drawn * size[:, None], rtol=1e-12)


@pytest.mark.parametrize("threshold", [-0.5, 0.3, 2.0])
def test_a_random_start_has_the_size_of_the_measurements_with_a_threshold(threshold: float) -> None:
    problem = make(RECTIFIED[1] | {"threshold": threshold}, 8, 40)
    _, b = signals(problem, 20)
    start = benchbase.solve(build(SOLVERS[0], n_iter=0), problem, b).x
    measured = np.linalg.norm(problem.measure(start), axis=1)
    assert_allclose(measured, np.linalg.norm(b, axis=1), rtol=1e-9)


def test_a_start_that_measures_nothing_stays_as_drawn() -> None:
    problem = Problem(DenseFrame([[[1.0]]]), benchbase.build("pooling", RECTIFIED[1]))
    found = benchbase.solve(build(SOLVERS[0], n_iter=0), problem, np.full((20, 1), 5.0)).x[:, 0]
    drawn = SignalRun(solver_keys(0, 0, range(20))).normal(1)[:, 0]
    assert (drawn < 0).any()
    assert_allclose(found[drawn > 0], 5)
    assert_allclose(found[drawn < 0], 5 * drawn[drawn < 0])  # in units of the measurements


def test_another_solver_gives_the_start_in_a_phase_of_its_own() -> None:
    class Draw(benchbase.Solver):
        name = "draw"

        def prepare(self, problem: Problem) -> benchbase.Inverse:
            return lambda b, run: Recovery(x=run.normal(problem.frame.n))

    problem = make(NORMS[1], 8, 12)
    _, b = signals(problem, 3)
    with SignalRun(solver_keys(0, 0, range(3))).phase("init") as run:
        expected = run.normal(8)
    found = benchbase.solve(build(SOLVERS[0], n_iter=0, init=Draw()), problem, b).x
    assert_allclose(found, expected, rtol=1e-14)


class Power(Pooling):
    """The p-norm of any p, which has no formula here."""

    name = "power"
    exponent: float = 3.0
    even, nonnegative, homogeneous = True, True, True

    def __call__(self, c: Array) -> Array:
        size: Array = np.linalg.norm(c, self.exponent, axis=-2)
        return size

    def rescale(self, c: Array, b: Array) -> Array:
        scaled: Array = c * (b / np.maximum(self(c), 1e-300))[..., None, :]
        return scaled

    project = rescale


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    pooling=st.sampled_from([*POOLINGS, None]),
    pool_size=st.integers(1, 4),
    smoothing=st.sampled_from([None, 0.03, 0.5, 3.0]),
    unit=st.sampled_from([1.0, 20.0, 1e-3]),
)
def test_directions_are_gradients(
    seed: int, pooling: Any, pool_size: int, smoothing: float | None, unit: float
) -> None:
    rng = np.random.default_rng(seed)
    frame = DenseFrame(rng.standard_normal((5, pool_size, 4)))
    pools = Pools(
        Problem(frame, Power() if pooling is None else benchbase.build("pooling", pooling))
    )
    c = rng.standard_normal((2, pool_size, 5))
    units = np.full(2, unit)
    eps = None if smoothing is None else np.array([smoothing, 2 * smoothing])
    value, d = pools.directions(c, units, eps)
    if eps is None or pools.formula is None:
        assert_allclose(value, pools.problem.pooling(c * unit) / unit, rtol=1e-12, atol=1e-14)
    for j in range(pool_size):
        step = np.zeros((2, pool_size, 5))
        step[:, j] = 1e-6
        ahead, behind = (pools.directions(c + sign * step, units, eps)[0] for sign in (1, -1))
        slope = (ahead - behind) / 2e-6
        smooth = np.abs((ahead + behind) / 2 - value) < 1e-9  # no kink in between
        assert smooth.mean() > 0.5
        assert_allclose(d[:, j][smooth], slope[smooth], atol=2e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), pooling=st.sampled_from(POOLINGS), eps=st.floats(1e-6, 10))
def test_smooth_values_are_above_by_no_more_than_the_rounding_off(
    seed: int, pooling: Any, eps: float
) -> None:
    rng = np.random.default_rng(seed)
    L = int(rng.integers(1, 5))
    pools = Pools(make(pooling, 4, 6, L))
    c = rng.standard_normal((3, L, 6))
    value, smooth = (pools.directions(c, np.ones(3), each)[0] for each in (None, np.full(3, eps)))
    most = eps * L * np.log(2 * L + 2)
    assert (smooth >= value - 1e-12).all()
    assert (smooth <= value + most).all()


def test_smoothing_of_p_1_and_p_inf_is_one_on_turned_pairs() -> None:
    c = np.random.default_rng(3).standard_normal((4, 2, 6))
    turned = np.stack([c[:, 0] + c[:, 1], c[:, 0] - c[:, 1]], axis=1)
    eps = np.array([1e-3, 0.1, 1.0, 9.0])
    one, largest = (Pools(make(NORMS[i], 4, 6)) for i in (0, 2))
    value, d = one.directions(c, np.ones(4), eps)
    other, e = largest.directions(turned, np.ones(4), eps)
    assert_allclose(other, value, rtol=1e-12)
    assert_allclose(np.stack([e[:, 0] + e[:, 1], e[:, 0] - e[:, 1]], axis=1), d, atol=1e-12)


@each_pooling
def test_units_and_lengths(pooling: dict[str, Any]) -> None:
    problem = make(pooling, 4, 6)
    pools = Pools(problem)
    vectors = problem.frame.dense()
    assert_allclose(pools.length, np.sqrt(np.mean(np.sum(vectors**2, axis=2))), rtol=1e-12)
    x, c = np.random.default_rng(0).standard_normal((3, 4)), np.ones((3, 2, 6))
    assert_allclose(pools.analyse(x), np.einsum("kln,sn->slk", pools.vectors(), x), atol=1e-12)
    assert_allclose(pools.adjoint(c), np.einsum("kln,slk->sn", pools.vectors(), c), atol=1e-12)
    b = np.array([[3.0] * 6, [1e-3, *[0.0] * 5], [0.0] * 6])
    root = pooling.get("threshold", 0.0)
    expected = [3.0, max(1e-3 / 6**0.5, root), root or 1.0]
    assert_allclose(pools.units(b), expected)


def test_lengths_in_high_dimensions() -> None:
    vectors = np.random.default_rng(0).standard_normal((40, 2, 600)) * 1e-90
    pools = Pools(Problem(DenseFrame(vectors), benchbase.build("pooling", NORMS[1])))
    assert_allclose(
        pools.length, 1e-90 * np.sqrt(np.mean(np.sum((vectors * 1e90) ** 2, 2))), rtol=0.02
    )


@each_solver
def test_problems_that_it_does_not_apply_to(spec: dict[str, Any]) -> None:
    vectors = np.random.default_rng(0).standard_normal((12, 2, 4))
    linear = benchbase.build("pooling", NORMS[1])
    solver = build(spec)
    assert "complex" in str(solver.unsupported(Problem(DenseFrame(vectors * 1j), linear)))
    hidden = Problem(Implicit(vectors), linear)
    strange = Problem(DenseFrame(vectors), Power())
    if spec["name"] == "wirtinger":
        _, b = signals(hidden, 3)
        found = [benchbase.solve(solver, each, b).x for each in (hidden, make_like(hidden))]
        assert_array_equal(found[0], found[1])
    else:
        assert "vectors" in str(solver.unsupported(hidden))
    if spec["name"] in ("kaczmarz", "coordinate_descent"):
        assert "neither" in str(solver.unsupported(strange))
    else:
        assert solver.unsupported(strange) is None
    init = benchbase.build("solver", {"name": "knn"})
    assert "training" in str(build(spec, init=init).unsupported(make(NORMS[1], 4, 14)))


def make_like(hidden: Problem) -> Problem:
    frame = hidden.frame
    vectors = frame.analyse(np.eye(frame.n)).transpose(2, 1, 0)
    return Problem(DenseFrame(vectors), hidden.pooling)
