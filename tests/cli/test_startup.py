"""What the command line imports before it is told to compute."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SLOW = ("cvxpy", "matplotlib", "pandas", "pooch", "pydantic", "rich", "scipy", "scs", "sklearn")
SHOW = """
import json, sys
from benchbase.discovery import stamps
stamps._TICK = -1e9  # these files may have been written just now
from benchbase.cli import main
try:
    main(prog_name="benchbase")
except SystemExit as stop:
    print("\\n" + json.dumps([stop.code, sorted(sys.modules)]))
"""


def run(*arguments: str) -> tuple[str, set[str]]:
    """Return what a command prints, and the modules that it has imported by its end."""
    line = [sys.executable, "-c", SHOW, *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=True)
    *printed, last = done.stdout.splitlines()
    code, modules = json.loads(last)
    assert code == 0, done.stderr
    return "\n".join(printed), set(modules)


@pytest.mark.parametrize("arguments", [["list"], ["show", "altmin"], ["--help"]])
def test_looking_around_loads_the_plugins_only_once(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What they say is kept, and told again without NumPy; loading them imports nothing slow."""
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path))
    first, loaded = run(*arguments)
    again, modules = run(*arguments)
    assert again == first
    assert "benchbase_altmin" in loaded
    assert loaded & set(SLOW) <= ({"pydantic"} if "show" in arguments else set())
    assert "numpy" not in modules
    assert {name for name in modules if name.startswith("benchbase_")} == set()


@pytest.mark.parametrize("arguments", [["--version"], ["run", "--help"], ["export", "--help"]])
def test_help_of_a_command_loads_no_plugin(arguments: list[str]) -> None:
    _, modules = run(*arguments)
    assert {name for name in modules if name.startswith("benchbase_")} == set()
    assert "numpy" not in modules


def test_the_package_itself_is_imported_without_numpy() -> None:
    line = [sys.executable, "-c", "import benchbase, sys; print('numpy' in sys.modules)"]
    assert subprocess.check_output(line, text=True, timeout=60) == "False\n"
