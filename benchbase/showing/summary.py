"""The statistics of results: from one row per signal to one row per problem, solver and K.

These rules hold for every number that a report shows:

- A signal counts with its squared cosine if its status is "done" and the score is finite. Every
  other outcome counts as a squared cosine of 0.
- Signals whose status is "unsupported" or "pending" are left out and counted separately.
- The signals of one trial share a frame, so they are not an independent sample. Over T ≥ 2 trials
  the standard error is s/√T, where s is the standard deviation of the trials' means (with T − 1).
  One trial says nothing about other frames: its standard error is s/√S over its S signals and
  holds for its frame only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchbase.showing.samples import reduced

if TYPE_CHECKING:
    import pandas as pd

EXACT = 0.99
"""A signal whose squared cosine is above this is recovered exactly, in the paper's words."""

RECOVERED = 0.999
"""A signal whose squared cosine is above this is recovered, wherever successes are counted."""

FITS = 1e-6
"""An estimate whose relative residual is at most this fits the measurements, right or wrong."""

STATISTICS = {
    "signals": "signals with an outcome, failed ones included",
    "trials": "trials (each with its own frame) that they come from",
    "mean_squared_cosine": "mean of the trials' means; once all ran, that of all signals",
    "standard_error": "its standard error, clustered by trial; NaN for a single signal",
    "exact_share": f"share of signals with a squared cosine above {EXACT}, mean of the trials'",
    "wrong_fit_share": f"share of signals that fit their measurements (residual of at most "
    f"{FITS:g}) and are wrong (squared cosine of at most {RECOVERED}), mean of the trials'",
    "seconds": "mean seconds per signal, start and solution, without preparation",
    "failed": "signals without a finite estimate, counted as 0",
    "unsupported": "signals that the solver does not apply to, left out",
    "pending": "signals without an outcome yet, left out",
    "not_isolated": "signals that were solved in benchbase's own process",
    "message": "why signals failed or are unsupported",
    "reduced": "whether another solver has more signals or trials of the same problem and K",
}
"""The columns that `summarise` adds to those that name a cell, and what each holds."""

_SETTING = ("suite", "experiment", "dataset", "n", "frame", "pool_size", "noise", "hint")
_KINDS = ("dataset.", "frame.", "noise.", "hint.")
_POOLING = ("pooling", "p", "rectified")


def setting_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns that tell experiments, data sets, frames, noise and hints apart."""
    return [*_SETTING, *(name for kind in _KINDS for name in _parameters(frame, kind))]


def problem_columns(frame: pd.DataFrame) -> list[str]:
    """Return the columns that tell problems apart, except for the number of pools."""
    return [*setting_columns(frame), *_POOLING, *_parameters(frame, "pooling.")]


def _parameters(frame: pd.DataFrame, part: str) -> list[str]:
    return [c for c in frame.columns if c.startswith(part) and c != "frame.n_pools"]


def split(table: pd.DataFrame, columns: list[str]) -> list[pd.DataFrame]:
    """Split a table by the values of columns, in order of first appearance."""
    return [part for _, part in table.groupby(columns, dropna=False, sort=False)]


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the statistics of every problem, solver and number of pools.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`. If several runs hold the same trial of a problem,
        solver and number of points, the latest run counts.

    Returns
    -------
    pandas.DataFrame
        One row for each combination of `problem_columns`, ``label``, ``n_pools`` and ``points``,
        in order of first appearance, with the columns of `STATISTICS`. Mean, standard error,
        shares and seconds are NaN if nothing was computed.
    """
    import pandas as pd

    keys = [*problem_columns(frame), "label", "n_pools", "points"]
    frame = frame.assign(cell=frame.groupby(keys, dropna=False, sort=False).ngroup())
    cells = frame.drop_duplicates("cell").set_index("cell")[keys]
    frame = with_scores(latest(frame, ["cell"]))

    signals = frame.groupby("cell")
    means = ["score", "exact", "wrong_fit"]
    trials = frame.groupby(["cell", "seed", "trial"])[means].mean().groupby("cell")
    n_signals, n_trials = signals["score"].count(), trials["score"].count()
    between: pd.Series[float] = trials["score"].std() / np.sqrt(n_trials)
    within: pd.Series[float] = signals["score"].std() / np.sqrt(n_signals)
    statistics = {
        "signals": n_signals,
        "trials": n_trials,
        "mean_squared_cosine": trials["score"].mean(),
        "standard_error": between.where(n_trials > 1, within),
        "exact_share": trials["exact"].mean(),
        "wrong_fit_share": trials["wrong_fit"].mean(),
        "seconds": signals["seconds"].mean(),
        "failed": signals["lost"].sum(),
        "unsupported": signals["unsupported"].sum(),
        "pending": signals["pending"].sum(),
        "not_isolated": signals["not_isolated"].sum(),
        "message": signals["mishap"].agg(_together),
    }
    table = pd.concat([cells, pd.DataFrame(statistics)], axis=1).reset_index(drop=True)
    return table.assign(reduced=reduced(table, [*problem_columns(table), "n_pools"]))


def latest(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the rows without those of trials that a later run holds as well.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`.
    keys : list of str
        The columns that tell problems and solvers apart.
    """
    trial = [*keys, "seed", "trial"]
    newest = frame.groupby(trial, dropna=False, sort=False)["run"].transform("max")
    return frame[frame["run"] == newest]


def with_scores(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the columns that statistics are made of.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`.

    Returns
    -------
    pandas.DataFrame
        The same rows with ``score`` (the squared cosine that counts), ``exact`` and ``wrong_fit``
        (1.0 or 0.0), all three NaN for signals that are left out; with ``seconds``; with ``lost``,
        ``unsupported``, ``pending`` and ``not_isolated`` (booleans); and with ``mishap``, the
        message of a signal that failed or is unsupported, and otherwise "".
    """
    unsupported, pending = (frame["status"] == status for status in ("unsupported", "pending"))
    ran = ~(unsupported | pending)
    found = (frame["status"] == "done") & np.isfinite(frame["squared_cosine"])
    score = frame["squared_cosine"].where(found, 0.0).where(ran)
    wrong = found & (frame["residual"] <= FITS) & (score <= RECOVERED)
    return frame.assign(
        score=score,
        exact=(score > EXACT).astype("float64").where(ran),
        wrong_fit=wrong.astype("float64").where(ran),
        seconds=frame["init_seconds"] + frame["solve_seconds"],
        lost=ran & ~found,
        unsupported=unsupported,
        pending=pending,
        not_isolated=frame["isolated"].eq(other=False).fillna(value=False),
        mishap=frame["message"].where(unsupported | (ran & ~found), ""),
    )


def _together(messages: pd.Series[str]) -> str:
    return "; ".join(message for message in messages.unique() if message)
