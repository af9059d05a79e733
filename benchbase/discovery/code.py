"""Digests of the code that numbers come from: for keys, for records, and for workers' checks."""

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
"""The modules that were loaded in this process although they are in no closure."""


class Code:
    """The code of components as the files are now; each file is read once.

    All methods raise a `PluginError` if a file was edited after this process had loaded it, so that
    its program is not the one that runs.
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

    def unforeseen(self, modules: Iterable[str], before: set[str]) -> dict[str, str]:
        """Return the digests of modules that were loaded although the closures lack them.

        If a program's text does not name all its imports, every such module of this process counts,
        because another plugin may have loaded it earlier.

        Parameters
        ----------
        modules : iterable of str
            Names that `of` returns: the modules whose code has run.
        before : set of str
            The names of the modules that were loaded before that code ran.
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
        """Whether a module that `unforeseen` returned has changed since, or is missing now.

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
    digests = [digest or uuid.uuid4().hex for digest in Code().of(cls).values()]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def _files_digest(files: Iterable[tuple[str, Path]]) -> str:
    total = hashlib.sha256()
    for name, file in files:
        total.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
