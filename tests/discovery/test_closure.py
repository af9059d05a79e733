from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import benchbase
from benchbase import PluginError
from benchbase.discovery import closure
from benchbase.discovery.closure import NUMERICAL, TOOLBOX, Closures
from benchbase.system.loading import give_source

Write = Callable[[Mapping[str, str | None]], Path]

SOLVER = """
import json, numpy as np, benchbase
from pack.helper import STEPS
from pack import name
from far import given
class Mine:
    def run(self):
        from pack.lazy import late
        return late(STEPS)
"""
FILES = {
    "pack/__init__.py": "'''Doc.'''\nfrom pack.other import name\nfrom pack.solver import Mine\n",
    "pack/solver.py": SOLVER,
    "pack/helper.py": "from .sub.deep import DEEP\nSTEPS = DEEP + 1\n",
    "pack/other.py": "name = 1\n",
    "pack/lazy.py": "import importlib\nlate = importlib.import_module('pack.named').f\n",
    "pack/named.py": "def f(x): return x\n",
    "pack/unused.py": "X = 1\n",
    "pack/sub/__init__.py": "",
    "pack/sub/deep.py": "DEEP = 1\n",
    "pack/sub/aside.py": "ASIDE = 1\n",
    "pack/table.csv": "1\n",
    "far/__init__.py": "from far.near import given as given, also\nfrom .more import rest\n",
    "far/near.py": "given = also = 1\n",
    "far/more.py": "rest = 1\n",
    "far/far.txt": "1\n",
}
"""A package, of which one module reaches some of it, and some of another that is not installed."""

REACHED = {
    "pack.solver", "pack.helper", "pack.sub.deep", "pack.other", "pack.lazy", "pack.named",
    "far.near",
}  # fmt: skip # a list of names


@pytest.fixture
def house(write: Write) -> Write:
    """Write the files above, and return what changes some."""
    write(FILES)
    return write


def digest(module: str = "pack.solver") -> str:
    found = Closures().of(module)
    assert found is not None
    return found.digest


def modules(module: str = "pack.solver") -> set[str]:
    found = Closures().of(module)
    assert found is not None
    return set(found.modules)


def test_what_a_module_reaches(house: Write) -> None:
    assert modules() == REACHED
    assert modules("pack.helper") == {"pack.helper", "pack.sub.deep"}
    assert modules("pack.other") == {"pack.other"}
    assert "pack" not in sys.modules


@pytest.mark.parametrize(
    "file",
    [
        "pack/solver.py", "pack/helper.py", "pack/sub/deep.py", "pack/other.py", "pack/lazy.py",
        "pack/named.py", "far/near.py",
    ],
)  # fmt: skip # a list of files
def test_a_constant_of_a_module_that_is_reached_counts(house: Write, file: str) -> None:
    before = digest()
    house({file: FILES[file] + "\nCONSTANT = 1\n"})
    one = digest()
    house({file: FILES[file] + "\nCONSTANT = 2\n"})
    assert len({before, one, digest()}) == 3


@pytest.mark.parametrize("file", ["pack/table.csv", "far/far.txt"])
def test_other_files_of_a_package_count(house: Write, file: str) -> None:
    before = digest(), digest("pack.other")
    house({file: "2\n"})
    assert digest() != before[0]
    assert (digest("pack.other") != before[1]) == file.startswith("pack")
    house({file: None})
    assert digest() != before[0]


@pytest.mark.parametrize(
    "change",
    [
        {"pack/unused.py": "X = 2\n", "pack/sub/aside.py": "ASIDE = 2\n", "pack/new.py": "X = 1\n"},
        {"far/more.py": "rest = 2\n", "pack/.hidden": "x", "pack/__pycache__/x.nbi": "x"},
        {"pack/helper.py": f"'''Doc.'''\n{FILES['pack/helper.py']}# a remark\n"},
        {"pack/sub/deep.py": "DEEP = 0b1\n'''More.'''\n", "pack/named.pyi": "def f(): ..."},
        {"pack/__init__.py": f"{FILES['pack/__init__.py']}from pack.unused import X\n"},
        {"far/__init__.py": "from .more import rest\nfrom far.near import given\n"},
    ],
    ids=str,
)
def test_what_changes_no_number_changes_no_digest(house: Write, change: dict[str, str]) -> None:
    before = digest()
    house(change)
    assert digest() == before


def test_a_name_that_is_handed_on_from_elsewhere_leads_elsewhere(house: Write) -> None:
    house({"far/__init__.py": "from far.more import rest as given\n"})
    assert modules() == REACHED - {"far.near"} | {"far.more"}


def test_a_package_that_does_more_than_hand_on_counts(house: Write) -> None:
    house({"pack/sub/__init__.py": "from pack.unused import X\nY = X\n"})
    assert modules() == REACHED | {"pack.sub", "pack.unused"}
    house({"far/__init__.py": "from far.near import given\ngiven += 1\n"})
    assert modules() == REACHED | {"pack.sub", "pack.unused", "far"}


WHOLE = REACHED | {"pack", "pack.sub", "pack.unused", "pack.sub.aside"}


@pytest.mark.parametrize(
    "text",
    [
        "from json import *",
        "import importlib\ndef f(name): return importlib.import_module(name)",
        "def __getattr__(name): ...",
        "from pack import missing",
        "import pack.missing",
        "from .missing import x",
        "from ..... import x",
        "from . import sub\nprint(sub)",
        "import pack\nvars(pack)",
    ],
)
def test_when_in_doubt_the_whole_package_counts(house: Write, text: str) -> None:
    house({"pack/helper.py": f"{text}\nSTEPS = 1\n"})
    assert modules() == WHOLE


def test_a_package_that_is_used_whole_counts_whole(house: Write) -> None:
    house({"pack/helper.py": "import far\nSTEPS = [far]\n"})
    assert modules() == REACHED - {"pack.sub.deep"} | {"far", "far.more"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("import far\nSTEPS = far.given", {"far.near"}),
        ("import far\nSTEPS = far.more.rest", {"far.more"}),
        ("import far.more\nSTEPS = far.more.rest", {"far.more"}),
        ("import far.more as short\nSTEPS = short.rest", {"far.more"}),
        ("import far.more", {"far.more"}),
        ("import far", set()),
        ("from far import more, also\nSTEPS = more.rest", {"far.more", "far.near"}),
        ("import far.near.given", {"far", "far.near", "far.more"}),
        ("from importlib import import_module\nSTEPS = import_module('far.more')", {"far.more"}),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from far import rest", set()),
        ("try:\n    from far.more import rest\nexcept ImportError:\n    rest = 1", {"far.more"}),
        ("import no_such_library, numpy, json, sys", set()),
        ("import far_alone", {"far_alone", "far.more"}),
        ("import bare.inner", {"bare.inner"}),
        ("import hub\nSTEPS = hub.branch.x", {"branch.leaf"}),
    ],
)
def test_what_an_import_leads_to(house: Write, text: str, wanted: set[str]) -> None:
    more = {"far_alone.py": "from far import rest\n", "bare/inner.py": "X = 1\n"}
    more |= {"hub/__init__.py": "import branch\n", "branch/__init__.py": "from .leaf import x\n"}
    more |= {"branch/leaf.py": "x = 1\n", "branch/other.py": "x = 1\n"}
    house({"one.py": f"{text}\n", **more})
    assert modules("one") == wanted | {"one"}


def test_names_that_are_handed_round_in_a_circle_end(house: Write) -> None:
    house(
        {
            "ring/__init__.py": "from ring.sub import x\n",
            "ring/sub/__init__.py": "from ring import x\n",
        }
    )
    house({"one.py": "from ring import x\n", "ring/more.py": "X = 1\n"})
    assert modules("one") == {"one", "ring", "ring.sub", "ring.more"}


def test_modules_that_import_each_other_count_for_each_other(house: Write) -> None:
    house({"two.py": "import three\nX = 1\n", "three.py": "def f():\n    import two\n"})
    before = digest("two"), digest("three")
    house({"two.py": "import three\nX = 2\n"})
    assert all(
        old != new for old, new in zip(before, (digest("two"), digest("three")), strict=True)
    )


def test_libraries_do_not_count_but_plugins_that_are_installed_do(
    house: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = {
        "lib/__init__.py": "from .solver import x\n",
        "lib/solver.py": "from lib.more import x\n",
    }
    write = {f"site-packages/{name}": text for name, text in library.items()}
    house(write | {"site-packages/lib/more.py": "x = 1\n", "one.py": "from lib import x\n"})
    monkeypatch.syspath_prepend(tmp_path / "path" / "site-packages")
    importlib.invalidate_caches()
    assert modules("one") == {"one"}
    assert modules("lib.solver") == {"lib.solver", "lib.more"}  # a component's own package
    monkeypatch.setattr(closure, "_plugins", lambda: frozenset({"lib"}))
    assert modules("one") == {"one", "lib.solver", "lib.more"}


def test_bundled_plugins_are_followed_and_libraries_are_not() -> None:
    assert "benchbase_altmin" in closure._plugins()
    found = modules("benchbase_altmin.altmin")
    assert "benchbase_altmin.updates" in found
    assert {name.partition(".")[0] for name in found} == {"benchbase", "benchbase_altmin"}
    assert {name for name in found if name.startswith("benchbase.")} <= {*closure.TOOLBOX}
    assert "benchbase.numerics.iteration" in found  # of the toolbox


def test_a_source_that_cannot_be_read_counts_by_its_bytes(house: Write) -> None:
    house({"pack/helper.py": "import importlib\nimportlib.import_module(str())\n"})
    before = digest()
    house({"pack/old.py": "print 'python 2'\n"})
    one = digest()
    house({"pack/old.py": "print 'python  2'\n"})
    assert len({before, one, digest()}) == 3


def test_the_name_of_a_plugin_file_s_module_does_not_matter(house: Write) -> None:
    source = b"from far import given\n"
    digests = []
    for name in ("benchbase_plugin_one", "benchbase_plugin_two"):
        house({f"{name}.py": source.decode()})
        importlib.import_module(name)
        give_source(name, source)
        assert modules(name) == {name, "far.near"}
        digests.append(digest(name))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("module", ["__main__", "sys", "no_such_module", "folder_only"])
def test_what_is_in_no_file_has_no_closure(house: Write, module: str) -> None:
    house({"folder_only/x.txt": ""})
    assert Closures().of(module) is None


# The core ----------------------------------------------------------------------------------------


@pytest.fixture
def core(write: Write, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return what writes modules of the core's numerical room, some of which are tools."""
    folder = write({"room/tool_a.py": "from benchbase.numerics.tool_b import x\n"})
    write(
        {"room/tool_b.py": "x = 1\n", "room/tool_c.py": "", "room/all_use.py": "", "room/no.py": ""}
    )
    places = [*importlib.import_module("benchbase.numerics").__path__, str(folder / "room")]
    monkeypatch.setattr("benchbase.numerics.__path__", places)
    tools = tuple(f"benchbase.numerics.tool_{name}" for name in "abc")
    monkeypatch.setattr(closure, "TOOLBOX", tools)
    monkeypatch.setattr(closure, "NUMERICAL", (*NUMERICAL, "benchbase.numerics.all_use"))
    return write


def test_the_toolbox_is_followed_and_the_rest_of_the_core_is_not(core: Write) -> None:
    core(
        {"one.py": "from benchbase.numerics import tool_a, no\nimport benchbase\nbenchbase.run()\n"}
    )
    assert modules("one") >= {"one", "benchbase.numerics.tool_a", "benchbase.numerics.tool_b"}
    core({"one.py": "import benchbase, benchbase.numerics.no, benchbase.numerics.tool_b\n"})
    assert modules("one") == {"one", "benchbase.numerics.tool_b"}
    core({"one.py": "import benchbase\nprint(benchbase.Solver, benchbase.solve)\n"})
    assert modules("one") == {"one"}
    core({"one.py": "import benchbase\nprint(benchbase)\n"})
    assert modules("one") == {"one", *closure.TOOLBOX}


def test_a_constant_of_the_core_counts_for_all_and_of_the_toolbox_for_some(core: Write) -> None:
    core({"one.py": "from benchbase.numerics.tool_a import x\n", "two.py": "X = 1\n"})

    def digests() -> tuple[str, str, str]:
        return Closures().core(), digest("one"), digest("two")

    before = digests()
    core({"room/tool_b.py": "x = 2\n"})
    after = digests()
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True]
    core({"room/all_use.py": "x = 2\n"})
    assert [a == b for a, b in zip(after, digests(), strict=True)] == [False, True, True]
    before = digests()
    core(
        {
            "room/all_use.py": "x = 2  # a remark\n",
            "room/no.py": "x = 1\n",
            "room/tool_c.py": "x = 1\n",
        }
    )
    assert digests() == before
    core(
        {"room/all_use.py": "from benchbase.numerics.tool_c import x\n"}
    )  # a tool of the core's own
    before = digests()
    core({"room/tool_c.py": "x = 2\n"})
    assert [a == b for a, b in zip(before, digests(), strict=True)] == [False, True, True]


def test_the_core_s_numerical_modules_are_there() -> None:
    assert [name for name in NUMERICAL if Closures().program(name) is None] == []
    assert not set(NUMERICAL) & set(TOOLBOX)
    room = Path(benchbase.__file__).parent / "numerics"
    inside = {f"benchbase.numerics.{file.stem}" for file in room.glob("*.py")}
    assert inside - {"benchbase.numerics.__init__"} <= {*NUMERICAL, *TOOLBOX}


# Edits after loading -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["pack/helper.py", "pack/table.csv"])
def test_what_is_edited_after_it_was_loaded_is_refused_if_it_says_something_else(
    house: Write, file: str
) -> None:
    importlib.import_module("pack.solver")
    before = digest()
    if file.endswith(".py"):
        house({file: f"{FILES[file]}# a remark\n"})
        assert digest() == before
    house({file: f"{FILES[file]}MORE = 1\n"})
    with pytest.raises(PluginError, match="the code of 'pack' was edited after this process"):
        digest()
    assert modules("far.more") == {"far.more"}
