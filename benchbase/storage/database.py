"""The SQLite file of a store: its tables, how it is opened, and transactions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchbase.errors import StoreError, described, system_error
from benchbase.storage.soundness import SOUND

FORMAT = 5
FILE = "results.sqlite"

_SCHEMA = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY, suite TEXT NOT NULL, title TEXT NOT NULL, resolved TEXT NOT NULL,
    command TEXT NOT NULL, started TEXT NOT NULL, finished TEXT);
CREATE TABLE run_cell (
    run INTEGER NOT NULL REFERENCES run (id), position INTEGER NOT NULL,
    experiment TEXT NOT NULL, label TEXT NOT NULL, key TEXT NOT NULL REFERENCES cell (key),
    PRIMARY KEY (run, position)) WITHOUT ROWID;
CREATE TABLE cell (key TEXT PRIMARY KEY, facts TEXT NOT NULL, signals TEXT NOT NULL);
CREATE TABLE chunk (
    key TEXT NOT NULL REFERENCES cell (key), start INTEGER NOT NULL, attempt INTEGER NOT NULL,
    stop INTEGER NOT NULL, status TEXT NOT NULL, message TEXT NOT NULL, time_limit REAL,
    scores BLOB,
    prepare_seconds REAL, init_seconds REAL, solve_seconds REAL, frame_applications REAL,
    checksum REAL, condition REAL, isolated INTEGER, sealed INTEGER,
    environment INTEGER NOT NULL REFERENCES environment (id),
    finished TEXT NOT NULL,
    PRIMARY KEY (key, start, attempt));
CREATE VIEW latest AS
    SELECT * FROM chunk WHERE attempt =
        (SELECT max(attempt) FROM chunk AS c WHERE c.key = chunk.key AND c.start = chunk.start);
CREATE TABLE recovered (
    key TEXT NOT NULL, start INTEGER NOT NULL, x BLOB NOT NULL, trace BLOB,
    PRIMARY KEY (key, start));
CREATE TABLE signals (
    key TEXT PRIMARY KEY, n INTEGER NOT NULL, x BLOB NOT NULL);
CREATE TABLE environment (id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE);
"""


def no_results(folder: Path) -> str:
    """Say that a folder holds no results, and how to make some."""
    return f"no results in {folder}; make some with: benchbase run SUITE --results {folder}"


def has_results(folder: Path) -> bool:
    """Return whether a folder holds results. An empty file counts as none."""
    file = folder / FILE
    return file.is_file() and file.stat().st_size > 0


class Database:
    """The SQLite file in a folder of results.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder that holds ``results.sqlite``.
    create : bool, optional
        Whether to create the folder and the file if they are missing.

    Raises
    ------
    StoreError
        If there are no results, or they cannot be read, or they have another format.
    DiskError
        If the disk is full or fails. All methods may raise it. Earlier results are kept.
    """

    def __init__(self, folder: str | Path, *, create: bool = False) -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE
        if not create and not has_results(self.folder):
            raise StoreError(no_results(self.folder))
        with self._errors():
            if create:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
            try:
                self._open()
            except BaseException:
                self._connection.close()  # otherwise it leaves its auxiliary files behind
                raise

    def _connect(self) -> sqlite3.Connection:
        if self.path.is_file() and not os.access(self.folder, os.W_OK):
            # SQLite writes files beside its own even to read, but this folder is read-only. The
            # last writes of a run are in one of these files. SQLite may ignore it only if it is
            # empty.
            last = self.path.with_name(f"{FILE}-wal")
            how = "mode=ro" if last.is_file() and last.stat().st_size else "immutable=1"
            address = f"{self.path.absolute().as_uri()}?{how}"
            return sqlite3.connect(address, uri=True, isolation_level=None)
        return sqlite3.connect(self.path, timeout=60, isolation_level=None)

    def _open(self) -> None:
        if self._is_new():
            with self.transaction():
                if self._is_new():  # another process may have been faster
                    for statement in _SCHEMA.split(";"):
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        version = self._version()
        if version != FORMAT:
            raise StoreError(
                f"{self.path} has the format {version}, and this benchbase reads {FORMAT}; "
                "choose another folder with --results"
            )
        # SQLite does not wait for a lock here. The first process sets the mode for all.
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA journal_mode = WAL")
        # If the process is killed, nothing is lost. A power cut loses at most the last cells,
        # which then run again.
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def check_rows(self) -> None:
        """Refuse a file with rows of another shape, which another program or a fault may leave.

        Raises
        ------
        StoreError
            If there is such a row. What reads the rows relies on their shape.
        """
        for table, conditions in SOUND.items():
            sound = " AND ".join(conditions)
            if self._query(f"SELECT 1 FROM {table} AS row WHERE ({sound}) IS NOT TRUE LIMIT 1"):  # noqa: S608 # texts from above
                raise self.damaged(f"a row of its table '{table}' is not as benchbase writes it")

    def damaged(self, problem: str) -> StoreError:
        """Return the error that says that the file holds what benchbase does not write."""
        return StoreError(
            f"{self.path} is damaged: {problem}; choose another folder with --results"
        )

    @contextlib.contextmanager
    def as_written(self) -> Iterator[None]:
        """Turn the errors of code that reads rows of another shape into one sentence.

        `check_rows` finds most such rows, but not what is inside their arrays and lists.
        """
        try:
            with np.errstate(invalid="raise"):  # as for a number of iterations that is none
                yield
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise self.damaged(f"it cannot be read ({described(error)})") from error

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _is_new(self) -> bool:
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return self._version() == 0 and tables == 0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything that the block writes, or nothing of it if the block fails."""
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # if the disk is full, SQLite has ended it
                    self._connection.execute("ROLLBACK")
                raise

    def read_one_moment(self) -> None:
        """Read the results as they are now until the file is closed, even if others write."""
        self._query("BEGIN")

    def _query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Execute one statement and return all its rows."""
        with self._errors():
            return self._connection.execute(statement, values).fetchall()

    def _query_each(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement with the values of each row."""
        with self._errors():
            self._connection.executemany(statement, rows)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of SQLite and of the file system into one sentence."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise system_error(f"results in {self.path}", error, StoreError) from error
        except (UnicodeError, OverflowError) as error:  # text or a number that SQLite cannot hold
            raise StoreError(f"results in {self.path}: {described(error)}") from error
