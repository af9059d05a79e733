"""The cost of solvers that take the frame's vectors, against formulas for their operations."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import DenseFrame, Problem
from benchbase.numerics.streams import CountingFrame, Ledger, SignalRun, solver_keys

N, L, K, S, T, STEPS = 6, 2, 15, 4, 50, 3
UNIT = 2 * K * L * N  # the operations of one application


def problem_of(**pooling: Any) -> Problem:
    rng = np.random.default_rng(0)
    training = rng.standard_normal((T, N)).astype(np.float32)
    frame = DenseFrame(rng.standard_normal((K, L, N)))
    return Problem(frame, benchbase.build("pooling", {"name": "lp"} | pooling), training, 1.0)


def cost(spec: dict[str, Any], problem: Problem) -> tuple[float, bool]:
    """Return the applications of a run of S signals, and whether vectors were taken uncounted."""
    ledger, solver = Ledger(), benchbase.build("solver", spec)
    counted = replace(problem, frame=CountingFrame(problem.frame, ledger))
    assert solver.unsupported(counted) is None
    inverse = solver.prepare(counted)
    ledger.clear()
    truth = np.random.default_rng(1).standard_normal((S, N))
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    run = SignalRun(solver_keys(0, 0, range(S)), ledger)
    with ledger.clock(()):
        inverse(problem.measure(truth), run)
    return sum(ledger.applications.values()), ledger.dense


ITERATED = {"n_iter": STEPS, "tol": 0.0}
EVEN: dict[str, Any] = {"p": 2}
# What the loop adds: the start, and one look before, and one after, the steps.
COSTS: list[tuple[dict[str, Any], dict[str, Any], float]] = [
    # The matrix of N × N, its eigenvectors, and the measurement that scales them.
    ({"name": "spectral"}, EVEN, N + 9 * N**3 / UNIT + 1),
    # The matrix, elimination, its right-hand side, and the measurement.
    ({"name": "linear"}, {"p": 2, "rectified": True}, N + 2 / 3 * N**3 / UNIT + 1 + 1),
    # Two products with each pool per sweep.
    ({"name": "kaczmarz"} | ITERATED, EVEN, 2 * STEPS + 3),
    # Coefficients once per sweep, and one column of F for each of N steps.
    ({"name": "coordinate_descent"} | ITERATED, EVEN, 2 * STEPS + 3),
]


@pytest.mark.parametrize(("spec", "pooling", "each"), COSTS, ids=lambda case: str(case)[:30])
def test_products_with_the_vectors_are_counted(
    spec: dict[str, Any], pooling: dict[str, Any], each: float
) -> None:
    found, dense = cost(spec, problem_of(**pooling))
    assert not dense
    assert found == pytest.approx(S * each)


@pytest.mark.parametrize(
    ("name", "pooling", "least", "most"),
    [
        ("levenberg_marquardt", EVEN, 3 + STEPS, 4 + (2 + (N + 1) / L + N / L) * (STEPS + 1)),
        ("gamp", EVEN, 2 * STEPS * N / N, 2 * STEPS + 8),
        ("altmin", {"p": 2, "rectified": True}, 2 * STEPS, (3 + N + N**3 / UNIT) * (STEPS + 1)),
        ("altmin-sphere", EVEN, 2 * STEPS, 5 * STEPS),
    ],
)
def test_iterations_that_are_not_all_alike_cost_between_bounds(
    name: str, pooling: dict[str, Any], least: float, most: float
) -> None:
    more = {"sphere": True} if name == "altmin-sphere" else {}
    spec = {"name": name.partition("-")[0]} | ITERATED | more
    found, dense = cost(spec, problem_of(**pooling))
    assert not dense
    assert S * least < found <= S * most


def test_neighbours_cost_the_measurement_of_all_training_signals() -> None:
    found, dense = cost({"name": "knn", "q": 5}, problem_of(**EVEN))
    assert not dense
    assert T < found <= T + S * (5 + 16) + 2 * S + S * T


def test_vectors_that_are_taken_without_a_count_stay_uncounted() -> None:
    ledger = Ledger()
    problem = problem_of(**EVEN)
    counted = replace(problem, frame=CountingFrame(problem.frame, ledger))
    counted.vectors(counted=True)
    assert not ledger.dense
    counted.vectors()
    assert ledger.dense


def test_a_run_counts_what_it_is_told() -> None:
    ledger = Ledger()
    run = SignalRun(solver_keys(0, 0, range(2)), ledger)
    with run.phase("init") as inner:
        inner.rows(np.array([1])).count(0.5)
    assert ledger.applications == {("init",): 0.5}
