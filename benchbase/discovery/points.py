"""The entry points of plugins, read from one installed distribution after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata

from benchbase.errors import described

GROUP = "benchbase"
"""The group of the entry points of plugins."""


def plugin_points() -> tuple[list[metadata.EntryPoint], list[str]]:
    """Return the entry points of plugins in the order of their names, and what is wrong.

    If two distributions use one name for a plugin, neither is taken. But if both name the same
    module, as a left-over of an earlier installation does, it is taken once.

    Returns
    -------
    points : list of importlib.metadata.EntryPoint
        One for each plugin.
    problems : list of str
        One sentence for each distribution or plugin that was left out.
    """
    found: defaultdict[str, list[metadata.EntryPoint]] = defaultdict(list)
    problems: list[str] = []
    seen: set[str] = set()
    for distribution, points in installed_points(GROUP):
        name = _words(distribution)
        if isinstance(points, Exception):
            problems.append(f"the entry points of {name} cannot be read: {described(points)}")
            continue
        if name not in seen:  # Python would import from the first one as well
            seen.add(name)
            for point in points:
                found[point.name].append(point)
    chosen: list[metadata.EntryPoint] = []
    shared: defaultdict[str, list[str]] = defaultdict(list)
    for name, same in sorted(found.items()):
        owners = " and ".join(sorted({owner_of(point) for point in same}))
        if len({point.value for point in same}) == 1:
            chosen.append(same[0])
            if len(same) > 1:
                shared[owners].append(name)
        else:
            problems.append(
                f"two plugins are named '{name}', of {owners}, and neither is loaded; "
                "uninstall one of them"
            )
    for owners, names in shared.items():
        problems.append(f"{owners} name the same plugins ({', '.join(names)}); uninstall one")
    return chosen, problems


def installed_points(
    group: str,
) -> Iterator[tuple[metadata.Distribution, metadata.EntryPoints | Exception]]:
    """Yield the distributions that have entry points of a group, each with these or an error.

    `importlib.metadata.entry_points` reads all other groups and the names of all distributions too,
    which takes longer.
    """
    for distribution in metadata.distributions():
        try:
            if f"[{group}]" not in (distribution.read_text("entry_points.txt") or ""):
                continue
            points = distribution.entry_points.select(group=group)
            _ = [point.module for point in points]  # fails if the text is no name of a module
        except Exception as error:  # the standard library checks little of what it reads
            yield distribution, error
        else:
            yield distribution, points


def owner_of(point: metadata.EntryPoint) -> str:
    """Say which distribution an entry point belongs to: "the distribution acme"."""
    return "no distribution" if point.dist is None else _words(point.dist)


@lru_cache(maxsize=256)  # reading the metadata takes as long as all else here
def distribution_name(distribution: metadata.Distribution) -> str | None:
    """Return the name of a distribution, or None if its metadata are lost."""
    try:
        return distribution.name or None
    except Exception:  # without metadata, each version of Python does something else
        return None


def _words(distribution: metadata.Distribution) -> str:
    name = distribution_name(distribution)
    place = getattr(distribution, "_path", None) or distribution.locate_file("")
    return f"the distribution {name}" if name else f"the distribution without a name in {place}"
