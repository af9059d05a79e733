"""Executes one task: builds the problem, prepares the solver, solves, rounds and scores."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchbase.component import Array
from benchbase.discovery.provenance import CORE, circumstances, core_digest, package_digest
from benchbase.errors import BenchbaseError, DataError, PluginError, in_one_line
from benchbase.interfaces import Dataset, Hint, Inverse, Noise, Solver
from benchbase.numerics.recovery import recover, score
from benchbase.numerics.streams import (
    CountingFrame,
    Ledger,
    Role,
    SignalRun,
    Snapshot,
    generator,
    solver_keys,
)
from benchbase.numerics.traces import pack
from benchbase.planning.cells import fingerprints
from benchbase.problem import Problem
from benchbase.representation import FrameDesign, Pooling
from benchbase.storage.cache import cached
from benchbase.tasks import Outcome, Task

if TYPE_CHECKING:
    from benchbase.discovery.registry import Registry


class Worker:
    """Executes tasks one after the other; keeps the last two problems and the last solver.

    Parameters
    ----------
    registry : Registry
        What components there are.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._problems: OrderedDict[str, Instance] = OrderedDict()
        self._prepared: tuple[str, _Prepared] | None = None
        self._sent: set[str] = set()
        self._compared: dict[str, tuple[str, int]] = {}

    def execute(self, task: Task, on_start: Callable[[], None] = lambda: None) -> Outcome:
        """Execute one task; call `on_start` when the solver is about to have its turn.

        Whatever goes wrong in a plugin is told in the outcome: a mistake of the user's that only
        shows here ("refused"), or an error in the solver or the problem ("failed").
        """
        outcome = Outcome(
            key=task["key"],
            start=task["start"],
            stop=task["stop"],
            signals_key=task["signals_key"],
            status="failed",
            environment=circumstances(task["code"], host_name=task["host_name"]),
        )
        folder = Path.cwd()
        try:
            with np.errstate():  # what a stranger's code sets there is for itself alone
                return outcome | self._execute(task, outcome, on_start)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's code: anything may come
            return outcome | _went_wrong(error)
        finally:
            os.chdir(folder)

    def _execute(self, task: Task, outcome: Outcome, on_start: Callable[[], None]) -> Outcome:
        try:
            self._load(task)
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
        except BaseException as error:  # a stranger's code: anything may come
            solved = _went_wrong(error)
        try:
            self._compare(task["code"])
        except PluginError as error:
            return _refused(error)
        return solved

    def _load(self, task: Task) -> None:
        for path in task["plugins"]:
            if Path(path) not in self._registry.plugin_files:
                # Once only: a file that is edited during a run counts as it was.
                self._registry.load_file(path)
        self._compare(task["code"])

    def _compare(self, code: dict[str, str]) -> None:
        """Make sure that the code is what the task was planned with; once more after imports."""
        modules = len(sys.modules)
        for name, digest in code.items():
            if self._compared.get(name) == (digest, modules):
                continue
            found = core_digest() if name == CORE else package_digest(name)
            if found != digest:
                raise PluginError(
                    f"the code of '{name}' is not what the run was planned with: it was edited "
                    "since, or is another version where the worker is; run the same again"
                )
            self._compared[name] = (digest, modules)

    def signals(self, task: Task) -> Signals:
        """Draw the signals, or return those of one of the last two problems."""
        for instance in self._problems.values():
            if instance.signals.key == task["signals_key"]:
                return instance.signals
        return _draw(self._registry, task)

    def instance(self, task: Task, signals: Signals) -> Instance:
        """Build the problem, or return it if it is one of the last two."""
        key = task["problem_key"]
        if key not in self._problems:
            self._problems[key] = _build(self._registry, task, signals)
            if len(self._problems) > 2:
                self._problems.popitem(last=False)
        self._problems.move_to_end(key)
        return self._problems[key]

    def _solve(self, task: Task, instance: Instance, on_start: Callable[[], None]) -> Outcome:
        prepared = self._prepare(task, instance, on_start)
        if isinstance(prepared, str):
            return Outcome(status="unsupported", message=prepared)
        rows = slice(task["start"], task["stop"])
        b = instance.b[rows]
        keys = solver_keys(task["seed"], task["trial"], range(task["start"], task["stop"]))
        ledger = prepared.ledger
        ledger.clear()
        trace: list[Snapshot] | None = [] if task["trace"] else None
        hint = None if instance.hint is None else instance.hint[rows]
        run = SignalRun(keys, ledger, trace, hint=hint)
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
        """Prepare the solver for the problem, or return why it cannot be."""
        if self._prepared is not None and self._prepared[0] == task["key"]:
            on_start()
            return self._prepared[1]
        self._prepared = None  # frees what the last solver held before the next one is prepared
        solver = self._registry.build("solver", task["solver"], trusted=True)
        assert isinstance(solver, Solver)  # noqa: S101 # built as one
        ledger = Ledger()
        problem = replace(instance.problem, frame=CountingFrame(instance.problem.frame, ledger))
        on_start()  # it may hang here already
        reason = solver.unsupported(problem) or _missing(solver)
        if reason is not None:
            return reason
        on_start()  # once more: imports do not count
        with ledger.clock(("prepare",)):
            inverse = solver.prepare(problem)
        prepared = _Prepared(inverse, ledger, sum(ledger.seconds.values()))
        self._prepared = (task["key"], prepared)
        return prepared


@dataclass(frozen=True)
class Signals:
    """A trial's test signals, and the training signals that go with them."""

    key: str
    truth: Array
    training: Array | None
    norm: float | None


@dataclass(frozen=True)
class Instance:
    """A problem, the signals to recover, their measurements, and hints where there are any."""

    problem: Problem
    signals: Signals
    b: Array
    hint: Array | None

    @property
    def truth(self) -> Array:
        """The signals to recover, (S, N)."""
        return self.signals.truth


@dataclass(frozen=True)
class _Prepared:
    """A prepared solver, its ledger, and the seconds that preparing it took."""

    inverse: Inverse
    ledger: Ledger
    seconds: float


def _draw(registry: Registry, task: Task) -> Signals:
    dataset = registry.build("dataset", task["dataset"], trusted=True)
    assert isinstance(dataset, Dataset)  # noqa: S101 # built as one
    training = _training(dataset, task)
    drawn = dataset.test(task["points"], generator(task["seed"], "test", task["trial"]))
    # Rounded as they are stored, so that a stored table can be scored again exactly.
    truth = drawn.astype(np.float32).astype(np.float64)
    _check_files(dataset, task)
    if truth.shape != (task["points"], dataset.n):
        raise ValueError(f"the data set gave test signals of shape {truth.shape}")
    return Signals(task["signals_key"], _read_only(truth), training, dataset.signal_norm)


def _build(registry: Registry, task: Task, signals: Signals) -> Instance:
    design = registry.build("frame", task["frame"], trusted=True)
    pooling = registry.build("pooling", task["pooling"], trusted=True)
    assert isinstance(design, FrameDesign)  # noqa: S101 # built as one
    assert isinstance(pooling, Pooling)  # noqa: S101 # built as one
    n = signals.truth.shape[1]
    stream = generator(task["seed"], "frame", design.size(n)[0] or 0, task["trial"])
    frame = design.build(n, signals.training, stream)
    problem = Problem(frame, pooling, signals.training, signals.norm)
    b, x0 = problem.measure(signals.truth), None

    def generators(role: Role) -> list[np.random.Generator]:
        return [generator(task["seed"], role, task["trial"], s) for s in range(task["points"])]

    if task["noise"] is not None:
        noise = registry.build("noise", task["noise"], trusted=True)
        assert isinstance(noise, Noise)  # noqa: S101 # built as one
        b = _of_shape(noise.measure(problem, signals.truth, generators("noise")), b.shape, noise)
        problem = replace(problem, noise=None)
    if task["hint"] is not None:
        hint = registry.build("hint", task["hint"], trusted=True)
        assert isinstance(hint, Hint)  # noqa: S101 # built as one
        guess = hint.guess(signals.truth, generators("hint"))
        x0 = _read_only(_of_shape(guess, signals.truth.shape, hint))
        problem = replace(problem, hint=True)
    return Instance(problem, signals, _read_only(b), x0)


def _of_shape(array: Array, shape: tuple[int, ...], part: Noise | Hint) -> Array:
    if array.shape != shape or not np.isfinite(array).all():
        told = f"an array of shape {array.shape}" if array.shape != shape else "what is not finite"
        raise ValueError(f"the {part.kind} '{part.name}' gave {told}, not finite {shape}")
    return array


def _training(dataset: Dataset, task: Task) -> Array | None:
    """Return the training signals from the cache, or have them made."""

    def build() -> dict[str, Array]:
        signals = dataset.train(generator(task["seed"], "train"))
        _check_files(dataset, task)
        if isinstance(signals, np.memmap) and signals.dtype == np.float32:
            return {"mapped": np.ones(1)}  # the data set keeps them itself: once is enough
        return {} if signals is None else {"train": np.asarray(signals, dtype=np.float32)}

    kept = cached(f"train-{dataset.name} {task['train_key']}", build)
    if "mapped" in kept:
        return dataset.train(generator(task["seed"], "train"))
    return kept.get("train")


def _check_files(dataset: Dataset, task: Task) -> None:
    """Refuse signals that come from other files than those of the key."""
    if fingerprints(dataset) != task["files"]:
        raise DataError(
            f"the files of the data set '{dataset.name}' are not those that the run was planned "
            "with: they were changed since, or are others where the worker is; run the same again"
        )


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array


def _missing(solver: Solver) -> str | None:
    """Import what a solver requires, outside the clock; say what is not installed."""
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
    """Say what went wrong and where, in one line; out of memory is as good as a crash."""
    status = "crashed" if isinstance(error, MemoryError) else "failed"
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = in_one_line(error) or "no message"
    place = f"{Path(where.filename).name}:{where.lineno}"
    return Outcome(status=status, message=f"{type(error).__name__}: {text} ({place})")
