"""Interruptions while the program is still starting."""

import subprocess
import sys
from pathlib import Path

import pytest

import benchbase

ROOT = Path(benchbase.__file__).parents[1]
PROGRAM = """
import builtins, os, signal
import benchbase_command

whole = builtins.__import__

def interrupted(name, *more):
    if name == "numpy":
        os.kill(os.getpid(), {number})
    return whole(name, *more)

builtins.__import__ = interrupted
signal.signal({number}, {handler})
benchbase_command.main()
"""
DEFAULT = {"SIGINT": "signal.default_int_handler", "SIGTERM": "signal.SIG_DFL"}


def end(name: str, handler: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(number=f"signal.{name}", handler=handler)
    line = [sys.executable, "-c", program, "run", "nosuch"]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)


@pytest.mark.parametrize("name", DEFAULT)
def test_an_interruption_while_modules_are_imported(name: str) -> None:
    done = end(name, DEFAULT[name])
    assert done.returncode == 130
    assert done.stderr == "interrupted before anything was computed; give the same command again\n"
    assert done.stdout == ""


def test_a_signal_that_is_to_be_ignored_is_ignored() -> None:
    done = end("SIGINT", "signal.SIG_IGN")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no suite named 'nosuch'")
