"""Runs as plain data, which can be read from a store and written to a new one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchbase.component import Array
from benchbase.interfaces import ResultsView
from benchbase.planning.cells import problem_facts
from benchbase.storage.attempts import MEASURED, Attempt
from benchbase.storage.store import (
    Store,
    pack_facts,
    pack_scores,
    pack_signals,
)


@dataclass(frozen=True)
class CellRecord:
    """A cell as plain data: one solver on one problem in one trial, and its outcomes.

    Attributes
    ----------
    experiment, label, key, signals_key : str
        The first three are as in `Results.rows`. The last is the key of the test signals, which
        several cells may share.
    facts : dict
        The facts of the cell, JSON-ready: the specs of its components, n, seed, trial, points.
    chunks : list of dict
        The outcomes, in order. Each has start, stop, status, message, the costs, checksum (the norm
        of all measurements), condition, isolated and sealed (missing or None if it is not known),
        environment (a dict), and scores, (5, S) or None.
    signals : ndarray, shape (points, N), or None
        The true signals, float32. None if no solver has been run on them yet.
    estimates : ndarray, shape (points, N)
        The recovered signals, float32. NaN for a signal without an estimate.
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
class SuiteRunRecord:
    """A run as plain data.

    Attributes
    ----------
    suite, title, command, started, finished
        As in `Results.suites`.
    resolved : dict
        The suite with every default filled in.
    cells : list of CellRecord
        The cells, in the order of the suite.
    """

    suite: str
    title: str
    resolved: dict[str, Any]
    command: str
    started: str
    finished: str | None
    cells: list[CellRecord] = field(default_factory=list)

    def described(self) -> dict[str, Any]:
        """Return the suite as a `Referee` takes it, with the problems in the order of the cells."""
        problems: dict[str, dict[str, Any]] = {}
        for cell in self.cells:
            facts = problem_facts(cell.facts)
            problems.setdefault(cell.experiment, {})[json.dumps(facts, sort_keys=True)] = facts
        names = ("name", "seed", "trials", "points", "trace")
        experiments = [
            {name: each[name] for name in names} | {"problems": [*problems[each["name"]].values()]}
            for each in self.resolved["experiments"]
        ]
        return {"name": self.suite, "title": self.title, "experiments": experiments}


def read_records(results: ResultsView) -> list[SuiteRunRecord]:
    """Read runs as plain data.

    Parameters
    ----------
    results : Results
        The runs.

    Returns
    -------
    list of SuiteRunRecord
        In the order of the runs.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with Store(results.folder) as store, store.as_written():
        reader = _Reader(store)
        return [reader.run(run) for run in store.runs() if run["id"] in results.runs]


class _Reader:
    """Reads the runs of one store. Cells with the same test signals share one array."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._environments, self._signals_keys = store.environments(), store.signals_keys()
        self._signals: dict[str, Array | None] = {}

    def run(self, run: dict[str, Any]) -> SuiteRunRecord:
        number = run.pop("id")
        chunks = self._store.chunks(number)
        cells = [self._cell(*cell, chunks.get(cell[2], [])) for cell in self._store.cells(number)]
        resolved = json.loads(run["resolved"])
        named = {experiment["name"] for experiment in resolved["experiments"]}
        if named != {cell.experiment for cell in cells}:
            raise self._store.damaged("the experiments of a run are not those of its cells")
        return SuiteRunRecord(**run | {"resolved": resolved}, cells=cells)

    def _cell(
        self,
        experiment: str,
        label: str,
        key: str,
        facts: dict[str, Any],
        chunks: list[dict[str, Any]],
    ) -> CellRecord:
        signals_key = self._signals_keys[key]
        if signals_key not in self._signals:
            self._signals[signals_key] = self._store.signals_of(signals_key)
        for chunk in chunks:
            chunk["environment"] = self._environments[chunk["environment"]]
        return CellRecord(
            experiment=experiment,
            label=label,
            key=key,
            signals_key=signals_key,
            facts=facts,
            chunks=chunks,
            signals=self._signals[signals_key],
            estimates=self._store.recovered(key),
        )


def write_records(folder: str | Path, runs: Iterable[SuiteRunRecord]) -> tuple[int, ...]:
    """Write runs from plain data into a new store.

    Parameters
    ----------
    folder : str or pathlib.Path
        A folder without results.
    runs : iterable of SuiteRunRecord
        The runs, which are written one after the other. If several cells have the same key, only
        the outcomes of the first are stored.

    Returns
    -------
    tuple of int
        The numbers of the runs in the store.

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    with Store(folder, create=True) as store, store.transaction():
        return tuple(_write_run(store, run) for run in runs)


def _write_run(store: Store, run: SuiteRunRecord) -> int:
    for cell in run.cells:
        if store.add_cell(cell.key, pack_facts(cell.facts), cell.signals_key):
            _write_outcomes(store, cell, run.finished or run.started)
    cells = ((cell.experiment, cell.label, cell.key) for cell in run.cells)
    return store.add_run(vars(run) | {"resolved": json.dumps(run.resolved)}, cells)


def _write_outcomes(store: Store, cell: CellRecord, time: str) -> None:
    if cell.signals is not None:
        store.add_signals(cell.signals_key, cell.signals)
    for chunk in cell.chunks:
        scores, estimates = chunk["scores"], cell.estimates[chunk["start"] : chunk["stop"]]
        attempt = Attempt(
            **{name: chunk[name] for name in ("start", "stop", "status", "message", *MEASURED)},
            isolated=chunk.get("isolated"),
            sealed=chunk.get("sealed"),
            time_limit=None,
            scores=None if scores is None else pack_scores(np.asarray(scores)),
            finished=time,
            environment=json.dumps(chunk["environment"], sort_keys=True),
            x=None if scores is None else pack_signals(estimates),
        )
        store.add_attempt(cell.key, attempt)
