"""Whether the bundled plugins are still what they were, without loading or reading them."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

from benchbase.discovery.points import plugin_points
from benchbase.discovery.providers import bundled
from benchbase.system.loading import CORE, top_of

_TICK = 2.0
"""Seconds within which two changes of a file may have the same time, on the coarsest systems."""


def stamp() -> str | None:
    """Return a digest of all that the bundled plugins may say of themselves depends on.

    It covers Python, the path of imports with the times of its folders, which change when a
    distribution is installed or removed, the entry points, and path, size, times and number of each
    file of the core and of the plugins' packages. The time of a file's status (ctime) is one of
    them, which no program can set.

    Returns
    -------
    str or None
        None if nothing can be said: a stranger's plugin is installed, whose code may depend on
        anything; something is wrong with the entry points; a package is not in a folder; or a file
        was changed just now and may be changed again within one tick of the clock.

    Raises
    ------
    PluginError
        If another distribution says that it is benchbase.
    """
    points, problems = plugin_points()
    if problems or any(point.module not in bundled() for point in points):
        return None
    total = hashlib.sha256(repr((sys.version, sys.executable)).encode())
    for folder in sys.path:
        total.update(f"{folder} {_changed(folder)}\n".encode())
    newest = 0
    for top in sorted({CORE, *(top_of(point.module) for point in points)}):
        spec = find_spec(top)
        folders = (spec.submodule_search_locations if spec else None) or ()
        if not any(map(os.path.isdir, folders)):
            return None
        for folder in folders:
            for path, status in _files(folder):
                times = status.st_mtime_ns, status.st_ctime_ns
                newest = max(newest, *times)
                total.update(f"{path} {status.st_size} {status.st_ino} {times}\n".encode())
    total.update("\n".join(f"{point.name} = {point.value}" for point in points).encode())
    return None if newest > (time.time() - _TICK) * 1e9 else total.hexdigest()


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 # an entry of the path may be any text
    except (OSError, ValueError):
        return 0


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield path and status of each file in a folder, but not those that Python itself writes."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files(entry.path)
            else:
                yield entry.path, entry.stat()
