"""The other end of the pipes: what a worker process does, ``python -m benchbase.running.serve``."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from multiprocessing.connection import Connection

from benchbase import channel
from benchbase.discovery.registry import registry
from benchbase.running.executors import one_blas_thread
from benchbase.running.worker import Worker
from benchbase.tasks import Task

READY, STARTED = "ready", "started"
"""What a worker sends when it can take tasks, and when a solver has its turn."""


def serve(arguments: list[str]) -> None:
    """Be a worker process: execute tasks until the pipe ends.

    Parameters
    ----------
    arguments : list of str
        The file descriptors of the pipes for tasks and for outcomes, the parent's process number,
        and the limit on memory in bytes, 0 for none.
    """
    given, for_outcomes, parent, memory = map(int, arguments)
    for descriptor in (given, for_outcomes):
        os.set_inheritable(descriptor, False)
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks = Connection(given, writable=False)
    outcomes = Connection(for_outcomes, readable=False)
    own, output = os.getpid(), os.dup(1)
    channel.pass_on(outcomes.send)
    worker = Worker(registry())
    if memory:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    outcomes.send(READY)
    while True:
        try:
            task: Task = tasks.recv()
        except EOFError:
            return
        os.ftruncate(output, 0)  # only what the chunk at hand prints is of use: disks are finite
        os.lseek(output, 0, os.SEEK_SET)
        for descriptor in (1, 2):  # a solver may have closed or redirected them
            os.dup2(output, descriptor)
        try:
            with one_blas_thread():
                outcome = worker.execute(task, lambda: outcomes.send(STARTED))
        finally:
            if os.getpid() != own:  # a child that a solver has forked and let go on
                os._exit(1)
        with contextlib.suppress(OSError, ValueError):  # closed, or its disk is full
            sys.stdout.flush()
        outcomes.send(outcome)


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends, however it ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it has ended already
        sys.exit(1)


if __name__ == "__main__":
    serve(sys.argv[1:])
