"""The counts of each problem by solver, trial and number of pools."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchbase import Array
from benchbase_reports.leaderboard.cells import Cells, repeat


@dataclass(frozen=True)
class ProblemCounts:
    """The counts of one problem.

    Attributes
    ----------
    cells : Cells
        What they are counts of.
    blocks : ndarray, shape (B,)
        Its blocks, solver by solver.
    labels : list of str
        The S solvers, in order of appearance.
    pools : ndarray, shape (G,)
        The grid of K; a single NaN where the frame has no number of pools.
    solver, column : ndarray, shape (B,)
        The places of blocks among `labels` and `pools`.
    cluster : ndarray
        The places of clusters: of each block where those are trials; of each row where they are
        the signals of the one trial that there is.
    n_clusters : int
        Their number C.
    draws : ndarray
        The trials, as the blocks' ``draw``, ascending: the clusters unless there is only one.
    one_frame : bool
        Whether clusters are signals.
    """

    cells: Cells
    blocks: Array
    labels: list[str]
    pools: Array
    solver: Array
    column: Array
    cluster: Array
    n_clusters: int
    draws: Array
    one_frame: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """S, C and G."""
        return len(self.labels), self.n_clusters, len(self.pools)

    @cached_property
    def rows(self) -> Array:
        """The problem's rows, solver by solver."""
        return self.cells.rows(self.blocks)

    def by_row(self, places: Array) -> Array:
        """Repeat what is told of each block for all of its rows."""
        return repeat(places, self.cells.sizes[self.blocks])

    def sums(self, name: str) -> Array:
        """Count by solver, cluster and K: (S, C, G).

        Parameters
        ----------
        name : {"ran", "won", "score"}
            Signals with an outcome, those recovered within the budget, or the sum of squared
            cosines.
        """
        solver, column, cells = self.solver, self.column, self.cells
        if self.one_frame:
            solver, column = self.by_row(solver), self.by_row(column)
            values = _by_signal(cells, name, self.rows)
        else:
            values = cells.totals[name][self.blocks]
        n_solvers, n_clusters, n_pools = self.shape
        place = (solver * n_clusters + self.cluster) * n_pools + column
        found = np.bincount(place, values, n_solvers * n_clusters * n_pools)
        return found.reshape(self.shape)

    def totals(self, name: str) -> Array:
        """Add `Cells.totals` up by solver and K: (S, G)."""
        n_solvers, _, n_pools = self.shape
        place = self.solver * n_pools + self.column
        found = np.bincount(place, self.cells.totals[name][self.blocks], n_solvers * n_pools)
        return found.reshape(n_solvers, n_pools)


def _by_signal(cells: Cells, name: str, rows: Array) -> Array:
    if name == "score":
        return np.nan_to_num(cells.score[rows])  # NaN: no outcome
    found: Array = cells.ran[rows] if name == "ran" else cells.won[rows] & cells.within[rows]
    return found


def problems(cells: Cells) -> Iterator[ProblemCounts]:
    """Yield the counts of each problem, in order of appearance."""
    number = cells.blocks["problem"].to_numpy()
    order = np.argsort(number, kind="stable")
    last = int(number.max(initial=-1)) + 1
    for blocks in np.split(order, np.searchsorted(number[order], np.arange(1, last))):
        if blocks.size:
            yield _problem(cells, blocks)


def _problem(cells: Cells, blocks: Array) -> ProblemCounts:
    import pandas as pd

    told = {name: cells.blocks[name].iloc[blocks] for name in ("label", "n_pools", "draw")}
    solver, labels = pd.factorize(told["label"])
    order = np.argsort(solver, kind="stable")
    solver, blocks = solver[order], blocks[order]
    k, draw = told["n_pools"].to_numpy(float, na_value=np.nan), told["draw"].to_numpy()
    pools, column = np.unique(k[order], return_inverse=True)
    draws, cluster = np.unique(draw[order], return_inverse=True)
    count, one = len(draws), len(draws) == 1
    if one:
        signals, cluster = np.unique(cells.signal[cells.rows(blocks)], return_inverse=True)
        count = len(signals)
    names = [str(label) for label in labels]
    return ProblemCounts(cells, blocks, names, pools, solver, column, cluster, count, draws, one)
