"""Worker processes on this machine, seen from the process that starts them.

A worker is ``python -m benchbase.running.serve`` in a session of its own. Tasks and outcomes go
through private pipes, and what the worker prints goes to a file. If a chunk hangs, crashes or kills
its worker, only that chunk is lost: the worker is killed with all processes that it started, and
another worker takes its place.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time

from benchbase.errors import BenchbaseError, FormatError
from benchbase.running.executors import BLAS_VARIABLES
from benchbase.running.family import MARK, kill_family
from benchbase.running.messages import PATIENCE, Message, Receiver, pickled, write_within
from benchbase.running.outcomes import checked_outcome, lost_outcome, most_bytes
from benchbase.running.serve import Kind, Role
from benchbase.running.waiting import Held, Realm, held_of
from benchbase.system import channel
from benchbase.tasks import Outcome, Task

LOOK = 0.2  # seconds between two checks that workers live, because a pipe may outlive its worker
_FAREWELL = 1  # seconds that a worker has to end after it closed its pipe
_AT_ONCE = 100  # messages that are taken from one worker before the others have their turn
_MOST_STARTS = 2  # how often a solver may begin with one task; see `Kind.STARTED`
_READ, _TAIL = 20_000, 1000  # characters of a lost worker's output that are read, and kept
_TRACEBACK = re.compile(r"[^\n]*Traceback \(most recent call last\):\n(?:[ \t|+][^\n]*\n)*")


def _above_standard(descriptor: int) -> int:
    """Move a descriptor away from those of the standard streams, which a child has replaced.

    Pipes get these numbers in a process whose standard streams are closed.
    """
    if descriptor > 2:
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return moved


def _fit_a_bar(numbers: list[object]) -> bool:
    return len(numbers) == 2 and all(type(number) in (int, float) for number in numbers)


class WorkerProcess:
    """One worker process, seen from the process that starts it.

    Attributes
    ----------
    task : Task or None
        The task that it works on.
    realm : Realm or None
        Whose code it has run.
    holds : Held or None
        The problem that it holds.
    lost : tuple of (str, str) or None
        Once the worker is dead or late: the status and message for its task.
    started : bool
        Whether the solver has begun with the task.
    doubtful : bool
        Whether a solver that it ran before may be why it was lost.
    ready : bool
        Whether it has said that it can take tasks.
    attempt : int
        Which attempt to start a worker in this place it is, from 1.
    """

    role = Role.WHOLE

    def __init__(self, memory_limit: int | None, attempt: int = 1) -> None:
        self._memory_limit, self.attempt = memory_limit, attempt
        self.task: Task | None = None
        self.realm: Realm | None = None
        self.holds: Held | None = None
        self.lost: tuple[str, str] | None = None
        self.deadline = float("inf")
        self.started = self.ready = self.doubtful = self._killed = False
        self._starts = 0
        self._cells: set[str] = set()  # the keys of those that it was given tasks of
        self._mark = secrets.token_hex(16)
        given, for_tasks, taken, for_outcomes = map(_above_standard, (*os.pipe(), *os.pipe()))
        self._output = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 # `kill` closes it
        arguments = [given, for_outcomes, os.getpid(), memory_limit or 0, self.role]
        # With -P, a file in the current folder is not taken for a library.
        command = [sys.executable, "-P", "-m", "benchbase.running.serve", *map(str, arguments)]
        self._process = subprocess.Popen(  # noqa: S603 # this Python, and numbers
            self._wrapped(command),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=(given, for_outcomes),
            start_new_session=True,
            env=os.environ | dict.fromkeys(BLAS_VARIABLES, "1") | {MARK: self._mark},
        )
        for descriptor in (given, for_outcomes):
            os.close(descriptor)
        os.set_blocking(for_tasks, False)
        self._for_tasks = for_tasks
        self.outcomes = Receiver(taken)

    def _wrapped(self, command: list[str]) -> list[str]:
        """Return the command that is started for the command of a worker."""
        return command

    def give(self, task: Task) -> None:
        """Send the worker a task. If the worker is dead, `listen` notices it."""
        self._begin(task)
        self._send(task)

    def _begin(self, task: Task) -> None:
        self.task, self.holds, self.started = task, held_of(task), False
        self._cells.add(task["key"])
        self.outcomes.most, self._starts = most_bytes(task), 0

    def _send(self, message: object) -> None:
        try:
            write_within(self._for_tasks, pickled(message), PATIENCE)
        except TimeoutError:
            self._lose("crashed", "the worker does not take its task")
        except OSError:  # it has closed the pipe, as `listen` will find
            pass

    def descriptors(self) -> list[int]:
        """Return the file descriptors on which messages may come."""
        return [self.outcomes.fileno()]

    def listen(self) -> Outcome | None:
        """Return an outcome if there is one, and set `lost` if the worker is dead or late."""
        alive = self._process.poll() is None
        try:
            for _ in range(_AT_ONCE):
                message = self.outcomes.receive()
                if message is None:
                    break
                outcome = self._take(message)
                if outcome is not None:
                    self.deadline = float("inf")
                    return outcome
        except (EOFError, OSError):
            self._lose("crashed", self._ending())
            return None
        except FormatError as error:
            self._lose("crashed", f"the worker sent something that is not an outcome: {error}")
            if len(self._cells) > 1:
                self.doubtful = True  # a thread or child of another solver may have sent it
            return None
        if not alive:
            self._lose("crashed", self._ending())
        elif time.monotonic() >= self.deadline:
            assert self.task is not None  # noqa: S101 # the clock runs only with a task
            self._lose("timeout", f"took longer than {self.task['time_limit']:g} s per signal")
        return None

    def _take(self, message: Message) -> Outcome | None:
        """Act on a message, and return the outcome if it is one."""
        match message:
            case (Kind.OUTCOME | Kind.POSED | Kind.SOLVED, _) if self.task is not None:
                return self._answered(message, self.task)
            case (Kind.READY, {}):
                self.ready = True
            case (Kind.STARTED, {}) if self._starts < _MOST_STARTS:
                self._starts += 1
                self._start_clock()
            case (Kind.REMARK, {"message": ["note" | "end" as kind, str(text)]}):
                channel.send((kind, text))
            case (Kind.REMARK, {"message": ["bar", str(text), *numbers]}) if _fit_a_bar(numbers):
                channel.send(("bar", text, *numbers))
            case _:
                raise FormatError("its kind is unknown, or it comes at a wrong time")
        return None

    def _answered(self, message: Message, task: Task) -> Outcome | None:
        """Act on the answer to a task, and return the outcome if it is one."""
        if message.kind != Kind.OUTCOME:
            raise FormatError("it is no outcome")
        return checked_outcome(message.fields, task)

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
            If the worker was never ready to take a task, at the last attempt to start one.
        """
        assert self.lost is not None  # noqa: S101 # called only for a lost worker
        status, message = self.lost
        self.kill()
        if not self.ready:
            raise BenchbaseError(f"a worker process cannot start: {message}")
        if not self.started:
            status, message = "refused", f"before the solver began, {message}"
        return None if self.task is None else lost_outcome(self.task, status, message)

    def kill(self) -> None:
        """Kill the worker and all processes that it has started; see `kill_family`."""
        if self._killed:
            return  # its number may belong to another process by now
        self._killed = True
        waited = self._process.returncode is not None
        kill_family(self._process.pid, self._mark, waited=waited)
        self._process.wait()
        os.close(self._for_tasks)
        self.outcomes.close()
        self._output.close()

    @property
    def exit_code(self) -> int | None:
        """The worker's exit code: −s if signal s killed it, and None while it lives."""
        return self._process.returncode

    def replaced(self) -> WorkerProcess:
        """Kill this worker, which was lost as it started, and give its task to a new one."""
        self.kill()
        other = self._again()
        other.realm = self.realm
        if self.task is not None:
            other.give(self.task)
        return other

    def _again(self) -> WorkerProcess:
        return WorkerProcess(self._memory_limit, self.attempt + 1)

    def _ending(self) -> str:
        try:
            code = self._process.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            return "the worker closed its pipe"
        if code < 0:
            return f"the worker was killed by {signal.Signals(-code).name}"
        return f"the worker ended with exit code {code}"

    def _printed(self) -> str:
        """Return the end of what the worker has printed, in one line; of tracebacks, the error."""
        number = self._output.fileno()
        end = os.fstat(number).st_size
        # `pread` leaves the file's position alone, which the worker shares.
        printed = os.pread(number, _READ, max(0, end - _READ)).decode(errors="replace")
        return " ".join(_TRACEBACK.sub("", printed).split())[-_TAIL:]
