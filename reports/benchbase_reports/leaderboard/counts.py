"""From a row a signal to counts by problem, solver, trial and number of pools.

Works by blocks, stretches of rows of one cell, which share all but their scores: the columns that
tell problems apart are looked at once a block, so that millions of rows take seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from benchbase import Array
from benchbase_reports.summary import RECOVERED, problem_columns

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Cells:
    """All results of a suite.

    Attributes
    ----------
    blocks : pandas.DataFrame, B rows
        `problem_columns`, label, solver, seed, trial, n_pools and cell of each block, with
        ``problem`` and ``draw``, the numbers of its problem and of its (seed, trial).
    starts, sizes : ndarray, shape (B,)
        The first row of each block, and how many there are.
    signal : ndarray, shape (R,)
        The signal's number within its trial.
    score : ndarray, shape (R,)
        Squared cosine, 0 where lost; NaN where there is no outcome.
    cost : ndarray, shape (R,)
        Frame applications of a signal, NaN where they are not counted.
    won : ndarray of bool, shape (R,)
        Whether it is recovered, whatever it took.
    weights, totals : dict of ndarray, shapes (R,) and (B,)
        What is added up, by signal and by block: "ran" (has an outcome), "lost" (has one without a
        finite estimate), "won" (is recovered within the budget), "score", and "seconds",
        "init_seconds" and "cost", 0 where not known, with "seconds known" and so on.
    unsupported, pending : ndarray, shape (B,)
        Signals of each block.
    messages : dict
        Of blocks, why signals failed or are unsupported.
    """

    blocks: pd.DataFrame
    starts: Array
    sizes: Array
    signal: Array
    score: Array
    cost: Array
    won: Array
    weights: dict[str, Array]
    totals: dict[str, Array]
    unsupported: Array
    pending: Array
    messages: dict[int, str]

    def rows(self, blocks: Array) -> Array:
        """Return the rows of blocks, one block after the other."""
        sizes = self.sizes[blocks]
        before = np.cumsum(sizes) - sizes
        rows: Array = np.repeat(self.starts[blocks] - before, sizes) + np.arange(sizes.sum())
        return rows


def read_cells(
    frame: pd.DataFrame, *, recovered: float = RECOVERED, budget: float = math.inf
) -> Cells:
    """Read results.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.frame`. Where several runs hold the same trial of a problem,
        number of pools and solver, the latest run counts.
    recovered : float, optional
        The squared cosine above which a signal is recovered.
    budget : float, optional
        Frame applications above which a signal is not.
    """
    starts = _starts(frame)
    sizes = np.diff(np.append(starts, len(frame)))
    columns = problem_columns(frame)
    heads = [*columns, "label", "solver", "run", "seed", "trial", "n_pools", "points", "cell"]
    blocks = frame[heads].iloc[starts].reset_index(drop=True)
    blocks["problem"] = blocks.groupby(columns, dropna=False, sort=False).ngroup()
    blocks["draw"] = blocks.groupby(["seed", "trial"]).ngroup()
    group = ["problem", "label", "draw", "n_pools"]
    newest = blocks["run"] == blocks.groupby(group, dropna=False)["run"].transform("max")
    if not newest.all():
        kept = newest.to_numpy(bool)
        frame, blocks, sizes = frame[np.repeat(kept, sizes)], blocks[kept], sizes[kept]
        starts, blocks = np.cumsum(sizes) - sizes, blocks.reset_index(drop=True)
    return _read(frame, blocks, starts, sizes, recovered, budget)


def _starts(frame: pd.DataFrame) -> Array:
    """Return the first row of each block: signals of a cell are numbered upwards."""
    if frame.empty:
        return np.zeros(0, int)
    signal = frame["signal"].to_numpy(np.int64)
    new = np.append(True, signal[1:] <= signal[:-1])
    for name in ("label", "cell"):
        values = frame[name]
        new |= (values != values.shift()).to_numpy(bool)
    return np.flatnonzero(new)


def _read(
    frame: pd.DataFrame,
    blocks: pd.DataFrame,
    starts: Array,
    sizes: Array,
    recovered: float,
    budget: float,
) -> Cells:
    status = frame["status"]
    done, unsupported, pending = (
        (status == name).to_numpy(bool) for name in ("done", "unsupported", "pending")
    )
    owner = np.repeat(np.arange(len(blocks)), sizes)
    cosine = frame["squared_cosine"].to_numpy(float)
    ran, found = ~(unsupported | pending), done & np.isfinite(cosine)
    won = found & (cosine > recovered)
    cost = signal_costs(frame, owner)
    init = frame["init_seconds"].to_numpy(float)
    weights = {
        "ran": ran,
        "lost": ran & ~found,
        "won": won if math.isinf(budget) else won & (cost <= budget),
        "score": np.where(found, cosine, 0.0),
    }
    seconds = init + frame["solve_seconds"].to_numpy(float)
    for name, values in (("seconds", seconds), ("init_seconds", init), ("cost", cost)):
        known = ran & np.isfinite(values)
        weights |= {name: np.where(known, values, 0.0), f"{name} known": known}

    def total(values: Array) -> Array:
        exact = np.int64 if values.dtype == bool else np.float64
        return np.add.reduceat(values, starts, dtype=exact) if len(starts) else np.zeros(0)

    return Cells(
        blocks=blocks,
        starts=starts,
        sizes=sizes,
        signal=frame["signal"].to_numpy(np.int64),
        score=np.where(ran, weights["score"], np.nan),
        cost=cost,
        won=won,
        weights=weights,
        totals={name: total(values) for name, values in weights.items()},
        unsupported=total(unsupported).astype(int),
        pending=total(pending).astype(int),
        messages=_messages(frame["message"], owner, unsupported | weights["lost"]),
    )


def _messages(messages: pd.Series[str], owner: Array, told: Array) -> dict[int, str]:
    """Return what is told of the blocks that have something to tell."""
    said: dict[int, dict[str, None]] = {}
    for block, message in zip(owner[told], messages[told], strict=True):
        if message:
            said.setdefault(int(block), {})[message] = None
    return {block: "; ".join(each) for block, each in said.items()}


def signal_costs(frame: pd.DataFrame, owner: Array) -> Array:
    """Return the frame applications of each signal.

    They are stored as a mean over a chunk of signals, and iterations by signal. A signal's cost is
    the chunk's mean × its iterations / their mean over the chunk, which is exact where a cost is
    proportional to iterations; where iterations are not told, it is the chunk's mean.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.frame`, R rows.
    owner : ndarray, shape (R,)
        The number of each row's cell and trial.

    Returns
    -------
    ndarray, shape (R,)
        NaN where the solver's applications are not counted.
    """
    mean = frame["frame_applications"].to_numpy(float)
    steps = frame["n_iter"].to_numpy(float, na_value=np.nan)
    seconds = frame["solve_seconds"].to_numpy(float)
    # The rows of a chunk have one mean and one time; two alike chunks may pass for one.
    same = (mean[1:] == mean[:-1]) & (seconds[1:] == seconds[:-1]) & (owner[1:] == owner[:-1])
    chunk = np.cumsum(np.append(False, ~same)) if len(mean) else np.zeros(0, int)
    told = np.isfinite(steps)
    n = np.bincount(chunk)
    total = np.bincount(chunk, np.where(told, steps, 0.0))
    whole = (np.bincount(chunk, told) == n) & (total > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(whole, n / total, np.nan)[chunk] * steps
    return mean * np.where(whole[chunk], share, 1.0)


@dataclass(frozen=True)
class Problem:
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
        return np.repeat(places, self.cells.sizes[self.blocks])

    def sums(self, name: str) -> Array:
        """Add weights of the cells up by solver, cluster and K: (S, C, G)."""
        solver, column, cells = self.solver, self.column, self.cells
        if self.one_frame:
            solver, column = self.by_row(solver), self.by_row(column)
            values = cells.weights[name][self.rows]
        else:
            values = cells.totals[name][self.blocks]
        n_solvers, n_clusters, n_pools = self.shape
        place = (solver * n_clusters + self.cluster) * n_pools + column
        found = np.bincount(place, values, n_solvers * n_clusters * n_pools)
        return found.reshape(self.shape)


def problems(cells: Cells) -> Iterator[Problem]:
    """Yield the counts of each problem, in order of appearance."""
    number = cells.blocks["problem"].to_numpy()
    order = np.argsort(number, kind="stable")
    last = int(number.max(initial=-1)) + 1
    for blocks in np.split(order, np.searchsorted(number[order], np.arange(1, last))):
        if blocks.size:
            yield _problem(cells, blocks)


def _problem(cells: Cells, blocks: Array) -> Problem:
    import pandas as pd

    solver, labels = pd.factorize(cells.blocks["label"].iloc[blocks])
    order = np.argsort(solver, kind="stable")
    solver, blocks = solver[order], blocks[order]
    mine = cells.blocks.iloc[blocks]
    pools, column = np.unique(mine["n_pools"].to_numpy(float, na_value=np.nan), return_inverse=True)
    draws, cluster = np.unique(mine["draw"], return_inverse=True)
    count, one = len(draws), len(draws) == 1
    if one:
        signals, cluster = np.unique(cells.signal[cells.rows(blocks)], return_inverse=True)
        count = len(signals)
    names = [str(label) for label in labels]
    return Problem(cells, blocks, names, pools, solver, column, cluster, count, one)
