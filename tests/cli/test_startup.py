"""What the command line imports before it is told to compute."""

import json
import subprocess
import sys

import pytest

SLOW = ("cvxpy", "matplotlib", "pandas", "pooch", "pydantic", "rich", "scipy", "scs", "sklearn")
SHOW = """
import json, sys
from benchbase.cli import main
try:
    main(prog_name="benchbase")
except SystemExit as stop:
    print("\\n" + json.dumps([stop.code, sorted(sys.modules)]))
"""


def imported(*arguments: str) -> set[str]:
    """Return the modules that a command has imported by its end."""
    line = [sys.executable, "-c", SHOW, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize("arguments", [["list"], ["list", "solvers"], ["--help"]])
def test_looking_around_loads_the_plugins_and_imports_nothing_slow(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert modules & set(SLOW) == set()
    assert "benchbase_altmin" in modules  # help shows their commands


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--help"], ["export", "--help"]])
def test_help_of_a_command_loads_no_plugin(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert {name for name in modules if name.startswith("benchbase_")} == set()
    assert modules & set(SLOW) == set()
