from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem, squared_cosine
from benchbase.conformance import check_solver

PRIOR = {"name": "local_prior", "q": 40, "solver": {"name": "rrr", "n_iter": 100}}


def problem_of(n_pools: int, n: int, training: Array | None = None, **pooling: Any) -> Problem:
    design = benchbase.build("frame", {"name": "gaussian", "n_pools": n_pools, "pool_size": 2})
    built = benchbase.build("pooling", {"name": "lp"} | pooling)
    frame = design.build(n, None, np.random.default_rng([n_pools, n]))
    return Problem(frame, built, training)


def build(name: str = "best", **parameters: Any) -> Any:
    return benchbase.build("solver", {"name": name} | parameters)


def low_rank(size: int, n: int, seed: int = 0) -> Array:
    basis = np.linalg.qr(np.random.default_rng(n).standard_normal((n, 4)))[0]
    signals = np.random.default_rng([seed, 9]).standard_normal((size, 4)) @ basis.T
    found: Array = signals.astype(np.float32)
    return found


@pytest.mark.parametrize(
    ("pooling", "n_pools"),
    [
        ({"p": 1}, 27),
        ({"p": 2}, 25),
        ({"p": "inf"}, 27),
        ({"p": 1, "rectified": True}, 36),
        ({"p": 2, "rectified": True}, 36),
        ({"p": "inf", "rectified": True}, 36),
    ],
)
def test_few_pools_are_enough(pooling: dict[str, Any], n_pools: int) -> None:
    """K = 1.25 n to 1.35 n of n = 20, and 1.8 n half rectified, where a quarter of them is zero."""
    problem = problem_of(n_pools, 20, **pooling)
    truth = np.random.default_rng(0).standard_normal((12, 20))
    b = problem.measure(truth)
    found = benchbase.solve(build(), problem, b)
    recovered = squared_cosine(found.x, truth, problem.ambiguity) > 0.999
    determined = np.count_nonzero(b, axis=1) > 20
    assert recovered[determined].mean() > 0.9
    assert found.converged is not None
    assert found.converged[recovered].all()


def test_in_many_dimensions_messages_are_passed() -> None:
    truth = np.random.default_rng(0).standard_normal((8, 100))
    for pooling in ({"p": 2}, {"p": "inf", "rectified": True}):
        problem = problem_of(130 if "rectified" not in pooling else 165, 100, **pooling)
        found = benchbase.solve(build(), problem, problem.measure(truth))
        assert np.median(squared_cosine(found.x, truth, problem.ambiguity)) > 0.999


def test_the_choice_is_by_pooling_and_dimension() -> None:
    best = build(many=30)
    assert best.chosen(problem_of(40, 29)) == best.few
    assert best.chosen(problem_of(40, 30)) == best.even
    assert best.chosen(problem_of(40, 30, rectified=True)) == best.signed
    noise = replace(problem_of(40, 29), noise=None)
    assert best.chosen(noise) == best.noisy
    assert best.chosen(replace(noise, frame=problem_of(40, 30).frame)) == best.even
    maxout = replace(problem_of(40, 30), pooling=benchbase.build("pooling", {"name": "maxout"}))
    assert best.unsupported(maxout) is None
    is_complex = DenseFrame(problem_of(40, 30).frame.dense() * 1j)
    assert best.unsupported(replace(problem_of(40, 30), frame=is_complex)) is not None


def test_it_conforms() -> None:
    check_solver(build())
    training = np.random.default_rng(1).standard_normal((100, 5)).astype(np.float32)
    for pooling in ({}, {"p": "inf", "rectified": True}):
        problem = problem_of(30, 5, training, **pooling)
        check_solver(build("best_with_data", prior=PRIOR), problem)


def test_with_fewer_pools_than_dimensions_the_prior_has_the_last_word() -> None:
    training, truth = low_rank(500, 20), low_rank(6, 20, seed=1).astype(np.float64)
    problem = problem_of(15, 20, training)
    b = problem.measure(truth)
    solver = build("best_with_data", prior=PRIOR)
    inner = solver.prior
    x = benchbase.solve(solver, problem, b).x
    score = squared_cosine(x, truth)
    assert np.median(score) > 0.99
    assert benchbase.solve(inner, problem, b).x.shape == x.shape
    searched = benchbase.solve(build(), problem, b).x
    assert np.median(squared_cosine(searched, truth)) < 0.9  # other signals measure the same


def test_with_more_pools_it_is_exact() -> None:
    rng = np.random.default_rng(3)
    training = low_rank(500, 20)
    truth = low_rank(10, 20, seed=1) + 0.1 * rng.standard_normal((10, 20))  # off the subspace
    problem = problem_of(30, 20, training)
    b = problem.measure(truth)
    found = benchbase.solve(build("best_with_data", prior=PRIOR), problem, b)
    assert (squared_cosine(found.x, truth) > 1 - 1e-9).all()
    assert found.converged is not None
    assert found.converged.all()


def test_without_training_signals_it_says_so() -> None:
    assert build("best_with_data").unsupported(problem_of(30, 20)) == "needs training signals"
    nothing = benchbase.solve(
        build("best_with_data", prior=PRIOR), problem_of(9, 4, low_rank(50, 4)), np.zeros((2, 9))
    )
    assert np.isfinite(nothing.x).all()


@pytest.mark.parametrize(
    ("parameters", "told"),
    [({"polish": {"name": "knn"}}, "polish: must take a start"), ({"tol": -1}, "tol: must be")],
)
def test_bad_parameters_are_refused(parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(benchbase.SpecError, match=told):
        build("best_with_data", **parameters)


def test_the_composition_is_in_the_spec() -> None:
    spec = build("best_with_data").spec()
    assert spec["prior"]["name"] == "local_prior"
    assert spec["search"]["few"]["solver"]["init"]["name"] == "rrr"
    assert build("best_with_data") == benchbase.build("solver", spec)
    assert_array_equal(hash(build()), hash(build()))
