"""Stamps: what makes them others, and when nothing can be said."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from benchbase.discovery import stamps

Write = Callable[..., Path]
FILES = {"own/__init__.py": "a = 1", "own/inner/data.csv": "1,2"}


@pytest.fixture
def package(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make one bundled plugin, whose files are taken to be old."""
    points = [EntryPoint("own", "own", "benchbase")]
    monkeypatch.setattr(stamps, "plugin_points", lambda: (points, []))
    monkeypatch.setattr(stamps, "bundled", lambda: {"own"})
    monkeypatch.setattr(stamps, "_TICK", -1e9)
    return write(FILES) / "own"


def edit(package: Path) -> None:
    """Change a file, but neither its size nor its time."""
    file = package / "__init__.py"
    before = file.stat()
    file.write_text("a = 2")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(package: Path) -> None:
    """Put another file of the same size and time in the place of one."""
    file, other = package / "__init__.py", package / "other"
    other.write_text("a = 3")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize(
    "change",
    [
        edit,
        replace,
        lambda package: (package / "inner/data.csv").unlink(),
        lambda package: (package / "new.py").write_text(""),
        lambda package: (package / "inner").rename(package / "outer"),
        lambda package: (package.parent / "acme-1.dist-info").mkdir(),
    ],
)
def test_each_change_of_a_file_gives_another_stamp(
    package: Path, change: Callable[[Path], object]
) -> None:
    before = stamps.stamp()
    assert before is not None
    assert stamps.stamp() == before
    change(package)
    assert stamps.stamp() not in (before, None)


def test_what_python_writes_does_not_count(package: Path) -> None:
    before = stamps.stamp()
    (package / "__pycache__").mkdir()
    (package / "__pycache__/x.pyc").write_text("")
    assert stamps.stamp() == before


def test_another_path_of_imports_gives_another_stamp(
    package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = stamps.stamp()
    monkeypatch.syspath_prepend(tmp_path)
    assert stamps.stamp() not in (before, None)


def test_nothing_is_said_of_strangers_and_of_mistakes(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, acme = (EntryPoint(name, name, "benchbase") for name in ("own", "acme"))
    monkeypatch.setattr(stamps, "plugin_points", lambda: ([own, acme], []))
    assert stamps.stamp() is None
    monkeypatch.setattr(stamps, "plugin_points", lambda: ([own], ["two plugins are named 'x'"]))
    assert stamps.stamp() is None


def test_nothing_is_said_of_files_that_were_written_just_now(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "_TICK", 60.0)
    assert stamps.stamp() is None


def test_nothing_is_said_of_a_package_that_is_gone(package: Path) -> None:
    for file in FILES:
        (package.parent / file).unlink()
    (package / "inner").rmdir()
    package.rmdir()
    assert stamps.stamp() is None
