"""What many cells cost: planning them, planning them again once they are done, and exports."""

import resource
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import benchbase
from benchbase.api import resolve
from benchbase.discovery.registry import Registry
from benchbase.planning.experiment import Change
from benchbase.planning.suite import Suite
from benchbase.running.launch import make_plan
from benchbase.running.runner import Plan
from benchbase.storage.attempts import Attempt
from benchbase.storage.store import SCORES, Store, pack_scores, pack_signals

Fresh = Callable[[], AbstractContextManager[Registry]]

HERE = Path(__file__).parent
CELLS = 100_000
SHAPES = {
    "trials": (1, CELLS),
    "problems and trials": (1000, CELLS // 1000),
    "problems": (CELLS, 1),
}
"""Numbers of problems and of trials."""


def suite(problems: int, trials: int) -> Suite:
    values = [float(i) for i in range(problems)]
    axis = Change(("grid", "noise", "snr"), values, "")
    noise = Change(("noise", "name"), "gaussian", "")
    changes = [noise, axis] if problems > 1 else []
    plugin = HERE / "trivial_solver.py"
    return resolve(HERE / "trivial.toml", trials=trials, plugins=[plugin], changes=changes)


def megabytes() -> float:
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


@pytest.mark.parametrize("shape", SHAPES)
def test_planning(
    benchmark: BenchmarkFixture, as_installed: Fresh, tmp_path: Path, shape: str
) -> None:
    """Report the processor seconds of planning 100,000 cells, and the memory; the aim is 4 s."""
    before, start = megabytes(), time.process_time()

    def work() -> Plan:
        return make_plan(suite(*SHAPES[shape]), tmp_path)

    with as_installed():
        todo = benchmark.pedantic(work)  # type: ignore[no-untyped-call] # it has no types
    benchmark.extra_info["cpu_seconds"] = time.process_time() - start
    benchmark.extra_info["more_megabytes"] = megabytes() - before
    assert len(todo.cells) == len(todo.tasks) == CELLS


def test_finished(benchmark: BenchmarkFixture, as_installed: Fresh, tmp_path: Path) -> None:
    """Report the processor seconds of what follows 100,000 cells that are done.

    They are planned again, the rows are read, and written as CSV. The aim is 10 s for each.
    """
    with as_installed():
        whole = suite(*SHAPES["trials"])
        todo = make_plan(whole, tmp_path)
        with Store(tmp_path, create=True) as store:
            run = write(store, whole, todo)
        seconds = {}
        start = time.process_time()
        again = benchmark.pedantic(make_plan, args=(whole, tmp_path))  # type: ignore[no-untyped-call] # it has no types
        seconds["planned_again"] = time.process_time() - start
        start = time.process_time()
        results = benchbase.load_results(tmp_path, run)
        results.export("csv", tmp_path / "rows.csv")
        seconds["exported"] = time.process_time() - start
    benchmark.extra_info.update(seconds)
    assert again.tasks == []
    assert len(results.rows()) == 2 * CELLS


def write(store: Store, whole: Suite, todo: Plan) -> int:
    """Write a run whose tasks are all done, and return its number."""
    run = store.begin_run(whole.name, whole.title, whole.resolved(), "", todo.cells)
    attempt = Attempt(
        start=0, stop=2, status="done", message="", time_limit=None,
        scores=pack_scores(np.ones((len(SCORES), 2))),
        prepare_seconds=0.0, init_seconds=0.0, solve_seconds=0.0, frame_applications=1.0,
        checksum=1.0, condition=1.0, isolated=True, sealed=False, environment="{}",
        finished="2026-01-01T00:00:00.000000+00:00", x=pack_signals(np.ones((2, 8))),
    )  # fmt: skip # a table
    with store.transaction():
        for task in todo.tasks:
            store.add_attempt(task["key"], attempt)
            store.add_signals(task["signals_key"], np.ones((2, 8)))
    store.end_run(run)
    return run
