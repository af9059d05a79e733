"""A plugin by someone else: a data set, a frame, a pooling, solvers, a report, a suite, a command.

It imports nothing of benchbase but `benchbase` itself.
"""

from collections.abc import Callable
from pathlib import Path

import click

import benchbase

from .problems import Energy, Neighbours, Waves
from .solvers import Averaged, shot_in_the_dark
from .summary import Summary


@benchbase.hookimpl
def register_datasets(register: Callable[[type[benchbase.Dataset]], None]) -> None:
    register(Waves)


@benchbase.hookimpl
def register_frames(register: Callable[[type[benchbase.FrameDesign]], None]) -> None:
    register(Neighbours)


@benchbase.hookimpl
def register_poolings(register: Callable[[type[benchbase.Pooling]], None]) -> None:
    register(Energy)


@benchbase.hookimpl
def register_solvers(register: Callable[[object], None]) -> None:
    register(Averaged)
    register(shot_in_the_dark)


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    register(Summary)


@benchbase.hookimpl
def register_suites(register: Callable[[Path], None]) -> None:
    register(Path(__file__).parent / "stranger.toml")


@benchbase.hookimpl
def register_commands(cli: click.Group) -> None:
    @cli.command("stranger")
    def stranger() -> None:
        """Say hello."""
        click.echo("hello from a stranger")
