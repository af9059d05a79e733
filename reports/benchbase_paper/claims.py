"""The report ``claims``: what section 3 of the paper says, beside what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchbase
from benchbase.showing import (
    EXACT,
    REDUCED,
    as_markdown,
    identifier,
    latex_table,
    markdown_list,
    markdown_table,
    write_texts,
)
from benchbase_paper.baselines import (
    POOLS_PER_DIMENSION,
    Score,
    baselines,
    conditions,
    rotation_notes,
)
from benchbase_paper.settings import find_settings
from benchbase_paper.statements import claims
from benchbase_paper.verdicts import NOT_MEASURED, Claim, Part

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

HEADS = ("Section", "The paper", "Its value", "Measured", "95 % interval", "Agrees?")

RULE = """\
Intervals are Student's t over trials, each with its own frame; a single trial has no interval.
Solvers, norms and frames are compared by their differences on the same signals of the same trials.
A claim about all settings (data sets and norms) shows the worst of them, a claim that something can
happen the best, and an undecided claim the setting that leaves it open.

yes: the interval of every setting lies in the range for which the claim is true. no: the interval
of one lies outside it. If the claim is that something can happen, one setting is enough for yes,
and every one must lie outside for no. undecided: neither. If one of m settings is enough, its
interval at the level 1 − .05/m counts, because one of many strays by chance. Of PhaseLift and
PhaseCut only the runs that converged count.
"""
"""The rule of verdicts, for readers."""

_BASELINES = (
    f"Mean squared cosine, and in brackets the share above {EXACT:g}, at the number of pools that "
    f"is nearest to {POOLS_PER_DIMENSION:g} n. {REDUCED}: from fewer signals than others have. "
    "mean: the mean training signal. rank d: test signals projected on the d leading principal "
    "components of the training signals"
)


class Claims(benchbase.Report):
    """What section 3 of the paper says, what was measured, and whether the two agree.

    The paper is Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014.
    There is one row for each sentence that states a result: the paper's value, the statistic with
    its 95 % interval, and a verdict, which is "yes", "no", "undecided" or, with the command to run,
    "not measured". Beside it stands what any recovery must be compared with: the mean signal,
    nearest neighbours alone, projections on principal components, exact shares, and the condition
    numbers of the frames.

    Data sets and frames are recognised by their names, solvers by the labels that the suites
    ``figure1`` and ``supplement`` give them. Intervals are t intervals over trials, each of which
    has its own frame: m ± t·s/√T with T − 1 degrees of freedom; a single trial has no interval.
    Comparisons are made on the same signals. A claim about every setting (data set and norm) is
    "yes" if the intervals of all settings lie in the range of values for which it is true, and "no"
    if one lies outside it. A claim about some setting is "yes" if one lies in the range, and "no"
    if all lie outside it. Otherwise it is "undecided". If one of m settings is enough, its interval
    at the level 1 − .05/m counts. Values agree with the paper's within .05, norms are alike within
    .05, and a gain below .01 is no gain.

    Written as ``claims.csv`` (one row per claim), ``claims-settings.csv`` (one row per claim and
    setting), ``claims-baselines.csv``, ``claims.md`` and ``claims.tex`` (needs the LaTeX package
    booktabs), and printed. Nothing is written or printed if no claim was measured.
    """

    name = "claims"

    def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
        """Write the five files, or nothing if no claim was measured.

        Parameters
        ----------
        results : benchbase.Results
            Those of one suite.
        folder : pathlib.Path
            An existing folder.

        Returns
        -------
        list of pathlib.Path
            The files.
        """
        settings = find_settings(results.rows())
        found = claims(settings)
        if not any(claim.parts for claim in found):
            return []
        suite, table = results.suites[-1], baselines(results, settings)
        page = Page(suite["title"], found, table, conditions(settings), rotation_notes(settings))
        texts = {
            "claims.csv": _csv(map(record, found)),
            "claims-settings.csv": _csv(_settings(found)),
            "claims-baselines.csv": _csv(_plain(row) for row in table.to_dict("records")),
            "claims.md": markdown(page),
            "claims.tex": latex(page, suite["suite"]),
        }
        return write_texts(folder, texts)

    def show(self, results: benchbase.ResultsView, console: Console) -> None:
        """Print the claims that were measured, and what to run for the others."""
        found = claims(find_settings(results.rows()))
        if any(claim.parts for claim in found):
            print_claims(found, console)


@dataclass(frozen=True)
class Page:
    """The contents of the report.

    Attributes
    ----------
    title : str
        The suite's title.
    found : list of Claim
        The claims, in the paper's order.
    table, frames : pandas.DataFrame
        From `baselines` and `conditions`.
    notes : list of str
        From `rotation_notes`.
    """

    title: str
    found: list[Claim]
    table: pd.DataFrame
    frames: pd.DataFrame
    notes: list[str]


def record(claim: Claim) -> dict[str, Any]:
    """Return a claim as a row of ``claims.csv``, with all numbers in full precision."""
    part = claim.shown
    return {
        "section": claim.section,
        "claim": claim.sentence,
        "paper": claim.paper,
        "statistic": claim.statistic,
        "agrees": claim.verdict,
        **(_numbers(part) if part else {}),
        "settings": len(claim.parts),
        "run": claim.run,
        "not measured": " ".join(claim.missing),
        "notes": "; ".join(claim.notes),
    }


def _numbers(part: Part) -> dict[str, Any]:
    low, high = part.interval() or (None, None)
    return {
        "setting": part.name,
        "measured": part.estimate,
        "low": low,
        "high": high,
        "trials": len(part.trials),
        "signals": part.signals,
        "pools": " ".join(map(str, part.pools)),
    }


def _settings(found: Sequence[Claim]) -> list[dict[str, Any]]:
    return [
        {"section": claim.section, "claim": claim.sentence, **_numbers(part)}
        for claim in found
        for part in claim.parts
    ]


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """Return a row of the baselines with means and exact shares in columns of their own."""
    columns: dict[str, Any] = {}
    for name, value in row.items():
        if name in ("problem", "pools"):
            columns[name] = value
        elif isinstance(value, Score):
            columns |= {name: value.mean, f"{name}, exact": value.exact}
            columns |= {f"{name}, reduced": True} if value.reduced else {}
        elif isinstance(value, str):
            columns[name] = value
    return columns


def _csv(rows: Any) -> str:
    import pandas as pd

    return pd.DataFrame([*rows]).to_csv(index=False, lineterminator="\n")


def row_text(claim: Claim) -> list[str]:
    """Write a claim as the cells of a table's row, under `HEADS`."""
    part, measured, span = claim.shown, "", ""
    if part:
        sign = "+" if claim.signed else ""
        measured = f"{_number(part.estimate, sign)}"
        interval = part.interval()
        low, high = interval or (math.nan, math.nan)
        if not claim.signed:  # squared cosines
            low, high = max(low, 0.0), min(high, 1.0)
        span = f"{_number(low, sign)} to {_number(high, sign)}" if interval else "one trial: none"
    gone = f"; {' '.join(claim.missing)} not run" if claim.missing else ""
    gone += "; none converged" if claim.none_converged else ""
    return [claim.section, claim.sentence, claim.paper, measured, span, claim.verdict + gone]


def _number(value: float, sign: str = "") -> str:
    """Write a number as ".982", or as "−.041" or "+.041"."""
    shown = f"{abs(value):.3f}".removeprefix("0")
    return ("−" if value < 0 and float(shown) else sign) + shown


def details(claim: Claim) -> str:
    """Say in one line what the numbers of a claim's row are of."""
    part = claim.shown
    if not part:
        return ""
    of = "" if len(claim.parts) == 1 else f" (one of {len(claim.parts)} settings)"
    trials = f"{len(part.trials)} trial{'s' if len(part.trials) > 1 else ''}"
    pools = ", ".join(map(str, part.pools))
    what = f"{claim.statistic}; {part.name}{of}, K={pools}; {trials}, {part.signals} signals"
    return "; ".join([what, *claim.notes])


def _cell(value: Any) -> str:
    if isinstance(value, Score):
        mark = f" {REDUCED}" if value.reduced else ""
        return f"{_number(value.mean)} ({_number(value.exact)}){mark}"
    return "" if value is None or value != value else str(value)


def _tables(page: Page) -> tuple[pd.DataFrame, ...]:
    """Return the three tables as text: claims, baselines, condition numbers."""
    import pandas as pd

    verdicts = pd.DataFrame([row_text(claim) for claim in page.found], columns=HEADS)
    table = page.table.map(_cell)
    frames = page.frames.map(lambda value: "" if math.isnan(value) else f"{value:.3g}")
    frames.columns = pd.Index([f"K={k}" for k in frames.columns])
    frames.insert(0, "Frames", [*frames.index])
    return verdicts, table.rename(columns={"problem": "Problem", "pools": "K"}), frames


def markdown(page: Page) -> str:
    """Write the report as a Markdown document."""
    verdicts, trivial, frames = _tables(page)
    parts = [
        f"# {as_markdown(page.title)}: the paper's claims",
        markdown_table(verdicts, columns="l" * len(HEADS)),
        "\n".join(map(_item, page.found)),
        "\n\n".join(map(as_markdown, RULE.split("\n\n"))),
        "## Baselines",
        as_markdown(f"{_BASELINES}."),
        markdown_table(trivial),
        markdown_list(page.notes),
    ]
    if len(frames):
        parts += [
            "## Condition numbers of the frames",
            "Means over trials.",
            markdown_table(frames),
        ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _item(claim: Claim) -> str:
    """Explain a claim's row in an item of a list: what it is of, and what to run for the rest."""
    notes = [as_markdown(details(claim))] if claim.parts else []
    if claim.none_converged:
        notes = [as_markdown(note) for note in claim.notes]
    if claim.missing or not notes:
        notes.append(f"not measured{' '.join(['', *claim.missing])}: `{claim.run}`")
    return f"- **{as_markdown(claim.sentence)}**: {'; '.join(notes)}."


def latex(page: Page, suite: str) -> str:
    """Write the report as LaTeX tables with captions and labels ``tab:SUITE-claims``, ..."""
    verdicts, trivial, frames = _tables(page)
    label = identifier(suite)
    caption = [f"{page.title}: the paper's claims"]
    columns = r"lp{.4\linewidth}llll"
    parts = [latex_table(verdicts, caption, f"{label}-claims", columns=columns)]
    for table, name, caption in (
        (trivial, "baselines", [f"{page.title}: baselines", _BASELINES]),
        (frames, "conditions", [f"{page.title}: condition numbers of the frames"]),
    ):
        if len(table):
            parts.append(latex_table(table, caption, f"{label}-{name}"))
    return "\n".join([r"% needs \usepackage{booktabs}", *parts])


def print_claims(found: Sequence[Claim], console: Console) -> None:
    """Print the measured claims as a table, and what to run for the others."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for head in ("", *HEADS[1:]):
        table.add_column(Text(head), overflow="fold")
    for claim in found:
        if claim.parts:
            table.add_row(*map(Text, row_text(claim)))
    console.print(Text("\nThe paper's claims", style="bold"))
    console.print(table)
    left = [claim.run for claim in found if claim.verdict == NOT_MEASURED]
    if left:
        what = f"Not measured: {len(left)} of {len(found)} claims, which need"
        console.print(Text(f"{what} {', '.join(dict.fromkeys(left))}.", style="dim"))
    what = "95 % t intervals over trials; of several settings the one that decides"
    console.print(Text(f"{what}. Settings, rule and baselines are in claims.md.", style="dim"))
