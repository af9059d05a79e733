"""A Dask cluster as the place of workers.

The client, which alone writes the store, sends tasks to Dask workers. A Dask worker keeps benchbase
worker processes of its own, one for each of its threads that is busy, so that limits and crashes
behave as they do at home.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import importlib
import itertools
import signal
import threading
import time
import uuid
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from multiprocessing.connection import wait
from typing import Any

from benchbase.errors import BenchbaseError
from benchbase.running.processes import LOOK, WorkerProcess, lost_outcome
from benchbase.tasks import Outcome, Task

_CONNECT = 10  # seconds
_DEPTH = 3  # tasks under way for each thread: enough to keep it busy, few to leave behind
_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)
_RETRIES = 2  # of a task that could not be executed where it was


class TerminatedError(Exception):
    """A worker process got a SIGTERM, which a batch system sends to all processes of a job."""


class DaskCluster:
    """Executes tasks on the workers of a Dask cluster.

    A chunk whose Dask worker dies runs again on another. One that was on several that died, more
    than ``distributed.scheduler.allowed-failures``, ends as "crashed".

    Parameters
    ----------
    address : str
        The scheduler's address, for example ``"tcp://10.0.0.1:8786"``.
    memory_limit : int, optional
        Bytes of address space that a worker process may have.
    """

    def __init__(self, address: str, memory_limit: int | None = None) -> None:
        self._address, self._memory_limit = address, memory_limit

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Execute tasks and yield their outcomes as they come.

        It waits while there are no Dask workers. Closing the generator stops what is under way.

        Raises
        ------
        BenchbaseError
            If Dask is not installed, the scheduler cannot be reached or is lost, a Dask worker has
            another version of the core, or cannot start a worker process.
        """
        distributed = _library()
        with closing(_connect(distributed, self._address)) as client:
            yield from _Flight(distributed, client, self._memory_limit).outcomes(iter(tasks))


class _Flight:
    """The tasks of one run that are on their way."""

    def __init__(self, distributed: Any, client: Any, memory_limit: int | None) -> None:
        self._distributed, self._client, self._memory_limit = distributed, client, memory_limit
        self._name = uuid.uuid4().hex
        self._tasks: dict[str, Task] = {}
        self._futures = distributed.as_completed(loop=client.loop)

    def outcomes(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
        while True:
            try:
                self._submit(tasks)
                if not self._tasks:
                    return
                future = next(self._futures)
                task = self._tasks.pop(future.key)
                outcome = self._outcome(future, task)
            except (OSError, *_CANCELLED) as error:
                raise BenchbaseError("lost the Dask scheduler; try the same again") from error
            yield outcome

    def _submit(self, tasks: Iterator[Task]) -> None:
        threads = sum(self._client.nthreads().values())  # asked each time: clusters grow
        room = _DEPTH * max(threads, 1) - len(self._tasks)
        for task in itertools.islice(tasks, max(room, 0)):
            key = f"benchbase-{uuid.uuid4().hex}"
            future = self._client.submit(
                execute_remotely, task, self._memory_limit, self._name, key=key, retries=_RETRIES
            )
            self._tasks[future.key] = task
            self._futures.add(future)

    def _outcome(self, future: Any, task: Task) -> Outcome:
        error = future.exception()
        if error is None:
            return future.result()  # type: ignore[no-any-return] # Dask is untyped
        if isinstance(error, (BenchbaseError, *_CANCELLED)):
            raise error
        if isinstance(error, self._distributed.KilledWorker):
            message = "the Dask workers that it was given to died, one after the other"
        elif isinstance(error, TerminatedError):
            message = str(error)
        else:
            reason = f"{type(error).__name__}: {error}"
            raise BenchbaseError(f"a Dask worker cannot execute tasks: {reason}") from error
        return lost_outcome(task, "crashed", message)


def _library() -> Any:
    """Return `distributed`, as Any: much of it has no types."""
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise BenchbaseError(f"install benchbase[dask]: {error}") from error


def _connect(distributed: Any, address: str) -> Any:
    class Client(distributed.Client):  # type: ignore[misc] # Dask is untyped
        """Connects when told to: one that fails in its constructor could not be closed."""

        def start(self, **options: Any) -> None:
            pass

    client = Client(address, name="benchbase", set_as_default=False)
    try:
        super(Client, client).start(timeout=_CONNECT)
    except (OSError, ValueError) as error:
        client.close()
        raise BenchbaseError(f"no Dask scheduler at {address}: {error}") from error
    return client


def execute_remotely(task: Task, memory_limit: int | None, run: str) -> Outcome:
    """Execute a task on a Dask worker, in a process of its own.

    Parameters
    ----------
    task : Task
        The task.
    memory_limit : int or None
        Bytes of address space that the process may have.
    run : str
        Names the run. No process serves two: plugin files may have been edited in between.

    Raises
    ------
    BenchbaseError
        If the process cannot start.
    distributed.Reschedule
        If the client has cancelled the task or is gone, or the Dask worker ends.
    """
    distributed = _library()
    worker = distributed.get_worker()
    dask_key = worker.get_current_task()
    process = _POOL.take((run, memory_limit), task["problem_key"])
    try:
        process.give(task)
        while (outcome := process.listen()) is None and process.lost is None:
            state = getattr(worker.state.tasks.get(dask_key), "state", "cancelled")
            if state == "cancelled" or worker.status.name in ("closing", "closed"):
                raise distributed.Reschedule  # Dask interrupts no thread
            wait([process.outcomes], max(0, min(LOOK, process.deadline - time.monotonic())))
        if outcome is not None:
            if outcome["status"] != "crashed":  # out of memory: it is used no more
                process.task = None
            return outcome
        if process.exit_code == -signal.SIGTERM:
            raise TerminatedError("the worker was killed by SIGTERM")
        return process.give_up()  # type: ignore[return-value] # it has a task
    finally:
        _POOL.put_back(process)


class _Pool:
    """The worker processes of a Dask worker: those that are idle, and all that live."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[WorkerProcess, tuple[str, int | None]] = {}
        self._idle: list[WorkerProcess] = []
        # Linux kills a process with the thread that started it, and those of Dask may end.
        self._starter = concurrent.futures.ThreadPoolExecutor(1, "benchbase")
        atexit.register(self.close)

    def take(self, owner: tuple[str, int | None], problem: str) -> WorkerProcess:
        """Return an idle process of a run, best one that holds a problem, or a new one."""
        with self._lock:
            while self._idle:
                self._idle.sort(key=lambda p: (self._owners[p] == owner, p.problem == problem))
                process = self._idle.pop()
                process.listen()
                if process.lost is None and self._owners[process] == owner:
                    return process
                self._end(process)  # so that there are never more than threads
            process = self._starter.submit(WorkerProcess, owner[1]).result()
            self._owners[process] = owner
            return process

    def put_back(self, process: WorkerProcess) -> None:
        with self._lock:
            if process.task is None:
                self._idle.append(process)
            else:
                self._end(process)

    def _end(self, process: WorkerProcess) -> None:
        self._owners.pop(process, None)
        process.kill()

    def close(self) -> None:
        with self._lock:
            for process in list(self._owners):
                self._end(process)


_POOL = _Pool()
