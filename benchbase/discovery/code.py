"""The code that numbers come from: digests for keys, for records, and for workers to compare."""

from __future__ import annotations

import hashlib
import sys
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchbase.component import Component
from benchbase.discovery.closure import Closures
from benchbase.errors import PluginError
from benchbase.loading import CORE, given_source, top_of

_unforeseen: set[str] = set()
"""The modules that were loaded in this process although no closure had told so."""


class Code:
    """The code of components as its files are now; each file is read once.

    All methods raise a `PluginError` if a file was edited after this process had loaded it, so that
    it says something else than what runs.
    """

    def __init__(self) -> None:
        self._closures = Closures()
        self._core: str | None = None
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
            For its module, and for those of the components that it inherits from where it does not
            reach them itself: the digest of all that the module reaches (`Closures`). A class that
            a function has made may come from whatever has called it: then that of the whole
            package, under ``package.*``. None for a module in no file, as in a notebook: results
            are then never kept for another run. The core is left out.
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

    def compare(self, name: str, digest: str) -> None:
        """Make sure that code is what a run was planned with.

        Parameters
        ----------
        name : str
            A module of `of`, or "benchbase" for the core.
        digest : str
            What it had then.

        Raises
        ------
        PluginError
            If it is another now, or is not there.
        """
        if name == CORE:
            found = self.core()
        else:
            closure = self._closures.of(name)
            found = "" if closure is None else closure.digest
        if found != digest:
            raise PluginError(
                f"the code of '{name}' is not what the run was planned with: it was edited "
                "since, or is another version where the worker is; run the same again"
            )

    def packages(self, modules: Iterable[str]) -> dict[str, str]:
        """Return the digests of whole packages, for the record, by their names.

        Parameters
        ----------
        modules : iterable of str
            From `of`: all packages that they reach are told, and the files in no package.
        """
        closures = map(self._closures.of, modules)
        tops = {top_of(name) for each in closures if each is not None for name in each.modules}
        return {top: self._package(top) for top in sorted(tops - {CORE})}

    def unforeseen(self, modules: Iterable[str], before: set[str]) -> dict[str, str]:
        """Return the digests of modules that were loaded although the closures lack them.

        Where a program's text does not tell all its imports, that is every such module of this
        process: another plugin may have loaded it before.

        Parameters
        ----------
        modules : iterable of str
            From `of`: those whose code has run.
        before : set of str
            The names of the modules that were loaded before it did.
        """
        asked = [self._closures.of(name) for name in modules if top_of(name) != CORE]
        closures = [each for each in asked if each is not None]
        foreseen = {name for each in closures for name in each.modules}
        new = {name for name in set(sys.modules) - before if self._closures.is_ours(name)}
        _unforeseen.update(new - foreseen)
        opaque = any(each.opaque for each in closures)
        programs = {
            name: self._closures.program(name)
            for name in sorted((_unforeseen if opaque else new) - foreseen)
        }
        return {name: each.digest for name, each in programs.items() if each is not None}

    def has_changed(self, loaded: Mapping[str, Any]) -> bool:
        """Whether a module of `unforeseen` is another now, or cannot be found any more.

        Parameters
        ----------
        loaded : mapping
            What `unforeseen` returned.
        """
        programs = {name: self._closures.program(name) for name in loaded}
        return any(each is None or each.digest != loaded[name] for name, each in programs.items())

    def _package(self, top: str) -> str:
        if top not in self._packages:
            source = given_source(top)
            if source is not None:
                self._packages[top] = hashlib.sha256(source).hexdigest()
            else:
                self._packages[top] = _files_digest(self._closures.files(top))
        return self._packages[top]


def _is_made(cls: type) -> bool:
    """Whether a function has made a class, or the function that a solver was made of."""
    function = cls.__dict__.get("function")
    named = getattr(getattr(function, "__func__", None), "__qualname__", "")
    return "<locals>" in f"{cls.__qualname__} {named}"


def code_digest(cls: type) -> str:
    """Return the digest of the code that a component's class comes from.

    For the keys of `cached`: arrays made by other code are of no use. The digest stays the same if
    comments, layout or docstrings change, or modules that the component does not reach.

    Parameters
    ----------
    cls : type
        A component's class.

    Returns
    -------
    str
        Another one each time if the code is in no file, as in a notebook.
    """
    digests = [digest or uuid.uuid4().hex for digest in Code().of(cls).values()]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _files_digest(files: Iterable[tuple[str, Path]]) -> str:
    total = hashlib.sha256()
    for name, file in files:
        total.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
