"""What a module's numbers may depend on: all modules that it reaches by its imports.

Nothing is imported to find this out. Installed libraries are left out, but the packages of plugins
and the core's toolbox count. If a program's text does not say what it imports, its whole package
counts: when in doubt, numbers are computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from benchbase.discovery.finding import Finder
from benchbase.discovery.imports import Reference
from benchbase.discovery.points import plugin_points
from benchbase.discovery.sources import Program, file_digest, program_of
from benchbase.system.loading import CORE, given_source, note_loaded, top_of

NUMERICAL = (
    "benchbase.component",
    "benchbase.interfaces",
    "benchbase.numerics.compose",
    "benchbase.numerics.dense",
    "benchbase.numerics.functions",
    "benchbase.numerics.instance",
    "benchbase.numerics.ledger",
    "benchbase.numerics.recovery",
    "benchbase.numerics.sharing",
    "benchbase.numerics.streams",
    "benchbase.numerics.traces",
    "benchbase.problem",
    "benchbase.representation",
)
"""The core's modules that all numbers pass through: they count for every result."""

TOOLBOX = (
    "benchbase.numerics.iteration",
    "benchbase.numerics.rounds",
    "benchbase.numerics.rows",
    "benchbase.numerics.starts",
)
"""The core's modules that count for a result only if its code reaches them."""

_Looked = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Closure:
    """A module and all modules that it reaches.

    Attributes
    ----------
    digest : str
        The digest of the programs of all these modules, and of the other files of their packages.
    modules : frozenset of str
        The names of the modules, the first one included.
    opaque : bool
        Whether one of them may import modules that its text does not name.
    """

    digest: str
    modules: frozenset[str]
    opaque: bool


@dataclass
class _Reached:
    """The modules that a module leads to, and the packages of which it may need any module."""

    modules: set[str] = field(default_factory=set)
    packages: set[str] = field(default_factory=set)


class Closures:
    """The closures of modules as their files are now; each file is read once.

    Parameters
    ----------
    earlier : Closures, optional
        What they did not find is not looked for again: a program that has run since may have
        changed the path of imports.
    """

    def __init__(self, earlier: Closures | None = None) -> None:
        note_loaded()
        self._finder: Finder = Finder(() if earlier is None else earlier._finder.absent)
        self._located: set[str] = set()
        self._programs: dict[str, Program | None] = {}
        self._reached: dict[str, _Reached] = {}
        self._files: dict[str, list[str]] = {}
        self._closures: dict[str, Closure | None] = {}

    def of(self, name: str) -> Closure | None:
        """Return the closure of a module, or None if it is in no file, as in a notebook.

        Parameters
        ----------
        name : str
            The name of the module, or ``package.*`` for all modules of a package.

        Raises
        ------
        PluginError
            If a file was edited after this process had loaded it, so that it no longer says what
            the running code does.
        """
        if name not in self._closures:
            package = name.removesuffix(".*")
            roots = [name] if package == name else [*self._all(package)]
            closure = self._closure(roots)
            self._closures[name] = closure if closure.modules else None
        return self._closures[name]

    def core(self) -> str:
        """Return the digest of the core's numerical modules and of the toolbox that they reach.

        Raises
        ------
        PluginError
            As for `of`.
        """
        return self._closure(NUMERICAL).digest

    def program(self, module: str) -> Program | None:
        """Return the program of one module, or None if it is in no file.

        Raises
        ------
        PluginError
            As for `of`.
        """
        if module not in self._programs:
            place = self._finder.find(module)
            file = None if place is None else place.file
            self._programs[module] = None if file is None else program_of(module, file)
        return self._programs[module]

    def is_package(self, module: str) -> bool:
        """Whether other modules may be inside a module."""
        place = self._finder.find(module)
        return place is not None and place.is_package

    def file_of(self, module: str) -> Path | None:
        """Return the file that a module is in, or None."""
        place = self._finder.find(module)
        return None if place is None else place.file

    def locate(self, module: str, file: Path) -> None:
        """Say in which file a module is that no search finds, such as a plugin file's."""
        self._finder.locate(module, file)
        self._located.add(module)

    def files(self, package: str) -> Iterator[tuple[str, Path]]:
        """Yield name and path of each file of a package, or of a module outside packages."""
        return self._finder.files(package)

    def is_ours(self, module: str) -> bool:
        """Whether a module belongs neither to the core nor to a library, and is no plugin file."""
        if top_of(module) == CORE or given_source(module) is not None:
            return False
        place = self._finder.find(module)
        return place is not None and place.file is not None and not place.is_installed

    def _closure(self, roots: Iterable[str]) -> Closure:
        left = list(roots)
        programs: dict[str, Program] = {}
        while left:
            module = left.pop()
            program = self.program(module)
            if module not in programs and program is not None:
                programs[module] = program
                reached = self._reach(module)
                left += reached.modules
                left += (name for package in reached.packages for name in self._all(package))
        lines = [f"{self._shown(name)} {each.digest}" for name, each in programs.items()]
        for package in {top_of(name) for name in programs} - {CORE}:
            lines += self._other_files(package)
        digest = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
        opaque = any(each.imports.opaque for each in programs.values())
        return Closure(digest, frozenset(programs), opaque)

    def _reach(self, module: str) -> _Reached:
        """Return what a module leads to in one step."""
        if module not in self._reached:
            reached = self._reached[module] = _Reached()
            program = self.program(module)
            assert program is not None  # noqa: S101 # all modules of a closure have one
            self._enter(module, reached)
            if program.imports.opaque:
                reached.packages.add(top_of(module))
            for reference in program.imports.references:
                self._follow(module, reference, reached, frozenset())
        return self._reached[module]

    def _follow(
        self, module: str, reference: Reference, reached: _Reached, met: frozenset[_Looked]
    ) -> None:
        """Add the modules that one of the imports of `module` leads to."""
        start = self._absolute(module, reference)
        if start is None or (start, reference.names) in met:  # a name handed round in a circle
            reached.packages.add(top_of(module))
        elif self._counts(top_of(start), module):
            self._look_up(start, reference, reached, met | {(start, reference.names)})

    def _look_up(
        self, module: str, reference: Reference, reached: _Reached, met: frozenset[_Looked]
    ) -> None:
        """Look up one name after the other, until one of them is a module and not a package."""
        names = list(reference.names)
        while (place := self._finder.find(module)) is not None:
            self._enter(module, reached)
            if not place.is_package:
                self._add(module, reached)
                return
            if not names:
                if reference.used:  # as a value, in which the program may look up anything
                    reached.packages.add(top_of(module))
                return
            program = self.program(module)
            bound = program.imports.names.get(names[0]) if program is not None else None
            if bound is not None:
                self._hand_on(module, bound, reference._replace(names=tuple(names)), reached, met)
                return
            module = f"{module}.{names.pop(0)}"
        reached.packages.add(top_of(module))  # no file seems to define the rest

    def _hand_on(
        self,
        package: str,
        bound: list[Reference | None],
        asked: Reference,
        reached: _Reached,
        met: frozenset[_Looked],
    ) -> None:
        """Follow a name to the module that defines it, which may be the package itself."""
        for each in bound:
            if each is None:
                self._add(package, reached)
            else:
                names = (*each.names, *asked.names[1:])
                self._follow(package, each._replace(names=names, used=asked.used), reached, met)

    def _enter(self, module: str, reached: _Reached) -> None:
        """Add the packages around a module that do more than hand on names.

        A module that is itself a package is one of them.
        """
        parts = module.split(".")
        for size in range(1, len(parts) + 1):
            package = ".".join(parts[:size])
            program = self.program(package)
            hands_on = program is None or program.imports.hands_on
            if self.is_package(package) and not hands_on:
                self._add(package, reached)

    @staticmethod
    def _add(module: str, reached: _Reached) -> None:
        if top_of(module) != CORE or module in TOOLBOX:
            reached.modules.add(module)

    def _absolute(self, module: str, reference: Reference) -> str | None:
        """Return the full name of a reference's module, or None if its dots leave all packages."""
        if not reference.level:
            return reference.module
        parts = module.split(".")
        size = len(parts) - reference.level + self.is_package(module)
        return ".".join([*parts[:size], *filter(None, [reference.module])]) if size > 0 else None

    def _counts(self, top: str, importer: str) -> bool:
        """Whether the modules of a top-level package count for a module that imports them."""
        if top in (CORE, top_of(importer)) or top in _plugins():
            return True
        place = self._finder.find(top)
        # A module that is not found now may be found when the program runs; it is noted then.
        return place is not None and not place.is_installed

    def _all(self, package: str) -> Iterator[str]:
        return iter(TOOLBOX) if package == CORE else self._finder.modules_in(package)

    def _shown(self, module: str) -> str:
        """Return a module's name, or "" for a plugin file, whose name depends on its path only."""
        is_file = module in self._located or given_source(module) is not None
        return "" if is_file else module

    def other_files(self, package: str) -> Iterator[tuple[str, Path]]:
        """Yield name and path of each file of a package that is no source."""
        return self._finder.other_files(package)

    def _other_files(self, package: str) -> list[str]:
        if package not in self._files:
            self._files[package] = [
                f"{package}/{name} {file_digest(package, file)}"
                for name, file in self._finder.other_files(package)
            ]
        return self._files[package]


@cache
def _plugins() -> frozenset[str]:
    """Return the top-level packages of the installed plugins."""
    points, _ = plugin_points()
    return frozenset(top_of(point.module) for point in points)
