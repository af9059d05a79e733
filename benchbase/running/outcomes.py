"""Outcomes of tasks, as they come from workers or take the place of those that do not come."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchbase.component import Array
from benchbase.discovery.provenance import circumstances
from benchbase.errors import FormatError
from benchbase.running.messages import ArrayField, Field, check_fields
from benchbase.storage.store import SCORES
from benchbase.tasks import Outcome, Task

_NUMBER = (int, float)
_STATUSES = ("done", "failed", "crashed", "unsupported", "refused")
_TRACE = 256 << 20  # the most bytes of a packed trace
_NPY = 1 << 10  # more bytes than an NPY file has besides its numbers
_COSTS = ("prepare_seconds", "init_seconds", "solve_seconds")


def most_bytes(task: Task) -> int:
    """Return how many bytes the arrays of a task's outcome may have at most."""
    rows = task["stop"] - task["start"]
    numbers = (rows + task["points"]) * task["n"] * 4 + len(SCORES) * rows * 8
    return numbers + (len(SCORES) + 3) * _NPY + (_TRACE if task["trace"] else 0)


def checked_outcome(fields: dict[str, Any], task: Task) -> Outcome:
    """Return the outcome that a worker has sent, if it is one of the task that it was given.

    Of the environment, the worker sends only the modules that were loaded although no key covers
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
    costs = [fields[name] for name in (*_COSTS, "frame_applications") if fields.get(name)]
    if not all(math.isfinite(cost) and cost >= 0 for cost in costs):
        raise FormatError("its costs are no finite numbers")
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


def lost_outcome(task: Task, status: str, message: str) -> Outcome:
    """Return the outcome of a task whose worker is dead or late and cannot send one."""
    return Outcome(
        key=task["key"],
        start=task["start"],
        stop=task["stop"],
        signals_key=task["signals_key"],
        status=status,
        message=message,
        time_limit=task["time_limit"] if status == "timeout" else None,
        environment=circumstances(task),
    )
