from __future__ import annotations

import textwrap

import pytest

from benchbase.discovery.imports import Imports, Reference, imports
from benchbase.discovery.program import parse


def of(source: str) -> Imports:
    return imports(parse(textwrap.dedent(source).encode()))


def told(source: str) -> set[str]:
    """Return what a source reaches: ``..module:name.inner``, with a star where it is used whole."""
    return {
        "." * each.level + each.module + ":" * bool(each.names) + ".".join(each.names)
        + "*" * each.used
        for each in of(source).references
    }  # fmt: skip # one text


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("import a", {"a"}),
        ("import a.b", {"a.b"}),
        ("import a\na.x.y(1)", {"a", "a:x.y*"}),
        ("import a\nf(a)", {"a", "a*"}),
        ("import a.b\na.b.f()\na.c", {"a.b", "a:b.f*", "a:c*"}),
        ("import a.b as c\nc.f()", {"a.b", "a.b:f*"}),
        ("from a import b", {"a:b"}),
        ("from a import b as c\nc.f(c)", {"a:b", "a:b.f*", "a:b*"}),
        ("from a import b\nb = 1\ndef f(b): return b.x", {"a:b", "a:b*", "a:b.x*"}),
        ("from . import b\nfrom ..c import d", {".:b", "..c:d"}),
        ("from .a import *", {".a*"}),
        ("def f():\n  from a import b\n  return b", {"a:b", "a:b*"}),
        ("class C:\n  import a", {"a"}),
        ("try:\n  import a\nexcept ImportError:\n  import b", {"a", "b"}),
        ("lambda: [x for x in __import__('a').y]", {"a*"}),
        ("import importlib\nimportlib.import_module('a.b').f(g)", {
            "importlib", "a.b*",
        }),
        ("from importlib import import_module\nimport_module('.b', __package__)", {
            "importlib:import_module", ".b*",
        }),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  import a\nelse:\n  import b", {
            "typing:TYPE_CHECKING", "b",
        }),
        ("import typing as t\nif t.TYPE_CHECKING:\n  import a\n", {"typing"}),
        ("x.import_a('b')", set()),
        ("'import a'", set()),
    ],
)  # fmt: skip # a table
def test_what_a_program_reaches(source: str, wanted: set[str]) -> None:
    assert told(source) == wanted
    assert not of(source).opaque or "*" in source


@pytest.mark.parametrize(
    "source",
    [
        "from a import *",
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nimport_module(name)",
        "from importlib import import_module as load\nload('a')",
        "from importlib import import_module\n[*map(import_module, names)]",
        "import_module('.a', package)",
        "import_module(name='a')",
        "__import__(f'a{x}')",
        "__import__('a.b')",
        "exec(text)",
        "eval('__import__')",
        "import sys\nsys.modules['a'].f()",
        "import runpy\nrunpy.run_path('a.py')",
        "from importlib.util import spec_from_file_location\nspec_from_file_location('a', 'a.py')",
        "def __getattr__(name): ...",
        "from a import __getattr__",
        "if x:\n  def __getattr__(name): ...",
    ],
)
def test_what_does_not_tell_all_that_it_imports(source: str) -> None:
    assert of(source).opaque
    assert not of(source).hands_on


@pytest.mark.parametrize(
    "source",
    [
        "import_module('a')",
        "model.eval()",
        "import sys\nsys.path",
        "class C:\n  def __getattr__(s): ...",
    ],
)
def test_what_tells_all_that_it_imports(source: str) -> None:
    assert not of(source).opaque


def test_the_names_that_a_program_binds() -> None:
    found = of("""
        import a.b
        import c.d as e
        from .f import g, h as i
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from .types import T
        try:
            from .fast import j
        except ImportError:
            def j(): ...
        k = l, (m, *n) = 1, (2, 3)
        class O:
            p = 1
        def q():
            r = 1
        with open(x) as s:
            import t
        u: int = 1
        """).names
    assert found == {
        "a": [Reference(0, "a")],
        "e": [Reference(0, "c.d")],
        "g": [Reference(1, "f", ("g",))],
        "i": [Reference(1, "f", ("h",))],
        "TYPE_CHECKING": [Reference(0, "typing", ("TYPE_CHECKING",))],
        "j": [Reference(1, "fast", ("j",)), None],
        "t": [Reference(0, "t")],
        **{name: [None] for name in "klmnOqsu"},
    }


def test_names_for_type_checkers_count_where_getattr_hands_them_on() -> None:
    typed = """
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from a.b import c
        """
    assert "c" not in of(typed).names
    lazy = of(f"{typed}def __getattr__(name): ...")
    assert lazy.opaque
    assert lazy.names["c"] == [Reference(0, "a.b", ("c",))]
    assert Reference(0, "a.b", ("c",)) not in lazy.references


HOOKS = """
    '''Docstring.'''
    from typing import TYPE_CHECKING
    import benchbase
    from .solver import Mine
    if TYPE_CHECKING:
        import click
    __all__ = ["Mine"]
    __version__ = "1"

    @benchbase.hookimpl
    def register_solvers(register):
        from .more import Other
        register(Mine)
        register(Other)
"""


def test_a_package_that_only_hands_on() -> None:
    assert of(HOOKS).hands_on
    assert of("").hands_on


@pytest.mark.parametrize(
    "more",
    [
        "STEPS = 1", "def f(): ...", "class C: ...", "f()", "if x:\n  import a", "x.y = 1",
        "@cache\ndef f(): ...", "for x in y: ...", "__path__ = []", "from a import *",
        "if TYPE_CHECKING:\n  import a\nelse:\n  b = 1",
        "@hookimpl\ndef f(register):\n  Mine.x = 1\n  register(Mine)",
        "@hookimpl\ndef f(register):\n  setattr(Mine, 'x', 1)",
        "@hookimpl\ndef f(register):\n  TABLE['x'] = 1",
        "@hookimpl\ndef f(register):\n  global x",
    ],
)  # fmt: skip # a list of sources
def test_a_package_that_does_more(more: str) -> None:
    assert not of(textwrap.dedent(HOOKS) + more).hands_on
