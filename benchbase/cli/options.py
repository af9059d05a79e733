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

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any] | click.Command)


def _results_folder(context: click.Context, option: click.Parameter, value: str | None) -> Path:
    from benchbase.api import results_folder

    del context, option
    return results_folder(value)


results = click.option(
    "--results",
    metavar="DIR",
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

    Parameters
    ----------
    metavar : str
        The kind of path: ``"FILE"`` or ``"DIR"``.
    text : str
        The help, which should name the default.
    required : bool, optional
        Whether the option must be given.
    """
    return click.option("-o", "--output", metavar=metavar, required=required, help=text)
