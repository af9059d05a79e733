"""Sealed workers: one process knows the signals and scores, another runs the solver.

The process that starts both passes their messages on. The solver's process gets what a solver may
know (`benchbase.tasks.Posed`), and neither the seed nor the signals, in no argument, variable or
file descriptor.
"""

from __future__ import annotations

from benchbase.errors import FormatError
from benchbase.running.messages import Message
from benchbase.running.outcomes import checked_solved, most_solved_bytes
from benchbase.running.processes import WorkerProcess
from benchbase.running.sandbox import Sandbox
from benchbase.running.serve import Kind, Role
from benchbase.tasks import Outcome, Solved, Task

_MOST_POSED = 1 << 34  # bytes; its sender runs no solver's code


class SealedWorker(WorkerProcess):
    """A process that poses and scores problems, and one that solves them, as one worker.

    If either is lost, both are.

    Parameters
    ----------
    memory_limit, attempt : int
        As for `WorkerProcess`.
    sandbox : Sandbox, optional
        Where to run the solver.
    """

    role = Role.SCORER

    def __init__(
        self, memory_limit: int | None, attempt: int = 1, *, sandbox: Sandbox | None = None
    ) -> None:
        self._sandbox, self._solver = sandbox, _SolverProcess(memory_limit, sandbox)
        try:
            super().__init__(memory_limit, attempt)
        except BaseException:
            self._solver.kill()
            raise

    def give(self, task: Task) -> None:
        """Send the worker a task. If the worker is dead, `listen` notices it."""
        super().give(task)
        self.outcomes.most = _MOST_POSED
        self._solver.task = None

    def descriptors(self) -> list[int]:
        """Return the file descriptors on which messages may come."""
        return [*super().descriptors(), *self._solver.descriptors()]

    def listen(self) -> Outcome | None:
        """Return an outcome if there is one, and set `lost` if a process is dead or late."""
        outcome = super().listen()
        if outcome is not None or self.lost is not None:
            return outcome
        self._solver.listen()
        self.started, self.deadline = self._solver.started, self._solver.deadline
        self.lost, self.doubtful = self._solver.lost, self._solver.doubtful
        self.ready = self.ready and (self._solver.ready or self.lost is None)
        solved = self._solver.solved
        if solved is not None:
            self._solver.solved = self._solver.task = None
            self._send(solved)
        return None

    def _answered(self, message: Message, task: Task) -> Outcome | None:
        if message.kind != Kind.POSED:
            return super()._answered(message, task)
        self._solver.pose(message, task)
        return None

    def _again(self) -> WorkerProcess:
        return SealedWorker(self._memory_limit, self.attempt + 1, sandbox=self._sandbox)

    def kill(self) -> None:
        """Kill both processes and all that they have started."""
        self._solver.kill()
        super().kill()


class _SolverProcess(WorkerProcess):
    """A process that solves what is posed.

    Attributes
    ----------
    solved : Solved or None
        What it has sent last.
    """

    role = Role.SOLVER

    def __init__(self, memory_limit: int | None, sandbox: Sandbox | None) -> None:
        self._sandbox = sandbox
        if sandbox is not None:
            self.role = Role.SANDBOXED
        super().__init__(memory_limit)
        self.solved: Solved | None = None

    def _wrapped(self, command: list[str]) -> list[str]:
        return command if self._sandbox is None else self._sandbox.around(command)

    def pose(self, message: Message, task: Task) -> None:
        """Send it a problem; the task stays here, where its answer is checked against it."""
        self._begin(task)
        self.outcomes.most = most_solved_bytes(task)
        self._send(message.fields)

    def _answered(self, message: Message, task: Task) -> Outcome | None:
        if message.kind != Kind.SOLVED or self.solved is not None:
            raise FormatError("it is no answer to what was posed")
        self.solved = checked_solved(message.fields, task)
        self.deadline = float("inf")
        return None
