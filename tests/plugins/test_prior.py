from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize

import benchbase
from benchbase import Array, DenseFrame, Problem, squared_cosine
from benchbase.conformance import check_solver
from benchbase.numerics.streams import Snapshot
from benchbase_knn.local_prior import nearest_signals
from benchbase_knn.prior import Prior, moments

RRR = {"name": "rrr", "n_iter": 200}
ALTMIN = {"name": "altmin", "n_iter": 200}


def frame_of(n_pools: int, n: int, seed: int = 0) -> DenseFrame:
    return DenseFrame(np.random.default_rng(seed).standard_normal((n_pools, 2, n)))


def low_rank(size: int, n: int, rank: int, seed: int = 0) -> Array:
    rng = np.random.default_rng([seed, n, rank])
    basis = np.linalg.qr(np.random.default_rng(n).standard_normal((n, rank)))[0]
    signals: Array = (rng.standard_normal((size, rank)) @ basis.T).astype(np.float32)
    return signals


def problem_of(
    n_pools: int, n: int, training: Array | None, seed: int = 0, **pooling: Any
) -> Problem:
    built = benchbase.build("pooling", {"name": "lp"} | pooling)
    return Problem(frame_of(n_pools, n, seed), built, training)


def build(name: str, inner: dict[str, Any] = RRR, **parameters: Any) -> Any:
    return benchbase.build("solver", {"name": name, "solver": inner} | parameters)


@given(seed=st.integers(0, 2**31), n=st.integers(1, 5), weight=st.floats(1e-3, 10))
def test_least_squares_minimise_what_they_say(seed: int, n: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    frame = frame_of(4, n, seed % 1000)
    root = rng.standard_normal((n, n))
    covariance, mean = root @ root.T + 0.1 * np.eye(n), rng.standard_normal(n)
    c = rng.standard_normal((2, 4))
    found = Prior(frame, mean, covariance).frame(weight).least_squares(c)
    vectors = frame.dense().reshape(-1, n)
    s = weight * np.sum(vectors**2) * np.trace(covariance) / n**2
    precision = np.linalg.inv(covariance)

    def objective(x: Array) -> float:
        gap = frame.analyse(x) - c
        return float(np.sum(gap**2) + s * (x - mean) @ precision @ (x - mean))

    best = minimize(objective, np.zeros(n), method="BFGS", options={"gtol": 1e-9})
    assert objective(found) <= best.fun * (1 + 1e-6) + 1e-9
    assert_allclose(found, best.x, atol=1e-3 * (1 + np.abs(best.x).max()))


def test_without_weight_they_are_those_of_the_frame() -> None:
    frame, rng = frame_of(9, 4), np.random.default_rng(1)
    prior = Prior(frame, rng.standard_normal(4), np.diag([1.0, 2, 3, 4]))
    c = rng.standard_normal((3, 2, 9))
    assert_allclose(prior.frame(0).least_squares(c), frame.least_squares(c), atol=1e-10)
    assert_array_equal(prior.frame(0).dense(), frame.dense())
    assert_array_equal(prior.frame(0).adjoint(c), frame.adjoint(c))


def test_a_heavy_prior_gives_its_mean_and_a_singular_one_its_range() -> None:
    frame, rng = frame_of(9, 4), np.random.default_rng(1)
    mean, c = rng.standard_normal(4), rng.standard_normal((2, 9))
    heavy = Prior(frame, mean, np.eye(4)).frame(1e12)
    assert_allclose(heavy.least_squares(c), mean, atol=1e-6)
    flat = Prior(frame, mean, np.diag([1.0, 1, 0, 0])).frame(0.1).least_squares(c)
    assert_allclose(flat[2:], mean[2:])
    assert_array_equal(Prior(frame, mean, np.zeros((4, 4))).frame(0.1).least_squares(c), mean)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_units_do_not_matter(scale: float) -> None:
    training = (low_rank(400, 8, 3) + 1).astype(np.float64)
    problem = problem_of(12, 8, training)
    b = problem.measure(training[:3])
    for name in ("gaussian_prior", "local_prior"):
        extra = {} if name == "gaussian_prior" else {"q": 40}
        solver = build(name, ALTMIN, **extra)
        x = benchbase.solve(solver, problem, b).x
        other = benchbase.solve(solver, replace(problem, training=scale * training), scale * b).x
        assert_allclose(other / scale, x, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("rectified", [False, True])
def test_priors_recover_from_fewer_pools_than_dimensions(rectified: bool) -> None:
    """Signals of a subspace of 4 dimensions in 20, from 14 pools, which alone do not suffice."""
    training, truth = low_rank(1000, 20, 4), low_rank(5, 20, 4, seed=1).astype(np.float64)
    problem = problem_of(14, 20, training, rectified=rectified)
    b = problem.measure(truth)
    for name in ("gaussian_prior", "local_prior"):
        x = benchbase.solve(build(name, RRR | {"n_iter": 250}), problem, b).x
        score = squared_cosine(x, truth, problem.ambiguity)
        assert np.median(score) > 0.999
    alone = benchbase.solve(benchbase.build("solver", RRR), problem, b).x
    assert np.median(squared_cosine(alone, truth, problem.ambiguity)) < 0.9


def test_local_priors_know_where_signals_lie() -> None:
    """On a circle in 30 dimensions, whose covariance alone says little."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((30, 10)))[0]

    def circle(size: int) -> Array:
        angle = rng.uniform(0, 2 * np.pi, (size, 1)) * np.arange(1, 6)
        signals: Array = np.concatenate([np.cos(angle), np.sin(angle)], axis=1) @ basis.T
        return signals

    training, truth = circle(20_000).astype(np.float32), circle(20)
    problem = problem_of(8, 30, training)
    b = problem.measure(truth)
    scores = {
        name: squared_cosine(benchbase.solve(build(name, RRR), problem, b).x, truth).mean()
        for name in ("gaussian_prior", "local_prior")
    }
    assert scores["local_prior"] > 0.98
    assert scores["local_prior"] > scores["gaussian_prior"] + 0.05


def test_a_signal_is_recovered_as_in_a_batch_and_recorded() -> None:
    training, truth = low_rank(500, 10, 3), low_rank(5, 10, 3, seed=1).astype(np.float64)
    problem = problem_of(12, 10, training)
    b = problem.measure(truth)
    trace: list[Snapshot] = []
    solver = build("local_prior", ALTMIN, q=50, refresh=1)
    found = benchbase.solve(solver, problem, b, trace=trace)
    own = [shot for shot in trace if shot.phase == ()]
    assert {len(shot.x) for shot in own} == {5}
    assert_array_equal(own[-1].x, found.x)
    alone = benchbase.solve(solver, problem, b[:1])
    assert_allclose(alone.x[0], found.x[0], atol=1e-8)
    assert found.n_iter is not None
    assert (found.n_iter > 0).all()


@given(seed=st.integers(0, 2**31), even=st.booleans(), q=st.integers(1, 30))
def test_nearest_signals_are_the_nearest(seed: int, even: bool, q: int) -> None:
    rng = np.random.default_rng(seed)
    training, x = rng.standard_normal((30, 3)).astype(np.float32), rng.standard_normal((4, 3))
    found = nearest_signals(training, x, q, even=even)
    square = np.sum((training[None] - x[:, None]) ** 2, axis=2)
    if even:
        square = np.minimum(square, np.sum((training[None] + x[:, None]) ** 2, axis=2))
    wanted = np.sort(square, axis=1)[:, :q]
    assert_allclose(np.sort(np.take_along_axis(square, found, axis=1), axis=1), wanted)
    assert all(len(set(row)) == q for row in found)


def test_nearest_signals_in_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    training, x = rng.standard_normal((97, 3)), rng.standard_normal((4, 3))
    whole = nearest_signals(training, x, 7, even=True)
    monkeypatch.setattr("benchbase_knn.index.ENTRIES", 40)
    parts = nearest_signals(training, x, 7, even=True)
    assert_array_equal(np.sort(parts, axis=1), np.sort(whole, axis=1))


def test_moments_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    training = np.random.default_rng(0).standard_normal((97, 3)).astype(np.float32) + 2
    monkeypatch.setattr("benchbase_knn.index.ENTRIES", 40)
    mean, second = moments(training)
    assert_allclose(mean, training.mean(axis=0), rtol=1e-5)
    assert_allclose(second, training.T @ training / 97, rtol=1e-5)


@pytest.mark.parametrize("name", ["gaussian_prior", "local_prior"])
@pytest.mark.parametrize("pooling", [{"p": 2}, {"p": "inf", "rectified": True}])
def test_priors_conform(name: str, pooling: dict[str, Any]) -> None:
    training = np.random.default_rng(1).standard_normal((100, 5)).astype(np.float32)
    problem = problem_of(30, 5, training, **pooling)
    check_solver(build(name, ALTMIN, **({"q": 20} if name == "local_prior" else {})), problem)


@pytest.mark.parametrize("name", ["gaussian_prior", "local_prior"])
def test_degenerate_input(name: str) -> None:
    same = np.ones((400, 6), dtype=np.float32)
    for training in (np.zeros((400, 6), np.float32), same, low_rank(400, 6, 1)):
        problem = problem_of(5, 6, training)
        b = np.concatenate([problem.measure(np.ones((1, 6))), np.zeros((1, 5))])
        x = benchbase.solve(build(name, ALTMIN), problem, b).x
        assert np.isfinite(x).all()
    assert benchbase.solve(build(name, ALTMIN), problem, b[:0]).x.shape == (0, 6)


@pytest.mark.parametrize(
    ("name", "parameters", "told"),
    [
        ("gaussian_prior", {"solver": {"name": "knn"}}, "solver: must take a start as init"),
        ("gaussian_prior", {"weights": []}, "weights: must be one or more"),
        ("gaussian_prior", {"weights": [0.1, -1]}, "weights: must be one or more"),
        ("gaussian_prior", {"weights": ["inf"]}, "weights: must be one or more"),
        ("gaussian_prior", {"tol": -1}, "tol: must be"),
        ("local_prior", {"q": 1}, "q: must be at least 2"),
        ("local_prior", {"shrinkage": 1.5}, "shrinkage: must be between 0 and 1"),
        ("local_prior", {"refresh": -1}, "refresh: must be at least 0"),
    ],
)
def test_bad_parameters_are_refused(name: str, parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(benchbase.SpecError, match=told):
        benchbase.build("solver", {"name": name, "solver": RRR} | parameters)


@pytest.mark.parametrize("name", ["gaussian_prior", "local_prior"])
def test_what_does_not_apply_is_said(name: str) -> None:
    solver, problem = build(name), problem_of(9, 4, low_rank(400, 4, 2))
    assert solver.unsupported(problem) is None
    assert solver.unsupported(replace(problem, training=None)) == "needs training signals"
    is_complex = DenseFrame(problem.frame.dense() * 1j)
    assert "complex" in solver.unsupported(replace(problem, frame=is_complex))
    few = replace(problem, training=low_rank(10, 4, 2))
    told = solver.unsupported(few)
    assert told is None if name == "gaussian_prior" else "q = 300" in told
