"""Traces: the scores of the estimates that a solver records while it runs, packed for the store."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchbase.component import Array
from benchbase.problem import Problem

if TYPE_CHECKING:
    from benchbase.numerics.streams import Snapshot

MOST_SNAPSHOTS = 2**28
"""The most bytes of estimates that a solver may record in one chunk."""

COLUMNS = {
    "signal": "number of the signal within the trial",
    "step": "number of the snapshot, in the order in which they were recorded",
    "phase": "the phase that recorded it, nested phases joined by /; empty outside of phases",
    "n_iter": "iteration within the phase",
    "seconds": "seconds spent so far on the chunk, divided by its number of signals",
    "squared_cosine": "squared cosine of the angle between estimate and signal",
    "relative_error": "‖x̂ − x‖ / ‖x‖, with the best sign if the measurements lose it",
    "residual": "‖P(F x̂) − b‖ / ‖b‖",
}
"""The columns of a trace and what they hold; one row per signal and snapshot."""


def pack(
    snapshots: Sequence[Snapshot], problem: Problem, truth: Array, b: Array, first: int
) -> bytes:
    """Score the snapshots of a batch and return the scores as bytes, which `unpack` reads.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        The snapshots, in the order in which they were recorded.
    problem : Problem
        The problem, for the residual and the ambiguity.
    truth : ndarray, shape (S, N)
        The signals of the batch.
    b : ndarray, shape (S, K)
        Their measurements.
    first : int
        The number of the batch's first signal within the trial.
    """
    parts: dict[str, list[Array]] = {name: [np.empty(0)] for name in COLUMNS}
    parts["phase"] = [np.empty(0, dtype=np.str_)]
    for step, shot in enumerate(snapshots):
        x = np.asarray(shot.x, dtype=np.float64)
        size = len(shot.rows)
        scores = {
            "squared_cosine": problem.squared_cosine(x, truth[shot.rows]),
            "relative_error": problem.relative_error(x, truth[shot.rows]),
            "residual": problem.residual(x, b[shot.rows]),
        }
        same = {"step": step, "n_iter": shot.n_iter, "seconds": shot.seconds / len(b)}
        columns = {name: np.full(size, float(value)) for name, value in same.items()} | scores
        columns |= {"signal": shot.rows + first, "phase": np.full(size, "/".join(shot.phase))}
        for name, values in columns.items():
            parts[name].append(values)
    packed = io.BytesIO()
    columns = {name: np.concatenate(parts[name]) for name in COLUMNS}
    np.savez_compressed(packed, allow_pickle=False, **columns)
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, Array]:
    """Return the columns of a trace by name."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as columns:
        return {name: columns[name] for name in COLUMNS}
