"""A referee, which rebuilds the problems of a suite and scores estimates of their signals."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from benchbase.checking.rerun import Asked, Scores, bundled_solver, other_code, run_again
from benchbase.component import Array
from benchbase.discovery.registry import registry
from benchbase.errors import SpecError, SuiteError, in_one_line
from benchbase.numerics.recovery import score
from benchbase.planning.cells import Cell, problem_facts
from benchbase.planning.suite import load_suite
from benchbase.problem import Recovery
from benchbase.running.executors import one_blas_thread
from benchbase.running.rebuild import Rebuilder
from benchbase.storage.store import SCORES
from benchbase.tasks import json_ready

LEAST_TRIALS = 3
"""The least number of trials of a problem on which a solver is run again."""


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

    Raises
    ------
    BenchbaseError
        By its methods, if a component is not installed or data are missing.
    """

    suite: Mapping[str, Any]

    @classmethod
    def of_installed(cls, name: str) -> Referee:
        """Return the referee of an installed suite; raise `SuiteError` if there is none."""
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
        return cls({"name": name, "title": loaded.title, "experiments": experiments})

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
        """Return a bundled solver's reason not to apply to a problem; None if it applies.

        Raises
        ------
        SpecError
            If the solver does not come with benchbase, or if it raises an error when asked.
        """
        built, instance = bundled_solver(solver), self._instance(experiment, problem, 0)
        try:
            return built.unsupported(instance.problem)
        except Exception as error:  # with a stranger's parameters, it may raise anything
            reason = f"{type(error).__name__}: {in_one_line(error)}"
            message = f"{built.name} cannot say whether it applies to the problem: {reason}"
            raise SpecError((), message) from error

    def run_again(
        self,
        entries: Sequence[tuple[int, int, Mapping[str, Any], int, int]],
        seed: int,
        *,
        plugins: Sequence[str] = (),
        jobs: int | None = None,
        sandbox: bool = False,
    ) -> list[list[Scores]]:
        """Run solvers on the suite's problems with another seed, in worker processes.

        Parameters
        ----------
        entries : sequence of (int, int, dict, int, int)
            The places of experiment and problem, and the spec, the points and the signals per
            chunk of each solver.
        seed : int
            The seed that replaces that of each experiment.
        plugins : sequence of str, optional
            Plugin files that may supply the solvers.
        jobs : int, optional
            The number of workers, at least 1.
        sandbox : bool, optional
            Run the solvers in a sandbox, which needs Linux and bubblewrap.

        Returns
        -------
        list of list of ndarray or None
            For each entry, the squared cosines of each trial, NaN for signals without an estimate;
            None if it is unsupported. There are
            as many trials as in the suite, but at least `LEAST_TRIALS`, so that it can be seen how
            much trials differ.

        Raises
        ------
        SpecError
            If a solver is not installed here, or holds a data set.
        BenchbaseError
            If a solver cannot be run.
        """
        asked = []
        for experiment, problem, spec, points, chunk in entries:
            trials = max(self.suite["experiments"][experiment]["trials"], LEAST_TRIALS)
            facts = self._problem(experiment, problem) | {"seed": seed, "points": points}
            cells = [
                self._rebuilder.cell(facts | {"trial": trial, "trace": False})
                for trial in range(trials)
            ]
            asked.append(Asked(cells, spec, chunk))
        return run_again(asked, plugins, jobs, sandbox=sandbox)

    def other_code(
        self,
        claimed: Iterable[tuple[str, str]],
        solvers: Sequence[Mapping[str, Any]],
        plugins: Sequence[str] = (),
    ) -> list[str]:
        """Return the modules whose code here is not what a stranger's results name.

        Parameters
        ----------
        claimed : iterable of (str, str)
            The modules that the results name, with their digests.
        solvers : sequence of dict
            The specs of the solvers.
        plugins : sequence of str, optional
            Plugin files that supply them.
        """
        problems = [
            problem_facts(each) for whole in self.suite["experiments"] for each in whole["problems"]
        ]
        settings = map(self._rebuilder.setting, problems)
        return other_code(claimed, settings, solvers, plugins)

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
