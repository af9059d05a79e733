"""How long what is to do may take, by what the like of it has taken."""

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
    """What is to do may take so long.

    Attributes
    ----------
    seconds : float
        Wall-clock seconds of one worker, those of what is unknown left out.
    unknown : dict of str to int
        By solver, the number of chunks that nothing is known about.
    """

    seconds: float
    unknown: dict[str, int]


_Like = dict[tuple[str, int], dict[int, list[tuple[float, float]]]]


def estimate(todo: Plan, store: Store | None) -> Estimate:
    """Estimate what is to do by earlier outcomes of the same solvers with the same parameters.

    Preparing, and then a signal, take what they took on the mean for the same dimension and the
    nearest number of pools; a signal that timed out took its limit. Building problems is left out.

    Parameters
    ----------
    todo : Plan
        From `benchbase.running.runner.plan`.
    store : Store or None
        Where earlier outcomes are; None where there are none.
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
    """Return the seconds to prepare, and a signal, of all chunks that were solved or timed out."""
    found: _Like = {}
    for facts, prepare, signal in store.durations():
        kind, pools = _kind(facts)
        found.setdefault(kind, {}).setdefault(pools, []).append((prepare, signal))
    return found
