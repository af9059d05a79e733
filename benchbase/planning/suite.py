"""Suites: TOML files that name data sets, frames, poolings and solvers to compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchbase.component import plain
from benchbase.discovery.registry import Registry
from benchbase.errors import ParameterError, SpecError, SuiteError, check_range, dotted, suggestion
from benchbase.interfaces import Report
from benchbase.planning.draft import Draft, faulty_title, sentence
from benchbase.planning.experiment import KEYS, Change, Experiment, Extra
from benchbase.planning.toml import TomlFile
from benchbase.system.paths import real_path
from benchbase.tasks import json_ready
from benchbase.wording import check_name, look_alike

TOP_KEYS = (*KEYS, "report", "include", "experiment")


@dataclass(frozen=True)
class Suite:
    """A validated suite.

    Attributes
    ----------
    reports : tuple of Report or None
        The reports to write after a run, or None for all that are installed.
    """

    name: str
    title: str
    experiments: tuple[Experiment, ...]
    reports: tuple[Report, ...] | None = None

    def select(self, labels: Sequence[str]) -> Suite:
        """Return the suite with only the solvers that have the given labels.

        Raises
        ------
        SuiteError
            If a label is not in the suite.
        """
        known = {entry.label for experiment in self.experiments for entry in experiment.entries}
        unknown = [label for label in labels if label not in known]
        if unknown:
            raise SuiteError(
                f"{self.name}: no solver labelled {label!r}{suggestion(label, known)}"
                for label in unknown
            )
        chosen = (
            replace(e, entries=tuple(entry for entry in e.entries if entry.label in labels))
            for e in self.experiments
        )
        return replace(self, experiments=tuple(e for e in chosen if e.entries))

    def limited(self, time_limit: float) -> Suite:
        """Return the suite with one time limit for all solvers, in seconds per signal.

        Raises
        ------
        ParameterError
            If it is not a number above 0.
        """
        time_limit = plain(time_limit)
        try:
            check_range("time_limit", time_limit, above=0)
        except TypeError:
            raise ParameterError("time_limit", f"must be a number, not {time_limit!r}") from None
        experiments = (
            replace(
                e,
                time_limit=time_limit,
                entries=tuple(replace(entry, time_limit=None) for entry in e.entries),
            )
            for e in self.experiments
        )
        return replace(self, experiments=tuple(experiments))

    def resolved(self) -> dict[str, Any]:
        """Return the suite with every default filled in, as JSON-ready data."""
        experiments = [
            {
                "name": e.name,
                "seed": e.seed,
                "trials": e.trials,
                "points": e.points,
                "time_limit": e.time_limit,
                "trace": e.trace,
                "problems": [[part.spec() for part in problem.parts()] for problem in e.problems],
                "solvers": [
                    {"label": entry.label, "points": entry.points, "time_limit": entry.time_limit}
                    | entry.solver.spec()
                    for entry in e.entries
                ],
            }
            for e in self.experiments
        ]
        data = {"name": self.name, "title": self.title, "experiments": experiments}
        return json_ready(data)  # type: ignore[no-any-return] # a dict stays one


def load_suite(
    source: str | Path,
    registry: Registry,
    changes: Sequence[Change] = (),
    extras: Sequence[Extra] = (),
) -> Suite:
    """Read and validate a suite.

    Parameters
    ----------
    source : str or pathlib.Path
        The name of an installed suite, or the path of a TOML file.
    registry : Registry
        The installed components.
    changes : sequence of Change, optional
        Values to set in every experiment, before validation.
    extras : sequence of Extra, optional
        Solvers to append to every experiment.

    Raises
    ------
    SuiteError
        If anything is wrong with the suite. The message has one line per mistake.
    """
    return _load(_find(source, registry), registry, changes, extras, ())


def _find(source: str | Path, registry: Registry, near: Path | None = None) -> Path:
    name = str(source)
    if isinstance(source, str) and name in registry.suites:
        return registry.suites[name]
    if isinstance(source, Path) or name.endswith(".toml") or "/" in name:
        return (near or Path()) / source
    hint = suggestion(name, registry.suites)
    file = "to run a file, give a path that ends in .toml or contains /"
    raise SuiteError([f"no suite named {name!r}{hint} ({file})"])


def _load(
    path: Path,
    registry: Registry,
    changes: Sequence[Change],
    extras: Sequence[Extra],
    above: tuple[Path, ...],
) -> Suite:
    file = TomlFile.read(path)
    if real_path(path) in above:
        raise SuiteError([f"{file.place(('include',))}: {path.name} includes itself"])
    data = file.data
    wrong = _Mistakes()
    wrong.add(_unknown_keys(file, data, TOP_KEYS, ()))
    experiments: list[Experiment] = []
    for index, name in enumerate(wrong.typed(file, data, "include", list, [])):
        with wrong.kept():
            included = _included(file, index, name, registry, path.parent)
            suite = _load(included, registry, changes, extras, (*above, real_path(path)))
            more = (
                replace(e, name=f"{suite.name}: {e.name}" if e.name else suite.name)
                for e in suite.experiments
            )
            _append(file, ("include", index), experiments, more)
    blocks = wrong.typed(file, data, "experiment", list, [])
    defaults = {key: value for key, value in data.items() if key in KEYS}
    for index, block in enumerate(blocks):
        here = ("experiment", index)
        with wrong.kept():
            if not isinstance(block, dict):
                raise SuiteError([f"{file.place(here)}: {dotted(here)}: must be a table"])
            wrong.add(_unknown_keys(file, block, KEYS, here))
            merged = defaults | {"title": f"experiment {index + 1}"} | block
            draft = Draft(file, here, merged, registry, changes, extras)
            _append(file, (*here, "title"), experiments, [draft.build()])
    if not blocks and ("solver" in data or not data.get("include")):
        with wrong.kept():
            draft = Draft(file, (), defaults | {"title": ""}, registry, changes, extras)
            experiments.append(draft.build())
    with wrong.kept():
        _check_labels(path, experiments)
    title = data.get("title", path.stem)
    if "title" in data and (problem := faulty_title(title)):
        wrong.add([f"{file.place(('title',))}: title: {problem}"])
    reports = _reports(file, data, registry, wrong)
    wrong.told()
    return Suite(path.stem, title, tuple(experiments), reports)


class _Mistakes:
    """What is wrong with a suite, told at once in the end."""

    def __init__(self) -> None:
        self._problems: list[str] = []

    def add(self, problems: Iterable[str]) -> None:
        self._problems += problems

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the mistakes that a part of the suite raises, and go on with the next part."""
        try:
            yield
        except SuiteError as error:
            self._problems += error.problems

    def typed(
        self, file: TomlFile, data: dict[str, Any], key: str, kind: type, default: Any
    ) -> Any:
        """Return the value of a key, or the default if it is missing or of another type."""
        value = data.get(key, default)
        if isinstance(value, kind):
            return value
        self.add([f"{file.place((key,))}: {key}: must be a {kind.__name__}"])
        return default

    def told(self) -> None:
        """Raise a `SuiteError` with all mistakes, if there are any."""
        if self._problems:
            raise SuiteError(self._problems)


def _check_labels(path: Path, experiments: Sequence[Experiment]) -> None:
    """Refuse a suite whose file has no proper name, or that writes one label in two ways."""
    try:
        check_name(path.stem)
    except ValueError as error:
        file = ascii(path.name)[1:-1]
        problem = f"a suite has the name of its file, and this one {error}; rename the file"
        raise SuiteError([f"{file}: {problem}"]) from None
    labels = (entry.label for experiment in experiments for entry in experiment.entries)
    if pair := look_alike(labels):
        problem = f"the labels {pair[0]!r} and {pair[1]!r} look alike"
        raise SuiteError([f"{path.name}: {problem}; write one in the same way everywhere"])


def _append(
    file: TomlFile,
    path: tuple[str | int, ...],
    experiments: list[Experiment],
    more: Iterable[Experiment],
) -> None:
    """Add experiments; refuse two with the same name, whose results could not be told apart."""
    for experiment in more:
        if fault := faulty_title(experiment.name):  # an included one's begins with its suite's
            raise SuiteError([f"{file.place(path)}: the title {fault}"])
        if any(experiment.name == other.name for other in experiments):
            problem = f"two experiments have the title {experiment.name!r}; change one of them"
            raise SuiteError([f"{file.place(path)}: {problem}"])
        experiments.append(experiment)


def _included(file: TomlFile, index: int, name: Any, registry: Registry, near: Path) -> Path:
    place = f"{file.place(('include', index))}: include"
    if not isinstance(name, str):
        raise SuiteError([f"{place}: must be the name of a suite or a file, not {name!r}"])
    try:
        path = _find(name, registry, near)
    except SuiteError as error:
        raise SuiteError([f"{place}: {error}"]) from error
    if not path.is_file():
        raise SuiteError([f"{place}: the file {path} does not exist"])
    return path


def _reports(
    file: TomlFile, data: dict[str, Any], registry: Registry, wrong: _Mistakes
) -> tuple[Report, ...] | None:
    if "report" not in data:
        return None
    reports = []
    for index, spec in enumerate(wrong.typed(file, data, "report", list, [])):
        try:
            reports.append(registry.build("report", spec, ("report", index)))
        except SpecError as error:
            wrong.add(f"{file.place(each.path)}: {sentence(each)}" for each in error.all())
    return tuple(reports)  # type: ignore[arg-type] # built as reports


def _unknown_keys(
    file: TomlFile, table: dict[str, Any], known: Sequence[str], path: tuple[str | int, ...]
) -> list[str]:
    """Return one sentence about each key that a table of a suite cannot have."""
    return [
        f"{file.place((*path, key))}: unknown key {key!r}{suggestion(key, known)}"
        for key in table
        if key not in known
    ]
