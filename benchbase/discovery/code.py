"""Digests of the code that numbers come from: for keys, for records, and for workers' checks."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchbase.component import Component
from benchbase.discovery.closure import Closures
from benchbase.discovery.sources import content_of, read
from benchbase.errors import PluginError
from benchbase.system.loading import CORE, given_source, top_of

_unforeseen: set[str] = set()
"""The modules that were loaded in this process although they are in no closure."""

_read: dict[str, list[Path]] = {}
"""The files that plugin files read as they were loaded, by the names of their modules."""


def note_read(module: str, files: Iterable[Path]) -> None:
    """Note the files that a plugin file has read as it was loaded."""
    _read[module] = [*files]


class Code:
    """The code of components as the files are now; each file is read once.

    Parameters
    ----------
    earlier : Code, optional
        What it did not find is not looked for again (`Closures`).

    All methods raise a `PluginError` if a file was edited after this process had loaded it, so that
    its program is not the one that runs.
    """

    def __init__(self, earlier: Code | None = None) -> None:
        self._closures: Closures = Closures(None if earlier is None else earlier._closures)
        self._core: str | None = None
        self._digests: dict[Path, str] = {}
        self._packages: dict[str, str] = {}

    def core(self) -> str:
        """Return the digest of the part of the core that all numbers pass through."""
        if self._core is None:
            self._core = self._closures.core()
        return self._core

    def of(self, cls: type) -> dict[str, str | None]:
        """Return the digests of the code that a component's class comes from, by module.

        Parameters
        ----------
        cls : type
            A component's class.

        Returns
        -------
        dict
            The digest of all that a module reaches (`Closures`), by the module's name. The modules
            are that of the class and those of the components that it inherits from, if the former
            does not reach them. For a class that a function has made, the whole package counts,
            under the name ``package.*``, because any of its modules may have called the function.
            The digest is None if the module is in no file, as in a notebook; its results are never
            kept for another run. The core is left out.
        """
        found: dict[str, str | None] = {}
        reached: set[str] = set()
        for base in cls.__mro__:
            name = base.__module__
            counts = base is cls or issubclass(base, Component)
            if counts and top_of(name) != CORE and name not in reached:
                if _is_made(base) and self._closures.is_package(top_of(name)):
                    name = f"{top_of(name)}.*"
                closure = self._closures.of(name)
                found[name] = None if closure is None else closure.digest
                reached |= {name} if closure is None else closure.modules
        return found

    def of_file(self, module: str, file: Path) -> str | None:
        """Return the digest of the code of a file, which is not loaded, under a module's name."""
        self._closures.locate(module, file)
        closure = self._closures.of(module)
        return None if closure is None else closure.digest

    def compare(self, name: str, digest: str) -> None:
        """Make sure that code is the code that a run was planned with.

        Parameters
        ----------
        name : str
            A module that `of` names, or "benchbase" for the core.
        digest : str
            The digest that it had when the run was planned.

        Raises
        ------
        PluginError
            If the digest is another now, or the module is missing.
        """
        if name == CORE:
            present = self.core()
        else:
            closure = self._closures.of(name)
            present = "" if closure is None else closure.digest
        if present != digest:
            raise PluginError(
                f"the code of '{name}' is not what the run was planned with: it was edited "
                "since then, or the worker has another version; start the run again"
            )

    def packages(self, modules: Iterable[str]) -> dict[str, str]:
        """Return the digests of whole packages by their names. They are recorded with results.

        Parameters
        ----------
        modules : iterable of str
            The names that `of` returns. All packages that they reach are digested, and the plugin
            files among them.
        """
        closures = map(self._closures.of, modules)
        tops = {top_of(name) for each in closures if each is not None for name in each.modules}
        return {top: self._package(top) for top in sorted(tops - {CORE})}

    def unforeseen(
        self, modules: Iterable[str], before: set[str], read: Iterable[Path] = ()
    ) -> dict[str, str]:
        """Return the digests of files that a program used although the closures lack them.

        These are the files of modules that were loaded meanwhile, and other files that it read. If
        a program's text does not name all its imports, every such module of this process counts,
        because another plugin may have loaded it earlier.

        Parameters
        ----------
        modules : iterable of str
            Names that `of` returns: the modules whose code has run.
        before : set of str
            The names of the modules that were loaded before that code ran.
        read : iterable of pathlib.Path, optional
            Files that the code has read.

        Returns
        -------
        dict
            The digests by the files' paths, which start at the folder of one of the `modules`:
            "my_package.solver/../data/weights.npy".
        """
        names = [name for name in modules if top_of(name) != CORE]
        closures = [each for each in map(self._closures.of, names) if each is not None]
        foreseen = {name for each in closures for name in each.modules}
        added = set(sys.modules) - before
        opaque = any(each.opaque for each in closures)
        found: dict[Path, str] = {}
        if added or (opaque and _unforeseen):
            found = self._programs(added, foreseen, opaque=opaque)
        files = {*read, *(file for name in names for file in _read.get(name, ()))}
        if files:  # most code reads none, and the files of packages are many
            covered = {self._closures.file_of(name) for name in foreseen}
            for package in {top_of(name) for name in foreseen}:
                covered |= {file for _, file in self._closures.other_files(package)}
            for file in files - covered:
                found.setdefault(file, self._digest(file))
        if not found:
            return {}
        places = {_from(file, self._folders(names)): digest for file, digest in found.items()}
        return {place: places[place] for place in sorted(places) if place}

    @staticmethod
    def _programs(added: set[str], foreseen: set[str], *, opaque: bool) -> dict[Path, str]:
        """Return the digests of those modules that were loaded and not foreseen, by their files."""
        present = Closures()  # finds modules by paths that the program has added
        new = {name for name in added if present.is_ours(name)} - foreseen
        _unforeseen.update(new)
        found = {}
        for name in (_unforeseen if opaque else new) - foreseen:
            file, program = present.file_of(name), present.program(name)
            if file is not None and program is not None:  # else it is loaded no longer
                found[file] = program.digest
        return found

    def has_changed(self, used: Mapping[str, Any]) -> bool:
        """Whether a file that `unforeseen` returned has changed since, or is missing now.

        Parameters
        ----------
        used : mapping
            What `unforeseen` returned.
        """
        for place, digest in used.items():
            module, _, path = place.partition("/")
            named = all(map(str.isidentifier, module.split(".")))
            folder = self._folders([module]).get(module) if named else None
            file = None if folder is None else Path(os.path.normpath(folder / path))
            if file is None or not file.is_file() or self._digest(file) != digest:
                return True
        return False

    def _folders(self, modules: Iterable[str]) -> dict[str, Path]:
        """Return the folders that modules are in."""
        files = {name: self._closures.file_of(name.removesuffix(".*")) for name in modules}
        return {name: file.parent for name, file in files.items() if file is not None}

    def _digest(self, file: Path) -> str:
        """Return the digest of a file: of its program if it is a source, else of its bytes."""
        if file not in self._digests:
            content = content_of(file)
            source = file.suffix == ".py"
            self._digests[file] = (
                read(content).digest if source else hashlib.sha256(content).hexdigest()
            )
        return self._digests[file]

    def _package(self, top: str) -> str:
        if top not in self._packages:
            source = given_source(top)
            if source is not None:
                self._packages[top] = hashlib.sha256(source).hexdigest()
            else:
                self._packages[top] = _files_digest(self._closures.files(top))
        return self._packages[top]


def _is_made(cls: type) -> bool:
    """Whether a class, or the function behind a solver's class, was defined inside a function."""
    function = cls.__dict__.get("function")
    named = getattr(getattr(function, "__func__", None), "__qualname__", "")
    return "<locals>" in f"{cls.__qualname__} {named}"


def code_digest(cls: type) -> str:
    """Return the digest of the code that a component's class comes from.

    It belongs into the keys of `cached`, so that arrays made by other code are not used. It stays
    the same if comments, layout or docstrings change, or modules that the component does not reach.

    Parameters
    ----------
    cls : type
        A component's class.

    Returns
    -------
    str
        A SHA-256 digest. If the code is in no file, as in a notebook, each call returns a new one.
    """
    digests = [digest or os.urandom(16).hex() for digest in Code().of(cls).values()]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _from(file: Path, folders: Mapping[str, Path]) -> str:
    """Return the path of a file from the folder of a module, or "" if the path is a hidden one."""
    inside = [name for name, folder in folders.items() if file.is_relative_to(folder)]
    for name in [*inside, *folders][:1]:
        path = Path(os.path.relpath(file, folders[name]))
        if not any(part.startswith(".") and part != ".." for part in path.parts):
            return f"{name}/{path.as_posix()}" if "__pycache__" not in path.parts else ""
    return ""


def _files_digest(files: Iterable[tuple[str, Path]]) -> str:
    total = hashlib.sha256()
    for name, file in files:
        total.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
