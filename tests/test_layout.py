"""The house: which rooms may enter which, how large files are, what is documented."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

import benchbase
from benchbase import showing

ROOT = Path(__file__).parent.parent
HOUSES = ("plugins", "suites", "reports")
CORE = ROOT / "benchbase"
PACKAGES = sorted(
    folder.parent for house in HOUSES for folder in (ROOT / house).glob("*/__init__.py")
)
NAMES = {package.name for package in PACKAGES}
SOURCES = sorted(file for folder in (CORE, *PACKAGES) for file in folder.rglob("*.py"))

if not (ROOT / "pyproject.toml").is_file():
    pytest.skip("these tests are about the repository", allow_module_level=True)

PUBLIC = {
    "benchbase": benchbase.__all__,
    "benchbase.showing": showing.__all__,
    "benchbase.cli": ["options"],
}
"""The modules that plugins may import from, and their names."""

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

ROOMS = (
    "wording",
    "errors",
    "system",
    "component",
    "representation",
    "problem",
    "interfaces",
    "hookspecs",
    "tasks",
    "numerics",
    "discovery",
    "planning",
    "conformance",
    "storage",
    "running",
    "showing",
    "results",
    "checking",
    "api",
    "cli",
)
"""The core's folders and single files: each may import those before it, none after it."""


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(module: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield line, module, and the name imported from it or nothing; whatever the import is in."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A relative import has no place here: its target is found neither by us nor by eye.
            source = "." * node.level + (node.module or "")
            yield from ((node.lineno, source, alias.name) for alias in node.names)


def dotted(file: Path) -> str:
    """Return the name that a file is imported by."""
    house = file.relative_to(ROOT).parts[0]
    base = ROOT / house if house in HOUSES else ROOT
    return ".".join(file.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(file): file for file in SOURCES}


def imported_modules(module: ast.Module, known: Iterable[str]) -> set[str]:
    """Return the modules among those known that a module imports, packages' own files left out."""
    found = {
        f"{source}.{name}" if f"{source}.{name}" in known else source
        for _, source, name in imports(module)
    }
    return found & set(known)


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the names along a circle of a graph, or nothing if it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in error.args[1]]
    return []


@cache
def graph_of_files() -> Mapping[str, set[str]]:
    """Return what each file imports, the other files of this repository only."""
    files = {name for name, file in MODULES.items() if file.name != "__init__.py"}
    return {name: imported_modules(tree(MODULES[name]), files) - {name} for name in files}


def room_of(module: str) -> str:
    return module.split(".")[1]


def climbing(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the imports of the core that go from a room to one that comes after it."""
    return [
        f"{module} imports {target}"
        for module, targets in sorted(graph.items())
        for target in sorted(targets)
        if module.startswith("benchbase.") and target.startswith("benchbase.")
        if ROOMS.index(room_of(module)) < ROOMS.index(room_of(target))
    ]


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(graph_of_files()) == []


def test_rooms_import_only_rooms_before_them() -> None:
    graph = graph_of_files()
    rooms = {room_of(name) for name in graph if name.startswith("benchbase.")}
    assert rooms == set(ROOMS)
    assert climbing(graph) == []


@pytest.mark.parametrize(
    "code",
    [
        "from benchbase import api",
        "from benchbase.api import run",
        "def f():\n    import benchbase.api",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from benchbase.api import run",
    ],
)
def test_an_import_that_climbs_is_found_wherever_it_stands(code: str) -> None:
    errors = imported_modules(ast.parse(code), MODULES)
    graph = {**graph_of_files(), "benchbase.errors": errors}
    assert climbing(graph) == ["benchbase.errors imports benchbase.api"]
    core = {name: targets for name, targets in graph.items() if name.startswith("benchbase.")}
    assert {"benchbase.errors", "benchbase.api"} <= set(circle(core))


def test_rooms_are_documented_in_their_order() -> None:
    text = (ROOT / "docs" / "architecture.rst").read_text(encoding="utf-8")
    rooms = re.findall(r"^``(\w+)``  ", text, re.MULTILINE)
    assert rooms == [*reversed(ROOMS)]


def test_no_file_is_over_400_lines() -> None:
    long = {shown(f): n for f in SOURCES if (n := len(f.read_text("utf-8").splitlines())) > 400}
    assert long == {}


def documented_lines(module: ast.Module) -> set[int]:
    """Return the lines of strings that stand alone: docstrings of all kinds."""
    lines: set[int] = set()
    for node in ast.walk(module):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def test_the_core_knows_no_plugin_and_no_component_by_name() -> None:
    """Examples in documentation and help may name some; code may not."""
    names = {"altmin", "knn", "restarts", "phaselift", "phasecut", "mnist", "digits", "maxout"}
    found = []
    for file in sorted(CORE.rglob("*.py")):
        module = tree(file)
        documented = documented_lines(module)
        found += [
            f"{shown(file)}:{line}"
            for line, source, _ in imports(module)
            if source.split(".")[0] in NAMES
        ]
        found += [
            f"{shown(file)}:{node.lineno}"
            for node in ast.walk(module)
            if isinstance(node, ast.Constant)
            and node.lineno not in documented
            and node.value in names
        ]
    assert found == []


def test_plugins_use_only_public_names() -> None:
    found = []
    for package in PACKAGES:
        for file in sorted(package.rglob("*.py")):
            module = tree(file)
            for line, source, name in imports(module):
                of_core = source.split(".")[0] == "benchbase"
                if of_core and (
                    name not in PUBLIC.get(source, ()) if name else source not in PUBLIC
                ):
                    found.append(f"{shown(file)}:{line}: {source} {name}")
                if source.startswith("."):
                    found.append(f"{shown(file)}:{line}: {source}")
            for node in ast.walk(module):
                match node:
                    case ast.Attribute(value=ast.Name(id="benchbase"), attr=name):
                        if name not in benchbase.__all__:
                            found.append(f"{shown(file)}:{node.lineno}: benchbase.{name}")
    assert found == []


def test_every_package_is_in_the_wheel_and_found_by_an_entry_point() -> None:
    assert len(PACKAGES) > 5
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    program = "benchbase_command.py"
    assert wheel == {"only-include": ["benchbase", program, *HOUSES], "sources": [*HOUSES]}
    points = PROJECT["project"]["entry-points"]["benchbase"]
    assert sorted(points.values()) == sorted(NAMES)
    assert {f"benchbase_{name}" for name in points} == NAMES


def test_every_package_is_typed() -> None:
    for package in (CORE, *PACKAGES):
        assert (package / "py.typed").read_text() == ""


def test_the_houses_are_no_packages() -> None:
    for house in HOUSES:
        assert not (ROOT / house / "__init__.py").exists()
        strays = [path for path in (ROOT / house).iterdir() if path.name not in NAMES]
        assert [path.name for path in strays if path.name != "__pycache__"] == []
    assert PROJECT["tool"]["hatch"]["build"]["dev-mode-dirs"] == [".", *HOUSES]


SKIPPED = {"__pycache__", "build", "dist", "venv", "benchbase-results", "_build", ".git"}
ABSOLUTE = re.compile(r"(?<![\w.~}/:-])/(?:home|root|Users|work|mnt|opt|srv|private)/[\w.]")


def files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        hidden = path.is_dir() and path.name.startswith(".") and path.name != ".ci"
        if hidden or path.name in SKIPPED or path.name.endswith(".egg-info"):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


def test_nothing_names_a_place_on_one_machine() -> None:
    found = []
    for file in files(ROOT):
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        lines = enumerate(text.splitlines(), start=1)
        found += [f"{shown(file)}:{i}" for i, line in lines if ABSOLUTE.search(line)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_place"),
    [
        ("/".join(("", "home", "me", "x")), True),
        ("'" + "/".join(("", "work", "main")), True),
        ("https://example.org/home/page", False),
        ("a/home/b", False),
        ("/proc/cpuinfo", False),
    ],
)
def test_places_are_recognised(text: str, is_place: bool) -> None:
    assert bool(ABSOLUTE.search(text)) is is_place


def test_all_public_names_are_there_and_sorted() -> None:
    assert benchbase.__all__ == sorted(set(benchbase.__all__))
    for name in benchbase.__all__:
        assert getattr(benchbase, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nosuchname'"):
        _ = benchbase.nosuchname


def test_each_public_name_is_found_where_type_checkers_find_it() -> None:
    body = tree(CORE / "__init__.py").body
    typed = ast.Module([node for node in body if isinstance(node, ast.If)], [])
    listed = [(f"benchbase.{module}", name) for name, module in benchbase._MODULES.items()]
    assert listed == [(source, name) for _, source, name in imports(typed)]
    assert {*benchbase._MODULES} | {"__version__", "build"} == {*benchbase.__all__}


def undocumented(body: list[ast.stmt], where: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield f"{where}.{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, f"{where}.{node.name}")


def test_everything_public_is_documented() -> None:
    """In the core also what is inside of classes; in a plugin modules, classes and functions."""
    found = []
    for file in SOURCES:
        module = tree(file)
        if not ast.get_docstring(module):
            found.append(shown(file))
        inner = list(undocumented(module.body, dotted(file)))
        top = len(dotted(file).split(".")) + 1
        in_core = file.is_relative_to(CORE)
        found += [name for name in inner if in_core or len(name.split(".")) == top]
    assert found == []


def test_every_suppression_says_why() -> None:
    """Each ``# noqa`` and ``# type: ignore`` names its rule and gives its reason."""
    mark = re.compile(r"# (?:noqa|type: ignore)\b(.*)")
    form = re.compile(r"(?:: [A-Z0-9, ]+|\[[\w-]+(?:, ?[\w-]+)*\])? # \S.*")
    bare = []
    for file in SOURCES + sorted((ROOT / "tests").rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(file.read_text("utf-8")).readline):
            found = mark.match(token.string) if token.type == tokenize.COMMENT else None
            if found and not form.fullmatch(found.group(1)):
                bare.append(f"{shown(file)}:{token.start[0]}: {token.string}")
    assert bare == []
