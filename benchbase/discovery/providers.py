"""The suppliers of components, and which of them come with benchbase itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from benchbase.errors import PluginError
from benchbase.loading import CORE

GROUP = "benchbase"
"""The group of the entry points of plugins."""


@dataclass(frozen=True)
class Provider:
    """The supplier of a component: a plugin of a distribution, a plugin file, or a session.

    Attributes
    ----------
    owner : str
        The distribution or the file.
    plugin : str
        The name of the entry point or of the file's module.
    source : str
        What `Registry.load_source` takes to load it: an entry point's name or a file's path. It is
        empty for bundled plugins, which are trusted, and for a session.
    """

    owner: str
    plugin: str
    source: str = ""

    def __str__(self) -> str:
        return self.owner


SESSION = Provider("this session", "")


@cache
def bundled() -> frozenset[str]:
    """Return the names of the packages that come with benchbase itself, which are trusted.

    Raises
    ------
    PluginError
        If another distribution says that it is benchbase.
    """
    points = entry_points()
    own = {p.dist.name for p in points.select(group="console_scripts", name=CORE) if p.dist}
    if len(own) > 1:
        names = " and ".join(sorted(own))
        raise PluginError(f"the distributions {names} both supply {CORE}; uninstall one of them")
    return frozenset(p.module for p in points.select(group=GROUP) if p.dist and p.dist.name in own)


def distribution_of(point: EntryPoint) -> str:
    """Return the name of the distribution of an entry point."""
    return point.dist.name if point.dist is not None else "(unknown)"
