"""The half of a worker that knows the signals. It poses problems and scores what solvers return."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchbase.component import Array
from benchbase.discovery.provenance import circumstances
from benchbase.errors import BenchbaseError, DataError, OutOfMemoryError, PluginError, described
from benchbase.interfaces import Dataset
from benchbase.numerics.instance import (
    Arrays,
    Instance,
    Signals,
    blamed,
    build,
    draw,
    file_of,
    frame_key,
    own_copy,
)
from benchbase.numerics.recovery import score
from benchbase.numerics.streams import Snapshot
from benchbase.numerics.traces import pack
from benchbase.problem import Recovery
from benchbase.running.solving import KINDS
from benchbase.running.workshop import CORE_CODE, Workshop, contained, refused, went_wrong
from benchbase.storage.cache import cached
from benchbase.tasks import Outcome, Posed, Solved, Task, fingerprints

PROBLEM_KINDS = ("dataset", "frame", "pooling", "noise", "hint")
"""The kinds of components that this half builds."""

NO_MEMORY = "there is not enough memory for a problem; ask for fewer signals or run fewer jobs"

_SECONDS = ("prepare_seconds", "init_seconds", "solve_seconds")


class Scorer:
    """Poses and scores chunks one after the other, and keeps the last two problems.

    It never loads the code of solvers.

    Parameters
    ----------
    workshop : Workshop
        Builds components and frames.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._problems: OrderedDict[str, tuple[str, Signals, Instance]] = OrderedDict()
        self._refused: dict[str, Solved] = {}
        self._sent: set[str] = set()
        self._posed: tuple[Task, Instance, Outcome] | None = None
        self._measured: tuple[str, dict[str, Array | None]] = ("", {})

    def pose(self, task: Task) -> Posed | Outcome:
        """Return what the solver of a task may know, or an outcome if there is no such problem.

        The outcome's status is then "refused", as nothing of that is the solver's failure.
        """
        self._posed = None
        outcome = Outcome(
            key=task["key"],
            start=task["start"],
            stop=task["stop"],
            signals_key=task["signals_key"],
            status="failed",
            environment=circumstances(task),
        )
        key = task["problem_key"]
        try:
            if key not in self._refused:  # what fails slowly fails once
                with contained():
                    return self._pose(task, outcome)
        except KeyboardInterrupt:
            raise
        except BenchbaseError as error:
            self._refused[key] = refused(error)
        except MemoryError:
            self._refused[key] = refused(OutOfMemoryError(NO_MEMORY))
        except BaseException as error:  # third-party code may raise anything
            said = f"the problem cannot be built: {described(error)}"
            self._refused[key] = refused(PluginError(said))
        return self._finished(outcome, self._refused[key])

    def _pose(self, task: Task, outcome: Outcome) -> Posed:
        self._workshop.load(task["sources"], task["code"], PROBLEM_KINDS)
        self._workshop.compare(task["code"], PROBLEM_KINDS)
        before = set(sys.modules)
        signals = self.signals(task)
        if task["send_signals"] and task["signals_key"] not in self._sent:
            outcome["signals"] = signals.truth.astype(np.float32)  # even if the frame then fails
        instance = self.instance(task, signals)
        outcome["checksum"] = float(np.linalg.norm(instance.b))
        with blamed(self._built("frame", task)):
            outcome["condition"] = instance.problem.frame.condition
        self._workshop.compare(task["code"], PROBLEM_KINDS)
        loaded = self._workshop.unforeseen(task["code"], PROBLEM_KINDS, before)
        if loaded:
            outcome["environment"]["loaded"] = loaded
        self._posed = (task, instance, outcome)
        return self._message(task, instance)

    def _message(self, task: Task, instance: Instance) -> Posed:
        rows, problem = slice(task["start"], task["stop"]), instance.problem
        training = problem.training
        design = self._workshop.build("frame", task["frame"])
        key = frame_key(design, problem.frame.n, task["seed"], task["trial"])
        wanted = (CORE_CODE, *KINDS)
        others = [(spec, self._other(task, instance, spec)) for spec in task["others"]]
        known = [(spec, b[rows]) for spec, b in others if b is not None]
        return Posed(
            key=task["key"],
            problem_key=task["problem_key"],
            group_key=task["group_key"],
            others=[spec for spec, _ in known],
            other_b=own_copy(np.array([b for _, b in known], dtype=np.float64)),
            answers=task["answers"],
            n=instance.truth.shape[1],
            frame=task["frame"],
            pooling=task["pooling"],
            solver=task["solver"],
            sources={kind: task["sources"].get(kind, []) for kind in KINDS},
            code={kind: task["code"].get(kind, {}) for kind in wanted},
            frame_key=key.hex(),
            solver_keys=[each.hex() for each in instance.keys(range(rows.start, rows.stop))],
            b=own_copy(instance.b[rows]),
            hint=None if instance.hint is None else own_copy(instance.hint[rows]),
            training=training if training is None else file_of(training) or training,
            signal_norm=problem.signal_norm,
            noise=problem.noise,
            trace=task["trace"],
        )

    def signals(self, task: Task) -> Signals:
        """Draw the signals, unless one of the last two problems has them already."""
        for key, signals, _ in self._problems.values():
            if key == task["signals_key"]:
                return signals
        dataset: Dataset = self._workshop.build("dataset", task["dataset"])
        label = f"train-{dataset.name} {task['train_key']}"

        def kept(make: Any) -> Arrays:
            with _same_files(dataset, task):  # refuses before anything is cached
                return make()  # type: ignore[no-any-return] # it makes arrays

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
            parts: list[Any] = [self._built(kind, task) for kind in kinds]
            design, pooling, noise, hint = parts
            n, place = signals.truth.shape[1], (task["seed"], task["trial"])
            stream = frame_key(design, n, *place)
            frame = self._workshop.frame(
                task["group_key"], task["frame"], n, signals.training, stream
            )
            built = build(signals, frame, pooling, noise, hint, *place)
            self._problems[key] = (task["signals_key"], signals, built)
            if len(self._problems) > 2:
                self._problems.popitem(last=False)
        self._problems.move_to_end(key)
        return self._problems[key][-1]

    def _other(self, task: Task, instance: Instance, spec: Mapping[str, Any]) -> Array | None:
        """Measure the signals of a problem under another pooling; the last group's are kept.

        Return None if that fails. The tasks of that pooling will tell why.
        """
        if self._measured[0] != task["group_key"]:
            self._measured = task["group_key"], {}
        known, name = self._measured[1], repr(spec)
        if name not in known:
            problem, place = instance.problem, (task["seed"], task["trial"])
            signals = Signals(instance.truth, problem.training, problem.signal_norm)
            try:
                pooling, noise = self._workshop.build("pooling", spec), self._built("noise", task)
                known[name] = build(signals, problem.frame, pooling, noise, None, *place).b
            except BenchbaseError:
                known[name] = None
        return known[name]

    def _built(self, kind: str, task: Task) -> Any:
        """Build a component of a task, or return None if the task has none of that kind."""
        spec = task[kind]  # type: ignore[literal-required] # a kind
        return None if spec is None else self._workshop.build(kind, spec)

    def score(self, solved: Solved) -> Outcome:
        """Score what a solver made of the problem that was posed last.

        Parameters
        ----------
        solved : Solved
            From `Solving.solve`. If that is another process, the answer has been checked by
            `benchbase.running.outcomes.checked_solved`.
        """
        if self._posed is None:
            raise RuntimeError("no problem was posed")
        task, instance, outcome = self._posed
        self._posed = None
        try:
            loaded = outcome["environment"].get("loaded", {}) | solved.get("loaded", {})
            if loaded:
                outcome["environment"]["loaded"] = loaded
            done = solved["status"] == "done"
            with contained():
                scores = self._scores(task, instance, solved) if done else Outcome()
        except Exception as error:  # a frame's or a pooling's code may raise anything
            return self._finished(outcome, went_wrong(error))
        return self._finished(outcome, solved) | scores

    def _finished(self, outcome: Outcome, solved: Solved) -> Outcome:
        """Return an outcome with the status, the message and the costs of what was solved."""
        if "signals" in outcome:
            self._sent.add(outcome["signals_key"])
        for name in ("status", "message", "exit_code", *_SECONDS, "frame_applications"):
            if name in solved:
                outcome[name] = solved[name]  # type: ignore[literal-required] # keys of both
        return outcome

    @staticmethod
    def _scores(task: Task, instance: Instance, solved: Solved) -> Outcome:
        rows = slice(task["start"], task["stop"])
        truth, b = instance.truth[rows], instance.b[rows]
        recovery = Recovery(x=solved["x"], n_iter=solved["n_iter"], converged=solved["converged"])
        scores = score(recovery, instance.problem, truth, b)
        if task["trace"]:
            scores["trace"] = pack([*_snapshots(solved)], instance.problem, truth, b, task["start"])
        return scores


def _snapshots(solved: Solved) -> Iterator[Snapshot]:
    """Yield the snapshots of an answer."""
    start = 0
    for phase, count, n_iter, seconds in solved["snapshots"]:
        part = slice(start, start + count)
        rows, x = solved["snapshot_rows"][part], solved["snapshot_x"][part]
        yield Snapshot((phase,) if phase else (), rows, n_iter, seconds, x)
        start += count


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
