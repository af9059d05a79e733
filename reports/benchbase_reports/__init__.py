"""Reports: tables, curves and transitions of any suite; the paper's figure 1 and claims."""

from collections.abc import Callable

import click

import benchbase
from benchbase_reports.claims import Claims
from benchbase_reports.curves import Curves
from benchbase_reports.figure1 import Figure1
from benchbase_reports.site.commands import accept_command, publish_command, submit_command
from benchbase_reports.sweep_report import Sweeps
from benchbase_reports.tables import ComparativeTable
from benchbase_reports.trace_report import Traces
from benchbase_reports.transition_report import Transitions


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    """Supply all reports of this package."""
    register(ComparativeTable)
    register(Curves)
    register(Figure1)
    register(Claims)
    register(Transitions)
    register(Sweeps)
    register(Traces)


@benchbase.hookimpl
def register_commands(cli: click.Group) -> None:
    """Supply all commands of this package."""
    for command in (publish_command, submit_command, accept_command):
        cli.add_command(command)
