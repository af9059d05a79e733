"""Merging several stores into one. Nothing is dropped, and disagreements are reported."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from benchbase.errors import StoreError, system_error
from benchbase.storage.attempts import Attempt
from benchbase.storage.database import FILE, has_results
from benchbase.storage.store import Store, unpack_scores
from benchbase.system.paths import real_path


@dataclass(frozen=True)
class Conflict:
    """A chunk whose latest attempts in two stores differ in status, scores or estimates.

    Two different sets of test signals under one key are a conflict too, with the label "test
    signals", because a store keeps only one of them.

    Attributes
    ----------
    key, label, n_pools, start
        The cell, its latest label, its number of pools (if its frame has one), the first signal.
    statuses : tuple of str
        The status of the attempt that counts in the merged store, and that of the other attempt.
    difference : float or None
        The largest difference of the squared cosines, which count as 0 for signals that are not
        recovered. For test signals, it is the largest difference of their entries. None if an
        attempt has no scores.
    environments : dict
        The values that differ between the environments: both of them by name, such as
        ``versions.numpy``.
    """

    key: str
    label: str
    n_pools: int | None
    start: int
    statuses: tuple[str, str]
    difference: float | None
    environments: dict[str, tuple[Any, Any]]


class _Run(NamedTuple):
    """A run without its number, which differs between stores."""

    suite: str
    title: str
    resolved: str
    command: str
    started: str
    finished: str | None
    cells: tuple[tuple[str, str, str], ...]


_Entry = TypeVar("_Entry", _Run, Attempt)


def merge(sources: Sequence[Path], target: Path) -> list[Conflict]:
    """Merge the results of several folders into a new folder.

    Runs get new numbers in the order in which they started, and a run that several sources hold
    appears once. All attempts at a chunk are kept in the order in which they finished. Attempts
    with the same status, message, limit, scores and estimates (if these are still stored) count as
    one, with the times of the latest; it is sealed if one of them was. The latest attempt counts
    and keeps its estimates. The order of the sources does not matter. If two attempts or runs of
    one store have the same time, or times in the wrong order, the later one is stored a microsecond
    after the earlier one.

    Parameters
    ----------
    sources : sequence of pathlib.Path
        Folders of results. They may be in use.
    target : pathlib.Path
        The new folder. It must not hold results.

    Returns
    -------
    list of Conflict
        The disagreements of the sources, in the order of the labels.

    Raises
    ------
    StoreError
        If a source cannot be read or has another format, or if the target holds results or cannot
        be written. In all these cases no target is left behind.
    """
    if real_path(target) in map(real_path, sources):
        raise StoreError(f"{target} is one of the folders to merge; choose another output folder")
    _check_free(target)
    with ExitStack() as stack:
        stores = [stack.enter_context(Store(source)) for source in sources]
        for store in stores:
            store.read_one_moment()
            store.check_rows()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = stack.enter_context(
                tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent)
            )
            with Store(beside, create=True) as merged, merged.transaction():
                conflicts = _unite(stores, merged)
            target.mkdir(exist_ok=True)
            _check_free(target)  # again, because merging may have taken a while
            Path(beside, FILE).rename(target / FILE)
        except OSError as error:
            raise system_error(target, error, StoreError) from error
    return conflicts


def _check_free(target: Path) -> None:
    if has_results(target):
        raise StoreError(f"{target} already holds results; choose another folder")


def _unite(stores: list[Store], merged: Store) -> list[Conflict]:
    cells: dict[str, tuple[str, str]] = {}
    for store in stores:
        for key, cell in store.packed_cells().items():
            if cells.setdefault(key, cell) != cell:
                raise StoreError(
                    f"{store.path}: the cell {key} differs from the same cell in other results"
                )
    for key, cell in cells.items():
        merged.add_cell(key, *cell)
    # Sorted, so that the numbers of the environments do not depend on the order of the stores.
    for environment in sorted({text for each in stores for text in each.packed_environments()}):
        merged.add_environment(environment)
    labels = _unite_runs(stores, merged)
    conflicts = _unite_signals(stores, merged)
    for key, (packed, _) in cells.items():
        facts = json.loads(packed)
        label = labels.get(key, facts["solver"]["name"])  # a run that was dropped left no label
        conflicts += _unite_attempts(stores, merged, key, label, facts["frame"].get("n_pools"))
    return sorted(conflicts, key=lambda c: (c.label, c.n_pools or 0, c.key, c.start))


def _unite_runs(stores: list[Store], merged: Store) -> dict[str, str]:
    """Copy the runs, and return the latest label of each cell."""
    runs: set[_Run] = set()
    for store in stores:
        entries = []
        for run in store.runs():
            cells = tuple(store.labels(run.pop("id")))
            entries.append(_Run(**run, cells=cells))
        runs.update(_in_sequence(entries))
    labels: dict[str, str] = {}
    for each in sorted(runs, key=_order):
        merged.add_run(each._asdict(), each.cells)
        labels |= {key: label for _, label, key in each.cells}
    return labels


def _unite_signals(stores: list[Store], merged: Store) -> list[Conflict]:
    conflicts = []
    for key in sorted(set[str]().union(*(store.known_signals() for store in stores))):
        stored = [x for store in stores if (x := store.signals_of(key)) is not None]
        different = {(x.shape[1], x.tobytes()): x for x in stored}
        kept, *others = (different[name] for name in sorted(different))
        merged.add_signals(key, kept)
        for x in others:
            gap = float(np.abs(kept - x).max()) if kept.shape == x.shape else None
            conflicts.append(Conflict(key, "test signals", None, 0, ("stored",) * 2, gap, {}))
    return conflicts


def _unite_attempts(
    stores: list[Store], merged: Store, key: str, label: str, n_pools: int | None
) -> list[Conflict]:
    conflicts = []
    histories = [
        {start: _in_sequence(attempts) for start, attempts in store.attempts(key).items()}
        for store in stores
    ]
    for start in sorted(set[int]().union(*histories)):
        present = [history[start] for history in histories if start in history]
        attempts = _joined([attempt for history in present for attempt in history])
        for attempt in attempts:
            merged.add_attempt(key, attempt)
        latest = attempts[-1]
        seen = {_result(latest)}
        for other in sorted((history[-1] for history in present), key=_order, reverse=True):
            if _result(other) not in seen:
                seen.add(_result(other))
                facts = _difference(latest, other), _environments(latest, other)
                statuses = (latest.status, other.status)
                conflicts.append(Conflict(key, label, n_pools, start, statuses, *facts))
    return conflicts


def _in_sequence(entries: list[_Entry]) -> list[_Entry]:
    """Change the times of one store's entries so that they increase in the order of storage.

    They may not increase if they are in whole seconds, or if a clock was set back. In a merged
    store they increase already.
    """
    ordered: list[_Entry] = []
    for entry in entries:
        if ordered and _order(entry)[:2] <= _order(ordered[-1])[:2]:
            moved = datetime.fromisoformat(_time(ordered[-1])) + timedelta(microseconds=1)
            entry = _moved(entry, moved.isoformat())
        ordered.append(entry)
    return ordered


def _time(entry: _Run | Attempt) -> str:
    return entry.finished if isinstance(entry, Attempt) else entry.started


def _moved(entry: _Entry, time: str) -> _Entry:
    if isinstance(entry, Attempt):
        return entry._replace(finished=time)
    return entry._replace(started=time)


def _order(entry: _Entry) -> tuple[str, list[tuple[bool, Any]], bytes]:
    """Return a sort key: the time, then everything else that does not depend on the store."""
    fields = entry._asdict()
    x, _ = fields.pop("x", None), fields.pop("trace", None)
    return _time(entry), [(value is not None, value) for value in fields.values()], x or b""


def _joined(attempts: list[Attempt]) -> list[Attempt]:
    """Put attempts in order, and keep only the latest of those with the same outcome."""
    kept: list[Attempt] = []
    for attempt in sorted(attempts, key=_order, reverse=True):
        same = (i for i, other in enumerate(kept) if _outcome(other) == _outcome(attempt))
        # Stores keep no estimates of earlier attempts. In that case the scores decide.
        equal = [i for i in same if None in (attempt.x, kept[i].x) or attempt.x == kept[i].x]
        for i in equal:  # what was once computed in a sealed run is no less certain now
            kept[i] = kept[i]._replace(
                isolated=_either(kept[i].isolated, attempt.isolated),
                sealed=_either(kept[i].sealed, attempt.sealed),
            )
        if not equal:
            kept.append(attempt)
    return kept[::-1]


def _either(one: bool | None, other: bool | None) -> bool | None:
    """Return whether one of two is true, or None if neither is known."""
    known = [each for each in (one, other) if each is not None]
    return any(known) if known else None


def _outcome(attempt: Attempt) -> tuple[Any, ...]:
    """Return the outcome of an attempt without its costs and its environment."""
    return attempt.stop, attempt.status, attempt.message, attempt.time_limit, attempt.scores


def _result(attempt: Attempt) -> tuple[Any, ...]:
    """Return the parts of an attempt on which two stores must agree."""
    return attempt.status, attempt.scores, attempt.x


def _difference(one: Attempt, other: Attempt) -> float | None:
    if one.scores is None or other.scores is None:
        return None
    a, b = (np.nan_to_num(unpack_scores(scores)[0]) for scores in (one.scores, other.scores))
    return float(np.abs(a - b).max()) if a.shape == b.shape else None


def _environments(one: Attempt, other: Attempt) -> dict[str, tuple[Any, Any]]:
    first, second = (dict(_flat("", json.loads(each.environment))) for each in (one, other))
    names = sorted(first.keys() | second.keys())
    pairs = {name: (first.get(name), second.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _flat(path: str, facts: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(f"{path}{name}.", value)
        else:
            yield path + name, value
