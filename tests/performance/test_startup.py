"""What it costs to start, as a share of what importing NumPy does."""

import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 3


def cpu_seconds(line: list[str]) -> float:
    """Run a command and return the processor seconds, user and system, that it took."""
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("command", ["--help", "list"])
def test_startup(
    benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Report the processor time of a command over that of ``python -c "import numpy"``."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    script = shutil.which("benchbase", path=str(Path(sys.executable).parent))
    if script is None:
        pytest.skip("the command `benchbase` is not installed beside this Python")
    ours: list[float] = []
    numpy: list[float] = []

    def both() -> None:
        numpy.append(cpu_seconds([sys.executable, "-c", "import numpy"]))
        ours.append(cpu_seconds([script, command]))

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call] # it has no types
    ratio = statistics.median(ours) / statistics.median(numpy)
    benchmark.extra_info["cpu_seconds"] = statistics.median(ours)
    benchmark.extra_info["times_import_numpy"] = ratio
    assert ratio > 0
