"""Arrays that are expensive to compute, stored on disk and shared by all processes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchbase.component import Array
from benchbase.errors import system_error


def cache_folder() -> Path:
    """Return the folder of the cache: ``BENCHBASE_CACHE``, or else one in the user's cache."""
    chosen = os.environ.get("BENCHBASE_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("benchbase")


def cached(key: str, build: Callable[[], Mapping[str, Array]]) -> dict[str, Array]:
    """Return arrays from the cache, and compute them first if they are not there.

    A file lock lets only one process compute them. They are written to a folder beside the final
    one, which is then renamed, so that an interrupted process leaves nothing half done.

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
        If the folder cannot be written. It is a `DiskError` if the disk is full.
    """
    label = re.sub(r"[^A-Za-z0-9_-]", "-", key.split(" ", 1)[0])[:40]
    place = cache_folder() / f"{label}-{hashlib.sha256(key.encode()).hexdigest()[:24]}"
    if not place.is_dir():
        from filelock import FileLock

        with _errors_of_the_cache():
            place.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{place}.lock").acquire()
        with lock:
            if not place.is_dir():
                arrays = build()
                with _errors_of_the_cache():
                    _write(place, arrays)
    return {file.stem: np.load(file, mmap_mode="r") for file in sorted(place.glob("*.npy"))}


@contextmanager
def _errors_of_the_cache() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = f"the cache {cache_folder()} (BENCHBASE_CACHE chooses another)"
        raise system_error(place, error) from error


def _write(place: Path, arrays: Mapping[str, Array]) -> None:
    work = place.with_name(f"{place.name}-unfinished")
    shutil.rmtree(work, ignore_errors=True)  # left by a process that was killed; we hold the lock
    work.mkdir()
    try:
        for name, array in arrays.items():
            with (work / f"{name}.npy").open("wb") as file:
                np.save(file, array)
                file.flush()
                os.fsync(file.fileno())  # otherwise a power cut could leave a file without its data
        work.rename(place)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
