import re
import tomllib
from pathlib import Path

import pytest

import benchbase
from benchbase import hookspecs
from benchbase.discovery.registry import KINDS, registry
from benchbase.results import COLUMNS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "benchbase_spec")]


def test_every_hook_is_documented() -> None:
    written = re.findall(r"autofunction:: benchbase\.hookspecs\.(\w+)", read("plugins.rst"))
    assert written == HOOKS
    assert len(HOOKS) == len(KINDS) + 2


def test_every_column_is_documented() -> None:
    rows = re.findall(r"^``(\w+)``\s+(.+)$", read("columns.rst"), re.MULTILINE)
    assert dict(rows) == COLUMNS


def test_every_public_name_is_in_the_reference() -> None:
    text = read("api.rst") + read("plugins.rst")
    errors = {name for name in benchbase.__all__ if name.endswith("Error")}
    others = set(benchbase.__all__) - errors - {"Array", "Inverse", "hookimpl"}
    assert {name for name in others if f":: benchbase.{name}\n" not in text} == set()
    assert "automodule:: benchbase.errors" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_bundled_component_is_documented(kind: str) -> None:
    known = registry()
    bundled = [
        cls
        for name, cls in known.classes[kind].items()
        if known.providers[kind, name].owner == "the distribution benchbase"
    ]
    assert bundled
    for cls in bundled:
        package = cls.__module__.partition(".")[0]
        assert f"autoclass:: {package}.{cls.__name__}\n" in read("components.rst")


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == benchbase.__version__
    assert f"version: {benchbase.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_solver_of_the_readme_runs(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(# my_solver\.py\n.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) <= 20
    (tmp_path / "my_solver.py").write_text(code)
    results = benchbase.run(
        "quick",
        results=tmp_path / "results",
        points=3,
        trials=1,
        plugins=tmp_path / "my_solver.py",
        solvers="my_solver",
        changes={"grid.frame.n_pools": [72]},
    )
    frame = results.frame()
    assert set(frame["label"]) == {"my_solver"}
    assert set(frame["status"]) == {"done"}


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")
