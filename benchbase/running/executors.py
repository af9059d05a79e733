"""Where workers are. Tasks and outcomes are plain data, so that any process can be one."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from benchbase.discovery.registry import Registry
from benchbase.running.worker import Worker
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
"""What the BLAS and OpenMP libraries read, when they are loaded, for their number of threads."""


class Executor(Protocol):
    """Something that executes tasks."""

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Execute tasks and yield their outcomes, as they come, in any order.

        Closing the generator stops what is still under way.
        """


class InProcess:
    """Executes tasks in this process, one after the other, in their order.

    Parameters
    ----------
    registry : Registry
        What components there are.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def run(self, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Execute tasks and yield their outcomes."""
        worker = Worker(self._registry)
        for task in tasks:
            with one_blas_thread(), _output_to_stderr():
                outcome = worker.execute(task)
            yield outcome


class Split:
    """Executes some tasks in this process, after all others elsewhere.

    Parameters
    ----------
    here : InProcess
        What executes tasks of components that no other process could build.
    elsewhere : Executor
        What executes the others.
    keys : set of str
        The keys of the cells to execute here.
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
    """Keep what a solver prints, in C too, out of the output of `--json`."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """Look for the BLAS libraries, again only when more modules are loaded: it takes a while."""
    del modules
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use one thread: also the libraries that are loaded only inside.

    Sums over several threads round differently from run to run, and threads of two processes on
    two cores are many times slower than one each.
    """
    before = {name: os.environ.get(name) for name in BLAS_VARIABLES}
    os.environ.update(dict.fromkeys(BLAS_VARIABLES, "1"))
    try:
        with _libraries(len(sys.modules)).limit(limits=1):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
