"""`benchbase list` and `benchbase show`: what there is to run."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import click

from benchbase.cli import warn_of_broken_plugins
from benchbase.component import Component
from benchbase.discovery.registry import KINDS, registry
from benchbase.errors import BenchbaseError, suggestion

KINDS_LISTED = ("solver", "frame", "pooling", "dataset", "noise", "hint", "report")
PLURALS = {f"{kind}s": kind for kind in KINDS_LISTED}
WHAT = (*PLURALS, "suites")


@click.command("list")
@click.argument("what", type=click.Choice(WHAT), required=False)
def list_command(what: str | None) -> None:
    """List what is installed: components of each kind, and suites."""
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
    """Show a component's documentation and parameters, or a suite's file."""
    known = registry()
    warn_of_broken_plugins()
    found = [(kind, known.classes[kind][name]) for kind in KINDS if name in known.classes[kind]]
    if name in known.suites:
        click.echo(known.suites[name].read_text(encoding="utf-8").rstrip())
    elif not found:
        names = {n for table in known.classes.values() for n in table} | set(known.suites)
        raise BenchbaseError(f"nothing is named {name!r}{suggestion(name, names)}")
    for index, (kind, cls) in enumerate(found):
        if index or name in known.suites:
            click.echo()
        click.secho(f"{kind} {name}", bold=True, nl=False)
        click.echo(f"  (from {known.providers[kind, name]})")
        click.echo(inspect.getdoc(cls) or "no documentation")
        click.echo(f"\nspec: {_spec(cls)}")


def suite_title(path: Path) -> str:
    """Return the title of a suite's file, or what is wrong with the file."""
    from benchbase.planning.toml import TomlFile

    try:
        return str(TomlFile.read(path).data.get("title", ""))
    except BenchbaseError as error:
        return f"(cannot be read: {error})"


def _summary(cls: type[Component]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _spec(cls: type[Component]) -> str:
    """Spell the component with its defaults the way a suite does."""
    parts = [f'name = "{cls.name}"']
    for field in dataclasses.fields(cls):  # type: ignore[arg-type] # subclasses are dataclasses
        if field.default_factory is not dataclasses.MISSING:
            parts.append(f"{field.name} = {_toml(field.default_factory())}")
        elif field.default is dataclasses.MISSING:
            kind = field.type.__name__ if isinstance(field.type, type) else field.type
            parts.append(f"{field.name} = (needed: {kind})")
        elif field.default is not None:
            parts.append(f"{field.name} = {_toml(field.default)}")
    return f"{{ {', '.join(parts)} }}"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Component):
        value = value.spec()
    if isinstance(value, dict):
        own = {key: item for key, item in value.items() if item is not None}
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in own.items())} }}"
    return f'"{value}"' if isinstance(value, str) else str(value)
