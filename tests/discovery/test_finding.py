from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchbase.discovery.finding import Finder, Place

FILES = {
    "found/__init__.py": "raise AssertionError('is never run')",
    "found/a.py": "raise AssertionError('is never run')",
    "found/sub/__init__.py": "",
    "found/sub/b.py": "",
    "found/bare/c.py": "",
    "found/bare/table.csv": "1",
    "found/.hidden.py": "",
    "found/.git/x.py": "",
    "found/__pycache__/a.pyc": "",
    "found/a.pyi": "",
    "found/py.typed": "",
    "alone.py": "",
    "folder/d.py": "",
    "folder/deep/e.py": "",
    "folder/venv/site-packages/library.py": "",
    "folder/results.sqlite": "",
}


@pytest.fixture
def folder(write: Callable[..., Path]) -> Path:
    return write(FILES)


@pytest.mark.parametrize(
    ("module", "file", "inside"),
    [
        ("found", "found/__init__.py", "found"),
        ("found.a", "found/a.py", None),
        ("found.sub", "found/sub/__init__.py", "found/sub"),
        ("found.sub.b", "found/sub/b.py", None),
        ("found.bare", None, "found/bare"),
        ("found.bare.c", "found/bare/c.py", None),
        ("alone", "alone.py", None),
        ("folder", None, "folder"),
        ("folder.deep", None, "folder/deep"),
        ("folder.deep.e", "folder/deep/e.py", None),
    ],
)
def test_modules_are_found_and_not_imported(
    folder: Path, module: str, file: str | None, inside: str | None
) -> None:
    place = Finder().find(module)
    assert place is not None
    assert place.file == (None if file is None else folder / file)
    assert place.folders == (None if inside is None else (folder / inside,))
    assert place.is_package == (inside is not None)
    assert not place.is_installed
    assert module not in sys.modules


@pytest.mark.parametrize("module", ["missing", "found.missing", "alone.a", "missing.a", "__main__"])
def test_what_is_not_there(folder: Path, module: str) -> None:
    assert Finder().find(module) is None


def test_a_loaded_module_is_where_it_was_loaded_from(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importlib.import_module("alone")
    monkeypatch.setattr(sys, "path", [])
    assert Finder().find("alone") == Place(folder / "alone.py")
    (folder / "alone.py").unlink()
    assert Finder().find("alone") is None


def test_a_module_that_loads_itself_later_stays_unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise AssertionError("loaded")

    lazy = Lazy("lazy_one")
    object.__getattribute__(lazy, "__dict__")["__file__"] = __file__
    monkeypatch.setitem(sys.modules, "lazy_one", lazy)
    assert Finder().find("lazy_one") == Place(Path(__file__))


def test_a_module_that_another_object_stands_for_is_in_its_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "alone", object())
    assert Finder().find("alone") == Place(folder / "alone.py")


def test_a_module_in_an_archive_is_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "lib.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("zipped/__init__.py", "")
        made.writestr("zipped_alone.py", "")
    monkeypatch.syspath_prepend(archive)
    assert Finder().find("zipped_alone") == Place(archive)
    assert Finder().find("zipped") == Place(archive, (archive / "zipped",))


@pytest.mark.parametrize("module", ["sys", "json", "json.decoder", "numpy", "scipy.sparse"])
def test_libraries_are_installed(module: str) -> None:
    assert np.__name__ in sys.modules
    place = Finder().find(module)
    assert place is not None
    assert place.is_installed


def test_the_modules_of_a_package(folder: Path) -> None:
    finder = Finder()
    modules = ["found", "found.a", "found.bare.c", "found.sub", "found.sub.b"]
    assert sorted(finder.modules_in("found")) == modules
    assert finder.find("found.sub") == Place(
        folder / "found/sub/__init__.py", (folder / "found/sub",)
    )
    assert sorted(finder.modules_in("folder")) == ["folder.d", "folder.deep.e"]
    assert [*finder.modules_in("alone")] == [*finder.modules_in("missing")] == []


def test_the_other_files_of_a_package(folder: Path) -> None:
    finder = Finder()
    others = {
        "bare/table.csv": folder / "found/bare/table.csv",
        "py.typed": folder / "found/py.typed",
    }
    assert dict(finder.other_files("found")) == others
    assert [*finder.other_files("folder")] == [*finder.other_files("alone")] == []


def test_all_files_of_a_package_or_of_a_module_alone(folder: Path) -> None:
    names = [name for name, _ in Finder().files("found")]
    wanted = ["__init__.py", "a.py", "bare/c.py", "bare/table.csv", "py.typed"]
    assert names == [*wanted, "sub/__init__.py", "sub/b.py"]
    assert [*Finder().files("alone")] == [("alone.py", folder / "alone.py")]
    assert [*Finder().files("missing")] == []
