"""Tasks and outcomes: they are plain data, so that any process on any machine can be a worker."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, TypedDict, final

from benchbase.component import Array, Component, plain
from benchbase.interfaces import Dataset


@final
class Task(TypedDict):
    """The work that an executor passes to a worker: one chunk of a cell, as plain data.

    `n` is the dimension of the signals, by which the executor checks what comes back.
    `code` holds, for each kind of component and for the core, the digests of what its modules
    reach, and `files` the digests of the data set's files, so that the worker can compare them with
    its own. `packages` holds the digests of whole packages, for the record. `sources` names, for
    each kind, the plugin files and the entry points of other distributions that supply it. `shared`
    is what keeps the task from being sealed: the packages of strangers from which both the solver
    and a part of its problem come, or this session. `send_signals` asks for the test signals,
    unless the worker has sent them before. `time_limit` is in wall-clock seconds per signal.
    `trace` asks for the scores of the snapshots that the solver records.

    `group_key` is the `problem_key` without the pooling. `others` has the specs of other poolings
    under which the same solver has the same chunk of the same group to compute in this run.
    `answers` is the folder in which the solvers of the run share what they find, which the executor
    makes; None if there is none.
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
    group_key: str
    others: list[dict[str, Any]]
    answers: str | None
    sources: dict[str, list[str]]
    shared: list[str]
    code: dict[str, dict[str, str]]
    packages: dict[str, str]
    files: list[str]
    host_name: bool
    send_signals: bool
    time_limit: float | None
    trace: bool


@final
class Posed(TypedDict):
    """A chunk of a problem as its solver meets it, as plain data. Nothing in it leads to the truth.

    `frame_key` and `solver_keys` (one per signal) are the keys of random streams in hexadecimal
    digits; they do not lead back to the seed. `training` is the path of a file that holds the
    training signals and nothing else, or an array, or None. `b` and `hint` have one row per signal.
    `signal_norm`, `noise` and `has_hint` are facts of the `Problem`. `other_b` has the measurements
    of the same signals under the poolings `others`, (len(others), S, K), for solvers that ask about
    all of them at once; there are none unless all code is benchbase's own. The other fields are
    those of `Task` for the frame, the pooling and the solver.
    """

    key: str
    problem_key: str
    group_key: str
    others: list[dict[str, Any]]
    other_b: Array
    answers: str | None
    n: int
    frame: dict[str, Any]
    pooling: dict[str, Any]
    solver: dict[str, Any]
    sources: dict[str, list[str]]
    code: dict[str, dict[str, str]]
    frame_key: str
    solver_keys: list[str]
    b: Array
    hint: Array | None
    training: str | Array | None
    signal_norm: float | None
    noise: float | None
    trace: bool


@final
class Solved(TypedDict, total=False):
    """What a solver made of a chunk, as plain data; it is checked before it is scored.

    The status is "done", "failed", "crashed", "unsupported" or "refused", as in `Outcome`, and so
    are the other fields with the same names. `loaded` holds the digests of files that were used
    although no key covers them. `snapshots` has [phase, number of rows, n_iter, seconds] of each
    snapshot; `snapshot_rows` and `snapshot_x` hold the rows of all of them, one after the other.
    """

    status: str
    message: str
    exit_code: int
    x: Array
    n_iter: Array
    converged: Array
    prepare_seconds: float
    init_seconds: float
    solve_seconds: float
    frame_applications: float | None
    loaded: dict[str, str]
    snapshots: list[list[Any]]
    snapshot_rows: Array
    snapshot_x: Array


LOST = ("failed", "timeout", "crashed")
"""The statuses of outcomes without an estimate whose signals count as not recovered."""


@final
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

    `isolated` says whether the solver ran in a process that had run no code of other strangers, and
    `sealed` whether that process never held the signals or the seed. The executor sets both.
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
    isolated: bool
    sealed: bool


def code_of(
    code: Mapping[str, Mapping[str, str]], kinds: Collection[str] | None = None
) -> dict[str, str]:
    """Return the digests of a task's code in one dict, by module: of all kinds, or of some."""
    chosen = code if kinds is None else kinds
    return {name: digest for kind in chosen for name, digest in code.get(kind, {}).items()}


def fingerprints(component: Component) -> list[str]:
    """Return the fingerprints of all data sets in a component."""
    return [part.fingerprint() for part in component.walk() if isinstance(part, Dataset)]


def json_ready(value: Any) -> Any:
    """Return `plain` data with the infinite numbers, which JSON lacks, as "inf" and "-inf"."""
    return _without_infinity(plain(value))


def _without_infinity(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_infinity(item) for item in value]
    return str(value) if value in (math.inf, -math.inf) else value
