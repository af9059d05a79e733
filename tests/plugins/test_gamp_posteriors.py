"""The posteriors of gamp against rejection sampling, and the solver on problems of all poolings."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import benchbase
from benchbase import Array, DenseFrame, Problem, squared_cosine
from benchbase_gamp.outputs import Output

KINDS = [
    *((p, False, size) for p in (2.0, np.inf) for size in (1, 2, 3)),
    (1.0, False, 2),
    (1.0, True, 2),
    *((2.0, True, size) for size in (1, 2)),
    *((np.inf, True, size) for size in (1, 2, 3)),
    (None, False, 2),
]


def sampled(output: Output, p: Array, v: float, b: float) -> tuple[Array, Array, Array]:
    """Return mean, its standard error, and variance of N(p, v I) near the value b."""
    rng = np.random.default_rng(3)
    u = p + np.sqrt(v) * rng.standard_normal((500_000, len(p)))
    value = output.value(u[:, :, None])[:, 0]
    kept = u[value == 0 if b == 0 else np.abs(value - b) < 0.04]
    assert len(kept) > 2000
    variance = kept.var(axis=0)
    return kept.mean(axis=0), np.sqrt(variance / len(kept)), variance


@pytest.mark.parametrize(("p", "rectified", "size"), KINDS)
@pytest.mark.parametrize(("b", "v"), [(0.8, 0.5), (1.3, 0.2), (0.0, 0.7)])
def test_means_and_variances_are_those_of_samples(
    p: float | None, rectified: bool, size: int, b: float, v: float
) -> None:
    if b == 0 and not rectified:
        pytest.skip("the value zero has the probability zero")
    output = Output(p, rectified, size)
    before = np.array([0.7, -0.4, 0.3])[:size]
    mean, variance = output(before[None, :, None], np.full((1, 1), v), np.full((1, 1), b))
    wanted, error, spread = sampled(output, before, v, b)
    assert_allclose(mean[0, :, 0], wanted, atol=6 * error.max() + 0.003)
    assert_allclose(variance[0, 0], spread.mean(), rtol=0.08, atol=0.003)


def problem_of(n_pools: int, n: int, pool_size: int = 2, **pooling: Any) -> Problem:
    spec = {"name": "gaussian", "n_pools": n_pools, "pool_size": pool_size}
    frame = benchbase.build("frame", spec).build(n, None, np.random.default_rng([n_pools, n]))
    return Problem(frame, benchbase.build("pooling", {"name": "lp"} | pooling))


def build(**parameters: Any) -> Any:
    starts = [{"name": "spectral"}, {"name": "linear"}]
    init = {"name": "fallback", "solvers": starts}
    return benchbase.build("solver", {"name": "gamp", "init": init} | parameters)


@pytest.mark.parametrize(
    ("pooling", "n_pools"),
    [
        ({"p": 1}, 160),
        ({"p": 2}, 150),
        ({"p": "inf"}, 160),
        ({"p": 1, "rectified": True}, 190),
        ({"p": 2, "rectified": True}, 190),
        ({"p": "inf", "rectified": True}, 190),
    ],
)
def test_it_recovers_in_a_hundred_dimensions(pooling: dict[str, Any], n_pools: int) -> None:
    problem = problem_of(n_pools, 100, **pooling)
    truth = np.random.default_rng(0).standard_normal((20, 100))
    x = benchbase.solve(build(), problem, problem.measure(truth)).x
    recovered = squared_cosine(x, truth, problem.ambiguity) > 0.999
    assert recovered.mean() >= 0.9


def test_sums_are_maxima_of_the_turned_frame() -> None:
    problem = problem_of(40, 20)
    turned = problem.frame.dense() @ np.eye(20)
    turned = np.stack((turned[:, 0] + turned[:, 1], turned[:, 0] - turned[:, 1]), axis=1)
    sums = replace(problem, pooling=benchbase.build("pooling", {"name": "lp", "p": 1}))
    maxima = Problem(DenseFrame(turned), benchbase.build("pooling", {"name": "lp", "p": "inf"}))
    truth = np.random.default_rng(0).standard_normal((4, 20))
    b = sums.measure(truth)
    assert_allclose(maxima.measure(truth), b)
    solver = benchbase.build("solver", {"name": "gamp", "n_iter": 5})  # from one random start
    one, other = (benchbase.solve(solver, each, b).x for each in (sums, maxima))
    assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_units_do_not_matter(scale: float) -> None:
    for pooling in ({"p": 2}, {"p": "inf", "rectified": True}):
        problem = problem_of(30, 12, **pooling)
        b = problem.measure(np.random.default_rng(0).standard_normal((4, 12)))
        x = benchbase.solve(build(n_iter=20), problem, b).x
        other = benchbase.solve(build(n_iter=20), problem, scale * b).x / scale
        assert_allclose(other, x, rtol=1e-5, atol=1e-7)


def test_the_limit_is_kept_and_degenerate_input_taken() -> None:
    problem = problem_of(30, 12)
    b = problem.measure(np.random.default_rng(0).standard_normal((4, 12)))
    found = benchbase.solve(build(n_iter=3), problem, b)
    assert found.n_iter is not None
    assert (found.n_iter <= 3).all()
    assert found.converged is not None
    assert not found.converged.any()
    for few in (problem, problem_of(5, 12), problem_of(3, 1, pool_size=1)):
        k = few.frame.n_pools
        for values in (np.zeros((2, k)), np.ones((2, k)), np.empty((0, k))):
            x = benchbase.solve(build(), few, values).x
            assert x.shape == (len(values), few.frame.n)
            assert np.isfinite(x).all()


def test_what_does_not_apply_is_said() -> None:
    solver = benchbase.build("solver", {"name": "gamp"})
    wide = problem_of(30, 12, pool_size=3, p=1)
    assert "at most two" in str(solver.unsupported(wide))
    is_complex = Problem(DenseFrame(wide.frame.dense() * 1j), wide.pooling)
    assert "complex" in str(solver.unsupported(is_complex))
    with pytest.raises(benchbase.SpecError, match="damping: must be above 0"):
        build(damping=0.0)
