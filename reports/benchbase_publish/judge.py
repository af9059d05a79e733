"""The judging of a submission: its suite is compared, and every stored signal scored again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchbase import Array, Referee, SpecError
from benchbase.showing import alike
from benchbase_publish.bundle import Bundle, Head
from benchbase_publish.rules import name_of
from benchbase_publish.schema import Cell

TOLERANCE = 1e-6
"""How far two numbers may be apart; relative if they are larger than 1."""

_SCORES = ("squared cosine", "relative error", "residual")


def differences(bundle: Head, suite: dict[str, Any]) -> list[str]:
    """Say where the suite of a bundle differs from the acceptor's suite of the same name.

    Parameters
    ----------
    bundle : Head
        The submission.
    suite : dict
        The acceptor's suite, as plain data.

    Returns
    -------
    list of str
        One line per difference.
    """
    theirs = bundle.suite
    if theirs["title"] != suite["title"]:
        return [f"the bundle's suite has the title {theirs['title']!r}, not {suite['title']!r}"]
    names, ours = ([e["name"] for e in each["experiments"]] for each in (theirs, suite))
    if names != ours:
        return [f"the bundle's suite has the experiments {names}, not {ours}"]
    faults = []
    for their, our in zip(theirs["experiments"], suite["experiments"], strict=True):
        where = f" of {our['name']!r}" if our["name"] else ""
        faults += [
            f"the bundle's suite has {name} = {their[name]}{where}, not {our[name]}"
            for name in ("seed", "trials", "points", "trace")
            if their[name] != our[name]
        ]
        if [*map(token, their["problems"])] != [*map(token, our["problems"])]:
            unknown = {*map(token, their["problems"])} - {*map(token, our["problems"])}
            faults.append(
                f"the problems{where} of the bundle's suite are not those of the suite itself: "
                f"{len(unknown)} of {len(their['problems'])} are unknown"
            )
    return faults


def impostors(bundle: Bundle) -> list[str]:
    """Say which labels are, or look like, labels of other solvers in the installed suite.

    Parameters
    ----------
    bundle : Bundle
        The submission.

    Returns
    -------
    list of str
        One line per label.
    """
    known = Referee.entries_of_installed(bundle.manifest.suite.name)
    names = [label for _, label in known]
    experiments = bundle.suite["experiments"]
    faults = []
    for entry in bundle.manifest.entries:
        if alike(entry.label, names) is None:
            continue
        here = known.get((experiments[entry.experiment]["name"], entry.label))
        same = [spec for (_, label), (spec, _) in known.items() if label == entry.label]
        if token(dict(entry.solver)) not in map(token, [here[0]] if here else same):
            taken = f"the label {entry.label!r} is that of another solver"
            faults.append(f"{taken} in the suite itself")
    return faults


def token(problem: dict[str, Any]) -> str:
    """Return a problem's facts as text, so that two problems can be compared."""
    return json.dumps(problem, sort_keys=True)


def score_again(bundle: Bundle, referee: Referee) -> list[str]:
    """Rebuild every problem from its seed, and compare signals, measurements and scores.

    Parameters
    ----------
    bundle : Bundle
        A consistent bundle of the referee's suite.
    referee : benchbase.Referee
        It rebuilds problems with the code that is installed here.

    Returns
    -------
    list of str
        One line per cell that does not agree.

    Raises
    ------
    BenchbaseError
        If a component of a problem is not installed, or its data are missing.
    """
    faults = []
    manifest = bundle.manifest
    cells = bundle.cells()
    for number in {(manifest.entries[c.entry].experiment, c.problem): None for c, _, _ in cells}:
        facts = referee.facts(*number)
        claimed = bundle.suite["experiments"][number[0]]["problems"][number[1]]
        if token(facts) != token(claimed):
            said = f"the facts of a problem are {token(claimed)}"
            faults.append(f"{said}, and come to {token(facts)}")
    if faults:
        return faults
    # The cells of one problem in succession, as a problem is costly to build.
    order = sorted(
        cells, key=lambda c: (manifest.entries[c[0].entry].experiment, c[0].problem, c[0].trial)
    )
    for cell, estimates, scores in order:
        fault = next(_cell_faults(bundle, referee, cell, estimates, scores), None)
        if fault is not None:
            faults.append(f"{name_of(manifest, cell)}: {fault}")
    return faults


def _cell_faults(
    bundle: Bundle, referee: Referee, cell: Cell, estimates: Array, scores: Array
) -> Iterator[str]:
    """Yield what is wrong with a cell, causes before what follows from them."""
    entry = bundle.manifest.entries[cell.entry]
    place = entry.experiment, cell.problem, cell.trial
    if cell.signals is not None:
        truth = referee.truth(*place)[: entry.points]
        if not _alike(bundle.signals[cell.signals], truth).all():
            yield "the true signals are not those that the seed gives"
    faults = [c.checksum for c in cell.chunks if c.checksum is not None]
    if faults:
        norm = referee.checksum(*place, entry.points)
        if any(abs(each - norm) > TOLERANCE * max(1.0, norm) for each in faults):
            yield f"the norm of all measurements is {faults[0]:.9g}, and comes to {norm:.9g}"
    done = np.isfinite(scores[0])
    if not done.any():
        return
    again = referee.score(*place, estimates)
    for name, old, new in zip(_SCORES, scores, again, strict=False):
        apart = done & ~_alike(old, new)
        if apart.any():
            i = int(np.flatnonzero(apart)[0])
            yield (
                f"the {name} of {apart.sum()} of {done.sum()} signals is not that of the estimate: "
                f"signal {i} has {old[i]:.6g}, and scores {new[i]:.6g}"
            )


def _alike(old: Array, new: Array) -> Array:
    alike: Array = np.abs(old - new) <= TOLERANCE * np.maximum(1.0, np.abs(new))
    return alike


def unsupported_faults(bundle: Bundle, referee: Referee) -> tuple[list[str], list[str]]:
    """Say which rows are marked as unsupported without a reason that can be checked.

    Unsupported rows are left out of statistics, so marking the hard ones would hide them. A solver
    that comes with benchbase is asked. Any other cannot be asked without running its code: it may
    leave out all trials and numbers of pools of a problem, but not some, and not all problems.

    Returns
    -------
    faults : list of str
        One line per fault.
    not_asked : list of str
        The labels of the solvers that could not be asked.
    """
    manifest = bundle.manifest
    groups: defaultdict[tuple[int, int], list[Cell]] = defaultdict(list)
    for cell in manifest.cells:
        groups[cell.entry, cell.problem].append(cell)
    refused = {key: any(c.status == "unsupported" for x in cells for c in x.chunks)
               for key, cells in groups.items()}  # fmt: skip # a table
    faults, not_asked = [], set()
    for (number, problem), cells in groups.items():
        if not refused[number, problem]:
            continue
        entry, where = manifest.entries[number], name_of(manifest, cells[0])
        if any(c.status != "unsupported" for x in cells for c in x.chunks):
            faults.append(f"{where}: it is unsupported in some trials and not in others")
            continue
        try:
            reason = referee.unsupported(entry.experiment, problem, entry.solver)
        except SpecError:
            not_asked.add(entry.label)
            if not _all_sizes(bundle, refused, number, problem):
                faults.append(
                    f"{where}: it is unsupported for some numbers of pools only, "
                    "and the solver cannot be asked here"
                )
            continue
        if reason is None:
            faults.append(f"{where}: it is marked as unsupported, but the solver does apply")
    applying = {manifest.entries[e].label for (e, _), whole in refused.items() if not whole}
    faults += [
        f"{label!r} is unsupported on every problem, and cannot be asked here: nothing of its "
        "rows could be verified"
        for label in sorted(not_asked - applying)
    ]
    return faults, sorted(not_asked)


def _all_sizes(
    bundle: Bundle, refused: dict[tuple[int, int], bool], entry: int, problem: int
) -> bool:
    """Whether a solver refuses a problem with every number of pools."""
    place = bundle.manifest.entries[entry].experiment
    problems = bundle.suite["experiments"][place]["problems"]
    family = _family(problems[problem])
    same = [i for i, other in enumerate(problems) if _family(other) == family]
    return all(refused.get((entry, i), False) for i in same)


def _family(problem: dict[str, Any]) -> str:
    frame = {key: value for key, value in problem["frame"].items() if key != "n_pools"}
    return token(problem | {"frame": frame, "n_pools": None})
