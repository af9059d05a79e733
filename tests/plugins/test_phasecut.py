"""PhaseCut, by each of its methods."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem, Solver, relative_error, squared_cosine
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_sdp.block_coordinate import best_block
from benchbase_sdp.cut import Basis, basis, directions, lower_bound, relative_gap, relative_value
from benchbase_sdp.modelling import load_cvxpy
from benchbase_sdp.phasecut import PhaseCut
from tests.plugins.problems import Implicit, flags

cvxpy = load_cvxpy()

FAST = ("burer-monteiro", "block-coordinate")
ALL = pytest.mark.parametrize("method", [*FAST, "cvxpy"])
LOW_RANK = pytest.mark.parametrize("method", FAST)


def build(method: str = "burer-monteiro", **parameters: Any) -> Solver:
    solver: Solver = benchbase.build("solver", {"name": "phasecut", "method": method, **parameters})
    return solver


def pose(
    n: int, n_pools: int, pool_size: int = 2, *, seed: int = 0, turned: bool = False, **pooling: Any
) -> Problem:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n_pools, pool_size, n))
    if turned:
        vectors = vectors + 1j * rng.standard_normal(vectors.shape)
    spec = {"name": "lp", "p": 2.0} | pooling
    return Problem(DenseFrame(vectors), benchbase.build("pooling", spec))


def signals(n: int, size: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal((size, n))


def noisy(problem: Problem, x: Array, share: float = 0.2) -> Array:
    """Measurements that no signal has, of mean square 1."""
    b = problem.measure(x)
    noise = np.random.default_rng(2).standard_normal(b.shape)
    changed: Array = np.abs(b + share * b.mean() * noise)
    changed /= np.sqrt(np.mean(changed**2, axis=1, keepdims=True))
    return changed


def run(size: int) -> SignalRun:
    return SignalRun(solver_keys(0, 0, range(size)))


def cost(vectors: Array, b: Array) -> Array:
    """The matrix M of the program as its authors state it, pool by pool."""
    frame = vectors.reshape(-1, vectors.shape[2])
    weights = np.repeat(b, vectors.shape[1])
    m: Array = weights[:, None] * (np.eye(len(frame)) - frame @ np.linalg.pinv(frame)) * weights
    return m


def reference(vectors: Array, b: Array) -> tuple[float, Array]:
    """PhaseCut as its authors state it, in U, by an interior point method: its value and x."""
    n_pools, pool_size, _ = vectors.shape
    m, size = cost(vectors, b), n_pools * pool_size
    if np.iscomplexobj(vectors):
        u = cvxpy.Variable((size, size), hermitian=True)
        cones, diagonal = [u >> 0], cvxpy.real(cvxpy.diag(u))
        value = cvxpy.real(cvxpy.sum(cvxpy.multiply(m.conj(), u)))
    else:
        u = cvxpy.Variable((size, size), PSD=True)
        cones, diagonal = [], cvxpy.diag(u)
        value = cvxpy.sum(cvxpy.multiply(m, u))
    blocks = [slice(k * pool_size, (k + 1) * pool_size) for k in range(n_pools)]
    ones = [cvxpy.sum(diagonal[block]) == 1 for block in blocks]
    least = cvxpy.Problem(cvxpy.Minimize(value), [*ones, *cones]).solve(solver="CLARABEL")
    leading = np.linalg.eigh(u.value)[1][:, -1].reshape(n_pools, pool_size)
    leading = leading / np.linalg.norm(leading, axis=1, keepdims=True)
    x = np.linalg.pinv(vectors.reshape(size, -1)) @ (b[:, None] * leading).ravel()
    return float(least), x


@ALL
@pytest.mark.parametrize("pool_size", [1, 2, 3])
def test_signals_with_many_measurements_come_back(method: str, pool_size: int) -> None:
    problem = pose(7, 30, pool_size)
    x = signals(7, 3)
    recovery = benchbase.solve(build(method), problem, problem.measure(x))
    assert (relative_error(recovery.x, x) < 2e-3).all()
    assert flags(recovery) == [True] * 3
    assert recovery.message.partition(";")[0] == "optimal"
    assert recovery.n_iter is not None
    assert (recovery.n_iter > 0).all()


@pytest.mark.parametrize("method", FAST)
def test_hermitian_matrices_recover_complex_coefficients_too(method: str) -> None:
    problem = pose(5, 40, 1, turned=True)
    x = signals(5, 3)
    for real in (True, False):
        recovery = benchbase.solve(build(method, real=real), problem, problem.measure(x))
        assert (relative_error(recovery.x, x) < 2e-3).all()
        assert recovery.x.dtype == np.float64
        assert flags(recovery) == [True] * 3


@pytest.mark.parametrize(("n_pools", "pool_size"), [(12, 1), (9, 2), (7, 3)])
def test_all_methods_reach_the_value_of_the_authors_program(n_pools: int, pool_size: int) -> None:
    problem = pose(3, n_pools, pool_size, seed=3)
    b = noisy(problem, signals(3, 1))
    value, x = reference(problem.frame.dense(), b[0])
    assert value > 1e-3 * (b[0] @ b[0])  # else any fit would do
    rows = basis(problem.frame, real=True)
    for method in (*FAST, "cvxpy"):
        factors = PhaseCut(method=method).method_for(rows)(b, run(1)).factors  # type: ignore[arg-type] # a literal
        reached = relative_value(rows, factors, b)[0] * (b[0] @ b[0])
        assert reached == pytest.approx(value, rel=1e-5)
        assert relative_gap(rows, factors, b)[0] < PhaseCut.tolerance
        recovery = benchbase.solve(build(method), problem, b)
        assert squared_cosine(recovery.x[0], x) > 1 - 1e-6
        assert flags(recovery) == [True]


@pytest.mark.parametrize("turned", [True, False])
def test_so_do_they_in_hermitian_matrices(turned: bool) -> None:
    problem = pose(3, 8, 1 if turned else 2, seed=4, turned=turned)
    b = noisy(problem, signals(3, 1))
    vectors = problem.frame.dense()
    if not turned:
        vectors = vectors[:, :1] + 1j * vectors[:, 1:]
    value, x = reference(vectors, b[0])
    assert value > 1e-3 * (b[0] @ b[0])
    rows = basis(problem.frame, real=False)
    for method in (*FAST, "cvxpy"):
        factors = PhaseCut(method=method, real=False).method_for(rows)(b, run(1)).factors  # type: ignore[arg-type] # a literal
        reached = relative_value(rows, factors, b)[0] * (b[0] @ b[0])
        assert reached == pytest.approx(value, rel=1e-5)
        recovery = benchbase.solve(build(method, real=False), problem, b)
        turn = np.exp(1j * np.linspace(0, np.pi, 20_001))[:, None] * x
        longest = turn[np.argmax(np.linalg.norm(turn.real, axis=1))].real
        assert squared_cosine(recovery.x[0], longest) > 1 - 1e-5
        measured = problem.measure(recovery.x[0])
        assert measured @ (measured - b[0]) == pytest.approx(0, abs=1e-9)  # the best scale


def test_a_relaxation_in_more_matrices_has_no_larger_value() -> None:
    problem = pose(5, 30, seed=6)
    b = noisy(problem, signals(5, 4))
    values = []
    for real in (True, False):
        rows = basis(problem.frame, real=real)
        factors = PhaseCut(real=real).method_for(rows)(b, run(4)).factors
        values.append(relative_value(rows, factors, b))
    assert (values[1] < values[0] * (1 - 1e-3)).all()


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(2, 7), size=st.integers(1, 3),
    ratio=st.floats(1, 5), share=st.sampled_from([0.0, 0.05, 0.5]), real=st.booleans(),
)  # fmt: skip # one argument a line says no more
def test_converged_means_the_conditions_of_optimality(
    seed: int, n: int, size: int, ratio: float, share: float, real: bool
) -> None:
    size = size if real else min(size, 2)
    problem = pose(n, int(np.ceil(ratio * n)), size, seed=seed)
    b = noisy(problem, signals(n, 2, seed), share)
    rows = basis(problem.frame, real=real)
    order = [rows.rows[k] for k in range(len(rows.rows))]
    q = np.concatenate(order)
    for method in FAST:
        solver = PhaseCut(method=method, real=real)  # type: ignore[arg-type] # a literal
        factors = solver.method_for(rows)(b, run(2)).factors
        converged = flags(benchbase.solve(solver, problem, b))
        for v, values, flag in zip(factors, b, converged, strict=True):
            # U and multipliers of the authors' program, from X: nothing here is shared code.
            coefficients = [rows_k @ v.T for rows_k in order]
            s = np.array([np.linalg.norm(c) for c in coefficients])
            u = np.concatenate([c / t for c, t in zip(coefficients, s, strict=True)])
            weights = np.repeat(values, len(order[0]))
            m = weights[:, None] * (np.eye(len(q)) - q @ q.conj().T) * weights
            value = np.vdot(u, m @ u).real
            w = values / s
            w /= np.linalg.eigvalsh((q.conj().T * np.repeat(w, len(order[0]))) @ q)[-1]
            multipliers = values**2 * (1 - 1 / w)
            slack = m - np.diag(np.repeat(multipliers, len(order[0])))
            scale = values @ values
            assert np.linalg.eigvalsh(slack)[0] > -1e-9 * scale
            gap = (value - max(multipliers.sum(), 0)) / scale
            if flag:
                assert gap < 1e-5


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), power=st.floats(-3, 3), real=st.booleans())
def test_the_bound_is_below_every_value(seed: int, power: float, real: bool) -> None:
    rng = np.random.default_rng(seed)
    rows = basis(DenseFrame(rng.standard_normal((6, 2, 4))), real=real)
    roots = rng.standard_normal((2, 1, 4, 4))
    factors = (roots[0] + (0 if real else 1j) * roots[1]) * 10**power
    b = rng.random(6)
    value = relative_value(rows, factors, b[None])[0] * (b @ b)
    other = np.linalg.norm(rows.analyse(factors[0, 0]), axis=0)
    mixture = rng.random() * b + rng.random() * other / 10**power
    for s in (other, b, mixture, 0 * b):
        assert 0 <= lower_bound(rows, s, b) <= value + 1e-12


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), size=st.integers(1, 3),
    weight=st.floats(0, 10), scale=st.floats(-4, 4),
)  # fmt: skip # one argument a line says no more
def test_a_block_is_the_best_of_its_norm(seed: int, size: int, weight: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    rest = rng.standard_normal((1, size, 3)) * 10**scale
    gaps = weight * np.r_[0, np.sort(rng.random(size - 1))][None]
    best = best_block(rest, gaps)[0]
    assert np.linalg.norm(best) == pytest.approx(1)

    def value(block: Array) -> Array:
        linear = 2 * np.sum(block * rest[0], axis=(-2, -1))
        total: Array = linear - np.sum(block**2, axis=-1) @ gaps[0]
        return total

    others = rng.standard_normal((500, size, 3))
    others[:250] = best + 0.01 * others[:250]
    others /= np.linalg.norm(others, axis=(1, 2), keepdims=True)
    assert (value(others) <= value(best) + 1e-9 * 10**scale).all()


@pytest.mark.parametrize("shape", [(9, 2, 4), (2, 2, 7), (5, 1, 5)])
@pytest.mark.parametrize("real", [True, False])
def test_the_basis_spans_the_frames_range(shape: tuple[int, int, int], real: bool) -> None:
    vectors = np.random.default_rng(4).standard_normal(shape)
    vectors[0] = vectors[1]  # as good as one pool less
    rows = basis(DenseFrame(vectors), real=real)
    if not real:
        vectors = vectors[:, :1] + 1j * vectors[:, 1:].sum(axis=1, keepdims=True)
    flat = vectors.reshape(-1, shape[2])
    rank = min((shape[0] - 1) * vectors.shape[1], shape[2])
    assert rows.rows.shape == (shape[0], vectors.shape[1], rank)
    q = rows.rows.reshape(-1, rank)
    assert_allclose(q.conj().T @ q, np.eye(rank), atol=1e-12)
    assert_allclose(q @ q.conj().T, flat @ np.linalg.pinv(flat), atol=1e-10)
    assert_allclose(rows.signals @ q.conj().T, np.linalg.pinv(flat), atol=1e-10)


def test_pools_of_value_zero_do_not_turn_the_others() -> None:
    rng = np.random.default_rng(5)
    rows, factors = rng.standard_normal((8, 2, 4)), rng.standard_normal((1, 2, 4))
    b = np.r_[np.zeros(5), np.ones(3)][None]
    u = directions(Basis(rows, np.eye(4)), factors, b)
    alone = directions(Basis(rows[5:], np.eye(4)), factors, b[:, 5:])
    assert_array_equal(u[..., :5], np.zeros((1, 2, 5)))
    assert_allclose(np.abs(np.sum(u[..., 5:] * alone)), 3)  # the same unit vectors but for a sign


@ALL
@pytest.mark.parametrize(("b_unit", "frame_unit"), [(1e200, 1.0), (1e-200, 1.0), (1.0, 1e4)])
def test_units_do_not_matter(method: str, b_unit: float, frame_unit: float) -> None:
    problem = pose(6, 20)
    b = problem.measure(signals(6, 2))
    once = benchbase.solve(build(method), problem, b)
    scaled = Problem(DenseFrame(problem.frame.dense() * frame_unit), problem.pooling)
    again = benchbase.solve(build(method), scaled, b * b_unit)
    assert (relative_error(again.x / b_unit * frame_unit, once.x) < 1e-5).all()
    assert flags(again) == flags(once) == [True, True]


@ALL
def test_a_batch_is_a_loop_and_runs_repeat(method: str) -> None:
    problem = pose(5, 11)
    b = noisy(problem, signals(5, 3))
    inverse = build(method).prepare(problem)
    batch, again = inverse(b, run(3)), inverse(b, run(3))
    assert_array_equal(batch.x, again.x)
    assert_array_equal(batch.n_iter, again.n_iter)
    for i in range(3):
        alone = inverse(b[i : i + 1], SignalRun(solver_keys(0, 0, [i])))
        assert relative_error(alone.x[0], batch.x[i]) < 1e-8


@ALL
def test_zero_measurements_give_the_zero_signal(method: str) -> None:
    problem = pose(5, 20)
    x = signals(5, 3)
    x[1] = 0
    recovery = benchbase.solve(build(method), problem, problem.measure(x))
    assert_array_equal(recovery.x[1], np.zeros(5))
    assert (relative_error(recovery.x, x) < 2e-3).all()
    assert flags(recovery) == [True] * 3
    assert recovery.message.partition(";")[0] == "optimal, zero measurements"


@ALL
@pytest.mark.parametrize("real", [True, False])
def test_some_pools_may_be_zero(method: str, real: bool) -> None:
    x = signals(5, 1)
    vectors = pose(5, 24).frame.dense().copy()
    vectors[3:6] -= (vectors[3:6] @ x[0])[..., None] * x[0] / (x[0] @ x[0])
    problem = Problem(DenseFrame(vectors), pose(5, 24).pooling)
    b = np.where(problem.measure(x) > 1e-12, problem.measure(x), 0.0)
    assert np.sum(b == 0) == 3
    recovery = benchbase.solve(build(method, real=real), problem, b)
    assert relative_error(recovery.x, x)[0] < 2e-3


@ALL
def test_frames_of_less_than_the_full_rank(method: str) -> None:
    problem = pose(8, 3)
    b = problem.measure(signals(8, 2))
    recovery = benchbase.solve(build(method), problem, b)
    assert flags(recovery) == [True, True]
    span = problem.frame.least_squares(problem.frame.analyse(recovery.x))
    assert_allclose(recovery.x, span, atol=1e-9)  # nothing is known outside the frame's range
    assert (problem.residual(recovery.x, b) < 1).all()


@ALL
def test_measurements_that_no_signal_has_are_fitted(method: str) -> None:
    problem = pose(4, 30)
    x = signals(4, 1)
    b = noisy(problem, x)
    recovery = benchbase.solve(build(method), problem, b)
    assert flags(recovery) == [True]
    assert squared_cosine(recovery.x, x)[0] > 0.9
    measured = problem.measure(recovery.x[0])
    assert measured @ (measured - b[0]) == pytest.approx(0, abs=1e-9)  # the best scale


@ALL
def test_an_iteration_cap_is_no_convergence(method: str) -> None:
    problem = pose(6, 24)
    b = noisy(problem, signals(6, 2))
    recovery = benchbase.solve(build(method, max_iters=3), problem, b)
    assert flags(recovery) == [False, False]
    assert np.isfinite(recovery.x).all()
    assert recovery.message.partition(";")[0] == "iteration limit"
    assert_array_equal(recovery.n_iter, [3, 3])


@ALL
def test_what_a_method_says_is_no_convergence(method: str) -> None:
    problem = pose(6, 10)
    recovery = benchbase.solve(build(method, eps=10.0), problem, problem.measure(signals(6, 2)))
    assert recovery.message.partition(";")[0] == "optimal"
    assert flags(recovery) == [False, False]


@ALL
def test_what_counts_is_the_gap(method: str) -> None:
    problem = pose(4, 16)
    b = problem.measure(signals(4, 1))
    solver = build(method, eps=1e-300, max_iters=80 if method == "block-coordinate" else 400)
    recovery = benchbase.solve(solver, problem, b)
    assert recovery.message.partition(";")[0] == "iteration limit"
    assert flags(recovery) == [True]


@LOW_RANK
def test_too_low_a_rank_is_seen(method: str) -> None:
    problem = pose(6, 30)
    b = noisy(problem, signals(6, 4))
    recovery = benchbase.solve(build(method, rank=1), problem, b)
    assert recovery.message.partition(";")[0] == "stalled"
    assert flags(recovery) == [False] * 4
    assert flags(benchbase.solve(build(method), problem, b)) == [True] * 4


def test_an_error_of_scs_fails_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = pose(4, 8)

    def fail(*_: Any, **__: Any) -> None:
        raise cvxpy.SolverError("SCS failed")

    monkeypatch.setattr(cvxpy.Problem, "solve", fail)
    recovery = benchbase.solve(build("cvxpy"), problem, problem.measure(signals(4, 2)))
    assert np.isnan(recovery.x).all()
    assert flags(recovery) == [False, False]
    assert recovery.message == "solver_error"


def test_only_the_warning_of_inaccuracy_is_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = pose(3, 5)
    method = PhaseCut(method="cvxpy").method_for(basis(problem.frame, real=True))
    monkeypatch.setattr(
        cvxpy.Problem, "solve", lambda *_, **__: warnings.warn("Something else", stacklevel=1)
    )
    with pytest.raises(UserWarning, match="Something else"):
        method(np.ones((1, 5)), run(1))


def test_problems_that_are_not_supported_get_the_reason() -> None:
    def reason(problem: Problem, **parameters: Any) -> str:
        return build(**parameters).unsupported(problem) or ""

    assert reason(pose(4, 8)) == ""
    assert reason(pose(4, 8, turned=True)) == ""
    assert reason(pose(4, 8, turned=True), real=False) == ""
    assert "p = 1" in reason(pose(4, 8, p=1.0))
    assert "p = inf" in reason(pose(4, 8, p=np.inf))
    assert reason(pose(4, 8, 1, p=np.inf)) == ""
    assert "rectification" in reason(pose(4, 8, rectified=True))
    assert "rectification" in reason(pose(4, 8, 1, rectified=True))
    assert "pools of one or two" in reason(pose(4, 8, 3), real=False)
    maxout = Problem(pose(4, 8).frame, benchbase.build("pooling", {"name": "maxout"}))
    assert "no p" in reason(maxout)
    implicit = Problem(Implicit(pose(4, 8).frame.dense()), pose(4, 8).pooling)
    assert "vectors" in reason(implicit)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("max_iters", 0), ("eps", 0.0), ("eps", np.inf), ("rank", 0), ("real", 2), ("method", "x")],
)
def test_wrong_parameters_are_refused(parameter: str, value: Any) -> None:
    with pytest.raises(benchbase.SpecError, match=parameter):
        build(**{parameter: value})


def test_the_reference_has_no_rank() -> None:
    with pytest.raises(benchbase.SpecError, match="rank"):
        build("cvxpy", rank=4)


@pytest.mark.parametrize("method", ["burer-monteiro", "block-coordinate", "cvxpy"])
def test_a_pool_of_zero_vectors_says_nothing(method: str) -> None:
    rng = np.random.default_rng(3)
    vectors, x = rng.standard_normal((30, 2, 5)), rng.standard_normal((2, 5))
    vectors[3] = 0
    problem = Problem(DenseFrame(vectors), benchbase.build("pooling", {"name": "lp"}))
    found = benchbase.solve(build(method=method), problem, problem.measure(x))
    assert (squared_cosine(found.x, x) > 0.999).all()
