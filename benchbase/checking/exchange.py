"""Results as plain data: taken out of a store, and put into one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchbase.checking.referee import Referee
from benchbase.component import Array
from benchbase.interfaces import ResultsView
from benchbase.results import Results
from benchbase.storage.store import Store

_COSTS = ("prepare_seconds", "init_seconds", "solve_seconds", "frame_applications")


@dataclass(frozen=True)
class Record:
    """What is stored of a cell, as plain data.

    Attributes
    ----------
    experiment, label, key, signals_key : str
        As in `Results.frame`; the key of the test signals, which cells may share.
    facts : dict
        What the cell is made of, JSON-ready: the specs of its components, n, seed, trial, points.
    chunks : list of dict
        The outcomes, in order: start, stop, status, message, the costs, checksum (the norm of all
        measurements), condition, environment (a dict), scores (5, S) or None.
    signals : ndarray, shape (points, N), or None
        The true signals, float32; None where nobody has met them yet.
    estimates : ndarray, shape (points, N)
        What was recovered, float32; NaN where there is no estimate.
    """

    experiment: str
    label: str
    key: str
    signals_key: str
    facts: dict[str, Any]
    chunks: list[dict[str, Any]]
    signals: Array | None
    estimates: Array


@dataclass(frozen=True)
class RunRecord:
    """A run as plain data: see `Results.suites`; `resolved` is JSON-ready."""

    suite: str
    title: str
    resolved: dict[str, Any]
    command: str
    started: str
    finished: str | None
    cells: list[Record] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        """Return the suite as a `Referee` takes it, its problems in the order of the cells."""
        problems: dict[str, dict[str, Any]] = {}
        for cell in self.cells:
            facts = Referee.describe(cell.facts)
            problems.setdefault(cell.experiment, {})[json.dumps(facts, sort_keys=True)] = facts
        names = ("name", "seed", "trials", "points", "trace")
        experiments = [
            {name: each[name] for name in names} | {"problems": [*problems[each["name"]].values()]}
            for each in self.resolved["experiments"]
        ]
        return {"name": self.suite, "title": self.title, "experiments": experiments}


def read_records(results: ResultsView) -> list[RunRecord]:
    """Take runs out of their store.

    Parameters
    ----------
    results : Results
        The runs.

    Returns
    -------
    list of RunRecord
        In the order of the runs.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    runs = []
    with Store(results.folder) as store:
        environments, keys, there = (
            store.environments(),
            store.signals_keys(),
            store.has_signals(),
        )
        shared: dict[str, Array] = {}
        for run in store.runs():
            if run["id"] not in results.runs:
                continue
            chunks, cells = store.chunks(run["id"]), []
            for experiment, label, key, facts in store.cells(run["id"]):
                own = [
                    c | {"environment": environments[c["environment"]]} for c in chunks.get(key, [])
                ]
                known = keys[key]
                if known in there and known not in shared:
                    shared[known] = store.signals(key)
                estimates = store.recovered(key)
                cells.append(
                    Record(experiment, label, key, known, facts, own, shared.get(known), estimates)
                )
            facts = {
                name: run[name] for name in ("suite", "title", "command", "started", "finished")
            }
            runs.append(RunRecord(resolved=json.loads(run["resolved"]), cells=cells, **facts))
    return runs


def write_records(folder: str | Path, runs: Iterable[RunRecord]) -> Results:
    """Put runs into a new store.

    Parameters
    ----------
    folder : str or pathlib.Path
        A folder without results.
    runs : iterable of RunRecord
        Taken one after the other. Records of one key are one cell: the first counts.

    Returns
    -------
    Results
        Of all the runs, numbered from 1.

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    number = 0
    with Store(folder, create=True) as store, store.transaction():
        for number, run in enumerate(runs, start=1):
            store.query(
                "INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?)",
                number, run.suite, run.title, json.dumps(run.resolved), run.command,
                run.started, run.finished,
            )  # fmt: skip # a table's row
            for position, cell in enumerate(run.cells):
                _write_cell(store, cell, run.finished or run.started)
                place = (number, position, cell.experiment, cell.label, cell.key)
                store.query("INSERT INTO run_cell VALUES (?, ?, ?, ?, ?)", *place)
    return Results(Path(folder), tuple(range(1, number + 1)))


def _write_cell(store: Store, cell: Record, time: str) -> None:
    if store.query("SELECT 1 FROM cell WHERE key = ?", cell.key):
        return
    facts = json.dumps(cell.facts, allow_nan=False)
    store.query("INSERT INTO cell VALUES (?, ?, ?)", cell.key, facts, cell.signals_key)
    if cell.signals is not None:
        values = (cell.signals_key, cell.signals.shape[1], cell.signals.astype("<f4").tobytes())
        store.query("INSERT OR IGNORE INTO signals VALUES (?, ?, ?)", *values)
    for chunk in cell.chunks:
        text = json.dumps(chunk["environment"], sort_keys=True)
        store.query("INSERT OR IGNORE INTO environment (facts) VALUES (?)", text)
        scores = chunk["scores"]
        packed = None if scores is None else np.asarray(scores, "<f8").tobytes()
        store.query(
            """INSERT INTO chunk VALUES (?, ?, 1, ?, ?, ?, NULL, ?, ?, ?, ?, ?, ?, ?,
               (SELECT id FROM environment WHERE facts = ?), ?)""",
            cell.key, chunk["start"], chunk["stop"], chunk["status"], chunk["message"], packed,
            *(chunk[name] for name in _COSTS), chunk["checksum"], chunk["condition"], text, time,
        )  # fmt: skip # a table's row
        if scores is not None:
            blob = cell.estimates[chunk["start"] : chunk["stop"]].astype("<f4").tobytes()
            place = (cell.key, chunk["start"])
            store.query("INSERT INTO recovered VALUES (?, ?, ?, NULL)", *place, blob)
