from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import benchbase
from benchbase.system import loading
from benchbase.system.loading import (
    files_of,
    give_source,
    given_source,
    in_library,
    is_changed,
    keep_source,
    note_loaded,
    top_of,
)

Write = Callable[..., Path]
SOLVER = """
import {name}.helper
import benchbase
class Mine(benchbase.Solver):
    def prepare(self, problem): raise NotImplementedError
"""


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests start as a process does, in which nothing is loaded yet but what is here."""
    monkeypatch.setattr(loading, "_homes", {"benchbase"})
    monkeypatch.setattr(loading, "_seen", set(sys.modules))
    monkeypatch.setattr(loading, "_sources", {})
    monkeypatch.setattr(loading, "_stamps", {})


def kept(file: Path) -> str:
    """Return what is kept of a file."""
    return keep_source(file, b"nothing").decode()


@pytest.mark.parametrize(
    ("file", "installed"),
    [
        (json.__file__, True),
        (np.__file__, True),
        ("x/site-packages/y.py", True),
        ("x/dist-packages/y/z.py", True),
        ("x/my-site-packages.py", False),
        (__file__, False),
    ],
)
def test_what_is_in_a_library(file: str, installed: bool) -> None:
    assert in_library(file) == in_library(Path(file)) == installed


def test_the_top_of_a_module() -> None:
    assert [top_of(name) for name in ("a", "a.b", "a.b.c")] == ["a", "a", "a"]


def test_a_module_counts_as_it_was_when_it_was_loaded(write: Write) -> None:
    files = ("noted.py", "later.py", "never.py")
    folder = write(dict.fromkeys(files, "X = 1"))
    importlib.import_module("noted")
    note_loaded()
    write(dict.fromkeys(files, "X = 2"))
    importlib.import_module("later")
    note_loaded()
    write(dict.fromkeys(files, "X = 3"))
    note_loaded()
    assert [kept(folder / file) for file in files] == ["X = 1", "X = 2", "nothing"]


def test_a_component_s_definition_is_where_sources_are_kept(write: Write) -> None:
    name = "defines_one"
    files = {"__init__.py": SOLVER.format(name=name), "helper.py": "X = 1", "table.csv": "1"}
    folder = write({f"{name}/{file}": text for file, text in files.items()}) / name
    importlib.import_module(name)
    assert kept(folder / "__init__.py") == files["__init__.py"]
    assert kept(folder / "helper.py") == "X = 1"
    assert not is_changed(folder / "table.csv")
    (folder / "table.csv").write_text("12")
    (folder / "new.csv").write_text("1")
    assert is_changed(folder / "table.csv")
    assert not is_changed(folder / "new.csv")


def test_libraries_are_not_kept_unless_components_come_from_them(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "one/__init__.py": "import one.helper, two",
        "one/helper.py": "",
        "two.py": "",
        "one/late.py": "",
    }
    folder = write({f"site-packages/{name}": text for name, text in files.items()})
    folder /= "site-packages"
    monkeypatch.syspath_prepend(folder)
    importlib.import_module("one")
    note_loaded()
    assert loading._sources == {}
    note_loaded("one.solver")
    importlib.import_module("one.late")
    note_loaded()
    names = {Path(file).name for file in loading._sources}
    assert names == {"__init__.py", "helper.py", "late.py"}


def test_what_is_in_sys_modules_need_be_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd:
        __slots__ = ()

    for number, each in enumerate([None, Odd(), 1]):
        monkeypatch.setitem(sys.modules, f"odd_{number}", each)
    monkeypatch.setitem(sys.modules, "gone", type(sys)("gone"))
    sys.modules["gone"].__file__ = "no_such_file.py"
    note_loaded()
    assert loading._sources == {}


def test_the_source_of_a_plugin_file_is_what_was_loaded_last() -> None:
    assert given_source("benchbase_plugin_x") is None
    for source in (b"1", b"2"):
        give_source("benchbase_plugin_x", source)
        assert given_source("benchbase_plugin_x") == source


def test_the_files_of_a_package_are_in_order_and_no_tool_s(tmp_path: Path) -> None:
    package = tmp_path / ".hidden" / "package"  # what is around it does not matter
    names = ["b.py", "a/c.csv", ".x", "a/.git/y", "__pycache__/b.pyc", "b.pyc", "b.pyi", "a/d.py"]
    for name in names:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    found = [file.relative_to(package).as_posix() for file in files_of(package)]
    assert found == ["a/c.csv", "a/d.py", "b.py"]


def test_all_components_of_the_core_are_kept() -> None:
    """By the first class that is defined after they were loaded."""
    loading._seen.clear()

    class Any(benchbase.Report):
        name = "any"

        def write(self, results: benchbase.ResultsView, folder: Path) -> list[Path]:
            return []

    file = Path(benchbase.__file__).with_name("component.py")
    assert kept(file) == file.read_text()
