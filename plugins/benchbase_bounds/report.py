"""The report ``bounds``: Lipschitz constants of a run's frames beside what was recovered."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchbase
from benchbase_bounds.figure import save
from benchbase_bounds.limits import limit

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

_PROBLEM = ["experiment", "dataset", "n", "frame", "pool_size", "pooling", "p", "rectified"]
_SHOWN = ["problem", "n_pools", "lower", "upper", "exact", "largest", "condition", "recovered"]


class Bounds(benchbase.Report):
    """The Lipschitz constants A and B of each frame, and B/A, beside the recovery of the solvers.

    A row a problem and number of pools, for the frame of the first trial: the certified lower and
    the best upper end of A, B or a bound of it, B over the upper end of A, the large-K limits
    of A and B where they are known, and the mean squared cosine of each solver over
    all trials. A is a diagnostic of the worst pair of signals, no score of difficulty: it vanishes
    for rectified frames from which typical signals are recovered perfectly.

    Written as ``bounds.csv``, ``bounds.md``, ``bounds.svg`` and ``bounds.png``.

    Parameters
    ----------
    effort : float, optional
        Scales restarts and what may be enumerated.

    Raises
    ------
    ParameterError
        If `effort` is not positive.
    """

    name = "bounds"
    effort: float = 0.25

    def __post_init__(self) -> None:
        if not self.effort > 0:
            raise benchbase.ParameterError("effort", f"must be positive, not {self.effort}")

    def write(self, results: benchbase.Results, folder: Path) -> list[Path]:
        """Write the four files, or nothing where no problem has bounds.

        Parameters
        ----------
        results : benchbase.Results
            Those of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The files. The same results give the same bytes.
        """
        table = bounds_table(results, effort=self.effort)
        if table.empty:
            return []
        files = [folder / "bounds.csv", folder / "bounds.md"]
        files[0].write_text(table.to_csv(index=False, lineterminator="\n"), encoding="utf-8")
        title = results.suites[-1]["title"]
        text = f"# {title}\n\n{_readable(table).to_markdown(index=False, floatfmt='.4g')}\n"
        files[1].write_text(text, encoding="utf-8", newline="\n")
        return files + save(table, title, folder / "bounds")

    def show(self, results: benchbase.Results, console: Console) -> None:
        """Print nothing: the constants take longer than a terminal waits."""


def bounds_table(results: benchbase.Results, *, effort: float = 0.25) -> pd.DataFrame:
    """Work out the bracket of each problem and number of pools of a run.

    Parameters
    ----------
    results : benchbase.Results
        They rebuild the frames.
    effort : float, optional
        As of `benchbase_bounds.dispatch.bounds`.

    Returns
    -------
    pandas.DataFrame
        A row each: the problem, ``n_pools``, ``lower``, ``upper``, ``exact``, ``largest``,
        ``largest_exact``, ``condition`` (B over the upper end of A), ``limit_lower``,
        ``limit_upper``, ``recovered`` (the mean squared cosine of the best solver), ``method``,
        ``reason``, and
        ``cos² LABEL`` for each solver. A problem that cannot be rebuilt, or has no bounds, has the
        reason and NaN.
    """
    import pandas as pd

    frame = results.frame()
    extra = [c for c in map(str, frame) if c.startswith(("dataset.", "pooling.", "frame."))]
    keys = [*_PROBLEM, *[c for c in extra if c != "frame.n_pools"], "n_pools"]
    rows = []
    for _, part in frame.groupby(list(dict.fromkeys(keys)), dropna=False, sort=False):
        first = part.sort_values(["seed", "trial"], kind="stable").iloc[0]
        row = {key: first[key] for key in (*_PROBLEM, "n_pools")}
        row |= {"problem": _title(first)} | _constants(results, str(first["cell"]), effort)
        row |= _limits(first, part)
        scores = (
            part[part["status"] == "done"].groupby("label", sort=False)["squared_cosine"].mean()
        )
        row["recovered"] = float(scores.max()) if len(scores) else math.nan
        rows.append(row | {f"cos² {label}": float(score) for label, score in scores.items()})
    return pd.DataFrame(rows)


def _constants(results: benchbase.Results, cell: str, effort: float) -> dict[str, Any]:
    """Return the bracket of a cell's frame; the reason alone where there is none."""
    from benchbase_bounds.dispatch import bounds

    try:
        problem = results.problem(cell)
        found = bounds(problem.frame, problem.pooling, effort=effort)
    except benchbase.BenchbaseError as error:
        names = ("lower", "upper", "largest", "condition")
        nothing: dict[str, Any] = dict.fromkeys(names, math.nan)
        return nothing | {"exact": False, "largest_exact": False, "reason": str(error)}
    held = ("lower", "upper", "exact", "largest", "largest_exact", "method", "reason")
    row = {name: getattr(found, name) for name in held}
    zero = found.upper == 0 or (found.exact and found.lower == 0)  # to rounding
    return row | {"condition": math.inf if zero else found.largest / found.upper}


def _limits(first: pd.Series[Any], part: pd.DataFrame) -> dict[str, float]:
    """Return the large-K limits of A and B, for standard normal vectors without thresholds."""
    plain = first["frame"] == "gaussian" and first.get("frame.pools") == "drawn"
    threshold = first.get("pooling.threshold", 0.0)
    found = None
    if plain and first["pooling"] == "lp" and (threshold == 0.0 or threshold != threshold):
        size, rectified = int(first["pool_size"]), bool(first["rectified"])
        found = limit(size, float(first["p"]), rectified=rectified)
    if found is None:
        return {"limit_lower": math.nan, "limit_upper": math.nan}
    k = float(part["n_pools"].iloc[0])
    return {"limit_lower": math.sqrt(k * found.lower), "limit_upper": math.sqrt(k * found.upper)}


def _title(row: pd.Series[Any]) -> str:
    p = "" if row["p"] != row["p"] else ("∞" if math.isinf(row["p"]) else f"{row['p']:g}")
    norm = f"ℓ{p}" if row["pooling"] == "lp" else str(row["pooling"])
    name = f"rectified {norm}" if row["rectified"] else norm
    parts = [row["experiment"], f"{row['dataset']}, n = {row['n']}", f"pools of {row['pool_size']}"]
    return " · ".join([*(part for part in parts if part), name])


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    names = {"lower": "A ≥", "upper": "A ≤", "largest": "B ≤", "condition": "B/A", "n_pools": "K"}
    solvers = [c for c in map(str, table) if c.startswith("cos² ")]
    return table[[*_SHOWN[:-1], *solvers]].rename(columns=names)
