"""The rule by which a claim of the paper agrees with what was measured, or not.

- The signals of a trial share a frame, so trials are the sample. A part of a claim has one number
  per trial, and its 95 % interval is m ± t·s/√T, Student's t with T − 1 degrees of freedom. A
  single trial has no interval.
- Two solvers, norms or frames are compared by their difference on the same signals of the same
  trials, averaged over each trial. If a claim is about several numbers of pools, each has the same
  weight; numbers that not every trial has are left out.
- A claim is true if its parts (each of a data set and a norm, for example) lie in a range of
  values. A claim about *every* part is "yes" if all intervals lie in the range, and "no" if one
  lies outside it. A claim about *some* part is "yes" if one interval lies in the range, and "no" if
  all lie outside it. Otherwise it is "undecided".
- One of many parts strays by chance. If one part of m decides, it must do so with its interval at
  the level 1 − .05/m (Bonferroni), which is wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from benchbase_reports.statistics import mean_interval

if TYPE_CHECKING:
    import pandas as pd

YES, NO, UNDECIDED, NOT_MEASURED = "yes", "no", "undecided", "not measured"

NEVER = "converged on 0 of"
"""The words in the note on a relaxation that never converged."""

Interval = tuple[float, float]
_SIGNAL = ["n_pools", "seed", "trial", "signal"]


@dataclass(frozen=True)
class Part:
    """The statistic of a claim in one setting.

    Attributes
    ----------
    name : str
        The name of the setting.
    trials : tuple of float
        Its value in each trial.
    signals : int
        The number of signals that it comes from, over all trials and numbers of pools.
    pools : tuple of int
        The numbers of pools.
    """

    name: str
    trials: tuple[float, ...]
    signals: int
    pools: tuple[int, ...] = ()

    @property
    def estimate(self) -> float:
        """The mean over trials."""
        return float(np.mean(self.trials))

    def interval(self, comparisons: int = 1) -> Interval | None:
        """Return the 95 % interval over trials, or None for a single trial.

        Parameters
        ----------
        comparisons : int, optional
            The number of intervals that are to hold together in 95 % of cases (Bonferroni).
        """
        if len(self.trials) < 2:
            return None
        _, low, high = mean_interval(np.array(self.trials), comparisons)
        return float(low), float(high)


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, what was measured about it, and whether the two agree.

    Attributes
    ----------
    section, sentence : str
        The paper's section, and what it says there, in short.
    paper : str
        The paper's value, or "" if it gives none.
    statistic : str
        The statistic that was measured.
    holds : (float, float)
        The open interval of values for which the sentence is true.
    parts : tuple of Part
        The settings that were measured.
    run : str
        The command that measures all of it.
    of : {"every", "some"}
        Whether the sentence is about every part, or about some part.
    signed : bool
        Whether the statistic is a difference.
    notes : tuple of str
        What else readers should know.
    missing : tuple of str
        Rows of the paper's figure that the sentence is about as well, but that were not measured.
    """

    section: str
    sentence: str
    paper: str
    statistic: str
    holds: Interval
    parts: tuple[Part, ...]
    run: str
    of: Literal["every", "some"] = "every"
    signed: bool = True
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def none_converged(self) -> bool:
        """Whether nothing was measured because a relaxation ran and never converged."""
        return not self.parts and any(NEVER in note for note in self.notes)

    @property
    def verdict(self) -> str:
        """One of "yes", "no", "undecided" and "not measured", by the rule of this module."""
        if not self.parts:
            return UNDECIDED if self.none_converged else NOT_MEASURED
        each, alone = self._places()
        if self._alone in alone:
            return self._alone
        return each[0] if len({*each}) == 1 else UNDECIDED

    @property
    def shown(self) -> Part | None:
        """The part that decides: the worst of every part, or the best of some."""
        each, alone = self._places()
        verdict = self.verdict
        if verdict == self._alone:  # the parts that are enough for it
            left = [p for p, place in zip(self.parts, alone, strict=True) if place == verdict]
        elif verdict == UNDECIDED:  # the parts that leave it open
            closed = NO if self.of == "some" else YES
            left = [p for p, place in zip(self.parts, each, strict=True) if place != closed]
        else:
            left = [*self.parts]
        if not left:
            return None
        choose = min if self.of == "every" else max
        return choose(left, key=lambda part: self._depth(part.estimate))

    @property
    def _alone(self) -> str:
        """The verdict for which one part is enough."""
        return NO if self.of == "every" else YES

    def _places(self) -> tuple[list[str], list[str]]:
        """Return each part's own verdict, by its interval and by that for one of many parts."""
        each, alone = (
            [self._place(part.interval(count)) for part in self.parts]
            for count in (1, len(self.parts))
        )
        return each, alone

    def _place(self, interval: Interval | None) -> str:
        if interval is None:
            return UNDECIDED
        (low, high), (least, most) = interval, self.holds
        if least < low and high < most:
            return YES
        return NO if high <= least or low >= most else UNDECIDED

    def _depth(self, value: float) -> float:
        """Return how far inside the range a value lies."""
        return min(value - self.holds[0], self.holds[1] - value)


def scored(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that have a score.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `benchbase.showing.with_scores`, as those of a `Setting` are.
    """
    return rows[rows["score"].notna()]


def mean(name: str, rows: pd.DataFrame, value: str = "score") -> Part | None:
    """Return the mean of scored rows, or None if there are none.

    Parameters
    ----------
    name : str
        The name of the setting.
    rows : pandas.DataFrame
        From `scored`: the rows of one solver, pooling and setting.
    value : {"score", "exact"}
        The squared cosine, or whether the recovery is exact.
    """
    if rows.empty:
        return None
    table = rows.pivot_table(value, index=["seed", "trial"], columns="n_pools")
    table = table.dropna(axis="columns")
    if table.empty:
        return None
    pools = tuple(int(k) for k in table.columns)
    used = int(rows["n_pools"].isin(pools).sum())
    return Part(name, tuple(float(v) for v in table.mean(axis="columns")), used, pools)


def difference(name: str, first: pd.DataFrame, second: pd.DataFrame) -> Part | None:
    """Return the mean of first − second over their common signals and numbers of pools.

    Parameters
    ----------
    name : str
        The name of the setting.
    first, second : pandas.DataFrame
        From `scored`: the rows of one solver, pooling and setting each.
    """
    if first.empty or second.empty:
        return None
    columns: list[Any] = [*_SIGNAL, "score"]
    both = first[columns].merge(second[columns], on=_SIGNAL, suffixes=("", "_second"))
    return mean(name, both.assign(score=both["score"] - both["score_second"]))
