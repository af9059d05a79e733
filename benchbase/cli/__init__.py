"""The command line. Its commands import what they need only when they are called."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Any

import click

from benchbase.errors import BenchbaseError, described, system_error, unstorable
from benchbase.system.loading import VERSION
from benchbase.system.outputs import patient_streams

INTERRUPTED = "interrupted; what is finished is stored, and the same command does the rest"
"""What the user is told after Ctrl-C or a SIGTERM."""

COMMANDS = {
    "run": "benchbase.cli.run",
    "list": "benchbase.cli.look",
    "show": "benchbase.cli.look",
    "report": "benchbase.cli.output",
    "export": "benchbase.cli.output",
    "merge": "benchbase.cli.merge",
    "verify": "benchbase.cli.verify",
}
"""The core's commands, each with its module. Plugins may add others."""


class Commands(click.Group):
    """The commands of the core and of plugins.

    Plugins are loaded only to find a command that the core does not have, or to list all commands
    if these are not known from an earlier call. Those of strangers are not loaded to find a command
    that a bundled plugin has, such as `accept`.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the core's commands in the order of their use, then the others."""
        del ctx
        from benchbase.cli.catalogue import catalogue

        return [*COMMANDS, *sorted(catalogue().commands.keys() - COMMANDS)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help, with a heading of their own for those of plugins."""
        from benchbase.cli.catalogue import catalogue

        core = [(name, self.get_command(ctx, name)) for name in COMMANDS]
        heads = {"Commands": [(name, command) for name, command in core if command]}
        try:
            known = catalogue()
            heads["Commands of plugins"] = [
                (name, click.Command(name, help=text))
                for name, text in sorted(known.commands.items())
                if name not in COMMANDS
            ]
            warn(known.warnings)
        except BenchbaseError as error:  # the help must work even if plugins are broken
            click.echo(f"warning: {error}", err=True)
        width = max(len(name) for commands in heads.values() for name, _ in commands)
        limit = formatter.width - width - 6
        for head, commands in heads.items():
            if commands:
                with formatter.section(head):
                    formatter.write_dl(
                        [(name.ljust(width), c.get_short_help_str(limit)) for name, c in commands]
                    )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name; the core's commands come before those of plugins."""
        if cmd_name in COMMANDS:
            module = importlib.import_module(COMMANDS[cmd_name])
            command: click.Command = getattr(module, f"{cmd_name}_command")
            return command
        from benchbase.discovery.registry import registry, without_strangers

        bundled = click.Group()
        with without_strangers():
            registry().add_commands(bundled)
        if cmd_name in bundled.commands:
            return bundled.commands[cmd_name]
        if not self.commands:
            registry().add_commands(self)
        added = super().get_command(ctx, cmd_name)
        if added is None:
            warn_of_broken_plugins()  # a broken plugin may have the command
        return added

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """Run the command line; whatever goes wrong becomes one message and an exit code.

        Faults of standard output and error end no work.
        """
        with patient_streams():
            try:
                return super().main(
                    _checked(sys.argv[1:] if args is None else args), *more, **options
                )
            except BaseException as error:  # a plugin's code may raise anything
                message, code = _explained(error)
                if code is None:
                    raise
                if os.environ.get("BENCHBASE_DEBUG") and not isinstance(error, BenchbaseError):
                    message = f"{''.join(traceback.format_exception(error))}{message}"
                click.echo("\n".join(map(_shortened, message.splitlines())), err=True)
                sys.exit(code)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; an interruption by the user has its own exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(INTERRUPTED, err=True)
            ctx.exit(130)


def _checked(args: Sequence[str]) -> list[str]:
    for arg in args:
        if unstorable(arg):
            raise BenchbaseError(f"the argument {arg!a} is not UTF-8; rename what it names")
    return [*args]


def _shortened(line: str) -> str:
    return line if len(line) < 2_000 else f"{line[:1_000]} … {line[-1_000:]}"


def _blamed(error: BaseException) -> BenchbaseError | None:
    if "benchbase.discovery.registry" not in sys.modules:
        return None  # no plugin was loaded
    from benchbase.discovery.blame import blamed

    try:
        return blamed(error)
    except BenchbaseError:  # the installation is broken, and no one can tell whose code it is
        return None


def _explained(error: BaseException) -> tuple[str, int | None]:
    """Return the message and the exit code of an error; None if it is an exit and no error."""
    if isinstance(error, BenchbaseError):
        return f"error: {error}", error.exit_code
    if failure := _blamed(error):
        return _explained(failure)
    if isinstance(error, OSError):
        return _explained(system_error(error.filename or "a file or a stream", error))
    if isinstance(error, MemoryError):
        return "error: this machine's memory is too small for this", 1
    if isinstance(error, Exception | GeneratorExit):
        report = "please report it with what BENCHBASE_DEBUG=1 prints"
        return f"internal error: {described(error)}; {report}", 70
    return "", None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION)
def main() -> None:
    """Benchmark signal recovery from pooling representations.

    Start with: benchbase run quick
    """


def warn_of_broken_plugins() -> None:
    """Print on standard error which plugins could not be loaded."""
    from benchbase.discovery.registry import registry

    warn(registry().warnings)


def warn(warnings: Iterable[str]) -> None:
    """Print warnings on standard error."""
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
