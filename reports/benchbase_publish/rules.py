"""Rules for bundles: every bundle must be consistent, and a submission also complete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from benchbase import Array
from benchbase.showing import look_alike
from benchbase_publish.bundle import Bundle, cell_shape
from benchbase_publish.schema import BundleError, Cell, Entry, Manifest

_CLOCKS = timedelta(minutes=10)
"""How far the clocks of two machines may be apart."""

MOST_PARAMETERS = 500
"""The most parameters of all solvers of a bundle: tables have a column for each."""

MOST_SOLVERS = 200
"""The most solvers of a submission: each is compared with every other."""

_MOST_ITERATIONS = 2.0**53


def check_manifest(manifest: Manifest) -> None:
    """Refuse a manifest whose parts do not fit each other.

    Raises
    ------
    BundleError
        If something is wrong; the message names the first such thing.
    """
    experiments = manifest.suite.experiments
    if len({each.name for each in experiments}) < len(experiments):
        raise BundleError("two experiments of the suite have one name")
    _check_entries(manifest)
    if len({name for e in manifest.entries for name in _names(e.solver)}) > MOST_PARAMETERS:
        raise BundleError(f"its solvers have more than {MOST_PARAMETERS} parameters")
    seen = set()
    for number, cell in enumerate(manifest.cells):
        place = f"the cell {number}"
        if cell.entry >= len(manifest.entries):
            raise BundleError(f"{place} is of a solver that is not listed")
        experiment = experiments[manifest.entries[cell.entry].experiment]
        if cell.problem >= len(experiment.problems):
            raise BundleError(f"{place} is of a problem that the suite does not have")
        if cell.trial >= experiment.trials:
            raise BundleError(f"{place} is of a trial that the suite does not have")
        if (key := (cell.entry, cell.problem, cell.trial)) in seen:
            raise BundleError(f"{place} is there twice: {name_of(manifest, cell)}")
        seen.add(key)
        _check_chunks(manifest, cell)
        _check_signals(manifest, cell)
    if {cell.signals for cell in manifest.cells} - {None} != {*range(len(manifest.signals))}:
        raise BundleError("there are signals that no cell refers to")
    _check_dates(manifest)


def _check_entries(manifest: Manifest) -> None:
    experiments = manifest.suite.experiments
    seen: set[tuple[int, str]] = set()
    for entry in manifest.entries:
        if entry.experiment >= len(experiments):
            raise BundleError(f"{entry.label!r} is of an experiment that the suite does not have")
        if entry.points > experiments[entry.experiment].points:
            raise BundleError(f"{entry.label!r} has more signals per trial than its experiment")
        if (key := (entry.experiment, entry.label)) in seen:
            raise BundleError(f"two solvers are labelled {entry.label!r}")
        seen.add(key)
    if pair := look_alike(entry.label for entry in manifest.entries):
        raise BundleError(f"the labels {pair[0]!r} and {pair[1]!r} look alike")


def _names(value: Any, path: str = "") -> Iterator[str]:
    """Yield the names of the columns that hold a spec's parameters."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _names(item, f"{path}.{name}")
    else:
        yield path


def _check_chunks(manifest: Manifest, cell: Cell) -> None:
    place, (points, _) = name_of(manifest, cell), cell_shape(manifest, cell)
    for chunk in cell.chunks:
        if not chunk.start < chunk.stop <= points:
            raise BundleError(f"{place}: signals {chunk.start} to {chunk.stop} are not in it")
        if chunk.environment >= len(manifest.environments):
            raise BundleError(f"{place}: its environment is not listed")
        if chunk.status == "done" and (cell.signals is None or chunk.checksum is None):
            raise BundleError(f"{place}: it is done, but its signals or their checksum are missing")
    if any(one.stop > other.start for one, other in pairwise(cell.chunks)):
        raise BundleError(f"{place}: outcomes overlap or are out of order")
    statuses = {chunk.status for chunk in cell.chunks}
    if "unsupported" in statuses and len(statuses) > 1:
        raise BundleError(f"{place}: it is unsupported for some signals only")


def _check_signals(manifest: Manifest, cell: Cell) -> None:
    if cell.signals is None:
        return
    if cell.signals >= len(manifest.signals):
        raise BundleError(f"{name_of(manifest, cell)}: the bundle does not have its signals")
    if manifest.signals[cell.signals] != cell_shape(manifest, cell):
        raise BundleError(
            f"{name_of(manifest, cell)}: its signals do not have the shape that the suite gives"
        )


def _check_dates(manifest: Manifest) -> None:
    made = manifest.provenance
    started = datetime.fromisoformat(made.started)
    finished = started if made.finished is None else datetime.fromisoformat(made.finished)
    if finished < started:
        raise BundleError("the run finished before it started")
    if finished > datetime.now(UTC) + _CLOCKS:
        raise BundleError("the run finished in the future")


def check_arrays(bundle: Bundle) -> None:
    """Refuse arrays that do not fit the manifest, or hold values that no run gives.

    Raises
    ------
    BundleError
        If something is wrong; the message names the first such thing.
    """
    for number, signals in enumerate(bundle.signals):
        if not np.isfinite(signals).all():
            raise BundleError(f"signals/{number:06}.npy holds numbers that are not finite")
    for cell, estimates, scores in bundle.cells():
        for fault in _score_faults(cell, estimates, scores):
            raise BundleError(f"{name_of(bundle.manifest, cell)}: {fault}")


def _score_faults(cell: Cell, estimates: Array, scores: Array) -> Iterator[str]:
    done = np.zeros(len(estimates), dtype=bool)
    for chunk in cell.chunks:
        done[chunk.start : chunk.stop] = chunk.status == "done"
    if not np.isnan(estimates[~done]).all() or not np.isnan(scores[:, ~done]).all():
        yield "there are estimates or scores of signals that are not done"
    if np.isinf(scores).any():
        yield "a score is infinite"
    found = done & np.isfinite(estimates).all(axis=1)
    if (np.isfinite(scores[:3]) != found).any():
        yield "a signal has an estimate without scores, or scores without an estimate"
    with np.errstate(invalid="ignore"):  # there may be NaN
        if (scores[0] > 1 + 1e-9).any() or (scores[:3] < 0).any():
            yield "a score is out of range"
        if (scores[3] < 0).any() or (scores[3] % 1 > 0).any():
            yield "a number of iterations is negative or not a whole number"
        if (scores[3] > _MOST_ITERATIONS).any():
            yield "a number of iterations is larger than can be counted"
    if not np.isin(scores[4][~np.isnan(scores[4])], (0.0, 1.0)).all():
        yield "whether a signal converged is neither 0 nor 1"


def name_of(manifest: Manifest, cell: Cell) -> str:
    """Name a cell for people."""
    entry = manifest.entries[cell.entry]
    experiment = manifest.suite.experiments[entry.experiment]
    problem = experiment.problems[cell.problem]
    parts = [experiment.name, entry.label, str(problem.pooling["name"])]
    parts += [f"p = {problem.p}"] if problem.p is not None else []
    parts += [f"K = {problem.n_pools}"] if problem.n_pools is not None else []
    return ", ".join([*filter(None, parts), f"trial {cell.trial}"])


def gaps(manifest: Manifest, allowed: Sequence[tuple[str, str, int]] = ()) -> list[str]:
    """Say what a submission lacks (cells, trials, signals, experiments) or has too many of.

    Parameters
    ----------
    manifest : Manifest
        The manifest of the submission.
    allowed : sequence of (str, str, int)
        The experiment, label and points of solvers to which the suite itself gives fewer signals.

    Returns
    -------
    list of str
        One line per fault; empty if the full grid is there.
    """
    labels = [*dict.fromkeys(entry.label for entry in manifest.entries)]
    if len(labels) > MOST_SOLVERS:
        return [f"it has {len(labels)} solvers, more than {MOST_SOLVERS}: pack several bundles"]
    faults = []
    entries = {(e.experiment, e.label): i for i, e in enumerate(manifest.entries)}
    cells: defaultdict[int, list[Cell]] = defaultdict(list)
    for cell in manifest.cells:
        cells[cell.entry].append(cell)
    for label in labels:
        for place, experiment in enumerate(manifest.suite.experiments):
            number = entries.get((place, label))
            if number is None:
                faults.append(f"rows are missing: {label!r} has none of {experiment.name!r}")
                continue
            entry = manifest.entries[number]
            if (experiment.name, label, entry.points) not in allowed:
                faults += _fewer(entry, experiment.points)
            wanted = len(experiment.problems) * experiment.trials
            if (found := len(cells[number])) < wanted:
                faults.append(
                    f"rows are missing: {label!r} has {found} of {wanted} problems and trials"
                    + (f" of {experiment.name!r}" if experiment.name else "")
                )
    return faults + unfinished(manifest)


def unfinished(manifest: Manifest) -> list[str]:
    """Say which signals have no outcome, as after an interrupted run; one line per cell."""
    faults = []
    for cell in manifest.cells:
        missing = cell_shape(manifest, cell)[0] - sum(c.stop - c.start for c in cell.chunks)
        if missing:
            faults.append(f"rows are missing: {missing} signals of {name_of(manifest, cell)}")
    return faults


def _fewer(entry: Entry, points: int) -> Iterator[str]:
    if entry.points < points:
        yield f"rows are missing: {entry.label!r} has {entry.points} of {points} signals per trial"
