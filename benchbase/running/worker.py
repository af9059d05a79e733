"""A worker: it poses the problem of each task, solves it, and scores what the solver returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from benchbase.running.scorer import Scorer
from benchbase.running.solving import Solving
from benchbase.running.workshop import Workshop
from benchbase.tasks import Outcome, Task

if TYPE_CHECKING:
    from benchbase.discovery.registry import Registry


class Worker:
    """Executes tasks one after the other, both halves of each in this process.

    The halves share the components and the frames that they build. In a sealed run they are in
    two processes, and exchange the same messages (see `benchbase.running.sealed`).

    Parameters
    ----------
    registry : Registry
        The components that tasks may name.
    own_process : bool, optional
        Whether this process is for tasks alone: no user interrupts it (see `Solving`), and it keeps
        apart what it computes with a stranger's code (see `Workshop`).
    """

    def __init__(self, registry: Registry, *, own_process: bool = False) -> None:
        workshop = Workshop(registry, apart=own_process)
        self._scorer = Scorer(workshop)
        self._solving = Solving(workshop, interruptible=not own_process)

    def execute(self, task: Task, on_start: Callable[[], None] = lambda: None) -> Outcome:
        """Execute one task; call `on_start` just before the solver starts.

        The outcome reports whatever goes wrong in a plugin. Its status is "refused" for a mistake
        of the user that shows only here, and "failed" or "crashed" for an error in the solver or
        the problem.
        """
        posed = self._scorer.pose(task)
        if "problem_key" not in posed:
            return posed
        return self._scorer.score(self._solving.solve(posed, on_start))
