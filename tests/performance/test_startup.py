"""What it costs to start, as a share of what importing NumPy does."""

import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 7


def cpu_seconds(line: list[str]) -> float:
    """Run a command and return the processor seconds, user and system, that it took."""
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


WORKER = """
import os, subprocess, sys
given, to_worker = os.pipe()
taken, from_worker = os.pipe()
line = [sys.executable, "-m", "benchbase.running.serve"]
line += [*map(str, (given, from_worker, os.getpid(), 0)), "whole"]
worker = subprocess.Popen(line, pass_fds=(given, from_worker))
os.close(given)
os.close(to_worker)  # it ends as soon as it could take a task
sys.exit(worker.wait())
"""


def times_numpy(benchmark: BenchmarkFixture, line: list[str], besides: list[str]) -> None:
    """Report the processor time of a command, less that of another, over that of NumPy's import."""
    ours: list[float] = []
    numpy: list[float] = []

    def both() -> None:
        numpy.append(cpu_seconds([sys.executable, "-c", "import numpy"]))
        ours.append(cpu_seconds(line) - (cpu_seconds(besides) if besides else 0))

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call] # it has no types
    ratio = statistics.median(ours) / statistics.median(numpy)
    benchmark.extra_info["cpu_seconds"] = statistics.median(ours)
    benchmark.extra_info["times_import_numpy"] = ratio
    assert ratio > 0


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


@pytest.mark.parametrize("command", ["--help", "list", "show altmin"])
def test_a_command(benchmark: BenchmarkFixture, command: str) -> None:
    """Report the processor time of a command over that of ``python -c "import numpy"``.

    The plugins are loaded once, in the round that warms up. The aim is 1.7.
    """
    script = shutil.which("benchbase", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("the command `benchbase` is not installed beside this Python")
    times_numpy(benchmark, [script, *command.split()], [])


def test_the_package(benchmark: BenchmarkFixture) -> None:
    """Report the same of ``import benchbase``; the aim is 1.3."""
    times_numpy(benchmark, [sys.executable, "-c", "import benchbase"], [])


def test_a_worker(benchmark: BenchmarkFixture) -> None:
    """Report the same of a worker until it can take a task; the aim is 2."""
    starter = [sys.executable, "-c", "import os, subprocess, sys"]
    times_numpy(benchmark, [sys.executable, "-c", WORKER], starter)
