"""The command line. Commands are thin, and import what they need when they are called."""

from __future__ import annotations

import importlib

import click

from benchbase.errors import BenchbaseError

COMMANDS = {
    "run": "benchbase.cli.run",
    "list": "benchbase.cli.look",
    "show": "benchbase.cli.look",
    "report": "benchbase.cli.output",
    "export": "benchbase.cli.output",
    "merge": "benchbase.cli.merge",
    "verify": "benchbase.cli.verify",
}
"""The core's commands, and the module of each; plugins may add others."""


class Commands(click.Group):
    """The core's commands, and those of plugins, which are loaded only when one is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the core's commands, in the order in which a user meets them."""
        del ctx
        return [*COMMANDS, *sorted(self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of the core or, failing that, of a plugin."""
        if cmd_name in COMMANDS:
            module = importlib.import_module(COMMANDS[cmd_name])
            command: click.Command = getattr(module, f"{cmd_name}_command")
            return command
        from benchbase.registry import registry

        if not self.commands:
            registry().add_commands(self)
        found = super().get_command(ctx, cmd_name)
        if found is None:
            warn_of_broken_plugins()  # one of them may have been meant to bring it
        return found

    def invoke(self, ctx: click.Context) -> object:
        """Turn errors for people into one message and an exit code."""
        try:
            return super().invoke(ctx)
        except BenchbaseError as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("interrupted; what is finished is stored", err=True)
            ctx.exit(130)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="benchbase")
def main() -> None:
    """Benchmark signal recovery from pooling representations.

    Start with: benchbase run quick
    """


def warn_of_broken_plugins() -> None:
    """Say on standard error which plugins could not be loaded."""
    from benchbase.registry import registry

    for warning in registry().warnings:
        click.echo(f"warning: {warning}", err=True)
