"""What goes wrong in a command becomes one message and an exit code, whatever it is."""

import errno
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from benchbase.cli import main
from benchbase.discovery.registry import Registry
from benchbase.errors import StoreError

SUITE = """\
points = 2
report = []
dataset = { name = "gaussian", n = 4 }
frame = { name = "gaussian", n_pools = 6 }
pooling = { name = "lp", p = 2 }
"""
SOLVER = """\
import benchbase


@benchbase.solver
class Broken(benchbase.Solver):
    name = "broken"

    def prepare(self, problem):
        return None
"""

Break = Callable[..., Result]


def interrupted() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Run a command that raises an error."""

    def run(error: BaseException, debug: str = "") -> Result:
        def fail() -> None:
            raise error

        monkeypatch.setenv("BENCHBASE_DEBUG", debug)
        monkeypatch.setattr("benchbase.cli.look.list_command", click.command("list")(fail))
        return CliRunner().invoke(main, ["list"])

    return run


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (StoreError("no results here"), 2, "error: no results here"),
        (ArithmeticError("no such luck"), 70, "internal error: ArithmeticError: no such luck; "),
        (RecursionError(), 70, "internal error: RecursionError: ; please report it"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 2, "error: x: Permission denied"),
        (OSError(errno.ENOSPC, "No space left"), 1, "error: a file or a stream: No space left; ma"),
        (MemoryError(), 1, "error: this machine's memory is too small"),
        (KeyboardInterrupt(), 130, "interrupted; "),
        (StoreError("x" * 100_000), 2, "error: xxx"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    fails: Break, error: BaseException, code: int, told: str
) -> None:
    result = fails(error)
    assert result.exit_code == code
    assert result.stderr.startswith(told)
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) < 3000
    assert not result.stdout


def test_the_traceback_is_shown_when_it_is_asked_for(fails: Break) -> None:
    result = fails(ArithmeticError("no such luck"), "1")
    assert result.stderr.startswith("Traceback (most recent call last)")
    assert result.stderr.splitlines()[-1].startswith(
        "internal error: ArithmeticError: no such luck"
    )
    assert fails(StoreError("no results here"), "1").stderr == "error: no results here\n"


@pytest.mark.parametrize("argument", ["\udcff", "a\0b"])
def test_an_argument_that_is_no_text_is_refused(argument: str) -> None:
    result = CliRunner().invoke(main, ["show", argument])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: the argument {argument!a} is not UTF-8")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("import benchbase", "raise GeneratorExit", "broken.py:1: GeneratorExit: "),
        ("import benchbase", "import sys; sys.exit()", "broken.py:1: SystemExit: "),
        (
            "return None\n",
            "return None\n    def spec(self): 1 / 0\n",
            "have its own 'spec'",
        ),
        ("return None\n", "return None\n    def walk(self): 1 / 0\n", "can have its own 'walk'"),
        ("return None\n", "return None\n    def __eq__(self, o): 1 / 0\n", "its own '__eq__'"),
        ("return None\n", "return None\n    def __repr__(self): 1 / 0\n", "its own '__repr__'"),
        (
            "return None\n",
            "return None\n    def __post_init__(self): raise GeneratorExit\n",
            "broken cannot be made: GeneratorExit: ",
        ),
        ('"broken"', '"broken"\n    chunk = 0', "'broken': its chunk must be None or an integer"),
        ('"broken"', '"broken"\n    chunk = -1', "'broken': its chunk must be None or an integer"),
        ('"broken"', '"broken"\n    chunk = 1.5', "'broken': its chunk must be None or an intege"),
        (
            '"broken"',
            '"broken"\n    chunk = property(lambda self: 1 / 0)',
            "error: a plugin failed: ",
        ),
    ],
)
def test_a_broken_plugin_is_told(
    cli: Callable[..., Result], tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in SOLVER
    (tmp_path / "broken.py").write_text(SOLVER.replace(old, new))
    (tmp_path / "s.toml").write_text(SUITE)
    result = cli("run", "s.toml", "--plugin", "broken.py", "--dry-run")
    assert result.exit_code == 2
    assert told in result.stderr.splitlines()[-1]
    assert not result.stdout


def test_a_plugin_that_hides_methods_behind_another_class_is_told(parts: Registry) -> None:
    from benchbase import Pooling

    class Mixed:
        def walk(self) -> None:
            raise NotImplementedError

    with pytest.raises(TypeError, match="no component can have its own 'walk'"):
        type("Both", (Mixed, Pooling), {})
