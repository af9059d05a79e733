"""Reports of any suite: tables, curves, transitions, sweeps, traces, leaderboard and page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import benchbase
from benchbase_reports.curves import Curves
from benchbase_reports.leaderboard.report import Leaderboard
from benchbase_reports.page.report import Page
from benchbase_reports.sweep_report import Sweeps
from benchbase_reports.tables import ComparativeTable
from benchbase_reports.trace_report import Traces
from benchbase_reports.transition_report import Transitions

if TYPE_CHECKING:
    import click


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    """Supply all reports of this package."""
    register(ComparativeTable)
    register(Curves)
    register(Transitions)
    register(Sweeps)
    register(Traces)
    register(Leaderboard)
    register(Page)


@benchbase.hookimpl
def register_commands(cli: click.Group) -> None:
    """Supply the commands of this package."""
    from benchbase_reports.commands import COMMANDS

    for command in COMMANDS:
        cli.add_command(command)
