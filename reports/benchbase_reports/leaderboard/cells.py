"""From one row per signal to blocks of rows of one cell, whose common columns are read once.

Millions of rows take a second or two, because the columns that tell problems apart are read at the
first row of each block only, and few steps pass over all rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase import Array
from benchbase.showing import RECOVERED, problem_columns

if TYPE_CHECKING:
    import pandas as pd

ROUNDING = 1e-12
"""The relative error of a signal's cost, which is a quotient; budgets allow for it."""

_PER_SIGNAL = ("frame_applications", "init_seconds", "solve_seconds")
"""Columns that hold the mean over a chunk for each of its signals."""


@dataclass(frozen=True)
class Cells:
    """All results of a suite, as arrays over R signals and B blocks.

    Attributes
    ----------
    blocks : pandas.DataFrame, B rows
        A block is a stretch of rows of one cell. The columns are `problem_columns`, label, solver,
        seed, trial, n_pools and cell, then ``problem`` and ``draw``, which number the problems and
        the pairs of seed and trial.
    starts, sizes : ndarray, shape (B,)
        The first row of each block, and its number of rows.
    signal : ndarray, shape (R,)
        The signal's number within its trial.
    score : ndarray, shape (R,)
        The squared cosine; 0 if the signal is lost, NaN if it has no outcome.
    cost : ndarray, shape (R,)
        The frame applications of a signal; NaN if they are not counted.
    ran, won, within : ndarray of bool, shape (R,)
        Whether a signal has an outcome; is recovered, whatever it took; is within the budget.
    totals : dict of ndarray, shape (B,)
        Sums over the signals of each block: "ran" (has an outcome), "lost" (has one without a
        finite estimate), "won" (is recovered within the budget), "score", "unsupported", "pending",
        and "seconds", "init_seconds" and "cost" of the signals for which they are known. The
        numbers of these signals are "seconds known" and so on.
    messages : dict
        Why signals failed or are unsupported, by block.
    """

    blocks: pd.DataFrame
    starts: Array
    sizes: Array
    signal: Array
    score: Array
    cost: Array
    ran: Array
    won: Array
    within: Array
    totals: dict[str, Array]
    messages: dict[int, str]

    def rows(self, blocks: Array) -> Array:
        """Return the numbers of the rows of some blocks, one block after the other."""
        sizes = self.sizes[blocks]
        before = np.cumsum(sizes) - sizes
        return repeat(self.starts[blocks] - before, sizes) + np.arange(sizes.sum())


def read_cells(
    frame: pd.DataFrame, *, recovered: float = RECOVERED, budget: float = math.inf
) -> Cells:
    """Read the results of a suite into blocks.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`. If several runs hold the same trial of a problem,
        number of pools and solver, the latest run counts.
    recovered : float, optional
        The squared cosine above which a signal is recovered.
    budget : float, optional
        The frame applications above which a signal is not recovered.
    """
    import pandas as pd

    starts = _starts(frame)
    sizes = np.diff(np.append(starts, len(frame)))
    columns = problem_columns(frame)
    heads = [*columns, "label", "solver", "run", "seed", "trial", "n_pools", "points", "cell"]
    # One column at a time: selecting the columns first would copy all rows.
    taken = {name: frame[name].iloc[starts].array for name in dict.fromkeys(heads)}
    blocks = pd.DataFrame(taken)
    blocks["problem"] = _number(blocks, columns, sort=False)
    blocks["draw"] = _number(blocks, ["seed", "trial"], sort=True)
    if len(blocks["run"].unique()) > 1:
        group = ["problem", "label", "draw", "n_pools"]
        newest = blocks["run"] == blocks.groupby(group, dropna=False)["run"].transform("max")
        kept = newest.to_numpy(bool)
        if not kept.all():
            frame, blocks, sizes = frame[np.repeat(kept, sizes)], blocks[kept], sizes[kept]
            starts, blocks = np.cumsum(sizes) - sizes, blocks.reset_index(drop=True)
    return _read(frame, blocks, starts, sizes, recovered, budget)


def _starts(frame: pd.DataFrame) -> Array:
    """Return the first row of each block: the signals of a cell are numbered upwards."""
    if frame.empty:
        return np.zeros(0, int)
    signal = frame["signal"].to_numpy(np.int64)
    starts = np.append(0, 1 + np.flatnonzero(signal[1:] <= signal[:-1]))
    ends = np.append(starts[1:], len(frame)) - 1
    keys = [frame[name] for name in ("label", "cell")]
    if all(_equal(key.iloc[starts], key.iloc[ends]).all() for key in keys):
        return starts
    # Some signals were taken out, so that the numbers of one cell may follow those of another.
    new = signal[1:] <= signal[:-1]
    for key in keys:
        new |= ~_equal(key.iloc[1:], key.iloc[:-1])
    return np.append(0, 1 + np.flatnonzero(new))


def _equal(one: pd.Series[Any], other: pd.Series[Any] | str) -> Array:
    values = other if isinstance(other, str) else other.array
    return np.asarray(one.array == values, bool)


def _number(blocks: pd.DataFrame, columns: list[str], *, sort: bool) -> Any:
    """Return the number of each row's group; columns with a single value play no part."""
    varying = [name for name in columns if len(blocks[name].unique()) > 1]
    if not varying:
        return np.zeros(len(blocks), int)
    return blocks.groupby(varying, dropna=False, sort=sort).ngroup().to_numpy()


def _read(
    frame: pd.DataFrame,
    blocks: pd.DataFrame,
    starts: Array,
    sizes: Array,
    recovered: float,
    budget: float,
) -> Cells:
    done, unsupported, pending = _states(frame["status"])
    cosine = frame["squared_cosine"].to_numpy(float)
    found = done & np.isfinite(cosine)
    ran = ~(unsupported | pending)
    lost = ran & ~found
    won = found & (cosine > recovered)
    chunks = _chunks(frame, starts)
    cost = signal_costs(frame, chunks)
    within = np.ones(len(won), bool) if math.isinf(budget) else cost <= budget * (1 + ROUNDING)
    score = cosine if found.all() else np.where(found, cosine, np.where(ran, 0.0, np.nan))
    flags = {"ran": ran, "lost": lost, "unsupported": unsupported, "pending": pending}
    totals = {name: _count(flag, starts) for name, flag in flags.items()}
    totals |= {"won": _count(won & within, starts)}
    filled = score if ran.all() else np.where(ran, score, 0.0)
    totals |= {"score": np.add.reduceat(filled, starts) if len(starts) else np.zeros(0)}
    return Cells(
        blocks=blocks,
        starts=starts,
        sizes=sizes,
        signal=frame["signal"].to_numpy(np.int64),
        score=score,
        cost=cost,
        ran=ran,
        won=won,
        within=within,
        totals=totals | _spent(frame, chunks, _count(ran, chunks), starts),
        messages=_messages(frame["message"], starts, unsupported | lost),
    )


def _states(status: pd.Series[str]) -> tuple[Array, Array, Array]:
    """Return which rows are done, unsupported and pending."""
    done = _equal(status, "done")
    others = np.flatnonzero(~done)
    rest = status.iloc[others]
    found = [done]
    for name in ("unsupported", "pending"):
        flag = np.zeros(len(done), bool)
        flag[others] = _equal(rest, name)
        found.append(flag)
    return found[0], found[1], found[2]


def _count(flag: Array, starts: Array) -> Array:
    """Count the marked rows from each start to the next, (B,)."""
    if flag.all():
        return np.diff(np.append(starts, len(flag)))
    return np.diff(np.searchsorted(np.flatnonzero(flag), np.append(starts, len(flag))))


def _chunks(frame: pd.DataFrame, starts: Array) -> Array:
    """Return the first row of each chunk: its rows have the same costs, so equal chunks are one."""
    new = np.zeros(len(frame), bool)
    new[starts] = True
    for name in _PER_SIGNAL:
        bits = np.ascontiguousarray(frame[name].to_numpy(float)).view(
            np.int64
        )  # so that NaN equals NaN
        new[1:] |= bits[1:] != bits[:-1]
    return np.flatnonzero(new)


def _spent(frame: pd.DataFrame, chunks: Array, ran: Array, starts: Array) -> dict[str, Array]:
    """Sum the costs of each block's signals, from the means of its chunks."""
    applications, init, solve = (frame[name].iloc[chunks].to_numpy(float) for name in _PER_SIGNAL)
    first = np.searchsorted(chunks, starts)  # a block begins with a chunk
    found = {}
    for name, each in (("seconds", init + solve), ("init_seconds", init), ("cost", applications)):
        known = np.where(np.isfinite(each), ran, 0)
        whole = np.where(known > 0, each, 0.0) * known
        for kind, values in ((name, whole), (f"{name} known", known)):
            found[kind] = np.add.reduceat(values, first) if len(first) else np.zeros(0)
    return found


def _messages(messages: pd.Series[str], starts: Array, marked: Array) -> dict[int, str]:
    """Return the messages of marked rows, joined by block."""
    import pandas as pd

    rows = np.flatnonzero(marked)
    owner = np.searchsorted(starts, rows, side="right") - 1
    pairs = pd.DataFrame({"block": owner, "message": messages.iloc[rows].array})
    pairs = pairs[pairs["message"] != ""].drop_duplicates()
    found: dict[int, list[str]] = {}
    for block, message in zip(pairs["block"], pairs["message"], strict=True):
        found.setdefault(int(block), []).append(str(message))
    return {block: "; ".join(each) for block, each in found.items()}


def signal_costs(frame: pd.DataFrame, chunks: Array) -> Array:
    """Return the frame applications of each signal.

    Applications are stored as means over chunks of signals, and iterations for each signal. A
    signal's cost is the chunk's mean × its iterations / their mean over the chunk. That is exact
    if the cost is proportional to iterations. Without iterations it is the chunk's mean.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`, R rows.
    chunks : ndarray
        The first row of each chunk.

    Returns
    -------
    ndarray, shape (R,)
        NaN if the solver's applications are not counted.
    """
    if not len(chunks):
        return np.zeros(0)
    sizes = np.diff(np.append(chunks, len(frame)))
    steps = frame["n_iter"].to_numpy(float, na_value=np.nan)
    # The sum is NaN if iterations are missing: those of a chunk count only as a whole.
    average = np.add.reduceat(steps, chunks) / sizes
    whole = average > 0
    mean = frame["frame_applications"].iloc[chunks].to_numpy(float)
    cost = repeat(mean / np.where(whole, average, 1.0), sizes)
    cost *= steps if whole.all() else np.where(repeat(whole, sizes), steps, 1.0)
    return cost


def repeat(values: Array, sizes: Array) -> Array:
    """Return `np.repeat`, which is several times as fast if it gets one size for all."""
    same = len(sizes) > 0 and (sizes == sizes[0]).all()
    repeated: Array = np.repeat(values, sizes[0] if same else sizes)
    return repeated
