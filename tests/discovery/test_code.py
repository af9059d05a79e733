from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import benchbase
from benchbase import PluginError, code_digest
from benchbase.discovery import code
from benchbase.discovery.code import Code
from benchbase.discovery.files import plugin_module
from benchbase.discovery.registry import Registry

Write = Callable[[Mapping[str, str | None]], Path]

BASED = """
from {base} import Base
class Mine(Base):
    name = "mine"
    def prepare(self, problem): raise NotImplementedError
"""
BASE = """
import benchbase
class Base(benchbase.Solver):
    pass
"""
PLUGIN = """
import json, numpy, benchbase, plug_helper.inner
@benchbase.solver
def plugged(frame, pooling, b, rng):
    from plug_late import X
    return rng.standard_normal(frame.n)
"""


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_unforeseen", set())


def load(folder: Path, text: str = PLUGIN) -> type:
    """Load a plugin file."""
    (folder / "plugin.py").write_text(text)
    (solver,) = Registry().load_file(folder / "plugin.py")
    return solver


def one(cls: type) -> str:
    """Return the one digest of a class."""
    (digest,) = Code().of(cls).values()
    assert digest is not None
    return digest


def test_a_class_has_the_digest_of_its_module(write: Write) -> None:
    write({"with_base.py": BASE + BASED.format(base="with_base").partition("\n")[2]})
    cls = importlib.import_module("with_base").Base
    assert Code().of(cls).keys() == {"with_base"}
    assert Code().of(benchbase.DenseFrame) == Code().of(benchbase.Solver) == {}


def test_a_component_that_is_inherited_from_counts_by_the_import(write: Write) -> None:
    write({"base_a.py": BASE, "based_a.py": BASED.format(base="base_a")})
    cls = importlib.import_module("based_a").Mine
    assert Code().of(cls).keys() == {"based_a"}
    assert Code().packages(Code().of(cls)).keys() == {"based_a", "base_a"}


def test_a_component_that_is_inherited_from_a_library_counts_all_the_same(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(tmp_path / "path" / "site-packages")
    write({"site-packages/base_b.py": BASE, "based_b.py": BASED.format(base="base_b")})
    cls = importlib.import_module("based_b").Mine
    assert Code().of(cls).keys() == {"based_b", "base_b"}


MAKES = """
import benchbase
def make(step):
    class Made(benchbase.Solver):
        name = f"made_{step}"
        def prepare(self, problem): raise NotImplementedError
    @benchbase.solver
    def made(frame, pooling, b, rng): return b * step
    return Made, made.__dict__["__benchbase_solver__"]
"""


def test_of_a_class_that_a_function_has_made_the_whole_package_counts(write: Write) -> None:
    write({"makes/__init__.py": "", "makes/make.py": MAKES})
    for cls in importlib.import_module("makes.make").make(2):
        write({"makes/steps.py": "STEP = 1\n"})
        before = Code().of(cls)
        assert before.keys() == {"makes.*"}
        write({"makes/steps.py": "STEP = 1  # a remark\n"})
        assert Code().of(cls) == before
        Code().compare("makes.*", str(before["makes.*"]))
        write({"makes/steps.py": "STEP = 2\n"})
        assert Code().of(cls) != before
        assert Code().packages(Code().of(cls)).keys() == {"makes"}


@pytest.mark.parametrize("module", ["__main__", "no_such_module", "no_file"])
def test_code_that_is_in_no_file_has_no_digest(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "no_file", ModuleType("no_file"))
    cls = type("Mine", (), {"__module__": module})
    assert Code().of(cls) == {module: None}
    assert Code().packages(Code().of(cls)) == {}
    assert code_digest(cls) != code_digest(cls)


def test_what_a_plugin_file_reaches_counts(write: Write, tmp_path: Path) -> None:
    write({"plug_helper/__init__.py": "", "plug_helper/inner.py": "X = 1", "plug_late.py": "X = 1"})
    cls = load(tmp_path)
    before = one(cls)
    assert Code().packages(Code().of(cls)).keys() == {cls.__module__, "plug_helper", "plug_late"}
    write({"plug_helper/inner.py": "X = 1  # a remark", "plug_late.py": "'''Doc.'''\nX = 1"})
    assert one(cls) == before
    write({"plug_late.py": "X = 2"})  # it is not loaded yet
    assert one(cls) != before
    write({"plug_helper/inner.py": "X = 2"})
    with pytest.raises(PluginError, match="'plug_helper' was edited after"):
        one(cls)


def test_a_plugin_file_counts_as_it_was_when_it_was_loaded(tmp_path: Path) -> None:
    text = "import benchbase\n@benchbase.solver\ndef plugged(frame, pooling, b, rng): return b\n"
    before = one(load(tmp_path, text))
    assert one(load(tmp_path, text + "# a remark\n")) == before
    cls = load(tmp_path, text.replace("return b", "return b * 1"))
    after = one(cls)
    assert after != before
    (tmp_path / "plugin.py").write_text(text)
    assert one(cls) == after


def test_a_plugin_file_that_is_not_loaded_has_the_digest_that_it_has_when_loaded(
    tmp_path: Path,
) -> None:
    text = (
        "import benchbase\n@benchbase.solver\ndef plugged(frame, pooling, b, rng): return 7 * b\n"
    )
    file = tmp_path / "plugin.py"
    file.write_text(text)
    name = plugin_module(file)
    before = Code().of_file(name, file)
    assert name not in sys.modules
    assert one(load(tmp_path, text)) == before


# The edits that are refused are those that change what the code says: see `test_closure.py`.


def test_an_edit_between_loading_and_the_first_digest_is_refused(write: Write) -> None:
    files = {"edited/__init__.py": "import edited.helper\n" + BASE, "edited/helper.py": "X = 1\n"}
    write(files)
    cls = importlib.import_module("edited").Base
    write({"edited/helper.py": "X = 1\n\n# a remark\n"})
    one(cls)
    write({"edited/helper.py": "X = 2\n"})
    with pytest.raises(PluginError, match="'edited' was edited after this process had loaded it"):
        one(cls)


def test_code_is_compared_with_what_was_planned(write: Write) -> None:
    write({"compared.py": BASE})
    cls = importlib.import_module("compared").Base
    for name, digest in {**Code().of(cls), "benchbase": Code().core()}.items():
        assert digest is not None
        Code().compare(name, digest)
        with pytest.raises(PluginError, match=f"the code of '{name}' is not what the run was"):
            Code().compare(name, digest[1:])
    with pytest.raises(PluginError, match="the code of 'no_such_module' is not"):
        Code().compare("no_such_module", "0")


def test_the_record_has_all_files_of_a_package_byte_by_byte(write: Write) -> None:
    write({"record/__init__.py": BASE, "record/other.py": "", "record/table.csv": "1"})
    cls = importlib.import_module("record").Base

    def digest() -> str:
        return Code().packages(Code().of(cls))["record"]

    found = [digest()]
    assert digest() == found[0]
    for change in ({"other.py": "# a remark"}, {"new.csv": "1"}, {"other.py": None}):
        write({f"record/{name}": text for name, text in change.items()})
        found.append(digest())
    assert len(set(found)) == 4
    write({"record/.hidden": "", "record/__pycache__/other.pyc": ""})
    assert digest() == found[-1]


def test_the_digest_for_caches_is_that_of_the_code(write: Write) -> None:
    write({"kept.py": BASE, "kept_too.py": BASED.format(base="kept") + "X = 1\n"})
    cls = importlib.import_module("kept_too").Mine
    before = code_digest(cls)
    write({"kept.py": "# a remark\n" + BASE})
    assert code_digest(cls) == before
    assert code_digest(importlib.import_module("kept").Base) != before


# Modules that no text tells of --------------------------------------------------------------------

DYNAMIC = """
import importlib
import benchbase
class Dynamic(benchbase.Solver):
    name = "dynamic"
    def prepare(self, problem): return importlib.import_module("un" + "told")
class Other(Dynamic):
    name = "other"
"""


def prepared(cls: type) -> dict[str, str]:
    """Prepare a solver, and return what was loaded unforeseen."""
    before = set(sys.modules)
    made: Any = cls()
    made.prepare(None)
    return Code().unforeseen(Code().of(cls), before)


def test_modules_that_are_loaded_unforeseen_are_noted(write: Write) -> None:
    write(
        {
            "dynamic.py": DYNAMIC,
            "untold.py": "import untold_too, wave\n",
            "untold_too.py": "X = 1\n",
        }
    )
    cls = importlib.import_module("dynamic").Dynamic
    noted = prepared(cls)
    assert noted.keys() == {"dynamic/untold.py", "dynamic/untold_too.py"}
    assert prepared(cls) == noted  # they are loaded already, and count all the same
    assert not Code().has_changed(noted)
    write({"untold_too.py": "X = 1  # a remark\n"})
    assert not Code().has_changed(noted)
    for place in ("dynamic/untold.py", "dynamic/no_such_file.py", "no_such_module/untold.py", ""):
        assert Code().has_changed(noted | {place: "0"})
    write({"untold_too.py": "X = 2\n"})
    assert Code().has_changed(noted)
    with pytest.raises(PluginError, match="'untold_too' was edited"):
        prepared(cls)


def test_files_that_are_read_unforeseen_are_noted_by_their_place(
    write: Write, tmp_path: Path
) -> None:
    files = {"pack/__init__.py": "", "pack/mine.py": "X = 1\n", "pack/table.csv": "1"}
    folder = write(files | {"data/w.csv": "1", ".hidden/w.csv": "1", "pack/script.py": "X = 1\n"})
    read = [file for file in folder.rglob("*.*") if file.is_file() and file.stat().st_size]

    def noted() -> dict[str, str]:
        return Code().unforeseen(["pack.mine"], set(sys.modules), read)

    before = noted()
    assert before.keys() == {
        "pack.mine/../data/w.csv",
        "pack.mine/script.py",
    }  # the rest is covered
    write({"pack/script.py": "X = 1  # a remark\n", "pack/table.csv": "2"})
    assert noted() == before
    assert not Code().has_changed(before)
    for change in ({"pack/script.py": "X = 2\n"}, {"data/w.csv": "2"}, {"data/w.csv": None}):
        write(change)
        assert Code().has_changed(before)
        if None not in change.values():
            write({name: {"data/w.csv": "1", "pack/script.py": "X = 1\n"}[name] for name in change})
            assert not Code().has_changed(before)


def test_what_was_looked_for_in_vain_is_not_found_later(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that adds to the path while it runs is not other code than was planned."""
    folder = write({"asks.py": "def f():\n    import deep_one\n", "deep/deep_one.py": "X = 1\n"})
    planned = Code()
    digest = planned.of_file("asks", folder / "asks.py")
    assert digest is not None
    before = set(sys.modules)
    monkeypatch.syspath_prepend(folder / "deep")
    importlib.import_module("deep_one")
    later = Code(planned)
    assert later.of_file("asks", folder / "asks.py") == digest
    assert later.unforeseen(["asks"], before).keys() == {"asks/deep/deep_one.py"}
    assert Code().of_file("asks", folder / "asks.py") != digest


def test_what_another_plugin_loads_is_no_matter_where_the_text_tells_all(write: Write) -> None:
    told = DYNAMIC.replace('"un" + "told"', '"foreseen"').replace("dynamic", "told")
    write({"dynamic_b.py": DYNAMIC, "told.py": told, "untold.py": "", "foreseen.py": ""})
    assert prepared(importlib.import_module("dynamic_b").Dynamic).keys() == {"dynamic_b/untold.py"}
    assert prepared(importlib.import_module("told").Dynamic) == {}


def test_modules_that_are_loaded_with_a_plugin_file_are_noted(write: Write, tmp_path: Path) -> None:
    write({"untold.py": "X = 1\n"})
    text = "import importlib\nX = importlib.import_module('un' + 'told').X\n"
    cls = load(tmp_path, text + PLUGIN.replace("plug_helper.inner", "sys"))
    (place,) = Code().unforeseen(Code().of(cls), set(sys.modules))
    assert place == f"{cls.__module__}/path/untold.py"
