"""Worker processes on this machine, seen from the process that starts them.

A worker is ``python -m benchbase.running.serve`` in a session of its own. Tasks and outcomes go
through private pipes, and what the worker prints goes to a file. If a chunk hangs, crashes or kills
its worker, only that chunk is lost: the worker is killed with all processes that it started, and
another worker takes its place.
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
from typing import Any

from benchbase import channel
from benchbase.discovery.provenance import circumstances
from benchbase.errors import BenchbaseError, system_error
from benchbase.running.executors import BLAS_VARIABLES
from benchbase.running.serve import READY, STARTED
from benchbase.tasks import Outcome, Task

LOOK = 0.2  # seconds between two checks that workers live, because a pipe may outlive its worker
_FAREWELL = 1  # seconds that a worker has to end after it closed its pipe
_TAIL = 2000  # characters of a crashed worker's output that are kept


class LocalWorkers:
    """Executes tasks in worker processes on this machine.

    Parameters
    ----------
    jobs : int
        The number of workers, at least 1.
    memory_limit : int, optional
        Bytes of address space that a worker may have; a solver that needs more gets `MemoryError`.
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
            while queue or any(process.task for process in pool):
                self._assign(queue, pool)
                yield from _collect(queue, pool)
        except OSError as error:
            raise system_error("worker processes", error) from error
        finally:
            for process in pool:
                process.kill()

    def _assign(self, queue: _Queue, pool: list[WorkerProcess]) -> None:
        """Give each idle worker a task, and start workers while tasks are waiting."""
        idle = [process for process in pool if process.task is None]
        while queue and (idle or len(pool) < self._jobs):
            if idle:
                process = idle.pop()
            else:
                process = WorkerProcess(self._memory_limit)
                pool.append(process)
            held = {other.problem for other in pool if other is not process}
            process.give(queue.take(process.problem, held))


def _collect(queue: _Queue, pool: list[WorkerProcess]) -> Iterator[Outcome]:
    """Wait until a worker reports, dies or is late, and yield the outcomes that follow from it."""
    deadlines = [process.deadline for process in pool]
    patience = min([LOOK, *(deadline - time.monotonic() for deadline in deadlines)])
    wait([process.outcomes for process in pool], max(patience, 0))
    for process in list(pool):
        outcome = process.listen()
        if process.lost is not None:
            pool.remove(process)
            if process.task is not None and not process.started and queue.put_back(process.task):
                process.kill()
                continue
            outcome = process.give_up()
        elif outcome is None:
            continue
        elif outcome["status"] == "crashed":  # it ran out of memory; another takes its place
            pool.remove(process)
            process.kill()
        process.task = None
        if outcome is not None:
            yield outcome


def lost_outcome(task: Task, status: str, message: str) -> Outcome:
    """Return the outcome of a task whose worker is dead or late and cannot send one."""
    return Outcome(
        key=task["key"],
        start=task["start"],
        stop=task["stop"],
        signals_key=task["signals_key"],
        status=status,
        message=message,
        time_limit=task["time_limit"] if status == "timeout" else None,
        environment=circumstances(task),
    )


class _Queue:
    """Waiting tasks by problem; if possible, a task goes to a worker that holds its problem."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._problems: OrderedDict[str, deque[Task]] = OrderedDict()
        self._came_back: set[tuple[str, int]] = set()
        for task in tasks:
            self._problems.setdefault(task["problem_key"], deque()).append(task)

    def __bool__(self) -> bool:
        return bool(self._problems)

    def put_back(self, task: Task) -> bool:
        """Take back a task whose worker was lost before the solver began.

        A task is taken back only once. Return whether it was taken back.
        """
        place = (task["key"], task["start"])
        first = place not in self._came_back
        if first:
            self._came_back.add(place)
            self._problems.setdefault(task["problem_key"], deque()).appendleft(task)
            self._problems.move_to_end(task["problem_key"], last=False)
        return first

    def take(self, own: str | None, held: set[str | None]) -> Task:
        """Remove and return a task, preferably of a worker's own problem.

        If there is none, a task of a problem that no other worker holds comes next, then any task.
        """
        key = own if own in self._problems else None
        free = (problem for problem in self._problems if problem not in held)
        key = key or next(free, next(iter(self._problems)))
        task = self._problems[key].popleft()
        if not self._problems[key]:
            del self._problems[key]
        return task


class WorkerProcess:
    """One worker process, seen from the process that starts it.

    Attributes
    ----------
    task : Task or None
        The task that it works on.
    problem : str or None
        The key of the problem that it holds.
    lost : tuple of (str, str) or None
        Once the worker is dead or late: the status and message for its task.
    started : bool
        Whether the solver has begun with the task.
    """

    def __init__(self, memory_limit: int | None) -> None:
        self.task: Task | None = None
        self.problem: str | None = None
        self.lost: tuple[str, str] | None = None
        self.deadline = float("inf")
        self.started = self._ready = False
        given, for_tasks = os.pipe()
        taken, for_outcomes = os.pipe()
        self._output = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 # `kill` closes it
        arguments = [given, for_outcomes, os.getpid(), memory_limit or 0]
        self._process = subprocess.Popen(  # noqa: S603 # this Python, and numbers
            # With -P, a file in the current folder is not taken for a library.
            [sys.executable, "-P", "-m", "benchbase.running.serve", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=(given, for_outcomes),
            start_new_session=True,
            env=os.environ | dict.fromkeys(BLAS_VARIABLES, "1"),
        )
        for descriptor in (given, for_outcomes):
            os.close(descriptor)
        self._tasks = Connection(for_tasks, readable=False)
        self.outcomes: Connection[Any, Any] = Connection(taken, writable=False)

    def give(self, task: Task) -> None:
        """Send the worker a task. If the worker is dead, `listen` notices it."""
        self.task, self.problem, self.started = task, task["problem_key"], False
        with contextlib.suppress(OSError):
            self._tasks.send(task)

    def listen(self) -> Outcome | None:
        """Return an outcome if there is one, and set `lost` if the worker is dead or late."""
        alive = self._process.poll() is None
        while self.outcomes.poll():
            try:
                message = self.outcomes.recv()
            except (EOFError, OSError, pickle.UnpicklingError):
                self._lose("crashed", self._ending())
                return None
            if message == READY:
                self._ready = True
            elif message == STARTED:
                self._start_clock()
            elif isinstance(message, tuple):  # a note or progress, for the user
                channel.send(message)
            else:
                self.deadline = float("inf")
                return message  # type: ignore[no-any-return] # anything else is an outcome
        if not alive:
            self._lose("crashed", self._ending())
        elif time.monotonic() >= self.deadline:
            assert self.task is not None  # noqa: S101 # the clock runs only with a task
            self._lose("timeout", f"took longer than {self.task['time_limit']:g} s per signal")
        return None

    def _start_clock(self) -> None:
        self.started, task = True, self.task
        if task is not None and task["time_limit"] is not None:
            limit = task["time_limit"] * (task["stop"] - task["start"])
            self.deadline = time.monotonic() + limit

    def _lose(self, status: str, message: str) -> None:
        printed = self._printed()
        self.lost = (status, f"{message}; it printed: {printed}" if printed else message)

    def give_up(self) -> Outcome | None:
        """Kill what is left of a lost worker and return the outcome of its task, if it had one.

        Raises
        ------
        BenchbaseError
            If the worker was never ready to take a task.
        """
        assert self.lost is not None  # noqa: S101 # called only for a lost worker
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
        for end in (self._tasks, self.outcomes, self._output):
            end.close()

    @property
    def exit_code(self) -> int | None:
        """The worker's exit code: −s if signal s killed it, and None while it lives."""
        return self._process.returncode

    def _ending(self) -> str:
        try:
            code = self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            return "the worker closed its pipe"
        if code < 0:
            return f"the worker was killed by {signal.Signals(-code).name}"
        return f"the worker ended with exit code {code}"

    def _printed(self) -> str:
        """Return the last part of what the worker has printed, in one line."""
        number = self._output.fileno()
        end = os.fstat(number).st_size
        # `pread` leaves the file's position alone, which the worker shares.
        printed = os.pread(number, _TAIL, max(0, end - _TAIL))
        return " ".join(printed.decode(errors="replace").split())
