"""The catalogue: when what was kept is used, and when the plugins are asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchbase.cli import catalogue as module
from benchbase.cli.catalogue import Catalogue, Entry, SuiteEntry, catalogue
from benchbase.discovery.registry import Registry

WITHOUT = Catalogue(
    [Entry("solver", "a", "the distribution d", "Does it.", [])],
    [SuiteEntry("s", "S", "title = 'S'", "s.toml"), SuiteEntry("t", "(no)", None, "t.toml")],
    {"do": "Do it."},
    [],
)
WITH = Catalogue(
    [Entry("solver", "a", "the distribution d", "Does it.", ["[[solver]]"])],
    WITHOUT.suites,
    WITHOUT.commands,
    [],
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Note for what plugins are asked, in a process that has loaded none, with files at rest."""
    asked: list[str] = []

    def of_plugins(show: str, *, all_tables: bool = False) -> Catalogue:
        asked.append(show)
        return WITH if all_tables else WITHOUT

    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_of_plugins", of_plugins)
    monkeypatch.setattr(module, "stamp", lambda: "now")
    monkeypatch.delitem(sys.modules, "benchbase.discovery.registry")
    return asked


def test_what_plugins_say_is_kept(asked: list[str]) -> None:
    assert catalogue() == catalogue() == WITHOUT
    assert asked == [""]
    assert catalogue(show="a") == catalogue(show="a") == catalogue() == WITH
    assert asked == ["", "a"]


def test_it_is_not_used_once_a_file_has_changed(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue()
    monkeypatch.setattr(module, "stamp", lambda: "later")
    catalogue()
    monkeypatch.setattr(module, "stamp", lambda: None)
    catalogue()
    catalogue()
    assert asked == [""] * 4


def test_it_is_not_kept_if_a_file_changes_meanwhile(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter("aabb")
    monkeypatch.setattr(module, "stamp", lambda: next(ticks))
    catalogue()  # from a to a
    monkeypatch.setattr(module, "stamp", iter("bccc").__next__)
    catalogue()  # from b to c
    catalogue()
    assert asked == [""] * 3


def test_warnings_are_told_each_time(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    warned = Catalogue([], [], {}, ["plugin 'x' cannot be loaded"])
    monkeypatch.setattr(module, "_of_plugins", lambda show, **how: warned)
    assert catalogue() == warned
    monkeypatch.setattr(module, "_of_plugins", lambda show, **how: WITHOUT)
    assert catalogue() == WITHOUT


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"stamp": "now", "components": [1]}'])
def test_a_damaged_file_is_made_again(asked: list[str], content: str) -> None:
    catalogue()
    module._file().write_text(content)
    assert catalogue() == catalogue() == WITHOUT
    assert asked == ["", ""]


def test_without_a_folder_to_write_to_nothing_is_kept(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "file"))
    assert catalogue() == catalogue() == WITHOUT
    assert asked == ["", ""]


def test_a_process_that_has_loaded_plugins_asks_these(fresh_registry: Registry) -> None:
    known = catalogue(show="altmin")
    listed = [(each.kind, each.name) for each in known.components]
    assert sorted(listed) == sorted(
        (kind, name) for kind, table in fresh_registry.classes.items() for name in table
    )
    tables = {each.name for each in known.components if each.table}
    assert tables == {"altmin"}
    fresh_registry.warnings.append("w")
    assert catalogue().warnings == fresh_registry.warnings
