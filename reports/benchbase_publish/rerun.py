"""The solvers of a submission run again, on a seed that is drawn when the bundle is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchbase import Array, BenchbaseError, Referee
from benchbase.showing import RECOVERED
from benchbase_publish.bundle import Bundle
from benchbase_publish.judge import TOLERANCE
from benchbase_publish.rules import name_of
from benchbase_publish.schema import Cell

FAMILY_ERROR = 0.01
"""How often an honest bundle would be refused if all its signals were independent."""

_MEASURES: dict[str, Callable[[Array], Array]] = {
    "mean squared cosine": np.nan_to_num,
    "share of recovered signals": lambda scores: (scores > RECOVERED).astype(np.float64),
    "share of signals with an estimate": lambda scores: np.isfinite(scores).astype(np.float64),
}


def run_again(
    bundle: Bundle,
    referee: Referee,
    seed: int,
    plugins: Sequence[str],
    jobs: int | None,
    *,
    sandbox: bool,
) -> tuple[list[str], list[str]]:
    """Run the bundle's solvers on its suite with another seed, and compare success with the claim.

    For each solver and problem (each number of pools), the mean squared cosine over all signals,
    where signals without an estimate count as 0, the share of recovered signals, and the share of
    signals with an estimate are compared. Each may
    differ by as much as an honest bundle stays within in all comparisons, 99 times in 100
    (`tolerance`). The means over all problems of an experiment are compared likewise.

    Parameters
    ----------
    bundle : Bundle
        The submission.
    referee : benchbase.Referee
        The referee of its suite.
    seed : int
        The seed, which the submitter could not know.
    plugins : sequence of str
        Plugin files that may supply the solvers.
    jobs : int or None
        The number of workers.
    sandbox : bool
        Whether to run the solvers in a sandbox.

    Returns
    -------
    faults : list of str
        One line for each place where a solver does not do what the bundle says.
    other : list of str
        The modules whose code here differs from what the bundle names.

    Raises
    ------
    BenchbaseError
        If the seed is that of the bundle, or a solver is not installed.
    """
    if any(each["seed"] == seed for each in bundle.suite["experiments"]):
        raise BenchbaseError(f"the bundle was made with the seed {seed}; choose another")
    claimed: defaultdict[tuple[int, int], list[Array | None]] = defaultdict(list)
    cells: dict[tuple[int, int], Cell] = {}
    for cell, _, scores in bundle.cells():
        refused = any(chunk.status == "unsupported" for chunk in cell.chunks)
        claimed[cell.entry, cell.problem].append(None if refused else scores[0])
        cells.setdefault((cell.entry, cell.problem), cell)
    entries = bundle.manifest.entries
    asked = [
        (
            entries[entry].experiment,
            problem,
            entries[entry].solver,
            entries[entry].points,
            max(chunk.stop - chunk.start for chunk in cells[entry, problem].chunks),
        )
        for entry, problem in claimed
    ]
    found = referee.run_again(asked, seed, plugins=plugins, jobs=jobs, sandbox=sandbox)
    again = dict(zip(claimed, found, strict=True))
    places = {
        key: name_of(bundle.manifest, cell).rpartition(", trial ")[0] for key, cell in cells.items()
    }
    labels = {entry: entries[entry].label for entry, _ in claimed}
    faults = []
    number = len(_MEASURES) * (len(claimed) + len(labels))
    for name, measure in _MEASURES.items():
        theirs, ours = (
            {key: [None if x is None else measure(x) for x in own] for key, own in each.items()}
            for each in (claimed, again)
        )
        for entry, label in labels.items():
            keys = [key for key in claimed if key[0] == entry]
            effect = design_effect([ours[key] for key in keys])
            verdicts = {
                places[key]: compare(theirs[key], ours[key], effect, number) for key in keys
            }
            pairs = [(theirs[key], ours[key]) for key in keys]
            verdicts[f"{label}, all problems"] = compare_all(pairs, effect, number)
            faults += [
                f"{place}: {fault.format(name)}" for place, fault in verdicts.items() if fault
            ]
    return faults, referee.other_code(_claimed_code(bundle), [e.solver for e in entries], plugins)


def _claimed_code(bundle: Bundle) -> set[tuple[str, str]]:
    """Return (module, digest) of all code that the bundle says its rows were made with."""
    used = {chunk.environment for cell in bundle.manifest.cells for chunk in cell.chunks}
    environments: list[dict[str, Any]] = [bundle.manifest.environments[number] for number in used]
    return {pair for each in environments for pair in each.get("code", {}).items()}


Trials = Sequence[Array | None]
"""The squared cosines of each trial of a problem; None if the solver does not apply."""


def compare(
    claimed: Trials, again: Trials, effect: float = 1.0, comparisons: int = 1
) -> str | None:
    """Compare the trials of one problem with those of another seed.

    Returns what is wrong, or None if they agree.

    Parameters
    ----------
    claimed, again : sequence of ndarray or None
        The squared cosines of each trial; None if it is unsupported.
    effect : float, optional
        The `design_effect` of the solver.
    comparisons : int, optional
        The number of comparisons made of the bundle.
    """
    if any(trial is None for trial in (*claimed, *again)):
        same = all(trial is None for trial in (*claimed, *again))
        return None if same else "it is unsupported in some trials, or in those of one seed only"
    return _verdict(_joined(claimed), _joined(again), effect, comparisons)


def compare_all(
    pairs: Sequence[tuple[Trials, Trials]], effect: float = 1.0, comparisons: int = 1
) -> str | None:
    """Compare the means over all problems, in which many small differences add up.

    Problems share their signals, so each signal's mean over all problems is what varies.
    Returns what is wrong, or None if they agree.

    Parameters
    ----------
    pairs : sequence of (sequence of ndarray, sequence of ndarray)
        The trials of each problem as claimed and as run again, of the same sizes for all problems.
    effect, comparisons
        As for `compare`.
    """
    ran = [pair for pair in pairs if not any(trial is None for trials in pair for trial in trials)]
    if not ran:
        return None
    claimed, again = (np.mean([_joined(pair[i]) for pair in ran], axis=0) for i in (0, 1))
    return _verdict(claimed, again, effect, comparisons)


def _joined(trials: Trials) -> Array:
    return np.concatenate([trial for trial in trials if trial is not None])


def _verdict(claimed: Array, again: Array, effect: float, comparisons: int) -> str | None:
    """Say how far apart two means of what ``{}`` is to name are; None if that is not too far."""
    limit = tolerance(claimed, again, effect, comparisons)
    if abs(claimed.mean() - again.mean()) <= limit:
        return None
    return (
        f"run again, the {{}} is {again.mean():.4f} and not {claimed.mean():.4f}: "
        f"they may differ by {limit:.4f}"
    )


def design_effect(problems: Sequence[Trials]) -> float:
    """Return how much more the means of trials vary than if all signals were independent.

    The signals of a trial share a frame. The effect is the sum over a solver's problems of n times
    the variance of the trials' means, for trials of n signals, over the sum of the variances of all
    signals. It is at least 1, and 1 if there is a single trial. A few trials say little about the
    variance between frames at one number of pools, but enough over all of them.

    Parameters
    ----------
    problems : sequence of sequence of ndarray or None
        The trials of each problem as the acceptor has run them. Those of a bundle could have been
        made to vary widely.

    References
    ----------
    L. Kish, "Survey Sampling", Wiley, 1965, section 8.2.
    """
    between = within = 0.0
    for each in problems:
        trials = [trial for trial in each if trial is not None]
        if len(trials) > 1:
            means = np.array([trial.mean() for trial in trials])
            between += len(trials[0]) * float(means.var(ddof=1))
            within += float(np.concatenate(trials).var(ddof=1))
    return max(1.0, between / within) if within > 0 else 1.0


def tolerance(claimed: Array, again: Array, effect: float = 1.0, comparisons: int = 1) -> float:
    """Return how far two means may be apart, by Welch's t-test at the level 0.01 / comparisons.

    It is at least `TOLERANCE`. The standard error is √(d (s₁²/n₁ + s₂²/n₂)), with the variances s²
    of n signals each and the design effect d. The degrees of freedom are those of Welch and
    Satterthwaite for n/d independent signals, at least 2, instead of n. Dividing the level by the
    number of comparisons (Bonferroni) lets an honest bundle pass all of them in 99 % of cases.

    Parameters
    ----------
    claimed, again : ndarray
        The scores of all signals, as claimed and as run again.
    effect : float, optional
        The design effect d.
    comparisons : int, optional
        The number of comparisons made of the bundle.
    """
    from scipy.special import stdtrit

    squares, freedom = 0.0, 0.0
    for scores in (claimed, again):
        n = len(scores)
        square = effect * float(scores.var(ddof=1)) / n if n > 1 else 0.25
        squares += square
        freedom += square**2 / (max(n / effect, 2.0) - 1)
    if squares == 0:
        return TOLERANCE
    quantile = stdtrit(squares**2 / freedom, 1 - FAMILY_ERROR / (2 * comparisons))
    return max(float(quantile * np.sqrt(squares)), TOLERANCE)
