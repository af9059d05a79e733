"""The program of a worker process: ``python -m benchbase.running.serve``.

It gets tasks from the process that started it (see `benchbase.running.processes`) through a pipe,
and sends outcomes back through another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from enum import StrEnum
from multiprocessing.connection import Connection

from benchbase import channel
from benchbase.discovery.registry import registry
from benchbase.running.executors import one_blas_thread
from benchbase.running.messages import Sender
from benchbase.running.worker import Worker
from benchbase.tasks import Task


class Kind(StrEnum):
    """The kinds of messages that a worker sends.

    It can take tasks; a solver begins, or begins again after it has imported what it needs; a
    remark or the progress of work, for the user; the outcome of a task.
    """

    READY = "ready"
    STARTED = "started"
    REMARK = "remark"
    OUTCOME = "outcome"


def serve(arguments: list[str]) -> None:
    """Execute tasks from a pipe, as a worker process, until the pipe is closed.

    Parameters
    ----------
    arguments : list of str
        The file descriptors of the pipes for tasks and for outcomes, the parent's process number,
        and the memory limit in bytes (0 for no limit).
    """
    given, for_outcomes, parent, memory = map(int, arguments)
    for descriptor in (given, for_outcomes):
        os.set_inheritable(descriptor, False)
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks = Connection(given, writable=False)
    messages = Sender(for_outcomes)
    own, output = os.getpid(), os.dup(1)
    channel.pass_on(lambda message: messages.send(Kind.REMARK, {"message": message}))
    worker = Worker(registry())
    if memory:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    messages.send(Kind.READY)
    while True:
        try:
            task: Task = tasks.recv()
        except EOFError:
            return
        os.ftruncate(output, 0)  # saves disk space: only what the present chunk prints is of use
        os.lseek(output, 0, os.SEEK_SET)
        for descriptor in (1, 2):  # a solver may have closed or redirected them
            os.dup2(output, descriptor)
        try:
            with one_blas_thread():
                outcome = worker.execute(task, lambda: messages.send(Kind.STARTED))
        finally:
            if os.getpid() != own:  # a solver forked this child process and let it run on
                os._exit(1)
        with contextlib.suppress(OSError, ValueError):  # the output is closed, or its disk is full
            sys.stdout.flush()
        # The process that gave the task knows the rest of the environment.
        loaded = outcome["environment"].get("loaded", {})
        fields = {name: value for name, value in outcome.items() if name != "environment"}
        messages.send(Kind.OUTCOME, fields | {"loaded": loaded})


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends, however it ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # the parent ended before the call above
        sys.exit(1)


if __name__ == "__main__":
    serve(sys.argv[1:])
