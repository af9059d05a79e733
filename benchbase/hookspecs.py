"""The hooks that plugins implement.

A plugin is a module named by an entry point of the group ``benchbase``, or a file given with
``--plugin``. It implements any of these hooks with `hookimpl`::

    import benchbase

    @benchbase.hookimpl
    def register_solvers(register):
        register(MySolver)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from pathlib import Path

    import click

    from benchbase.interfaces import Dataset, Hint, Noise, Report, Solver
    from benchbase.representation import FrameDesign, Pooling

PROJECT = "benchbase"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    """Supply data sets: call ``register(cls)`` with each `Dataset` class."""


@hookspec
def register_frames(register: Callable[[type[FrameDesign]], None]) -> None:
    """Supply recipes for frames: call ``register(cls)`` with each `FrameDesign` class."""


@hookspec
def register_poolings(register: Callable[[type[Pooling]], None]) -> None:
    """Supply pooling operators: call ``register(cls)`` with each `Pooling` class."""


@hookspec
def register_noises(register: Callable[[type[Noise]], None]) -> None:
    """Supply noise models: call ``register(cls)`` with each `Noise` class."""


@hookspec
def register_hints(register: Callable[[type[Hint]], None]) -> None:
    """Supply hints: call ``register(cls)`` with each `Hint` class.

    A hint is a first guess that is made from the true signal.
    """


@hookspec
def register_solvers(register: Callable[[type[Solver]], None]) -> None:
    """Supply solvers: call ``register(cls)`` with each `Solver` class."""


@hookspec
def register_reports(register: Callable[[type[Report]], None]) -> None:
    """Supply reports: call ``register(cls)`` with each `Report` class."""


@hookspec
def register_suites(register: Callable[[Path], None]) -> None:
    """Supply suites: call ``register(path)`` with each TOML file.

    The suite's name is the file's name without ``.toml``.
    """


@hookspec
def register_commands(cli: click.Group) -> None:
    """Supply commands: add them to the command line's group ``cli``.

    `benchbase.cli.options` has the options that commands share.
    """
