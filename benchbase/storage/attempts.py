"""Attempts at chunks, as the store keeps them."""

from __future__ import annotations

from typing import NamedTuple

MEASURED = (
    "prepare_seconds",
    "init_seconds",
    "solve_seconds",
    "frame_applications",
    "checksum",
    "condition",
)
"""The measurements that are made once for a whole chunk."""


TRUST = ("isolated", "sealed")
"""What is recorded of the process that a chunk was solved in; see `Outcome`."""


class Attempt(NamedTuple):
    """One attempt at a chunk as it is stored; the fields are those of `Outcome`.

    `scores`, `x` and `trace` are packed, `environment` is JSON with sorted keys, and `finished` is
    the time in ISO format. Only the latest attempt at a chunk keeps its `x` and `trace`.
    """

    start: int
    stop: int
    status: str
    message: str
    time_limit: float | None
    scores: bytes | None
    prepare_seconds: float | None
    init_seconds: float | None
    solve_seconds: float | None
    frame_applications: float | None
    checksum: float | None
    condition: float | None
    isolated: bool | None
    sealed: bool | None
    finished: str
    environment: str
    x: bytes | None = None
    trace: bytes | None = None


class Ending(NamedTuple):
    """How an attempt ended; the fields are those of `Outcome`."""

    status: str
    message: str
    time_limit: float | None
    sealed: bool
