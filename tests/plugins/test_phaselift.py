"""PhaseLift: what it recovers, where it applies, and what it says of itself."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem, Solver, relative_error, squared_cosine
from benchbase_sdp.phaselift import PhaseLift
from tests.plugins.problems import Implicit, flags

METHODS = ["interior-point", "scs", "admm", "cvxpy"]
ALL = pytest.mark.parametrize("method", METHODS)


def build(**parameters: Any) -> Solver:
    solver: Solver = benchbase.build("solver", {"name": "phaselift", **parameters})
    return solver


def pooling(**spec: Any) -> benchbase.Pooling:
    made: benchbase.Pooling = benchbase.build("pooling", {"name": "lp", "p": 2.0} | spec)
    return made


def pose(n: int, n_pools: int, pool_size: int = 2, *, seed: int = 0, **spec: Any) -> Problem:
    vectors = np.random.default_rng(seed).standard_normal((n_pools, pool_size, n))
    return Problem(DenseFrame(vectors), pooling(**spec))


def signals(n: int, size: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal((size, n))


@ALL
@pytest.mark.parametrize("pool_size", [1, 2, 3])
def test_signals_with_many_measurements_come_back(method: str, pool_size: int) -> None:
    problem = pose(7, 30, pool_size)
    x = signals(7, 3)
    recovery = benchbase.solve(build(method=method), problem, problem.measure(x))
    assert (relative_error(recovery.x, x) < 1e-3).all()
    assert (squared_cosine(recovery.x, x) > 1 - 1e-7).all()
    assert flags(recovery) == [True] * 3
    assert recovery.message.partition(";")[0] == "optimal"
    assert recovery.n_iter is not None
    assert (recovery.n_iter > 0).all()


@pytest.mark.parametrize("p", [1.0, np.inf])
@pytest.mark.parametrize("pool_size", [2, 3])
def test_sums_and_maxima_give_good_starts(p: float, pool_size: int) -> None:
    problem = pose(8, 40, pool_size, p=p)
    x = signals(8, 4)
    b = problem.measure(x)
    recovery = benchbase.solve(build(), problem, b)
    assert flags(recovery) == [True] * 4
    assert (squared_cosine(recovery.x, x) > 0.8).all()
    polished = {"name": "altmin", "init": {"name": "phaselift"}}
    found = benchbase.solve(benchbase.build("solver", polished), problem, b)
    assert (relative_error(found.x, x) < 1e-6).all()


def test_one_norm_of_pairs_is_the_maximum_of_their_sum_and_difference() -> None:
    vectors = pose(6, 14).frame.dense()
    turned = np.stack([vectors[:, 0] + vectors[:, 1], vectors[:, 0] - vectors[:, 1]], axis=1)
    one, other = (
        Problem(DenseFrame(vectors), pooling(p=1)),
        Problem(DenseFrame(turned), pooling(p=np.inf)),
    )
    x = signals(6, 3)
    assert_allclose(one.measure(x), other.measure(x))
    found, same = (benchbase.solve(build(), each, one.measure(x)).x for each in (one, other))
    assert (relative_error(found, same) < 1e-5).all()


@pytest.mark.parametrize("pool_size", [1, 2])
@ALL
def test_half_rectified_maxima_give_the_sign_too(method: str, pool_size: int) -> None:
    problem = pose(5, 24, pool_size, p=np.inf, rectified=True)
    x = signals(5, 2)
    recovery = benchbase.solve(build(method=method), problem, problem.measure(x))
    assert (relative_error(recovery.x, x, "none") < 1e-2).all()


def test_more_programs_single_out_the_signal() -> None:
    problem = pose(20, 30, p=np.inf)
    x = signals(20, 10)
    b = problem.measure(x)
    once = benchbase.solve(build(), problem, b)
    again = benchbase.solve(build(reweights=3), problem, b)
    assert flags(again) == [True] * 10
    better = squared_cosine(again.x, x) - squared_cosine(once.x, x)
    assert better.mean() > 3 * better.std(ddof=1) / np.sqrt(10)
    assert once.n_iter is not None
    assert again.n_iter is not None
    assert (again.n_iter > 2 * once.n_iter).all()


@pytest.mark.parametrize("parameters", [{}, {"reweights": 2}, {"real": False}])
def test_a_recovered_signal_stays_whatever_else_is_asked(parameters: dict[str, Any]) -> None:
    problem = pose(6, 40)
    x = signals(6, 2)
    recovery = benchbase.solve(build(**parameters), problem, problem.measure(x))
    assert (relative_error(recovery.x, x) < 1e-5).all()


def test_the_sparsity_term_finds_sparse_signals_from_fewer_pools() -> None:
    problem = pose(16, 12, pool_size=1)
    x = np.zeros((3, 16))
    x[np.arange(3), np.arange(3)], x[np.arange(3), np.arange(3) + 5] = 1.0, -1.5
    b = problem.measure(x)
    plain, sparse = (
        squared_cosine(
            benchbase.solve(build(method="admm", max_iters=2000, sparsity=s), problem, b).x, x
        )
        for s in (0.0, 0.5)
    )
    assert sparse.mean() > plain.mean() + 0.2


def test_complex_matrices_are_a_weaker_relaxation() -> None:
    problem = pose(20, 44)
    x = signals(20, 8)
    b = problem.measure(x)
    real = squared_cosine(benchbase.solve(build(), problem, b).x, x)
    hermitian = squared_cosine(benchbase.solve(build(real=False), problem, b).x, x)
    assert real.mean() > hermitian.mean() + 0.1


@pytest.mark.parametrize("real", [True, False])
def test_frames_may_be_complex(real: bool) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((60, 1, 6)) + 1j * rng.standard_normal((60, 1, 6))
    problem = Problem(DenseFrame(vectors), pooling())
    pairs = Problem(DenseFrame(np.concatenate([vectors.real, vectors.imag], axis=1)), pooling())
    x = signals(6, 2)
    found = benchbase.solve(build(real=real), problem, problem.measure(x))
    same = benchbase.solve(build(real=real), pairs, pairs.measure(x))
    assert (relative_error(found.x, x) < 1e-4).all()
    assert (relative_error(found.x, same.x) < 1e-4).all()


@ALL
@pytest.mark.parametrize(
    ("b_unit", "frame_unit"), [(1000.0, 1.0), (1e-200, 1.0), (1e200, 1.0), (1.0, 1e4)]
)
def test_units_do_not_matter(method: str, b_unit: float, frame_unit: float) -> None:
    problem = pose(6, 11)
    b = problem.measure(signals(6, 2))
    once = benchbase.solve(build(method=method), problem, b)
    scaled = Problem(DenseFrame(problem.frame.dense() * frame_unit), problem.pooling)
    again = benchbase.solve(build(method=method), scaled, b * b_unit)
    assert_allclose(again.x / b_unit * frame_unit, once.x, rtol=1e-3, atol=1e-3)
    assert flags(again) == flags(once) == [True, True]


@ALL
def test_a_batch_is_a_loop_and_runs_repeat(method: str) -> None:
    problem = pose(6, 14)
    b = problem.measure(signals(6, 3))
    solver = build(method=method)
    batch = benchbase.solve(solver, problem, b)
    assert_array_equal(batch.x, benchbase.solve(solver, problem, b).x)
    for row, x in zip(b, batch.x, strict=True):
        alone = benchbase.solve(solver, problem, row).x
        assert_allclose(alone, x, rtol=0, atol=1e-9 * (method == "admm"))


@ALL
def test_zero_measurements_give_the_zero_signal(method: str) -> None:
    problem = pose(5, 20)
    x = signals(5, 3)
    x[1] = 0
    recovery = benchbase.solve(build(method=method), problem, problem.measure(x))
    assert_array_equal(recovery.x[1], np.zeros(5))
    assert (relative_error(recovery.x, x) < 1e-3).all()
    assert flags(recovery) == [True] * 3
    assert recovery.message.partition(";")[0] == "optimal, zero measurements"


@pytest.mark.parametrize("spec", [{}, {"p": 1}, {"p": np.inf}])
def test_some_pools_may_be_zero(spec: dict[str, Any]) -> None:
    x = signals(5, 1)
    vectors = pose(5, 30).frame.dense().copy()
    vectors[3:6] -= (vectors[3:6] @ x[0])[..., None] * x[0] / (x[0] @ x[0])
    problem = Problem(DenseFrame(vectors), pooling(**spec))
    b = np.where(problem.measure(x) > 1e-12, problem.measure(x), 0.0)
    assert np.sum(b == 0) == 3
    recovery = benchbase.solve(build(), problem, b)
    assert relative_error(recovery.x, x)[0] < (1e-3 if not spec else 0.3)


@ALL
def test_measurements_that_no_matrix_has(method: str) -> None:
    problem = pose(4, 30)
    x = signals(4, 2)
    b = problem.measure(x)
    b[0, 7] *= 1.5
    recovery = benchbase.solve(build(method=method, max_iters=3000), problem, b)
    assert flags(recovery) == [False, True]
    assert relative_error(recovery.x[1], x[1]) < 1e-3
    if method == "admm":  # it has no proof, and goes on to its limit
        assert recovery.message.partition(";")[0] == "iteration limit, optimal"
    else:
        assert np.isnan(recovery.x[0]).all()
        assert recovery.message.partition(";")[0] == "infeasible, optimal"


def test_the_message_says_how_far_from_optimal_the_worst_signal_is() -> None:
    problem = pose(6, 10)
    b = problem.measure(signals(6, 2))
    said = [benchbase.solve(build(max_iters=most), problem, b).message for most in (4, 100)]
    stopped, solved = (float(message.partition("; optimal to ")[2]) for message in said)
    assert solved <= 1e-7 < 1e-5 < stopped


@ALL
def test_an_iteration_cap_is_no_convergence(method: str) -> None:
    problem = pose(6, 10)
    solver = build(method=method, max_iters=3)
    recovery = benchbase.solve(solver, problem, problem.measure(signals(6, 2)))
    assert flags(recovery) == [False, False]
    assert np.isfinite(recovery.x).all()
    assert recovery.message.partition(";")[0] == "iteration limit"
    assert_array_equal(recovery.n_iter, [3, 3])


@pytest.mark.parametrize("method", ["interior-point", "scs", "cvxpy"])
def test_the_status_alone_is_no_convergence(method: str) -> None:
    problem = pose(6, 10)
    solver = build(method=method, eps=10.0)
    recovery = benchbase.solve(solver, problem, problem.measure(signals(6, 2)))
    assert recovery.message.partition(";")[0] == "optimal"
    assert flags(recovery) == [False, False]


def test_neither_is_a_status_needed_where_the_conditions_are_met() -> None:
    problem = pose(4, 16)
    solver = build(method="scs", eps=1e-30, max_iters=3000)
    recovery = benchbase.solve(solver, problem, problem.measure(signals(4, 1)))
    assert recovery.message.partition(";")[0] == "iteration limit"
    assert flags(recovery) == [True]


@pytest.mark.parametrize(
    ("parameters", "spec", "pool_size", "reason"),
    [
        ({}, {"rectified": True}, 2, "half rectification only with pools of one"),
        ({}, {"rectified": True, "p": 1}, 2, "half rectification only with pools of one"),
        ({}, {"rectified": True, "p": np.inf}, 3, "p = inf and pools of two"),
        *(
            ({}, {"rectified": True, "p": np.inf, "threshold": alpha}, 2, "without threshold")
            for alpha in (0.01, -0.5, 2.0, 1000.0, [0.0, 1.0] * 8)
        ),
        ({}, {"p": 1}, 12, "too many"),
        ({"sparsity": 1.0, "method": "admm"}, {"rectified": True, "p": np.inf}, 2, "sparsity"),
        ({}, {"name": "maxout"}, 2, "no p"),
        ({"real": False}, {"p": 1}, 2, "real = false needs p = 2"),
        ({"real": False}, {"rectified": True}, 1, "real = false needs p = 2"),
        ({"real": False}, {}, 3, "pools of one or two"),
    ],
)
def test_other_poolings_are_not_supported(
    parameters: dict[str, Any], spec: dict[str, Any], pool_size: int, reason: str
) -> None:
    spec = {"name": "lp", "p": 2.0} | spec
    if spec["name"] == "maxout":
        del spec["p"]
    problem = Problem(pose(4, 8, pool_size).frame, benchbase.build("pooling", spec))
    assert reason in str(build(**parameters).unsupported(problem))


def test_complex_frames_are_for_p_2() -> None:
    frame = DenseFrame(1j * pose(4, 8).frame.dense())
    assert build().unsupported(Problem(frame, pooling())) is None
    assert "complex" in str(build().unsupported(Problem(frame, pooling(p=1))))


def test_norms_of_one_complex_number_are_all_alike() -> None:
    rng = np.random.default_rng(3)
    frame = DenseFrame(rng.standard_normal((40, 1, 5)) + 1j * rng.standard_normal((40, 1, 5)))
    x = signals(5, 2)
    for p in (1, 2, np.inf):
        problem = Problem(frame, pooling(p=p))
        found = benchbase.solve(build(), problem, problem.measure(x))
        assert (relative_error(found.x, x) < 1e-4).all()


def test_a_frame_of_zeros_is_refused() -> None:
    problem = Problem(DenseFrame(np.zeros((3, 2, 4))), pooling())
    assert "not all zero" in str(build().unsupported(problem))


@ALL
def test_measurements_that_are_no_numbers_or_negative(method: str) -> None:
    problem = pose(4, 14)
    x = signals(4, 3)
    b = problem.measure(x)
    b[0, 2] = np.nan
    b[1] *= -1
    recovery = benchbase.solve(build(method=method, max_iters=2000), problem, b)
    assert np.isnan(recovery.x[0]).all()
    assert flags(recovery)[0] is False
    assert flags(recovery)[2] is True
    assert relative_error(recovery.x[2], x[2]) < 1e-2
    assert "not finite" in recovery.message


def test_the_splitting_stays_finite_where_nothing_is_feasible() -> None:
    problem = pose(6, 40, p=np.inf)
    solver = build(method="admm", max_iters=2000)
    recovery = benchbase.solve(solver, problem, np.eye(40)[:2])
    assert np.isfinite(recovery.x).all()
    assert flags(recovery) == [False, False]


@pytest.mark.parametrize(("p", "n_pools"), [(1, 60), (2, 100), (2, 300), (np.inf, 100)])
def test_many_more_pools_than_needed(p: float, n_pools: int) -> None:
    problem = pose(6, n_pools, p=p)
    recovery = benchbase.solve(build(), problem, problem.measure(signals(6, 3)))
    assert flags(recovery) == [True] * 3


def test_frames_without_vectors_are_not_supported() -> None:
    problem = pose(4, 8)
    implicit = Problem(Implicit(problem.frame.dense()), problem.pooling)
    assert "vectors" in str(build().unsupported(implicit))


@pytest.mark.parametrize(
    ("parameter", "spec"),
    [
        ("max_iters", {"max_iters": 0}),
        ("eps", {"eps": 0.0}),
        ("eps", {"eps": np.inf}),
        ("sparsity", {"sparsity": -1.0, "method": "admm"}),
        ("sparsity", {"sparsity": 1.0}),
        ("reweights", {"reweights": -1}),
        ("reweights", {"reweights": 1, "sparsity": 1.0, "method": "admm"}),
        ("method", {"method": "simplex"}),
    ],
)
def test_wrong_parameters_are_refused(parameter: str, spec: dict[str, Any]) -> None:
    with pytest.raises(benchbase.SpecError, match=parameter):
        build(**spec)


@ALL
def test_a_method_names_what_it_needs(method: str) -> None:
    solver = PhaseLift(method=method)  # type: ignore[arg-type] # parametrised
    needs = {"interior-point": set(), "scs": {"scs"}, "admm": set(), "cvxpy": {"cvxpy", "scs"}}
    assert needs[method] <= set(solver.requires)
    assert ("cvxpy" in solver.requires) == (method == "cvxpy")
    assert solver.chunk >= 1


def test_a_solution_of_zero_has_not_converged_and_is_told() -> None:
    """For pools (v, −v) the bounds of a rectified maximum allow a matrix that says nothing."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((24, 1, 6))
    pooling = benchbase.build("pooling", {"name": "lp", "p": np.inf, "rectified": True})
    problem = Problem(DenseFrame(np.concatenate([vectors, -vectors], axis=1)), pooling)
    b = problem.measure(rng.standard_normal((2, 6)))
    found = benchbase.solve(benchbase.build("solver", {"name": "phaselift"}), problem, b)
    assert found.converged is not None
    assert not found.converged.any()
    assert "2 estimates are zero, which says nothing" in found.message
