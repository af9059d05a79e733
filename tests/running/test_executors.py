from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import benchbase
from benchbase import Problem, Recovery, Run
from benchbase.discovery.registry import Registry
from benchbase.planning.cells import make_cells
from benchbase.planning.suite import load_suite
from benchbase.running.executors import BLAS_VARIABLES, InProcess, one_blas_thread
from benchbase.running.runner import plan

SEEN: list[Any] = []

SUITE = """
points = 4
trials = 3
[dataset]
name = "gaussian"
n = 4
[frame]
name = "gaussian"
n_pools = 8
[pooling]
name = "lp"
[[solver]]
name = "looks"
"""


class Looks(benchbase.Solver):
    """Looks at where it is and talks."""

    name = "looks"

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        def inverse(b: benchbase.Array, run: Run) -> Recovery:
            SEEN.append((threads(), os.environ.get("OMP_NUM_THREADS")))
            print("solving", len(b))  # noqa: T201 # what is tested
            return Recovery(x=run.normal(problem.frame.n))

        return inverse


def threads() -> set[int]:
    """Return the numbers of threads of the BLAS libraries that are loaded and can have two.

    One that was loaded while the environment said "one" has no more for ever.
    """
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    with threadpool_limits(limits=2, user_api="blas"):
        able = {pool["filepath"] for pool in threadpool_info() if pool["num_threads"] == 2}
    return {pool["num_threads"] for pool in blas if pool["filepath"] in able}


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    SEEN.clear()
    np.ones((2, 2)) @ np.ones((2, 2))
    for name in BLAS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with threadpool_limits(limits=2, user_api="blas"):
        if threads() != {2}:
            pytest.skip("this BLAS cannot have two threads")
        yield


@pytest.fixture
def executor(tmp_path: Path) -> tuple[InProcess, list[Any]]:
    file = tmp_path / "suite.toml"
    file.write_text(SUITE)
    known = Registry()
    known.load_installed()
    known.add(Looks)
    return InProcess(known), plan(make_cells(load_suite(file, known)), None, known).tasks


def test_blas_has_one_thread_inside_and_as_many_as_before_after() -> None:
    with one_blas_thread():
        assert threads() == {1}
        assert {os.environ[name] for name in BLAS_VARIABLES} == {"1"}
    assert threads() == {2}
    assert {name: os.environ.get(name) for name in BLAS_VARIABLES} == {
        name: "2" if name == "OMP_NUM_THREADS" else None for name in BLAS_VARIABLES
    }


def test_threads_come_back_when_something_raises() -> None:
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert threads() == {2}
    assert os.environ["OMP_NUM_THREADS"] == "2"


def test_tasks_run_in_their_order_with_one_thread(executor: tuple[InProcess, list[Any]]) -> None:
    workers, tasks = executor
    outcomes = []
    for outcome in workers.run(tasks):
        outcomes.append(outcome)
        assert threads() == {2}  # between tasks, the threads are the caller's
    assert [outcome["key"] for outcome in outcomes] == [task["key"] for task in tasks]
    assert list(SEEN) == [({1}, "1")] * 3


def test_what_a_solver_prints_goes_to_standard_error(
    executor: tuple[InProcess, list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    workers, tasks = executor
    for _ in workers.run(tasks):
        sys.stdout.write("between\n")
    captured = capsys.readouterr()
    assert captured.err == "solving 4\n" * 3
    assert captured.out == "between\n" * 3


def test_tasks_are_executed_when_they_are_asked_for(executor: tuple[InProcess, list[Any]]) -> None:
    workers, tasks = executor
    outcomes = workers.run(iter(tasks))
    next(outcomes)
    assert len(SEEN) == 1
    outcomes.close()
    assert len(SEEN) == 1
    assert list(outcomes) == []


PRINTS = """
import os, sys
import benchbase
@benchbase.solver
def loud(frame, pooling, b, rng):
    print("python")
    os.write(1, b"below python\\n")
    return rng.standard_normal(frame.n)
"""


def test_what_solvers_print_below_python_too_goes_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(PRINTS)
    script = (
        "import benchbase\n"
        "benchbase.run('quick', plugins='loud.py', solvers='loud', points=1, trials=1, jobs=0,"
        " results='r')\nprint('mine')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "mine\n"
    assert "below python" in done.stderr


CLOSED = """
import sys
import benchbase
results = benchbase.run("quick", plugins="loud.py", solvers="loud", points=1, trials=1,
    jobs=int(sys.argv[1]), results="r")
raise SystemExit(set(results.rows()["status"]) != {"done"})
"""


@pytest.mark.parametrize(("jobs", "closing"), [(0, "2>&-"), (1, "<&- >&- 2>&-")])
def test_closed_standard_streams_disturb_no_solver(jobs: int, closing: str, tmp_path: Path) -> None:
    """The pipes of workers would get their numbers."""
    (tmp_path / "loud.py").write_text(PRINTS)
    line = ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-c", CLOSED, str(jobs)]
    assert subprocess.run(line, cwd=tmp_path, check=False).returncode == 0
