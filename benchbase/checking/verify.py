"""Verification of stored results: rebuilt problems, repeated scores, and cells run again."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchbase.component import Array, Component
from benchbase.discovery.code import Code
from benchbase.discovery.provenance import environment
from benchbase.discovery.registry import Registry, registry
from benchbase.errors import BenchbaseError, described
from benchbase.interfaces import Dataset
from benchbase.numerics.recovery import score
from benchbase.planning.cells import Cell
from benchbase.planning.parts import Parts
from benchbase.problem import Recovery
from benchbase.results import columns_of, load_results
from benchbase.running.executors import Executor, InProcess, one_blas_thread
from benchbase.running.local import LocalWorkers
from benchbase.running.rebuild import Rebuilder
from benchbase.showing import pooling_name
from benchbase.storage.store import SCORES, Store
from benchbase.tasks import Outcome, code_of

TOLERANCE = 1e-6
"""How far two numbers may differ; relative to the stored or rebuilt one if that is above 1."""

_Remark = tuple[Iterable[int], str]
"""Signals, or none for the whole cell, and a sentence about what does not reproduce."""


@dataclass(frozen=True)
class Finding:
    """Something that does not reproduce: its place, and a message about what differs by how much.

    `signals` is empty if the message is about the whole cell. `pooling` is what tables call it.
    `n_pools` is None if it does not apply.
    """

    run: int
    experiment: str
    label: str
    pooling: str
    n_pools: int | None
    trial: int
    signals: tuple[int, ...]
    message: str


@dataclass(frozen=True)
class Verification:
    """What was verified: the runs, and the numbers of cells and estimates.

    `cells_run` is the number of cells that were run again. `findings` has everything that does not
    reproduce, in the order of the runs' tables.
    """

    runs: tuple[int, ...]
    cells: int
    estimates: int
    cells_run: int
    findings: list[Finding]


def verify(
    folder: str | Path,
    *,
    run: int | str | None = None,
    sample: int | None = 3,
    plugins: Sequence[str | Path] = (),
) -> Verification:
    """Compare stored results with what the present code computes from the facts stored with them.

    Each problem is rebuilt. Its test signals and the norm of its measurements must be equal to
    those stored up to 1e-6.

    Each estimate is scored again. The scores must be equal if versions, BLAS and processor are
    those recorded, and equal up to 1e-6 otherwise.

    Sampled cells are run again, without a time limit. If plugins that did not come with benchbase
    are loaded, each cell is run in a process of its own. Estimates and scores must be equal if the
    environment is that recorded. Otherwise the mean squared cosine must be within 3 standard errors
    of the paired differences.

    Nothing is written.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder of results.
    run : int, "all" or "last", optional
        Which runs to verify; by default the latest run of each suite.
    sample : int, optional
        How many cells to run again; None runs all of them.
    plugins : sequence of str or pathlib.Path, optional
        Plugin files that the results need.

    Raises
    ------
    BenchbaseError
        If the results cannot be read, or a plugin file cannot be loaded.
    """
    here = environment()  # before plugins load libraries, which would be part of it
    known = registry()
    for path in plugins:
        known.load_file(path)
    with one_blas_thread(), contextlib.redirect_stdout(sys.stderr), Store(folder) as store:
        runs = load_results(folder, run).runs
        return _Verifier(store, known, _read(store, runs, here)).verify(runs, sample)


@dataclass(frozen=True)
class _Stored:
    """A cell as it is stored.

    Each chunk has its ``core`` and ``code`` digests; ``same`` says whether its environment is the
    present one.
    """

    head: tuple[int, str, str, str, int | None, int]
    key: str
    signals_key: str
    facts: dict[str, Any]
    chunks: list[dict[str, Any]]
    finished: bool

    def finding(self, remark: _Remark) -> Finding:
        signals, message = remark
        return Finding(*self.head, tuple(int(signal) for signal in signals), message)


def _read(store: Store, runs: Sequence[int], here: dict[str, Any]) -> list[_Stored]:
    """Read, each once, the cells that have outcomes and all cells of finished runs."""
    cells: dict[str, _Stored] = {}
    with store.as_written():
        environments, signals = store.environments(), store.signals_keys()
        finished = {run["id"]: run["finished"] is not None for run in store.runs()}
        for run in runs:
            chunks = store.chunks(run)
            for experiment, label, key, facts in store.cells(run):
                n_pools = facts.get("n_pools", facts["frame"].get("n_pools"))
                problem = _pooling(facts), n_pools, facts["trial"]
                own = chunks.get(key, [])
                for chunk in own:
                    made = environments[chunk["environment"]]
                    alike = all(made.get(name) == here[name] for name in here)
                    chunk |= {"same": alike, "core": made["core"], "code": made.get("code") or {}}
                head = (run, experiment, label, *problem)
                if own or finished[run]:
                    stored = _Stored(head, key, signals[key], facts, own, finished[run])
                    cells.setdefault(key, stored)
    return list(cells.values())


class _Verifier:
    """Verifies stored cells; it takes the cells of one problem in succession."""

    def __init__(self, store: Store, known: Registry, everything: Sequence[_Stored]) -> None:
        self._store, self._known, self._everything = store, known, everything
        self._rebuilder = Rebuilder(known)
        self._cells = {stored.key: self._cell(stored.facts) for stored in everything}
        same = [c for key, c in self._cells.items() if isinstance(c, Cell) and c.key == key]
        self._unchanged = {_origin(part) for cell in same for part in cell.parts()}
        self._can_run: dict[str, Cell] = {}
        self._estimates = 0

    def _cell(self, facts: dict[str, Any]) -> Cell | str:
        """Rebuild a cell, or return the reason why it cannot be rebuilt."""
        try:
            return self._rebuilder.cell(facts)
        except BenchbaseError as error:
            return described(error)

    def verify(self, runs: tuple[int, ...], sample: int | None) -> Verification:
        remarks: dict[str, list[_Remark]] = {}
        problems = {key: getattr(cell, "problem_key", "") for key, cell in self._cells.items()}
        for stored in sorted(self._everything, key=lambda stored: problems[stored.key]):
            cell = self._cells[stored.key]
            if isinstance(cell, str):
                remarks[stored.key] = [((), f"cannot be verified: {cell}")]
            else:
                remarks[stored.key] = [*self._check_key(stored, cell), *self._check(stored, cell)]
        able = [stored for stored in self._everything if stored.key in self._can_run]
        size = len(able) if sample is None else min(sample, len(able))
        chosen = np.random.default_rng(0).choice(len(able), size, replace=False)
        for stored in (able[i] for i in chosen):
            remarks[stored.key] += self._run_again(stored, self._can_run[stored.key])
        findings = [s.finding(remark) for s in self._everything for remark in remarks[s.key]]
        return Verification(runs, len(remarks), self._estimates, size, findings)

    def _check_key(self, stored: _Stored, cell: Cell) -> Iterator[_Remark]:
        if cell.key == stored.key:
            for name, value in cell.facts().items():  # some follow from the components
                if stored.facts.get(name, value) != value:
                    yield (), f"{name} is stored as {stored.facts[name]}, but it is {value}"
            # Digests only, since the name of a plugin file's module depends on where the file is.
            code = sorted(code_of(cell.code).values())
            if any(sorted(chunk["code"].values()) != code for chunk in stored.chunks):
                yield (), "the stored digests of the code are not those that made the cell's key"
            return
        changed = [part for part in cell.parts() if _origin(part) not in self._unchanged]
        if cell.signals_key == stored.signals_key:
            changed = [part for part in changed if not isinstance(part, Dataset)]
        names = [f"{part.kind} '{part.name}'" for part in reversed(changed)]
        core = Code().core()
        if any(chunk["core"] != core for chunk in stored.chunks):
            names.append("benchbase")
        reason = "the stored facts of its components, seed, trial or points have changed since"
        if names:
            reason = f"the code of {' or of '.join(dict.fromkeys(names))} has changed since"
        yield (), f"cannot be verified: {reason}"

    def _check(self, stored: _Stored, cell: Cell) -> Iterator[_Remark]:
        """Compare signals, measurements and scores with those of the rebuilt problem."""
        points = set(range(cell.points))
        gone = points.difference(*(range(c["start"], c["stop"]) for c in stored.chunks))
        if gone and stored.finished:
            yield sorted(gone), "outcomes of a finished run are missing"
        chunks = [c for c in stored.chunks if c["status"] == "done" or c["checksum"] is not None]
        if not chunks:
            return  # nothing is stored that depends on the problem
        try:
            instance = self._rebuilder.instance(cell)
            signals, x = self._store.signals(stored.key), self._store.recovered(stored.key)
        except (Exception, SystemExit) as error:  # a plugin's code may raise anything
            yield (), f"cannot be verified: {described(error)}"
            return
        if signals.shape != instance.truth.shape:
            shape = instance.truth.shape
            yield (), f"test signals are stored with shape {signals.shape}, but now have {shape}"
        elif (apart := ~_alike(signals, instance.truth, TOLERANCE)).any():
            gap = np.abs(signals - instance.truth).max()
            yield np.flatnonzero(apart.any(axis=1)), f"test signals differ by up to {gap:.3g}"
        scored, able, norm = 0, not gone, float(np.linalg.norm(instance.b))
        for chunk in chunks:
            rows = range(chunk["start"], chunk["stop"])
            checksum = np.nan if chunk["checksum"] is None else chunk["checksum"]
            if not abs(checksum - norm) <= TOLERANCE * norm:
                values = f"{checksum:.9g} is stored, but it is now {norm:.9g}"
                yield rows, f"the norm of all measurements differs: {values}"
            if chunk["scores"] is None and chunk["status"] != "done":
                able &= chunk["status"] == "failed"
                continue
            whole = np.shape(chunk["scores"]) == (len(SCORES), len(rows)) and rows.stop <= len(x)
            if not whole or chunk["status"] != "done":
                yield rows, f"the status is {chunk['status']}, but scores or estimates disagree"
                able = False
                continue
            part = slice(rows.start, rows.stop)  # the run's own rows, as rounding depends on shape
            b, truth = instance.b[part], instance.truth[part]
            yield from self._compare(chunk, score(Recovery(x[part]), instance.problem, truth, b))
            scored += len(rows)
        self._estimates += scored
        if cell.key == stored.key and able and len(chunks) == len(stored.chunks):
            self._can_run[stored.key] = cell

    @staticmethod
    def _compare(chunk: dict[str, Any], again: Outcome) -> Iterator[_Remark]:
        """Compare the stored scores of a chunk with those that its estimates get now."""
        wrong, texts = set(), []
        for name, old in zip(SCORES[:3], chunk["scores"], strict=False):
            new: Array = again[name]  # type: ignore[literal-required] # a name of a score
            apart = np.flatnonzero(~_alike(old, new, 0.0 if chunk["same"] else TOLERANCE))
            if apart.size:
                i = apart[0]  # the message shows the first signal for all
                wrong.update(chunk["start"] + apart)
                texts.append(f"{name} {old[i]:.6g} differs by {old[i] - new[i]:.3g}")
        if texts:
            yield sorted(wrong), f"scored again: {'; '.join(texts)}"

    def _run_again(self, stored: _Stored, cell: Cell) -> Iterator[_Remark]:
        # Where a stranger's code is loaded, each cell gets a process of its own: that code may have
        # changed this process, and would change what runs after it in the same one.
        local = any(map(self._known.is_local, cell.parts()))
        here = local or not any(each.source for each in self._known.providers.values())
        executor: Executor = InProcess(self._known) if here else LocalWorkers(1)
        outcomes = {
            outcome["start"]: outcome for outcome in executor.run(cell.tasks(Parts(self._known)))
        }
        pairs = []
        for chunk in stored.chunks:
            again = outcomes[chunk["start"]]
            if again["status"] == chunk["status"] == "done":
                pairs.append((chunk, again))
            elif again["status"] != chunk["status"]:
                statuses = f"the status is {again['status']}, not {chunk['status']}"
                yield (
                    range(chunk["start"], chunk["stop"]),
                    f"run again: {again.get('message') or statuses}",
                )
        if not pairs:
            return
        signals = np.concatenate([np.arange(c["start"], c["stop"]) for c, _ in pairs])
        old = np.concatenate([chunk["scores"] for chunk, _ in pairs], axis=1)
        new = np.array([np.concatenate([o[name] for _, o in pairs]) for name in SCORES])  # type: ignore[literal-required] # names of scores
        gap = np.nan_to_num(new[0]) - np.nan_to_num(old[0])  # a lost signal counts as 0
        if all(chunk["same"] for chunk, _ in pairs):
            x = np.concatenate([again["x"] for _, again in pairs])
            apart = ~_alike(old, new, 0.0)
            moved = ~_alike(self._store.recovered(stored.key)[signals], x, 0.0).all(axis=1)
            if apart.any() or moved.any():
                named = [*np.array(SCORES)[apart.any(axis=1)], *["x"] * bool(moved.any())]
                most = f"squared_cosine by up to {np.abs(gap).max():.3g}"
                message = f"run again: {', '.join(named)} differ, {most}"
                yield signals[apart.any(axis=0) | moved], message
            return
        error = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else 0.0
        if not abs(gap.mean()) <= max(3 * error, TOLERANCE):
            size = f"{gap.mean():.3g}, with a standard error of {error:.3g}"
            yield (), f"run again: the mean squared cosine differs by {size}"


def _pooling(facts: dict[str, Any]) -> str:
    """Return what tables call the pooling of a cell."""
    import pandas as pd

    columns = columns_of(facts)
    return pooling_name(
        pd.Series(columns | {"p": np.nan if columns["p"] is None else columns["p"]})
    )


def _origin(part: Component) -> tuple[str, str]:
    """Return what a component's numbers come from: its module, and for a data set its name.

    A data set's name stands for its files.
    """
    return type(part).__module__, part.name if isinstance(part, Dataset) else ""


def _alike(a: Array, b: Array, tolerance: float) -> Array:
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        near = np.abs(a - b) <= tolerance * np.maximum(1.0, np.abs(b))
    alike: Array = near | (a == b) | (np.isnan(a) & np.isnan(b))
    return alike
