"""Finding the files of modules without importing them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import machinery
from pathlib import Path

from benchbase.system.loading import attribute, files_of, given_source, in_library

_LOADERS = (
    (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
    (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
)


@dataclass(frozen=True)
class Place:
    """Where a module is.

    Attributes
    ----------
    file : pathlib.Path or None
        Its file; None for a folder without an ``__init__``, and for a module built into Python.
    folders : tuple of pathlib.Path or None
        The folders with the modules inside it, if it is a package.
    """

    file: Path | None
    folders: tuple[Path, ...] | None = None

    @property
    def is_package(self) -> bool:
        """Whether modules may be inside it."""
        return self.folders is not None

    @property
    def is_installed(self) -> bool:
        """Whether it is a library, or Python's own."""
        places = [*(self.folders or ()), *([self.file] if self.file else [])]
        return not places or any(map(in_library, places))


class Finder:
    """Finds modules as their files are now; each is looked for once.

    A module that is loaded is found where it was loaded from. Others are found as Python would find
    them, but without importing the packages around them.

    Parameters
    ----------
    absent : iterable of str, optional
        Names of modules that are not looked for.
    """

    def __init__(self, absent: Iterable[str] = ()) -> None:
        self._places: dict[str, Place | None] = dict.fromkeys(absent)
        self._finders: dict[Path, machinery.FileFinder] = {}

    def find(self, module: str) -> Place | None:
        """Return where a module is, or None if there is no such module or its file is gone."""
        if module not in self._places:
            place = _of_loaded(sys.modules.get(module)) or _from_spec(self._spec(module))
            if place is not None and place.file is not None:
                place = replace(place, file=_archive(place.file) or place.file)
            gone = place is not None and place.file is not None and not place.file.is_file()
            if module == "__main__" or (gone and given_source(module) is None):
                place = None
            self._places[module] = place
        return self._places[module]

    @property
    def absent(self) -> list[str]:
        """The names of the modules that were looked for in vain."""
        return [name for name, place in self._places.items() if place is None]

    def locate(self, module: str, file: Path) -> None:
        """Say in which file a module is that no search finds, such as a plugin file's."""
        self._places[module] = Place(file)

    def modules_in(self, package: str) -> Iterator[str]:
        """Yield the names of all modules of a package, including scripts and tests."""
        place = self.find(package)
        if place is None or not place.is_package:
            return
        for name, file in self.files(package):
            if file.suffix == ".py":
                parts = [package, *name.removesuffix(".py").split("/")]
                inside = parts[-1] == "__init__"
                module = ".".join(parts[:-1] if inside else parts)
                self._places.setdefault(module, Place(file, (file.parent,) if inside else None))
                yield module

    def other_files(self, package: str) -> Iterator[tuple[str, Path]]:
        """Yield the name and the path of each file of a package that is no source, such as a table.

        A folder without an ``__init__`` has no such files, since it may hold anything.
        """
        place = self.find(package)
        if place is not None and place.is_package and place.file is not None:
            yield from (each for each in self.files(package) if each[1].suffix != ".py")

    def files(self, package: str) -> Iterator[tuple[str, Path]]:
        """Yield name and path of each file of a package, or of a module outside packages."""
        place = self.find(package)
        if place is None:
            return
        if place.file is not None and not place.is_package:
            yield place.file.name, place.file
        for folder in place.folders or ():
            for file in files_of(folder):
                # A folder without an `__init__` may hold a virtual environment.
                if place.file is not None or not in_library(file):
                    yield file.relative_to(folder).as_posix(), file

    def _spec(self, module: str) -> machinery.ModuleSpec | None:
        package, _, _ = module.rpartition(".")
        if not package:
            specs = (finder.find_spec(module, None) for finder in sys.meta_path)
            return next((spec for spec in specs if spec is not None), None)
        around = self.find(package)
        for folder in (around.folders if around else None) or ():
            if folder not in self._finders:
                self._finders[folder] = machinery.FileFinder(str(folder), *_LOADERS)
            spec = self._finders[folder].find_spec(module)
            if spec is not None:
                return spec
        return None


def _archive(file: Path) -> Path | None:
    """Return the archive that a module is in, such as a zip file, or None if it is in none."""
    return None if file.is_file() else next((p for p in file.parents if p.is_file()), None)


def _of_loaded(module: object) -> Place | None:
    """Return where a module was loaded from, or None if the object does not say."""
    file, folders = attribute(module, "__file__"), attribute(module, "__path__")
    place = Path(file) if isinstance(file, str) else None
    if place is None and folders is None:
        return None
    return Place(place, None if folders is None else tuple(map(Path, folders)))


def _from_spec(spec: machinery.ModuleSpec | None) -> Place | None:
    if spec is None:
        return None
    folders = spec.submodule_search_locations
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    return Place(file, None if folders is None else tuple(map(Path, folders)))
