"""Estimates of the time that tasks will take, from what similar computations took before."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from math import inf
from statistics import fmean
from typing import Any

from benchbase.running.runner import Plan
from benchbase.storage.store import Store
from benchbase.tasks import Task


@dataclass(frozen=True)
class Estimate:
    """An estimate of the time that a run will take.

    Attributes
    ----------
    seconds : float
        Wall-clock seconds of one worker, without the chunks that are unknown.
    unknown : dict of str to int
        The number of chunks without an estimate, by solver, because no earlier outcome fits them.
    """

    seconds: float
    unknown: dict[str, int]


_Like = dict[tuple[str, int], dict[int, list[tuple[float, float]]]]


def estimate(todo: Plan, store: Store | None) -> Estimate:
    """Estimate the time of a run from earlier outcomes of its solvers with the same parameters.

    A solver is assumed to take, to prepare and then per signal, its mean times of earlier outcomes
    for the same dimension and the nearest number of pools. A signal that timed out counts with its
    limit. The time to build problems is not counted. Work that solvers share counts for each.

    Parameters
    ----------
    todo : Plan
        From `benchbase.running.runner.plan`.
    store : Store or None
        The store with earlier outcomes; None if there is none.
    """
    seconds = _Seconds(todo, store)
    known = [(task, seconds.of(task)) for task in todo.tasks]
    unknown = Counter(task["solver"]["name"] for task, each in known if each is None)
    return Estimate(sum(each for _, each in known if each is not None), dict(unknown))


def longest_first(todo: Plan, store: Store) -> Plan:
    """Return a plan whose longest tasks come first, so that all workers are busy to the end.

    Tasks with the same test signals still follow each other, and among them those of the same
    frame, of the same problem and of the same cell, because workers keep what these share. What has
    no estimate comes first, as it may be the longest. What takes equally long, and a plan of which
    nothing is known, keep their order. No result depends on the order.

    Parameters
    ----------
    todo : Plan
        From `benchbase.running.runner.plan`.
    store : Store
        The store with earlier outcomes.
    """
    if len(todo.tasks) < 2:
        return todo
    seconds = _Seconds(todo, store)
    if not seconds.known:
        return todo
    totals: defaultdict[str, float] = defaultdict(float)
    first: dict[str, int] = {}
    for index, task in enumerate(todo.tasks):
        each = seconds.of(task)
        for key in _groups(task):
            totals[key] += inf if each is None else each
            first.setdefault(key, index)

    def place(task: Task) -> list[float]:
        return [number for key in _groups(task) for number in (-totals[key], first[key])]

    return replace(todo, tasks=sorted(todo.tasks, key=place))


def _groups(task: Task) -> tuple[str, ...]:
    """Return the keys of a task's test signals, frame with signals, problem and cell."""
    return task["signals_key"], task["group_key"], task["problem_key"], task["key"]


class _Seconds:
    """The seconds that tasks of a plan will take, as far as earlier outcomes tell."""

    def __init__(self, todo: Plan, store: Store | None) -> None:
        self.known = {} if store is None else _spent(store)
        self._cells = {cell.key: cell for cell in todo.cells}
        self._means: dict[str, tuple[float, float] | None] = {}

    def of(self, task: Task) -> float | None:
        """Return the seconds of a task, or None if no earlier outcome fits it."""
        key = task["key"]
        if key not in self._means:
            kind, pools = _kind(self._cells[key].facts())
            near = self.known.get(kind, {})
            nearest = min(near, key=lambda other: abs(other - pools), default=None)
            self._means[key] = None if nearest is None else _mean(near[nearest])
        mean = self._means[key]
        return None if mean is None else mean[0] + mean[1] * (task["stop"] - task["start"])


def _mean(spent: list[tuple[float, float]]) -> tuple[float, float]:
    prepare, signal = map(fmean, zip(*spent, strict=True))
    return prepare, signal


def _kind(facts: dict[str, Any]) -> tuple[tuple[str, int], int]:
    return (json.dumps(facts["solver"], sort_keys=True), facts["n"]), facts["n_pools"] or 0


def _spent(store: Store) -> _Like:
    """Return the seconds to prepare and per signal of all chunks that were solved or timed out."""
    spent: _Like = {}
    for facts, prepare, signal in store.durations():
        kind, pools = _kind(facts)
        spent.setdefault(kind, {}).setdefault(pools, []).append((prepare, signal))
    return spent
