"""Which plugins come with benchbase, and that strangers' are loaded only where they are needed."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


def test_a_distribution_that_says_it_is_benchbase_is_refused(write: Callable[..., Path]) -> None:
    script = "[console_scripts]\nbenchbase = other:main\n"
    info = "benchbase-1.dist-info"
    facts = "Metadata-Version: 2.1\nName: benchbase\nVersion: 1\n"
    write({f"{info}/METADATA": facts, f"{info}/entry_points.txt": script})
    own = "benchbase and benchbase-recovery"
    with pytest.raises(PluginError, match=f"{own} both supply benchbase; uninstall one"):
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


def test_bundled_plugins_are_loaded_by_their_packages() -> None:
    known, whole = Registry(), Registry()
    whole.load_installed(strangers=False)
    known.load_bundled({"benchbase_rrr", "acme"})
    assert {name: sorted(table) for name, table in known.classes.items() if table} == {
        "solver": ["hio", "raar", "rrr"]
    }
    rrr = known.classes["solver"]["rrr"]
    known.load_bundled({"benchbase_rrr", "benchbase_poolings"})
    assert known.classes["solver"]["rrr"] is rrr
    assert known.classes["pooling"] == whole.classes["pooling"]
    assert known.warnings == []
    whole.load_bundled({"benchbase_rrr"})  # it is there already
    assert whole.warnings == []
    for (_, name), provider in whole.providers.items():  # a worker finds them by their packages
        assert provider.source == "", name
    for table in whole.classes.values():
        for name, cls in table.items():
            package = cls.__module__.partition(".")[0]
            assert whole.providers[cls.kind, name].plugin == package.removeprefix("benchbase_")
