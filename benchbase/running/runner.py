"""The run loop: it finds out what is left to compute, and stores each outcome as it comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from benchbase.discovery.code import Code
from benchbase.discovery.registry import Registry
from benchbase.errors import BenchbaseError
from benchbase.interfaces import Solver
from benchbase.planning.cells import Cell
from benchbase.planning.parts import Parts
from benchbase.planning.suite import Suite
from benchbase.running.executors import Executor
from benchbase.storage.attempts import Ending
from benchbase.storage.store import Store
from benchbase.system.channel import note
from benchbase.tasks import LOST, Outcome, Task


@dataclass(frozen=True)
class Plan:
    """What a run of a suite consists of: its cells, and the tasks that are left to compute.

    Attributes
    ----------
    cells : list of Cell
        All cells, in the order of tables.
    tasks : list of Task
        The chunks to compute; those of one problem follow each other.
    n_done : int
        The number of the other chunks that have an outcome.
    """

    cells: list[Cell]
    tasks: list[Task]
    n_done: int


def plan(
    cells: list[Cell],
    store: Store | None,
    known: Registry,
    *,
    failed: bool = False,
    rerun: Sequence[str] = (),
    host_name: bool = False,
    sealed: bool = False,
) -> Plan:
    """Find out which chunks are left to compute.

    Parameters
    ----------
    cells : list of Cell
        From `make_cells`.
    store : Store or None
        The store with earlier outcomes; None if there is no store yet.
    known : Registry
        Says which plugins supply the components.
    failed : bool, optional
        Plan only what failed, timed out or crashed, once more.
    rerun : sequence of str, optional
        Labels of solvers to run again, whatever their outcomes.
    host_name : bool, optional
        Let outcomes name the host that they come from.
    sealed : bool, optional
        Plan again what was not sealed and can be.
    """
    unique: dict[str, Cell] = {}
    for cell in cells:  # if several labels share a cell, the one with the longest time limit counts
        if _patience(cell) > _patience(unique.get(cell.key)):
            unique[cell.key] = cell
    again = {cell.key for cell in cells if cell.label in rerun}
    outcomes = store.outcomes([*unique]) if store else {}
    sent = store.known_signals() if store else set()
    changed = _changed(store, [*unique]) if store else set()
    parts = Parts(known)
    tasks: list[Task] = []
    alike: dict[tuple[str, Solver, int], list[Task]] = {}
    n_done = 0
    for cell in _grouped(list(unique.values())):
        for task in cell.tasks(parts, host_name=host_name):
            outcome = outcomes.get((task["key"], task["start"]))
            lost = outcome is not None and outcome.status in LOST
            stale = task["key"] in changed or _is_due(task, outcome)
            stale |= sealed and not task["shared"] and not (outcome and outcome.sealed)
            due = task["key"] in again or (lost if failed else stale)
            if not due:
                n_done += outcome is not None
                continue
            # Every task asks for the signals, because the worker of any one task may be lost.
            task["send_signals"] = task["signals_key"] not in sent
            tasks.append(task)
            if _asks_alike(cell, task):
                alike.setdefault((cell.group_key, cell.solver, task["start"]), []).append(task)
    for group in alike.values():
        for task in group:
            task["others"] = [other["pooling"] for other in group if other is not task]
    return Plan(cells, tasks, n_done)


def _asks_alike(cell: Cell, task: Task) -> bool:
    """Return whether a solver may know the measurements under other poolings of the frame.

    It must have a use for them, and all code must be benchbase's own: with them, another solver
    could find more than its own measurements tell. Nor do solvers with a time limit share work, as
    only some of them would have the time that it takes.
    """
    if cell.time_limit is not None or task["shared"] or any(task["sources"].values()):
        return False
    return any(isinstance(part, Solver) and part.asks_alike for part in cell.solver.walk())


def _changed(store: Store, keys: Sequence[str]) -> set[str]:
    """Return the keys of cells that loaded modules which are others now, beyond what keys tell."""
    code = Code()
    return {key for key, loaded in store.loaded(keys) if code.has_changed(loaded)}


def _patience(cell: Cell | None) -> float:
    if cell is None:
        return 0
    return float("inf") if cell.time_limit is None else cell.time_limit


def _is_due(task: Task, outcome: Ending | None) -> bool:
    """Return whether a task has no outcome, or one that may be different if it is computed now.

    A timeout may end differently if the limit is now longer. A solver that lacked a library may
    have it by now. An error would come again.
    """
    if outcome is None:
        return True
    if outcome.status == "timeout" and outcome.time_limit is not None:
        return task["time_limit"] is None or task["time_limit"] > outcome.time_limit
    return outcome.status == "unsupported" and outcome.message.startswith("not installed:")


def _grouped(cells: list[Cell]) -> list[Cell]:
    """Order cells by their test signals, frames and problems, so that each of these is built once.

    Each of them comes in the order of first appearance.
    """
    first: dict[str, int] = {}
    for cell in cells:
        for key in _place(cell):
            first.setdefault(key, len(first))
    return sorted(cells, key=lambda cell: [first[key] for key in _place(cell)])


def _place(cell: Cell) -> tuple[str, str, str]:
    return cell.signals_key, cell.group_key, cell.problem_key


class InterruptedRun(KeyboardInterrupt):
    """The user interrupted a run; `run` is its number in the store."""

    def __init__(self, run: int) -> None:
        super().__init__("what is finished is stored, and the same call does the rest")
        self.run = run


def run_suite(
    suite: Suite,
    todo: Plan,
    store: Store,
    executor: Executor,
    command: str = "",
    on_outcome: Callable[[], None] = lambda: None,
) -> int:
    """Execute the tasks of a plan and store each outcome as it comes.

    Parameters
    ----------
    suite : Suite
        The suite.
    todo : Plan
        From `plan`.
    store : Store
        The store for the outcomes.
    executor : Executor
        What executes the tasks.
    command : str, optional
        The command that asked for the run, for the record.
    on_outcome : callable, optional
        Called after each stored outcome.

    Returns
    -------
    int
        The number of the run in the store.

    Raises
    ------
    BenchbaseError
        If tasks are refused, because a part of their problem fails or for a mistake of the user
        that shows only then. The other tasks are done first, and what was finished is stored.
    InterruptedRun
        If the user presses Ctrl-C meanwhile; what was finished is stored.
    """
    run = store.begin_run(suite.name, suite.title, suite.resolved(), command, todo.cells)
    refused: list[Outcome] = []
    try:
        with closing(executor.run(todo.tasks)) as outcomes:
            for outcome in outcomes:
                if outcome["status"] == "refused":
                    if outcome["message"] not in {each["message"] for each in refused}:
                        note(f"left out: {outcome['message']}")
                    refused.append(outcome)
                    continue
                store.save(outcome)
                on_outcome()
    except KeyboardInterrupt as interrupt:
        raise InterruptedRun(run) from interrupt
    if refused:
        store.drop_run(run)  # otherwise it would count as the suite's latest run
        raise _refusal(refused, len(todo.tasks))
    store.end_run(run)
    return run


def _refusal(refused: Sequence[Outcome], asked: int) -> BenchbaseError:
    """Return the error that says what keeps tasks from being done, and how many of them."""
    messages = [*dict.fromkeys(outcome["message"] for outcome in refused)]
    others = f" (and {len(messages) - 1} other reasons, told above)" if messages[1:] else ""
    rest = "; the others are stored" if len(refused) < asked else ""
    error = BenchbaseError(
        f"{messages[0]}{others}: {len(refused)} of {asked} chunks cannot be computed{rest}"
    )
    error.exit_code = max(outcome["exit_code"] for outcome in refused)
    return error


def count_by_status(store: Store, run: int) -> Counter[str]:
    """Return how many cells of a run are done, failed, unsupported and pending.

    A cell in which any chunk or signal failed, timed out or crashed counts as failed.
    """
    counts: Counter[str] = Counter()
    chunks = store.chunks(run)
    for _, _, key, facts in store.cells(run):
        of_cell = chunks.get(key, [])
        statuses = {chunk["status"] for chunk in of_cell}
        complete = sum(chunk["stop"] - chunk["start"] for chunk in of_cell) == facts["points"]
        lost = any(
            chunk["scores"] is not None and bool((chunk["scores"][0] != chunk["scores"][0]).any())
            for chunk in of_cell
        )
        if lost or not statuses.isdisjoint(LOST):
            counts["failed"] += 1
        elif not complete:
            counts["pending"] += 1
        else:
            counts["done" if "done" in statuses else "unsupported"] += 1
    return counts
