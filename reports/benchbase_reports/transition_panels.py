"""The texts of the report ``transitions``, from which its tables are made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbase.showing import (
    FITS,
    REDUCED,
    pooling_name,
    setting_columns,
    setting_name,
    shortened,
    solver_names,
    split,
    varying_parameters,
)

if TYPE_CHECKING:
    import pandas as pd

HEADS = {
    "K50": "K50",
    "K95": "K95",
    "K95_per_n": "K95/n",
    "bracket": "95 % between",
    "theory": "theory K/n",
    "seconds": "seconds",
    "frame_applications": "applications",
    "wrong_fit_share": "fit, wrong",
}
"""The columns of a problem's own table."""

READING = (
    "K50 and K95: numbers of pools at which half and 95 % of the signals are recovered (squared "
    "cosine above {recovered:g}), by a logistic fit, with 95 % intervals over trials; > and ≤: "
    "outside the grid"
)
DETAILS = (
    "95 % between: the largest K of the grid with less than 95 % recovered, and the least from "
    "which on it is never less. Seconds and frame applications are means per signal at the least K "
    f"of the grid from K95 on. Fit, wrong: share of signals at all K with a residual of at most "
    f"{FITS:g} that are not recovered"
)


@dataclass(frozen=True)
class Panel:
    """The numbers of solvers by pooling, for one data set and recipe of frames.

    Attributes
    ----------
    title : str
        Names the data set and the frames.
    poolings : list of str
        In order of appearance.
    rows : dict of dict
        The table's row of each solver and pooling. Solvers are in the order of their K95 for the
        first pooling; those that do not apply to it come last.
    """

    title: str
    poolings: list[str]
    rows: dict[str, dict[str, pd.Series[Any]]]

    @property
    def n(self) -> int:
        """The dimension of the signals."""
        return int(next(self.all())["n"])

    def all(self) -> Iterator[pd.Series[Any]]:
        """Yield all rows."""
        for row in self.rows.values():
            yield from row.values()

    def notes(self) -> list[str]:
        """Return sentences on what the numbers come from and which are missing."""
        found = [*self._sampling()]
        flat = any(math.isnan(row["K95"]) and row["signals"] for row in self.all())
        flat |= any(math.isnan(row["K50"]) and row["signals"] for row in self.all())
        if flat:
            found.append("flat: success passes the level, and does not grow with K")
        if any(row["pending"] for row in self.all()):
            found.append("…: signals still to be computed, left out")
        if any(solver.endswith(REDUCED) for solver in self.rows):
            found.append(f"{REDUCED}: from fewer signals or trials than other solvers have")
        for solver, rows in self.rows.items():
            found += [_lost(solver, pooling, row) for pooling, row in rows.items() if row["failed"]]
        return [*found, *self._refused()]

    def _refused(self) -> Iterator[str]:
        """Say which solvers do not apply to which poolings and why, one sentence per reason."""
        refused: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for solver, rows in self.rows.items():
            reasons: dict[str, list[str]] = {}
            for pooling, row in rows.items():
                if row["unsupported"]:
                    where = "" if row["signals"] == 0 else " at some K"
                    reasons.setdefault(row["message"], []).append(pooling + where)
            for why, poolings in reasons.items():
                refused.setdefault((why, tuple(poolings)), []).append(solver)
        for (why, where_not), solvers in refused.items():
            yield f"n/a, {'; '.join(solvers)} ({', '.join(where_not)}): {shortened(why)}"

    def _sampling(self) -> Iterator[str]:
        trials = sorted({int(row["trials"]) for row in self.all() if row["signals"]})
        points = max((int(row["points"]) for row in self.all()), default=0)
        if trials and trials[0] == 1:
            yield "one trial: intervals are for its frames only"
        if trials and trials[-1] > 1:
            span = f"{trials[0]} to {trials[-1]}" if len(trials) > 1 else f"{trials[0]}"
            yield f"{span} trials of up to {points} signals at each K"


def _lost(solver: str, pooling: str, row: pd.Series[Any]) -> str:
    share = f"{row['failed']} of {row['signals']} signals"
    why = shortened(row["message"])
    return f"{solver}, {pooling}: {share} failed and are not recovered ({why})"


def make_panels(table: pd.DataFrame) -> list[Panel]:
    """Return a panel for each data set and recipe of frames, in order of appearance.

    Parameters
    ----------
    table : pandas.DataFrame
        From `transitions`, with the column ``theory``.
    """
    varying = varying_parameters(table)
    names = [pooling_name(row) for _, row in table.iterrows()]
    table = table.assign(solver=solver_names(table), pooling_name=names)
    panels = []
    for part in split(table, setting_columns(table)):
        poolings = [str(name) for name in part["pooling_name"].unique()]
        rows: dict[str, dict[str, pd.Series[Any]]] = {}
        for _, row in part.iterrows():
            rows.setdefault(row["solver"], {})[row["pooling_name"]] = row
        order = sorted(rows, key=lambda solver: _rank(rows[solver], poolings))
        ranked = {solver: rows[solver] for solver in order}
        panels.append(Panel(setting_name(part.iloc[0], varying), poolings, ranked))
    return panels


def _rank(rows: dict[str, pd.Series[Any]], poolings: Sequence[str]) -> list[tuple[float, ...]]:
    """Return the key that sorts solvers: K95, then K50, of one pooling after the other."""
    ranks: list[tuple[float, ...]] = []
    for pooling in poolings:
        row = rows.get(pooling)
        if row is None or not row["signals"]:
            ranks.append((1, math.inf, math.inf))
        else:
            known = (row[name] for name in ("K95", "K50"))
            ranks.append((0, *(math.inf if math.isnan(value) else value for value in known)))
    return ranks


def crossing_text(row: pd.Series[Any], name: str, *, interval: bool = True) -> str:
    """Write a number of pools: "45.2 [44.0, 46.3]", ">60", "≤22", or "n/a" if there is none.

    Parameters
    ----------
    row : pandas.Series
        A row of the table.
    name : {"K50", "K95"}
        Which of the two.
    interval : bool, optional
        Whether to write the interval, if it says more than the number.
    """
    waiting = "…" if row["pending"] else ""
    if not row["signals"]:
        return waiting or "n/a"
    least, largest = int(row["least"]), int(row["largest"])
    value, low, high = (row[name], row[f"{name}_low"], row[f"{name}_high"])

    def number(k: float) -> str:
        if math.isinf(k):
            return f">{largest}"
        return f"{k:.1f}" if k > 0 else f"≤{least}"

    if math.isnan(value):
        return f"flat{waiting}"
    below = value == least and low == 0
    text = f"≤{least}" if below else number(value)
    sure = high == least if below else math.isinf(value) and low == largest
    if interval and not sure:
        text += f" [{number(low)}, {number(high)}]"
    return text + waiting


def cost_texts(row: pd.Series[Any]) -> tuple[str, str]:
    """Write the seconds and frame applications per signal; "" if they are unknown."""
    seconds, applications = row["seconds"], row["frame_applications"]
    return (
        "" if math.isnan(seconds) else f"{seconds:.2g} s",
        "" if math.isnan(applications) else f"{applications:.0f}",
    )


def main_grid(panel: Panel, *, costs: bool) -> pd.DataFrame:
    """Return K95 by solver and pooling as a table of text.

    Parameters
    ----------
    panel : Panel
        The panel to show.
    costs : bool
        Whether seconds and frame applications stand on a second line of each cell.
    """
    import pandas as pd

    rows = []
    for solver, by_pooling in panel.rows.items():
        texts = [solver]
        for pooling in panel.poolings:
            row = by_pooling.get(pooling)
            text = "" if row is None else crossing_text(row, "K95")
            if row is not None and costs and any(cost_texts(row)):
                text += "\n" + "; ".join(filter(None, cost_texts(row)))
            texts.append(text)
        rows.append(texts)
    return pd.DataFrame(rows, columns=["Solver", *panel.poolings])


def own_grid(panel: Panel, pooling: str) -> pd.DataFrame:
    """Return all that is known of the solvers for one pooling as a table of text."""
    import pandas as pd

    rows = [
        {"solver": solver} | _details(by_pooling[pooling])
        for solver, by_pooling in panel.rows.items()
        if pooling in by_pooling
    ]
    table = pd.DataFrame(rows)[["solver", *HEADS]]
    if not table["theory"].any():
        table = table.drop(columns="theory")
    return table.rename(columns={"solver": "Solver"} | HEADS)


def _details(row: pd.Series[Any]) -> dict[str, str]:
    """Return the texts of a row, by the names of `HEADS`."""
    texts = {name: crossing_text(row, name) for name in ("K50", "K95")}
    texts |= dict.fromkeys([name for name in HEADS if name not in texts], "")
    if not row["signals"]:
        return texts
    seconds, applications = cost_texts(row)
    last, first = row["last_below"], row["all_from"]
    bracket = f"{last:.0f} and {first:.0f}"
    if math.isinf(first) or not last:
        bracket = f">{last:.0f}" if last else f"≤{first:.0f}"
    per_n, theory = row["K95_per_n"], row["theory"]
    return texts | {
        "K95_per_n": f"{per_n:.2f}" if math.isfinite(per_n) else "",
        "bracket": bracket,
        "theory": "" if math.isnan(theory) else f"{theory:.2f}",
        "seconds": seconds.removesuffix(" s"),
        "frame_applications": applications,
        "wrong_fit_share": f"{row['wrong_fit_share']:.3f}".removeprefix("0"),
    }
