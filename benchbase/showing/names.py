"""Names of problems, poolings and solvers for people: each is said in one way everywhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase.showing.samples import REDUCED
from benchbase.showing.summary import problem_columns, setting_columns

if TYPE_CHECKING:
    import pandas as pd

_SAID_ANYWAY = ("n", "pool_size", "p", "rectified")
_LONGEST = 24


def solver_names(summary: pd.DataFrame) -> list[str]:
    """Return the name of each row's solver: its label, and how it differs from a full sample.

    A solver that was given fewer points than others has them after its label, as in "a (5 pts)".
    One whose sample is smaller for another reason at any number of pools carries a mark: "a †".

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarise`, or another table with the columns ``label``, ``points`` and ``reduced``.
    """
    problem = problem_columns(summary)
    most = summary.groupby(problem, dropna=False)["points"].transform("max")
    own = summary.groupby([*problem, "label", "points"], dropna=False)
    marked = own["reduced"].transform("any")
    rows = zip(summary["label"], summary["points"], most, marked, strict=True)
    return [
        f"{label} ({points} {'pt' if points == 1 else 'pts'})"
        if points < full
        else f"{label} {REDUCED}"
        if few
        else label
        for label, points, full, few in rows
    ]


def setting_name(row: pd.Series[Any], varying: Sequence[str]) -> str:
    """Name a row's experiment, data set and frames, and its noise and hint if there are any.

    Parameters
    ----------
    row : pandas.Series
        A row of a summary, or of `benchbase.Results.rows`.
    varying : sequence of str
        Columns of parameters to name as well, as from `varying_parameters`.
    """
    import pandas as pd

    dataset = [f"{row['dataset']}, n = {row['n']}"]
    frame = [f"{row['frame']} frame"]
    if not pd.isna(row["pool_size"]):
        frame.append(f"pools of {row['pool_size']}")
    dataset += _parameters(row, [c for c in varying if c.startswith("dataset.")])
    frame += _parameters(row, [c for c in varying if c.startswith("frame.")])
    parts = [row["experiment"], ", ".join(dataset), ", ".join(frame)]
    for kind in ("noise", "hint"):
        if row[kind]:
            own = _parameters(row, [c for c in row.index if c.startswith(f"{kind}.")])
            parts.append(", ".join([f"{row[kind]} {kind}", *own]))
    return " · ".join(part for part in parts if part)


def varying_parameters(summary: pd.DataFrame) -> list[str]:
    """Return the columns of settings' parameters that take several values in a summary."""
    parameters = [column for column in setting_columns(summary) if "." in column]
    return [c for c in parameters if len(summary[c].drop_duplicates()) > 1]


def lp_name(p: float) -> str:
    """Name the norm with an exponent: "ℓ1", "ℓ2", "ℓ∞"."""
    return "ℓ∞" if math.isinf(p) else f"ℓ{p:g}"


def norm_name(row: pd.Series[Any]) -> str:
    """Name the norm that a pooling takes of each pool: "ℓ2", "ℓ∞", or "maxout" if it has no p."""
    if math.isnan(row["p"]):
        return str(row["pooling"])
    norm = lp_name(row["p"])
    return norm if row["pooling"] == "lp" else f"{norm} ({row['pooling']})"


def variant_name(row: pd.Series[Any]) -> str:
    """Name the rest of a pooling: "linear", "rectified" or "rectified, threshold .1"."""
    return ", ".join(["rectified" if row["rectified"] else "linear", *_pooling_parameters(row)])


def pooling_name(row: pd.Series[Any]) -> str:
    """Name a pooling: "ℓ2", "rectified ℓ2, threshold .1" or "maxout"."""
    norm = f"rectified {norm_name(row)}" if row["rectified"] else norm_name(row)
    return ", ".join([norm, *_pooling_parameters(row)])


def _pooling_parameters(row: pd.Series[Any]) -> Iterator[str]:
    return _parameters(row, [c for c in row.index if c.startswith("pooling.")])


def _parameters(row: pd.Series[Any], columns: Sequence[str]) -> Iterator[str]:
    """Yield "threshold .1" and the like for parameters that are not empty, 0 or false."""
    import pandas as pd

    for column in columns:
        name = column.partition(".")[2]
        value = row[column]
        if name in _SAID_ANYWAY or pd.isna(value) or not value:
            continue
        if isinstance(value, bool | np.bool_):
            yield name
        elif isinstance(value, str):
            yield f"{name} {value if len(value) <= _LONGEST else value[:_LONGEST] + '…'}"
        else:
            yield f"{name} {f'{value:g}'.removeprefix('0')}"
