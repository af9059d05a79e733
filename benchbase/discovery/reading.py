"""Which files a program reads while it runs, beside the modules that it imports."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import source_from_cache
from pathlib import Path

from benchbase.system.loading import attribute, in_library

_FOREIGN = tuple(f"{folder}{os.sep}" for folder in {sys.prefix, sys.base_prefix})
_SYSTEM = ("/dev/", "/etc/", "/proc/", "/sys/", "/usr/")


@dataclass
class Reads:
    """The files that were opened during a time.

    Attributes
    ----------
    start : int
        When the time began, in nanoseconds.
    opened, written : set of str
        The paths of files that were opened, and of those that were opened to be written.
    """

    start: int = field(default_factory=time.time_ns)
    opened: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def files(self) -> Iterator[Path]:
        """Yield what the program may depend on, in the order of the paths.

        Left out are modules that were imported, since imports are followed elsewhere, libraries,
        files of the system, and files that were written meanwhile or are gone.
        """
        if not self.opened - self.written:
            return
        modules = [*sys.modules.values()]
        known = {attribute(module, "__file__") for module in modules}
        for path in sorted({_source(path) for path in self.opened - self.written} - known):
            file = Path(path)
            foreign = in_library(file) or path.startswith((*_FOREIGN, *_SYSTEM))
            if not foreign and file.is_file() and file.stat().st_mtime_ns < self.start:
                yield file


_watching: list[Reads] = []


@contextmanager
def reading() -> Iterator[Reads]:
    """Note which files this process opens through Python while the context lasts."""
    _listen()
    reads = Reads()
    _watching.append(reads)
    try:
        yield reads
    finally:
        _watching.remove(reads)


@cache
def _listen() -> None:
    sys.addaudithook(_hear)  # for good: there is no way to remove one


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if not _watching:
        return
    if event == "subprocess.Popen":  # what it is given may be scripts and data
        words = arguments[1] if isinstance(arguments[1], list | tuple) else ()
        for word in words:
            _note(word)
    elif event == "open":
        _, mode, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        named = isinstance(mode, str) and not {*mode}.isdisjoint("wax+")
        _note(arguments[0], written=bool(writes) or named)


def _note(path: object, *, written: bool = False) -> None:
    if not isinstance(path, str | bytes):
        return  # the number of an open file
    try:
        full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 # it may no longer exist
    except (OSError, ValueError):  # the current folder is gone
        return
    for each in _watching:
        each.opened.add(full)
        if written:
            each.written.add(full)


def _source(path: str) -> str:
    """Return the source of a compiled module, and the path itself for any other file."""
    try:
        return source_from_cache(path) if path.endswith(".pyc") else path
    except ValueError:
        return path
