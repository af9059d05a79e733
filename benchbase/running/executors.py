"""Executors, which carry tasks to workers and bring back outcomes, and one for this process.

Tasks and outcomes are plain data, so that any process can be a worker.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from benchbase.discovery.registry import Registry
from benchbase.running.worker import Worker
from benchbase.storage.answers import folder_of_run
from benchbase.tasks import Outcome, Task

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

BLAS_VARIABLES = (
    "BLIS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Variables from which BLAS and OpenMP libraries read their number of threads when loaded."""


class Executor(Protocol):
    """Something that executes tasks."""

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Execute tasks and yield their outcomes as they come, in any order.

        Closing the generator stops the tasks that are still under way.
        """


def sharing(task: Task, folder: str | None) -> Task:
    """Return a task whose solver shares what it finds with those that have the same folder.

    A solver with a time limit shares nothing: it would depend on the others whether it is in time.
    """
    return task if task["time_limit"] is not None else task | {"answers": folder}


class InProcess:
    """Executes tasks in this process, one after the other, in the order given.

    Parameters
    ----------
    registry : Registry
        The known components.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Execute tasks and yield their outcomes."""
        worker = Worker(self._registry)
        with folder_of_run() as folder:
            for task in tasks:
                with one_blas_thread(), _output_to_stderr():
                    outcome = worker.execute(sharing(task, folder))
                yield outcome | {"isolated": False, "sealed": False}


class Split:
    """Executes most tasks elsewhere, and then the rest in this process.

    Parameters
    ----------
    here : InProcess
        Executes the tasks whose components only this process can build.
    elsewhere : Executor
        Executes the other tasks.
    keys : set of str
        The keys of the cells to execute in this process.
    """

    def __init__(self, here: InProcess, elsewhere: Executor, keys: set[str]) -> None:
        self._here, self._elsewhere, self._keys = here, elsewhere, keys

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Execute tasks and yield their outcomes."""
        everything = list(tasks)
        yield from self._elsewhere.run(t for t in everything if t["key"] not in self._keys)
        yield from self._here.run(t for t in everything if t["key"] in self._keys)


@contextlib.contextmanager
def _output_to_stderr() -> Iterator[None]:
    """Send what a solver prints, also from C, to standard error, so that `--json` stays clean.

    Without standard error, it goes nowhere: the descriptor 2 may belong to any file then.
    """
    if sys.stdout is not None:
        sys.stdout.flush()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # standard output may be closed
            kept = os.dup(1)
            stack.callback(os.close, kept)
            target = 2 if sys.__stderr__ is not None else os.open(os.devnull, os.O_WRONLY)
            if target != 2:
                stack.callback(os.close, target)
            os.dup2(target, 1)
            stack.callback(os.dup2, kept, 1)
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """Find the loaded BLAS libraries; kept until the number of modules changes, as it is slow."""
    del modules
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use only one thread; this holds also for libraries that are loaded meanwhile.

    Sums over several threads round differently from run to run. And on two cores, two processes
    with several threads each are many times slower than two processes with one thread each.
    """
    before = {name: os.environ.get(name) for name in BLAS_VARIABLES}
    os.environ.update(dict.fromkeys(BLAS_VARIABLES, "1"))
    try:
        with _libraries(len(sys.modules)).limit(limits=1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)  # a solver may have removed it
            else:
                os.environ[name] = value
