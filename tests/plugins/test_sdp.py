"""PhaseLift and PhaseCut."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem, Recovery, Solver, relative_error, squared_cosine
from benchbase_sdp.phasecut import PhaseCut, directions, lower_bound, orthonormal_rows
from benchbase_sdp.phaselift import PhaseLift
from benchbase_sdp.relaxation import load_cvxpy, outer_products

cvxpy = load_cvxpy()

BOTH = pytest.mark.parametrize("name", ["phaselift", "phasecut"])


def build(name: str, **parameters: Any) -> Solver:
    solver: Solver = benchbase.build("solver", {"name": name, **parameters})
    return solver


def pose(n: int, n_pools: int, pool_size: int = 2, *, seed: int = 0, **pooling: Any) -> Problem:
    vectors = np.random.default_rng(seed).standard_normal((n_pools, pool_size, n))
    return Problem(
        DenseFrame(vectors), benchbase.build("pooling", {"name": "lp", "p": 2.0} | pooling)
    )


def signals(n: int, size: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal((size, n))


def noisy(problem: Problem, x: Array, share: float = 0.2) -> Array:
    """Measurements that no signal has."""
    b = problem.measure(x)
    noise = np.random.default_rng(2).standard_normal(b.shape)
    changed: Array = np.abs(b + share * b.mean() * noise)
    return changed


def flags(recovery: Recovery) -> list[bool]:
    assert recovery.converged is not None
    return [bool(flag) for flag in recovery.converged]


def reference_phasecut(vectors: Array, b: Array) -> tuple[float, Array]:
    """PhaseCut as its authors state it, in U, by an interior point method: its value and x."""
    n_pools, pool_size, n = vectors.shape
    frame = vectors.reshape(-1, n)
    inverse = np.linalg.pinv(frame)
    weights = np.repeat(b, pool_size)
    m = weights[:, None] * (np.eye(len(frame)) - frame @ inverse) * weights
    u = cvxpy.Variable((len(frame), len(frame)), PSD=True)
    blocks = [slice(k * pool_size, (k + 1) * pool_size) for k in range(n_pools)]
    program = cvxpy.Problem(
        cvxpy.Minimize(cvxpy.sum(cvxpy.multiply(m, u))),
        [cvxpy.sum(cvxpy.diag(u)[block]) == 1 for block in blocks],
    )
    value = program.solve(solver="CLARABEL")
    leading = np.linalg.eigh(u.value)[1][:, -1].reshape(n_pools, pool_size)
    leading /= np.linalg.norm(leading, axis=1, keepdims=True)
    x = inverse @ (b[:, None] * leading).ravel()
    measured = np.linalg.norm(vectors @ x, axis=1)
    return float(value), x * (measured @ b) / (measured @ measured)


@BOTH
@pytest.mark.parametrize("pool_size", [1, 2, 3])
def test_signals_with_many_measurements_come_back(name: str, pool_size: int) -> None:
    problem = pose(7, 30, pool_size)
    x = signals(7, 3)
    recovery = benchbase.solve(build(name), problem, problem.measure(x))
    assert (relative_error(recovery.x, x) < 1e-3).all()
    assert (squared_cosine(recovery.x, x) > 1 - 1e-7).all()
    assert flags(recovery) == [True] * 3
    assert recovery.message == "SCS: optimal"
    assert recovery.n_iter is not None
    assert (recovery.n_iter > 0).all()


@pytest.mark.parametrize("n_pools", [6, 10, 24])
def test_phaselift_finds_a_feasible_matrix_of_the_least_trace(n_pools: int) -> None:
    problem = pose(6, n_pools)
    products = outer_products(problem.frame.dense())
    b = problem.measure(signals(6, 1)[0])
    found = PhaseLift().program(products).solve(b**2)
    assert found.matrix is not None
    assert np.linalg.norm(products @ found.matrix.ravel() - b**2) < 1e-4 * np.linalg.norm(b**2)
    assert np.linalg.eigvalsh(found.matrix)[0] > -1e-4 * np.trace(found.matrix)

    matrix = cvxpy.Variable((6, 6), PSD=True)
    vectors = problem.frame.dense()
    fits = [cvxpy.trace(v @ matrix @ v.T) == y**2 for v, y in zip(vectors, b, strict=True)]
    least = cvxpy.Problem(cvxpy.Minimize(cvxpy.trace(matrix)), fits).solve(solver="CLARABEL")
    assert np.trace(found.matrix) == pytest.approx(least, rel=1e-4)


@pytest.mark.parametrize(("n_pools", "pool_size"), [(12, 1), (9, 2), (7, 3)])
def test_the_small_program_of_phasecut_is_the_large_one(n_pools: int, pool_size: int) -> None:
    problem = pose(3, n_pools, pool_size, seed=3)
    b = noisy(problem, signals(3, 1)[0])
    vectors = problem.frame.dense()
    value, x = reference_phasecut(vectors, b)
    assert value > 1e-3 * (b @ b)  # else any fit would do

    scale = np.sqrt(np.mean(b**2))
    products = outer_products(orthonormal_rows(vectors))
    found = PhaseCut().program(products).solve(b / scale)
    assert found.matrix is not None
    s = scale * np.sqrt(products @ found.matrix.ravel() * n_pools)
    assert np.sum((s - b) ** 2) == pytest.approx(value, rel=1e-4)
    assert lower_bound(products, s, b) == pytest.approx(value, rel=1e-2)

    recovery = benchbase.solve(build("phasecut"), problem, b[None])
    assert relative_error(recovery.x[0], x) < 1e-3
    assert flags(recovery) == [True]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), power=st.floats(-3, 3))
def test_the_bound_of_phasecut_is_below_every_value(seed: int, power: float) -> None:
    rng = np.random.default_rng(seed)
    products = outer_products(orthonormal_rows(rng.standard_normal((6, 2, 4))))
    root = rng.standard_normal((4, 4)) * 10**power
    b = rng.random(6)
    value = np.linalg.norm(np.sqrt(products @ (root @ root.T).ravel()) - b)
    other = np.sqrt(products @ np.outer(root[0], root[0]).ravel())
    mixture = rng.random() * b + rng.random() * other / 10**power
    for s in (other, b, mixture, 0 * b):
        assert 0 <= lower_bound(products, s, b) <= value**2 + 1e-12


@pytest.mark.parametrize("shape", [(9, 2, 4), (2, 2, 7), (5, 1, 5)])
def test_orthonormal_rows_span_the_frames_range(shape: tuple[int, int, int]) -> None:
    vectors = np.random.default_rng(4).standard_normal(shape)
    vectors[0] = vectors[1]  # as good as one pool less
    rows = orthonormal_rows(vectors)
    flat = vectors.reshape(-1, shape[2])
    rank = min((shape[0] - 1) * shape[1], shape[2])
    assert rows.shape == (*shape[:2], rank)
    q = rows.reshape(-1, rank)
    assert_allclose(q.T @ q, np.eye(rank), atol=1e-12)
    assert_allclose(q @ q.T, flat @ np.linalg.pinv(flat), atol=1e-10)


def test_pools_of_value_zero_do_not_turn_the_others() -> None:
    rng = np.random.default_rng(5)
    basis, root = rng.standard_normal((8, 2, 4)), rng.standard_normal((4, 2))
    s, b = rng.random(8), np.r_[np.zeros(5), np.ones(3)]
    u = directions(basis, root @ root.T, s, b)
    alone = directions(basis[5:], root @ root.T, s[5:], b[5:])
    assert_array_equal(u[:5], np.zeros((5, 2)))
    assert_allclose(np.abs(np.sum(u[5:] * alone)), 3)  # unit vectors, the same but for one sign


@BOTH
@pytest.mark.parametrize(("b_unit", "frame_unit"), [(1000.0, 1.0), (1e-6, 1.0), (1.0, 1e4)])
def test_units_do_not_matter(name: str, b_unit: float, frame_unit: float) -> None:
    problem = pose(6, 11)
    b = problem.measure(signals(6, 2))
    once = benchbase.solve(build(name), problem, b)
    scaled = Problem(DenseFrame(problem.frame.dense() * frame_unit), problem.pooling)
    again = benchbase.solve(build(name), scaled, b * b_unit)
    assert (relative_error(again.x * frame_unit / b_unit, once.x) < 1e-5).all()
    assert flags(again) == flags(once) == [True, True]


@BOTH
def test_a_batch_is_a_loop_and_runs_repeat(name: str) -> None:
    problem = pose(6, 14)
    b = problem.measure(signals(6, 3))
    batch = benchbase.solve(build(name), problem, b)
    again = benchbase.solve(build(name), problem, b)
    backwards = benchbase.solve(build(name), problem, b[::-1])
    loop = [benchbase.solve(build(name), problem, row) for row in b]
    assert_array_equal(batch.x, again.x)
    assert_array_equal(batch.x, backwards.x[::-1])
    assert_array_equal(batch.x, [one.x for one in loop])
    assert_array_equal(batch.n_iter, [one.n_iter for one in loop])


@BOTH
def test_zero_measurements_give_the_zero_signal(name: str) -> None:
    problem = pose(5, 20)
    x = signals(5, 3)
    x[1] = 0
    recovery = benchbase.solve(build(name), problem, problem.measure(x))
    assert_array_equal(recovery.x[1], np.zeros(5))
    assert (relative_error(recovery.x, x) < 1e-3).all()
    assert flags(recovery) == [True] * 3
    assert recovery.message == "SCS: optimal, zero measurements"


@BOTH
def test_some_pools_may_be_zero(name: str) -> None:
    x = signals(5, 1)
    vectors = pose(5, 20).frame.dense().copy()
    vectors[3:6] -= (vectors[3:6] @ x[0])[..., None] * x[0] / (x[0] @ x[0])
    problem = Problem(DenseFrame(vectors), pose(5, 20).pooling)
    b = np.where(problem.measure(x) > 1e-12, problem.measure(x), 0.0)
    assert np.sum(b == 0) == 3
    recovery = benchbase.solve(build(name), problem, b)
    assert relative_error(recovery.x, x)[0] < 1e-3


@BOTH
def test_frames_of_less_than_the_full_rank(name: str) -> None:
    problem = pose(8, 3)
    b = problem.measure(signals(8, 2))
    recovery = benchbase.solve(build(name), problem, b)
    assert flags(recovery) == [True, True]
    span = problem.frame.least_squares(problem.frame.analyse(recovery.x))
    assert_allclose(recovery.x, span, atol=1e-3)  # nothing is known outside the frame's range
    assert (problem.residual(recovery.x, b) < 1).all()


@BOTH
def test_an_iteration_cap_is_no_convergence(name: str) -> None:
    problem = pose(6, 24)
    recovery = benchbase.solve(build(name, max_iters=5), problem, problem.measure(signals(6, 2)))
    assert flags(recovery) == [False, False]
    assert np.isfinite(recovery.x).all()
    assert recovery.message == "SCS: optimal_inaccurate"
    assert_array_equal(recovery.n_iter, [5, 5])


@BOTH
def test_the_status_alone_is_no_convergence(name: str) -> None:
    problem = pose(6, 10)
    recovery = benchbase.solve(build(name, eps=10.0), problem, problem.measure(signals(6, 2)))
    assert recovery.message == "SCS: optimal"
    assert flags(recovery) == [False, False]


@BOTH
def test_neither_is_the_fit_alone(name: str) -> None:
    problem = pose(4, 16)
    x = signals(4, 1)
    solver = build(name, eps=1e-20, max_iters=1500)
    recovery = benchbase.solve(solver, problem, problem.measure(x))
    assert recovery.message == "SCS: optimal_inaccurate"
    assert (relative_error(recovery.x, x) < 1e-6).all()
    assert flags(recovery) == [False]


def test_measurements_that_no_matrix_has_are_infeasible_for_phaselift_only() -> None:
    problem = pose(4, 30)
    x = signals(4, 2)
    b = problem.measure(x)
    b[0] = noisy(problem, x)[0]
    recovery = benchbase.solve(build("phaselift"), problem, b)
    assert np.isnan(recovery.x[0]).all()
    assert relative_error(recovery.x[1], x[1]) < 1e-3
    assert flags(recovery) == [False, True]
    assert recovery.message == "SCS: infeasible, optimal"

    cut = benchbase.solve(build("phasecut"), problem, b)
    assert flags(cut) == [True, True]
    assert squared_cosine(cut.x[0], x[0]) > 0.9
    measured = problem.measure(cut.x[0])
    assert measured @ (measured - b[0]) == pytest.approx(0, abs=1e-9)  # the best scale


@BOTH
def test_an_error_of_scs_fails_the_signal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = pose(4, 8)

    def fail(*_: Any, **__: Any) -> None:
        raise cvxpy.SolverError("SCS failed")

    monkeypatch.setattr(cvxpy.Problem, "solve", fail)
    recovery = benchbase.solve(build(name), problem, problem.measure(signals(4, 2)))
    assert np.isnan(recovery.x).all()
    assert flags(recovery) == [False, False]
    assert recovery.message == "SCS: solver_error"


def test_only_the_warning_of_inaccuracy_is_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    program = PhaseLift().program(outer_products(pose(3, 5).frame.dense()))
    monkeypatch.setattr(
        cvxpy.Problem, "solve", lambda *_, **__: warnings.warn("Something else", stacklevel=1)
    )
    with pytest.raises(UserWarning, match="Something else"):
        program.solve(np.ones(5))


@pytest.mark.parametrize(
    ("pooling", "has"),
    [
        ({"p": 1.0}, "p = 1"),
        ({"p": np.inf}, "p = inf"),
        ({"rectified": True}, "p = 2 and half rectification"),
        ({"p": np.inf, "rectified": True}, "p = inf and half rectification"),
        ({"name": "maxout"}, "no p"),
    ],
)
def test_other_poolings_are_not_supported(pooling: dict[str, Any], has: str) -> None:
    spec = {"name": "lp", "p": 2.0} | pooling
    if spec["name"] == "maxout":
        del spec["p"]
    problem = Problem(pose(4, 8).frame, benchbase.build("pooling", spec))
    rest = f"is defined for p = 2 without rectification; this pooling has {has}"
    assert build("phaselift").unsupported(problem) == f"PhaseLift {rest}"
    assert build("phasecut").unsupported(problem) == f"PhaseCut {rest}"


@BOTH
def test_complex_frames_are_not_supported(name: str) -> None:
    problem = pose(4, 8)
    assert build(name).unsupported(problem) is None
    turned = Problem(DenseFrame(1j * problem.frame.dense()), problem.pooling)
    reason = build(name).unsupported(turned)
    assert reason is not None
    assert "real signals" in reason


class _Implicit(DenseFrame):
    def dense(self) -> benchbase.Array:
        raise NotImplementedError


@BOTH
def test_frames_without_vectors_are_not_supported(name: str) -> None:
    problem = pose(4, 8)
    implicit = Problem(_Implicit(problem.frame.dense()), problem.pooling)
    assert "vectors" in str(build(name).unsupported(implicit))


@BOTH
@pytest.mark.parametrize(
    ("parameter", "value"), [("max_iters", 0), ("eps", 0.0), ("eps", -1.0), ("eps", np.inf)]
)
def test_wrong_parameters_are_refused(name: str, parameter: str, value: float) -> None:
    with pytest.raises(benchbase.SpecError, match=parameter):
        build(name, **{parameter: value})
