"""`benchbase list` and `benchbase show`: the installed components and suites."""

from __future__ import annotations

from pathlib import Path

import click

from benchbase.cli import warn
from benchbase.cli.catalogue import SuiteEntry, catalogue
from benchbase.errors import BenchbaseError, suggestion

KINDS_LISTED = ("solver", "frame", "pooling", "dataset", "noise", "hint", "report")
PLURALS = {f"{kind}s": kind for kind in KINDS_LISTED}
WHAT = (*PLURALS, "suites")


@click.command("list")
@click.argument("what", type=click.Choice(WHAT), required=False)
def list_command(what: str | None) -> None:
    """List the installed components and suites.

    Each line holds a name and a description.
    """
    known = catalogue()
    warn(known.warnings)
    for plural in [what] if what else WHAT:
        if plural == "suites":
            rows = [(suite.name, suite.title) for suite in known.suites]
        else:
            entries = [each for each in known.components if each.kind == PLURALS[plural]]
            rows = [(each.name, each.documentation.partition("\n")[0]) for each in entries]
        if not what:
            click.secho(plural, bold=True)
        width = max((len(name) for name, _ in rows), default=0)
        for name, summary in rows:
            click.echo(f"{'' if what else '  '}{name:{width}}  {summary}")


@click.command("show")
@click.argument("name")
def show_command(name: str) -> None:
    """Show a component's documentation, or the text of a suite.

    NAME is a name that `benchbase list` prints. After the documentation of a component comes a
    table to copy into a suite, with its parameters and their defaults. Parameters that are unset by
    default are left out.
    """
    known = catalogue(show=name)
    warn(known.warnings)
    suites = [suite for suite in known.suites if suite.name == name]
    entries = [entry for entry in known.components if entry.name == name]
    for suite in suites:
        click.echo(_text(suite).rstrip())
    if not suites and not entries:
        names = {entry.name for entry in known.components} | {each.name for each in known.suites}
        raise BenchbaseError(f"nothing is named {name!r}{suggestion(name, names)}")
    for index, entry in enumerate(entries):
        if index or suites:
            click.echo()
        click.secho(f"{entry.kind} {name}", bold=True, nl=False)
        click.echo(f"  (from {entry.provider})")
        click.echo(entry.documentation or "This component has no documentation.")
        click.echo(
            "\nIn a suite, with the defaults (parameters that are unset by default are left out):\n"
        )
        click.echo("\n".join(entry.table))


def _text(suite: SuiteEntry) -> str:
    """Return the text of a suite; raise a `SuiteError` if its file cannot be read."""
    if suite.text is not None:
        return suite.text
    from benchbase.planning.toml import TomlFile

    return TomlFile.read(Path(suite.file)).text
