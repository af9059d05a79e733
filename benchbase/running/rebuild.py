"""Problems rebuilt from what is stored of their cells, with the code that is installed now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchbase.discovery.registry import Registry
from benchbase.errors import BenchbaseError, described
from benchbase.interfaces import Inverse, Solver
from benchbase.numerics.instance import Instance
from benchbase.planning.cells import Cell, Digests, make_cells
from benchbase.planning.experiment import NEEDED, PROBLEM, Entry, Experiment, Setting
from benchbase.planning.parts import Parts
from benchbase.planning.suite import Suite
from benchbase.problem import Problem
from benchbase.running.scorer import Scorer
from benchbase.running.workshop import Workshop


class Rebuilder:
    """Builds cells and their problems from stored facts.

    The last two problems are kept, so it pays to ask for the cells of one problem in succession.
    Code is read once, when it is first needed.

    Parameters
    ----------
    known : Registry
        The components that are installed.
    """

    def __init__(self, known: Registry) -> None:
        self._known = known
        self._scorer = Scorer(Workshop(known))
        self._digests = Digests()

    def setting(self, facts: Mapping[str, Any]) -> Setting:
        """Build the components of a problem from facts that hold their specs (`Setting.facts`).

        Raises
        ------
        BenchbaseError
            If a component is not installed, or cannot be built.
        """
        kinds = [kind for kind in PROBLEM if kind in facts or kind in NEEDED]
        return Setting(**{kind: self._build(kind, facts[kind]) for kind in kinds})

    def cell(self, facts: Mapping[str, Any]) -> Cell:
        """Build a cell, and so its key, from its facts (`Cell.facts`).

        If the facts name no solver, only the problem of the cell can be used.

        Raises
        ------
        BenchbaseError
            If a component is not installed or cannot be built, or data are missing.
        """
        solver = self._build("solver", facts["solver"]) if "solver" in facts else _NoSolver()
        seed, trials, points = facts["seed"], facts["trial"] + 1, facts["points"]
        problems, entries = (self.setting(facts),), (Entry("", solver),)
        experiment = Experiment("", seed, trials, points, problems, entries, trace=facts["trace"])
        with _one_error():
            return make_cells(Suite("", "", (experiment,)), self._digests)[-1]

    def _build(self, kind: str, spec: Any) -> Any:
        with _one_error():
            return self._known.build(kind, spec)

    def instance(self, cell: Cell) -> Instance:
        """Build the problem of a cell with its signals and measurements, as its solver met it.

        This may take as long as in the run, since data are read and frames are learned unless they
        are in the cache.

        Raises
        ------
        BenchbaseError
            If data are missing.
        """
        task = next(cell.tasks(Parts(self._known)))
        return self._scorer.instance(task, self._scorer.signals(task))


class _NoSolver(Solver):
    """Takes the place of the solver in a cell if only its problem is needed."""

    name = "no solver"

    def prepare(self, problem: Problem) -> Inverse:
        raise NotImplementedError


@contextmanager
def _one_error() -> Iterator[None]:
    """Turn whatever a component's code raises into a `BenchbaseError`."""
    try:
        yield
    except BenchbaseError:
        raise
    except (Exception, SystemExit) as error:  # a plugin's code may raise anything
        raise BenchbaseError(described(error)) from error
