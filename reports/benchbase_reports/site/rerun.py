"""Solvers of a submission run again on a seed that the acceptor chooses."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchbase import Array, BenchbaseError, Referee, read_records
from benchbase_reports.site.bundle import Bundle
from benchbase_reports.site.judge import TOLERANCE, token
from benchbase_reports.site.rules import name_of


def run_again(
    bundle: Bundle, referee: Referee, seed: int, folder: Path, jobs: int | None
) -> list[str]:
    """Run the bundle's solvers on its suite with another seed, and compare mean scores.

    For each solver and problem (each number of pools), the mean squared cosine over all signals,
    what was not recovered as 0, may differ by what `tolerance` says.

    Parameters
    ----------
    bundle : Bundle
        What has been submitted.
    referee : benchbase.Referee
        Of its suite.
    seed : int
        The seed, which the submitter could not know.
    folder : pathlib.Path
        Where to put the results.
    jobs : int, optional
        Worker processes.

    Returns
    -------
    list of str
        Where the solver does not do what the bundle says, a line each.

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
    for record in read_records(results)[-1].cells:
        key = (names.index(record.experiment), record.label, token(Referee.describe(record.facts)))
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
    told = []
    for key, theirs in claimed.items():
        fault = compare(theirs, again[key])
        if fault is not None:
            told.append(f"{places[key]}: {fault}")
    return told


def _squared_cosines(chunks: list[dict[str, Any]], points: int) -> Array | None:
    """Return the scores of a cell's signals, 0 where there is none; None where unsupported."""
    scores = np.zeros(points)
    for chunk in chunks:
        if chunk["status"] == "unsupported":
            return None
        if chunk["scores"] is not None:
            scores[chunk["start"] : chunk["stop"]] = np.nan_to_num(chunk["scores"][0])
    return scores


def compare(claimed: list[Array | None], again: list[Array | None]) -> str | None:
    """Compare the trials of one problem with those of another seed; say what is wrong, or None."""
    theirs, ours = ([trial for trial in each if trial is not None] for each in (claimed, again))
    if not theirs or not ours:
        same = not theirs and not ours
        return None if same else "it is unsupported in the bundle or when run again, not in both"
    gap = float(np.mean(np.concatenate(theirs)) - np.mean(np.concatenate(ours)))
    limit = tolerance(theirs, ours)
    if abs(gap) <= limit:
        return None
    return (
        f"run again, the mean squared cosine is {np.mean(np.concatenate(ours)):.4f} and not "
        f"{np.mean(np.concatenate(theirs)):.4f}: they may differ by {limit:.4f} (3 standard errors)"
    )


def tolerance(one: list[Array], other: list[Array]) -> float:
    """Return 3 standard errors of the difference of two means, wider where trials are few.

    The standard error is √(s₁²/T₁ + s₂²/T₂) over the means of T trials each, which share a frame,
    times the quantile of Student's t that is as rare as 3 standard deviations of a normal (0.27 %),
    with the degrees of freedom of Welch and Satterthwaite; or that over all signals times 3, where
    it is larger or there is a single trial. At least `TOLERANCE`.

    Parameters
    ----------
    one, other : list of ndarray
        The scores of each trial.

    References
    ----------
    B. L. Welch, "The generalization of 'Student's' problem when several different population
    variances are involved", Biometrika 34 (1947) 28-35.
    """
    from scipy.stats import norm, t

    signals = [np.concatenate(each) for each in (one, other)]
    limit = 3 * float(np.sqrt(sum(s.var(ddof=1) / len(s) if len(s) > 1 else 0.25 for s in signals)))
    means = [np.array([trial.mean() for trial in each]) for each in (one, other)]
    if min(map(len, means)) > 1:
        parts = [m.var(ddof=1) / len(m) for m in means]
        total = sum(parts)
        if total > 0:
            freedom = total**2 / sum(p**2 / (len(m) - 1) for p, m in zip(parts, means, strict=True))
            limit = max(limit, float(t.isf(norm.sf(3), freedom) * np.sqrt(total)))
    return max(limit, TOLERANCE)
