"""The house: how large its rooms are, and who may enter which."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import benchbase

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

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path) -> Iterator[tuple[str, str]]:
    """Yield what is imported: a module, and a name from it or nothing."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(file)}: imports are absolute"
            yield from ((node.module or "", alias.name) for alias in node.names)


def ours(module: str) -> bool:
    return module.split(".")[0].startswith("benchbase")


@pytest.mark.parametrize("file", SOURCES, ids=shown)
def test_no_file_is_over_400_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 400


def docstrings(module: ast.Module) -> Iterator[range]:
    """Yield the lines of strings that stand alone: docstrings of all kinds."""
    for node in ast.walk(module):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                yield range(node.lineno, (node.end_lineno or node.lineno) + 1)


def lines_of_code(file: Path) -> int:
    """Count the lines that hold code: no blank lines, comments or docstrings."""
    text = file.read_text(encoding="utf-8")
    nothing = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENDMARKER,
    }  # fmt: skip # a short list
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing:
            lines.update(range(token.start[0], token.end[0] + 1))
    for doc in docstrings(ast.parse(text)):
        lines.difference_update(doc)
    return len(lines)


def test_lines_of_code_are_counted_right(tmp_path: Path) -> None:
    file = tmp_path / "x.py"
    code = ['x = """a', 'b"""  # both', "def f():", "    y = [", "        1,", "    ]"]
    other = ['"""Doc.', "", 'More."""', "", "# no code", '    "Doc."']
    lines = [*other[:5], *code[:3], other[5], code[3], "", *code[4:], ""]
    file.write_text("\n".join(lines))
    assert lines_of_code(file) == len(code)


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=shown)
def test_the_core_imports_no_plugin_suite_or_report(file: Path) -> None:
    for module, _ in imports(file):
        assert module.split(".")[0] not in NAMES


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=shown)
def test_the_core_knows_no_component_by_name(file: Path) -> None:
    """Examples in documentation and help may name some; code may not."""
    known = {"altmin", "knn", "restarts", "phaselift", "phasecut", "mnist", "digits", "maxout"}
    module = tree(file)
    documented = {line for doc in docstrings(module) for line in doc}
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and node.lineno not in documented:
            assert node.value not in known, f"{shown(file)}:{node.lineno}"


@pytest.mark.parametrize("package", PACKAGES, ids=shown)
def test_a_plugin_imports_only_itself_and_the_public_names(package: Path) -> None:
    for file in sorted(package.rglob("*.py")):
        for module, name in imports(file):
            if module == "benchbase":
                assert not name or name in benchbase.__all__, f"{shown(file)}: {name}"
            elif ours(module):
                assert module.split(".")[0] == package.name, f"{shown(file)}: {module}"


@pytest.mark.parametrize("package", PACKAGES, ids=shown)
def test_a_plugin_uses_only_the_public_names(package: Path) -> None:
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(tree(file)):
            match node:
                case ast.Attribute(value=ast.Name(id="benchbase"), attr=name):
                    assert name in benchbase.__all__, f"{shown(file)}:{node.lineno}"


def test_every_package_is_in_the_wheel_and_found_by_an_entry_point() -> None:
    assert len(PACKAGES) > 5
    listed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(listed) == sorted(["benchbase", *map(shown, PACKAGES)])
    points = PROJECT["project"]["entry-points"]["benchbase"]
    assert sorted(points.values()) == sorted(NAMES)
    assert {f"benchbase_{name}" for name in points} == NAMES


@pytest.mark.parametrize("package", [CORE, *PACKAGES], ids=shown)
def test_every_package_is_typed(package: Path) -> None:
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


def undocumented(body: list[ast.stmt], where: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield f"{where}.{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, f"{where}.{node.name}")


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=shown)
def test_everything_public_in_the_core_is_documented(file: Path) -> None:
    module = tree(file)
    assert ast.get_docstring(module)
    assert list(undocumented(module.body, file.stem)) == []


@pytest.mark.parametrize("package", PACKAGES, ids=shown)
def test_every_component_of_a_plugin_is_documented(package: Path) -> None:
    for file in sorted(package.rglob("*.py")):
        module = tree(file)
        assert ast.get_docstring(module), shown(file)
        for node in module.body:
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    documented = name.startswith("_") or ast.get_docstring(node)
                    assert documented, f"{shown(file)}: {name}"


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
