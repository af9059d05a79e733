"""Problems rebuilt from what is stored of their cells, with the code that is here now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchbase.discovery.registry import Registry
from benchbase.errors import BenchbaseError, described
from benchbase.planning.cells import Cell, make_cells
from benchbase.planning.experiment import NEEDED, PROBLEM, Entry, Experiment, Point
from benchbase.planning.suite import Suite
from benchbase.running.worker import Instance, Worker


class Rebuilder:
    """Makes cells of stored facts again, and their problems; keeps the last two problems.

    Parameters
    ----------
    known : Registry
        What components there are.
    """

    def __init__(self, known: Registry) -> None:
        self._known = known
        self._worker = Worker(known)

    def cell(self, facts: Mapping[str, Any]) -> Cell:
        """Make a cell of what is stored of it (`Cell.facts`), and so its key.

        Raises
        ------
        BenchbaseError
            If a component of it is not installed, or cannot be built.
        """
        try:
            kinds = [kind for kind in (*PROBLEM, "solver") if kind in facts or kind in NEEDED]
            parts: Any = {kind: self._known.build(kind, facts[kind]) for kind in kinds}
            entries = (Entry("", parts.pop("solver")),)
            seed, trials, points = facts["seed"], facts["trial"] + 1, facts["points"]
            problems, trace = (Point(**parts),), facts["trace"]
            experiment = Experiment("", seed, trials, points, problems, entries, trace=trace)
            return make_cells(Suite("", "", (experiment,)))[-1]
        except (Exception, SystemExit) as error:  # a stranger's code: anything may come
            raise BenchbaseError(described(error)) from error

    def instance(self, cell: Cell) -> Instance:
        """Build the problem of a cell with its signals and measurements, as its solver met it.

        That may take as long as it took the run: data are read, and learned frames are learned,
        unless they are in the cache.

        Raises
        ------
        BenchbaseError
            If data are missing.
        """
        task = next(cell.tasks([]))
        return self._worker.instance(task, self._worker.signals(task))
