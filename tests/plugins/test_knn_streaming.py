"""Nearest neighbours in one pass over training signals that memory need not hold."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase import Array, DenseFrame, Problem, Query
from benchbase.numerics.ledger import Cost, CountingFrame, Ledger
from benchbase.numerics.streams import SignalRun, solver_keys
from benchbase_knn import index
from benchbase_knn.index import Index
from benchbase_knn.knn import NearestNeighbours

NORMS: list[dict[str, Any]] = [{"name": "lp", "p": p} for p in (1.0, 2.0, np.inf)]
POOLINGS = [*NORMS, *[norm | {"rectified": True} for norm in NORMS], {"name": "maxout"}]
WITHOUT_ROOTS = [pooling for pooling in POOLINGS if pooling.get("p") != 2]


def problem_of(pooling: dict[str, Any], vectors: Array, training: Array) -> Problem:
    return Problem(DenseFrame(vectors), benchbase.build("pooling", pooling), training)


def gaussian(pooling: dict[str, Any], size: int, seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    training = (rng.standard_normal((size, 6)) * rng.exponential(size=6)).astype(np.float32)
    return problem_of(pooling, rng.standard_normal((15, 2, 6)), training)


def brute_force(problem: Problem, b: Array, q: int) -> Array:
    """The q nearest of each query, by all distances; of equals, the first."""
    assert problem.training is not None
    gap = problem.measure(problem.training.astype(np.float64))[None] - b[:, None]
    return np.argsort((gap**2).sum(axis=-1), axis=1, kind="stable")[:, :q]


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 120),
    entries=st.sampled_from([1, 60, 500, 100_000]),
    pooling=st.sampled_from(WITHOUT_ROOTS),
    store=st.booleans(),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_of_equals_the_first_whatever_the_blocks(
    size: int, entries: int, pooling: dict[str, Any], store: bool, share: float, seed: int
) -> None:
    # Small integers: no sum is rounded, so that distances are equal, and many are, or are not.
    rng = np.random.default_rng(seed)
    training = rng.integers(-1, 2, (size, 2)).astype(np.float32)
    problem = problem_of(pooling, rng.integers(-2, 3, (5, 2, 2)).astype(float), training)
    b = problem.measure(rng.integers(-2, 3, (7, 2)).astype(float))
    q = max(1, round(share * size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "ENTRIES", entries)
        found = Index(problem, store=store).nearest(b, q)
    np.testing.assert_array_equal(found, brute_force(problem, b, q))


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(4, 200),
    spread=st.sampled_from([1e-9, 1e-7, 1e-6, 1e-4, 1.0]),
    entries=st.sampled_from([60, 1000]),
    store=st.booleans(),
)
def test_near_ties_whatever_the_blocks(size: int, spread: float, entries: int, store: bool) -> None:
    rng = np.random.default_rng(size)
    close = rng.standard_normal(6) + spread * rng.standard_normal((size, 6))
    problem = problem_of(NORMS[1], rng.standard_normal((15, 2, 6)), close)
    b = problem.measure(close[:4] * (1 + 1e-3 * spread))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "ENTRIES", entries)
        found = Index(problem, store=store).nearest(b, 3)
    np.testing.assert_array_equal(found, brute_force(problem, b, 3))


@pytest.mark.parametrize("seed", range(5))
def test_a_threshold_that_leaves_little_of_the_coefficients(seed: int) -> None:
    # In float32 the coefficients are rounded by about as much as what exceeds the threshold.
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((20, 2, 8))
    common = 1e4 * rng.standard_normal(8)
    threshold = tuple((vectors.reshape(40, 8) @ common).tolist())
    training = common + 1e-3 * rng.standard_normal((400, 8))
    pooling = {"name": "lp", "p": 2.0, "rectified": True, "threshold": threshold}
    problem = problem_of(pooling, vectors, training)
    b = problem.measure(common + 1e-3 * rng.standard_normal((10, 8)))
    assert 0 < np.linalg.norm(b, axis=1).min() < 1
    np.testing.assert_array_equal(Index(problem).nearest(b, 5), brute_force(problem, b, 5))


def test_complex_coefficients() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((15, 2, 6)) + 1j * rng.standard_normal((15, 2, 6))
    training = rng.standard_normal((500, 6)).astype(np.float32)
    problem = problem_of(NORMS[1], vectors, training)
    b = problem.measure(rng.standard_normal((8, 6)))
    np.testing.assert_array_equal(Index(problem).nearest(b, 7), brute_force(problem, b, 7))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_stored_measurements_change_no_bit(
    pooling: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "ENTRIES", 2000)
    problem = gaussian(pooling, 700)
    assert problem.training is not None
    np.save(tmp_path / "train.npy", problem.training)
    mapped = np.load(tmp_path / "train.npy", mmap_mode="r")
    b = problem.measure(np.random.default_rng(1).standard_normal((90, 6)))
    found = benchbase.solve(NearestNeighbours(), problem, b).x
    stored = benchbase.solve(NearestNeighbours(store_measurements=True), problem, b).x
    from_disk = benchbase.solve(
        NearestNeighbours(), Problem(problem.frame, problem.pooling, mapped), b
    ).x
    np.testing.assert_array_equal(stored, found)
    np.testing.assert_array_equal(from_disk, found)


@pytest.mark.parametrize("store", [False, True])
def test_one_pass_for_all_queries_or_one_for_good(
    store: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "ENTRIES", 2000)
    size, queries, ledger = 3000, 120, Ledger()
    plain = gaussian(NORMS[1], size)
    problem = Problem(CountingFrame(plain.frame, ledger), plain.pooling, plain.training)
    b = plain.measure(np.random.default_rng(1).standard_normal((queries, 6)))
    solver = NearestNeighbours(q=3, store_measurements=store)
    inverse = solver.prepare(problem)
    counts = [sum(ledger.applications.values())]
    for _ in range(2):
        inverse(b, SignalRun(solver_keys(0, 0, range(queries))))
        counts.append(sum(ledger.applications.values()))
    comparing = queries * (3 + index.SPARE) + queries  # candidates in float64, and the fit
    assert counts[0] == (size if store else 0)
    assert np.diff(counts).tolist() == [(0 if store else size) + comparing] * 2


@settings(max_examples=15, deadline=None)
@given(
    size=st.integers(5, 120),
    entries=st.sampled_from([60, 500, 100_000]),
    poolings=st.lists(st.sampled_from(POOLINGS), min_size=1, max_size=4),
    spread=st.sampled_from([1e-7, 1e-4, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_a_search_for_several_poolings_finds_what_each_alone_does_at_the_same_cost(
    size: int, entries: int, poolings: list[dict[str, Any]], spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    training = (rng.standard_normal(6) + spread * rng.standard_normal((size, 6))).astype(np.float32)
    x, ledger = training[:4] + spread * rng.standard_normal((4, 6)), Ledger()
    first = problem_of(poolings[0], rng.standard_normal((9, 2, 6)), training)
    first = replace(first, frame=CountingFrame(first.frame, ledger))
    problems = [replace(first, pooling=benchbase.build("pooling", each)) for each in poolings]
    measured, costs = [problem.measure(x) for problem in problems], [Cost() for _ in problems]
    queries = [
        Query(problem, b, partial(ledger.diverted, cost))
        for problem, b, cost in zip(problems, measured, costs, strict=True)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "ENTRIES", entries)
        with ledger.diverted(*costs):
            together = Index(first)._search(queries, 3)
        for problem, b, near, cost in zip(problems, measured, together, costs, strict=True):
            ledger.clear()
            np.testing.assert_array_equal(Index(problem).nearest(b, 3), near)
            assert sum(ledger.applications.values()) == cost.applications
            np.testing.assert_array_equal(near, brute_force(problem, b, 3))


def test_large_sets_have_more_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "SHARE", 10)
    ledger, plain = Ledger(), gaussian(NORMS[1], 400)
    problem = replace(plain, frame=CountingFrame(plain.frame, ledger))
    b = plain.measure(np.random.default_rng(1).standard_normal((5, 6)))
    np.testing.assert_array_equal(Index(problem).nearest(b, 3), brute_force(plain, b, 3))
    assert ledger.applications == {(): 400 + 5 * (3 + 40)}


MEMORY = """
import json, sys
from pathlib import Path
import numpy as np, benchbase
from benchbase_knn.knn import NearestNeighbours
from benchbase_knn.mean import Mean

def peak():
    # Of this process: what getrusage tells counts the one that has started it, too.
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

rng = np.random.default_rng(0)
train = np.load(sys.argv[1], mmap_mode="r")
frame = benchbase.DenseFrame(rng.standard_normal((300, 2, train.shape[1])))
problem = benchbase.Problem(frame, benchbase.build("pooling", {"name": "lp"}), train)
b = problem.measure(rng.standard_normal((50, train.shape[1])))
before, peaks = peak(), []
for solver in (Mean(), NearestNeighbours(), NearestNeighbours(store_measurements=True)):
    benchbase.solve(solver, problem, b)
    peaks.append(peak() - before)
print(json.dumps(peaks))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_hold_the_measurements(tmp_path: Path) -> None:
    size, n, n_pools = 100_000, 16, 300
    rng = np.random.default_rng(0)
    np.save(tmp_path / "train.npy", rng.standard_normal((size, n), dtype=np.float32))
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "train.npy")]
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=one_thread)
    mean, streamed, stored = json.loads(output.stdout)
    measurements = size * n_pools * 4
    pages = size * n * 4  # of the file that is mapped count as memory once they are touched
    assert mean < pages + 0.2 * measurements
    assert streamed < pages + 0.2 * measurements
    assert stored > 0.7 * measurements  # else the bounds above say nothing


@pytest.mark.parametrize("contrast", [1e-3, 1e-6])
def test_neighbours_are_exact_where_coefficients_nearly_cancel(contrast: float) -> None:
    """Filters without a mean on nearly constant signals leave a rest of rounding errors."""
    rng = np.random.default_rng(0)
    n, size = 64, 5000
    vectors = rng.standard_normal((60, 2, n))
    vectors -= vectors.mean(axis=-1, keepdims=True)
    train = (1 + contrast * rng.standard_normal((size, n))).astype(np.float32)
    pooling = benchbase.build("pooling", {"name": "lp"})
    problem = Problem(DenseFrame(vectors), pooling, train)
    b = problem.measure(1 + contrast * rng.standard_normal((50, n)))
    near = Index(problem).nearest(b, 10)
    measured = problem.measure(train.astype(np.float64))
    for query, found in zip(b, near, strict=True):
        square = np.sum((measured - query) ** 2, axis=1)
        np.testing.assert_array_equal(found, np.argsort(square, kind="stable")[:10])


def test_a_frame_that_never_forms_its_vectors_will_do() -> None:
    class Hidden(DenseFrame):
        def dense(self) -> Array:
            raise NotImplementedError

    plain = gaussian(NORMS[1], 500)
    hidden = Problem(Hidden(plain.frame.dense()), plain.pooling, plain.training)
    b = plain.measure(np.random.default_rng(1).standard_normal((20, plain.frame.n)))
    np.testing.assert_array_equal(Index(hidden).nearest(b, 5), Index(plain).nearest(b, 5))
