"""Publishing: static sites of leaderboards, and bundles of results that a site checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import benchbase

if TYPE_CHECKING:
    import click


@benchbase.hookimpl
def register_commands(cli: click.Group) -> None:
    """Add the commands of this package: publish, submit, accept."""
    from benchbase_publish.commands import COMMANDS

    for command in COMMANDS:
        cli.add_command(command)
