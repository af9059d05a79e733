"""Which plugins come with benchbase, and that strangers' are loaded only where they are needed."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchbase.discovery import providers
from benchbase.discovery.providers import bundled
from benchbase.discovery.registry import Registry
from benchbase.errors import PluginError
from benchbase.interfaces import Solver

ROOT = Path(__file__).parents[2]

PLUGIN = """
import benchbase
class Far(benchbase.Solver):
    name = "far"
    def prepare(self, problem):
        return lambda b, run: benchbase.Recovery(x=run.normal(problem.frame.n))
@benchbase.hookimpl
def register_solvers(register): register(Far)
"""


def test_what_comes_with_benchbase_is_what_the_project_lists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert bundled() == set(project["entry-points"]["benchbase"].values())


def test_a_distribution_that_says_it_is_benchbase_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def point(distribution: str) -> EntryPoint:
        own = EntryPoint("benchbase", "benchbase.cli:main", "console_scripts")
        found: EntryPoint = own._for(SimpleNamespace(name=distribution))  # type: ignore[attr-defined] # as the library does
        return found

    both = EntryPoints((point("one"), point("two")))
    monkeypatch.setattr(providers, "entry_points", lambda **of: both.select(**of))
    with pytest.raises(PluginError, match="one and two both supply benchbase; uninstall one"):
        bundled.__wrapped__()


def test_a_strangers_package_is_imported_where_a_task_needs_it(write: Callable[..., Path]) -> None:
    facts = "Metadata-Version: 2.1\nName: far-away\nVersion: 1\n"
    points = "[benchbase]\nfaraway = faraway\n"
    write(
        {
            "faraway.py": PLUGIN,
            "far_away-1.dist-info/METADATA": facts,
            "far_away-1.dist-info/entry_points.txt": points,
        }
    )
    known = Registry()
    known.load_installed(strangers=False)
    assert "faraway" not in sys.modules
    assert "far" not in known.classes["solver"]
    known.load_source("faraway")
    known.load_source("faraway")  # once is enough
    built: Any = known.build("solver", {"name": "far"})
    around: Any = known.build("solver", {"name": "restarts", "solver": {"name": "far"}})
    own: Any = known.build("solver", {"name": "altmin"})
    assert isinstance(built, Solver)
    assert known.sources(built) == known.sources(around) == {"faraway"}
    assert known.sources(own) == set()
