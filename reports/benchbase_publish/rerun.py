"""The solvers of a submission run again, on a seed that the acceptor chooses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from benchbase import Array, BenchbaseError, CellRecord, Referee, problem_facts, read_records
from benchbase_publish.bundle import Bundle
from benchbase_publish.judge import TOLERANCE, token
from benchbase_publish.rules import name_of

FAMILY_ERROR = 0.01
"""How often an honest bundle would be refused if all its signals were independent."""

PLUGIN_FILE = "a plugin file"
_PLUGIN_FILE = "benchbase_plugin_"  # how the registry names their modules, by their paths


def run_again(
    bundle: Bundle, referee: Referee, seed: int, folder: Path, jobs: int | None
) -> tuple[list[str], list[str]]:
    """Run the bundle's solvers on its suite with another seed, and compare mean scores.

    For each solver and problem (each number of pools), the mean squared cosine over all signals is
    compared; signals without an estimate count as 0. It may differ by as many standard errors as an
    honest bundle stays within in all comparisons, 99 times in 100 (`tolerance`). The mean over all
    problems of an experiment is compared likewise.

    Parameters
    ----------
    bundle : Bundle
        The submission.
    referee : benchbase.Referee
        The referee of its suite.
    seed : int
        The seed, which the submitter could not know.
    folder : pathlib.Path
        The folder for the results.
    jobs : int, optional
        Worker processes.

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
    entries = [(e.experiment, e.label, e.solver, e.points) for e in bundle.manifest.entries]
    results = referee.run(entries, seed, folder, jobs=jobs)
    names = [each["name"] for each in bundle.suite["experiments"]]
    again: defaultdict[tuple[int, str, str], list[Array | None]] = defaultdict(list)
    records = read_records(results)[-1].cells
    for record in records:
        key = (names.index(record.experiment), record.label, token(problem_facts(record.facts)))
        again[key].append(_squared_cosines(record.chunks, record.facts["points"]))
    claimed: defaultdict[tuple[int, str, str], list[Array | None]] = defaultdict(list)
    places: dict[tuple[int, str, str], str] = {}
    for cell, _, scores in bundle.cells():
        entry = bundle.manifest.entries[cell.entry]
        problem = bundle.suite["experiments"][entry.experiment]["problems"][cell.problem]
        key = (entry.experiment, entry.label, token(problem))
        refused = any(chunk.status == "unsupported" for chunk in cell.chunks)
        claimed[key].append(None if refused else np.nan_to_num(scores[0]))
        places.setdefault(key, name_of(bundle.manifest, cell).rpartition(", trial ")[0])
    effects = {
        place: design_effect([trials for key, trials in again.items() if key[:2] == place])
        for place in {key[:2] for key in claimed}
    }
    faults, number = [], len(claimed) + len(effects)
    for key, theirs in claimed.items():
        fault = compare(theirs, again[key], effects[key[:2]], number)
        if fault is not None:
            faults.append(f"{places[key]}: {fault}")
    for place, effect in effects.items():
        pairs = [(each, again[key]) for key, each in claimed.items() if key[:2] == place]
        fault = compare_all(pairs, effect, number)
        if fault is not None:
            faults.append(f"{place[1]}, all problems: {fault}")
    return faults, other_code(bundle, records)


def other_code(bundle: Bundle, records: Sequence[CellRecord]) -> list[str]:
    """Return the modules whose digests differ from those that the bundle names.

    Parameters
    ----------
    bundle : Bundle
        The submission.
    records : sequence of CellRecord
        The cells on which its solvers were run again.

    Returns
    -------
    list of str
        The names of modules, with `PLUGIN_FILE` for plugin files, whose modules are named by their
        paths.
    """
    used = {chunk.environment for cell in bundle.manifest.cells for chunk in cell.chunks}
    claimed = _digests(bundle.manifest.environments[number] for number in used)
    again = _digests(chunk["environment"] for record in records for chunk in record.chunks)
    return sorted({name for name, _ in claimed ^ again})


def _digests(environments: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return (module, digest) of all code that environments name."""
    return {
        (PLUGIN_FILE if name.startswith(_PLUGIN_FILE) else name, digest)
        for environment in environments
        for name, digest in environment.get("code", {}).items()
    }


def _squared_cosines(chunks: list[dict[str, Any]], points: int) -> Array | None:
    """Return a cell's squared cosines, with 0 for missing ones; None if it is unsupported."""
    scores = np.zeros(points)
    for chunk in chunks:
        if chunk["status"] == "unsupported":
            return None
        if chunk["scores"] is not None:
            scores[chunk["start"] : chunk["stop"]] = np.nan_to_num(chunk["scores"][0])
    return scores


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
    if _is_refused(claimed) or _is_refused(again):
        same = _is_refused(claimed) and _is_refused(again)
        return None if same else "it is unsupported in the bundle or when run again, not in both"
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
    ran = [pair for pair in pairs if not (_is_refused(pair[0]) or _is_refused(pair[1]))]
    if not ran:
        return None
    claimed, again = (np.mean([_joined(pair[i]) for pair in ran], axis=0) for i in (0, 1))
    return _verdict(claimed, again, effect, comparisons)


def _is_refused(trials: Trials) -> bool:
    return all(trial is None for trial in trials)


def _joined(trials: Trials) -> Array:
    return np.concatenate([trial for trial in trials if trial is not None])


def _verdict(claimed: Array, again: Array, effect: float, comparisons: int) -> str | None:
    """Return how far apart two means are, or None if that is not too far."""
    limit = tolerance(claimed, again, effect, comparisons)
    if abs(claimed.mean() - again.mean()) <= limit:
        return None
    return (
        f"run again, the mean squared cosine is {again.mean():.4f} and not {claimed.mean():.4f}: "
        f"they may differ by {limit:.4f} ({quantile(comparisons):.1f} standard errors)"
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
    """Return how far two means may be apart: `quantile` standard errors of their difference.

    It is at least `TOLERANCE`. The standard error is √(d (s₁²/n₁ + s₂²/n₂)), with the variances s²
    of n signals each and the design effect d.

    Parameters
    ----------
    claimed, again : ndarray
        The scores of all signals, as claimed and as run again.
    effect : float, optional
        The design effect d.
    comparisons : int, optional
        The number of comparisons made of the bundle.
    """
    parts = (claimed, again)
    square = sum(float(e.var(ddof=1)) / len(e) if len(e) > 1 else 0.25 for e in parts)
    return max(quantile(comparisons) * float(np.sqrt(effect * square)), TOLERANCE)


def quantile(comparisons: int) -> float:
    """Return how many standard errors no difference exceeds in 99 % of cases.

    It is the normal quantile at 1 - 0.005 / comparisons (Bonferroni).
    """
    return NormalDist().inv_cdf(1 - FAMILY_ERROR / (2 * comparisons))
