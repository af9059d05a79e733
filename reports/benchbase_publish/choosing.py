"""Which of the stored results of a suite are packed: each solver's, from its latest run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import benchbase
from benchbase import BenchbaseError, CellRecord, SuiteRunRecord

_FACTS = ("seed", "trials", "points", "trace", "problems")
_Facts = dict[str, Any]


def latest_runs(results: benchbase.Results) -> tuple[benchbase.Results, list[int]]:
    """Return the runs in which the solvers of a suite were run last, and those left out.

    Parameters
    ----------
    results : benchbase.Results
        All runs of one suite.

    Returns
    -------
    benchbase.Results
        The latest run of each solver, of those that are of the same problems as the latest run.
    list of int
        The numbers of the runs that are of other problems, such as of another seed.
    """
    known: dict[str, _Facts] = {}
    latest: dict[str, int] = {}
    others = []
    for run in reversed(results.suites):
        experiments = json.loads(run["resolved"])["experiments"]
        facts = {each["name"]: {name: each[name] for name in _FACTS} for each in experiments}
        if any(known.get(name, own) != own for name, own in facts.items()):
            others.append(run["id"])
            continue
        known |= facts
        for each in experiments:
            for solver in each["solvers"]:
                latest.setdefault(solver["label"], run["id"])
    return benchbase.Results(results.folder, tuple(sorted({*latest.values()}))), others


def chosen_cells(runs: Sequence[SuiteRunRecord], labels: Sequence[str]) -> list[CellRecord]:
    """Return the cells of the chosen solvers, or of all, each solver's from its latest run.

    Raises
    ------
    BenchbaseError
        If there is no such solver.
    """
    latest = {cell.label: run for run in runs for cell in run.cells}
    if unknown := [label for label in labels if label not in latest]:
        listed = ", ".join(map(repr, latest))
        raise BenchbaseError(
            f"no solver labelled {unknown[0]!r} in the results; there are: {listed}"
        )
    wanted = labels or [*latest]
    return [cell for label in wanted for cell in latest[label].cells if cell.label == label]


def described(runs: Sequence[SuiteRunRecord]) -> _Facts:
    """Return the suite of some runs as a `benchbase.Referee` takes it.

    Runs of some solvers may have some of the suite's experiments only.

    Raises
    ------
    BenchbaseError
        If the runs are of several suites, or of different problems.
    """
    suites = sorted({run.suite for run in runs})
    if len(suites) > 1:
        named = ", ".join(suites)
        raise BenchbaseError(f"results are of the suites {named}; choose one run with --run")
    whole: dict[str, _Facts] = {}
    for run in sorted(runs, key=lambda run: -len(run.resolved["experiments"])):
        for each in run.described()["experiments"]:
            if _plain(whole.setdefault(each["name"], each)) != _plain(each):
                problem = f"runs of the suite '{suites[0]}' are of different problems"
                raise BenchbaseError(f"{problem}; choose one with --run")
    return {"name": runs[-1].suite, "title": runs[-1].title, "experiments": [*whole.values()]}


def _plain(experiment: _Facts) -> str:
    """Return an experiment as text, whatever the order of its problems."""
    problems = sorted(json.dumps(each, sort_keys=True) for each in experiment["problems"])
    return json.dumps(experiment | {"problems": problems}, sort_keys=True)


def check_isolated(results: benchbase.ResultsView, labels: Sequence[str]) -> None:
    """Refuse rows that were computed where the signals were in the solver's own process."""
    cells = chosen_cells(benchbase.read_records(results), labels)
    shared = {c.label: None for c in cells for k in c.chunks if k.get("isolated") is False}
    if shared:
        raise BenchbaseError(
            f"the rows of {', '.join(map(repr, shared))} were computed in benchbase's own process; "
            "run these solvers again in worker processes: benchbase run … --jobs 1 --rerun LABEL"
        )
