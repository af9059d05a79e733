"""`benchbase list` and `benchbase show`: the installed components and suites."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from benchbase.cli import warn_of_broken_plugins
from benchbase.component import Component
from benchbase.discovery.registry import KINDS, registry
from benchbase.errors import BenchbaseError, suggestion

KINDS_LISTED = ("solver", "frame", "pooling", "dataset", "noise", "hint", "report")
PLURALS = {f"{kind}s": kind for kind in KINDS_LISTED}
WHAT = (*PLURALS, "suites")
IN_LISTS = ("solver", "report")
"""The kinds of which a suite may have several. Their tables have double brackets."""


@click.command("list")
@click.argument("what", type=click.Choice(WHAT), required=False)
def list_command(what: str | None) -> None:
    """List the installed components and suites.

    Each line holds a name and a description.
    """
    known = registry()
    warn_of_broken_plugins()
    for plural in [what] if what else WHAT:
        if plural == "suites":
            rows = [(name, suite_title(path)) for name, path in sorted(known.suites.items())]
        else:
            classes = known.classes[PLURALS[plural]]
            rows = [(name, _summary(cls)) for name, cls in sorted(classes.items())]
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
    from benchbase.planning.toml import TomlFile

    known = registry()
    warn_of_broken_plugins()
    found = [(kind, known.classes[kind][name]) for kind in KINDS if name in known.classes[kind]]
    if name in known.suites:
        click.echo(TomlFile.read(known.suites[name]).text.rstrip())
    elif not found:
        names = {n for table in known.classes.values() for n in table} | set(known.suites)
        raise BenchbaseError(f"nothing is named {name!r}{suggestion(name, names)}")
    for index, (kind, cls) in enumerate(found):
        if index or name in known.suites:
            click.echo()
        click.secho(f"{kind} {name}", bold=True, nl=False)
        click.echo(f"  (from {known.providers[kind, name]})")
        click.echo(inspect.getdoc(cls) or "This component has no documentation.")
        click.echo(
            "\nIn a suite, with the defaults (parameters that are unset by default are left out):\n"
        )
        click.echo("\n".join(as_suite_table(cls)))


def suite_title(path: Path) -> str:
    """Return the title of a suite's file, or what is wrong with the file."""
    from benchbase.planning.toml import TomlFile

    try:
        return str(TomlFile.read(path).data.get("title", ""))
    except BenchbaseError as error:
        return f"(cannot be read: {error})"


def as_suite_table(cls: type[Component]) -> Iterator[str]:
    """Yield the lines of a component's table in a suite, with all its defaults.

    The lines are TOML. A parameter without a default becomes a comment that names its type. A
    parameter whose default is None has no line, since TOML cannot write None.

    Parameters
    ----------
    cls : type of Component
        The component's class.
    """
    from benchbase.planning.toml import as_toml_pair

    yield f"[[{cls.kind}]]" if cls.kind in IN_LISTS else f"[{cls.kind}]"
    yield as_toml_pair("name", cls.name)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type] # subclasses are dataclasses
        if field.default_factory is not dataclasses.MISSING:
            yield as_toml_pair(field.name, field.default_factory())
        elif field.default is dataclasses.MISSING:
            kind = field.type.__name__ if isinstance(field.type, type) else field.type
            yield f"# {field.name} = ... needs a value: {kind}"
        elif field.default is not None:
            yield as_toml_pair(field.name, field.default)


def _summary(cls: type[Component]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]
