"""Errors and successes against a parameter of the problem, such as the SNR of its noise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase.showing import (
    RECOVERED,
    latest,
    problem_columns,
    reduced,
    split,
    with_scores,
)
from benchbase_reports.statistics.intervals import mean_interval

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "parameter": "the parameter that is swept",
    "value": "its value",
    "trials": "trials that the numbers come from",
    "signals": "signals with an outcome, failed ones included",
    "reduced": "whether another solver has more signals or trials of the same problem and K",
    "relative_error": "geometric mean of the trials' medians; errors below 1e-9, which are "
    "rounding, count as 1e-9; a lost signal counts as 1, as an estimate of 0 would",
    "relative_error_low": "lower end of its 95 % interval over trials; NaN for a single trial",
    "relative_error_high": "upper end",
    "success": f"share of signals with a squared cosine above {RECOVERED}, mean of the trials'",
    "success_low": "lower end of its 95 % interval over trials; NaN for a single trial",
    "success_high": "upper end",
    "bound": "Cramér-Rao bound on the relative error, averaged likewise, if noise has an SNR",
}
"""The columns that `sweeps` adds to those of problem and solver, and what each holds."""

_KINDS = ("dataset.", "frame.", "pooling.", "noise.", "hint.")
_NO_SWEEP = ("frame.n_pools", "pooling.p")
_FOLLOWS = {"dataset.": "n", "frame.": "pool_size"}
"""The columns that follow from the parameters of a kind, and so vary with them."""

_ROUNDING = 1e-9  # estimates are rounded to float32, so a smaller error is chance


def sweeps(frame: pd.DataFrame) -> pd.DataFrame:
    """Return errors and successes along every parameter that is swept.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`. If several runs hold the same trial of a problem,
        solver and number of points, the latest run counts.

    Returns
    -------
    pandas.DataFrame
        One row for each parameter that varies, combination of `problem_columns`, ``n_pools``,
        ``label`` and ``points``, with the columns of `COLUMNS` except for the bound. Combinations
        without an outcome are left out.
    """
    import pandas as pd

    points = _points(frame)
    found = []
    for parameter in map(str, frame.columns):
        if not _is_number(frame, parameter):
            continue
        rest = sweep_columns(points, parameter)
        for part in split(points[points[parameter].notna()], rest):
            if len(part[parameter].unique()) > 1:
                values = part[parameter].astype("float64")
                found.append(part.assign(parameter=parameter, value=values))
    columns = [*points.columns, *(c for c in COLUMNS if c not in points and c != "bound")]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def _is_number(frame: pd.DataFrame, column: str) -> bool:
    import pandas as pd

    if not column.startswith(_KINDS) or column in _NO_SWEEP:
        return False
    types = pd.api.types
    return types.is_numeric_dtype(frame[column]) and not types.is_bool_dtype(frame[column])


def sweep_columns(table: pd.DataFrame, parameter: str) -> list[str]:
    """Return the columns that stay the same along a sweep; the number of pools is one of them."""
    follows = {column for kind, column in _FOLLOWS.items() if parameter.startswith(kind)}
    names = [*problem_columns(table), "n_pools"]
    return [name for name in names if name != parameter and name not in follows]


def _points(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the errors and successes of every problem, solver and number of pools."""
    import pandas as pd

    keys = [*problem_columns(frame), "n_pools", "label", "points"]
    frame = frame.assign(cell=frame.groupby(keys, dropna=False, sort=False).ngroup())
    cells = frame.drop_duplicates("cell").set_index("cell")[keys]
    scored = with_scores(latest(frame, ["cell"]))
    scored = scored[scored["score"].notna()]
    found = (scored["status"] == "done") & np.isfinite(scored["relative_error"])
    scored = scored.assign(
        error=np.log(scored["relative_error"].where(found, 1.0).clip(lower=_ROUNDING)),
        won=scored["score"] > RECOVERED,
    )
    by_trial = scored.groupby(["cell", "seed", "trial"])
    trials = pd.DataFrame(
        {"error": by_trial["error"].median(), "won": by_trial["won"].mean()}
    ).reset_index()
    signals = scored.groupby("cell").size()
    rows = {}
    for number, part in trials.groupby("cell"):
        rows[number] = {
            "trials": len(part),
            "signals": signals[number],
            **_columns("relative_error", part["error"], np.exp),
            **_columns("success", part["won"], lambda share: np.clip(share, 0.0, 1.0)),
        }
    statistics = pd.DataFrame.from_dict(rows, orient="index")
    table = cells.join(statistics, how="inner")
    if len(table):
        table["reduced"] = reduced(table, [*problem_columns(table), "n_pools"])
    return table


def _columns(name: str, trials: pd.Series[float], scale: Any) -> dict[str, float]:
    """Return the columns of a mean over trials and its 95 % interval, put on another scale."""
    mean, low, high = mean_interval(trials.to_numpy(float))
    return {name: scale(mean), f"{name}_low": scale(low), f"{name}_high": scale(high)}
