"""Building the components of stored results again for a report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from benchbase.discovery.registry import registry

if TYPE_CHECKING:
    import pandas as pd

_OF_SUITES = ("label", "points", "time_limit")
"""Keys of a suite's [[solver]] table that are not parameters of the solver."""


def component_of(row: pd.Series[Any], kind: str) -> Any:
    """Build the component that a row of results names.

    Parameters
    ----------
    row : pandas.Series
        A row of `benchbase.Results.rows`, or of a table that has its columns for that kind.
    kind : {"dataset", "frame", "pooling", "noise", "hint"}
        Which of the row's components to build.

    Returns
    -------
    Component
        A `Dataset`, `FrameDesign`, `Pooling`, `Noise` or `Hint`.

    Raises
    ------
    SpecError
        If the component is not installed, or has a parameter that the columns hold as text, such
        as a list.
    """
    parameters = row[[c for c in row.index if c.startswith(f"{kind}.")]].dropna()
    spec = {str(name).partition(".")[2]: _plain(value) for name, value in parameters.items()}
    return registry().build(kind, {"name": row[kind], **spec})


def solver_specs(suites: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the specs of the solvers in the suites that were run.

    Parameters
    ----------
    suites : list of dict
        As from `benchbase.Results.suites`.

    Returns
    -------
    dict
        Specs by experiment and label. If several runs have the same two, the latest run counts.
    """
    specs = {}
    for run in suites:
        for experiment in json.loads(run.get("resolved", "{}")).get("experiments", ()):
            for entry in experiment["solvers"]:
                own = {key: value for key, value in entry.items() if key not in _OF_SUITES}
                specs[experiment["name"], entry["label"]] = own
    return specs


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
