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
    """The core's commands, and those of plugins.

    Plugins are loaded only when one of theirs is called for or all commands are listed.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the core's commands, in the order in which a user meets them, then others."""
        del ctx
        return [*COMMANDS, *self._of_plugins()]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help, those of plugins under a head of their own."""
        heads = {"Commands": [*COMMANDS]}
        try:
            heads["Commands of plugins"] = self._of_plugins()
            warn_of_broken_plugins()
        except BenchbaseError as error:  # help is there whatever is wrong with plugins
            click.echo(f"warning: {error}", err=True)
        width = max(len(name) for names in heads.values() for name in names)
        for head, names in heads.items():
            found = [(name, self.get_command(ctx, name)) for name in names]
            limit = formatter.width - width - 6
            rows = [(n.ljust(width), c.get_short_help_str(limit)) for n, c in found if c]
            if rows:
                with formatter.section(head):
                    formatter.write_dl(rows)

    def _of_plugins(self) -> list[str]:
        from benchbase.discovery.registry import registry

        if not self.commands:
            registry().add_commands(self)
        return sorted(self.commands.keys() - COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of the core or, failing that, of a plugin."""
        if cmd_name in COMMANDS:
            module = importlib.import_module(COMMANDS[cmd_name])
            command: click.Command = getattr(module, f"{cmd_name}_command")
            return command
        self._of_plugins()
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
    from benchbase.discovery.registry import registry

    for warning in registry().warnings:
        click.echo(f"warning: {warning}", err=True)
