"""Accuracy while solvers work: curves over iterations and seconds, from what they record.

How a curve is made:

- Each phase and each restart counts its iterations from 0; they add up over phases.
- At each moment a signal counts with its estimate of the least residual so far, because that is
  the estimate which a solver could return without knowing the signal.
- After its last record a signal keeps its error, since solved signals leave a solver's batch.
  Records of an estimate that no longer changes add no iterations.
- A signal without an estimate counts as a relative error of 1, as an estimate of 0 would. A curve
  begins where half of its signals have an estimate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchbase.showing import latest, problem_columns, reduced, split, with_scores

if TYPE_CHECKING:
    import pandas as pd

    from benchbase import Array

COLUMNS = {
    "axis": "iterations or seconds",
    "at": "iterations or seconds per signal",
    "signals": "signals with an outcome, over all trials",
    "reduced": "whether another solver has more of the same problem and K",
    "lower": "lower quartile of the relative errors, at the least residual so far",
    "median": "median of the same",
    "upper": "upper quartile of the same",
}
"""The columns that `trace_curves` adds to those that name problem and solver."""

AXES = ("iterations", "seconds")
_PLACES = 120  # on a curve, at most

_SIGNAL = ["cell", "signal"]


def trace_curves(frame: pd.DataFrame, traces: pd.DataFrame) -> pd.DataFrame:
    """Return the quartiles of the relative error against iterations and seconds.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`.
    traces : pandas.DataFrame
        As from `benchbase.Results.traces`.

    Returns
    -------
    pandas.DataFrame
        Several rows, one per place on the curve, for each combination of `problem_columns`,
        ``n_pools``, ``label`` and ``points`` that has traces, with the columns of `COLUMNS`.
    """
    import pandas as pd

    keys = [*problem_columns(frame), "n_pools", "label", "points"]
    nothing = pd.DataFrame(columns=[*keys, *COLUMNS])
    if traces.empty:  # its columns have no types then
        return nothing
    scored = with_scores(latest(frame, keys))
    outcomes = scored[scored["score"].notna()]
    steps = {str(cell): rows for cell, rows in cumulate(traces).groupby("cell", sort=False)}
    curves = []
    for part in split(outcomes, keys) if len(outcomes) else []:
        cells = [cell for cell in part["cell"].unique() if cell in steps]
        if not cells:
            continue
        own = pd.concat([steps[cell] for cell in cells]).merge(part[_SIGNAL], on=_SIGNAL)
        name = part.iloc[[0]][keys].reset_index(drop=True)
        for axis in AXES:
            curve = quartiles(own, axis, len(part))
            heads = name.loc[name.index.repeat(len(curve))].reset_index(drop=True)
            curves.append(pd.concat([heads, curve.assign(axis=axis, signals=len(part))], axis=1))
    if not curves:
        return nothing
    table = pd.concat(curves, ignore_index=True)
    return table.assign(reduced=reduced(table, [*problem_columns(frame), "n_pools"]))[[*nothing]]


def cumulate(traces: pd.DataFrame) -> pd.DataFrame:
    """Return the iterations so far and the error of the best so far, for each signal and record.

    Parameters
    ----------
    traces : pandas.DataFrame
        As from `benchbase.Results.traces`.

    Returns
    -------
    pandas.DataFrame
        The columns ``cell``, ``signal``, ``iterations``, ``seconds`` and ``error``. The rows of a
        signal are in the order of its records. Records in which nothing changed are left out.
    """
    table = traces.assign(residual=traces["residual"].fillna(np.inf))
    # Of several runs of a signal that record together, only the best counts.
    table = table.sort_values([*_SIGNAL, "step", "residual"], kind="stable")
    table = table.drop_duplicates([*_SIGNAL, "step"])
    phase = [*_SIGNAL, "phase"]
    before = table.groupby(phase, sort=False)[["residual", "relative_error", "n_iter"]].shift()
    frozen = (before["residual"] == table["residual"]) & (
        before["relative_error"] == table["relative_error"]
    )
    table = table[~frozen]
    last = table.groupby(phase, sort=False)["n_iter"].shift().fillna(0)
    own = table["n_iter"]
    table = table.assign(iterations=own.where(own < last, own - last))  # fewer: it has begun again
    by_signal = table.groupby(_SIGNAL, sort=False)
    best = table["residual"] <= by_signal["residual"].cummin()
    error = table["relative_error"].fillna(1.0).where(best)
    table = table.assign(iterations=by_signal["iterations"].cumsum(), error=error)
    table["error"] = table.groupby(_SIGNAL, sort=False)["error"].ffill()
    return table[[*_SIGNAL, *AXES, "error"]]


def quartiles(steps: pd.DataFrame, axis: str, size: int) -> pd.DataFrame:
    """Return the quartiles of the errors of `size` signals at places along an axis.

    Parameters
    ----------
    steps : pandas.DataFrame
        From `cumulate`.
    axis : {"iterations", "seconds"}
        The axis.
    size : int
        The number of signals. Those that recorded nothing count with an error of 1.

    Returns
    -------
    pandas.DataFrame
        ``at``, ``lower``, ``median`` and ``upper``.
    """
    import pandas as pd

    at = steps[axis].to_numpy(float)
    places = _places(at)
    number = steps.groupby(_SIGNAL, sort=False).ngroup().to_numpy()
    errors: Array = np.full((max(size, int(number.max()) + 1), len(places)), np.nan)
    # The rows of a signal are in order, so its last one at a place counts.
    errors[number, np.searchsorted(places, at)] = steps["error"].to_numpy(float)
    errors = pd.DataFrame(errors).ffill(axis="columns").to_numpy(float)
    begun = np.isfinite(errors).mean(axis=0) >= 0.5
    begun[-1] = True
    found = np.quantile(np.where(np.isfinite(errors), errors, 1.0)[:, begun], (0.25, 0.5, 0.75), 0)
    lower, median, upper = found
    return pd.DataFrame({"at": places[begun], "lower": lower, "median": median, "upper": upper})


def _places(at: Array) -> Array:
    """Return all places of records, or as many as cover a logarithmic axis well."""
    places: Array = np.unique(at)
    positive = places[places > 0]
    if len(places) <= _PLACES:
        return places
    spaced = np.geomspace(positive[0], positive[-1], _PLACES - 1)
    spaced[-1] = positive[-1]
    return np.concatenate([places[places == 0], spaced])
