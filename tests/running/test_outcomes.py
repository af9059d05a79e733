"""Outcomes from workers are those of their tasks, or refused."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchbase.errors import FormatError
from benchbase.running.messages import Receiver, pack
from benchbase.running.outcomes import checked_outcome, checked_solved, lost_outcome, most_bytes
from benchbase.storage.store import SCORES
from benchbase.tasks import Task

PLACE = {"key": "k", "start": 2, "stop": 5, "signals_key": "s"}
COSTS: dict[str, Any] = {"prepare_seconds": 0.0, "init_seconds": 0, "solve_seconds": 1.5}
COSTS |= {"frame_applications": None, "checksum": float("inf"), "condition": None}
DONE = PLACE | {"status": "done", "message": "", "loaded": {}} | COSTS
DONE |= dict.fromkeys(SCORES, np.ones(3)) | {"x": np.ones((3, 4), np.float32)}
FAILED = PLACE | {"status": "failed", "message": "why", "loaded": {"m": "d"}, "checksum": 1.0}
SIGNALS = np.ones((7, 4), np.float32)


@pytest.fixture
def task() -> Task:
    more = {"points": 7, "n": 4, "send_signals": False, "trace": False, "time_limit": 2.0}
    return PLACE | more | {"code": {"solver": {"a": "1"}}, "packages": {}, "host_name": False}  # type: ignore[return-value] # what is needed


def test_what_workers_send_is_taken(task: Task) -> None:
    done = checked_outcome(dict(DONE), task)
    assert done["x"] is DONE["x"]
    assert done["environment"]["code"] == {"a": "1"}
    assert not {"loaded"} & ({*done} | {*done["environment"]})
    failed = checked_outcome(dict(FAILED), task)
    assert failed["environment"]["loaded"] == {"m": "d"}
    refused = PLACE | {"status": "refused", "message": "m", "exit_code": 1, "loaded": {}}
    assert checked_outcome(refused, task)["exit_code"] == 1
    task["send_signals"] = task["trace"] = True
    traced = DONE | {"trace": np.frombuffer(b"abc", np.uint8), "signals": SIGNALS}
    assert checked_outcome(traced, task)["trace"] == b"abc"
    assert checked_outcome(FAILED | {"signals": SIGNALS}, task)["signals"] is SIGNALS


@pytest.mark.parametrize(
    "change",
    [
        {"key": "other"},
        {"start": 1},
        {"stop": 6},
        {"signals_key": None},
        {"status": "timeout"},
        {"status": "fine"},
        {"status": None},
        {"status": ["done"]},
        {"x": np.ones((3, 5), np.float32)},
        {"x": np.ones((2, 4), np.float32)},
        {"x": np.ones((3, 4))},
        {"x": None},
        {"residual": np.ones(2)},
        {"converged": np.ones((3, 1))},
        {"n_iter": [1, 1, 1]},
        {"message": 3},
        {"message": None},
        {"solve_seconds": float("nan")},
        {"solve_seconds": -1.0},
        {"prepare_seconds": None},
        {"frame_applications": float("inf")},
        {"checksum": "1"},
        {"loaded": ["a"]},
        {"loaded": {"a": 1}},
        {"signals": SIGNALS},
        {"trace": np.zeros(3, np.uint8)},
        {"environment": {}},
        {"time_limit": 2.0},
    ],
    ids=str,
)
def test_any_other_field_or_value_is_refused(change: dict[str, Any], task: Task) -> None:
    with pytest.raises(FormatError):
        checked_outcome(DONE | change, task)


@pytest.mark.parametrize("name", [name for name in DONE if name != "init_seconds"])
def test_no_field_may_be_missing(name: str, task: Task) -> None:
    with pytest.raises(FormatError):
        checked_outcome({field: value for field, value in DONE.items() if field != name}, task)


@pytest.mark.parametrize("change", [{"x": DONE["x"]}, {"residual": np.ones(3)}, {"message": None}])
def test_a_failure_has_no_estimates(change: dict[str, Any], task: Task) -> None:
    with pytest.raises(FormatError):
        checked_outcome(FAILED | change, task)


def test_signals_are_finite_and_whole(task: Task) -> None:
    task["send_signals"] = True
    for signals in (SIGNALS[:3], np.full_like(SIGNALS, np.nan)):
        with pytest.raises(FormatError):
            checked_outcome(FAILED | {"signals": signals}, task)


def test_an_error_has_an_exit_code_of_one(task: Task) -> None:
    refused = PLACE | {"status": "refused", "message": "m", "exit_code": 0, "loaded": {}}
    with pytest.raises(FormatError):
        checked_outcome(refused, task)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 2**31), byte=st.integers(0, 255), cut=st.booleans())
def test_a_changed_message_is_refused_or_an_outcome(
    place: int, byte: int, cut: bool, task: Task
) -> None:
    """Whatever comes through the pipe, nothing but a `FormatError` comes of it."""
    data = bytearray(pack("outcome", DONE))
    place %= len(data)
    data[place] = byte
    taken, given_end = os.pipe()
    with contextlib.closing(Receiver(taken)) as receiver, os.fdopen(given_end, "wb") as end:
        receiver.most = most_bytes(task)
        end.write(data[:place] if cut else data)
        end.flush()
        with contextlib.suppress(FormatError):
            message = receiver.receive()
            if message is not None:
                outcome = checked_outcome(message.fields, task)
                assert outcome["x"].shape == (3, 4)
                assert outcome["key"] == task["key"]


def test_the_largest_outcome_has_room(task: Task) -> None:
    task["send_signals"] = True
    arrays = {name: value for name, value in DONE.items() if isinstance(value, np.ndarray)}
    assert len(pack("", arrays | {"signals": SIGNALS})) < most_bytes(task) < 20_000


def test_what_is_lost_has_the_limit_only_if_it_was_late(task: Task) -> None:
    assert lost_outcome(task, "timeout", "")["time_limit"] == 2.0
    assert "time_limit" not in lost_outcome(task, "crashed", "")


SOLVED: dict[str, Any] = {"status": "done", "message": "", "loaded": {}}
SOLVED |= {name: DONE[name] for name in ("x", "n_iter", "converged", "frame_applications")}
SOLVED |= {name: DONE[name] for name in ("prepare_seconds", "init_seconds", "solve_seconds")}
SHOTS: dict[str, Any] = {"snapshots": [["a/b", 2, 7, 0.5], ["", 0, 8, 0.75], ["", 1, 9, 1.0]]}
SHOTS |= {"snapshot_rows": np.array([0, 2, 1]), "snapshot_x": np.ones((3, 4))}


def test_an_answer_of_a_solver_s_process_is_taken(task: Task) -> None:
    assert checked_solved(dict(SOLVED), task)["x"] is DONE["x"]
    assert checked_solved({"status": "failed", "message": "why"}, task)["message"] == "why"
    refused = {"status": "refused", "message": "m", "exit_code": 2}
    assert checked_solved(dict(refused), task)["exit_code"] == 2
    task["trace"] = True
    assert checked_solved(SOLVED | SHOTS, task)["snapshots"] == SHOTS["snapshots"]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "timeout"},
        {"status": "refused"},
        {"x": np.ones((3, 4))},
        {"x": np.ones((2, 4), np.float32)},
        {"converged": np.ones(2)},
        {"solve_seconds": -1.0},
        {"init_seconds": None},
        {"squared_cosine": np.ones(3)},
        {"sealed": True},
        {"loaded": {"a": 1}},
        {"snapshots": [["", 3, 7, -0.5]]},
        {"snapshots": [["", 3, 7.0, 0.5]]},
        {"snapshots": [["", 2, 7, 0.5]]},
        {"snapshots": [["", -1, 7, 0.5], ["", 4, 7, 0.5]]},
        {"snapshots": [["x" * 2000, 3, 7, 0.5]]},
        {"snapshots": 3},
        {"snapshot_rows": np.array([0, 3, 1])},
        {"snapshot_rows": np.array([0, -1, 1])},
        {"snapshot_rows": np.array([[0], [1], [2]])},
        {"snapshot_x": np.ones((3, 5))},
        {"snapshot_x": np.ones((3, 4), np.float32)},
    ],
    ids=str,
)
def test_what_is_no_answer_is_refused(change: dict[str, Any], task: Task) -> None:
    task["trace"] = True
    with pytest.raises(FormatError):
        checked_solved(SOLVED | SHOTS | change, task)


def test_an_answer_has_snapshots_only_if_they_were_asked_for(task: Task) -> None:
    with pytest.raises(FormatError, match="unknown field"):
        checked_solved(SOLVED | SHOTS, task)
