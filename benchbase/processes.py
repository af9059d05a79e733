"""Local worker processes: both ends of their pipes.

A worker is ``python -m benchbase.worker`` in a session of its own. Tasks and outcomes go through
private pipes, what it prints goes to a file. A chunk that hangs, crashes or kills its worker costs
that chunk only: the worker is killed with all that it started, and another takes its place.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict, deque
from collections.abc import Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benchbase.errors import BenchbaseError, system_error
from benchbase.executors import BLAS_VARIABLES
from benchbase.provenance import circumstances
from benchbase.tasks import Outcome, Task

READY, STARTED = "ready", "started"
LOOK = 0.2  # seconds between two looks at whether workers live: a pipe may outlive its worker
_TAIL = 2000  # characters of a crashed worker's output that are kept


class LocalWorkers:
    """Executes tasks in worker processes on this machine.

    Parameters
    ----------
    jobs : int
        The number of workers, at least 1.
    memory_limit : int, optional
        Bytes of address space that a worker may have; more is a `MemoryError` in the solver.
    """

    def __init__(self, jobs: int, memory_limit: int | None = None) -> None:
        self._jobs = jobs
        self._memory_limit = memory_limit

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Execute tasks and yield their outcomes as they come.

        Raises
        ------
        BenchbaseError
            If a worker cannot start.
        DiskError
            If there is no room for what workers print.
        """
        queue = _Queue(tasks)
        pool: list[WorkerProcess] = []
        try:
            with tempfile.TemporaryDirectory(prefix="benchbase-") as folder:
                try:
                    while queue or any(process.task for process in pool):
                        self._assign(queue, pool, Path(folder))
                        yield from _collect(pool)
                finally:
                    for process in pool:
                        process.kill()
        except OSError as error:
            raise system_error("worker processes", error) from error

    def _assign(self, queue: _Queue, pool: list[WorkerProcess], folder: Path) -> None:
        """Give each idle worker a task, and start workers while there are tasks for them."""
        idle = [process for process in pool if process.task is None]
        while queue and (idle or len(pool) < self._jobs):
            if idle:
                process = idle.pop()
            else:
                process = WorkerProcess(folder, self._memory_limit)
                pool.append(process)
            held = {other.problem for other in pool if other is not process}
            process.give(queue.take(process.problem, held))


def _collect(pool: list[WorkerProcess]) -> Iterator[Outcome]:
    """Wait for something to happen and yield the outcomes that come of it."""
    deadlines = [process.deadline for process in pool]
    patience = min([LOOK, *(deadline - time.monotonic() for deadline in deadlines)])
    wait([process.outcomes for process in pool], max(patience, 0))
    for process in list(pool):
        outcome = process.listen()
        if process.lost is not None:
            pool.remove(process)
            outcome = process.give_up()
        elif outcome is None:
            continue
        elif outcome["status"] == "crashed":  # out of memory: another takes its place
            pool.remove(process)
            process.kill()
        process.task = None
        if outcome is not None:
            yield outcome


def lost_outcome(task: Task, status: str, message: str) -> Outcome:
    """Return the outcome of a task whose worker cannot tell it any more."""
    return Outcome(
        key=task["key"],
        start=task["start"],
        stop=task["stop"],
        signals_key=task["signals_key"],
        status=status,
        message=message,
        time_limit=task["time_limit"] if status == "timeout" else None,
        environment=circumstances(task["code"], host_name=task["host_name"]),
    )


class _Queue:
    """Tasks that wait, by problem: those of one go to the worker that holds it, if it can be."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._problems: OrderedDict[str, deque[Task]] = OrderedDict()
        for task in tasks:
            self._problems.setdefault(task["problem_key"], deque()).append(task)

    def __bool__(self) -> bool:
        return bool(self._problems)

    def take(self, own: str | None, held: set[str | None]) -> Task:
        """Return a task of a worker's own problem, else of one that no other worker holds."""
        key = own if own in self._problems else None
        free = (problem for problem in self._problems if problem not in held)
        key = key or next(free, next(iter(self._problems)))
        task = self._problems[key].popleft()
        if not self._problems[key]:
            del self._problems[key]
        return task


class WorkerProcess:
    """One worker process, seen from outside.

    Attributes
    ----------
    task : Task or None
        What it works on.
    problem : str or None
        The key of the problem that it holds.
    lost : tuple of (str, str) or None
        Status and message, once it cannot be used any more.
    """

    def __init__(self, folder: Path, memory_limit: int | None) -> None:
        self.task: Task | None = None
        self.problem: str | None = None
        self.lost: tuple[str, str] | None = None
        self.deadline = float("inf")
        self._ready = False
        given, for_tasks = os.pipe()
        taken, for_outcomes = os.pipe()
        number, name = tempfile.mkstemp(prefix="output-", dir=folder)
        self._output = Path(name)
        arguments = [given, for_outcomes, os.getpid(), memory_limit or 0]
        self._process = subprocess.Popen(  # noqa: S603 # this Python, and numbers
            # -P: what lies in the current folder must not be taken for a library.
            [sys.executable, "-P", "-m", "benchbase.worker", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=number,
            stderr=subprocess.STDOUT,
            pass_fds=(given, for_outcomes),
            start_new_session=True,
            env=os.environ | dict.fromkeys(BLAS_VARIABLES, "1"),
        )
        for descriptor in (given, for_outcomes, number):
            os.close(descriptor)
        self._tasks = Connection(for_tasks, readable=False)
        self.outcomes: Connection[Any, Any] = Connection(taken, writable=False)

    def give(self, task: Task) -> None:
        """Hand over a task; a worker that is dead is found out by `listen`."""
        self.task, self.problem = task, task["problem_key"]
        with contextlib.suppress(OSError):
            self._tasks.send(task)

    def listen(self) -> Outcome | None:
        """Return an outcome if there is one; note it if the worker is dead or late."""
        alive = self._process.poll() is None
        while self.outcomes.poll():
            try:
                message = self.outcomes.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                break
            if message == READY:
                self._ready = True
            elif message == STARTED:
                self._start_clock()
            else:
                self.deadline = float("inf")
                return message  # type: ignore[no-any-return] # what is neither is an outcome
        if not alive:
            self._lose("crashed", self._ending())
        elif time.monotonic() >= self.deadline:
            assert self.task is not None  # noqa: S101 # the clock runs only with one
            self._lose("timeout", f"took longer than {self.task['time_limit']:g} s a signal")
        return None

    def _start_clock(self) -> None:
        task = self.task
        if task is not None and task["time_limit"] is not None:
            limit = task["time_limit"] * (task["stop"] - task["start"])
            self.deadline = time.monotonic() + limit

    def _lose(self, status: str, message: str) -> None:
        printed = self._printed()
        self.lost = (status, f"{message}; it printed: {printed}" if printed else message)

    def give_up(self) -> Outcome | None:
        """Kill what is left of a lost worker and return the outcome of its task.

        Raises
        ------
        BenchbaseError
            If it never came so far as to take one.
        """
        assert self.lost is not None  # noqa: S101 # called for such only
        status, message = self.lost
        self.kill()
        if not self._ready:
            raise BenchbaseError(f"a worker process cannot start: {message}")
        return None if self.task is None else lost_outcome(self.task, status, message)

    def kill(self) -> None:
        """Kill the worker and all processes that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._tasks.close()
        self.outcomes.close()

    @property
    def exit_code(self) -> int | None:
        """What it ended with, a signal's number negative; None while it lives."""
        return self._process.returncode

    def _ending(self) -> str:
        code = self._process.returncode
        if code < 0:
            return f"the worker was killed by {signal.Signals(-code).name}"
        return f"the worker ended with exit code {code}"

    def _printed(self) -> str:
        """Return the end of what the worker has printed, in one line."""
        with self._output.open("rb") as file:
            file.seek(max(0, self._output.stat().st_size - _TAIL))
            return " ".join(file.read().decode(errors="replace").split())


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
    from benchbase.registry import registry
    from benchbase.worker import Worker

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
        os.ftruncate(1, 0)  # only what the chunk at hand prints is of use, and disks are finite
        os.lseek(1, 0, os.SEEK_SET)
        outcome = worker.execute(task, lambda: outcomes.send(STARTED))
        sys.stdout.flush()
        outcomes.send(outcome)


def _die_with(parent: int) -> None:
    """Ask Linux to kill this process when its parent ends, however it ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it has ended already
        sys.exit(1)
