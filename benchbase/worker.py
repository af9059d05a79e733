"""Executes one task: builds the problem, prepares the solver, solves, rounds and scores."""

from __future__ import annotations

import importlib
import traceback
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import numpy.typing as npt

from benchbase.cache import cached
from benchbase.errors import BenchbaseError
from benchbase.functions import solver_class
from benchbase.interfaces import Array, Dataset, FrameDesign, Inverse, Pooling, Solver
from benchbase.problem import Problem, Recovery, Run, relative_error, squared_cosine
from benchbase.provenance import environment
from benchbase.streams import CountingFrame, Ledger, SignalRun, Snapshot, generator

if TYPE_CHECKING:
    from benchbase.cells import Task
    from benchbase.registry import Registry


class Outcome(TypedDict, total=False):
    """What became of a task, as plain data: what an executor passes back.

    The status is "done", "failed", "unsupported", or "refused" for a mistake of the user's. Arrays
    have a row a signal; x is float32, (S, N). Seconds are wall-clock; `prepare_seconds` is for all
    signals, `init_seconds` and `solve_seconds` (without those of phases named "init") are means a
    signal. `frame_applications` is the mean a signal, None where the solver took the vectors.
    """

    key: str
    start: int
    stop: int
    status: str
    message: str
    environment: dict[str, Any]
    signals_key: str
    signals: Array
    x: Array
    squared_cosine: Array
    relative_error: Array
    residual: Array
    n_iter: Array
    converged: Array
    prepare_seconds: float
    init_seconds: float
    solve_seconds: float
    frame_applications: float | None


class RecoveryError(Exception):
    """What a solver gave back is no `Recovery` of the right shape."""


def recover(inverse: Inverse, b: Array, run: Run, n: int) -> Recovery:
    """Call a prepared solver and check what it gives back.

    Raises
    ------
    RecoveryError
        If that is no `Recovery`, or one of its arrays has the wrong shape or type.
    """
    recovery = inverse(b, run)
    if not isinstance(recovery, Recovery):
        raise RecoveryError(f"the solver gave back a {type(recovery).__name__}, not a Recovery")
    signals = b.shape[0]
    for name, wanted in {"x": (signals, n), "n_iter": (signals,), "converged": (signals,)}.items():
        value = getattr(recovery, name)
        if value is None and name != "x":
            continue
        shape = np.shape(value)
        if shape != wanted:
            raise RecoveryError(f"the solver gave back {name} of shape {shape}, not {wanted}")
    if not np.can_cast(np.asarray(recovery.x).dtype, np.float64):
        kind = np.asarray(recovery.x).dtype
        raise RecoveryError(f"the solver gave back x of type {kind}; signals are real numbers")
    return recovery


def solve(
    solver: Solver,
    problem: Problem,
    b: npt.ArrayLike,
    seed: int = 0,
    *,
    trace: list[Snapshot] | None = None,
) -> Recovery:
    """Recover signals from their measurements, in a notebook or a script.

    Parameters
    ----------
    solver : Solver or function
        A solver, or a function marked with ``@benchbase.solver``.
    problem : Problem
        Frame, pooling and what else is known.
    b : array_like, shape (K,) or (S, K)
        Measurements of one signal, or of S.
    seed : int, optional
        Seeds the solver's streams.
    trace : list, optional
        Where the solver's snapshots go, if it records any.

    Returns
    -------
    Recovery
        With x of shape (N,) for b of shape (K,).

    Raises
    ------
    ValueError
        If b has another shape, or the solver does not apply to the problem.
    """
    if not isinstance(solver, Solver):
        solver = solver_class(solver)()
    measured = _read_only(np.array(b, dtype=np.float64))
    if measured.ndim not in (1, 2) or measured.shape[-1] != problem.frame.n_pools:
        wanted = problem.frame.n_pools
        raise ValueError(f"b must have the shape ({wanted},) or (S, {wanted}), not {np.shape(b)}")
    reason = solver.unsupported(problem)
    if reason is not None:
        raise ValueError(f"{solver.name} does not apply: {reason}")
    batch = np.atleast_2d(measured)
    run = SignalRun(seed, [(0, signal) for signal in range(len(batch))], trace=trace)
    recovery = recover(solver.prepare(problem), batch, run, problem.frame.n)
    if measured.ndim == 2:
        return recovery
    first = {
        name: None if value is None else value[0]
        for name, value in (("n_iter", recovery.n_iter), ("converged", recovery.converged))
    }
    return Recovery(x=recovery.x[0], message=recovery.message, **first)


class Worker:
    """Executes tasks one after the other; keeps the last two problems and the last solver.

    Parameters
    ----------
    registry : Registry
        What components there are.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._problems: OrderedDict[str, _Instance] = OrderedDict()
        self._prepared: tuple[str, _Prepared] | None = None

    def execute(self, task: Task) -> Outcome:
        """Execute one task.

        Whatever goes wrong in a plugin is told in the outcome: a mistake of the user's that only
        shows here ("refused"), or an error in the solver or the problem ("failed").
        """
        outcome = Outcome(
            key=task["key"],
            start=task["start"],
            stop=task["stop"],
            signals_key=task["signals_key"],
            status="failed",
            environment=environment(),
        )
        try:
            for path in task["plugins"]:
                if Path(path) not in self._registry.plugin_files:
                    # Once only: a file that is edited during a run counts as it was.
                    self._registry.load_file(path)
            signals = self._signals(task)
            if task["send_signals"]:
                outcome["signals"] = signals.truth.astype(np.float32)
            instance = self._instance(task, signals)
        except BenchbaseError as error:
            return outcome | Outcome(status="refused", message=str(error))
        except (Exception, SystemExit) as error:  # a stranger's code: anything may come
            return outcome | Outcome(message=_told(error))
        try:
            return outcome | self._solve(task, instance)
        except (Exception, SystemExit) as error:  # a stranger's code: anything may come
            return outcome | Outcome(message=_told(error))

    def _signals(self, task: Task) -> _Signals:
        """Draw the signals, or return those of one of the last two problems."""
        for instance in self._problems.values():
            if instance.signals.key == task["signals_key"]:
                return instance.signals
        return _draw(self._registry, task)

    def _instance(self, task: Task, signals: _Signals) -> _Instance:
        """Build the problem, or return it if it is one of the last two."""
        key = task["problem_key"]
        if key not in self._problems:
            self._problems[key] = _build(self._registry, task, signals)
            if len(self._problems) > 2:
                self._problems.popitem(last=False)
        self._problems.move_to_end(key)
        return self._problems[key]

    def _solve(self, task: Task, instance: _Instance) -> Outcome:
        prepared = self._prepare(task, instance)
        if isinstance(prepared, str):
            return Outcome(status="unsupported", message=prepared)
        rows = slice(task["start"], task["stop"])
        b = instance.b[rows]
        keys: list[tuple[int, ...]] = [
            (task["trial"], signal) for signal in range(task["start"], task["stop"])
        ]
        ledger = prepared.ledger
        ledger.clear()
        run = SignalRun(task["seed"], keys, ledger)
        with ledger.clock(()):
            recovery = recover(prepared.inverse, b, run, instance.problem.frame.n)
        scores = score(recovery, instance.problem, instance.truth[rows], b)
        init = sum(spent for phase, spent in ledger.seconds.items() if "init" in phase)
        size = len(b)
        return scores | Outcome(
            status="done",
            message=_text(recovery.message or ""),
            prepare_seconds=prepared.seconds,
            init_seconds=init / size,
            solve_seconds=(sum(ledger.seconds.values()) - init) / size,
            frame_applications=None if ledger.dense else sum(ledger.applications.values()) / size,
        )

    def _prepare(self, task: Task, instance: _Instance) -> _Prepared | str:
        """Prepare the solver for the problem, or return why it cannot be."""
        if self._prepared is not None and self._prepared[0] == task["key"]:
            return self._prepared[1]
        self._prepared = None  # frees what the last solver held before the next one is prepared
        solver = self._registry.build("solver", task["solver"])
        assert isinstance(solver, Solver)  # noqa: S101 # built as one
        ledger = Ledger()
        problem = replace(instance.problem, frame=CountingFrame(instance.problem.frame, ledger))
        reason = solver.unsupported(problem) or _missing(solver)
        if reason is not None:
            return reason
        with ledger.clock(("prepare",)):
            inverse = solver.prepare(problem)
        prepared = _Prepared(inverse, ledger, sum(ledger.seconds.values()))
        self._prepared = (task["key"], prepared)
        return prepared


@dataclass(frozen=True)
class _Signals:
    """A trial's test signals, and the training signals that go with them."""

    key: str
    truth: Array
    training: Array | None
    norm: float | None


@dataclass(frozen=True)
class _Instance:
    """A problem, the signals to recover, and their measurements."""

    problem: Problem
    signals: _Signals
    b: Array

    @property
    def truth(self) -> Array:
        return self.signals.truth


@dataclass(frozen=True)
class _Prepared:
    """A prepared solver, its ledger, and the seconds that preparing it took."""

    inverse: Inverse
    ledger: Ledger
    seconds: float


def _draw(registry: Registry, task: Task) -> _Signals:
    dataset = registry.build("dataset", task["dataset"])
    assert isinstance(dataset, Dataset)  # noqa: S101 # built as one
    training = _training(dataset, task["seed"], task["train_key"])
    drawn = dataset.test(task["points"], generator(task["seed"], "test", task["trial"]))
    # Rounded as they are stored, so that a stored table can be scored again exactly.
    truth = drawn.astype(np.float32).astype(np.float64)
    if truth.shape != (task["points"], dataset.n):
        raise ValueError(f"the data set gave test signals of shape {truth.shape}")
    return _Signals(task["signals_key"], _read_only(truth), training, dataset.signal_norm)


def _build(registry: Registry, task: Task, signals: _Signals) -> _Instance:
    design = registry.build("frame", task["frame"])
    pooling = registry.build("pooling", task["pooling"])
    assert isinstance(design, FrameDesign)  # noqa: S101 # built as one
    assert isinstance(pooling, Pooling)  # noqa: S101 # built as one
    stream = generator(task["seed"], "frame", getattr(design, "n_pools", 0), task["trial"])
    frame = design.build(signals.truth.shape[1], signals.training, stream)
    problem = Problem(frame, pooling, signals.training, signals.norm)
    return _Instance(problem, signals, _read_only(problem.measure(signals.truth)))


def _training(dataset: Dataset, seed: int, key: str) -> Array | None:
    """Return the training signals from the cache, or have them made."""

    def build() -> dict[str, Array]:
        signals = dataset.train(generator(seed, "train"))
        return {} if signals is None else {"train": np.asarray(signals, dtype=np.float32)}

    return cached(f"train-{dataset.name} {key}", build).get("train")


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


def score(recovery: Recovery, problem: Problem, truth: Array, b: Array) -> Outcome:
    """Round estimates to what is stored, and score that.

    Parameters
    ----------
    recovery : Recovery
        With x of shape (S, N).
    problem : Problem
        For the residual and the ambiguity.
    truth : ndarray, shape (S, N)
        The signals.
    b : ndarray, shape (S, K)
        Their measurements.

    Returns
    -------
    Outcome
        x as float32, and for each signal the squared cosine, relative error and residual; NaN
        where x is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # not finite is a result, not a mishap
        rounded = np.asarray(recovery.x).astype(np.float32)
    x = rounded.astype(np.float64)
    finite = np.isfinite(x).all(axis=1)
    scores = {
        "squared_cosine": squared_cosine(x[finite], truth[finite], problem.ambiguity),
        "relative_error": relative_error(x[finite], truth[finite], problem.ambiguity),
        "residual": problem.residual(x[finite], b[finite]),
    }
    outcome = Outcome(x=rounded)
    for name, values in scores.items():
        column = np.full(len(x), np.nan)
        column[finite] = values
        outcome[name] = column  # type: ignore[literal-required] # the keys of the dict above
    for name in ("n_iter", "converged"):
        given = getattr(recovery, name)
        column = np.full(len(x), np.nan) if given is None else np.asarray(given, dtype=np.float64)
        outcome[name] = column  # type: ignore[literal-required] # as above
    return outcome


def _told(error: BaseException) -> str:
    """Say what went wrong and where, in one line."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = _text(error) or "no message"
    return f"{type(error).__name__}: {text} ({Path(where.filename).name}:{where.lineno})"


def _text(value: object) -> str:
    """Return what a stranger's object says of itself, in one line that can be stored."""
    try:
        line = " ".join(str(value).split())
    except Exception:  # a stranger's code: anything may come
        return ""
    return line.encode(errors="replace").decode()
