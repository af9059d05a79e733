"""The cost of solvers that take the frame's vectors, against formulas for their operations."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

import benchbase
from benchbase import DenseFrame, Problem
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_sdp.admm import Admm
from benchbase_sdp.constraints import lift
from benchbase_sdp.costs import cost_of
from benchbase_sdp.interior_point import interior_point

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


GROWING: list[tuple[dict[str, Any], str, tuple[int, int, int]]] = [
    *(
        ({"name": name, "tol": 0.0}, "n_iter", (2, 4, 8))
        for name in ("altmin", "coordinate_descent", "gamp", "hio", "kaczmarz", "raar", "rrr")
    ),
    ({"name": "levenberg_marquardt", "tol": 0.0}, "n_iter", (2, 4, 8)),
    ({"name": "lifted", "tol": 0.0}, "n_iter", (10, 20, 40)),
    ({"name": "wirtinger", "tol": 0.0}, "n_iter", (10, 20, 40)),
    ({"name": "phaselift", "eps": 1e-30}, "max_iters", (2, 4, 8)),
    ({"name": "phaselift", "eps": 1e-30, "method": "admm"}, "max_iters", (25, 50, 100)),
    ({"name": "phaselift", "eps": 1e-30, "method": "scs"}, "max_iters", (25, 50, 100)),
    ({"name": "phaselift", "eps": 1e-30, "method": "cvxpy"}, "max_iters", (25, 50, 100)),
    ({"name": "phasecut", "eps": 1e-30}, "max_iters", (10, 20, 40)),
    ({"name": "phasecut", "eps": 1e-30, "real": False}, "max_iters", (10, 20, 40)),
    ({"name": "phasecut", "eps": 1e-30, "method": "block-coordinate"}, "max_iters", (5, 10, 20)),
    ({"name": "phasecut", "eps": 1e-30, "method": "cvxpy"}, "max_iters", (25, 50, 100)),
]


@pytest.mark.parametrize(("spec", "name", "numbers"), GROWING, ids=lambda case: str(case)[:60])
def test_the_cost_grows_in_proportion_to_the_iterations(
    spec: dict[str, Any], name: str, numbers: tuple[int, int, int]
) -> None:
    few, more, most = (cost(spec | {name: number}, problem_of(**EVEN))[0] for number in numbers)
    # A step that damped least squares refuses is cheaper than one that they take.
    assert 1.5 <= (most - more) / (more - few) <= 3


def test_products_of_phasecut_with_the_factors_are_counted() -> None:
    """With as many dimensions as coordinates, a product costs one application for each column."""
    for method, products, numbers in (
        ("burer-monteiro", 2, (1, 9)),
        ("block-coordinate", 4, (1, 4)),
    ):
        spec = {"name": "phasecut", "eps": 1e-30, "method": method, "rank": 3}
        few, more = (cost(spec | {"max_iters": n}, problem_of(**EVEN))[0] for n in numbers)
        assert more - few == pytest.approx(S * products * 3 * (numbers[1] - numbers[0]))


class Tally(np.ndarray):
    """An array that adds up the operations of matrix products and factorisations."""

    operations = 0.0
    OF_CUBE: ClassVar[dict[Any, float]] = {
        np.linalg.inv: 2, np.linalg.cholesky: 1 / 3, np.linalg.eigvalsh: 4 / 3, np.linalg.eigh: 9,
        np.linalg.solve: 2 / 3,
    }  # fmt: skip # two lines say as much

    def __array_ufunc__(self, ufunc: Any, method: str, *given: Any, **options: Any) -> Any:
        plain = [np.asarray(each) for each in given]
        if "out" in options:
            options["out"] = tuple(np.asarray(each) for each in options["out"])
        found = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            Tally.operations += 2 * np.size(found) * plain[0].shape[-1]
        return found.view(Tally) if isinstance(found, np.ndarray) else found

    def __array_function__(self, function: Any, kinds: Any, given: Any, options: Any) -> Any:
        if function in Tally.OF_CUBE:
            matrix = given[0]
            Tally.operations += Tally.OF_CUBE[function] * matrix.size * matrix.shape[-1]
        return super().__array_function__(function, kinds, given, options)


@pytest.mark.parametrize("method", ["interior-point", "admm"])
@pytest.mark.parametrize("p", [2.0, np.inf])
def test_the_declared_cost_is_that_of_the_products_and_factorisations(
    method: str, p: float
) -> None:
    """The arrays themselves count; small differences are products before they are wrapped."""
    rng = np.random.default_rng(0)
    lifted = lift(rng.standard_normal((60, 2, 20)), p)
    plain = lifted.constraints
    y = lifted.values(
        benchbase.build("pooling", {"name": "lp", "p": p})(rng.standard_normal((1, 2, 60)))
    )
    wrapped = replace(plain, rows=plain.rows.view(Tally))
    solve = (
        interior_point(wrapped, 10, 0) if method == "interior-point" else Admm(wrapped, 50, 0, 0)
    )
    Tally.operations = 0.0
    (solution,) = solve(y.view(Tally))
    declared = cost_of(method, plain)
    each = declared.start + solution.n_iter * declared.iteration
    assert 0.9 <= float(Tally.operations / each) <= 1.05
