"""Outcomes of tasks, as they come from workers or take the place of those that do not come."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from benchbase.component import Array
from benchbase.discovery.provenance import circumstances
from benchbase.errors import FormatError, in_one_line
from benchbase.numerics.traces import MOST_SNAPSHOTS
from benchbase.running.messages import ArrayField, Field, check_fields
from benchbase.storage.store import SCORES
from benchbase.tasks import Outcome, Solved, Task

_NUMBER = (int, float)
_STATUSES = ("done", "failed", "crashed", "unsupported", "refused")
_TRACE = 256 << 20  # the most bytes of a packed trace
_NPY = 1 << 10  # more bytes than an NPY file has besides its numbers
_PHASE = 1000  # the most characters of a phase's name
_COSTS = ("prepare_seconds", "init_seconds", "solve_seconds")


def most_bytes(task: Task) -> int:
    """Return how many bytes the arrays of a task's outcome may have at most."""
    rows = task["stop"] - task["start"]
    numbers = (rows + task["points"]) * task["n"] * 4 + len(SCORES) * rows * 8
    return numbers + (len(SCORES) + 3) * _NPY + (_TRACE if task["trace"] else 0)


def checked_outcome(fields: dict[str, Any], task: Task) -> Outcome:
    """Return the outcome that a worker has sent, if it is one of the task that it was given.

    Of the environment, the worker sends only the files that were used although no key covers
    them. The rest is what this process says of itself.

    Parameters
    ----------
    fields : dict
        The fields of the message.
    task : Task
        The task.

    Raises
    ------
    FormatError
        If it is an outcome of another task, or no outcome.
    """
    for name in ("key", "start", "stop", "signals_key"):
        if fields.get(name) != task[name]:
            raise FormatError("it is the outcome of another chunk")
    status = fields.get("status")
    if status not in _STATUSES:
        raise FormatError("its status is not one that a worker may send")
    rows, n = task["stop"] - task["start"], task["n"]
    text: Field = (str,)
    known: dict[str, Field] = dict.fromkeys(("key", "signals_key", "status", "message"), text)
    known |= dict.fromkeys(("start", "stop", "exit_code"), (int,))
    known |= {"checksum": _NUMBER, "condition": (*_NUMBER, type(None)), "loaded": (dict,)}
    needed = {"loaded"}
    if status == "refused":
        needed |= {"message", "exit_code"}
    if task["send_signals"]:
        known["signals"] = ArrayField("<f4", (task["points"], n))
    if status == "done":
        known |= dict.fromkeys(SCORES, ArrayField("<f8", (rows,))) | dict.fromkeys(_COSTS, _NUMBER)
        known |= {"x": ArrayField("<f4", (rows, n)), "frame_applications": (*_NUMBER, type(None))}
        needed |= {*known} - {"exit_code", "signals"}
        if task["trace"]:
            known["trace"] = ArrayField("|u1")
    check_fields(fields, known, needed)
    if fields.get("exit_code", 2) not in (1, 2):
        raise FormatError("its exit code is not one of an error")
    _check_costs(fields)
    if "signals" in fields and not np.isfinite(fields["signals"]).all():
        raise FormatError("its signals are not finite")
    loaded = fields.pop("loaded")
    if not all(isinstance(digest, str) for digest in loaded.values()):
        raise FormatError("its loaded modules have no digests")
    trace: Array | None = fields.get("trace")
    if trace is not None:
        fields["trace"] = trace.tobytes()
    more = {"loaded": loaded} if loaded else {}
    return Outcome(**fields | {"environment": circumstances(task) | more})  # type: ignore[typeddict-item] # checked


def most_solved_bytes(task: Task) -> int:
    """Return how many bytes the arrays of a solver's answer may have at most."""
    rows = task["stop"] - task["start"]
    numbers = rows * (4 * task["n"] + 16) + 5 * _NPY
    return numbers + (2 * MOST_SNAPSHOTS if task["trace"] else 0)


def checked_solved(fields: dict[str, Any], task: Task) -> Solved:
    """Return what a solver's process has sent, if it is an answer to a task.

    Parameters
    ----------
    fields : dict
        The fields of the message.
    task : Task
        The task whose problem was posed.

    Raises
    ------
    FormatError
        If it is anything else.
    """
    if fields.get("status") not in _STATUSES:
        raise FormatError("its status is not one that a worker may send")
    rows, n = task["stop"] - task["start"], task["n"]
    known: dict[str, Field] = {"status": (str,), "message": (str,), "loaded": (dict,)}
    needed = {"status", "message"}
    if fields["status"] == "refused":
        known["exit_code"] = (int,)
        needed |= {"exit_code"}
    if fields["status"] == "done":
        column = ArrayField("<f8", (rows,))
        known |= dict.fromkeys(_COSTS, _NUMBER) | {"n_iter": column, "converged": column}
        known |= {"x": ArrayField("<f4", (rows, n)), "frame_applications": (*_NUMBER, type(None))}
        if task["trace"]:
            known["snapshots"] = (list,)
            known |= {"snapshot_rows": ArrayField("<i8"), "snapshot_x": ArrayField("<f8")}
        needed |= {*known} - {"loaded"}
    check_fields(fields, known, needed)
    if fields.get("exit_code", 2) not in (1, 2):
        raise FormatError("its exit code is not one of an error")
    _check_costs(fields)
    if not all(isinstance(digest, str) for digest in fields.get("loaded", {}).values()):
        raise FormatError("its loaded modules have no digests")
    if "snapshots" in fields:
        _check_snapshots(fields, rows, n)
    return cast(Solved, fields)


def _check_costs(fields: dict[str, Any]) -> None:
    costs = [fields[name] for name in (*_COSTS, "frame_applications") if fields.get(name)]
    if not all(math.isfinite(cost) and cost >= 0 for cost in costs):
        raise FormatError("its costs are no finite numbers")


def _check_snapshots(fields: dict[str, Any], rows: int, n: int) -> None:
    """Make sure that the snapshots of an answer can be scored; see `Solved`."""
    places, x = fields["snapshot_rows"], fields["snapshot_x"]
    total = 0
    for head in fields["snapshots"]:
        match head:
            case [str(phase), int(count), int(), float(seconds)] if count >= 0 and seconds >= 0:
                total += count
            case _:
                raise FormatError("one of its snapshots is not one")
        if len(phase) > _PHASE:
            raise FormatError("the name of a phase is too long")
    within = places.ndim == 1 and ((places >= 0) & (places < rows)).all()
    if not within or places.shape != (total,) or x.shape != (total, n):
        raise FormatError("its snapshots have other rows than they claim")


def lost_outcome(task: Task, status: str, message: str) -> Outcome:
    """Return the outcome of a task whose worker is dead or late and cannot send one.

    The status is "refused" if it was lost before the solver began, which is not at fault then.
    """
    outcome = Outcome(
        key=task["key"],
        start=task["start"],
        stop=task["stop"],
        signals_key=task["signals_key"],
        status=status,
        message=in_one_line(message),
        environment=circumstances(task),
    )
    if status == "timeout":
        outcome["time_limit"] = task["time_limit"]
    if status == "refused":
        outcome["exit_code"] = 1
    return outcome
