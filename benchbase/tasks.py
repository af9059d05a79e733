"""Tasks and outcomes: plain data, so that any process on any machine can be a worker."""

from __future__ import annotations

from typing import Any, TypedDict

from benchbase.component import Array


class Task(TypedDict):
    """One chunk of a cell, as plain data: what an executor passes to a worker.

    `code` has the digests of what its components' modules reach, and of the core, `files` those of
    the data set's files, for a worker to compare with what it finds; `packages` those of whole
    packages, for the record.
    `send_signals` asks for the test signals, unless the worker has sent them before; `time_limit`
    is in wall-clock seconds a signal; `trace` asks for the scores of what the solver records.
    """

    key: str
    start: int
    stop: int
    dataset: dict[str, Any]
    frame: dict[str, Any]
    pooling: dict[str, Any]
    noise: dict[str, Any] | None
    hint: dict[str, Any] | None
    solver: dict[str, Any]
    seed: int
    trial: int
    points: int
    train_key: str
    signals_key: str
    problem_key: str
    plugins: list[str]
    code: dict[str, str]
    packages: dict[str, str]
    files: list[str]
    host_name: bool
    send_signals: bool
    time_limit: float | None
    trace: bool


LOST = ("failed", "timeout", "crashed")
"""The statuses of outcomes without an estimate, which count as not recovered."""


class Outcome(TypedDict, total=False):
    """What became of a task, as plain data: what an executor passes back.

    The status is "done", "failed", "timeout", "crashed", "unsupported", or "refused" where it is
    not the solver's fault, with the `exit_code` of the error. Arrays have a row a signal; x is
    float32, (S, N). Seconds are wall-clock; `prepare_seconds` is for all signals, `init_seconds`
    and `solve_seconds` (without those of phases named "init") are means a signal.
    `frame_applications` is the mean a signal, None where the solver took the vectors.
    `time_limit` is there for a timeout. `checksum` is the norm of all the problem's measurements,
    by which machines can tell that they met the same problem, `condition` that of its frame.
    `trace` has a row for each signal and snapshot (see `benchbase.numerics.traces`), if one was
    asked for.
    """

    key: str
    start: int
    stop: int
    status: str
    message: str
    time_limit: float | None
    exit_code: int
    environment: dict[str, Any]
    signals_key: str
    signals: Array
    x: Array
    squared_cosine: Array
    relative_error: Array
    residual: Array
    n_iter: Array
    converged: Array
    prepare_seconds: float
    init_seconds: float
    solve_seconds: float
    frame_applications: float | None
    checksum: float
    condition: float | None
    trace: bytes


def json_ready(value: Any) -> Any:
    """Return plain data without the numbers that JSON lacks: ∞ becomes "inf"."""
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value
