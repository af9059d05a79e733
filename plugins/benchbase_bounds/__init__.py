"""The Lipschitz constants of pooling representations, and whether they are injective."""

import click

import benchbase


@benchbase.hookimpl
def register_commands(cli: click.Group) -> None:
    """Supply ``benchbase bounds``."""
    from benchbase_bounds.command import bounds_command

    cli.add_command(bounds_command)
