"""The suppliers of components, and which of them come with benchbase itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchbase.discovery.points import distribution_name, installed_points, plugin_points
from benchbase.errors import PluginError
from benchbase.system.loading import CORE


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

    @property
    def is_installed(self) -> bool:
        """Whether it is a plugin of a distribution, rather than a file or a session."""
        return bool(self.plugin) and not Path(self.source).is_absolute()


SESSION = Provider("this session", "")


@cache
def bundled() -> frozenset[str]:
    """Return the names of the packages that come with benchbase itself, which are trusted.

    Raises
    ------
    PluginError
        If another distribution says that it is benchbase.
    """
    own = {
        distribution_name(distribution)
        for distribution, scripts in installed_points("console_scripts")
        if not isinstance(scripts, Exception) and scripts.select(name=CORE)
    } - {None}
    if len(own) > 1:
        names = " and ".join(sorted(map(str, own)))
        raise PluginError(f"the distributions {names} both supply {CORE}; uninstall one of them")
    return frozenset(
        point.module
        for point in plugin_points()[0]
        if point.dist and distribution_name(point.dist) in own
    )


def strangers() -> dict[str, str]:
    """Return the strangers' plugins that are installed, and their modules, without loading them."""
    points, _ = plugin_points()
    return {point.name: point.module for point in points if point.module not in bundled()}
