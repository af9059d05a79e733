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
    """The signals of one problem, counted by solver, trial and number of pools.

    Attributes
    ----------
    cells : Cells
        The results that are counted.
    blocks : ndarray, shape (B,)
        The blocks of the problem, solver by solver.
    labels : list of str
        The S solvers, in order of appearance.
    pools : ndarray, shape (G,)
        The grid of K; a single NaN if the frame has no number of pools.
    solver, column : ndarray, shape (B,)
        Each block's place among `labels` and among `pools`.
    cluster : ndarray
        The cluster of each block if clusters are trials. If there is only one trial, its signals
        are the clusters, and this is the cluster of each row.
    n_clusters : int
        The number C of clusters.
    draws : ndarray
        The trials, as numbered by the blocks' ``draw``, ascending.
    one_frame : bool
        Whether there is only one trial, so that clusters are signals.
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
        """The numbers S of solvers, C of clusters and G of pools."""
        return len(self.labels), self.n_clusters, len(self.pools)

    @cached_property
    def rows(self) -> Array:
        """The problem's rows, solver by solver."""
        return self.cells.rows(self.blocks)

    def by_row(self, places: Array) -> Array:
        """Repeat a value per block for all of its rows."""
        return repeat(places, self.cells.sizes[self.blocks])

    def sums(self, name: str) -> Array:
        """Return sums by solver, cluster and K, (S, C, G).

        Parameters
        ----------
        name : {"ran", "won", "score"}
            The number of signals with an outcome, the number of those recovered within the
            budget, or the sum of squared cosines.
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
        """Return sums of `Cells.totals` by solver and K, (S, G)."""
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

    columns = {name: cells.blocks[name].iloc[blocks] for name in ("label", "n_pools", "draw")}
    solver, labels = pd.factorize(columns["label"])
    order = np.argsort(solver, kind="stable")
    solver, blocks = solver[order], blocks[order]
    k = columns["n_pools"].to_numpy(float, na_value=np.nan)
    draw = columns["draw"].to_numpy()
    pools, column = np.unique(k[order], return_inverse=True)
    draws, cluster = np.unique(draw[order], return_inverse=True)
    count, one = len(draws), len(draws) == 1
    if one:
        signals, cluster = np.unique(cells.signal[cells.rows(blocks)], return_inverse=True)
        count = len(signals)
    names = [str(label) for label in labels]
    return ProblemCounts(cells, blocks, names, pools, solver, column, cluster, count, draws, one)
