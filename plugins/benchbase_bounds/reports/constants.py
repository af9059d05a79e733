"""Tables of the constants of a run's frames: one row per frame, and one per number of pools."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import benchbase
from benchbase import Frame, Pooling, Problem
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.limits import limit
from benchbase_bounds.reports.frames import SCORE, measured, noise_columns, problem_columns

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = ("lower", "upper", "largest_lower", "largest", "inverse_lower", "inverse_upper")
"""The columns of a frame's constants: both ends of A, of B and of A/B."""


def attained_largest(frame: Frame, pooling: Pooling, found: Bracket) -> float:
    """Return a lower bound of B that a derivative attains, or B itself if it is known.

    Parameters
    ----------
    frame, pooling : Frame, Pooling
        As given to `benchbase_bounds.dispatch.bounds`.
    found : Bracket
        What it returned.
    """
    from benchbase_bounds.representation import Operator
    from benchbase_bounds.upper_constant import ascend

    if found.largest_exact or found.largest == 0:
        return found.largest
    operator = Operator.of(frame, pooling)
    unit = found.largest  # at a scale of 1 nothing over- or underflows
    scaled = replace(operator, vectors=operator.vectors / unit, alpha=operator.alpha / unit)
    return min(ascend(scaled) * unit, found.largest)


def frames_table(
    results: benchbase.ResultsView,
    *,
    effort: float = 0.25,
    limit: float = math.inf,
    experiments: Sequence[str] = (),
) -> pd.DataFrame:
    """Work out the constants of all frames of a run.

    Parameters
    ----------
    results : benchbase.ResultsView
        The results of one suite, from which the frames are rebuilt.
    effort : float, optional
        As in `benchbase_bounds.dispatch.bounds`.
    limit : float, optional
        Number of seconds after which no new frame is started.
    experiments : sequence of str, optional
        The titles of the experiments to include; by default all.

    Returns
    -------
    pandas.DataFrame
        One row per frame, pooling, noise and hint, as from
        `benchbase_bounds.reports.frames.measured`: ``lower`` and ``upper`` (A), ``exact``,
        ``largest_lower``, ``largest`` (B), ``largest_exact``, ``inverse_lower`` and
        ``inverse_upper`` (A/B), and ``method``.
    """
    known: dict[tuple[bytes, str], dict[str, Any]] = {}

    def measure(problem: Problem) -> dict[str, Any]:
        frame, spec = problem.frame, problem.pooling.spec()
        if frame.pool_size == 1 and problem.pooling.name == "lp":
            del spec["p"]  # pools of one are the same for every p
        key = hashlib.sha256(problem.vectors().tobytes()).digest(), str(spec)
        if key not in known:
            known[key] = _constants(frame, problem.pooling, effort)
        return known[key]

    label = f"bounds of {results.suites[-1]['suite']}"
    table = measured(results, measure, label=label, limit=limit, experiments=experiments)
    missing = [c for c in (*NUMBERS, "exact", "largest_exact", "method") if c not in table]
    return table.assign(**dict.fromkeys(missing, math.nan))


def _constants(frame: Frame, pooling: Pooling, effort: float) -> dict[str, Any]:
    from benchbase_bounds.dispatch import bounds

    found = bounds(frame, pooling, effort=effort)
    upper = 0.0 if found.exact and found.lower == 0 else found.upper  # 0 to rounding
    least = attained_largest(frame, pooling, found)
    return {
        "lower": found.lower,
        "upper": upper,
        "exact": found.exact,
        "largest_lower": least,
        "largest": found.largest,
        "largest_exact": found.largest_exact,
        "inverse_lower": found.lower / found.largest if found.largest else 0.0,
        "inverse_upper": min(1.0, upper / least) if least else 0.0,
        "method": found.method,
        "reason": found.reason,
    }


def bounds_table(frames: pd.DataFrame) -> pd.DataFrame:
    """Average over the frames of each problem and number of pools.

    Parameters
    ----------
    frames : pandas.DataFrame
        From `frames_table`.

    Returns
    -------
    pandas.DataFrame
        One row per problem, noise, hint and number of pools: ``frames`` of ``trials`` that have
        constants; the means of both ends of A (``lower``, ``upper``), of B (``largest_lower``,
        ``largest``) and of A/B (``inverse_lower``, ``inverse_upper``); ``upper_min`` and
        ``upper_max``, the range of A's upper ends; ``exact``, the number of frames of which A is
        known; ``condition_lower`` and ``condition_upper``, the ends of B/A as harmonic means, which
        are infinite if A is or may be 0; ``limit_lower`` and ``limit_upper``, √K times the large-K
        limits; ``reason``; and ``cos² LABEL``, the mean over trials of each solver.
    """
    import pandas as pd

    keys = [*problem_columns(frames), *noise_columns(frames)]
    scores = [c for c in map(str, frames) if c.startswith(SCORE)]
    rows = []
    for _, part in frames.groupby(keys, dropna=False, sort=False):
        first, ends = part.iloc[0], part[list(NUMBERS)].astype(float).mean()
        row = {key: first[key] for key in keys}
        row |= {"frames": int(part["upper"].notna().sum()), "trials": len(part)}
        row |= {str(name): float(value) for name, value in ends.items()}
        row |= {"upper_min": part["upper"].min(), "upper_max": part["upper"].max()}
        row["exact"] = int((part["exact"] == True).sum())  # noqa: E712 # of three values: missing too
        row["condition_lower"] = _inverse(row["inverse_upper"])
        row["condition_upper"] = _inverse(row["inverse_lower"])
        row |= _limits(first)
        row["reason"] = "; ".join(dict.fromkeys(reason for reason in part["reason"] if reason))
        rows.append(row | {score: float(part[score].mean()) for score in scores})
    return pd.DataFrame(rows)


def _inverse(value: float) -> float:
    return math.inf if value == 0 else 1 / value


def _limits(row: pd.Series[Any]) -> dict[str, float]:
    """Return the large-K limits of A and B, for standard normal vectors without thresholds."""
    plain = row["frame"] == "gaussian" and row.get("frame.pools") == "drawn"
    threshold = row.get("pooling.threshold", 0.0)
    found = None
    if plain and row["pooling"] == "lp" and (threshold == 0.0 or threshold != threshold):
        found = limit(int(row["pool_size"]), float(row["p"]), rectified=bool(row["rectified"]))
    if found is None:
        return {"limit_lower": math.nan, "limit_upper": math.nan}
    k = float(row["n_pools"])
    return {"limit_lower": math.sqrt(k * found.lower), "limit_upper": math.sqrt(k * found.upper)}
