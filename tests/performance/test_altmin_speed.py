"""How near batched alternating minimisation comes to the machine's matrix product."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from threadpoolctl import threadpool_limits

import benchbase
from benchbase import Problem, Recovery
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_altmin.altmin import AltMin
from tests.plugins.problems import starting_at

N, K, L, S = 100, 130, 2, 1000
ITERATIONS = 30
ALONE = 10  # signals of the loop
SQUARE = 1024  # rows of the matrix product that sets the rate
ROUNDS = 5


def seconds(work: Callable[[], object]) -> float:
    """Return processor time, in which other processes do not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


@pytest.mark.parametrize("p", [1.0, 2.0, np.inf])
def test_altmin_speed(benchmark: BenchmarkFixture, p: float) -> None:
    """Report a batch of 1,000 signals against a square matrix product, and against a loop.

    "share_of_matrix_product": the 2·2·S·N·L·K operations of an iteration's two products over its
    time, by the rate of a square float64 product measured in turns with it. "loop_over_batch": the
    time a signal takes alone over what it takes in the batch. Both are medians, on one thread.
    """
    rng = np.random.default_rng(0)
    problem = Problem(
        benchbase.DenseFrame(rng.standard_normal((K, L, N))),
        benchbase.build("pooling", {"name": "lp", "p": p}),
    )
    b = problem.measure(rng.standard_normal((S, N)))
    start = starting_at(rng.standard_normal((S, N)))
    inverse = AltMin(n_iter=ITERATIONS, tol=0.0, init=start).prepare(problem)
    runs = [SignalRun(solver_keys(0, 0, [signal])) for signal in range(ALONE)]
    run = SignalRun(solver_keys(0, 0, range(S)))
    assert len(run.generators) == S  # made here, outside the clock
    square = rng.standard_normal((SQUARE, SQUARE))
    shares: list[float] = []
    ratios: list[float] = []

    def batch() -> Recovery:
        return inverse(b, run)

    def loop() -> None:
        for signal, alone in enumerate(runs):
            inverse(b[signal : signal + 1], alone)

    with threadpool_limits(1, "blas"):
        batch()
        for _ in range(ROUNDS):
            rate = 2 * SQUARE**3 / seconds(lambda: square @ square)
            took = seconds(batch)
            shares.append(ITERATIONS * 4 * S * N * L * K / took / rate)
            ratios.append(seconds(loop) / ALONE / (took / S))
        recovery = benchmark.pedantic(batch)  # type: ignore[no-untyped-call] # it has no types
    benchmark.extra_info["share_of_matrix_product"] = round(median(shares), 3)
    benchmark.extra_info["loop_over_batch"] = round(median(ratios), 2)
    np.testing.assert_array_equal(recovery.n_iter, ITERATIONS)
