"""The sources of the modules that this process has loaded, as they were then.

If a file is edited afterwards, the process still runs the old code. This module only keeps the
bytes; `benchbase.discovery.sources` compares their programs.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORE = "benchbase"
VERSION = "0.1.0"
"""The version of benchbase, whatever the distribution that it was installed from is called."""

_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_LIBRARIES = tuple(str(Path(sysconfig.get_path(name))) + os.sep for name in _PATHS)
_PARTS = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))

_homes = {CORE}
_seen: set[str] = set()
_sources: dict[str, bytes] = {}
_stamps: dict[str, tuple[int, int]] = {}
_given: dict[str, bytes] = {}


def top_of(module: str) -> str:
    """Return the name of a module's top-level package, or its own name if it is in none."""
    return module.partition(".")[0]


def in_library(file: str | Path) -> bool:
    """Whether a file is in a folder of installed libraries or of the standard library."""
    place = str(file)
    return place.startswith(_LIBRARIES) or any(part in place for part in _PARTS)


def attribute(module: Any, name: str) -> Any:
    """Return a module's attribute, or None if it has none; a lazy module stays unloaded."""
    try:
        return object.__getattribute__(module, "__dict__").get(name)
    except AttributeError:  # `sys.modules` may contain any object
        return None


def names_in(module: str) -> dict[str, Any]:
    """Return the names that a module defines, or none if it is not loaded."""
    return getattr(sys.modules.get(module), "__dict__", {})


def note_loaded(module: str = CORE) -> None:
    """Keep the sources of all modules that were loaded since the last call, except libraries.

    Parameters
    ----------
    module : str, optional
        A module that defines a component. The sources of its package are kept even if the package
        is installed among libraries.
    """
    new = set(sys.modules) - _seen
    _seen.update(new)
    top = top_of(module)
    if top not in _homes:
        _homes.add(top)
        new |= {name for name in _seen if top_of(name) == top}
    for name in new:
        file = attribute(sys.modules.get(name), "__file__")
        if isinstance(file, str) and (top_of(name) in _homes or not in_library(file)):
            _keep(name, Path(file))


def _keep(module: str, file: Path) -> None:
    try:
        if file.suffix == ".py":
            keep_source(file, file.read_bytes())
        if "." not in module and file.name == "__init__.py":
            for other in files_of(file.parent):
                if other.suffix != ".py":
                    _stamps.setdefault(str(other), _stamp(other))
    except OSError:
        return  # if the file counts, it is read again later and the error is raised then


def keep_source(file: Path, source: bytes) -> bytes:
    """Keep the source of a loaded file unless one is kept already; return the kept one."""
    return _sources.setdefault(str(file), source)


def give_source(module: str, source: bytes) -> None:
    """Keep the source of a plugin file under its module's name, in place of an earlier one."""
    _given[module] = source


def given_source(module: str) -> bytes | None:
    """Return the source of a plugin file as it was loaded, or None for any other module."""
    return _given.get(module)


def is_changed(file: Path) -> bool:
    """Whether a file that is not a source was written after its package had been loaded."""
    return _stamps.get(str(file), _stamp(file)) != _stamp(file)


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_size


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a package in order, without hidden files and those that tools write."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and name != "__pycache__"]
        found += [
            Path(place, name)
            for name in names
            if name[0] != "." and not name.endswith((".pyc", ".pyi")) and name != "__pycache__"
        ]
    yield from (file for file in sorted(found) if file.is_file())
