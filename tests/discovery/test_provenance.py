from __future__ import annotations

import contextlib
import getpass
import importlib
import itertools
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import benchbase
from benchbase.component import note_loaded, package_of
from benchbase.discovery.provenance import (
    CORE_FILES,
    circumstances,
    code_digests,
    core_digest,
    environment,
)
from benchbase.discovery.registry import Registry

FILES = {
    "__init__.py": "from .solver import Mine\n",
    "solver.py": "from .inner.helper import STEPS\n\nclass Mine:\n    steps = STEPS\n",
    "inner/__init__.py": "",
    "inner/helper.py": "STEPS = 1\n",
    "inner/table.csv": "1,2\n",
}
NUMBERS = itertools.count()
Make = Callable[..., type]


def code_digest(cls: type) -> str | None:
    """Return the one digest of a class that comes from one package."""
    ((name, digest),) = code_digests(cls).items()
    assert name == package_of(cls)
    return digest


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return what writes a package, imports it, and returns its class."""
    monkeypatch.syspath_prepend(tmp_path)
    names: list[str] = []

    def run(changes: dict[str, str | None] | None = None) -> type:
        name = f"provenance_{next(NUMBERS)}"  # digests are kept by name
        names.append(name)
        for file, text in (FILES | (changes or {})).items():
            if text is not None:
                path = tmp_path / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        importlib.invalidate_caches()
        cls: type = importlib.import_module(name).Mine
        return cls

    yield run
    for name in [name for name in sys.modules if name.partition(".")[0] in names]:
        del sys.modules[name]


def test_the_digest_is_that_of_all_files_and_of_nothing_else(make: Make) -> None:
    digest = code_digest(make())
    assert digest is not None
    assert code_digest(make()) == digest  # where the package is does not matter
    no_source = {".hidden.py": "1", ".git/config": "1", "__pycache__/f.nbi": "1", "old.pyc": "1"}
    assert code_digest(make(no_source)) == digest


@pytest.mark.parametrize(
    "change",
    [
        {"inner/helper.py": "STEPS = 2\n"},
        {"inner/table.csv": "1,3\n"},
        {"unused.py": ""},
        {"inner/table.csv": None},
        {"inner/table.csv": None, "inner/tables.csv": "1,2\n"},
        {"inner/helper.py": "STEPS = 1\n# a remark\n"},
    ],
    ids=str,
)
def test_any_change_of_a_package_changes_its_digest(
    make: Make, change: dict[str, str | None]
) -> None:
    assert code_digest(make(change)) != code_digest(make())


def test_a_package_that_is_edited_under_a_process_is_refused(make: Make, tmp_path: Path) -> None:
    """What was loaded runs on: its numbers must not get the key of the files as they are now."""
    cls = make()
    code_digest(cls)
    (tmp_path / package_of(cls) / "inner" / "helper.py").write_text("STEPS = 2\n")
    with pytest.raises(benchbase.PluginError, match=f"'{package_of(cls)}' was edited after"):
        code_digest(cls)


@pytest.mark.parametrize(("seconds", "refused"), [(-60, False), (0, True), (3600, False)])
def test_an_edit_between_loading_and_the_first_digest_is_refused(
    make: Make, tmp_path: Path, seconds: float, refused: bool
) -> None:
    cls = make()
    note_loaded(package_of(cls))
    file = tmp_path / package_of(cls) / "inner" / "helper.py"
    date = time.time() + seconds  # one in the future says nothing of what is loaded
    os.utime(file, (date, date))
    with pytest.raises(benchbase.PluginError) if refused else contextlib.nullcontext():
        assert code_digest(cls) is not None


BASED = """
import numpy, json
from based_on_{n} import Base
from . import none
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
import json, numpy, benchbase
@benchbase.solver
def mine(frame, pooling, b, rng):
    import plugin_helper_{n}
    return rng.standard_normal(frame.n)
import plugin_helper_{n}.inner
"""


def test_the_packages_of_inherited_components_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    n = next(NUMBERS)
    (tmp_path / f"based_{n}").mkdir()
    (tmp_path / f"based_{n}" / "__init__.py").write_text(BASED.format(n=n))
    (tmp_path / f"based_{n}" / "none.py").write_text("")
    (tmp_path / f"based_on_{n}.py").write_text(BASE)
    cls = importlib.import_module(f"based_{n}").Mine
    before = code_digests(cls)
    assert set(before) == {f"based_{n}", f"based_on_{n}"}
    (tmp_path / f"based_on_{n}.py").write_text(BASE + "# more\n")
    with pytest.raises(benchbase.PluginError, match=f"'based_on_{n}' was edited"):
        code_digests(cls)


def test_what_a_plugin_file_imports_counts_unless_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    n = next(NUMBERS)
    helper = tmp_path / f"plugin_helper_{n}"
    helper.mkdir()
    (helper / "__init__.py").write_text("")
    (helper / "inner.py").write_text("X = 1\n")
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN.format(n=n))
    (solver,) = Registry().load_file(file)
    before = code_digests(solver)
    assert set(before) == {package_of(solver), f"plugin_helper_{n}"}
    (helper / "inner.py").write_text("X = 2\n")
    with pytest.raises(benchbase.PluginError, match=f"'plugin_helper_{n}' was edited"):
        code_digests(solver)


def test_a_module_that_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    digests = []
    for number, text in enumerate(["class Mine: ...\n", "class Mine: ...\n\n"]):
        name = f"provenance_file_{number}"
        (tmp_path / f"{name}.py").write_text(text)
        digests.append(code_digest(importlib.import_module(name).Mine))
        del sys.modules[name]
    assert None not in digests
    assert digests[0] != digests[1]


def test_a_plugin_file_counts_as_it_was_when_it_was_loaded(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    text = "import benchbase\n@benchbase.solver\ndef mine(frame, pooling, b, rng): return b\n"
    file.write_text(text)
    (solver,) = Registry().load_file(file)
    digest = code_digest(solver)
    assert digest is not None
    file.write_text(text + "# changed\n")
    assert code_digest(solver) == digest
    (solver,) = Registry().load_file(file)
    assert code_digest(solver) != digest


@pytest.mark.parametrize("module", ["__main__", "no_such_module", "provenance_no_file"])
def test_code_that_is_in_no_file_has_no_digest(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "provenance_no_file", ModuleType("provenance_no_file"))
    assert code_digest(type("Mine", (), {"__module__": module})) is None


def test_the_core_s_own_package_counts_by_its_own_digest() -> None:
    assert code_digests(benchbase.DenseFrame) == {}


def test_the_core_s_numerical_files_exist_and_count() -> None:
    folder = Path(benchbase.__file__).parent
    assert all((folder / f"{name}.py").is_file() for name in CORE_FILES)
    assert len(core_digest()) == 64


def test_the_environment_is_plain_and_names_what_changes_numbers() -> None:
    facts = environment()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert {"numpy", "scipy", "benchbase"} <= set(facts["versions"])
    assert facts["python"] == platform.python_version()
    assert facts["core"] == core_digest()
    assert facts["blas_threads"] == 1
    assert facts["blas"]


def test_the_host_is_named_when_asked_for_only() -> None:
    code = {"benchbase_knn": "abc"}
    assert circumstances(code) == environment() | {"code": code}
    named = circumstances(code, host_name=True)
    assert named == circumstances(code) | {"host": platform.node()}


def test_the_environment_does_not_depend_on_what_else_is_loaded() -> None:
    """SciPy brings a BLAS of its own."""
    module = "benchbase.discovery.provenance"
    script = f"import json{{}}; from {module} import environment; print(environment())"
    said = [
        subprocess.run(
            [sys.executable, "-c", script.format(more)],
            stdout=subprocess.PIPE,
            check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        ).stdout
        for more in ("", ", scipy.linalg, sklearn.utils")
    ]
    assert said[0] == said[1]


def test_the_environment_names_no_one() -> None:
    text = json.dumps(environment()).lower()
    private = [
        platform.node(),
        str(Path.home()),
        *([] if getpass.getuser() == "root" else [getpass.getuser()]),
    ]
    assert not [word for word in private if word and word.lower() in text]
