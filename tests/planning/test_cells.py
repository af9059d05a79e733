from __future__ import annotations

import importlib
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchbase
import benchbase.numerics
from benchbase.discovery import closure
from benchbase.discovery.code import Code
from benchbase.discovery.registry import Registry
from benchbase.planning.cells import Cell, make_cells
from benchbase.planning.experiment import Extra
from benchbase.planning.parts import Parts
from benchbase.planning.suite import load_suite
from benchbase.system import loading
from benchbase.tasks import json_ready

TINY = Path(__file__).parents[1] / "parts" / "tiny.py"
KEYS = ("train_key", "signals_key", "problem_key", "key")

SUITE = """
title = "a title"
seed = 3
trials = 2
points = 7

[dataset]
name = "digits"
components = 5

[frame]
name = "gaussian"
n_pools = 6

[pooling]
name = "lp"
p = 2

[[solver]]
name = "altmin"
n_iter = 20
init = { name = "knn", q = 4 }
"""


@pytest.fixture(scope="module")
def known() -> Registry:
    loaded = Registry()
    loaded.load_installed()
    return loaded


def expand(text: str, known: Registry, folder: Path, extras: list[Any] | None = None) -> list[Cell]:
    file = folder / "suite.toml"
    file.write_text(text)
    added = [Extra(spec, "test") for spec in extras or []]
    return make_cells(load_suite(file, known, (), added))


def edited(*changes: str) -> str:
    """Return the suite with lines ``old -> new``."""
    text = SUITE
    for change in changes:
        old, new = change.split(" -> ")
        assert old in text
        text = text.replace(old, new, 1)
    return text


def keys(cells: list[Cell], *names: str) -> list[tuple[str, ...]]:
    return [tuple(getattr(cell, name) for name in names or KEYS) for cell in cells]


@pytest.mark.parametrize(
    "change",
    [
        "p = 2 -> p = 2.0",
        "n_iter = 20 -> n_iter = 20\ntol = 1e-8",
        "n_iter = 20 -> n_iter = 20\ntol = 0.00000001",
        'n_iter = 20 -> n_iter = 20\nrectified_update = "rows"',
        'name = "lp" -> name = "lp"\nrectified = false\nthreshold = 0',
        "n_pools = 6 -> n_pools = 6\npool_size = 2",
        "components = 5 -> components = 5\ncentred = false",
        'title = "a title" -> title = "another title"',
        'name = "altmin" -> name = "altmin"\nlabel = "mine"',
        'init = { name = "knn", q = 4 } -> init = { q = 4, name = "knn" }',
        'name = "altmin"\nn_iter = 20 -> n_iter = 20\nname = "altmin"',
        'name = "altmin" -> name = "altmin"\npoints = 7',
        'name = "altmin" -> name = "altmin"\npoints = 100',
    ],
)
def test_what_changes_no_number_changes_no_key(
    change: str, known: Registry, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    assert keys(expand(edited(change), known, other)) == keys(expand(SUITE, known, tmp_path))


def test_the_form_of_a_suite_changes_no_key(known: Registry, tmp_path: Path) -> None:
    cells = expand(SUITE, known, tmp_path)
    grid = edited("n_pools = 6 -> ", '\n[pooling]\nname = "lp"\np = 2\n -> ')
    grid += '[grid]\nframe.n_pools = [6]\npooling = [{ name = "lp", p = 2 }]\n'
    assert keys(expand(grid, known, tmp_path)) == keys(cells)
    blocks = SUITE + "[[experiment]]\ntitle = 'a'\n[[experiment]]\ntitle = 'b'\nseed = 4\n"
    assert keys(expand(blocks, known, tmp_path))[:2] == keys(cells)


CHANGES = [
    ("seed = 3 -> seed = 4", KEYS),
    ("components = 5 -> components = 6", KEYS),
    ("components = 5 -> components = 5\ncentred = true", KEYS),
    ('name = "digits"\ncomponents = 5 -> name = "gaussian"\nn = 5', KEYS),
    ("points = 7 -> points = 8", KEYS[1:]),
    ('name = "altmin" -> name = "altmin"\npoints = 6', KEYS[1:]),
    ("n_pools = 6 -> n_pools = 7", KEYS[2:]),
    ("n_pools = 6 -> n_pools = 6\npool_size = 3", KEYS[2:]),
    ('n_pools = 6 -> n_pools = 6\npools = "drawn"', KEYS[2:]),
    ("p = 2 -> p = 1", KEYS[2:]),
    ("p = 2 -> p = inf", KEYS[2:]),
    ("p = 2 -> p = 2\nrectified = true", KEYS[2:]),
    ("p = 2 -> p = 2\nrectified = true\nthreshold = 0.5", KEYS[2:]),
    ("p = 2 -> p = 2\nrectified = true\nthreshold = [0.5,0,0,0,0,0,0,0,0,0,0,0]", KEYS[2:]),
    ("n_iter = 20 -> n_iter = 21", KEYS[3:]),
    ("n_iter = 20 -> n_iter = 20\ntol = 1e-9", KEYS[3:]),
    ('n_iter = 20 -> n_iter = 20\nrectified_update = "keep"', KEYS[3:]),
    ("q = 4 -> q = 5", KEYS[3:]),
    ('init = { name = "knn", q = 4 } -> ', KEYS[3:]),
    ('init = { name = "knn", q = 4 } -> init = { name = "mean" }', KEYS[3:]),
    (
        'name = "altmin"\nn_iter = 20\ninit = { name = "knn", q = 4 } -> name = "knn"\nq = 4',
        KEYS[3:],
    ),
]


@pytest.mark.parametrize(("change", "changed"), CHANGES, ids=[change for change, _ in CHANGES])
def test_what_changes_a_number_changes_its_keys_and_no_others(
    change: str, changed: tuple[str, ...], known: Registry, tmp_path: Path
) -> None:
    before, after = expand(SUITE, known, tmp_path), expand(edited(change), known, tmp_path)
    assert len(before) == len(after) == 2
    for old, new in zip(before, after, strict=True):
        differ = tuple(name for name in KEYS if getattr(old, name) != getattr(new, name))
        assert differ == changed


def test_all_these_keys_differ(known: Registry, tmp_path: Path) -> None:
    found = [expand(SUITE, known, tmp_path)]
    found += [expand(edited(change), known, tmp_path) for change, _ in CHANGES]
    every = [key for cells in found for key in keys(cells, "key")]
    assert len(set(every)) == len(every) == 2 * len(found)


def test_trials_and_axes_share_what_they_can(known: Registry, tmp_path: Path) -> None:
    text = edited("n_pools = 6 -> ") + "[grid]\nframe.n_pools = [6, 7]\n"
    cells = expand(text, known, tmp_path)
    assert [(cell.setting.frame.spec()["n_pools"], cell.trial) for cell in cells] == [
        (6, 0), (6, 1), (7, 0), (7, 1),
    ]  # fmt: skip # a table
    assert len({cell.train_key for cell in cells}) == 1
    assert len({cell.signals_key for cell in cells}) == 2
    assert cells[0].signals_key == cells[2].signals_key
    assert len({cell.problem_key for cell in cells}) == len({cell.key for cell in cells}) == 4


def test_an_edit_of_the_core_changes_all_keys(
    known: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Streams and rounding are the core's: stored signals and cached training data depend on it.
    before = expand(SUITE, known, tmp_path)
    monkeypatch.setattr(Code, "core", lambda _: "another")
    after = expand(SUITE, known, tmp_path)
    for name in KEYS:
        assert getattr(before[0], name) != getattr(after[0], name), name


PLUGIN = """
import os
import numpy as np
import benchbase

class Files(benchbase.Dataset):
    name = "files"
    n: int = 5
    def fingerprint(self): return os.environ["FINGERPRINT"]
    def test(self, size, rng): return rng.standard_normal((size, 5))

class Typed(benchbase.Solver):
    name = "typed"
    value: bool | int | float | str | tuple[int, ...] | None
    def prepare(self, problem): raise NotImplementedError

class Twin(Typed):
    name = "twin"

class Slow(Typed):
    name = "slow"
    chunk = 3
    value: bool = True
    inner: benchbase.Solver | None = None

@benchbase.hookimpl
def register_datasets(register): register(Files)

@benchbase.hookimpl
def register_solvers(register): register(Typed); register(Twin); register(Slow)
"""


@pytest.fixture
def plugged(tmp_path: Path) -> Registry:
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN)
    loaded = Registry()
    loaded.load_installed()
    loaded.load_file(file)
    return loaded


def test_the_fingerprint_of_files_is_in_the_keys(
    plugged: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = edited('name = "digits"\ncomponents = 5 -> name = "files"')
    found = []
    for fingerprint in ("one", "two", "one"):
        monkeypatch.setenv("FINGERPRINT", fingerprint)
        found.append(keys(expand(text, plugged, tmp_path))[0])
    assert found[0] == found[2]
    assert all(a != b for a, b in zip(found[0], found[1], strict=True))


def test_values_of_other_types_have_other_keys(plugged: Registry, tmp_path: Path) -> None:
    values = [True, 1, 1.5, "1", "true", [1], [1, 1], [], 0, False, ""]
    solvers = [{"name": "typed", "value": value} for value in values]
    cells = expand(edited("trials = 2 -> trials = 1"), plugged, tmp_path, solvers)
    assert len({cell.key for cell in cells}) == len(values) + 1


def test_components_of_other_names_have_other_keys(plugged: Registry, tmp_path: Path) -> None:
    solvers = [{"name": name, "value": 1} for name in ("typed", "twin")]
    cells = expand(edited("trials = 2 -> trials = 1"), plugged, tmp_path, solvers)
    assert len({cell.key for cell in cells}) == 3


@pytest.mark.parametrize("tol", [1e-9, 0.0, 0], ids=repr)
def test_a_solver_object_has_the_key_of_its_spec(
    tol: float, plugged: Registry, tmp_path: Path
) -> None:
    text = edited("trials = 2 -> trials = 1", 'name = "altmin" -> name = "altmin"\nlabel = "own"')
    altmin: Any = plugged.classes["solver"]["altmin"]
    by_object = expand(text, plugged, tmp_path, [altmin(n_iter=5, tol=tol)])
    spec = {"name": "altmin", "n_iter": 5, "tol": tol}
    assert keys(by_object) == keys(expand(text, plugged, tmp_path, [spec]))


def test_a_plugin_file_s_own_cells_change_with_it(plugged: Registry, tmp_path: Path) -> None:
    extras = [{"name": "typed", "value": 1}]
    before = keys(expand(SUITE, plugged, tmp_path, extras), "key")
    file = tmp_path / "plugin.py"
    file.write_text(PLUGIN + "# a remark\n")
    plugged.load_file(file)
    assert keys(expand(SUITE, plugged, tmp_path, extras), "key") == before
    file.write_text(PLUGIN + "CHANGED = 1\n")
    plugged.load_file(file)
    after = keys(expand(SUITE, plugged, tmp_path, extras), "key")
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, True, False, False]


def notebook_class() -> type[benchbase.Solver]:
    body = {"name": "scratch", "prepare": lambda self, problem: None, "__module__": "__main__"}
    return type("Scratch", (benchbase.Solver,), body)


def test_notebook_classes_never_share_a_key(known: Registry, tmp_path: Path) -> None:
    fresh = Registry()
    fresh.load_installed()
    fresh.add(notebook_class())
    spec = {"name": "scratch"}
    nested = {"name": "altmin", "label": "nested", "init": spec}
    first, second = (keys(expand(SUITE, fresh, tmp_path, [spec, nested]), "key") for _ in range(2))
    same = [a == b for a, b in zip(first, second, strict=True)]
    assert same == [True, True, False, False, False, False]
    assert len({*first, *second}) == 10


HOUSE = {
    "based.py": """
import benchbase
class Base(benchbase.Solver):
    inner: benchbase.Solver | None = None
    def prepare(self, problem): raise NotImplementedError
""",
    "house/__init__.py": "from house.names import name\nfrom house.one import One\n",
    "house/one.py": """
from based import Base
from house.helper import STEPS
class One(Base):
    name = "one"
    step: int = STEPS
""",
    "house/two.py": """
import benchbase
from house import name
class Two(benchbase.Solver):
    name = name
    inner: benchbase.Solver | None = None
    def prepare(self, problem):
        from house.lazy import late
        raise late
""",
    "house/three.py": """
import benchbase
class Three(benchbase.Solver):
    name = "three"
    def prepare(self, problem):
        from benchbase.numerics import tool
""",
    "house/helper.py": "from .sub.nested import NESTED\nSTEPS = NESTED + 1\n",
    "house/sub/__init__.py": "",
    "house/sub/nested.py": "NESTED = 1\n",
    "house/names.py": "name = 'two'\n",
    "house/lazy.py": "late = ValueError\n",
    "house/unused.py": "X = 1\n",
    "house/table.csv": "1\n",
    "plug.py": """
import benchbase, beside
@benchbase.solver
def plugged(frame, pooling, b, rng): return beside.under.X * b
""",
    "beside.py": "import under\n",
    "under.py": "X = 1\n",
    "room/tool.py": "X = 1\n",
    "room/all_use.py": "X = 1\n",
}
"""Plugins of which each solver reaches some modules, and a room of the core."""

HOUSE_SUITE = """
[dataset]
name = "noise"
[frame]
name = "random"
n_pools = 3
[pooling]
name = "sum"
"""
PACKAGE = {"one", "two", "three", "two of one"}
EVERY = PACKAGE | {"plugged", "zero"}
REMARK = "# a remark\n\n'''More.'''\n"


@pytest.fixture
def keys_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, str]], dict[str, str]]:
    """Return what gives the keys of solvers by label, as a new process has them after edits."""
    monkeypatch.setattr(closure, "TOOLBOX", ("benchbase.numerics.tool",))
    numerical = (*closure.NUMERICAL, "benchbase.numerics.all_use")
    monkeypatch.setattr(closure, "NUMERICAL", numerical)
    numbers = itertools.count()

    def run(changes: dict[str, str]) -> dict[str, str]:
        folder = tmp_path / str(next(numbers))
        for name, text in (HOUSE | changes).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            patch.setattr(sys, "modules", dict(sys.modules))
            patch.setattr(loading, "_seen", set(sys.modules))
            places = [*benchbase.numerics.__path__, str(folder / "room")]
            patch.setattr(benchbase.numerics, "__path__", places)
            fresh = Registry()
            fresh.load_file(TINY)
            fresh.load_file(folder / "plug.py")
            for module in ("one", "two", "three"):
                fresh.add(getattr(importlib.import_module(f"house.{module}"), module.title()))
            specs: list[Any] = [{"name": name} for name in sorted(EVERY - {"two of one"})]
            specs.append({"name": "two", "inner": {"name": "one"}, "label": "two of one"})
            return {cell.label: cell.key for cell in expand(HOUSE_SUITE, fresh, folder, specs)}

    return run


@pytest.mark.parametrize(
    ("file", "text", "changed"),
    [
        ("house/helper.py", "X = 1\n", {"one", "two of one"}),
        ("house/sub/nested.py", "X = 1\n", {"one", "two of one"}),
        ("based.py", "X = 1\n", {"one", "two of one"}),
        ("house/one.py", "X = 1\n", {"one", "two of one"}),
        ("house/names.py", "X = 1\n", {"two", "two of one"}),
        ("house/lazy.py", "X = 1\n", {"two", "two of one"}),
        ("house/three.py", "X = 1\n", {"three"}),
        ("house/table.csv", "2\n", PACKAGE),
        ("house/new.txt", "2\n", PACKAGE),
        ("house/__init__.py", "X = 1\n", PACKAGE),
        ("house/__init__.py", "import house.unused\n", set()),
        ("house/unused.py", "X = 2\n", set()),
        ("house/new.py", "X = 2\n", set()),
        ("plug.py", "X = 1\n", {"plugged"}),
        ("beside.py", "X = 1\n", {"plugged"}),
        ("under.py", "Y = 1\n", {"plugged"}),
        ("room/tool.py", "Y = 1\n", {"three"}),
        ("room/all_use.py", "Y = 1\n", EVERY),
        *((file, REMARK, set()) for file in HOUSE if file.endswith(".py")),
    ],
)
def test_what_is_edited_changes_exactly_the_cells_that_reach_it(
    keys_with: Callable[[dict[str, str]], dict[str, str]],
    file: str,
    text: str,
    changed: set[str],
) -> None:
    before, after = keys_with({}), keys_with({file: HOUSE.get(file, "") + text})
    assert before.keys() == EVERY
    assert {label for label in EVERY if before[label] != after[label]} == changed


@pytest.mark.parametrize(
    ("spec", "starts"),
    [
        ({"name": "slow"}, [0, 3, 6]),
        ({"name": "altmin", "init": {"name": "slow"}}, [0, 3, 6]),
        ({"name": "slow", "points": 2}, [0]),
        ({"name": "slow", "points": 3}, [0]),
        ({"name": "altmin", "n_iter": 1}, [0]),
    ],
)
def test_tasks_are_the_chunks_of_the_neediest_solver(
    spec: dict[str, Any], starts: list[int], plugged: Registry, tmp_path: Path
) -> None:
    cell = expand(SUITE, plugged, tmp_path, [spec])[2]
    tasks = list(cell.tasks(Parts(plugged)))
    assert [task["start"] for task in tasks] == starts
    assert [task["stop"] for task in tasks] == [*starts[1:], cell.points]
    for task in tasks:
        assert (task["key"], task["trial"], task["points"]) == (cell.key, 0, cell.points)
        assert json.loads(json.dumps(task)) == task
        for part in (*cell.setting.parts(), cell.solver):
            assert plugged.build(part.kind, task[part.kind]) == part  # type: ignore[literal-required] # a kind


def test_facts_are_fit_for_json(known: Registry, tmp_path: Path) -> None:
    cell = expand(edited("p = 2 -> p = inf"), known, tmp_path)[0]
    facts = cell.facts()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["p"] == facts["pooling"]["p"] == "inf"
    assert facts["solver"]["init"] == {"name": "knn", "q": 4, "store_measurements": False}


def test_infinity_in_json() -> None:
    data = {"a": [1.5, float("inf"), (float("-inf"),)], "b": {"c": np.inf}, "d": None, "e": True}
    wanted = {"a": [1.5, "inf", ["-inf"]], "b": {"c": "inf"}, "d": None, "e": True}
    assert json_ready(data) == wanted


def test_noise_and_hints_are_in_the_keys_of_problems(known: Registry, tmp_path: Path) -> None:
    """And in no key of signals: the same signals are measured with noise and without."""
    tables = ["", "[noise]\nname = 'gaussian'\n", "[noise]\nname = 'gaussian'\nsnr = 20\n"]
    tables += ["[hint]\nname = 'angle'\n", "[hint]\nname = 'angle'\ndegrees = 30\n"]
    cells = [expand(SUITE + table, known, tmp_path)[0] for table in tables]
    assert len(set(keys(cells, "train_key", "signals_key"))) == 1
    for name in ("problem_key", "key"):
        assert len(set(keys(cells, name))) == len(tables)
