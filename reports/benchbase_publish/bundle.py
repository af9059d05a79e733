"""Bundles: results of a suite as plain data, from which results can be made again."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchbase import Array, CellRecord, SuiteRunRecord
from benchbase_publish.schema import Cell, Manifest, SuiteFacts

N_SCORES = 5
"""The scores of a signal: squared cosine, relative error, residual, iterations, converged."""


@dataclass(frozen=True)
class Head:
    """A bundle without its arrays.

    Attributes
    ----------
    manifest : Manifest
        The manifest.
    digest : str
        The SHA-256 of the file.
    """

    manifest: Manifest
    digest: str

    @property
    def labels(self) -> list[str]:
        """The labels of the solvers, each once."""
        return [*dict.fromkeys(entry.label for entry in self.manifest.entries)]

    @cached_property
    def suite(self) -> dict[str, Any]:
        """The suite as plain data, as a `benchbase.Referee` takes it."""
        return suite_facts(self.manifest.suite)


@dataclass(frozen=True)
class Bundle(Head):
    """A bundle in memory.

    Attributes
    ----------
    estimates : list of ndarray, float32, shape (E,)
        For each entry, the estimates (points, N) of its cells one after the other.
    scores : list of ndarray, float64, shape (5, R)
        For each entry, the scores of the R signals of its cells.
    signals : list of ndarray, float32, shape (points, N)
        The true signals of trials.
    """

    estimates: list[Array]
    scores: list[Array]
    signals: list[Array]

    @property
    def head(self) -> Head:
        """The bundle without its arrays."""
        return Head(self.manifest, self.digest)

    def cells(self) -> list[tuple[Cell, Array, Array]]:
        """Return each cell with its estimates (points, N) and scores (5, points)."""
        found = []
        begin, row = [0] * len(self.estimates), [0] * len(self.estimates)
        for cell in self.manifest.cells:
            shape = cell_shape(self.manifest, cell)
            at, first = begin[cell.entry], row[cell.entry]
            begin[cell.entry], row[cell.entry] = at + math.prod(shape), first + shape[0]
            estimates = self.estimates[cell.entry][at : at + math.prod(shape)].reshape(shape)
            found.append((cell, estimates, self.scores[cell.entry][:, first : first + shape[0]]))
        return found

    def record(self) -> SuiteRunRecord:
        """Return the bundle as a run that can be stored; no two bundles share the key of a cell."""
        cells = []
        for position, (cell, estimates, scores) in enumerate(self.cells()):
            entry = self.manifest.entries[cell.entry]
            experiment = self.suite["experiments"][entry.experiment]
            facts = experiment["problems"][cell.problem] | {
                "solver": entry.solver, "seed": experiment["seed"], "trial": cell.trial,
                "points": entry.points, "trace": experiment["trace"],
            }  # fmt: skip # a table
            chunks = []
            for chunk in cell.chunks:
                place = slice(chunk.start, chunk.stop)
                own = scores[:, place] if chunk.status == "done" else None
                made = self.manifest.environments[chunk.environment]
                chunks.append(chunk.model_dump() | {"scores": own, "environment": made})
            truth = None if cell.signals is None else self.signals[cell.signals]
            cells.append(
                CellRecord(
                    experiment["name"],
                    entry.label,
                    self._key(f"cell {position}"),
                    self._key(f"signals {cell.signals}"),
                    facts,
                    chunks,
                    truth,
                    estimates,
                )
            )
        suite, origin = self.manifest.suite, self.manifest.provenance
        return SuiteRunRecord(
            suite=suite.name,
            title=suite.title,
            resolved=self._resolved(),
            command=origin.command,
            started=origin.started,
            finished=origin.finished,
            cells=cells,
        )

    def _key(self, part: str) -> str:
        """Return a key of this bundle alone, so that no other bundle can replace its cells."""
        return hashlib.sha256(f"{self.digest} {part}".encode()).hexdigest()[:32]

    def _resolved(self) -> dict[str, Any]:
        """Return the part of a run's ``resolved`` that reports read."""
        experiments = []
        for index, each in enumerate(self.suite["experiments"]):
            solvers = [
                entry.solver | {"label": entry.label, "points": entry.points, "time_limit": None}
                for entry in self.manifest.entries
                if entry.experiment == index
            ]
            experiments.append(each | {"time_limit": None, "solvers": solvers})
        return self.suite | {"experiments": experiments}


def suite_facts(suite: SuiteFacts) -> dict[str, Any]:
    """Return a suite as plain data, in which problems without noise or hint have no such key."""
    return suite.model_dump(exclude_unset=True)


def cell_shape(manifest: Manifest, cell: Cell) -> tuple[int, int]:
    """Return the number of a cell's signals and their dimension."""
    entry = manifest.entries[cell.entry]
    problem = manifest.suite.experiments[entry.experiment].problems[cell.problem]
    return entry.points, problem.n


def array_shapes(manifest: Manifest) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the type and shape, by name, of each array in a bundle with this manifest."""
    sizes = [[0, 0] for _ in manifest.entries]
    for cell in manifest.cells:
        points, n = cell_shape(manifest, cell)
        sizes[cell.entry][0] += points * n
        sizes[cell.entry][1] += points
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for index, (numbers, rows) in enumerate(sizes):
        found[f"estimates/{index:06}.npy"] = ("<f4", (numbers,))
        found[f"scores/{index:06}.npy"] = ("<f8", (N_SCORES, rows))
    for index, shape in enumerate(manifest.signals):
        found[f"signals/{index:06}.npy"] = ("<f4", shape)
    return found
