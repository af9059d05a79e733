"""Arrays that are expensive to compute, stored on disk and shared by all processes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from benchbase.component import Array
from benchbase.errors import BenchbaseError, system_error
from benchbase.system.channel import note
from benchbase.system.paths import cache_folder

if TYPE_CHECKING:
    from filelock import BaseFileLock

CONTENTS = "contents.json"
"""The file of a folder that lists size and digest of its arrays; without it, all is damaged."""

PATIENCE, LIMIT = 10.0, 12 * 3600.0
"""Seconds of waiting for another process until the user is told, and until it is given up."""

STRANGERS = "strangers"
"""The folder of the cache for what is computed in processes that run a stranger's code."""

_strangers: set[str] = set()
"""The sources of the strangers' code that this process runs, if it is a worker."""

_intact: set[tuple[str, int, int, int]] = set()
"""Name, inode, size and time of the files whose digest this process has found to be right."""


def cached(key: str, build: Callable[[], Mapping[str, Array]]) -> dict[str, Array]:
    """Return arrays from the cache, and compute them first if they are missing or damaged.

    In a process that runs a stranger's code (`keep_apart`), what is not there is computed into a
    folder that only processes with the same code read. A file lock lets only one process compute
    them. They are written to a folder beside the final
    one, which is then renamed, so that an interrupted process leaves nothing half done. The size of
    each file is compared with the recorded one at each call, and its digest once in each process.

    Parameters
    ----------
    key : str
        A text with everything that the arrays depend on, including the code that computes them
        (`code_digest`). The part before the first space becomes part of the folder's name, so that
        people can tell the folders apart.
    build : callable
        Computes the arrays and returns them by name.

    Returns
    -------
    dict of str to ndarray
        The arrays by name, memory-mapped and read-only.

    Raises
    ------
    BenchbaseError
        If the folder cannot be read or written, or another process keeps its lock. It is a
        `DiskError` if the disk is full.
    """
    label = re.sub(r"[^A-Za-z0-9_-]", "-", key.split(" ", 1)[0])[:40]
    name = f"{label}-{hashlib.sha256(key.encode()).hexdigest()[:24]}"
    place = cache_folder() / name
    arrays = _open(place)
    if arrays is None and _strangers:
        place = own_place(cache_folder()) / name
        arrays = _open(place)
    if arrays is None:
        with _locked(place):
            arrays = _open(place)  # another process may have made them meanwhile
            if arrays is None:
                arrays = _make(place, build)
    return arrays


def keep_apart(stranger: str) -> None:
    """Note that this process runs a stranger's code, which may change what it computes.

    Parameters
    ----------
    stranger : str
        The source of the code: a plugin file or an entry point.
    """
    _strangers.add(stranger)


def own_place(folder: Path) -> Path:
    """Return the folder for what this process computes: the given one, or one in it for its like.

    Parameters
    ----------
    folder : pathlib.Path
        A folder for what processes compute that run bundled code only.
    """
    if not _strangers:
        return folder
    name = hashlib.sha256(repr(sorted(_strangers)).encode()).hexdigest()[:24]
    return folder / STRANGERS / name


def _make(place: Path, build: Callable[[], Mapping[str, Array]]) -> dict[str, Array]:
    """Compute arrays and write them in the place of what is there; the caller holds the lock."""
    with _errors_of_the_cache(place):
        damaged = place.exists()
    if damaged:
        note(f"what the cache holds in {place} is damaged; it is made again")
    made = build()
    with _errors_of_the_cache(place):
        _remove(place)
        _write(place, made)
    arrays = _open(place)
    if arrays is None:
        raise BenchbaseError(
            f"{place}: what was just written there cannot be read back; check the disk, or choose "
            "another folder with BENCHBASE_CACHE"
        )
    return arrays


def _open(place: Path) -> dict[str, Array] | None:
    """Return the arrays of a folder, or None if they are missing or not as they were written."""
    with _errors_of_the_cache(place):
        try:
            contents = json.loads((place / CONTENTS).read_bytes())
            return {name: _array(place / f"{name}.npy", *contents[name]) for name in contents}
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (ValueError, TypeError, KeyError, EOFError):  # what a damaged file may raise
            return None


def _array(file: Path, size: int, digest: str) -> Array:
    """Return the array in a file; raise ValueError unless it has a size and a digest."""
    found = file.stat()
    if found.st_size != size:
        raise ValueError("another size")
    version = (str(file), found.st_ino, found.st_size, found.st_mtime_ns)
    if version not in _intact:
        if _digest(file) != digest:
            raise ValueError("another content")
        _intact.add(version)
    array: Array = np.load(file, mmap_mode="r")
    return array


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def _errors_of_the_cache(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        told = f"the cache {place} (BENCHBASE_CACHE chooses another)"
        raise system_error(told, error) from error


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Hold the lock of a folder, and tell the user if that takes long."""
    from filelock import FileLock, Timeout

    lock: BaseFileLock = FileLock(f"{place}.lock")
    with _errors_of_the_cache(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        # The library would wait for ever where no file can be made, such as in /proc.
        os.close(os.open(lock.lock_file, os.O_RDWR | os.O_CREAT, 0o666))
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            note(f"another process is making what belongs into {place}; waiting for it")
            try:
                lock.acquire(timeout=LIMIT)
            except Timeout:
                raise BenchbaseError(
                    f"{place}: another process has kept {lock.lock_file} locked for "
                    f"{LIMIT / 3600:g} hours; end that process, then try again"
                ) from None
    try:
        yield
    finally:
        lock.release()


def _remove(place: Path) -> None:
    """Remove a folder, or a file in its place, if there is one."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _write(place: Path, arrays: Mapping[str, Array]) -> None:
    work = place.with_name(f"{place.name}-unfinished")
    _remove(work)  # left by a process that was killed; we hold the lock
    work.mkdir()
    try:
        contents = {}
        for name, array in arrays.items():
            path = work / f"{name}.npy"
            with path.open("wb") as file:
                # Given a real file, NumPy would let C write, and lose the reason why it cannot.
                np.save(_Written(file), array)
                _to_disk(file)
            contents[name] = path.stat().st_size, _digest(path)
        with (work / CONTENTS).open("w") as file:
            json.dump(contents, file)
            _to_disk(file)
        work.rename(place)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


class _Written:
    """What NumPy needs of a file to write to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.write = file.write


def _to_disk(file: IO[Any]) -> None:
    """Write a file through to the disk; a power cut could otherwise leave it without its data."""
    file.flush()
    os.fsync(file.fileno())
