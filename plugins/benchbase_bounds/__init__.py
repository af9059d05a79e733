"""The Lipschitz constants of pooling representations, and whether they are injective."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import benchbase
from benchbase_bounds.reports.bounds import Bounds
from benchbase_bounds.reports.collisions import Collisions

if TYPE_CHECKING:
    import click


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    """Supply the reports of this package."""
    register(Bounds)
    register(Collisions)


@benchbase.hookimpl
def register_commands(cli: click.Group) -> None:
    """Supply ``benchbase bounds``."""
    from benchbase_bounds.command import bounds_command

    cli.add_command(bounds_command)
