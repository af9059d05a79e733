"""Options that several commands share. Commands of plugins may use them too.

Each option is a decorator for a click command, and gives the command one argument::

    from benchbase.cli import options

    @click.command("count")
    @options.results
    @options.run
    @options.as_json("the numbers")
    def count_command(results: Path, run: str | None, as_json: bool) -> None:
        frame = benchbase.load_results(results, run).rows()
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from benchbase.system.paths import user_path


class Number(click.FloatRange):
    """A type for options that take a number: `click.FloatRange` without NaN and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or refuse the value."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


class PathType(click.ParamType):  # type: ignore[type-arg] # not generic in click 8.1
    """A type for paths as text, in which a tilde at the start stands for the user's home."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the path, or refuse an empty one."""
        if not value:
            self.fail("a path cannot be empty.", param, ctx)
        return str(user_path(value)) if str(value).startswith("~") else str(value)


PATH = PathType()


class Text(PathType):
    """A type for files of text, which gives the text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text in the file, or refuse a file that cannot be read as UTF-8."""
        path = super().convert(value, param, ctx)
        try:
            return Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            self.fail(f"{path}: {error.strerror or error}", param, ctx)
        except UnicodeDecodeError as error:
            self.fail(f"{path} is not text in UTF-8: {error.reason}; save it as UTF-8", param, ctx)


class _Output(PathType):
    """A type for what is written; "-" stands for standard output if that is the default."""

    def __init__(self, metavar: str, *, required: bool) -> None:
        self._shown, self._required = metavar, required

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path or None, or refuse a path where no such thing can be written."""
        if value == "-" and (self._required or self._shown == "DIR"):
            self.fail("this cannot be written to standard output; name a path.", param, ctx)
        path = super().convert(value, param, ctx)
        if self._shown != "DIR" and Path(path).is_dir():
            self.fail(f"{path} is a folder; name a file in it.", param, ctx)
        return None if value == "-" else path


_Command = TypeVar("_Command", bound=Callable[..., Any] | click.Command)


def _results_folder(context: click.Context, option: click.Parameter, value: str | None) -> Path:
    from benchbase.api import results_folder

    del context, option
    return results_folder(value)


results = click.option(
    "--results",
    metavar="DIR",
    type=PATH,
    callback=_results_folder,
    help="Folder of results. Default: $BENCHBASE_RESULTS, or else benchbase-results.",
)
"""``--results DIR`` gives `results`, the path of the folder of results."""

run = click.option(
    "--run",
    metavar="ID|all|last",
    help="Use the run with this number, all runs, or the last run. "
    "Default: the last run of each suite.",
)
"""``--run ID|all|last`` gives `run`, which `benchbase.load_results` takes; None by default."""

labels = click.option(
    "--solver",
    "labels",
    metavar="LABEL",
    multiple=True,
    help="Use only the solver with this label, which names its row in the tables. "
    "Repeat the option for more solvers.",
)
"""``--solver LABEL`` gives `labels`, the labels of the solvers to use; () means all solvers."""

plugins = click.option(
    "--plugin",
    "plugins",
    metavar="FILE.py",
    type=PATH,
    multiple=True,
    help="Load this plugin file first. Repeat the option for more files.",
)
"""``--plugin FILE.py`` gives `plugins`, the paths of plugin files."""

jobs = click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=0),
    help="Number of worker processes. With 0, benchbase computes in its own process. "
    "Default: $BENCHBASE_JOBS, or else the number of cores.",
)
"""``--jobs N`` gives `jobs`, the number of worker processes; None by default."""

workers = click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="Number of worker processes. Default: $BENCHBASE_JOBS, or else the number of cores.",
)
"""``--jobs N`` gives `jobs` for commands that never compute in their own process."""


def as_json(what: str) -> Callable[[_Command], _Command]:
    """Return the option ``--json``, which gives `as_json`: whether to print only JSON.

    Parameters
    ----------
    what : str
        The name of what is printed, for the help, such as ``"the numbers"``.
    """
    return click.option(
        "--json", "as_json", is_flag=True, help=f"Print {what} as JSON, and nothing else."
    )


def form(choices: Sequence[str], text: str = "Format to write.") -> Callable[[_Command], _Command]:
    """Return the option ``--format``, which gives `form`: one of several formats.

    Parameters
    ----------
    choices : sequence of str
        The names of the formats. The first is the default.
    text : str, optional
        The help, in one sentence.
    """
    kind = click.Choice(choices)
    return click.option(
        "--format", "form", type=kind, default=choices[0], show_default=True, help=text
    )


def output(metavar: str, text: str, *, required: bool = False) -> Callable[[_Command], _Command]:
    """Return the option ``-o``, ``--output``, which gives `output`: a path to write to, or None.

    A file that has standard output as its default is None for ``-o -`` too.

    Parameters
    ----------
    metavar : str
        The kind of path: ``"FILE"`` or ``"DIR"``.
    text : str
        The help, which should name the default.
    required : bool, optional
        Whether the option must be given.
    """
    kind = _Output(metavar, required=required)
    return click.option("-o", "--output", metavar=metavar, type=kind, required=required, help=text)
