"""From a row a signal to counts by problem, solver, trial and number of pools.

Works by blocks, stretches of rows of one cell, which share all but their scores: the columns that
tell problems apart are looked at once a block, so that millions of rows take seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchbase import Array
from benchbase_reports.summary import RECOVERED, problem_columns

if TYPE_CHECKING:
    import pandas as pd

_LOST = ("failed", "timeout", "crashed")


@dataclass(frozen=True)
class Cells:
    """All results of a suite.

    Attributes
    ----------
    blocks : pandas.DataFrame, B rows
        `problem_columns`, label, solver, seed, trial, n_pools and cell of each block, with
        ``problem`` and ``draw``, the numbers of its problem and of its (seed, trial).
    owner : ndarray, shape (R,)
        The block of each row.
    signal : ndarray, shape (R,)
        The signal's number within its trial.
    ran, lost, won : ndarray of bool, shape (R,)
        Has an outcome; has one without a finite estimate; is recovered.
    score : ndarray, shape (R,)
        Squared cosine, 0 where lost.
    seconds, init_seconds, cost : ndarray, shape (R,)
        Of a signal; cost in frame applications, NaN where they are not counted.
    unsupported, pending : ndarray, shape (B,)
        Signals of each block.
    messages : list of str
        Of each block, why signals failed or are unsupported.
    """

    blocks: pd.DataFrame
    owner: Array
    signal: Array
    ran: Array
    lost: Array
    won: Array
    score: Array
    seconds: Array
    init_seconds: Array
    cost: Array
    unsupported: Array
    pending: Array
    messages: list[str]

    def __len__(self) -> int:
        return len(self.blocks)

    def total(self, weights: Array) -> Array:
        """Return the sum over the rows of each block of weights, shape (R,)."""
        return np.bincount(self.owner, weights, len(self))


def read_cells(frame: pd.DataFrame, recovered: float = RECOVERED) -> Cells:
    """Read results.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.frame`. Where several runs hold the same trial of a problem,
        number of pools and solver, the latest run counts.
    recovered : float, optional
        The squared cosine above which a signal is recovered.
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
        rows = np.repeat(kept, sizes)
        frame, blocks, sizes = frame[rows], blocks[kept].reset_index(drop=True), sizes[kept]
    owner = np.repeat(np.arange(len(blocks)), sizes)
    return _read(frame, blocks, owner, recovered)


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


def _read(frame: pd.DataFrame, blocks: pd.DataFrame, owner: Array, recovered: float) -> Cells:
    status = frame["status"]
    done, unsupported, pending = (
        (status == name).to_numpy(bool) for name in ("done", "unsupported", "pending")
    )
    cosine = frame["squared_cosine"].to_numpy(float)
    ran, found = ~(unsupported | pending), done & np.isfinite(cosine)
    score = np.where(found, cosine, 0.0)
    init = frame["init_seconds"].to_numpy(float)
    told = np.flatnonzero(unsupported | (ran & ~found))
    messages = [""] * len(blocks)
    said: dict[int, dict[str, None]] = {}
    for row, message in zip(told, frame["message"].iloc[told], strict=True):
        said.setdefault(int(owner[row]), {})[message] = None
    for block, each in said.items():
        messages[block] = "; ".join(filter(None, each))
    return Cells(
        blocks=blocks,
        owner=owner,
        signal=frame["signal"].to_numpy(np.int64),
        ran=ran,
        lost=ran & ~found,
        won=found & (score > recovered),
        score=score,
        seconds=init + frame["solve_seconds"].to_numpy(float),
        init_seconds=init,
        cost=signal_costs(frame, owner),
        unsupported=np.bincount(owner, unsupported, len(blocks)).astype(int),
        pending=np.bincount(owner, pending, len(blocks)).astype(int),
        messages=messages,
    )


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
    rows, blocks : ndarray of int
        Of the `Cells`.
    labels : list of str
        The S solvers, in order of appearance.
    pools : ndarray, shape (G,)
        The grid of K; a single NaN where the frame has no number of pools.
    solver, cluster, column : ndarray, shape of `rows`
        The places of each row in the arrays that follow.
    trials, signals : bool
        Whether clusters are trials; else they are the signals of the one trial that there is.
    shape : tuple of int
        (S, C, G).
    """

    blocks: Array
    rows: Array
    labels: list[str]
    pools: Array
    place: Array
    shape: tuple[int, int, int]
    one_frame: bool

    def sums(self, weights: Array) -> Array:
        """Add weights of all rows up by solver, cluster and K: (S, C, G)."""
        size = int(np.prod(self.shape))
        return np.bincount(self.place, weights[self.rows], size).reshape(self.shape)


def problems(cells: Cells) -> Iterator[Problem]:
    """Yield the counts of each problem, in order of appearance."""
    number = cells.blocks["problem"].to_numpy()
    order = np.argsort(number[cells.owner], kind="stable")
    ends = np.searchsorted(number[cells.owner][order], np.arange(number.max(initial=-1) + 2))
    for index in range(len(ends) - 1):
        rows = order[ends[index] : ends[index + 1]]
        yield _problem(cells, np.flatnonzero(number == index), rows)


def _problem(cells: Cells, mine: Array, rows: Array) -> Problem:
    import pandas as pd

    blocks = cells.blocks.iloc[mine]
    solver, labels = pd.factorize(blocks["label"])
    pools, column = np.unique(
        blocks["n_pools"].to_numpy(float, na_value=np.nan), return_inverse=True
    )
    draws, draw = np.unique(blocks["draw"], return_inverse=True)
    one = len(draws) == 1
    within = np.full(len(cells), -1)
    within[mine] = np.arange(len(mine))
    block = within[cells.owner[rows]]
    if one:
        clusters, cluster = np.unique(cells.signal[rows], return_inverse=True)
    else:
        clusters, cluster = draws, draw[block]
    shape = (len(labels), len(clusters), len(pools))
    place = (solver[block] * shape[1] + cluster) * shape[2] + column[block]
    return Problem(mine, rows, [str(label) for label in labels], pools, place, shape, one)
