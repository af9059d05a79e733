"""Tasks and outcomes: they are plain data, so that any process on any machine can be a worker."""

from __future__ import annotations

from typing import Any, TypedDict

from benchbase.component import Array


class Task(TypedDict):
    """The work that an executor passes to a worker: one chunk of a cell, as plain data.

    `n` is the dimension of the signals, by which the executor checks what comes back.
    `code` holds the digests of what the components' modules reach and of the core, and `files` the
    digests of the data set's files, so that the worker can compare them with its own. `packages`
    holds the digests of whole packages, for the record. `send_signals` asks for the test signals,
    unless the worker has sent them before. `time_limit` is in wall-clock seconds per signal.
    `trace` asks for the scores of the snapshots that the solver records.
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
    n: int
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
"""The statuses of outcomes without an estimate whose signals count as not recovered."""


class Outcome(TypedDict, total=False):
    """The result of a task, which an executor passes back as plain data.

    The status is "done", "failed", "timeout", "crashed", "unsupported" or "refused". "refused"
    means that the solver is not at fault; `exit_code` is then that of the error. Arrays have one
    row per signal; x is float32 of shape (S, N).

    All seconds are wall-clock. `prepare_seconds` is for all signals of the chunk together.
    `init_seconds` (of phases named "init") and `solve_seconds` (of all other phases after
    preparing) are means per signal. `frame_applications` is the mean per signal; it is None if the
    solver took the frame's vectors. `time_limit` is set for a timeout.

    `checksum` is the norm of all the problem's measurements, by which machines can tell that they
    met the same problem. `condition` is the condition number of the problem's frame. `trace` has
    one row for each signal and snapshot (see `benchbase.numerics.traces`) if the task asked for it.
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
    """Return plain data with the infinite numbers, which JSON lacks, as "inf" and "-inf"."""
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value
