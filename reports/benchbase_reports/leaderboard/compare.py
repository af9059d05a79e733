"""The comparison of two solvers on the same signals, and its verdict in a sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import benchbase
from benchbase.showing import pooling_name, problem_columns, setting_name, varying_parameters
from benchbase_reports.leaderboard.cells import read_cells
from benchbase_reports.leaderboard.counts import ProblemCounts, problems
from benchbase_reports.leaderboard.ranking import k95_difference
from benchbase_reports.statistics.paired import compare_pairs

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Two solvers on one problem, or on all problems of a suite.

    Attributes
    ----------
    suite, problem : str
        The names of the suite and of the problem; "" for all problems together.
    a, b : str
        The labels.
    paired : pandas.Series
        From `compare_pairs`, of squared cosines.
    k95 : dict
        K95 of both, "a" and "b", with the interval of "difference", "low" and "high"; empty for all
        problems together.
    reason : str
        Why there are no signals that both solvers have tried.
    least : float
        The least K. A K95 that is not above it may lie anywhere below, so the sentence leaves it
        out.
    """

    suite: str
    problem: str
    a: str
    b: str
    paired: pd.Series[Any]
    k95: dict[str, float]
    reason: str = ""
    least: float = math.inf

    def numbers(self) -> dict[str, Any]:
        """Return all numbers as one flat table."""
        heads = {name: getattr(self, name) for name in ("suite", "problem", "a", "b", "reason")}
        return heads | {**self.paired} | {f"K95_{name}": each for name, each in self.k95.items()}

    def sentence(self) -> str:
        """Say which solver is better, by how much, and how certain that is."""
        where = self.problem or f"{self.suite}, all problems"
        found = self.paired
        if not found["signals"]:
            return f"{where}: {self.a} and {self.b} have no signals in common{self.reason}."
        means = f"{_share(found['mean_a'])} against {_share(found['mean_b'])}"
        better = f"{self._verdict()}: mean squared cosine {means}"
        if found["ties"] < 1:
            better += f", difference {_signed(found['difference'])}{self._sureness()}"
        ahead = f"{self.a} is ahead on {_percent(found['wins'])} of "
        ahead += f"{_count(found['signals'], 'signal')}, behind on {_percent(found['losses'])}, "
        ahead += f"level on {_percent(found['ties'])} ({self._sampling()})"
        return f"{where}: {'. '.join(filter(None, [better, ahead, self._pools()]))}."

    def _verdict(self) -> str:
        found = self.paired
        a, b = self.a, self.b
        if found["ties"] == 1:
            return f"{a} and {b} are level"
        if not found["p"] <= LEVEL:  # NaN as well
            return f"{a} and {b} cannot be told apart"
        better = "better" if found["difference"] > 0 else "worse"
        return f"{a} recovers {better} than {b}"

    def _sureness(self) -> str:
        found = self.paired
        if math.isnan(found["low"]):
            return " (one signal: nothing can be said of others)"
        interval = f"[{_signed(found['low'])}, {_signed(found['high'])}]"
        least = 2 / 2 ** found["trials"]
        limit = f" (the least that {_count(found['trials'], 'trial')} can give)"
        bound = (
            found["wilcoxon_p"] <= least * (1 + 1e-9) and least > LEVEL and not found["one_frame"]
        )
        rank = f"signed rank {_p(found['wilcoxon_p'])}{limit if bound else ''}"
        return f" {interval}, {_p(found['p'])}, {rank}"

    def _sampling(self) -> str:
        if self.paired["one_frame"]:
            return "one trial: for its frames only"
        return f"{_count(self.paired['trials'], 'trial')}"

    def _pools(self) -> str:
        known = self.k95
        if not known or not self.least < min(known["a"], known["b"]):
            return ""
        if not math.isfinite(known["difference"]):
            return ""
        gap, low, high = (_pools_text(known[name]) for name in ("difference", "low", "high"))
        numbers = f"{known['a']:.1f} against {known['b']:.1f}"
        return f"K95 {numbers} pools, difference {gap} [{low}, {high}]"


def resolve(frames: Sequence[pd.DataFrame], name: str) -> str:
    """Return the label that is meant by a label or by the name of a solver.

    Raises
    ------
    benchbase.BenchbaseError
        If there is no such label or solver, or several labels have the solver.
    """
    pairs = {
        (str(label), str(solver)): None
        for frame in frames
        for label, solver in frame[["label", "solver"]].drop_duplicates().itertuples(index=False)
    }
    labels = [*dict.fromkeys(label for label, _ in pairs)]
    if name in labels:
        return name
    own = [*dict.fromkeys(label for label, solver in pairs if solver == name)]
    if len(own) == 1:
        return own[0]
    if own:
        raise benchbase.BenchbaseError(
            f"{name!r} is the solver of several labels; choose one: {', '.join(map(repr, own))}"
        )
    known = sorted({each for pair in pairs for each in pair})
    close = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else ""
    hint = hint or f"there are: {', '.join(map(repr, sorted(labels)))}"
    raise benchbase.BenchbaseError(f"no solver or label {name!r}; {hint}")


def compare(frame: pd.DataFrame, suite: dict[str, Any], a: str, b: str) -> list[Comparison]:
    """Compare two solvers on all problems of a suite together, and on each.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from `benchbase.Results.rows`, of one suite. Signals that failed have a squared cosine
        of 0. Signals that one of the two does not apply to, or has no outcome for yet, are left
        out.
    suite : dict
        An entry of `benchbase.Results.suites`.
    a, b : str
        The labels of the two solvers.

    Returns
    -------
    list of Comparison
        The one of all problems together comes first, if there are several.
    """
    import pandas as pd

    cells = read_cells(frame[frame["label"].isin([a, b])])
    heads = cells.blocks.drop_duplicates("problem")[problem_columns(cells.blocks)]
    varying = varying_parameters(heads)
    pairs, found = [], []
    for problem, (_, head) in zip(problems(cells), heads.iterrows(), strict=True):
        name = f"{setting_name(head, varying)} · {pooling_name(head)}"
        own = _pairs(problem, a, b)
        both = len(own) > 0
        k95 = _k95(problem, a, b) if both else {}
        paired = compare_pairs(own["a"], own["b"], own["draw"])
        reason = "" if both else _reason(problem)
        least = float(problem.pools[0])
        found.append(Comparison(suite["suite"], name, a, b, paired, k95, reason, least))
        pairs.append(own)
    if sum(len(own) > 0 for own in pairs) > 1:
        whole = pd.concat(pairs, ignore_index=True)
        together = compare_pairs(whole["a"], whole["b"], whole["draw"])
        found.insert(0, Comparison(suite["suite"], "", a, b, together, {}))
    return found


def _pairs(problem: ProblemCounts, a: str, b: str) -> pd.DataFrame:
    """Return the squared cosines of both, one row per signal with an outcome of both."""
    import pandas as pd

    cells, rows = problem.cells, problem.rows
    blocks = cells.blocks.iloc[problem.blocks]
    scores = pd.DataFrame(
        {
            "label": problem.by_row(blocks["label"].to_numpy(object)),
            "draw": problem.by_row(blocks["draw"].to_numpy()),
            "column": problem.by_row(problem.column),
            "signal": cells.signal[rows],
            "score": cells.score[rows],
        }
    ).dropna(subset="score")
    keys = ["draw", "column", "signal"]
    sides = [
        scores.loc[scores["label"] == label, [*keys, "score"]].rename(columns={"score": name})
        for label, name in ((a, "a"), (b, "b"))
    ]
    return sides[0].merge(sides[1], on=keys)


def _k95(problem: ProblemCounts, a: str, b: str) -> dict[str, float]:
    places = [problem.labels.index(label) for label in (a, b)]
    wins, sizes = problem.sums("won")[places], problem.sums("ran")[places]
    return k95_difference(problem.pools, wins, sizes, trials=not problem.one_frame)


def _reason(problem: ProblemCounts) -> str:
    """Say why the two have no signals in common."""
    messages = problem.cells.messages
    reasons = dict.fromkeys(messages[block] for block in problem.blocks if block in messages)
    return f" ({'; '.join(reasons)})" if reasons else ""


def _pools_text(value: float) -> str:
    size = f"{abs(value):.1f}" if math.isfinite(value) else "∞"
    return ("−" if value < 0 else "+") + size


def _share(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".removeprefix("0")


def _signed(value: float) -> str:
    size = abs(value)
    text = _share(size, 4 if size < 0.00995 else 3)
    return "0" if not float(text) else ("−" if value < 0 else "+") + text


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _p(p: float) -> str:
    return "p < .001" if p < 0.001 else f"p = {_share(p)}"
