"""Whatever a process starts ends with it, however it hides."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchbase.running.family import MARK, kill_family

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
FAMILY = Path(__file__).parents[2] / "benchbase" / "running" / "family.py"

START = f"""
import os, sys, time
sys.path.insert(0, {str(FAMILY.parent)!r})
import family
family.adopt_orphans()

def start(environment, session=True):
    # The process that sleeps is an orphan: its parent has ended.
    if os.fork() == 0:
        if session:
            os.setsid()
        if (child := os.fork()) == 0:
            os.close(1)
            os.execve("/bin/sleep", ["sleep", "100"], environment)
        print(child, flush=True)
        os._exit(0)
    os.wait()

start(os.environ)
start(os.environ, session=False)
start({{}}) if sys.argv[1] == "sleeps" else start({{}}, session=False)
print(os.getpid(), flush=True)
os.close(1)
time.sleep(100 if sys.argv[1] == "sleeps" else 0)
"""


def lives(process: int) -> bool:
    try:
        status = (Path("/proc") / str(process) / "stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("ending", ["sleeps", "ends"])
def test_all_are_found_in_other_sessions_and_without_environment(ending: str) -> None:
    """A process without an environment is lost only if it leaves a group whose leader has ended."""
    with subprocess.Popen(
        [sys.executable, "-S", "-c", START, ending],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {MARK: f"{os.getpid()}-{ending}"},
    ) as leader:
        assert leader.stdout is not None
        numbers = [int(line) for line in leader.stdout]
        assert numbers.pop() == leader.pid
        assert len(numbers) == 3
        assert all(map(lives, numbers))
        if ending == "ends":
            leader.wait()
        kill_family(leader.pid, f"{os.getpid()}-{ending}", waited=ending == "ends")
        leader.wait()
    patience = time.monotonic() + 5
    while any(map(lives, numbers)) and time.monotonic() < patience:
        time.sleep(0.01)
    assert not any(map(lives, numbers))


def test_others_are_left_alone() -> None:
    """Neither this process nor one with another mark is touched."""
    with subprocess.Popen(["sleep", "100"], env=os.environ | {MARK: "other"}) as other:
        kill_family(other.pid, "none", waited=True)
        assert other.poll() is None
        other.kill()
