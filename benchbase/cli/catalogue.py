"""What is installed, as `list`, `show` and the help tell it, kept from one call to the next.

Loading all plugins takes several times as long as all else that these commands do. What is kept is
used only if no file that it was made from has changed since (`benchbase.discovery.stamps`), and
only if there are no strangers' plugins and no warnings.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import secrets
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchbase.discovery.stamps import stamp
from benchbase.errors import BenchbaseError
from benchbase.system.paths import cache_folder

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A component: its kind and name, its supplier, its documentation.

    Its table in a suite is empty unless it was asked for, since making tables takes long.
    """

    kind: str
    name: str
    provider: str
    documentation: str
    table: list[str]


@dataclass(frozen=True)
class SuiteEntry:
    """A suite: its name, its title, its text, and its file; no text if it cannot be read."""

    name: str
    title: str
    text: str | None
    file: str


@dataclass(frozen=True)
class Catalogue:
    """What is installed.

    Attributes
    ----------
    components : list of Entry
        In the order of kinds and names.
    suites : list of SuiteEntry
        In the order of names.
    commands : dict of str to str
        The help of each command that a plugin adds.
    warnings : list of str
        One line for each plugin, and for each part of one, that could not be loaded.
    """

    components: list[Entry]
    suites: list[SuiteEntry]
    commands: dict[str, str]
    warnings: list[str]


def catalogue(show: str = "") -> Catalogue:
    """Return what is installed: as it was kept, or else as the plugins say that are loaded now.

    A process that has loaded plugins asks these, because it may have loaded more since.

    Parameters
    ----------
    show : str, optional
        The name of the components whose tables are asked for.
    """
    if "benchbase.discovery.registry" in sys.modules:
        return _of_plugins(show)
    now = stamp()
    known = _kept(now) if now is not None else None
    if known is None or (show and not all(each.table for each in known.components)):
        known = _of_plugins(show, all_tables=bool(show and now))
        if now is not None and not known.warnings and stamp() == now:
            _keep(known, now)
    return known


def _of_plugins(show: str, *, all_tables: bool = False) -> Catalogue:
    """Load the plugins, unless they are loaded, and return what they say."""
    import click

    from benchbase.discovery.registry import KINDS, registry
    from benchbase.planning.toml import as_suite_table

    known, group = registry(), click.Group()
    known.add_commands(group)
    components = [
        Entry(
            kind,
            name,
            provider=str(known.providers[kind, name]),
            documentation=inspect.getdoc(cls) or "",
            table=[*as_suite_table(cls)] if all_tables or name == show else [],
        )
        for kind in KINDS
        for name, cls in sorted(known.classes[kind].items())
    ]
    suites = [_suite(name, path) for name, path in sorted(known.suites.items())]
    helps = {name: each.short_help or each.help or "" for name, each in group.commands.items()}
    return Catalogue(components, suites, helps, known.warnings)


def _suite(name: str, path: Path) -> SuiteEntry:
    from benchbase.planning.toml import TomlFile

    try:
        file = TomlFile.read(path)
        return SuiteEntry(name, str(file.data.get("title", "")), file.text, str(path))
    except BenchbaseError as error:
        return SuiteEntry(name, f"(cannot be read: {error})", None, str(path))


def _file() -> Path:
    """Return the file for this installation; several may share the cache."""
    own = hashlib.sha256(f"{sys.prefix} {__file__}".encode()).hexdigest()[:16]
    return cache_folder() / f"catalogue-{own}.json"


def _kept(now: str) -> Catalogue | None:
    """Return what was kept under a stamp, or None if there is nothing or it is damaged."""
    try:
        data = json.loads(_file().read_bytes())
        if data["stamp"] != now:
            return None
        components = [Entry(**each) for each in data["components"]]
        suites = [SuiteEntry(**each) for each in data["suites"]]
        return Catalogue(components, suites, {**data["commands"]}, [])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _keep(known: Catalogue, now: str) -> None:
    """Write what is known for the next call. If that is not possible, it is made again then."""
    file = _file()
    part = file.with_suffix(f".{secrets.token_hex(8)}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"stamp": now, **asdict(known)}))
        part.replace(file)
