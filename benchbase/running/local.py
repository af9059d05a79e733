"""The executor of tasks in worker processes on this machine."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from functools import partial
from multiprocessing.connection import wait

from benchbase.errors import check_range, system_error
from benchbase.running.executors import sharing
from benchbase.running.processes import LOOK, WorkerProcess
from benchbase.running.sandbox import Sandbox
from benchbase.running.sealed import SealedWorker
from benchbase.running.waiting import Realm, Waiting, realm_of
from benchbase.storage.answers import folder_of_run
from benchbase.tasks import Outcome, Task

_ATTEMPTS = 3  # how often a worker is started before its start counts as impossible


class LocalWorkers:
    """Executes tasks in worker processes on this machine.

    Parameters
    ----------
    jobs : int
        The number of workers, at least 1.
    memory_limit : int, optional
        Bytes of address space that a worker may have; a solver that needs more gets `MemoryError`.
    sealed : bool, optional
        Whether to seal the tasks that can be: the signals and the seed are in other processes than
        the solvers (see `benchbase.running.sealed`).
    sandbox : bool, optional
        Whether to run the solvers of sealed tasks in a sandbox (see `benchbase.running.sandbox`).

    Raises
    ------
    ParameterError
        If `jobs` is less than 1.
    """

    def __init__(
        self,
        jobs: int,
        memory_limit: int | None = None,
        *,
        sealed: bool = False,
        sandbox: bool = False,
    ) -> None:
        check_range("jobs", jobs, least=1)
        self._jobs, self._memory_limit, self._sealed = jobs, memory_limit, sealed
        self._asked = sandbox
        self._sandbox: Sandbox | None = None

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Execute tasks and yield their outcomes as they come.

        Raises
        ------
        BenchbaseError
            If a worker cannot start, or a sandbox is asked for and cannot be had.
        DiskError
            If there is no room for what workers print.
        """
        with folder_of_run() as folder:
            yield from self._run([sharing(task, folder) for task in tasks])

    def _run(self, tasks: list[Task]) -> Iterator[Outcome]:
        queue = Waiting(tasks, partial(realm_of, sealed=self._sealed))
        pool: list[WorkerProcess] = []
        try:
            self._sandbox = Sandbox(tasks) if self._asked else None
            while queue or any(process.task for process in pool):
                self._assign(queue, pool)
                yield from _collect(queue, pool)
        except OSError as error:
            raise system_error("worker processes", error) from error
        finally:
            for process in pool:
                process.kill()

    def _assign(self, queue: Waiting, pool: list[WorkerProcess]) -> None:
        """Give each idle worker a task, and start workers while tasks are waiting."""
        idle = [process for process in pool if process.task is None]
        while queue and (idle or len(pool) < self._jobs):
            process = idle.pop() if idle else None
            held = {other.holds for other in pool if other is not process}
            own = (None, None) if process is None else (process.realm, process.holds)
            realm, task = queue.take(*own, held)
            if process is not None and not (process.realm or realm).takes(realm):
                pool.remove(process)  # it has run the code of others
                process.kill()
                process = None
            if process is None:
                process = self._started(realm)
                pool.append(process)
            process.realm = realm
            process.give(task)

    def _started(self, realm: Realm) -> WorkerProcess:
        if realm.sealed:
            return SealedWorker(self._memory_limit, sandbox=self._sandbox)
        return WorkerProcess(self._memory_limit)


def _collect(queue: Waiting, pool: list[WorkerProcess]) -> Iterator[Outcome]:
    """Wait until a worker reports, dies or is late, and yield the outcomes that follow from it."""
    deadlines = [process.deadline for process in pool]
    patience = min([LOOK, *(deadline - time.monotonic() for deadline in deadlines)])
    wait([each for process in pool for each in process.descriptors()], max(patience, 0))
    for process in list(pool):
        outcome = process.listen()
        if process.lost is not None:
            pool.remove(process)
            if not process.ready and process.attempt < _ATTEMPTS:
                pool.append(process.replaced())
                continue
            blameless = process.ready and (process.doubtful or not process.started)
            if process.task is not None and blameless and queue.put_back(process.task):
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
            sealed = process.realm is not None and process.realm.sealed
            yield outcome | {"isolated": True, "sealed": sealed}
