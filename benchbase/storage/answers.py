"""What the solvers of one run share, on disk: small files in a folder that is gone afterwards."""

from __future__ import annotations

import hashlib
import shutil
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from benchbase.numerics.ledger import Cost
from benchbase.numerics.sharing import Answer
from benchbase.storage.cache import own_place
from benchbase.system.channel import note
from benchbase.system.paths import cache_folder

RUNS = "runs"
"""The folder of the cache that has a folder for each run that is under way."""

LIMIT = 256 << 20
"""The most bytes that a run keeps, and those that it keeps for each stranger's plugin."""

_COST = "benchbase cost"
"""The name of the array that holds the cost of an answer."""


class SharedAnswers:
    """The answers of a run, one file for each; see `benchbase.numerics.sharing`.

    A file is written beside its place and then renamed, so that a process that is killed meanwhile
    leaves no broken answer. What is damaged later is found by its checksum, and counts as missing.
    If a folder would come to more than `LIMIT` bytes, the oldest answers go.

    A process that runs a stranger's code reads all answers, but writes into a folder that only
    processes with the same code read.

    Parameters
    ----------
    folder : path-like
        The folder of the run.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def get(self, key: str) -> Answer | None:
        """Return the answer with a key, or None if there is none."""
        for folder in dict.fromkeys((self._folder, own_place(self._folder))):
            try:
                with np.load(folder / f"{key}.npz", allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                seconds, applications, dense = arrays.pop(_COST).tolist()
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                continue  # it is missing or damaged
            return arrays, Cost(seconds, applications, bool(dense))
        return None

    def put(self, key: str, answer: Answer) -> None:
        """Keep an answer. If the disk does not let us, the user is told, and the run goes on."""
        arrays, cost = answer
        folder = own_place(self._folder)
        beside = folder / f"{key}-{uuid.uuid4().hex}.part"
        priced = {_COST: np.array([cost.seconds, cost.applications, cost.dense], dtype=np.float64)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                np.savez(file, **arrays, **priced)  # type: ignore[arg-type] # its types forget names
            _make_room(folder, beside)
            if beside.exists():
                beside.replace(folder / f"{key}.npz")
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            note(
                f"{folder}: {error.strerror}; each solver finds again what could not be kept there"
            )

    @contextmanager
    def locked(self, key: str) -> Iterator[None]:
        """Let one process at a time into contexts with the same key, as far as files can."""
        from filelock import FileLock

        folder = own_place(self._folder)
        lock = FileLock(folder / f"{hashlib.sha256(key.encode()).hexdigest()}.lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except OSError as error:
            note(f"{folder}: {error.strerror}; two solvers may find the same at the same time")
        try:
            yield
        finally:
            lock.release()


def _make_room(folder: Path, new: Path) -> None:
    """Remove the oldest files of a folder, and at last the new one, until the rest may stay."""
    files = []
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # another process may remove files too
            if file.suffix in (".npz", ".part"):
                found = file.stat()
                files.append((file == new, found.st_mtime_ns, found.st_size, file))
    total = sum(size for _, _, size, _ in files)
    for _, _, size, file in sorted(files):
        if total <= LIMIT:
            return
        file.unlink(missing_ok=True)
        total -= size


@contextmanager
def folder_of_run() -> Iterator[str | None]:
    """Make a folder for what the solvers of a run share, and remove it after the run.

    What is left of runs that were killed is removed first. If the cache cannot be written, the user
    is told, and the folder is None.
    """
    from filelock import FileLock

    runs = cache_folder().absolute() / RUNS
    folder = runs / uuid.uuid4().hex
    lock = FileLock(f"{folder}.lock", thread_local=False)  # another thread may end the run
    try:
        runs.mkdir(parents=True, exist_ok=True)
        lock.acquire()  # before there is a folder that others could take for one of a dead run
        folder.mkdir()
        _sweep(runs)
    except OSError as error:
        lock.release()
        note(f"{runs}: {error.strerror}; solvers share nothing (BENCHBASE_CACHE chooses another)")
        yield None
        return
    try:
        yield str(folder)
    finally:
        _drop(folder)
        lock.release()
        with suppress(OSError):
            runs.rmdir()  # unless another run is under way


def _sweep(runs: Path) -> None:
    """Remove the folders of runs that have ended without doing so: nobody holds their locks."""
    from filelock import FileLock, Timeout

    for file in runs.glob("*.lock"):
        lock = FileLock(file)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        _drop(file.with_suffix(""))
        lock.release()


def _drop(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)
