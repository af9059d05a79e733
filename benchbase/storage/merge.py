"""Several stores made one: nothing is dropped, and where they disagree it is said."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchbase.errors import StoreError, system_error
from benchbase.storage.store import FILE, SCORES, Store, has_results


@dataclass(frozen=True)
class Conflict:
    """A chunk whose latest attempts differ in status, scores or estimates from store to store.

    Test signals that differ under one key are one too, with the label "test signals": a store has
    room for one of them.

    Attributes
    ----------
    key, label, n_pools, start
        The cell, its latest label, its number of pools if its frame has one, the first signal.
    statuses : tuple of str
        Of the attempt that counts in the merged store, and of the other.
    difference : float or None
        The largest difference of squared cosine, not recovered as 0 (of test signals: of their
        entries); None where an attempt has no scores.
    environments : dict
        What differs between the environments: both values by name, such as ``versions.numpy``.
    """

    key: str
    label: str
    n_pools: int | None
    start: int
    statuses: tuple[str, str]
    difference: float | None
    environments: dict[str, tuple[Any, Any]]


class _Entry(NamedTuple):
    """A run or an attempt: its time, its other columns, and an attempt's estimates."""

    time: str
    rest: tuple[Any, ...]
    x: bytes | None = None
    trace: bytes | None = None


# The first five say what came out; what they cost, and where, may differ.
_ATTEMPT = """stop, status, message, time_limit, scores, prepare_seconds, init_seconds,
    solve_seconds, frame_applications, checksum, condition"""
_OUTCOME = 5


def merge(sources: Sequence[Path], target: Path) -> list[Conflict]:
    """Unite stores in a new one.

    Runs are numbered anew in the order of their start, and the same run appears once. All attempts
    of a chunk are kept in the order in which they finished; those with the same status, message,
    limit, scores and estimates (as far as these are still stored) are one, with the times of the
    latest. The latest attempt counts and keeps its estimates. The order of sources does not matter.
    Where one store's clock shows no order between two of its attempts or runs, the later is
    written down a microsecond after the earlier.

    Parameters
    ----------
    sources : sequence of pathlib.Path
        Folders of results; they may be in use.
    target : pathlib.Path
        The folder of the new store, which must not hold results.

    Returns
    -------
    list of Conflict
        Where sources disagree, by label.

    Raises
    ------
    StoreError
        If a source cannot be read or has another format, or the target exists or cannot be
        written; then there is no target.
    """
    if target.resolve() in {source.resolve() for source in sources}:
        raise StoreError(f"{target} is one of the results to merge; choose another folder")
    _check_free(target)
    with ExitStack() as stack:
        stores = [stack.enter_context(Store(source)) for source in sources]
        for store in stores:
            store.query("BEGIN")  # all that is read of it is of one moment
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = stack.enter_context(
                tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent)
            )
            with Store(beside, create=True) as merged, merged.transaction():
                conflicts = _unite(stores, merged)
            target.mkdir(exist_ok=True)
            _check_free(target)  # it has taken a while
            Path(beside, FILE).rename(target / FILE)
        except OSError as error:
            raise system_error(target, error, StoreError) from error
    return conflicts


def _check_free(target: Path) -> None:
    if has_results(target):
        raise StoreError(f"{target} holds results already; choose another folder")


def _unite(stores: list[Store], merged: Store) -> list[Conflict]:
    facts: dict[str, tuple[str, str]] = {}
    for store in stores:
        for key, text, signals in store.query("SELECT key, facts, signals FROM cell"):
            if facts.setdefault(key, (text, signals)) != (text, signals):
                raise StoreError(f"{store.path}: the cell {key} is another than elsewhere")
    for key, others in facts.items():
        merged.query("INSERT INTO cell VALUES (?, ?, ?)", key, *others)
    found = [store.query("SELECT facts FROM environment") for store in stores]
    for row in sorted({row for rows in found for row in rows}):
        merged.query("INSERT INTO environment (facts) VALUES (?)", *row)
    labels = _unite_runs(stores, merged)
    conflicts = _unite_signals(stores, merged)
    for key, (text, _) in facts.items():
        cell = json.loads(text)
        label = labels.get(key, cell["solver"]["name"])  # a run that was dropped left no label
        conflicts += _unite_attempts(stores, merged, key, label, cell["frame"].get("n_pools"))
    return sorted(conflicts, key=lambda c: (c.label, c.n_pools or 0, c.key, c.start))


def _unite_runs(stores: list[Store], merged: Store) -> dict[str, str]:
    """Copy the runs, and return the latest label of each cell."""
    runs: set[_Entry] = set()
    columns = "suite, title, resolved, command, finished"
    for store in stores:
        entries = []
        for run, time, *rest in store.query(f"SELECT id, started, {columns} FROM run ORDER BY id"):  # noqa: S608 # the names above
            cells = "SELECT position, experiment, label, key FROM run_cell WHERE run = ? ORDER BY 1"
            entries.append(_Entry(time, (*rest, tuple(store.query(cells, run)))))
        runs.update(_in_sequence(entries))
    labels = {}
    for number, (time, (*rest, cells), *_) in enumerate(sorted(runs, key=_order), start=1):
        insert = f"INSERT INTO run (id, started, {columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 # the names above
        merged.query(insert, number, time, *rest)
        for position, experiment, label, key in cells:
            values = (number, position, experiment, label, key)
            merged.query("INSERT INTO run_cell VALUES (?, ?, ?, ?, ?)", *values)
            labels[key] = label
    return labels


def _unite_signals(stores: list[Store], merged: Store) -> list[Conflict]:
    conflicts = []
    for key in sorted(set[str]().union(*(store.has_signals() for store in stores))):
        select = "SELECT n, x FROM signals WHERE key = ?"
        kept, *others = sorted({row for store in stores for row in store.query(select, key)})
        merged.query("INSERT INTO signals VALUES (?, ?, ?)", key, *kept)
        for other in others:
            x, y = (np.frombuffer(blob, "<f4") for _, blob in (kept, other))
            gap = float(np.abs(x - y).max()) if x.shape == y.shape else None
            conflicts.append(Conflict(key, "test signals", None, 0, ("stored",) * 2, gap, {}))
    return conflicts


def _unite_attempts(
    stores: list[Store], merged: Store, key: str, label: str, n_pools: int | None
) -> list[Conflict]:
    conflicts = []
    histories = [_attempts(store, key) for store in stores]
    for start in sorted(set[int]().union(*histories)):
        found = [history[start] for history in histories if start in history]
        attempts = _joined([entry for history in found for entry in history])
        for number, (time, rest, *_) in enumerate(attempts, start=1):
            insert = f"""INSERT INTO chunk (key, start, attempt, finished, {_ATTEMPT}, environment)
                VALUES ({", ".join("?" * 15)}, (SELECT id FROM environment WHERE facts = ?))"""  # noqa: S608 # question marks only
            merged.query(insert, key, start, number, time, *rest)
        latest = attempts[-1]
        if latest.x is not None:
            values = (key, start, latest.x, latest.trace)
            merged.query("INSERT INTO recovered VALUES (?, ?, ?, ?)", *values)
        told = {_came_out(latest)}
        for other in sorted((history[-1] for history in found), key=_order, reverse=True):
            if _came_out(other) not in told:
                told.add(_came_out(other))
                statuses = (latest.rest[1], other.rest[1])
                facts = _difference(latest, other), _environments(latest, other)
                conflicts.append(Conflict(key, label, n_pools, start, statuses, *facts))
    return conflicts


def _attempts(store: Store, key: str) -> dict[int, list[_Entry]]:
    """Return the attempts of a cell's chunks by their first signal, the estimates at the latest."""
    rows = store.query("SELECT start, x, trace FROM recovered WHERE key = ?", key)
    kept = {start: (x, trace) for start, x, trace in rows}
    found: dict[int, list[_Entry]] = {}
    columns = f"start, finished, {_ATTEMPT}, facts"
    select = f"""SELECT {columns} FROM chunk LEFT JOIN environment ON environment.id = environment
        WHERE key = ? ORDER BY start, attempt"""  # noqa: S608 # the names above
    for start, time, *rest in store.query(select, key):
        found.setdefault(start, []).append(_Entry(time, tuple(rest)))
    found = {start: _in_sequence(entries) for start, entries in found.items()}
    for start, entries in found.items():
        x, trace = kept.get(start, (None, None))
        entries[-1] = entries[-1]._replace(x=x, trace=trace)
    return found


def _in_sequence(entries: list[_Entry]) -> list[_Entry]:
    """Make the times of one store's entries say in which order they came.

    Seconds may not, nor a clock that was set back. What has been merged is in order.
    """
    ordered: list[_Entry] = []
    for entry in entries:
        if ordered and _order(entry)[:2] <= _order(ordered[-1])[:2]:
            moved = datetime.fromisoformat(ordered[-1].time) + timedelta(microseconds=1)
            entry = entry._replace(time=moved.isoformat())
        ordered.append(entry)
    return ordered


def _order(entry: _Entry) -> tuple[str, list[tuple[bool, Any]], bytes]:
    """Return what to sort by: the time, then anything that does not depend on the store."""
    return entry.time, [(value is not None, value) for value in entry.rest], entry.x or b""


def _joined(entries: list[_Entry]) -> list[_Entry]:
    """Put attempts in order; of those with one outcome, leave the latest."""
    kept: list[_Entry] = []
    for entry in sorted(entries, key=_order, reverse=True):
        same = (other for other in kept if other.rest[:_OUTCOME] == entry.rest[:_OUTCOME])
        # Stores keep no estimates of earlier attempts: then the scores decide.
        if not any(None in (entry.x, other.x) or entry.x == other.x for other in same):
            kept.append(entry)
    return kept[::-1]


def _came_out(entry: _Entry) -> tuple[Any, ...]:
    return entry.rest[1], entry.rest[4], entry.x


def _difference(one: _Entry, other: _Entry) -> float | None:
    scores = [entry.rest[4] for entry in (one, other)]
    if None in scores:
        return None
    cosines = [np.frombuffer(blob, "<f8").reshape(len(SCORES), -1)[0] for blob in scores]
    if cosines[0].shape != cosines[1].shape:
        return None
    return float(np.abs(np.nan_to_num(cosines[0]) - np.nan_to_num(cosines[1])).max())


def _environments(one: _Entry, other: _Entry) -> dict[str, tuple[Any, Any]]:
    first, second = (dict(_flat("", json.loads(entry.rest[-1]))) for entry in (one, other))
    names = sorted(first.keys() | second.keys())
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _flat(path: str, facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(f"{path}{name}.", value)
        else:
            yield path + name, value
