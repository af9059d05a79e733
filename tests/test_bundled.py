"""Which bundled packages import which: what pyproject.toml declares, no more and no less."""

import ast
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSES = ("plugins", "suites", "reports")

if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("these tests are about the repository", allow_module_level=True)

PACKAGES = {
    file.parent.name: file.parent
    for house in HOUSES
    for file in sorted((ROOT / house).glob("*/__init__.py"))
}


def imported(text: str) -> Iterator[str]:
    """Yield the bundled packages that a program imports, wherever in it."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                modules = [name.name for name in names]
            case ast.ImportFrom(module=str(module)):
                modules = [module]
            case _:
                continue
        yield from (top for each in modules if (top := each.split(".")[0]) in PACKAGES)


def declared() -> dict[str, set[str]]:
    """Return the dependencies of bundled packages on one another, as pyproject.toml has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {name: {*others} for name, others in project["tool"]["benchbase"]["depends"].items()}


def test_the_dependencies_of_bundled_packages_are_those_declared() -> None:
    used = {
        name: {other for file in place.rglob("*.py") for other in imported(file.read_text("utf-8"))}
        for name, place in PACKAGES.items()
    }
    others = {name: found - {name} for name, found in used.items() if found - {name}}
    assert others == declared()


def test_no_bundled_packages_depend_on_each_other_in_a_circle() -> None:
    TopologicalSorter(declared()).prepare()  # raises CycleError


@pytest.mark.parametrize(
    "code",
    [
        "import benchbase_reports.tables",
        "def f():\n    from benchbase_reports.statistics import means",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import benchbase_reports as r",
    ],
)
def test_an_import_is_found_wherever_it_stands(code: str) -> None:
    assert [*imported(code)] == ["benchbase_reports"]
    assert [*imported("import benchbase\nfrom benchbase_else import x")] == []
