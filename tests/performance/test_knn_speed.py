"""What an exact search for nearest neighbours costs beside its matrix products, and its memory.

As a script, run in a fresh process by the tests: search the training signals of a file, given
the file, the number of pools and the number of rounds, and print what that took as JSON.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import benchbase
from benchbase import Array, Problem
from benchbase_knn.index import Index

N, S, L, Q = 256, 50, 2, 10
ROWS = 2000  # training signals in a block of the matrix products alone, and of what tests compute


def problem_of(training: Array, n_pools: int) -> tuple[Problem, Array]:
    """Return a problem on given training signals, and the measurements of S others."""
    rng = np.random.default_rng(1)
    frame = benchbase.DenseFrame(rng.standard_normal((n_pools, L, N)))
    problem = Problem(frame, benchbase.build("pooling", {"name": "lp", "p": 2.0}), training)
    return problem, problem.measure(signals(rng, S))


def signals(rng: np.random.Generator, size: int) -> Array:
    """Draw signals (size, N) like patches: few directions hold most power, sizes differ."""
    spectrum = 1 / np.arange(1, N + 1, dtype=np.float32)
    sizes = 0.5 + rng.exponential(size=(size, 1)).astype(np.float32)
    drawn: Array = rng.standard_normal((size, N), dtype=np.float32) * spectrum**0.7 * sizes
    return drawn


def seconds(work: Callable[[], object]) -> float:
    """Return processor time, in which other processes do not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak() -> int:
    """Return the most memory that this process has had, in bytes.

    Not what getrusage tells: that counts the process that has started this one, too.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main(path: str, n_pools: int, rounds: int) -> dict[str, Any]:
    """Search, and multiply matrices of the same sizes, in turns."""
    training = np.load(path, mmap_mode="r")
    problem, b = problem_of(training, n_pools)
    near = Index(problem).nearest(b, Q)
    resident = peak()
    vectors = problem.frame.dense().reshape(-1, N).astype(np.float32).T.copy()
    queries = b.astype(np.float32)
    measured = np.ones((n_pools, ROWS), np.float32)

    def products() -> None:
        for start in range(0, len(training), ROWS):
            block = training[start : start + ROWS]
            _ = block @ vectors
            _ = queries @ measured[:, : len(block)]

    searches, alone = [], []
    for _ in range(rounds):
        searches.append(seconds(lambda: Index(problem).nearest(b, Q)))
        alone.append(seconds(products))
    return {
        "near": near.tolist(),
        "seconds": round(median(searches), 3),
        "seconds_of_products": round(median(alone), 3),
        "ratio": round(median(s / a for s, a in zip(searches, alone, strict=True)), 3),
        "resident_mb": round(resident / 1e6),
        "file_mb": round(Path(path).stat().st_size / 1e6),
    }


def in_fresh_process(path: Path, n_pools: int, rounds: int) -> dict[str, Any]:
    """Run this file as a script on one thread."""
    line = [sys.executable, __file__, str(path), str(n_pools), str(rounds)]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def all_distances(training: Array, n_pools: int) -> Array:
    """Return the squared distances of all training signals in measurement space, (S, T)."""
    problem, b = problem_of(training, n_pools)
    square = np.empty((S, len(training)))
    for start in range(0, len(training), ROWS):
        block = slice(start, start + ROWS)
        measured = problem.measure(training[block].astype(np.float64))
        square[:, block] = (measured**2).sum(axis=1) - 2 * (b @ measured.T)
    return square


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("size", "n_pools", "rounds"),
    [
        pytest.param(20_000, 330, 5, id="small"),
        pytest.param(900_000, 830, 3, id="paper", marks=pytest.mark.slow),
    ],
)
def test_knn_speed(
    benchmark: BenchmarkFixture, tmp_path: Path, size: int, n_pools: int, rounds: int
) -> None:
    """Report a search against the matrix products in it, all signals exact, in little memory.

    "ratio": processor time of the search for 50 signals over that of the two products that no
    exact search is without, (T, N) by (N, L·K) and (S, K) by (K, T) in float32. "resident_mb": the
    peak of a fresh process that has searched once; the file is mapped and its pages count once
    they are touched. "Paper" is the size of the paper's set of patches, run by
    ``-m slow`` with the options of the others.
    """
    path = tmp_path / "train.npy"
    training = np.lib.format.open_memmap(path, "w+", np.float32, (size, N))
    rng = np.random.default_rng(0)
    for start in range(0, size, ROWS):
        training[start : start + ROWS] = signals(rng, len(training[start : start + ROWS]))
    training.flush()
    try:
        figures = benchmark.pedantic(  # type: ignore[no-untyped-call] # it has no types
            in_fresh_process, (path, n_pools, rounds), rounds=1
        )
        square = all_distances(training, n_pools)
    finally:
        path.unlink()  # pytest keeps folders of the last three runs: this file has up to 920 MB
    nearest = np.argpartition(square, Q, axis=1)[:, :Q]
    order = np.argsort(np.take_along_axis(square, nearest, axis=1), axis=1)
    expected = np.take_along_axis(nearest, order, axis=1)
    np.testing.assert_array_equal(figures.pop("near"), expected)
    benchmark.extra_info.update(figures)
    assert figures["ratio"] > 0
    assert figures["resident_mb"] < figures["file_mb"] + 300


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
