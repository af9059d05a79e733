"""Phase transitions: the numbers of pools K50 and K95 that recover half and 95 % of the signals.

How K50 and K95 are found, from the successes at each K of the grid:

- Success follows a logistic curve in K, fitted by Firth's penalised likelihood ("Bias reduction of
  maximum likelihood estimates", Biometrika 1993). Its estimates are finite even if successes and
  failures are separated, as in 0, 0, 1, 1 (Heinze and Schemper, "A solution to the problem of
  separation in logistic regression", Statistics in Medicine 2002).
- The 95 % interval comes from the delta method. Its variance is the larger of two: the model's,
  and the sandwich over trials (whose signals share frames) times T / (T − 1). Its quantile is
  Student's t with T − 1 degrees of freedom. A single trial has the model's variance and the normal
  quantile: its interval is for its own frames only.
- Nothing is read off the curve outside the grid. A number above the largest K is infinite; one
  below the least K is the least K. An interval that leaves the grid ends at the outermost K of the
  grid at which the curve is significantly below or above the level; if there is none, it ends at 0
  or infinity.
- If at most one K has both successes and failures, any steep curve fits, and the interval is
  widened to the neighbours in the grid between which success passes the level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase.showing import (
    FITS,
    RECOVERED,
    latest,
    problem_columns,
    reduced,
    with_scores,
)
from benchbase_reports.statistics.logistic import LEVELS, bracket, find_levels, fit_many

if TYPE_CHECKING:
    import pandas as pd

    from benchbase import Array

COLUMNS = {
    "trials": "trials (each with frames of its own) that it comes from",
    "signals": "signals with an outcome at any K, failed ones included",
    "reduced": "whether another solver has more signals or trials of the same problem",
    "least": "the least K with an outcome",
    "largest": "the largest",
    "K50": "K at which half of the signals are recovered; inf: more than the largest",
    "K50_low": "lower end of its 95 % interval; 0 below the least K",
    "K50_high": "upper end; inf above the largest K",
    "K95": "K at which 95 % are recovered, as K50",
    "K95_low": "lower end of its 95 % interval",
    "K95_high": "upper end",
    "K95_per_n": "K95 / n",
    "last_below": "largest K at which fewer than 95 % were recovered; 0 if there is none",
    "all_from": "least K from which on 95 % were recovered at every K; inf if there is none",
    "at": "the least K of the grid that is at least K95",
    "seconds": "mean seconds per signal at that K, start and solution, without preparation",
    "frame_applications": "mean frame applications per signal at that K",
    "wrong_fit_share": f"share of signals, at all K, that fit (residual ≤ {FITS:g}) and are wrong",
    "failed": "signals without a finite estimate, counted as not recovered",
    "unsupported": "signals that the solver does not apply to, left out",
    "pending": "signals without an outcome yet, left out",
    "message": "why signals failed or are unsupported",
}
"""The columns that `transitions` adds to those of problem and solver, and what each holds."""

_WHOLE = ("trials", "signals", "least", "largest", "at", "failed", "unsupported", "pending")
_NEEDED = ["solver", "draw", "n", "n_pools", "score", "residual", "seconds", "frame_applications"]
_NEEDED += ["lost", "unsupported", "pending", "mishap"]


@dataclass(frozen=True)
class Crossing:
    """A number of pools at which success passes a level, and its 95 % interval.

    Attributes
    ----------
    value : float
        The number of pools. It is infinite above the largest K of the grid, and the least K at or
        below the least. It is NaN if success passes the level but does not grow with K.
    low, high : float
        The ends of the interval: 0 below the least K, infinity above the largest.
    """

    value: float
    low: float
    high: float


def find_crossings(pools: Array, successes: Array, sizes: Array) -> dict[str, Crossing]:
    """Return K50 and K95 of one solver, by the rules of this module.

    Parameters
    ----------
    pools : ndarray, shape (G,)
        The grid, ascending.
    successes, sizes : ndarray, shape (T, G)
        The signals that were recovered, and all signals, of each trial at each K.
    """
    found = _crossings(pools, successes[None], sizes[None])
    return {name: Crossing(*(float(each[0]) for each in ends)) for name, ends in found.items()}


def _crossings(pools: Array, successes: Array, sizes: Array) -> dict[str, tuple[Array, ...]]:
    """Return value, low and high of K50 and K95 of B solvers, from arrays (B, T, G)."""
    fits = fit_many(pools, successes, sizes)
    pooled = successes.sum(axis=1), sizes.sum(axis=1)
    return {name: find_levels(fits, pools, *pooled, level) for name, level in LEVELS.items()}


def transitions(frame: pd.DataFrame, recovered: float = RECOVERED) -> pd.DataFrame:
    """Return K50 and K95 of each solver on each problem, and what it costs there.

    A signal is recovered if its squared cosine is above `recovered`. A signal that failed, or has
    no finite estimate, is not recovered. Signals that the solver does not apply to, and those
    without an outcome yet, are left out.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`. If several runs hold the same trial of a problem,
        solver and number of points, the latest run counts. Frames without a number of pools are
        left out.
    recovered : float, optional
        The squared cosine above which a signal is recovered.

    Returns
    -------
    pandas.DataFrame
        One row for each combination of `problem_columns`, ``label`` and ``points``, in order of
        first appearance, with the columns of `COLUMNS`. Numbers are NaN if nothing was computed.
    """
    import pandas as pd

    keys = [*problem_columns(frame), "label", "points"]
    scored = with_scores(latest(frame[frame["n_pools"].notna()], [*keys, "n_pools"]))
    scored = scored.assign(
        solver=scored.groupby(keys, dropna=False, sort=False).ngroup(),
        draw=scored.groupby(["seed", "trial"]).ngroup(),
    )
    heads = scored.drop_duplicates("solver")[keys].reset_index(drop=True)
    found = _levels(scored[scored["score"].notna()], len(heads), recovered)
    parts = scored[_NEEDED].groupby("solver", sort=False)
    rows = [
        _row(part, recovered, dict(zip(found, own, strict=True)))
        for (_, part), own in zip(parts, zip(*found.values(), strict=True), strict=True)
    ]
    table = pd.concat([heads, pd.DataFrame(rows, columns=[*COLUMNS])], axis=1)
    table["reduced"] = reduced(table, problem_columns(table))
    return table.astype(dict.fromkeys(_WHOLE, "Int64"))


def _levels(scored: pd.DataFrame, count: int, recovered: float) -> dict[str, Array]:
    """Return K50 and K95 with intervals, the bracket of K95, and the trials, of all solvers."""
    pools, column = np.unique(scored["n_pools"].to_numpy(float), return_inverse=True)
    draws, trial = np.unique(scored["draw"].to_numpy(), return_inverse=True)
    shape = count, len(draws), len(pools)
    place = np.ravel_multi_index((scored["solver"].to_numpy(), trial, column), shape)
    won = (scored["score"] > recovered).to_numpy(bool)
    successes, sizes = (
        np.bincount(each, minlength=math.prod(shape)).reshape(shape).astype(float)
        for each in (place[won], place)
    )
    found: dict[str, Array] = {}
    for name, ends in _crossings(pools, successes, sizes).items():
        found |= dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
    with np.errstate(invalid="ignore"):
        share = successes.sum(axis=1) / sizes.sum(axis=1)
    last, first = bracket(pools, share, LEVELS["K95"])
    trials = sizes.any(axis=2).sum(axis=1)
    return found | {"last_below": last, "all_from": first, "trials": trials}


def _row(part: pd.DataFrame, recovered: float, levels: dict[str, float]) -> dict[str, Any]:
    """Return one row of the table, from a solver's signals on a problem and its levels."""
    mishaps = {
        "failed": int(part["lost"].sum()),
        "unsupported": int(part["unsupported"].sum()),
        "pending": int(part["pending"].sum()),
        "message": "; ".join(message for message in part["mishap"].unique() if message),
    }
    part = part[part["score"].notna()]
    if part.empty:
        return {"trials": 0, "signals": 0} | mishaps
    score, k = part["score"].to_numpy(float), part["n_pools"].to_numpy(float)
    fits = ~part["lost"].to_numpy(bool) & (part["residual"] <= FITS).to_numpy(bool)
    at = k[k >= levels["K95"]].min(initial=math.inf)
    there = part[k == at]
    return {
        "signals": len(part),
        "least": k.min(),
        "largest": k.max(),
        **levels,
        "K95_per_n": levels["K95"] / int(part["n"].iloc[0]),
        "at": at if math.isfinite(at) else None,
        "seconds": there["seconds"].mean(),
        "frame_applications": there["frame_applications"].mean(),
        "wrong_fit_share": float(np.mean(fits & (score <= recovered))),
        **mishaps,
    }
