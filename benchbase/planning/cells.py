"""Cells: one solver on one problem of a suite in one trial, with its key and its tasks."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchbase.component import Component
from benchbase.discovery.code import Code
from benchbase.errors import NotDownloadedError, PluginError, SuiteError
from benchbase.interfaces import Solver
from benchbase.planning.experiment import MOST_CELLS
from benchbase.system.downloads import without_downloads
from benchbase.system.loading import CORE
from benchbase.tasks import Task, fingerprints, json_ready

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from benchbase.planning.experiment import Entry, Experiment, Setting
    from benchbase.planning.parts import Parts
    from benchbase.planning.suite import Suite


NOT_DOWNLOADED = "not downloaded"
"""The fingerprint of files that are not there yet; see `Digests`."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One solver on one problem in one trial, with a number of test signals.

    Attributes
    ----------
    key : str
        The digest of everything that its numbers depend on: the components with all parameters,
        seed, trial, points, the code that the components reach, the data set's files, and the
        numerical part of the core. Label, suite, limits and library versions are not in it.
    train_key, signals_key, problem_key : str
        Digests of everything that the training signals, the test signals and the problem depend
        on.
    group_key : str
        The same of the problem without its pooling.
    code : dict of str to dict
        The digests of the code of its components by kind and module, and that of the core. Modules
        in no file are left out; see `Code.of`.
    packages : dict of str to str
        The digests of all packages that the components reach, each as a whole.
    common : frozenset of str
        The names of the packages that both the solver and another component reach.
    files : list of str
        The fingerprints of the data set's files.
    """

    experiment: str
    label: str
    setting: Setting
    solver: Solver
    seed: int
    trial: int
    points: int
    time_limit: float | None
    trace: bool
    key: str
    train_key: str
    signals_key: str
    problem_key: str
    group_key: str
    code: dict[str, dict[str, str]]
    packages: dict[str, str]
    common: frozenset[str]
    files: list[str]

    @property
    def chunk(self) -> int:
        """The number of signals per task: the least that any of its solvers asks for."""
        return _chunk(self.solver, self.points)

    def components(self) -> tuple[Component, ...]:
        """Return its components, without those inside others."""
        return (*self.setting.parts(), self.solver)

    def parts(self) -> Iterator[Component]:
        """Yield all its components, including those inside others."""
        for component in self.components():
            yield from component.walk()

    def facts(self) -> dict[str, Any]:
        """Return what the store keeps of the cell, as JSON-ready data."""
        return next(facts_of([self]))

    def shared(self, parts: Parts) -> list[str]:
        """Return what keeps the cell from being sealed; see `Task`."""
        return parts.shared(map(parts.of, self.components()), self.common)

    def tasks(self, parts: Parts, *, host_name: bool = False) -> Iterator[Task]:
        """Yield one task for each chunk of the cell, in order.

        Parameters
        ----------
        parts : Parts
            The components as tasks have them.
        host_name : bool, optional
            Let outcomes name the host that they come from.
        """
        made = {each.kind: parts.of(each) for each in self.components()}
        specs = {kind: part.spec for kind, part in made.items()}
        sources = {kind: part.sources for kind, part in made.items()}
        shared, chunk = parts.shared(made.values(), self.common), self.chunk
        for start in range(0, self.points, chunk):
            yield Task(
                key=self.key,
                start=start,
                stop=min(start + chunk, self.points),
                dataset=specs["dataset"],
                frame=specs["frame"],
                pooling=specs["pooling"],
                noise=specs.get("noise"),
                hint=specs.get("hint"),
                solver=specs["solver"],
                seed=self.seed,
                trial=self.trial,
                points=self.points,
                n=self.setting.dataset.n,
                train_key=self.train_key,
                signals_key=self.signals_key,
                problem_key=self.problem_key,
                group_key=self.group_key,
                others=[],
                answers=None,
                sources=sources,
                shared=shared,
                code=self.code,
                packages=self.packages,
                files=self.files,
                host_name=host_name,
                send_signals=False,
                time_limit=self.time_limit,
                trace=self.trace,
            )


def facts_of(cells: Iterable[Cell]) -> Iterator[dict[str, Any]]:
    """Yield the facts of cells (`Cell.facts`). Those of a problem or a solver are made once."""
    known: dict[int, tuple[object, dict[str, Any]]] = {}  # by identity, as in `Parts`
    for cell in cells:
        if id(cell.setting) not in known:
            known[id(cell.setting)] = (cell.setting, cell.setting.facts())
        if id(cell.solver) not in known:
            known[id(cell.solver)] = (cell.solver, json_ready(cell.solver.spec()))
        problem, solver = known[id(cell.setting)][1], known[id(cell.solver)][1]
        own = {"solver": solver, "seed": cell.seed, "trial": cell.trial}
        yield problem | own | {"points": cell.points, "trace": cell.trace}


def make_cells(suite: Suite, digests: Digests | None = None) -> list[Cell]:
    """Expand a suite into cells, in the order of its tables.

    Parameters
    ----------
    suite : Suite
        What to expand.
    digests : Digests, optional
        Digests that earlier calls have worked out, if the same code and data are meant.

    Raises
    ------
    DataError
        If files of a data set are missing.
    SuiteError
        If there are too many chunks.
    """
    _check_chunks(suite)
    digests = Digests() if digests is None else digests
    return [
        cell
        for experiment in suite.experiments
        for setting, keys in _problems(experiment, digests)
        for entry in experiment.entries
        for cell in _of_entry(experiment, setting, entry, keys, digests)
    ]


class _Keys:
    """The keys of a problem's training signals, test signals and trials.

    The core makes streams, rounds and scores, so that its digest is part of all keys.
    """

    def __init__(
        self, experiment: Experiment, setting: Setting, digests: Digests, signals: dict[Any, str]
    ) -> None:
        dataset, *others = setting.parts()
        self._join = digests.join
        self.train = self._join(digests.core(), digests.of(dataset, experiment.seed))
        self._frame, self._pooling, *self._more = [digests.of(part) for part in others]
        self._signals = signals
        self._problems: dict[tuple[int, int], tuple[str, str]] = {}

    def of(self, trial: int, points: int) -> tuple[str, str, str]:
        """Return the keys of a trial's test signals, of its problem, and without the pooling."""
        place = self.train, trial, points
        signals = self._signals.get(place)
        if signals is None:
            signals = self._signals[place] = self._join("signals", *place)
        problem = self._problems.get(place[1:])
        if problem is None:
            whole = self._join(signals, self._frame, self._pooling, *self._more)
            group = self._join("group", signals, self._frame, *self._more)
            problem = self._problems[place[1:]] = (whole, group)
        return signals, *problem


def _problems(experiment: Experiment, digests: Digests) -> Iterator[tuple[Setting, _Keys]]:
    """Yield the problems of an experiment with their keys; many have the same test signals."""
    signals: dict[Any, str] = {}
    for setting in experiment.problems:
        yield setting, _Keys(experiment, setting, digests, signals)


def _of_entry(
    experiment: Experiment, setting: Setting, entry: Entry, keys: _Keys, digests: Digests
) -> Iterator[Cell]:
    """Yield the cells of a solver on a problem, which differ in trial and keys only."""
    code = {part.kind: digests.code(part) for part in (*setting.parts(), entry.solver)}
    reached = {kind: digests.packages(names) for kind, names in code.items()}
    of_solver = reached.pop("solver")
    of_problem = {name: digest for each in reached.values() for name, digest in each.items()}
    code["core"] = {CORE: digests.core()}
    packages, common = of_problem | of_solver, frozenset(of_problem.keys() & of_solver.keys())
    points = min(entry.points or experiment.points, experiment.points)
    own = [digests.of(entry.solver), *(["trace"] if experiment.trace else [])]
    limit, files = entry.time_limit or experiment.time_limit, digests.files(setting.dataset)
    for trial in range(experiment.trials):
        signals, problem, group = keys.of(trial, points)
        yield Cell(
            experiment=experiment.name,
            label=entry.label,
            setting=setting,
            solver=entry.solver,
            seed=experiment.seed,
            trial=trial,
            points=points,
            time_limit=limit,
            trace=experiment.trace,
            key=digests.join(problem, *own),
            train_key=keys.train,
            signals_key=signals,
            problem_key=problem,
            group_key=group,
            code=code,
            packages=packages,
            common=common,
            files=files,
        )


def _chunk(solver: Solver, points: int) -> int:
    """Return the number of signals per task, of a cell with so many."""
    sizes = [points]
    for part in solver.walk():
        if isinstance(part, Solver) and part.chunk is not None:
            if not isinstance(part.chunk, int) or part.chunk < 1:
                problem = f"must be None or an integer of at least 1, not {part.chunk!r}"
                raise PluginError(f"the solver '{part.name}': its chunk {problem}")
            sizes.append(part.chunk)
    return min(sizes)


def _check_chunks(suite: Suite) -> None:
    """Count the chunks, which solvers choose, before any is made."""
    chunks = 0
    for experiment in suite.experiments:
        for entry in experiment.entries:
            points = min(entry.points or experiment.points, experiment.points)
            each = -(-points // _chunk(entry.solver, points))
            chunks += len(experiment.problems) * experiment.trials * each
    if chunks > MOST_CELLS:
        problem = f"{chunks:,} chunks to compute are too many; at most {MOST_CELLS:,} can be run"
        raise SuiteError([f"{suite.name}: {problem}"])


def problem_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return those facts of a cell that describe its problem, without seed, sizes and solver."""
    own = ("solver", "seed", "trial", "points", "trace")
    return {name: fact for name, fact in facts.items() if name not in own}


class Digests:
    """Digests of components. Each is computed once, because it takes reading code and data.

    Parameters
    ----------
    download : bool, optional
        Whether data sets may download their files. If not, the fingerprints of those whose files
        are missing are `NOT_DOWNLOADED`, so that their cells have keys that no result has.
    """

    def __init__(self, *, download: bool = True) -> None:
        self._download = download
        self._source = Code()
        self._known: dict[tuple[str, str], str] = {}
        # By identity, since components that are equal may differ in a type, as 2 and 2.0 do. The
        # component is kept beside its digest, so that no other gets its number.
        self._of: dict[tuple[int, tuple[int, ...]], tuple[Component, str]] = {}
        self._code_of: dict[int, tuple[Component, dict[str, str]]] = {}
        self._code: dict[type, dict[str, str | None]] = {}
        self._packages: dict[frozenset[str], dict[str, str]] = {}
        self._files: dict[Component, list[str]] = {}

    def core(self) -> str:
        """Return the digest of the numerical part of the core."""
        return self._source.core()

    def files(self, component: Component) -> list[str]:
        """Return the fingerprints of a component's data sets."""
        if component not in self._files:
            try:
                with nullcontext() if self._download else without_downloads():
                    self._files[component] = fingerprints(component)
            except NotDownloadedError:
                if self._download:
                    raise
                self._files[component] = [NOT_DOWNLOADED]
        return self._files[component]

    def code(self, component: Component) -> dict[str, str]:
        """Return the digests of the code of a component and of those inside it, by module."""
        if id(component) not in self._code_of:
            found = {
                name: digest
                for part in component.walk()
                for name, digest in self._of_type(type(part)).items()
                if digest is not None
            }
            self._code_of[id(component)] = (component, found)
        return self._code_of[id(component)][1]

    def packages(self, modules: Iterable[str]) -> dict[str, str]:
        """Return the digests of the packages that modules reach."""
        asked = frozenset(modules)
        if asked not in self._packages:
            self._packages[asked] = self._source.packages(asked)
        return self._packages[asked]

    def _of_type(self, cls: type) -> dict[str, str | None]:
        if cls not in self._code:
            self._code[cls] = self._source.of(cls)
        return self._code[cls]

    def of(self, component: Component, *extra: int) -> str:
        """Return the digest of a component with its code and data, and of numbers beside it."""
        place = (id(component), extra)
        if place not in self._of:
            self._of[place] = (component, self._digest(component, *extra))
        return self._of[place][1]

    def _digest(self, component: Component, *extra: int) -> str:
        token = json.dumps(_typed(component), sort_keys=True)
        known = self._known.get((token, str(extra)))
        if known is None:
            # Code that is in no file gets a key that no other run can have.
            code = [
                digest or os.urandom(16).hex()
                for part in component.walk()
                for digest in self._of_type(type(part)).values()
            ]
            known = self.join(token, sorted(set(code)), self.files(component), *extra)
            self._known[token, str(extra)] = known
        return known

    @staticmethod
    def join(*parts: Any) -> str:
        """Return one digest of several, and of other plain data."""
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _typed(value: Any) -> Any:
    """Return plain data in which values of different types always differ."""
    if isinstance(value, Component):
        spec = {key: getattr(value, key) for key in value.spec() if key != "name"}
        fields = {key: _typed(item) for key, item in spec.items()}
        return {"kind": value.kind, "name": value.name, "fields": fields}
    if isinstance(value, tuple):
        return [_typed(item) for item in value]
    return value  # JSON writes 2 and 2.0, or inf and "inf", differently
