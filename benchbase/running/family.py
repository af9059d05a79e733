"""All processes that a worker has started, so that they can be killed with it.

A worker leads a process group, which is killed as a whole. On Linux, the processes that have left
the group are found too: by a mark that they inherit in their environment, and as descendants of the
worker, which adopts those of its descendants whose parents end (see `adopt_orphans`). What is not
found has cleared its environment and outlived a worker that ended by itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

MARK = "BENCHBASE_WORKER"
"""The environment variable that holds a worker's mark, a text that no other worker has."""

_ROUNDS = 100  # a limit to the race with processes that go on forking
_SUBREAPER, _DEATH_SIGNAL = 36, 1  # Linux: PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG


def kill_family(leader: int, mark: str, *, waited: bool = False) -> None:
    """Kill a worker with all that it has started.

    Parameters
    ----------
    leader : int
        The worker's process number, which is that of its process group too.
    mark : str
        Its mark.
    waited : bool, optional
        Whether it has ended and been waited for, so that its number may be another process's.
    """
    if not waited:
        _signal(leader, signal.SIGSTOP)  # what is stopped can neither fork nor end
    stopped: set[int] = set()
    for _ in range(_ROUNDS):
        new = _others(None if waited else leader, mark) - stopped
        if not new:
            break
        for process in new:
            _signal(process, signal.SIGSTOP)
        stopped |= new
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses if it has ended
        os.killpg(leader, signal.SIGKILL)
    for process in stopped:
        _signal(process, signal.SIGKILL)


def adopt_orphans() -> None:
    """Let this process become the parent of its descendants whose parents end; only on Linux."""
    _prctl(_SUBREAPER, 1)


def die_with(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends, however it ends."""
    _prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call above
        sys.exit(1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value)


def _signal(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended, or is a user's
        os.kill(process, number)


def _others(leader: int | None, mark: str) -> set[int]:
    """Return the living processes that descend from a worker or have its mark, itself left out."""
    if sys.platform != "linux":
        return set()
    wanted = f"\0{MARK}={mark}\0".encode()
    children: dict[int, list[int]] = {}
    found = [] if leader is None else [leader]
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        number = int(entry.name)
        try:
            # The name, in brackets, may hold anything; the state and the parent follow it.
            state, parent = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:2]
            if state in (b"Z", b"X"):
                continue
            children.setdefault(int(parent), []).append(number)
            if wanted in b"\0" + (entry / "environ").read_bytes():
                found.append(number)
        except OSError:  # it has ended meanwhile, or belongs to another user
            continue
    family: set[int] = set()
    while found:
        number = found.pop()
        if number not in family:
            family.add(number)
            found += children.get(number, [])
    return family - {leader or 0, os.getpid()}
