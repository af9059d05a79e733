"""The SQLite store: runs, cells, chunks of outcomes, recovered signals, environments."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchbase.component import Array
from benchbase.errors import StoreError, system_error
from benchbase.planning.cells import Cell
from benchbase.tasks import Outcome

FORMAT = 4
FILE = "results.sqlite"
SCORES = ("squared_cosine", "relative_error", "residual", "n_iter", "converged")
"""The rows of a chunk's packed scores: float64, (5, S)."""

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
    checksum REAL, condition REAL, environment INTEGER NOT NULL REFERENCES environment (id),
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
    """Say that there are no results, and how to make some."""
    return f"no results in {folder}; make some with: benchbase run SUITE --results {folder}"


def has_results(folder: Path) -> bool:
    """Whether a folder holds results; an empty file is none."""
    file = folder / FILE
    return file.is_file() and file.stat().st_size > 0


class Store:
    """The results in one folder.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder that holds ``results.sqlite``.
    create : bool, optional
        Make it if it is not there.

    Raises
    ------
    StoreError
        If there are no results, or they cannot be read, or have another format.
    DiskError
        Here as in all methods, if the disk is full or fails; what was written before is kept.
    """

    def __init__(self, folder: str | Path, *, create: bool = False) -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE
        if not create and not has_results(self.folder):
            raise StoreError(no_results(self.folder))
        with self._told():
            if create:
                self.folder.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
            try:
                self._open()
            except BaseException:
                self._connection.close()  # else it leaves its auxiliary files behind
                raise

    def _connect(self) -> sqlite3.Connection:
        if self.path.is_file() and not os.access(self.folder, os.W_OK):
            # Even to read, SQLite writes beside the file; here it cannot. What a run has written
            # last is in a file of its own, which SQLite may leave out only where there is none.
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
        # SQLite does not wait for its turn here; who comes first does it for all.
        with contextlib.suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA journal_mode = WAL")
        # A kill loses nothing, a power cut at most the last cells, which run again.
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def _is_new(self) -> bool:
        tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return self._version() == 0 and tables == 0

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the file system report into a sentence."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise system_error(f"results in {self.path}", error, StoreError) from error

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Execute a statement of SQL and return all rows."""
        with self._told():
            return self._connection.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all that is written within, or nothing."""
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # on a full disk SQLite has ended it itself
                    self._connection.execute("ROLLBACK")
                raise

    def begin_run(
        self, suite: str, title: str, resolved: dict[str, Any], command: str, cells: Sequence[Cell]
    ) -> int:
        """Write down a run and its cells, and return the run's number."""
        with self.transaction():
            cursor = self._connection.execute(
                "INSERT INTO run (suite, title, resolved, command, started) VALUES (?, ?, ?, ?, ?)",
                (suite, title, json.dumps(resolved), command, _now()),
            )
            run = cursor.lastrowid
            assert run is not None  # noqa: S101 # an INSERT has just been made
            self._connection.executemany(
                "INSERT OR IGNORE INTO cell VALUES (?, ?, ?)",
                [(c.key, json.dumps(c.facts(), allow_nan=False), c.signals_key) for c in cells],
            )
            self._connection.executemany(
                "INSERT INTO run_cell VALUES (?, ?, ?, ?, ?)",
                [(run, i, c.experiment, c.label, c.key) for i, c in enumerate(cells)],
            )
        return run

    def drop_run(self, run: int) -> None:
        """Forget a run that came to nothing; its cells stay for others."""
        with self.transaction():
            self._connection.execute("DELETE FROM run_cell WHERE run = ?", (run,))
            self._connection.execute("DELETE FROM run WHERE id = ?", (run,))

    def end_run(self, run: int) -> None:
        """Note that all cells of a run have an outcome."""
        with self.transaction():
            self._connection.execute("UPDATE run SET finished = ? WHERE id = ?", (_now(), run))

    def outcomes(self, keys: Sequence[str]) -> dict[tuple[str, int], tuple[str, str, float | None]]:
        """Return (status, message, time limit) of the latest attempts by (key, start).

        One with estimates that are not finite has failed.
        """
        rows = self.query(
            "SELECT key, start, status, message, time_limit, scores FROM latest "
            "WHERE key IN (SELECT value FROM json_each(?))",
            json.dumps(list(keys)),
        )
        found = {}
        for key, start, status, message, limit, scores in rows:
            lost = scores is not None and bool(np.isnan(_unpacked(scores)[0]).any())
            found[key, start] = ("failed" if lost else status, message, limit)
        return found

    def has_signals(self) -> set[str]:
        """Return the keys of the test signals that are stored."""
        return {key for (key,) in self.query("SELECT key FROM signals")}

    def save(self, outcome: Outcome) -> None:
        """Write one outcome, whole or not at all; earlier attempts are kept, without estimates."""
        scores = [outcome.get(name) for name in SCORES]
        packed = None if scores[0] is None else np.array(scores, dtype="<f8").tobytes()
        place = (outcome["key"], outcome["start"])
        with self.transaction():
            attempts = self._connection.execute(
                "SELECT count(*) FROM chunk WHERE key = ? AND start = ?", place
            )
            columns = (
                *place,
                attempts.fetchone()[0] + 1,
                outcome["stop"],
                outcome["status"],
                outcome.get("message", ""),
                outcome.get("time_limit"),
                packed,
                outcome.get("prepare_seconds"),
                outcome.get("init_seconds"),
                outcome.get("solve_seconds"),
                outcome.get("frame_applications"),
                outcome.get("checksum"),
                outcome.get("condition"),
                self._environment(outcome["environment"]),
                _now(),
            )
            marks = ", ".join("?" * len(columns))
            self._connection.execute(f"INSERT INTO chunk VALUES ({marks})", columns)  # noqa: S608 # question marks only
            self._connection.execute("DELETE FROM recovered WHERE key = ? AND start = ?", place)
            if "x" in outcome:
                blob = outcome["x"].astype("<f4").tobytes()
                values = (*place, blob, outcome.get("trace"))
                self._connection.execute("INSERT INTO recovered VALUES (?, ?, ?, ?)", values)
            if "signals" in outcome:
                self._save_signals(outcome["signals_key"], outcome["signals"])

    def _save_signals(self, key: str, signals: Array) -> None:
        blob = signals.astype("<f4").tobytes()
        self._connection.execute(
            "INSERT OR IGNORE INTO signals VALUES (?, ?, ?)", (key, signals.shape[1], blob)
        )

    def _environment(self, facts: dict[str, Any]) -> int:
        text = json.dumps(facts, sort_keys=True)
        self._connection.execute("INSERT OR IGNORE INTO environment (facts) VALUES (?)", (text,))
        row = self._connection.execute("SELECT id FROM environment WHERE facts = ?", (text,))
        return int(row.fetchone()[0])

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, oldest first: id, suite, title, resolved, command, started, finished."""
        names = ("id", "suite", "title", "resolved", "command", "started", "finished")
        rows = self.query(f"SELECT {', '.join(names)} FROM run ORDER BY id")  # noqa: S608 # the names above
        return [dict(zip(names, row, strict=True)) for row in rows]

    def cells(self, run: int) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        """Yield (experiment, label, key, facts) of the cells of a run, in their order."""
        rows = self.query(
            "SELECT experiment, label, key, facts FROM run_cell JOIN cell USING (key) "
            "WHERE run = ? ORDER BY position",
            run,
        )
        for experiment, label, key, facts in rows:
            yield experiment, label, key, json.loads(facts)

    def chunks(self, run: int) -> dict[str, list[dict[str, Any]]]:
        """Return the outcomes of a run by key, in order; scores as (5, S), None without."""
        names = ["start", "stop", "status", "message", "scores", "prepare_seconds"]
        names += ["init_seconds", "solve_seconds", "frame_applications", "checksum"]
        names += ["condition", "environment"]
        found: dict[str, list[dict[str, Any]]] = {}
        rows = self.query(
            f"SELECT key, {', '.join(names)} FROM latest "  # noqa: S608 # the names above
            "WHERE key IN (SELECT key FROM run_cell WHERE run = ?) ORDER BY key, start",
            run,
        )
        for key, *values in rows:
            chunk = dict(zip(names, values, strict=True))
            if chunk["scores"] is not None:
                chunk["scores"] = _unpacked(chunk["scores"])
            found.setdefault(key, []).append(chunk)
        return found

    def environments(self) -> dict[int, dict[str, Any]]:
        """Return the environments by the number that chunks know them by."""
        rows = self.query("SELECT id, facts FROM environment")
        return {number: json.loads(facts) for number, facts in rows}

    def signals_keys(self) -> dict[str, str]:
        """Return the key of the test signals of each cell."""
        rows = self.query("SELECT key, signals FROM cell")
        return {str(key): str(signals) for key, signals in rows}

    def recovered(self, key: str) -> Array:
        """Return the stored estimates of a cell, (S, N) float32; NaN where there is none."""
        found = self.query("SELECT facts FROM cell WHERE key = ?", key)
        rows = self.query("SELECT start, x FROM recovered WHERE key = ?", key)
        if not found:
            raise StoreError(f"there is no cell {key} in {self.path}")
        facts = json.loads(found[0][0])
        estimates = np.full((facts["points"], facts["n"]), np.nan, np.float32)
        for start, blob in rows:
            part = np.frombuffer(blob, "<f4").reshape(-1, facts["n"])
            estimates[start : start + len(part)] = part
        return estimates

    def traces(self, key: str) -> list[bytes]:
        """Return the packed traces of a cell's chunks that have one, in order."""
        rows = self.query(
            "SELECT trace FROM recovered WHERE key = ? AND trace IS NOT NULL ORDER BY start", key
        )
        return [trace for (trace,) in rows]

    def signals(self, key: str) -> Array:
        """Return the true signals of a cell, (S, N) float32."""
        rows = self.query(
            "SELECT n, x FROM signals JOIN cell ON cell.signals = signals.key WHERE cell.key = ?",
            key,
        )
        if not rows:
            raise StoreError(f"no signals are stored for the cell {key}")
        n, blob = rows[0]
        return np.frombuffer(blob, "<f4").reshape(-1, n)


def _unpacked(scores: bytes) -> Array:
    return np.frombuffer(scores, "<f8").reshape(len(SCORES), -1)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
