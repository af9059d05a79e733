"""A referee, which rebuilds the problems of a suite and scores estimates of their signals."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchbase.component import Array
from benchbase.discovery.registry import registry
from benchbase.errors import SpecError, SuiteError, in_one_line
from benchbase.interfaces import Dataset, Solver
from benchbase.numerics.recovery import score
from benchbase.planning.cells import Cell, problem_facts
from benchbase.planning.experiment import Entry, Experiment
from benchbase.planning.suite import Suite, load_suite
from benchbase.problem import Recovery
from benchbase.results import Results
from benchbase.running.executors import one_blas_thread
from benchbase.running.launch import execute, make_plan
from benchbase.running.rebuild import Rebuilder
from benchbase.storage.store import SCORES
from benchbase.tasks import json_ready


@dataclass(frozen=True)
class Referee:
    """Rebuilds the problems of a suite and scores estimates of their signals.

    Parameters
    ----------
    suite : dict
        The suite as plain data, with ``name``, ``title`` and ``experiments``. Each experiment has
        ``name``, ``seed``, ``trials``, ``points``, ``trace`` and ``problems``. A problem has the
        spec of each of its components by kind, and the facts that follow from them
        (`problem_facts`).
    plugins : tuple of str, optional
        Plugin files to load. Loading a file runs its code.

    Raises
    ------
    BenchbaseError
        By its methods, if a component is not installed or data are missing.
    """

    suite: Mapping[str, Any]
    plugins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for path in self.plugins:
            registry().load_file(path)

    @classmethod
    def of_installed(cls, name: str, plugins: tuple[str, ...] = ()) -> Referee:
        """Return the referee of an installed suite.

        Parameters
        ----------
        name : str
            The name of the suite.
        plugins : tuple of str, optional
            Plugin files to load first.

        Raises
        ------
        SuiteError
            If no suite of that name is installed.
        """
        for path in plugins:
            registry().load_file(path)
        if name not in registry().suites:
            raise SuiteError([f"no suite named {name!r} is installed"])
        loaded = load_suite(name, registry())
        experiments = [
            {
                "name": each.name, "seed": each.seed, "trials": each.trials,
                "points": each.points, "trace": each.trace,
                "problems": [setting.facts() for setting in each.problems],
            }
            for each in loaded.experiments
        ]  # fmt: skip # a table
        return cls({"name": name, "title": loaded.title, "experiments": experiments}, plugins)

    @staticmethod
    def entries_of_installed(name: str) -> dict[tuple[str, str], tuple[dict[str, Any], int]]:
        """Return spec and points of the solvers in an installed suite, by experiment and label.

        The result is empty if no suite of that name is installed.
        """
        if name not in registry().suites:
            return {}
        loaded = load_suite(name, registry())
        return {
            (each.name, entry.label): (
                json_ready(entry.solver.spec()),
                min(entry.points or each.points, each.points),
            )
            for each in loaded.experiments
            for entry in each.entries
        }

    def facts(self, experiment: int, problem: int) -> dict[str, Any]:
        """Return the facts of a problem as the installed code derives them from its specs."""
        return self._rebuilder.setting(self._problem(experiment, problem)).facts()

    def truth(self, experiment: int, problem: int, trial: int) -> Array:
        """Return a trial's test signals, drawn again from the seed, (points, N)."""
        truth: Array = self._instance(experiment, problem, trial).truth
        return truth

    def checksum(self, experiment: int, problem: int, trial: int, points: int) -> float:
        """Return the norm of all measurements of a problem's trial with that many points."""
        instance = self._instance(experiment, problem, trial, points)
        return float(np.linalg.norm(instance.b))

    def score(self, experiment: int, problem: int, trial: int, x: Array) -> Array:
        """Score estimates of a trial's first signals.

        Parameters
        ----------
        experiment, problem : int
            The places of the experiment in the suite and of the problem in the experiment.
        trial : int
            The number of the trial.
        x : ndarray, shape (S, N)
            The estimates. S is the number of signals that the solver was to recover.

        Returns
        -------
        ndarray, shape (3, S)
            Squared cosine, relative error, residual; NaN for estimates that are not finite.
        """
        instance = self._instance(experiment, problem, trial, len(x))
        with one_blas_thread():
            scores = score(Recovery(x), instance.problem, instance.truth, instance.b)
        return np.array([scores[name] for name in SCORES[:3]])  # type: ignore[literal-required] # names of scores

    def unsupported(self, experiment: int, problem: int, solver: Mapping[str, Any]) -> str | None:
        """Return an installed solver's reason not to apply to a problem; None if it applies.

        Raises
        ------
        SpecError
            If the solver is not installed here, or if it raises an error when asked.
        """
        built, instance = _solver(solver), self._instance(experiment, problem, 0)
        try:
            return built.unsupported(instance.problem)
        except Exception as error:  # with a stranger's parameters, it may raise anything
            reason = f"{type(error).__name__}: {in_one_line(error)}"
            message = f"{built.name} cannot say whether it applies to the problem: {reason}"
            raise SpecError((), message) from error

    def run(
        self,
        entries: Sequence[tuple[int, str, Mapping[str, Any], int]],
        seed: int,
        folder: str | Path,
        *,
        jobs: int | None = None,
    ) -> Results:
        """Run solvers on the suite with another seed.

        Parameters
        ----------
        entries : sequence of (int, str, dict, int)
            The place of the experiment, the label, the spec and the points of each solver.
        seed : int
            The seed that replaces that of each experiment.
        folder : str or pathlib.Path
            The folder for the results.
        jobs : int, optional
            As in `benchbase.run`.

        Raises
        ------
        SpecError
            If a solver is not installed here, or holds a data set.
        """
        experiments = []
        for index, each in enumerate(self.suite["experiments"]):
            own = tuple(
                Entry(label, _solver(spec), points)
                for place, label, spec, points in entries
                if place == index
            )
            if own:
                problems = tuple(map(self._rebuilder.setting, each["problems"]))
                sizes = seed, each["trials"], each["points"]
                experiments.append(Experiment(each["name"], *sizes, problems, own))
        suite = Suite(self.suite["name"], self.suite["title"], tuple(experiments), ())
        place = Path(folder)
        plan = make_plan(suite, place)
        number = execute(suite, plan, place, command=f"seed {seed}", jobs=jobs)
        return Results(place, (number,))

    @cached_property
    def _rebuilder(self) -> Rebuilder:
        return Rebuilder(registry())

    @cached_property
    def _cells(self) -> dict[tuple[int, int, int, int | None], Cell]:
        return {}

    def _problem(self, experiment: int, problem: int) -> dict[str, Any]:
        return problem_facts(self.suite["experiments"][experiment]["problems"][problem])

    def _cell(self, experiment: int, problem: int, trial: int, points: int | None) -> Cell:
        place = (experiment, problem, trial, points)
        if place not in self._cells:
            whole = self.suite["experiments"][experiment]
            sizes = {"trial": trial, "points": points or whole["points"]}
            own = {"seed": whole["seed"], "trace": False} | sizes
            self._cells[place] = self._rebuilder.cell(self._problem(experiment, problem) | own)
        return self._cells[place]

    def _instance(
        self, experiment: int, problem: int, trial: int, points: int | None = None
    ) -> Any:
        cell = self._cell(experiment, problem, trial, points)
        with one_blas_thread(), contextlib.redirect_stdout(sys.stderr):
            return self._rebuilder.instance(cell)


def _solver(spec: Mapping[str, Any]) -> Solver:
    """Build a stranger's solver. It may not hold a data set, which could read any file here."""
    built = registry().build("solver", spec)
    held = next((part.name for part in built.walk() if isinstance(part, Dataset)), None)
    if held is not None:
        message = f"{built.name} holds the data set {held!r}; submit it without a data set"
        raise SpecError((), message)
    return built  # type: ignore[return-value] # built as a solver
