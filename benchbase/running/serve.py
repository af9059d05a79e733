"""The program of a worker process: ``python -m benchbase.running.serve``.

It gets tasks from the process that started it (see `benchbase.running.processes`) through a pipe,
and sends outcomes back through another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any

from benchbase.discovery.registry import Registry
from benchbase.running.executors import one_blas_thread
from benchbase.running.family import adopt_orphans, die_with
from benchbase.running.messages import Sender
from benchbase.running.scorer import Scorer
from benchbase.running.solving import Solving
from benchbase.running.worker import Worker
from benchbase.running.workshop import Workshop
from benchbase.storage.cache import keep_apart
from benchbase.system import channel
from benchbase.tasks import Outcome, Solved, Task


class Kind(StrEnum):
    """The kinds of messages that a worker sends.

    It can take tasks; a solver begins, or begins again after it has imported what it needs; a
    remark or the progress of work, for the user; the outcome of a task. In a sealed run, one
    process poses problems, and another sends what it has solved.
    """

    READY = "ready"
    STARTED = "started"
    REMARK = "remark"
    OUTCOME = "outcome"
    POSED = "posed"
    SOLVED = "solved"


class Role(StrEnum):
    """What a worker process does: all of a task, or one half of it in a sealed run."""

    WHOLE = "whole"
    SCORER = "scorer"
    SOLVER = "solver"
    SANDBOXED = "sandboxed"
    """A solver in a sandbox, where no process of another user or run is seen."""


def serve(arguments: list[str]) -> None:
    """Execute tasks from a pipe, as a worker process, until the pipe is closed.

    Parameters
    ----------
    arguments : list of str
        The file descriptors of the pipes for tasks and for outcomes, the parent's process number,
        the memory limit in bytes (0 for no limit), and the role.
    """
    given, for_outcomes, parent, memory = map(int, arguments[:4])
    for descriptor in (given, for_outcomes):
        os.set_inheritable(descriptor, False)
    role = Role(arguments[4])
    if role is Role.SANDBOXED:
        keep_apart(role)  # it cannot write elsewhere; bubblewrap lets it die with its parent
    else:
        die_with(parent)
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks = Connection(given, writable=False)
    messages = Sender(for_outcomes)
    own, output = os.getpid(), os.dup(1)
    channel.pass_on(lambda message: messages.send(Kind.REMARK, {"message": message}))
    handle = _handler(role, Registry(), messages)
    if memory:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    messages.send(Kind.READY)
    while True:
        try:
            message = tasks.recv()
        except EOFError:
            return
        os.ftruncate(output, 0)  # saves disk space: only what the present chunk prints is of use
        os.lseek(output, 0, os.SEEK_SET)
        for descriptor in (1, 2):  # a solver may have closed or redirected them
            os.dup2(output, descriptor)
        try:
            with one_blas_thread():
                kind, fields = handle(message)
        finally:
            if os.getpid() != own:  # a solver forked this child process and let it run on
                os._exit(1)
        # The output may be closed or gone, or its disk full.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        try:
            messages.send(kind, fields)
        except OSError as error:  # a solver may have closed the pipe
            sys.stderr.write(f"the outcome cannot be sent: {error}\n")
            os._exit(1)  # the end of Python would close the pipes again, and complain


_Answer = tuple[Kind, Mapping[str, Any]]


def _handler(role: Role, known: Registry, messages: Sender) -> Callable[[Any], _Answer]:
    """Return what answers the messages that a process of some role gets."""

    def on_start() -> None:
        messages.send(Kind.STARTED)

    workshop = Workshop(known, apart=True)
    if role in (Role.SOLVER, Role.SANDBOXED):
        solving = Solving(workshop, interruptible=False)
        return lambda posed: (Kind.SOLVED, solving.solve(posed, on_start))
    if role is Role.WHOLE:
        worker = Worker(known, own_process=True)
        return lambda task: _outcome(worker.execute(task, on_start))
    scorer = Scorer(workshop)

    def handle(message: Task | Solved) -> _Answer:
        if "problem_key" not in message:
            return _outcome(scorer.score(message))
        posed = scorer.pose(message)
        return (Kind.POSED, posed) if "problem_key" in posed else _outcome(posed)

    return handle


def _outcome(outcome: Outcome) -> _Answer:
    # The process that gave the task knows the rest of the environment.
    loaded = outcome["environment"].get("loaded", {})
    fields = {name: value for name, value in outcome.items() if name != "environment"}
    return Kind.OUTCOME, fields | {"loaded": loaded}


if __name__ == "__main__":
    serve(sys.argv[1:])
