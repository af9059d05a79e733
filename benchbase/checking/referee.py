"""A referee: rebuilds the problems of a suite, and scores what is said to solve them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchbase.component import Array
from benchbase.discovery.registry import registry
from benchbase.errors import SpecError, SuiteError, in_one_line
from benchbase.interfaces import Dataset, Inverse, Solver
from benchbase.numerics.recovery import score
from benchbase.planning.cells import Cell, make_cells
from benchbase.planning.experiment import PROBLEM, Entry, Experiment, Point
from benchbase.planning.suite import Suite, load_suite
from benchbase.problem import Problem, Recovery
from benchbase.results import Results
from benchbase.running.executors import one_blas_thread
from benchbase.running.launch import execute, make_plan
from benchbase.running.rebuild import Rebuilder
from benchbase.storage.store import SCORES
from benchbase.tasks import json_ready

OWN = ("seed", "trial", "points", "trace", "solver")
"""The facts of a cell that are none of its problem."""


class _Nobody(Solver):
    """Stands where a cell has a solver, when only its problem is asked for."""

    name = "nobody"

    def prepare(self, problem: Problem) -> Inverse:
        raise NotImplementedError


@dataclass(frozen=True)
class Referee:
    """Rebuilds the problems of a suite, and scores what is said to solve them.

    Parameters
    ----------
    suite : dict
        The suite as plain data: ``name``, ``title``, ``experiments``, each with ``name``, ``seed``,
        ``trials``, ``points``, ``trace`` and ``problems``; a problem has the spec of each of its
        components by kind, and the facts that follow from them (`describe`).
    plugins : tuple of str, optional
        Plugin files to load, which is to run them.

    Raises
    ------
    BenchbaseError
        From its methods: if a component is not installed, or data are missing.
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
            Its name.
        plugins : tuple of str, optional
            Plugin files to load first.

        Raises
        ------
        SuiteError
            If there is none of that name.
        """
        for path in plugins:
            registry().load_file(path)
        if name not in registry().suites:
            raise SuiteError([f"no suite named {name!r} is installed"])
        loaded = load_suite(name, registry())
        experiments = []
        for each in loaded.experiments:
            alone = replace(each, trials=1, entries=(Entry("", _Nobody()),))
            facts = [cell.facts() for cell in make_cells(replace(loaded, experiments=(alone,)))]
            experiments.append(
                {
                    "name": each.name, "seed": each.seed, "trials": each.trials,
                    "points": each.points, "trace": each.trace,
                    "problems": [cls.describe(one) for one in facts],
                }
            )  # fmt: skip # a table
        return cls({"name": name, "title": loaded.title, "experiments": experiments}, plugins)

    @staticmethod
    def describe(facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the facts of a cell say of its problem: no seed, trial, points or solver."""
        return {key: value for key, value in facts.items() if key not in OWN}

    @staticmethod
    def entries_of_installed(name: str) -> dict[tuple[str, str], tuple[dict[str, Any], int]]:
        """Return spec and points of the solvers that an installed suite names itself.

        By experiment and label; nothing where there is no such suite.
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
        """Return what the code that is here makes of a problem's specs: see `describe`."""
        return self.describe(self._cell(experiment, problem, 0, 1).facts())

    def truth(self, experiment: int, problem: int, trial: int) -> Array:
        """Return a trial's test signals as the seed gives them, (points, N)."""
        truth: Array = self._instance(experiment, problem, trial).truth
        return truth

    def checksum(self, experiment: int, problem: int, trial: int, points: int) -> float:
        """Return the norm of all measurements of a cell with so many points."""
        instance = self._instance(experiment, problem, trial, points)
        return float(np.linalg.norm(instance.b))

    def score(self, experiment: int, problem: int, trial: int, x: Array) -> Array:
        """Score estimates of a trial's first signals.

        Parameters
        ----------
        experiment, problem : int
            Their places in the suite.
        trial : int
            The trial.
        x : ndarray, shape (S, N)
            Estimates of as many signals as the solver was to recover.

        Returns
        -------
        ndarray, shape (3, S)
            Squared cosine, relative error, residual; NaN where the estimate is not finite.
        """
        instance = self._instance(experiment, problem, trial, len(x))
        with one_blas_thread():
            found = score(Recovery(x), instance.problem, instance.truth, instance.b)
        return np.array([found[name] for name in SCORES[:3]])  # type: ignore[literal-required] # names of scores

    def unsupported(self, experiment: int, problem: int, solver: Mapping[str, Any]) -> str | None:
        """Ask an installed solver why it does not apply to a problem; None where it does.

        Raises
        ------
        SpecError
            If it is not installed here, or cannot be asked.
        """
        built, instance = _solver(solver), self._instance(experiment, problem, 0)
        try:
            return built.unsupported(instance.problem)
        except Exception as error:  # a stranger's parameters: anything may come
            told = f"cannot be asked: {type(error).__name__}: {in_one_line(error)}"
            raise SpecError((), f"{built.name} {told}") from error

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
            Experiment, label, spec and points of each solver.
        seed : int
            In place of that of each experiment.
        folder : str or pathlib.Path
            Where the results go.
        jobs : int, optional
            As in `run`.

        Raises
        ------
        SpecError
            If a solver is not installed here, or holds a data set.
        """
        experiments = []
        for index, each in enumerate(self._experiments):
            own = [
                Entry(label, _solver(spec), points)
                for place, label, spec, points in entries
                if place == index
            ]
            if own:
                experiments.append(replace(each, seed=seed, entries=tuple(own), trace=False))
        suite = Suite(self.suite["name"], self.suite["title"], tuple(experiments), ())
        place = Path(folder)
        plan = make_plan(suite, place)
        number = execute(suite, plan, place, command=f"seed {seed}", jobs=jobs)
        return Results(place, (number,))

    @cached_property
    def _experiments(self) -> list[Experiment]:
        return list(map(_experiment, self.suite["experiments"]))

    @cached_property
    def _rebuilder(self) -> Rebuilder:
        return Rebuilder(registry())

    def _cell(self, experiment: int, problem: int, trial: int, points: int | None = None) -> Cell:
        known = self._cells.get((experiment, problem, trial, points))
        if known is None:
            each = self._experiments[experiment]
            alone = replace(
                each,
                trials=trial + 1,
                problems=(each.problems[problem],),
                entries=(Entry("", _Nobody(), points),),
            )
            known = make_cells(Suite("", "", (alone,)))[-1]
            self._cells[experiment, problem, trial, points] = known
        return known

    @cached_property
    def _cells(self) -> dict[tuple[int, int, int, int | None], Cell]:
        return {}

    def _instance(
        self, experiment: int, problem: int, trial: int, points: int | None = None
    ) -> Any:
        cell = self._cell(experiment, problem, trial, points)
        with one_blas_thread(), contextlib.redirect_stdout(sys.stderr):
            return self._rebuilder.instance(cell)


def _solver(spec: Mapping[str, Any]) -> Solver:
    """Build a stranger's solver, which may not bring data: they could be any files here."""
    built = registry().build("solver", spec)
    held = next((part.name for part in built.walk() if isinstance(part, Dataset)), None)
    if held is not None:
        raise SpecError((), f"{built.name} holds the data set {held!r}; it is not made for others")
    return built  # type: ignore[return-value] # built as one


def _experiment(data: Mapping[str, Any]) -> Experiment:
    problems = tuple(Point(**dict(_parts(problem))) for problem in data["problems"])
    names = ("name", "seed", "trials", "points", "trace")
    return Experiment(problems=problems, entries=(), **{name: data[name] for name in names})


def _parts(problem: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for kind in PROBLEM:
        if kind in problem:
            yield kind, registry().build(kind, problem[kind])
