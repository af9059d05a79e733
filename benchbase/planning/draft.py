"""Validation of one experiment, from a TOML table to components; all mistakes are reported."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchbase.component import Component, plain
from benchbase.discovery.registry import Registry
from benchbase.errors import ParameterError, SpecError, SuiteError, dotted, suggestion
from benchbase.planning.experiment import (
    KEYS,
    MOST_CELLS,
    MOST_SIGNALS,
    NEEDED,
    PROBLEM,
    Change,
    Entry,
    Experiment,
    Extra,
    Setting,
)
from benchbase.planning.toml import TomlFile
from benchbase.wording import (
    LONGEST_NAME,
    LONGEST_TITLE,
    alike,
    check_name,
    check_text,
    visible,
)

_LEAST = {"seed": 0, "trials": 1, "points": 1}
_DEFAULTS = {"seed": 0, "trials": 1, "points": 50}
_ROOM = 10  # for the number that tells a label from others
_Where = dict[tuple[str, ...], tuple[str | int, ...]]


@dataclass
class Draft:
    """An experiment on its way from a TOML table to an `Experiment`.

    All mistakes are collected in `problems` and reported together. Those of grid axes are also in
    `reported`, because each of them would otherwise be reported for several problems of the grid.
    """

    file: TomlFile
    base: tuple[str | int, ...]
    table: dict[str, Any]
    registry: Registry
    changes: Sequence[Change]
    extras: Sequence[Extra]
    problems: list[str] = field(default_factory=list)
    reported: set[tuple[tuple[str | int, ...], str]] = field(default_factory=set)

    def build(self) -> Experiment:
        """Validate the table and build the experiment.

        Raises
        ------
        SuiteError
            If anything is wrong; the message lists all mistakes.
        """
        self.table = plain(self.table)  # a copy, which changes and axes may write to
        for change in self.changes:
            self._apply(change)
        title = self.table["title"]
        if problem := faulty_title(title):
            self._complain(("title",), problem)
        numbers = {key: self._number(key) for key in _DEFAULTS}
        limit = self._limit(self.table.get("time_limit"), ("time_limit",))
        trace = self.table.get("trace", False)
        if not isinstance(trace, bool):
            self._complain(("trace",), f"must be true or false, not {trace!r}")
        problems = self._settings()
        entries = self._entries()
        if self.problems:
            raise SuiteError(self.problems)
        return Experiment(
            title, problems=problems, entries=entries, time_limit=limit, trace=trace, **numbers
        )

    def _apply(self, change: Change) -> None:
        target: Any = self.table
        *parents, last = change.path
        try:
            if change.path[0] not in KEYS:
                raise KeyError(change.path[0])
            for part in parents:
                inside = isinstance(target, dict)
                target = target.setdefault(str(part), {}) if inside else target[part]
            target[str(last) if isinstance(target, dict) else last] = plain(change.value)
        except (KeyError, IndexError, TypeError):
            first = str(change.path[0])
            hint = "" if first in KEYS else suggestion(first, KEYS)
            if first == "solver" and len(self.table.get("solver", ())) > 1:
                hint = f"; its solvers are numbered 0 to {len(self.table['solver']) - 1}"
            self.problems.append(f"{change.origin}: the suite has no {dotted(change.path)}{hint}")

    def _number(self, key: str) -> int:
        value = self.table.get(key, _DEFAULTS[key])
        if type(value) is not int or value < _LEAST[key]:
            problem = f"must be an integer of at least {_LEAST[key]}, not {value!r}"
            self._complain((key,), problem)
        return value  # type: ignore[no-any-return] # checked, or the draft is refused

    def _limit(
        self, value: Any, path: tuple[str | int, ...], origin: str | None = None
    ) -> float | None:
        if value is None or (type(value) in (int, float) and 0 < value < math.inf):
            return None if value is None else float(value)
        self._complain(path, f"must be a number of seconds above 0, not {value!r}", origin)
        return None

    def _settings(self) -> tuple[Setting, ...]:
        grid = self.table.get("grid", {})
        if not isinstance(grid, dict):
            self._complain(("grid",), f"must be a table of axes, not {grid!r}")
            return ()
        before = len(self.problems)
        axes = list(self._axes(grid, ()))
        for kind in sorted({path[0] for path, _ in axes if len(path) > 1}):
            if not isinstance(self.table.get(kind, {}), dict):
                problem = f"must be a table, not {self.table[kind]!r}; the grid has an axis in it"
                self._complain((kind,), problem)
        for change in self.changes:
            if change.path in dict(axes):
                place = dotted(("grid", *change.path))
                self._complain(change.path, f"the grid has this axis; set {place} instead")
        self._check_size([len(values) for _, values in axes])
        if len(self.problems) > before:
            crossed = {key.partition(".")[0] for key in grid}
            for kind in PROBLEM:  # what the grid does not touch may have mistakes of its own
                if self.table.get(kind) is not None and kind not in crossed:
                    self._check_parameters(kind, self.table[kind])
            return ()
        known: dict[str, Component] = {}
        points = []
        for choice in itertools.product(*(range(len(values)) for _, values in axes)):
            setting = {kind: self.table.get(kind) for kind in PROBLEM}
            for (path, values), index in zip(axes, choice, strict=True):
                self._put(setting, path, values[index])
            where: _Where = {
                path: ("grid", *path, i) for (path, _), i in zip(axes, choice, strict=True)
            }
            given = [kind for kind in PROBLEM if kind in NEEDED or setting[kind] is not None]
            parts = {kind: self._component(kind, setting[kind], where, known) for kind in given}
            if None not in parts.values():
                made = Setting(**parts)  # type: ignore[arg-type] # built by their kinds
                self._check_fit(made, where)
                points.append(made)
        return tuple(points)

    def _check_size(self, axes: list[int]) -> None:
        """Count cells and signals before any of them is made."""
        trials, points = (self.table.get(key, _DEFAULTS[key]) for key in ("trials", "points"))
        if type(trials) is not int or type(points) is not int:
            return  # this has been told
        listed = self.table.get("solver")
        solvers = listed if isinstance(listed, list) and listed else [{}]
        own = [each.get("points") for each in solvers if isinstance(each, dict)]
        cells = math.prod(axes) * trials * len(solvers)
        signals = math.prod(axes) * trials * sum(
            min(number, points) if type(number) is int else points for number in own
        )  # fmt: skip # one argument a line says no more
        for count, most, name in ((cells, MOST_CELLS, "cells"), (signals, MOST_SIGNALS, "signals")):
            if count > most:
                problem = f"{count:,} {name} are too many; a suite may have at most {most:,}"
                part = "trials" if math.prod(axes) <= MOST_CELLS < cells else "grid"
                self._complain(("points" if name == "signals" else part,), problem)
                return

    def _axes(
        self, table: Any, path: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
        if isinstance(table, dict) and (table or not path):
            for key, value in table.items():
                inner = (*path, *key.split("."))
                if inner[0] not in PROBLEM:
                    hint = suggestion(inner[0], PROBLEM)
                    self._complain(("grid", *inner), f"not part of a problem{hint}")
                else:
                    yield from self._axes(value, inner)
        elif isinstance(table, list) and table:
            yield path, table
        else:
            self._complain(("grid", *path), f"must be a list of at least one value, not {table!r}")

    def _put(self, setting: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
        """Set a value. Tables on the way to it are copied, since other settings share them."""
        target: Any = setting
        for part in path[:-1]:
            inner = target.get(part)
            target[part] = dict(inner) if isinstance(inner, dict) else {}
            target = target[part]
        target[path[-1]] = value

    def _component(
        self, kind: str, spec: Any, where: _Where, known: dict[str, Component]
    ) -> Component | None:
        if spec is None:
            self._complain((), f"needs a [{kind}], or a grid axis of that name")
            return None
        token = repr((kind, spec))
        try:
            if token not in known:
                known[token] = self.registry.build(kind, spec, (kind,))
        except SpecError as error:
            for each in error.all():
                # A parameter that does not exist is reported once, not for each value of its axis.
                mistake = (each.path, each.problem)
                if each.path not in where or mistake not in self.reported:
                    self._complain(_in_grid(each.path, where), sentence(each))
                    self.reported.add(mistake)
            return None
        return known[token]

    def _check_parameters(self, kind: str, spec: Any) -> None:
        """Complain about the parameters that are there; others may have been meant in the grid."""
        try:
            self.registry.build(kind, spec, (kind,))
        except SpecError as error:
            for each in error.all():
                if each.path != (kind,):
                    self._complain(each.path, sentence(each))

    def _check_fit(self, setting: Setting, where: _Where) -> None:
        dataset, frame, pooling = setting[:3]
        points = self.table.get("points", _DEFAULTS["points"])
        if dataset.n_test is not None and isinstance(points, int) and points > dataset.n_test:
            most = f"{dataset.n_test}, the number of test signals of {dataset.name}"
            self._complain(("points",), f"must be at most {most}, not {points}")
        pools, size = frame.size(dataset.n)
        try:
            part = "frame"
            frame.check(dataset.n)
            part = "pooling"
            if pools is not None and size is not None:
                pooling.check(pools, size)
        except ParameterError as error:
            path = (part, error.parameter)
            self._complain(_in_grid(path, where), f"{dotted(path)}: {error.problem}")

    def _entries(self) -> tuple[Entry, ...]:
        listed = self.table.get("solver", [])
        if not isinstance(listed, list):
            self._complain(("solver",), "write each solver as a [[solver]] table")
            listed = []
        entries: list[Entry] = []
        for index, spec in enumerate(listed):
            self._add(entries, spec, ("solver", index), None)
        for extra in self.extras:
            if extra.if_new and any(e.solver.name == extra.spec["name"] for e in entries):
                continue
            self._add(entries, extra.spec, ("solver", len(entries)), extra.origin)
        if not entries and not self.problems:
            self._complain((), "needs at least one [[solver]]")
        return tuple(entries)

    def _add(
        self, entries: list[Entry], spec: Any, path: tuple[str | int, ...], origin: str | None
    ) -> None:
        spec = spec.spec() if isinstance(spec, Component) else plain(spec)
        own = dict(spec) if isinstance(spec, dict) else {}
        label, points = own.pop("label", None), own.pop("points", None)
        limit = self._limit(own.pop("time_limit", None), (*path, "time_limit"), origin)
        if points is not None and (type(points) is not int or points < 1):
            problem = f"must be an integer of at least 1, not {points!r}"
            self._complain((*path, "points"), problem, origin)
        solver: Component | None = None
        try:
            solver = self.registry.build("solver", own or spec, path)
        except SpecError as error:
            for each in error.all():
                # Who adds a solver does not see its number in the suite.
                within = each.path if origin is None else each.path[len(path) :]
                self._complain(within, sentence(SpecError(within, each.problem)), origin)
        taken = [entry.label for entry in entries]
        if label is None and solver is not None:
            label = solver.name
            if origin is not None and alike(label, taken) is not None:
                label = _telling_label(label, own, taken)
        if label is not None and self._fits(label, taken, path, origin) and solver is not None:
            entries.append(Entry(label, solver, points, limit))  # type: ignore[arg-type] # built as a solver

    def _fits(
        self, label: Any, taken: list[str], path: tuple[str | int, ...], origin: str | None
    ) -> bool:
        """Whether a label is one, and not that of another solver; complain if it is not."""
        problem = ""
        try:
            if (other := alike(check_name(label), taken)) is not None:
                both = f"{other!r} and {label!r}, which look alike"
                which = f"{label!r}" if other == label else both
                problem = f"two solvers are labelled {which}; give one of them another label"
        except ValueError as error:
            problem = f"{label!r} {error}" if isinstance(label, str) else str(error)
        if problem:
            self._complain((*path, "label"), problem, origin)
        return not problem

    def _complain(
        self, path: tuple[str | int, ...], problem: str, origin: str | None = None
    ) -> None:
        own = path[1:] if path[:1] == ("grid",) and path[1:] else path
        name = "" if problem.startswith(dotted(own[:1])) else f"{dotted(path)}: "
        place = origin or self._place(path)
        self.problems.append(f"{place}: {name if path else ''}{problem}")

    def _place(self, path: tuple[str | int, ...]) -> str:
        for change in reversed(self.changes):
            if [*map(str, path[: len(change.path)])] == [*map(str, change.path)]:
                return change.origin
        if path and self.base and _inside(self.file.data, (*self.base, path[0])):
            return self.file.place((*self.base, *path))
        return self.file.place(path if path and path[0] in self.file.data else self.base)


def _inside(data: Any, path: tuple[str | int, ...]) -> bool:
    for part in path[:-1]:
        data = data[part]
    return path[-1] in data


def _in_grid(path: tuple[str | int, ...], where: _Where) -> tuple[str | int, ...]:
    """Return the path of the grid value that set a parameter, or else the parameter's own path."""
    for axis, place in where.items():
        if path[: len(axis)] == axis:
            return (*place, *path[len(axis) :])
    return path


def sentence(error: SpecError) -> str:
    """Describe a mistake in a suite: where it is and what is wrong."""
    return str(SpecError(error.path, error.problem))


def faulty_title(title: object) -> str | None:
    """Return what is wrong with the title of a suite or an experiment, or None if nothing is."""
    if not isinstance(title, str):
        return f"must be a string, not {title!r}"
    if len(title) > LONGEST_TITLE:
        return f"has {len(title)} characters; at most {LONGEST_TITLE} are allowed"
    try:
        check_text(title)
    except ValueError as error:
        return f"{title!r} {error}"
    return None


def _telling_label(name: str, spec: dict[str, Any], taken: Sequence[str]) -> str:
    """Return a label for an added solver whose name is taken, made of name and parameters."""
    parameters = ", ".join(f"{k}={v}" for k, v in spec.items() if k != "name")
    base = visible(f"{name}({parameters})" if parameters else name)
    if len(base) > LONGEST_NAME - _ROOM:
        base = base[: LONGEST_NAME - _ROOM - 1].rstrip() + "…"
    numbers = itertools.count(2)
    label = base
    while alike(label, taken) is not None:
        label = f"{base} {next(numbers)}"
    return label
