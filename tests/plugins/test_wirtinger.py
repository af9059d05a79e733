"""Wirtinger flow, amplitude flow, and their descendants."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame, Problem
from benchbase.conformance import check_solver
from benchbase_descent.wirtinger import STEPS, Variant, Wirtinger, forces
from tests.plugins.problems import make, signals, starting_at

NORMS = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
RECTIFIED = [norm | {"rectified": True} for norm in NORMS]
MAXOUT = {"name": "maxout"}
VARIANTS: tuple[Variant, ...] = get_args(Variant)
each_variant = pytest.mark.parametrize("variant", VARIANTS)


def papers(variant: str, a: Array, b: Array, z: Array, steps: int) -> Array:
    """The papers' iterations on one real signal, for vectors a (m, n) of mean square entry 1."""
    m = len(a)
    y = b**2
    size = np.mean(y)  # ‖x‖², as the papers take it from the measurements
    for t in range(1, steps + 1):
        u = a @ z
        if variant == "wf":
            z = z - min(1 - np.exp(-t / 330), 0.2) / size * (a.T @ ((u**2 - y) * u)) / m
        elif variant == "twf":
            norm = np.sqrt(np.mean(u**2))  # ‖z‖, as the measurements see it
            spread = np.mean(np.abs(y - u**2))
            first = (np.abs(u) >= 0.3 * norm) & (np.abs(u) <= 5 * norm)
            second = np.abs(y - u**2) <= 5 * spread * np.abs(u) / norm
            z = z - 0.2 * 2 * a.T @ np.where(first & second, (u**2 - y) / u, 0) / m
        elif variant == "reweighted_wf":
            weight = 1 / (np.abs(u**2 - y) + 0.03 * size)
            z = z - STEPS["reweighted_wf"] / size * a.T @ (weight * (u**2 - y) * u) / weight.sum()
        else:
            h = u - b * np.sign(u)
            if variant == "taf":
                h = h * (np.abs(u) >= b / (1 + 0.7))
            if variant == "raf":
                ratio = np.abs(u) / b
                h = h * ratio / (ratio + 10)
            z = z - {"rwf": 0.8, "af": 0.6, "taf": 0.6, "raf": 2.0}[variant] * a.T @ h / m
    return z


@each_variant
def test_with_pools_of_one_and_many_measurements_steps_are_the_papers(
    variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEPS, "reweighted_wf", 0.2)  # it has a step that is often cut
    problem = make(NORMS[1], 4, 4000, pool_size=1)
    a = problem.frame.dense()[:, 0]
    a = a / np.sqrt(np.mean(a**2))
    problem = Problem(DenseFrame(a[:, None, :]), problem.pooling)
    x, b = signals(problem, 3)
    start = x + 0.3 * np.random.default_rng(6).standard_normal(x.shape)
    solver = Wirtinger(variant=variant, n_iter=25, tol=0.0, init=starting_at(start))
    found = benchbase.solve(solver, problem, b).x
    for z, row, each in zip(start, b, found, strict=True):
        assert_allclose(each, papers(variant, a, row, z, 25), atol=1e-10)


@each_variant
def test_few_measurements_shorten_the_step(variant: Variant) -> None:
    """With the step of the papers "rwf" and "twf" never come to rest here."""
    problem = make(NORMS[1], 20, 32)
    x, b = signals(problem, 30)
    start = x + 0.1 * np.random.default_rng(6).standard_normal(x.shape)
    found = benchbase.solve(Wirtinger(variant=variant, init=starting_at(start)), problem, b)
    assert found.converged is not None
    error = benchbase.relative_error(found.x, x)
    assert np.mean(error < 1e-3) >= 0.9
    assert found.converged.mean() >= 0.5


LOSSES = {
    "wf": lambda v, b: (v**2 - b**2) ** 2 / 4,
    "twf": lambda v, b: v**2 - 2 * b**2 * np.log(v),
    "rwf": lambda v, b: (v - b) ** 2 / 2,
    "reweighted_wf": lambda v, b: (v**2 - b**2) ** 2 / 4,
    "af": lambda v, b: (v - b) ** 2 / 2,
    "taf": lambda v, b: (v - b) ** 2 / 2,
    "raf": lambda v, b: (v - b) ** 2 / 2,
}


@each_variant
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_forces_are_the_derivatives_of_weighted_losses(variant: Variant, seed: int) -> None:
    v, b = np.random.default_rng(seed).uniform(0.05, 3, (2, 4, 9))
    force, stiffness = forces(variant, v, b)
    plain = (LOSSES[variant](v + 1e-6, b) - LOSSES[variant](v - 1e-6, b)) / 2e-6
    weight = np.divide(force, plain, out=np.zeros_like(b), where=np.abs(plain) > 1e-3)
    assert (weight >= 0).all()
    curvature = (
        LOSSES[variant](v + 1e-4, b) - 2 * LOSSES[variant](v, b) + LOSSES[variant](v - 1e-4, b)
    )
    floor = weight * curvature / 1e-8
    assert (stiffness >= floor * (1 - 1e-3) - 1e-3).all()
    ratio = v / b
    if variant in ("taf", "raf"):
        expected = ratio >= 1 / 1.7 if variant == "taf" else ratio / (ratio + 10)
        assert_allclose(weight[np.abs(plain) > 1e-3], expected[np.abs(plain) > 1e-3], rtol=1e-4)
    elif variant == "reweighted_wf":
        inverse = np.abs(v**2 - b**2) + 0.03
        scaled = (weight * inverse)[np.abs(plain) > 1e-2]
        spread = [np.ptp((weight * inverse)[i][np.abs(plain[i]) > 1e-2]) for i in range(4)]
        assert_allclose(spread, 0, atol=1e-3 * scaled.max())
    elif variant != "twf":
        assert_allclose(weight[np.abs(plain) > 1e-3], 1, rtol=1e-4)


@each_variant
def test_forces_at_zero_are_finite(variant: Variant) -> None:
    v, b = (each.reshape(1, 4) for each in np.array([[0.0, 0.0, 1.0, 2.0], [0.0, 1.0, 0.0, 2.0]]))
    for each in forces(variant, v, b):
        assert np.isfinite(each).all()
    force, _ = forces(variant, v, b)
    assert force[0, 0] == force[0, 3] == 0
    assert force[0, 2] > 0


@pytest.mark.parametrize(
    ("pooling", "n_pools"),
    [(NORMS[0], 44), (NORMS[1], 36), (NORMS[2], 44), (RECTIFIED[1], 40), (RECTIFIED[2], 52)],
    ids=str,
)
def test_most_signals_come_back_from_good_starts(pooling: dict[str, Any], n_pools: int) -> None:
    problem = make(pooling, 16, n_pools)
    x, b = signals(problem, 40)
    init = {"name": "spectral" if problem.pooling.even else "linear"}
    for variant in VARIANTS:
        solver = benchbase.build(
            "solver", {"name": "wirtinger", "variant": variant, "init": init, "n_iter": 400}
        )
        found = benchbase.solve(solver, problem, b).x
        back = benchbase.squared_cosine(found, x, problem.ambiguity) > 0.999
        assert back.mean() >= 0.6


@pytest.mark.parametrize("variant", ["rwf", "taf", "raf"])
def test_p_1_and_p_inf_are_one_on_turned_pairs(variant: Variant) -> None:
    one = make(NORMS[0], 8, 14)
    first, second = one.frame.dense()[:, 0], one.frame.dense()[:, 1]
    turned = DenseFrame(np.stack([first + second, first - second], axis=1))
    largest = Problem(turned, benchbase.build("pooling", NORMS[2]))
    _, b = signals(one, 10)
    solver = Wirtinger(variant=variant, n_iter=40)
    here, there = (benchbase.solve(solver, problem, b).x for problem in (one, largest))
    assert_allclose(here, there, atol=1e-8)


def test_reshaped_flow_and_amplitude_flow_differ_by_their_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = make(NORMS[1], 8, 100)
    _, b = signals(problem, 5)
    first, second = (
        benchbase.solve(Wirtinger(variant=each, n_iter=9), problem, b).x for each in ("rwf", "af")
    )
    assert (first != second).any(axis=1).all()
    monkeypatch.setitem(STEPS, "af", STEPS["rwf"])
    again = benchbase.solve(Wirtinger(variant="af", n_iter=9), problem, b).x
    assert_array_equal(again, first)


@each_variant
def test_measurements_that_may_be_negative(variant: Variant) -> None:
    problem = make(MAXOUT, 8, 60)
    solver = Wirtinger(variant=variant)
    if variant not in ("rwf", "af"):
        assert variant in str(solver.unsupported(problem))
        return
    x, b = signals(problem, 20)
    assert (b < 0).any()
    found = benchbase.solve(solver, problem, b).x
    assert np.mean(benchbase.relative_error(found, x, "none") < 1e-6) >= 0.9


def test_the_truncated_flow_leaves_out_what_may_point_the_wrong_way() -> None:
    """A pool whose value is far below its measurement has no say."""
    frame = DenseFrame(np.eye(2)[:, None, :])
    problem = Problem(frame, benchbase.build("pooling", NORMS[1]))
    start = np.array([[1.0, 0.1]])
    b = np.array([[2.0, 2.0]])  # 0.5 and 0.05 of it
    for far, moves in (([1.5, 0.1], [True, False]), ([1.0, 0.1], [False, False])):
        start = np.array([far])
        solver = Wirtinger(variant="taf", n_iter=1, init=starting_at(start))
        assert_array_equal(benchbase.solve(solver, problem, b).x[0] != start[0], moves)
    everything = Wirtinger(variant="af", n_iter=1, init=starting_at(start))
    assert (benchbase.solve(everything, problem, b).x != start).all()


@each_variant
def test_it_keeps_the_rules_of_solvers(variant: Variant) -> None:
    check_solver(Wirtinger(variant=variant))
    check_solver(Wirtinger(variant=variant), make(RECTIFIED[1], 5, 40))
