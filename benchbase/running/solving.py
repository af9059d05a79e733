"""The half of a worker that runs solvers. It knows neither the signals to recover nor the seed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchbase.discovery.reading import reading
from benchbase.errors import BenchbaseError, PluginError, in_one_line
from benchbase.interfaces import Inverse, Solver
from benchbase.numerics.instance import own_copy
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.recovery import RecoveryError, as_arrays, recover
from benchbase.numerics.sharing import Sharing
from benchbase.numerics.streams import SignalRun, Snapshot
from benchbase.numerics.traces import MOST_SNAPSHOTS
from benchbase.problem import Problem
from benchbase.running.workshop import Workshop, contained, refused, went_wrong
from benchbase.storage.answers import SharedAnswers
from benchbase.system.loading import CORE
from benchbase.system.paths import cache_folder
from benchbase.tasks import Posed, Solved

KINDS = ("frame", "pooling", "solver")
"""The kinds of components that this half builds."""


class Solving:
    """Solves chunks one after the other, and keeps the last solver.

    Parameters
    ----------
    workshop : Workshop
        Builds components and frames.
    interruptible : bool, optional
        Whether a `KeyboardInterrupt` is the user's. In a process that ignores the signal, it is an
        error of the solver.
    """

    def __init__(self, workshop: Workshop, *, interruptible: bool = True) -> None:
        self._workshop = workshop
        self._users: tuple[type[BaseException], ...] = (KeyboardInterrupt,) * interruptible
        self._prepared: tuple[str, _Prepared] | None = None

    def solve(self, posed: Posed, on_start: Callable[[], None] = lambda: None) -> Solved:
        """Solve a chunk; call `on_start` just before the solver starts.

        The status is "refused" for a mistake of the user that shows only here, and "failed" or
        "crashed" for an error in the solver or the frame.
        """
        try:
            with contained():
                return self._solve(posed, on_start)
        except self._users:
            raise
        except BaseException as error:  # third-party code may raise anything
            return went_wrong(error)

    def _solve(self, posed: Posed, on_start: Callable[[], None]) -> Solved:
        try:
            self._workshop.load(posed["sources"], posed["code"], KINDS)
            self._workshop.compare(posed["code"], KINDS)
        except BenchbaseError as error:
            return refused(error)
        before = set(sys.modules)
        with reading() as reads:
            solved = self._attempt(posed, on_start)
        if solved["status"] == "refused":
            return solved
        if any(name.startswith(CORE) for name in before - sys.modules.keys()):
            message = "the solver has removed modules of benchbase from its process"
            return Solved(status="crashed", message=message)
        try:
            self._workshop.compare(posed["code"], KINDS)
            kept = cache_folder().absolute()  # of what is in there, the keys are part of the task
            files = [file for file in reads.files() if not file.is_relative_to(kept)]
            loaded = self._workshop.unforeseen(posed["code"], KINDS, before, files)
        except PluginError as error:
            return refused(error)
        return solved | Solved(loaded=loaded)

    def _attempt(self, posed: Posed, on_start: Callable[[], None]) -> Solved:
        try:
            problem = self._problem(posed)
        except BenchbaseError as error:
            return refused(error)
        try:
            return self._run(posed, problem, on_start)
        except self._users:
            raise
        except BaseException as error:  # third-party code may raise anything
            return went_wrong(error)

    def _problem(self, posed: Posed) -> Problem:
        """Build the problem anew. Training signals are mapped or copied for the solver alone."""
        training = posed["training"]
        if isinstance(training, str):
            training = np.load(training, mmap_mode="r")
        elif training is not None:
            training = own_copy(training)
        key = bytes.fromhex(posed["frame_key"])
        frame = self._workshop.frame(posed["group_key"], posed["frame"], posed["n"], training, key)
        return Problem(
            frame=frame,
            pooling=self._workshop.build("pooling", posed["pooling"]),
            training=training,
            signal_norm=posed["signal_norm"],
            noise=posed["noise"],
            hint=posed["hint"] is not None,
        )

    def _run(self, posed: Posed, problem: Problem, on_start: Callable[[], None]) -> Solved:
        prepared = self._prepare(posed, problem, on_start)
        if isinstance(prepared, str):
            return Solved(status="unsupported", message=in_one_line(prepared))
        ledger = prepared.ledger
        ledger.clear()
        keys = [bytes.fromhex(key) for key in posed["solver_keys"]]
        hint = None if posed["hint"] is None else own_copy(posed["hint"])
        trace: list[Snapshot] | None = [] if posed["trace"] else None
        b, sharing = own_copy(posed["b"]), self._sharing(posed, prepared)
        run = SignalRun(keys, ledger, trace, hint=hint, sharing=sharing)
        with ledger.clock(()):
            recovery = recover(prepared.inverse, b, run, problem.frame.n)
        init = sum(spent for phase, spent in ledger.seconds.items() if "init" in phase)
        size = len(keys)
        solved = Solved(
            status="done",
            message=in_one_line(recovery.message or ""),
            prepare_seconds=prepared.seconds,
            init_seconds=init / size,
            solve_seconds=(sum(ledger.seconds.values()) - init) / size,
            frame_applications=None if ledger.dense else sum(ledger.applications.values()) / size,
        )
        solved |= as_arrays(recovery)
        return solved if trace is None else solved | _packed(trace, problem.frame.n)

    def _prepare(
        self, posed: Posed, problem: Problem, on_start: Callable[[], None]
    ) -> _Prepared | str:
        """Prepare the solver for the problem, or return why it does not apply."""
        if self._prepared is not None and self._prepared[0] == posed["key"]:
            on_start()
            return self._prepared[1]
        self._prepared = None  # frees what the last solver held before the next one is prepared
        solver: Solver = self._workshop.build("solver", posed["solver"])
        ledger = Ledger()
        counted = Problem(**vars(problem) | {"frame": CountingFrame(problem.frame, ledger)})
        on_start()  # the solver's code may already hang in the next line
        reason = solver.unsupported(counted) or _missing(solver)
        if reason is not None:
            return reason
        on_start()  # again, because imports do not count as the solver's time
        with ledger.clock(("prepare",)):
            inverse = solver.prepare(counted)
        prepared = _Prepared(solver, counted, inverse, ledger, sum(ledger.seconds.values()))
        self._prepared = (posed["key"], prepared)
        return prepared

    def _sharing(self, posed: Posed, prepared: _Prepared) -> Sharing:
        """Return what the solver shares with the others of the run."""
        if posed["answers"] is None:
            return Sharing()
        answers, problem, others = SharedAnswers(posed["answers"]), prepared.problem, []
        for spec, b in zip(posed["others"], posed["other_b"], strict=True):
            pooling = self._workshop.build("pooling", spec)
            if prepared.solver.unsupported(replace(problem, pooling=pooling)) is None:
                others.append((pooling, b))
        return Sharing(answers, posed["group_key"], problem, posed["b"], others)


@dataclass(frozen=True)
class _Prepared:
    """A solver, what it was prepared for, its ledger, and the seconds that preparing took."""

    solver: Solver
    problem: Problem
    inverse: Inverse
    ledger: Ledger
    seconds: float


def _packed(trace: Sequence[Snapshot], n: int) -> Solved:
    """Return snapshots as plain data.

    Raises
    ------
    RecoveryError
        If the solver recorded too many of them.
    """
    if sum(shot.x.nbytes for shot in trace) > MOST_SNAPSHOTS:
        message = f"the solver recorded more than {MOST_SNAPSHOTS >> 20} MB of snapshots"
        raise RecoveryError(f"{message}; record fewer, or use fewer signals in a chunk")
    rows = [np.empty(0, dtype=np.int64), *(shot.rows for shot in trace)]
    x = [np.empty((0, n)), *(np.asarray(shot.x, dtype=np.float64) for shot in trace)]
    heads: list[list[Any]] = [
        ["/".join(shot.phase), len(shot.rows), int(shot.n_iter), shot.seconds] for shot in trace
    ]
    return Solved(snapshots=heads, snapshot_rows=np.concatenate(rows), snapshot_x=np.concatenate(x))


def _missing(solver: Solver) -> str | None:
    """Import what a solver requires, outside the measured time; say what is not installed."""
    wanted = [name for s in solver.walk() if isinstance(s, Solver) for name in s.requires]
    for name in wanted:
        try:
            importlib.import_module(name)
        except ImportError as error:
            return f"not installed: {name} ({error})"
    return None
