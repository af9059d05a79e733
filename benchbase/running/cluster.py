"""Running tasks on a Dask cluster.

The client sends tasks to Dask workers, and only the client writes the store. A Dask worker keeps
benchbase worker processes of its own, one for each of its busy threads. So limits and crashes
behave as they do on one machine.
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
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import wait
from typing import Any

from benchbase.errors import BenchbaseError
from benchbase.running.executors import sharing
from benchbase.running.outcomes import lost_outcome
from benchbase.running.processes import LOOK, WorkerProcess
from benchbase.running.waiting import Held, Realm, held_of, realm_of
from benchbase.storage.answers import folder_of_run
from benchbase.tasks import Outcome, Task

_CONNECT = 10  # seconds
_DEPTH = 3  # tasks under way per thread: enough to keep it busy, and few to lose
_CANCELLED = (asyncio.CancelledError, concurrent.futures.CancelledError)
_RETRIES = 2  # how often a task is tried again after it could not be executed on its Dask worker


class TerminatedError(Exception):
    """A SIGTERM ended a worker process; batch systems send it to all processes of a job."""


class DaskCluster:
    """Executes tasks on the workers of a Dask cluster.

    If a Dask worker dies, its chunks run again on other Dask workers. A chunk ends as "crashed" if
    more Dask workers died with it than ``distributed.scheduler.allowed-failures``.

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

        It waits as long as there are no Dask workers. Closing the generator stops the tasks that
        are under way.

        Raises
        ------
        BenchbaseError
            If Dask is not installed, the scheduler cannot be reached or is lost, a Dask worker has
            another version of the core, or a Dask worker cannot start a worker process.
        """
        distributed = _library()
        tasks = sorted(tasks, key=realm_of)  # each other realm would be another worker process
        with _connected(distributed, self._address) as client:
            yield from _Flight(distributed, client, self._memory_limit).outcomes(iter(tasks))


class _Flight:
    """The tasks of one run that are under way."""

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
                message = "the connection to the Dask scheduler was lost; run the same again"
                raise BenchbaseError(message) from error
            yield outcome | {"isolated": True, "sealed": False}

    def _submit(self, tasks: Iterator[Task]) -> None:
        threads = sum(self._client.nthreads().values())  # asked each time, because clusters grow
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
            message = "all Dask workers that the chunk was given to died"
        elif isinstance(error, TerminatedError):
            message = str(error)
        else:
            reason = f"{type(error).__name__}: {error}"
            raise BenchbaseError(f"a Dask worker cannot execute tasks: {reason}") from error
        return lost_outcome(task, "crashed", message)


def _library() -> Any:
    """Return the module `distributed`; as Any, because much of it has no types."""
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        message = f"Dask cannot be imported ({error}); install it: `pip install distributed`"
        raise BenchbaseError(message) from error


@contextmanager
def _connected(distributed: Any, address: str) -> Iterator[Any]:
    client = _connect(distributed, address)
    try:
        yield client
    finally:
        with suppress(Exception):  # without its scheduler, Dask may fail to close a client
            client.close()


def _connect(distributed: Any, address: str) -> Any:
    class Client(distributed.Client):  # type: ignore[misc] # Dask is untyped
        """A client that connects later: if its constructor failed, it could not be closed."""

        def start(self, **options: Any) -> None:
            pass

    client = Client(address, name="benchbase", set_as_default=False)
    try:
        super(Client, client).start(timeout=_CONNECT)
    except (OSError, ValueError) as error:
        client.close()
        message = f"no Dask scheduler answers at {address}: {error}; check the address"
        raise BenchbaseError(message) from error
    return client


def execute_remotely(task: Task, memory_limit: int | None, run: str) -> Outcome:
    """Execute a task on a Dask worker, in a worker process.

    Parameters
    ----------
    task : Task
        The task.
    memory_limit : int or None
        Bytes of address space that the process may have.
    run : str
        The name of the run. A process serves only one run, because plugin files may be edited
        between two runs.

    Raises
    ------
    BenchbaseError
        If the process cannot start.
    distributed.Reschedule
        If the client has cancelled the task or is gone, or if the Dask worker ends.
    """
    distributed = _library()
    worker = distributed.get_worker()
    dask_key = worker.get_current_task()
    process, folder = _POOL.take((run, memory_limit, realm_of(task)), held_of(task))
    try:
        process.give(sharing(task, folder))
        while (outcome := process.listen()) is None and process.lost is None:
            state = getattr(worker.state.tasks.get(dask_key), "state", "cancelled")
            if state == "cancelled" or worker.status.name in ("closing", "closed"):
                raise distributed.Reschedule  # Dask does not interrupt the thread itself
            wait(
                [process.outcomes.fileno()], max(0, min(LOOK, process.deadline - time.monotonic()))
            )
        if outcome is not None:
            if outcome["status"] != "crashed":  # a process that ran out of memory is not used again
                process.task = None
            return outcome
        if process.exit_code == -signal.SIGTERM:
            raise TerminatedError("the worker was killed by SIGTERM")
        return process.give_up()  # type: ignore[return-value] # it has a task
    finally:
        _POOL.put_back(process)


_Owner = tuple[str, int | None, Realm]
"""The run, the memory limit, and whose code the processes of an owner run."""


class _Pool:
    """The worker processes of a Dask worker: the idle ones, and all with their owners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[WorkerProcess, _Owner] = {}
        self._idle: list[WorkerProcess] = []
        self._folders: dict[str, tuple[ExitStack, str | None]] = {}
        # A process asks Linux to die with the thread that started it, and Dask's threads may end.
        self._starter = concurrent.futures.ThreadPoolExecutor(1, "benchbase")
        atexit.register(self.close)

    def take(self, owner: _Owner, wanted: Held) -> tuple[WorkerProcess, str | None]:
        """Return an idle process of a run, preferably one that holds a problem, or a new one.

        With it comes the folder for what the solvers of the run share on this machine.
        """
        with self._lock:
            process = self._idle_of(owner, wanted)
            if process is None:
                process = self._starter.submit(WorkerProcess, owner[1]).result()
                self._owners[process] = owner
            if owner[0] not in self._folders:
                stack = ExitStack()
                self._folders[owner[0]] = stack, stack.enter_context(folder_of_run())
            return process, self._folders[owner[0]][1]

    def _idle_of(self, owner: _Owner, wanted: Held) -> WorkerProcess | None:
        while self._idle:
            self._idle.sort(key=lambda p: (self._owners[p] == owner, p.holds == wanted))
            process = self._idle.pop()
            process.listen()
            if process.lost is None and self._owners[process] == owner:
                return process
            self._end(process)  # so that there are never more processes than threads
        return None

    def put_back(self, process: WorkerProcess) -> None:
        with self._lock:
            if process.task is None:
                self._idle.append(process)
            else:
                self._end(process)

    def _end(self, process: WorkerProcess) -> None:
        owner = self._owners.pop(process, None)
        process.kill()
        if owner is not None and all(owner[0] != run for run, _, _ in self._owners.values()):
            stack, _ = self._folders.pop(owner[0])
            stack.close()

    def close(self) -> None:
        with self._lock:
            for process in list(self._owners):
                self._end(process)


_POOL = _Pool()
