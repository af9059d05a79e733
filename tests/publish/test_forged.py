"""Bundles that are forged: each is refused with its own reason, and the site is unchanged."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

M = dict[str, Any]
A = dict[str, Any]
Refused = Callable[[Path, str], None]
Forged = Callable[[Callable[[M, A], object]], Path]

N, POINTS = 8, 4
KNN, MEAN, PHASECUT = 0, 1, 2
EST, SCORES = "estimates/000000.npy", "scores/000000.npy"


def test_the_honest_bundle_is_accepted(honest: Path, site: Path) -> None:
    """Else the others could be refused for anything."""
    from benchbase_publish.accepting import accept

    done = accept(honest, site, dry_run=True)
    assert (done.suite, done.level) == ("small", "reproducible")
    assert done.labels == ("knn", "mean", "phasecut")


def test_what_is_read_and_written_again_is_accepted(forged: Forged, site: Path) -> None:
    from benchbase_publish.accepting import accept

    assert accept(forged(lambda m, a: None), site, dry_run=True).level == "reproducible"


def cells(m: M, entry: int) -> list[M]:
    return [cell for cell in m["cells"] if cell["entry"] == entry]


def better_scores(m: M, a: A) -> None:
    a[SCORES][0, 0] = 1.0
    a[SCORES][1, 0] = 0.0


def smaller_residual(m: M, a: A) -> None:
    a[SCORES][2, 3] *= 0.5


def swapped(m: M, a: A) -> None:
    rows = a[EST].reshape(-1, N)
    rows[[0, 1]] = rows[[1, 0]]


def swapped_with_scores(m: M, a: A) -> None:
    swapped(m, a)
    a[SCORES][:, [0, 1]] = a[SCORES][:, [1, 0]]


def near_the_truth(m: M, a: A) -> None:
    """Copy the truth with a little noise, as scored, and say that the measurements fit exactly."""
    rng = np.random.default_rng(0)
    for i, cell in enumerate(cells(m, KNN)):
        truth = a[f"signals/{cell['signals']:06}.npy"].astype(float)
        x = (truth + 1e-3 * rng.standard_normal(truth.shape)).astype(np.float32).astype(float)
        rows = slice(i * POINTS, (i + 1) * POINTS)
        a[EST].reshape(-1, N)[rows] = x
        norms = np.linalg.norm(x, axis=1) * np.linalg.norm(truth, axis=1)
        a[SCORES][0, rows] = ((x * truth).sum(1) / norms) ** 2
        a[SCORES][1, rows] = np.linalg.norm(x - truth, axis=1) / np.linalg.norm(truth, axis=1)
        a[SCORES][2, rows] = 1e-12


def other_signals(m: M, a: A) -> None:
    for name in a:
        if name.startswith("signals/"):
            a[name] = np.random.default_rng(3).standard_normal(a[name].shape).astype(np.float32)


def drop(m: M, a: A, number: int) -> None:
    """Leave a cell of the first solver out, its numbers too."""
    m["cells"].remove(cells(m, KNN)[number])
    a[EST] = np.delete(a[EST].reshape(-1, POINTS * N), number, axis=0).ravel()
    a[SCORES] = np.delete(a[SCORES].reshape(5, -1, POINTS), number, axis=1).reshape(5, -1)


def without_a_problem(m: M, a: A) -> None:
    m["suite"]["experiments"][0]["problems"][0]["frame"]["n_pools"] = 12
    m["suite"]["experiments"][0]["problems"][0]["n_pools"] = 12


def without_a_signal(m: M, a: A) -> None:
    cells(m, KNN)[0]["chunks"][0]["stop"] = 3
    a[EST].reshape(-1, N)[3] = np.nan
    a[SCORES][:, 3] = np.nan


def fewer_points(m: M, a: A) -> None:
    """Keep the first three signals of each cell of the first solver."""
    m["entries"][KNN]["points"] = 3
    m["signals"] += [[3, N], [3, N]]
    for i in range(2):
        a[f"signals/{i + 2:06}.npy"] = a[f"signals/{i:06}.npy"][:3]
    for cell in cells(m, KNN):
        cell["chunks"][0]["stop"] = 3
        cell["signals"] += 2
    a[EST] = a[EST].reshape(-1, POINTS, N)[:, :3].ravel()
    a[SCORES] = a[SCORES].reshape(5, -1, POINTS)[:, :, :3].reshape(5, -1)


def label(text: str) -> Callable[[M, A], None]:
    def forge(m: M, a: A) -> None:
        m["entries"][KNN]["label"] = text

    return forge


def refuse(m: M, cell: M, a: A, **others: Any) -> None:
    """Call a cell of the first solver unsupported, without estimates."""
    number = cells(m, KNN).index(cell)
    cell["chunks"] = [{**cell["chunks"][0], "status": "unsupported", "checksum": None, **others}]
    a[EST].reshape(-1, POINTS * N)[number] = np.nan
    a[SCORES].reshape(5, -1, POINTS)[:, number] = np.nan


def hard_ones_unsupported(m: M, a: A) -> None:
    for cell in cells(m, KNN):
        if cell["problem"] == 0:
            refuse(m, cell, a)


def one_trial_unsupported(m: M, a: A) -> None:
    refuse(m, cells(m, KNN)[0], a)


def unsupported_by_a_stranger(m: M, a: A) -> None:
    hard_ones_unsupported(m, a)
    m["entries"][KNN]["solver"] = {"name": "nobody has this"}


def partly_unsupported(m: M, a: A) -> None:
    cell = cells(m, KNN)[0]
    one, two = copy.deepcopy(cell["chunks"][0]), copy.deepcopy(cell["chunks"][0])
    one["stop"], two["start"], two["status"] = 2, 2, "unsupported"
    cell["chunks"] = [one, two]
    a[EST].reshape(-1, N)[2:4] = np.nan
    a[SCORES][:, 2:4] = np.nan


def at(*path: Any, value: Any) -> Callable[[M, A], None]:
    """Set a value of the manifest."""

    def forge(m: M, a: A) -> None:
        target: Any = m
        for part in path[:-1]:
            target = target[part]
        target[path[-1]] = value

    return forge


def score(row: int, value: float) -> Callable[[M, A], None]:
    def forge(m: M, a: A) -> None:
        a[SCORES][row, 0] = value

    return forge


def estimate_gone(m: M, a: A) -> None:
    a[EST].reshape(-1, N)[0] = np.nan


def scores_gone(m: M, a: A) -> None:
    a[SCORES][:3, 0] = np.nan


def infinite_truth(m: M, a: A) -> None:
    a["signals/000000.npy"][0, 0] = np.inf


def failed_with_scores(m: M, a: A) -> None:
    cells(m, KNN)[0]["chunks"][0]["status"] = "failed"


def twice(m: M, a: A) -> None:
    m["cells"][1] = copy.deepcopy(m["cells"][0])


def overlapping(m: M, a: A) -> None:
    chunk = cells(m, KNN)[0]["chunks"][0]
    cells(m, KNN)[0]["chunks"] = [chunk, {**chunk, "start": 2}]


def unused_signals(m: M, a: A) -> None:
    m["signals"].append([POINTS, N])
    a["signals/000002.npy"] = a["signals/000000.npy"]


def no_entry_for_an_experiment(m: M, a: A) -> None:
    experiment = copy.deepcopy(m["suite"]["experiments"][0])
    m["suite"]["experiments"].append({**experiment, "name": "more"})


def same_names(m: M, a: A) -> None:
    m["suite"]["experiments"].append(m["suite"]["experiments"][0])


def field_gone(m: M, a: A) -> None:
    del m["provenance"]["command"]


def deep(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


CHUNK = ("cells", 0, "chunks", 0)
EXPERIMENT = ("suite", "experiments", 0)
FUTURE = (datetime.now(UTC) + timedelta(days=3650)).isoformat()
CASES: dict[str, tuple[Callable[[M, A], object], str]] = {
    "a changed score": (better_scores, r"the squared cosine of 1 of 4 signals is not that"),
    "a changed residual": (smaller_residual, r"the residual of 1 of 4 signals is not that"),
    "swapped estimates": (swapped, r"squared cosine of 2 of 4 signals"),
    "swapped estimates and scores": (swapped_with_scores, r"squared cosine of 2 of 4 signals"),
    "near the truth": (near_the_truth, r"\bthe residual of 4 of 4 signals is not that"),
    "a wrong seed": (at(*EXPERIMENT, "seed", value=8), r"suite has seed = 8, not 7"),
    "signals of another seed": (
        other_signals,
        "the true signals are not those that the seed gives",
    ),
    "another checksum": (
        at(*CHUNK, "checksum", value=1.0),
        "norm of all measurements is 1, and comes",
    ),
    "a missing cell": (
        lambda m, a: drop(m, a, 2),
        r"missing: 'knn' has 7 of 8 problems and trials",
    ),
    "missing trials": (
        at(*EXPERIMENT, "trials", value=3),
        "suite has trials = 3, not 2",
    ),
    "another number of points": (at(*EXPERIMENT, "points", value=5), "suite has points = 5"),
    "traced or not": (at(*EXPERIMENT, "trace", value=True), "suite has trace = True"),
    "another problem": (without_a_problem, "not those of the suite itself: 1 of 4"),
    "a missing signal": (
        without_a_signal,
        "missing: 1 signals of knn, lp, p = 2.0, K = 10, trial 0",
    ),
    "only easy signals": (fewer_points, "missing: 'knn' has 3 of 4 signals per trial"),
    "an experiment more": (no_entry_for_an_experiment, "suite has the experiments"),
    "experiments of one name": (same_names, "two experiments of the suite have one name"),
    "a duplicate solver": (label("mean"), "two solvers are labelled 'mean'"),
    "a solver twice but for case": (
        label("Mean"),
        "the labels 'Mean' and 'mean' look alike|'mean' and 'Mean'",
    ),
    "a label of the site": (label("altmin"), "already has a solver labelled 'altmin'"),
    "a label like one of the site": (label("ＡＬＴmin"), "already has a solver labelled 'altmin'"),
    "an invisible label": (label("kn\u200bn"), r"invisible character U\+200B"),
    "a label that turns text": (label("\u202eknn"), r"invisible character U\+202E"),
    "a label of two lines": (label("knn\nmean"), r"invisible character U\+000A"),
    "no label": (label(""), r"entries\.0\.label: .*no letter and no digit"),
    "a label that is too long": (
        label("x" * 121),
        r"entries\.0\.label: .*at most 120",
    ),
    "another suite's name": (
        at("suite", "name", value="quick"),
        "suite has the title 'Small', not",
    ),
    "a suite that nobody has": (at("suite", "name", value="mine"), "the suite is unknown"),
    "another title": (at("suite", "title", value="Large"), "title 'Large', not 'Small'"),
    "a suite that leads out": (
        at("suite", "name", value="../x"),
        r"no suite named '\.\./x' is installed",
    ),
    "hard problems unsupported": (hard_ones_unsupported, "unsupported, but the solver does apply"),
    "a trial unsupported": (one_trial_unsupported, "unsupported in some trials and not in others"),
    "a stranger's hard problems": (unsupported_by_a_stranger, "for some numbers of pools only"),
    "some signals unsupported": (partly_unsupported, "it is unsupported for some signals only"),
    "a future date": (at("provenance", "finished", value=FUTURE), "finished in the future"),
    "an end before the start": (
        at("provenance", "finished", value="2001-01-01T00:00:00+00:00"),
        "before it started",
    ),
    "a date without a zone": (at("provenance", "started", value="2001-01-01"), "its time zone"),
    "no date": (at("provenance", "started", value="soon"), "must be a date and time"),
    "a negative iteration": (score(3, -1), "number of iterations is negative"),
    "half an iteration": (score(3, 0.5), "negative or not a whole number"),
    "half converged": (score(4, 0.5), "neither 0 nor 1"),
    "a score above 1": (score(0, 1.5), "a score is out of range"),
    "an infinite score": (score(2, np.inf), "a score is infinite"),
    "no estimate": (estimate_gone, "scores without an estimate"),
    "no scores": (scores_gone, "an estimate without scores"),
    "a true signal that is infinite": (infinite_truth, r"signals/000000\.npy holds .* not finite"),
    "failed and scored": (failed_with_scores, "estimates or scores of signals that are not done"),
    "negative seconds": (
        at(*CHUNK, "solve_seconds", value=-1.0),
        r"solve_seconds: .*or equal to 0",
    ),
    "a negative trial": (at("cells", 0, "trial", value=-1), r"cells\.0\.trial: .*or equal to 0"),
    "half a trial": (at("cells", 0, "trial", value=0.5), r"cells\.0\.trial: .*valid integer"),
    "true for a number": (at("cells", 0, "trial", value=True), r"cells\.0\.trial: .*valid integer"),
    "text for a number": (at("cells", 0, "trial", value="0"), r"cells\.0\.trial: .*valid integer"),
    "no such trial": (at("cells", 0, "trial", value=2), "of a trial that the suite does not have"),
    "no such problem": (
        at("cells", 0, "problem", value=4),
        "a problem that the suite does not have",
    ),
    "no such solver": (at("cells", 0, "entry", value=3), "of a solver that is not listed"),
    "no such experiment": (at("entries", 0, "experiment", value=1), "an experiment that the suite"),
    "no such environment": (at(*CHUNK, "environment", value=9), "its environment is not listed"),
    "no such signals": (at("cells", 0, "signals", value=2), "does not have its signals"),
    "no signals": (
        at("cells", 0, "signals", value=None),
        "its signals or their checksum are missing",
    ),
    "no checksum": (
        at(*CHUNK, "checksum", value=None),
        "its signals or their checksum are missing",
    ),
    "signals too many": (
        at("entries", 0, "points", value=5),
        "more signals per trial than its exper",
    ),
    "outcomes out of the cell": (at(*CHUNK, "stop", value=5), "signals 0 to 5 are not in it"),
    "outcomes twice": (overlapping, "outcomes overlap or are out of order"),
    "another status": (
        at(*CHUNK, "status", value="perfect"),
        r"status: .*should be 'done', 'failed'",
    ),
    "a cell twice": (twice, "the cell 1 is there twice: knn"),
    "signals that nothing refers to": (unused_signals, "signals that no cell refers to"),
    "a fact that is none": (
        at(*EXPERIMENT, "problems", 1, "even", value=True),
        "problems of the bundle's suite are not those",
    ),
    "an unknown field": (at("evil", value=1), "wrong at evil: Extra inputs are not permitted"),
    "an unknown field deep down": (
        at(*CHUNK, "code", value="x"),
        "code: Extra inputs are not perm",
    ),
    "a field that is missing": (field_gone, r"provenance\.command: Field required"),
    "another format version": (at("version", value=2), "format version is 2, and this .* reads 1"),
    "a version that is true": (at("version", value=True), "format version is True"),
    "another format": (at("format", value="x"), "the manifest is not that of a bundle"),
    "a spec without a name": (
        at("entries", 0, "solver", value={}),
        r"entries\.0\.solver: .*a name",
    ),
    "a spec that is deep": (
        at("entries", 0, "solver", "x", value=deep(20)),
        "is nested deeper than 12",
    ),
    "a spec that is large": (
        at("entries", 0, "solver", "x", value=[0] * 6000),
        "holds more than 5000 values",
    ),
    "an integer that is large": (
        at("entries", 0, "solver", "x", value=2**63),
        "holds an integer of 2⁶³ or more",
    ),
    "half a character": (
        at("provenance", "command", value="\ud800"),
        "the manifest holds half a surrogate pair",
    ),
    "a text that is long": (at(*CHUNK, "message", value="x" * 2001), "message: .*at most 2000"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused(case: str, forged: Forged, refused: Refused) -> None:
    forge, reason = CASES[case]
    refused(forged(forge), reason)


def test_there_are_enough_cases_with_reasons_of_their_own() -> None:
    assert len(CASES) >= 30
