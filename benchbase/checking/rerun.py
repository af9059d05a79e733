"""Solvers of others run again on other signals, in worker processes only, and their code compared.

The process that judges builds no solver of a stranger and imports none of its code. It makes the
tasks from plain data, and the digests of code from the files as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchbase.component import Array
from benchbase.discovery.code import Code
from benchbase.discovery.files import plugin_module
from benchbase.discovery.providers import strangers
from benchbase.discovery.registry import registry
from benchbase.errors import BenchbaseError, PluginError, SpecError
from benchbase.interfaces import Dataset, Solver
from benchbase.planning.cells import Cell
from benchbase.planning.experiment import PROBLEM, Setting
from benchbase.planning.parts import Parts
from benchbase.running.launch import default_jobs
from benchbase.running.local import LocalWorkers
from benchbase.system.channel import note
from benchbase.system.loading import CORE, top_of
from benchbase.tasks import Outcome, Task

PLUGIN_FILE = "a plugin file"
"""The name of all plugin files, whose modules are named by the paths of one machine."""

_PLUGIN_FILE = "benchbase_plugin_"
_SHOWN = 5  # kinds of failures

Scores = Array | None
"""The squared cosines of a trial's signals, NaN without an estimate; None if it is unsupported."""


@dataclass(frozen=True)
class Asked:
    """A solver to run again on a problem.

    Attributes
    ----------
    cells : list of Cell
        The problem in each trial, whatever their solver.
    solver : dict
        The spec of the solver.
    chunk : int
        The number of signals that it gets at a time.
    """

    cells: Sequence[Cell]
    solver: Mapping[str, Any]
    chunk: int


def bundled_solver(spec: Mapping[str, Any]) -> Solver:
    """Build a solver of somebody else's results, if it comes with benchbase.

    Raises
    ------
    SpecError
        If it is not such a solver, or cannot be built; or if it holds a data set, which could read
        any file here.
    """
    built = registry().build("solver", spec)
    held = next((part.name for part in built.walk() if isinstance(part, Dataset)), None)
    if held is not None:
        message = f"{built.name} holds the data set {held!r}; submit it without a data set"
        raise SpecError((), message)
    if registry().sources(built):
        raise SpecError((), f"{built.name} does not come with benchbase")
    return built  # type: ignore[return-value] # built as a solver


def sources_of(spec: Mapping[str, Any], plugins: Sequence[str]) -> list[str]:
    """Return what workers must load to have a solver; nothing if it comes with benchbase.

    Raises
    ------
    SpecError
        If it does not, and there is no plugin that could have it.
    """
    try:
        registry().build("solver", spec)
    except SpecError:
        found = [str(Path(path).absolute()) for path in plugins] + sorted(strangers())
        if not found:
            raise
        return found
    bundled_solver(spec)
    return []


def run_again(
    asked: Sequence[Asked], plugins: Sequence[str], jobs: int | None, *, sandbox: bool
) -> list[list[Scores]]:
    """Run solvers again, and return the scores of each trial of each of them.

    Parameters
    ----------
    asked : sequence of Asked
        The solvers, each with the trials of one problem.
    plugins : sequence of str
        The plugin files that may supply them.
    jobs : int or None
        The number of workers, at least 1; by default `default_jobs`.
    sandbox : bool
        Whether to run the solvers in a sandbox.

    Raises
    ------
    BenchbaseError
        If a solver is not there, the problem and the solver come from one plugin, or a sandbox
        cannot be had.
    """
    scores = {
        _key(number, trial): np.full(cell.points, np.nan)
        for number, each in enumerate(asked)
        for trial, cell in enumerate(each.cells)
    }
    unsupported: set[str] = set()
    lost: dict[str, None] = {}
    tasks = [task for number, each in enumerate(asked) for task in _tasks(number, each, plugins)]
    for outcome in _outcomes(tasks, jobs, sandbox):
        key = outcome["key"]
        if outcome["status"] == "refused":
            raise BenchbaseError(f"a solver cannot be run here: {outcome['message']}")
        if outcome["status"] == "unsupported":
            unsupported.add(key)
        elif outcome["status"] == "done":
            rows = slice(outcome["start"], outcome["stop"])
            scores[key][rows] = outcome["squared_cosine"]
        else:
            lost.setdefault(f"{outcome['status']}: {outcome['message']}", None)
    for message in [*lost][:_SHOWN]:
        note(f"run again, a solver {message}")
    found = {key: None if key in unsupported else own for key, own in scores.items()}
    return [
        [found[_key(number, trial)] for trial in range(len(each.cells))]
        for number, each in enumerate(asked)
    ]


def _outcomes(tasks: Sequence[Task], jobs: int | None, sandbox: bool) -> Iterator[Outcome]:
    workers = min(max(1, default_jobs() if jobs is None else jobs), len(tasks))
    return LocalWorkers(workers, sealed=True, sandbox=sandbox).run(tasks)


def _key(number: int, trial: int) -> str:
    return f"{number}-{trial}"


def _tasks(number: int, asked: Asked, plugins: Sequence[str]) -> Iterator[Task]:
    """Yield the tasks of a solver on a problem, which are made from those of no solver."""
    sources = sources_of(asked.solver, plugins)
    for trial, cell in enumerate(asked.cells):
        whole = next(cell.tasks(Parts(registry())))
        own = {name for kind in PROBLEM for name in whole["sources"].get(kind, [])}
        if both := sorted(own & set(sources)):
            raise BenchbaseError(
                f"the run cannot be sealed: {both[0]} supplies a part of the problem and the solver"
            )
        for start in range(0, cell.points, asked.chunk):
            task = whole.copy()
            task["key"], task["solver"] = _key(number, trial), dict(asked.solver)
            task["start"], task["stop"] = start, min(start + asked.chunk, cell.points)
            task["sources"] = whole["sources"] | {"solver": sources}
            task["shared"] = []
            yield task


def other_code(
    claimed: Iterable[tuple[str, str]],
    settings: Iterable[Setting],
    solvers: Sequence[Mapping[str, Any]],
    plugins: Sequence[str],
) -> list[str]:
    """Return the modules whose code here is not what a stranger's results name.

    Parameters
    ----------
    claimed : iterable of (str, str)
        The modules that the results name, with their digests.
    settings : iterable of Setting
        The problems.
    solvers : sequence of dict
        The specs of the solvers.
    plugins : sequence of str
        The plugin files that were loaded in workers.

    Returns
    -------
    list of str
        The names of modules, with `PLUGIN_FILE` for plugin files.
    """
    code, told = Code(), {*claimed}
    here: set[tuple[str, str]] = set()
    parts = [part for setting in settings for each in setting.parts() for part in each.walk()]
    files = {code.of_file(plugin_module(Path(path)), Path(path)) for path in plugins}
    packages: set[str] = set()
    for spec in solvers:
        if sources_of(spec, plugins):
            here |= {(PLUGIN_FILE, digest or "") for digest in files}
            packages |= {top_of(module) for module in strangers().values()}
        else:
            parts += bundled_solver(spec).walk()
    for part in parts:
        here |= {(name, digest or "") for name, digest in code.of(type(part)).items()}
    here.add((CORE, code.core()))
    theirs = {
        (PLUGIN_FILE if name.startswith(_PLUGIN_FILE) else name, digest) for name, digest in told
    }
    for name, digest in theirs - here:  # of a stranger's package, as far as the results name it
        if top_of(name) in packages and _is_name(name) and _is_same(code, name, digest):
            here.add((name, digest))
    return sorted({name for name, _ in theirs ^ here})


def _is_name(name: str) -> bool:
    return all(part.isidentifier() for part in name.removesuffix(".*").split("."))


def _is_same(code: Code, name: str, digest: str) -> bool:
    try:
        code.compare(name, digest)
    except PluginError:
        return False
    return True
