"""Starting a run: what a suite still needs to compute, and the workers that compute it."""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from benchbase.discovery.registry import Registry, registry
from benchbase.errors import BenchbaseError, ParameterError, check_range
from benchbase.planning.cells import Digests, make_cells
from benchbase.planning.parts import Parts
from benchbase.planning.suite import Suite
from benchbase.running.executors import Executor, InProcess, Split
from benchbase.running.forecast import longest_first
from benchbase.running.local import LocalWorkers
from benchbase.running.runner import Plan, plan, run_suite
from benchbase.storage.database import has_results
from benchbase.storage.store import Store
from benchbase.system.channel import note

_MOST_GB = 9e9  # whose bytes still are a number that systems know


def make_plan(
    suite: Suite,
    folder: Path,
    *,
    failed: bool = False,
    rerun: Sequence[str] = (),
    host_name: bool = False,
    sealed: bool = False,
    download: bool = True,
) -> Plan:
    """Find out what a run would compute, without writing anything.

    Parameters
    ----------
    suite : Suite
        From `benchbase.api.resolve`.
    folder : pathlib.Path
        The folder of results, which need not exist.
    failed : bool, optional
        Compute only what failed, timed out or crashed.
    rerun : sequence of str, optional
        Labels of solvers to run again.
    host_name : bool, optional
        Record which host computes.
    sealed : bool, optional
        Compute again what was not computed in a sealed run.
    download : bool, optional
        Whether data sets may download their files. If not, what needs files that are not there
        counts as not computed, and the plan cannot be executed.

    Raises
    ------
    BenchbaseError
        If the store cannot be read, data are missing, or a label is not in the suite.
    """
    suite.select(rerun)  # raises if a label is not in the suite
    cells = make_cells(suite, Digests(download=download))
    with Store(folder) if has_results(folder) else nullcontext() as store:
        if store is not None:
            store.check_rows()
        todo = plan(
            cells, store, registry(), failed=failed, rerun=rerun, host_name=host_name, sealed=sealed
        )
        return todo if store is None else longest_first(todo, store)


def check_workers(
    jobs: int | None = None, memory_limit: float | None = None, dask: str | None = None
) -> None:
    """Refuse workers that cannot be had, before anything is planned.

    Parameters
    ----------
    jobs, memory_limit, dask
        As `execute` takes them.

    Raises
    ------
    BenchbaseError
        If `jobs` is not a number of processes, `memory_limit` is not above 0, or the current folder
        has been deleted, without which plugins and libraries cannot work.
    """
    try:
        Path.cwd()
    except OSError:
        message = "the current folder has been deleted; go to another one, for example with: cd ~"
        raise BenchbaseError(message) from None
    if jobs is not None:
        try:
            check_range("jobs", operator.index(jobs), least=0)
        except TypeError:
            raise ParameterError("jobs", f"must be a whole number, not {jobs!r}") from None
    elif dask is None:
        default_jobs()
    if memory_limit is not None:
        try:
            check_range("memory_limit", memory_limit, above=0, below=_MOST_GB)
        except TypeError:
            raise ParameterError(
                "memory_limit", f"must be a number, not {memory_limit!r}"
            ) from None


def execute(
    suite: Suite,
    todo: Plan,
    folder: Path,
    *,
    command: str,
    jobs: int | None = None,
    memory_limit: float | None = None,
    dask: str | None = None,
    sealed: bool = False,
    sandbox: bool = False,
    on_outcome: Callable[[], None] = lambda: None,
) -> int:
    """Run a suite on the workers asked for.

    Parameters
    ----------
    suite : Suite
        The suite.
    todo : Plan
        From `make_plan`.
    folder : pathlib.Path
        The folder of results.
    command : str
        The command that asked for the run, for the record.
    jobs : int, optional
        The number of worker processes; 0 computes in this process. By default `default_jobs`.
    memory_limit : float, optional
        GB of memory that a worker may have.
    dask : str, optional
        The address of a Dask scheduler, on whose workers to compute.
    sealed : bool, optional
        Keep the signals and the seed in other processes than the solvers. What cannot be sealed is
        computed as usual, and a note says why.
    sandbox : bool, optional
        Run the solvers of a sealed run in a sandbox. What cannot be sealed is refused then.
    on_outcome : callable, optional
        Called after each stored outcome.

    Returns
    -------
    int
        The number of the run in the store.

    Raises
    ------
    BenchbaseError
        If the store cannot be read or written, or a task is refused.
    """
    limit = None if memory_limit is None else int(memory_limit * 1e9)
    executor = _executor(registry(), todo, jobs, limit, dask, sealed=sealed, sandbox=sandbox)
    with Store(folder, create=True) as store:
        return run_suite(suite, todo, store, executor, command, on_outcome)


def _executor(
    known: Registry,
    todo: Plan,
    jobs: int | None,
    memory_limit: int | None,
    dask: str | None,
    *,
    sealed: bool,
    sandbox: bool,
) -> Executor:
    """Return the executor for the tasks of a plan."""
    here = InProcess(known)
    if jobs is None:
        jobs = default_jobs()
    if sealed:
        _check_sealed(known, todo, jobs, dask, sandbox=sandbox)
    elif sandbox:
        raise BenchbaseError("only a sealed run can be in a sandbox; add --sealed")
    if not todo.tasks:
        return here
    parts = Parts(known)
    mine = {c.key for c in todo.cells if any(parts.of(each).is_local for each in c.components())}
    if dask is not None:
        from benchbase.running.cluster import DaskCluster

        return Split(here, DaskCluster(dask, memory_limit), mine)
    if jobs == 0:
        return here
    count = min(jobs, len(todo.tasks))
    workers = LocalWorkers(count, memory_limit, sealed=sealed, sandbox=sandbox)
    return Split(here, workers, mine)


def _check_sealed(
    known: Registry, todo: Plan, jobs: int, dask: str | None, *, sandbox: bool
) -> None:
    """Refuse to seal a run that cannot be, and tell which solvers' rows cannot be."""
    if dask is not None:
        message = "a run on a Dask cluster cannot be sealed; leave out --dask or --sealed"
        raise BenchbaseError(message)
    if jobs == 0:
        raise BenchbaseError(
            "a sealed run needs worker processes, but there are to be none; leave out --jobs 0 "
            "(or BENCHBASE_JOBS=0) or --sealed"
        )
    unsealed: dict[str, dict[str, None]] = {}
    parts = Parts(known)
    for cell in todo.cells:
        for origin in cell.shared(parts):
            unsealed.setdefault(origin, {})[cell.label] = None
    for origin, labels in unsealed.items():
        named = ", ".join(labels)
        told = f"{named}; the solver and a part of its problem both come from {origin}"
        if sandbox:
            raise BenchbaseError(f"this cannot be computed in a sandbox: {told}")
        note(f"not sealed: {told}")


def default_jobs() -> int:
    """Return ``BENCHBASE_JOBS``, or the number of cores that this process may use.

    An empty variable is like none.

    Raises
    ------
    BenchbaseError
        If the variable is not a number.
    """
    chosen = os.environ.get("BENCHBASE_JOBS", "").strip()
    if not chosen:
        return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if not chosen.isdecimal():
        message = f"the variable BENCHBASE_JOBS must be a number of processes, not {chosen!r}"
        raise BenchbaseError(message)
    return int(chosen)
