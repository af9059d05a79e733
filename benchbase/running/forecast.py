"""Estimates of the time that a run will take, from what similar computations took before."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchbase.running.runner import Plan
from benchbase.storage.store import Store


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
    known = {} if store is None else _spent(store)
    facts = {cell.key: cell.facts() for cell in todo.cells}
    seconds = 0.0
    unknown: Counter[str] = Counter()
    for task in todo.tasks:
        kind, pools = _kind(facts[task["key"]])
        if kind not in known:
            unknown[task["solver"]["name"]] += 1
            continue
        nearest = min(known[kind], key=lambda other: abs(other - pools))
        prepare, signal = map(fmean, zip(*known[kind][nearest], strict=True))
        seconds += prepare + signal * (task["stop"] - task["start"])
    return Estimate(seconds, dict(unknown))


def _kind(facts: dict[str, Any]) -> tuple[tuple[str, int], int]:
    return (json.dumps(facts["solver"], sort_keys=True), facts["n"]), facts["n_pools"] or 0


def _spent(store: Store) -> _Like:
    """Return the seconds to prepare and per signal of all chunks that were solved or timed out."""
    spent: _Like = {}
    for facts, prepare, signal in store.durations():
        kind, pools = _kind(facts)
        spent.setdefault(kind, {}).setdefault(pools, []).append((prepare, signal))
    return spent
