"""Executing one task: build the problem, prepare the solver, solve, round and score."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase.discovery.code import Code
from benchbase.discovery.provenance import circumstances
from benchbase.errors import BenchbaseError, DataError, PluginError, in_one_line
from benchbase.interfaces import Dataset, Inverse, Solver
from benchbase.numerics.instance import Arrays, Instance, Signals, build, draw
from benchbase.numerics.recovery import recover, score
from benchbase.numerics.streams import CountingFrame, Ledger, Snapshot
from benchbase.numerics.traces import pack
from benchbase.planning.cells import fingerprints
from benchbase.storage.cache import cached
from benchbase.tasks import Outcome, Task

if TYPE_CHECKING:
    from benchbase.discovery.registry import Registry


class Worker:
    """Executes tasks one after the other, and keeps the last two problems and the last solver.

    Parameters
    ----------
    registry : Registry
        The components that tasks may name.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._problems: OrderedDict[str, tuple[str, Signals, Instance]] = OrderedDict()
        self._prepared: tuple[str, _Prepared] | None = None
        self._sent: set[str] = set()
        self._code, self._modules = Code(), len(sys.modules)
        self._compared: dict[str, str] = {}

    def execute(self, task: Task, on_start: Callable[[], None] = lambda: None) -> Outcome:
        """Execute one task; call `on_start` just before the solver starts.

        The outcome reports whatever goes wrong in a plugin. Its status is "refused" for a mistake
        of the user that shows only here, and "failed" or "crashed" for an error in the solver or
        the problem.
        """
        outcome = Outcome(
            key=task["key"],
            start=task["start"],
            stop=task["stop"],
            signals_key=task["signals_key"],
            status="failed",
            environment=circumstances(task),
        )
        folder = Path.cwd()
        try:
            with np.errstate():  # limits what third-party code sets to this task
                return outcome | self._execute(task, outcome, on_start)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # third-party code may raise anything
            return outcome | _went_wrong(error)
        finally:
            os.chdir(folder)

    def _execute(self, task: Task, outcome: Outcome, on_start: Callable[[], None]) -> Outcome:
        try:
            self._load(task)
            before = set(sys.modules)
            signals = self.signals(task)
            if task["send_signals"] and task["signals_key"] not in self._sent:
                outcome["signals"] = signals.truth.astype(np.float32)
                self._sent.add(task["signals_key"])
            instance = self.instance(task, signals)
        except BenchbaseError as error:
            return _refused(error)
        outcome["checksum"] = float(np.linalg.norm(instance.b))
        outcome["condition"] = instance.problem.frame.condition
        try:
            solved = self._solve(task, instance, on_start)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # third-party code may raise anything
            solved = _went_wrong(error)
        try:
            self._compare(task["code"])
            loaded = self._code.unforeseen(task["code"], before)
        except PluginError as error:
            return _refused(error)
        if loaded:
            outcome["environment"]["loaded"] = loaded
        return solved

    def _load(self, task: Task) -> None:
        for path in task["plugins"]:
            if Path(path) not in self._registry.plugin_files:
                # A file is loaded only once: edits during a run have no effect.
                self._registry.load_file(path)
        self._compare(task["code"])

    def _compare(self, code: dict[str, str]) -> None:
        """Make sure that the code is what the task was planned with; repeat it after imports."""
        if self._modules != len(sys.modules):
            self._code, self._modules, self._compared = Code(), len(sys.modules), {}
        for name, digest in code.items():
            if self._compared.get(name) != digest:
                self._code.compare(name, digest)
                self._compared[name] = digest

    def signals(self, task: Task) -> Signals:
        """Draw the signals, unless one of the last two problems has them already."""
        for key, signals, _ in self._problems.values():
            if key == task["signals_key"]:
                return signals
        dataset: Dataset = self._built("dataset", task)
        label = f"train-{dataset.name} {task['train_key']}"

        def kept(make: Callable[[], Arrays]) -> Arrays:
            with _same_files(dataset, task):  # refuses before anything is cached
                return make()

        with _same_files(dataset, task):
            return draw(
                dataset, task["seed"], task["trial"], task["points"],
                lambda make: cached(label, lambda: kept(make)),
            )  # fmt: skip # one argument per line would not be clearer

    def instance(self, task: Task, signals: Signals) -> Instance:
        """Build the problem, or return it if it is one of the last two."""
        key = task["problem_key"]
        if key not in self._problems:
            kinds = ("frame", "pooling", "noise", "hint")
            design, pooling, noise, hint = (self._built(kind, task) for kind in kinds)
            built = build(signals, design, pooling, noise, hint, task["seed"], task["trial"])
            self._problems[key] = (task["signals_key"], signals, built)
            if len(self._problems) > 2:
                self._problems.popitem(last=False)
        self._problems.move_to_end(key)
        return self._problems[key][-1]

    def _built(self, kind: str, task: Task) -> Any:
        """Build a component of a task, or return None if the task has none of that kind."""
        spec = task[kind]  # type: ignore[literal-required] # a kind
        return None if spec is None else self._registry.build(kind, spec, trusted=True)

    def _solve(self, task: Task, instance: Instance, on_start: Callable[[], None]) -> Outcome:
        prepared = self._prepare(task, instance, on_start)
        if isinstance(prepared, str):
            return Outcome(status="unsupported", message=prepared)
        rows = slice(task["start"], task["stop"])
        b = instance.b[rows]
        ledger = prepared.ledger
        ledger.clear()
        trace: list[Snapshot] | None = [] if task["trace"] else None
        run = instance.run(rows, ledger, trace)
        with ledger.clock(()):
            recovery = recover(prepared.inverse, b, run, instance.problem.frame.n)
        truth = instance.truth[rows]
        scores = score(recovery, instance.problem, truth, b)
        if trace is not None:
            scores["trace"] = pack(trace, instance.problem, truth, b, task["start"])
        init = sum(spent for phase, spent in ledger.seconds.items() if "init" in phase)
        size = len(b)
        return scores | Outcome(
            status="done",
            message=in_one_line(recovery.message or ""),
            prepare_seconds=prepared.seconds,
            init_seconds=init / size,
            solve_seconds=(sum(ledger.seconds.values()) - init) / size,
            frame_applications=None if ledger.dense else sum(ledger.applications.values()) / size,
        )

    def _prepare(
        self, task: Task, instance: Instance, on_start: Callable[[], None]
    ) -> _Prepared | str:
        """Prepare the solver for the problem, or return why it does not apply."""
        if self._prepared is not None and self._prepared[0] == task["key"]:
            on_start()
            return self._prepared[1]
        self._prepared = None  # frees what the last solver held before the next one is prepared
        solver: Solver = self._built("solver", task)
        ledger = Ledger()
        problem = replace(instance.problem, frame=CountingFrame(instance.problem.frame, ledger))
        on_start()  # the solver's code may already hang in the next line
        reason = solver.unsupported(problem) or _missing(solver)
        if reason is not None:
            return reason
        on_start()  # again, because imports do not count as the solver's time
        with ledger.clock(("prepare",)):
            inverse = solver.prepare(problem)
        prepared = _Prepared(inverse, ledger, sum(ledger.seconds.values()))
        self._prepared = (task["key"], prepared)
        return prepared


@dataclass(frozen=True)
class _Prepared:
    """A prepared solver, its ledger, and the seconds that preparing it took."""

    inverse: Inverse
    ledger: Ledger
    seconds: float


@contextmanager
def _same_files(dataset: Dataset, task: Task) -> Iterator[None]:
    """Refuse what the block makes if the data set's files are not those of the task's key."""
    try:
        yield
    finally:  # also if the block fails, since other files may be the cause
        if fingerprints(dataset) != task["files"]:
            raise DataError(
                f"the files of the data set '{dataset.name}' are not those that the run was "
                "planned with: they were changed since then, or the worker has other files; start "
                "the run again"
            )


def _missing(solver: Solver) -> str | None:
    """Import what a solver requires, outside the measured time; say what is not installed."""
    wanted = [name for s in solver.walk() if isinstance(s, Solver) for name in s.requires]
    for name in wanted:
        try:
            importlib.import_module(name)
        except ImportError as error:
            return f"not installed: {name} ({error})"
    return None


def _refused(error: BenchbaseError) -> Outcome:
    return Outcome(status="refused", message=str(error), exit_code=error.exit_code)


def _went_wrong(error: BaseException) -> Outcome:
    """Say what went wrong and where, in one line; running out of memory counts as a crash."""
    status = "crashed" if isinstance(error, MemoryError) else "failed"
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = in_one_line(error) or "no message"
    place = f"{Path(where.filename).name}:{where.lineno}"
    return Outcome(status=status, message=f"{type(error).__name__}: {text} ({place})")
