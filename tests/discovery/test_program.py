from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchbase.discovery import program
from benchbase.discovery.program import parse, program_digest

FOLDER = Path(__file__).parent / "programs"
CORPUS = {file.stem: file.read_bytes() for file in sorted(FOLDER.glob("*.txt"))}
FROZEN: dict[str, str] = json.loads((FOLDER / "digests.json").read_text())
VERSIONS = ("3.11", "3.12", "3.13")
ALONE = """
import json, sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
spec = spec_from_file_location("program", sys.argv[1])
program = module_from_spec(spec)
spec.loader.exec_module(program)
files = sorted(Path(sys.argv[2]).glob("*.txt"))
digests = {f.stem: program.program_digest(program.parse(f.read_bytes())) for f in files}
print(json.dumps([".".join(map(str, sys.version_info[:2])), digests]))
"""


def digest(source: str) -> str:
    return program_digest(parse(source.encode()))


def test_the_digests_of_the_corpus_are_those_of_every_python() -> None:
    assert {name: program_digest(parse(source)) for name, source in CORPUS.items()} == FROZEN
    assert len(set(FROZEN.values())) == len(FROZEN) >= 5


@pytest.mark.parametrize("version", VERSIONS)
def test_another_python_gives_the_same_digests(version: str) -> None:
    python = shutil.which(f"python{version}")
    if python is None:
        pytest.skip(f"no python{version} is on the path")
    done = subprocess.run(
        [python, "-I", "-c", ALONE, program.__file__, FOLDER],
        capture_output=True,
        text=True,
        env=os.environ | {"PYENV_VERSION": version},  # pyenv's commands ask which one is meant
        check=False,
    )
    if done.returncode:
        pytest.skip(f"python{version} does not run: {done.stderr}")
    assert json.loads(done.stdout) == [version, FROZEN]


WHOLE = '''
"""Docstring."""
import numpy as np

class Solver:
    """Docstring."""

    n_iter: int = 100

    def solve(self, x, *, tol=1_000):
        """Docstring.

        More.
        """
        # a comment
        return [f"{x:{tol}}", "a" "b", -1.5, tol]

    def nothing(self):
        """Only a docstring."""
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Docstring."""', '"""Another."""'),
        ('    """Docstring."""\n\n', ""),
        ('"""Docstring.\n\n        More.\n        """', "'x'"),
        ('"""Only a docstring."""', "pass"),
        ('"""Only a docstring."""', "..."),
        ("# a comment", "# another\n\n\n        # two"),
        ("1_000", "1000"),
        ("-1.5", "(-15e-1)"),
        ('"a" "b"', "'ab'"),
        ("n_iter: int = 100", 'n_iter: int = 100  # here\n    """Of the attribute."""'),
        ("return [", "return [\n"),
        ("        return", "        pass\n        return"),
        ("x, *, tol", "x,\n        *,\n        tol"),
        ("\n\n    def", "\n\n\n\n    def"),
        ('{tol}}"', '{tol}}" f""'),
    ],
)  # fmt: skip # pairs
def test_what_says_the_same_has_one_digest(old: str, new: str) -> None:
    assert old in WHOLE
    assert digest(WHOLE.replace(old, new, 1)) == digest(WHOLE)


@pytest.mark.parametrize("name", CORPUS)
def test_a_source_written_anew_from_its_tree_has_its_digest(name: str) -> None:
    tree = parse(CORPUS[name])
    if name == "strings" and sys.version_info < (3, 12):
        tree.body = [each for each in tree.body if "\\" not in _unparsed_field(each)]
    assert digest(ast.unparse(tree)) == program_digest(tree)


def _unparsed_field(node: ast.stmt) -> str:
    """Return a statement as text if it has an f-string; before 3.12 some cannot be written."""
    fields = any(isinstance(inner, ast.JoinedStr) for inner in ast.walk(node))
    return ast.unparse(node) if fields else ""


OTHER: dict[type, Any] = {
    str: lambda value: f"{value}x",
    bytes: lambda value: value + b"x",
    bool: lambda value: not value,
    int: lambda value: value + 1,
    float: lambda value: 2.5 if value != 2.5 else 3.5,
    complex: lambda value: value + 1,
    type(None): lambda _: True,
    type(...): lambda _: None,
}


def changes(tree: ast.Module) -> Any:
    """Yield once for each value in a tree, with another in its place meanwhile."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # says nothing
        left += ast.iter_child_nodes(node)
        for name, value in ast.iter_fields(node):
            is_value = isinstance(node, ast.Constant) and name == "value"
            if name in ("kind", "type_comment") or not (is_value or type(value) in (str, int)):
                continue
            setattr(node, name, OTHER[type(value)](value))
            yield f"{type(node).__name__}.{name}: {value!r}, {getattr(node, name)!r}"
            setattr(node, name, value)


@pytest.mark.parametrize("name", CORPUS)
def test_each_value_counts(name: str) -> None:
    tree = parse(CORPUS[name])
    digests = [FROZEN[name]]
    for what in changes(tree):
        found = program_digest(tree)
        assert found != FROZEN[name], what
        digests.append(found)
    assert len(digests) > 40
    assert program_digest(tree) == FROZEN[name]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = True"),
        ("x = 1", "x = 1.0"),
        ("x = 0.0", "x = -0.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = ''", "x = None"),
        ("x = None", "x: None"),
        ("x = []", "x = ()"),
        ("x = [[], 1]", "x = [[1]]"),
        ("x = ['a', 'b']", "x = ['a b']"),
        ("x = {**y, 'a': 1}", "x = {'a': 1, **y}"),
        ("def f(*, a, b=1): ...", "def f(*, a=1, b): ..."),
        ("def f(a, /): ...", "def f(a): ..."),
        ("f(*a)", "f(**a)"),
        ("if a:\n  b()\nc()", "if a:\n  b()\n  c()"),
        ("if a:\n  b()\nelse:\n  c()", "if a:\n  b()\nc()"),
        ("a - (b - c)", "a - b - c"),
        ("f'{x!r}'", "f'{x}'"),
        ("f'{x}a'", "f'a{x}'"),
        ("f'{x}'", "'{x}'"),
        ("f'{x=}'", "f'{x}'"),
        ("from . import a", "from .. import a"),
        ("import a.b", "from a import b"),
        ("import a", "import a as b"),
        ("async def f(): pass", "def f(): pass"),
        ("def f(): return None", "def f(): return"),
        ("def f():\n  'doc'\n  yield", "def f():\n  'doc'"),
        ("class C(A): x = 1", "class C: x = 1"),
        ("@a\ndef f(): ...", "def f(): ..."),
        ("raise A from B", "raise A"),
        ("match x:\n  case None: y()", "match x:\n  case _: y()"),
        ("match x:\n  case [a]: y()", "match x:\n  case [*a]: y()"),
    ],
)
def test_what_says_something_else_has_another_digest(one: str, other: str) -> None:
    assert digest(one) != digest(other)


def test_a_docstring_is_none_where_it_is_a_value() -> None:
    assert digest("def f(): return 'a'") != digest("def f(): return 'b'")


def test_a_long_expression_is_no_matter() -> None:
    """Of a depth at which a recursive function would end."""
    terms = " + ".join(["x"] * 900)
    assert digest(f"y = {terms}") != digest(f"y = {terms} + x")


def test_nothing_is_said_of_what_python_would_warn_of() -> None:
    assert digest(r"x = '\d'") == digest(r"x = '\\d'")


@pytest.mark.parametrize("source", [b"x = (", b"\x00", b"print 1", b"# coding: nothing\n"])
def test_what_is_no_program_is_an_error(source: bytes) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        parse(source)
