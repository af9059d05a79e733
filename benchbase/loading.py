"""What this process has loaded: the sources of modules as they were then.

What is edited afterwards is not what runs. Only text is kept here; `benchbase.discovery.sources`
compares what it means.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORE = "benchbase"

_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_LIBRARIES = tuple(str(Path(sysconfig.get_path(name))) + os.sep for name in _PATHS)
_PARTS = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))

_homes = {CORE}
_seen: set[str] = set()
_sources: dict[str, bytes] = {}
_stamps: dict[str, tuple[int, int]] = {}
_given: dict[str, bytes] = {}


def top_of(module: str) -> str:
    """Return the name of the top-level package of a module, or its own if it is in none."""
    return module.partition(".")[0]


def in_library(file: str | Path) -> bool:
    """Whether a file is in a folder of installed libraries, or of Python's own."""
    place = str(file)
    return place.startswith(_LIBRARIES) or any(part in place for part in _PARTS)


def attribute(module: Any, name: str) -> Any:
    """Return what a module has under a name, None if nothing; a lazy module stays unloaded."""
    try:
        return object.__getattribute__(module, "__dict__").get(name)
    except AttributeError:  # there may be anything in `sys.modules`
        return None


def note_loaded(module: str = CORE) -> None:
    """Keep the sources of all modules that were loaded since the last call, libraries left out.

    Parameters
    ----------
    module : str, optional
        One with a component. Its package is kept even if it is installed among libraries.
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
        return  # it is read again if it counts, and complained of then


def keep_source(file: Path, source: bytes) -> bytes:
    """Keep the source of a loaded file unless it is kept; return what is."""
    return _sources.setdefault(str(file), source)


def give_source(module: str, source: bytes) -> None:
    """Keep the source of a plugin file under the name of its module: it may be loaded again."""
    _given[module] = source


def given_source(module: str) -> bytes | None:
    """Return the source of a plugin file as it was loaded, None for any other module."""
    return _given.get(module)


def is_changed(file: Path) -> bool:
    """Whether a file that is no source was written after its package had been loaded."""
    return _stamps.get(str(file), _stamp(file)) != _stamp(file)


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a package in order; hidden ones and those of tools are left out."""
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if not hidden and file.suffix not in (".pyc", ".pyi") and file.is_file():
            yield file
