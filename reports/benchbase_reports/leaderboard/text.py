"""A board as text, from which Markdown, LaTeX and the terminal's tables are made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbase.showing import (
    RECOVERED,
    REDUCED,
    sample_notes,
    sample_texts,
    shortened,
    split,
)
from benchbase_reports.leaderboard.board import Board
from benchbase_reports.statistics.many import Friedman, friedman
from benchbase_reports.transition_panels import crossing_text

if TYPE_CHECKING:
    import pandas as pd

HEADS = (
    *("Solver", "Rank", "K95", "Success", "Mean", "Area", "Seconds", "Start"),
    *("Applications", "Failed"),
)
"""The columns of a problem's table."""


@dataclass(frozen=True)
class Tab:
    """The problems of one pooling.

    Attributes
    ----------
    name : str
        The pooling.
    problems : list of tuple of (str, pandas.DataFrame)
        Each problem's title and the rows of its solvers, by rank.
    """

    name: str
    problems: list[tuple[str, pd.DataFrame]]


def tabs(board: Board) -> list[Tab]:
    """Return a tab for each pooling, in order of appearance."""
    return [
        Tab(str(part["tab"].iloc[0]), [(str(p["problem"].iloc[0]), p) for p in _by_problem(part)])
        for part in split(board.table, ["tab"])
    ]


def _by_problem(table: pd.DataFrame) -> list[pd.DataFrame]:
    return split(table, ["problem"])


def grid(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the table of a problem as text: one row per solver."""
    import pandas as pd

    has_pools = bool(rows["n_least"].notna().any())
    shown = [head for head in HEADS if head != "K95" or has_pools]
    shown = [head for head in shown if head != "Failed" or rows["failed"].any()]
    texts = [_texts(row, ranked=int(rows["rank"].notna().sum())) for _, row in rows.iterrows()]
    return pd.DataFrame(texts)[shown]


def _texts(row: pd.Series[Any], *, ranked: int) -> dict[str, str]:
    """Return the texts of a row, by the names of `HEADS`."""
    waiting = "…" if row["pending"] else ""
    solver = f"{row['label']} {REDUCED}" if row["reduced"] else row["label"]
    texts = {"Solver": solver, **dict.fromkeys(HEADS[1:], "")}
    if not row["signals"]:
        return texts | {"Rank": waiting or "n/a"}
    return texts | {
        "Rank": _rank_text(row, ranked) + waiting,
        "K95": _k95_text(row),
        "Success": _interval(row, "success"),
        "Mean": _interval(row, "mean"),
        "Area": _share(row["area"]),
        "Seconds": _number(row["seconds"]),
        "Start": _number(row["init_seconds"]),
        "Applications": _count(row["frame_applications"]),
        "Failed": str(row["failed"]),
    }


def _rank_text(row: pd.Series[Any], ranked: int) -> str:
    import pandas as pd

    if pd.isna(row["rank"]):
        return "–"
    low, high = row["rank_low"], row["rank_high"]
    sure = low == high or ranked == 1
    return f"{row['rank']}" if sure else f"{row['rank']} [{low}, {high}]"


def _k95_text(row: pd.Series[Any]) -> str:
    import pandas as pd

    if pd.isna(row["n_least"]) or (math.isnan(row["K95"]) and pd.isna(row["rank"])):
        return ""
    named = row.rename({"n_least": "least", "n_largest": "largest"})
    named["pending"] = 0  # stands beside the rank
    return crossing_text(named, "K95")


def _interval(row: pd.Series[Any], name: str) -> str:
    """Write ".932 [.91, .95]"."""
    value, low, high = (row[name + end] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return ""
    if math.isnan(low):
        return _share(value)
    return f"{_share(value)} [{_share(low)}, {_share(high)}]"


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}".removeprefix("0")


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2g}" if value < 100 else f"{value:.0f}"


def _count(value: float) -> str:
    return "not counted" if math.isnan(value) else f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def reading(board: Board, recovered: float = RECOVERED) -> list[str]:
    """Return sentences on how to read a board, without their full stops."""
    limit = "whatever it took"
    if not board.unlimited:
        limit = f"within a budget of {board.budget:g} frame applications per signal"
    ranking = (
        "Ranked by K95, the number of pools at which 95 % of the signals are recovered (squared "
        f"cosine above {recovered:g}), {limit}. Solvers with the same K95 are ranked by Area, the "
        "area under the recovery curve (at most 1). > and ≤ mark a K95 outside the grid"
    )
    intervals = (
        "Rank [best, worst] is a 95 % interval from a bootstrap of paired differences, clustered "
        "by trial; a rank without brackets is the only one in it. Success and Mean (squared "
        "cosine) are over all K; their brackets are 95 % intervals, clustered by trial"
    )
    costs = (
        "Seconds and Applications (of the frame) are means per signal; Start is the part of the "
        "seconds that the initialiser takes"
    )
    found = [ranking, intervals, costs]
    if not board.unlimited:
        found.append("Mean, Seconds and Applications do not depend on the budget")
    if board.table["one_frame"].any():
        found.append("One trial: intervals are for this frame only")
    if board.table["pending"].any():
        found.append("…: signals still to be computed, left out")
    return found


def notes(rows: pd.DataFrame) -> Iterator[str]:
    """Yield sentences on small samples and on solvers that do not apply, failed, or lack ranks."""
    for said in sample_notes(rows["label"].tolist(), sample_texts(rows, []), [""] * len(rows)):
        yield f"{said}; such ranks may change"
    telling = rows[rows["message"] != ""]
    for message, part in telling.groupby("message", sort=False):
        whose = ", ".join(part["label"])
        failed = int(part["failed"].sum())
        lost = f" ({failed} of {part['signals'].sum()} signals failed)" if failed else ""
        kind = "n/a, " if not part["signals"].any() else ""
        yield f"{kind}{whose}{lost}: {shortened(str(message))}"


def environments(board: Board) -> list[str]:
    """Return sentences on what the rows were computed with; one if it is the same for all."""
    known = board.table[board.table["environment"] != ""]
    groups = known.groupby("environment", sort=False)["label"].unique()
    if len(groups) == 1:
        return [f"Computed with {groups.index[0]}"]
    return [f"{', '.join(labels)}: computed with {text}" for text, labels in groups.items()]


def many(board: Board, tab: str) -> Friedman:
    """Compare all solvers of a pooling by their means in each trial, with Friedman's test.

    The problems and numbers of pools of one trial share test signals, and often vectors of their
    frames, so that only trials are independent. Each trial counts once, by its mean over the
    problems and K that all solvers ran on. Means that round to the same three digits are equal.
    """
    problems = board.table.loc[board.table["tab"] == tab, "problem"].unique()
    rows = board.trials[board.trials["problem"].isin(problems)]
    scores = rows.pivot_table(index=["trial", "problem"], columns="label", values="mean")
    return friedman(scores.dropna().groupby("trial").mean().round(3))


def many_text(board: Board, tab: str) -> str | None:
    """Say whether the solvers of a pooling differ; None if there are fewer than three solvers."""
    found = many(board, tab)
    if len(found.ranks) < 3 or found.problems < 2:
        return None
    p = "p < .001" if found.p < 0.001 else f"p = {_share(found.p)}"
    rows = board.table[(board.table["tab"] == tab) & board.table["reduced"]]
    marks = dict.fromkeys(rows["label"], f" {REDUCED}")
    ranks = ", ".join(f"{each}{marks.get(each, '')} {r:.2g}" for each, r in found.ranks.items())
    return (
        f"Mean ranks by mean squared cosine, over {found.problems} trials and the problems and K "
        f"that all solvers ran on: {ranks}. Friedman's chi-squared is {found.statistic:.3g}, {p}. "
        "By Nemenyi's test at the 5 % level, two solvers differ if their mean ranks are more than "
        f"{found.critical_difference:.2g} apart"
    )
