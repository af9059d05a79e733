"""Suites, options, stores and bundles that are nearly right: one message, never a traceback.

Each is made of a sound one by a few random changes, and a command reads it in this process.
"""

from __future__ import annotations

import copy
import json
import resource
import shutil
import sqlite3
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import benchbase
from benchbase.cli import main
from benchbase.discovery.registry import forget_plugins
from benchbase.planning.toml import as_toml_pair
from benchbase.storage.database import FILE
from benchbase_publish.archive import Archive, write_archive
from benchbase_publish.bundle import array_shapes
from benchbase_publish.schema import read_manifest

pytestmark = pytest.mark.filterwarnings("ignore")  # what is made here is meant to be wrong

SUITE: dict[str, Any] = {
    "title": "A suite",
    "seed": 3,
    "trials": 2,
    "points": 3,
    "trace": True,
    "time_limit": 60,
    "report": [],
    "dataset": {"name": "gaussian", "n": 6},
    "frame": {"name": "gaussian", "pool_size": 2},
    "pooling": {"name": "lp", "p": 2, "rectified": False},
    "noise": {"name": "gaussian", "snr": 20},
    "grid": {"frame": {"n_pools": [8, 12]}},
    "solver": [
        {"name": "altmin", "n_iter": 5, "init": {"name": "gaussian"}},
        {"name": "wirtinger", "n_iter": 5, "label": "another", "points": 2},
        {"name": "phasecut"},
    ],
}
TEXT = "\n".join(as_toml_pair(*each) for each in SUITE.items())
SECONDS = 2.0
MEGABYTES = 1000

INTEGERS = (0, -1, 10**9, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**4000)
REALS = (-0.0, 1.5, 1e308, -1e-300, float("inf"), float("-inf"), float("nan"))
NUMBERS = st.sampled_from(INTEGERS) | st.sampled_from(REALS) | st.integers(-3, 200)
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["", "..", "../../x", "\0", "\u202e", "ℓ", "inf", "nan", "all", "-", "~", "x" * 5000]
)
VALUES = st.recursive(
    NUMBERS | TEXTS | st.booleans() | st.sampled_from([{"name": "altmin"}, {"name": "lp"}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
) | st.integers(40, 70).map(lambda depth: json.loads("[" * depth + "]" * depth))

often = pytest.mark.parametrize(
    "examples",
    [pytest.param(50, marks=pytest.mark.fuzz), pytest.param(500, marks=pytest.mark.slow)],
)
"""50 examples for each change of the project, and 500 by hand."""


def examined(examples: int) -> Callable[[Any], Any]:
    checks = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
    return settings(max_examples=examples, suppress_health_check=checks)


def attempt(*arguments: str) -> int:
    """Run a command, which may end with 0, 1 or 2, in little time and memory."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    result = CliRunner().invoke(main, arguments, prog_name="benchbase", catch_exceptions=False)
    seconds = time.process_time() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    told = f"{arguments}\n{result.output[-3000:]}"
    assert result.exit_code in (0, 1, 2), told
    assert "Traceback" not in result.output, told
    assert seconds < SECONDS, f"{seconds:.1f} s: {told}"
    assert grown < MEGABYTES, f"{grown:.0f} MB: {told}"
    return result.exit_code


@st.composite
def changed(draw: st.DrawFn, sound: Any) -> Any:
    """Return plain data with a few changes at random places."""
    data = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 3))):
        target, key = data, draw(st.sampled_from(sorted(data)))
        while isinstance(target[key], dict | list) and target[key] and draw(st.integers(0, 3)):
            target = target[key]
            keys = sorted(target) if isinstance(target, dict) else range(len(target))
            key = draw(st.sampled_from(keys))
        how = draw(st.sampled_from(["replace", "replace", "remove", "repeat", "add"]))
        if how == "replace":
            target[key] = draw(VALUES)
        elif how == "remove":
            del target[key]
        elif isinstance(target, list):
            target.append(copy.deepcopy(target[key]) if how == "repeat" else draw(VALUES))
        else:
            new = f"{key}{draw(TEXTS)}" if how == "repeat" else draw(TEXTS)
            target[new] = copy.deepcopy(target[key]) if how == "repeat" else draw(VALUES)
        if not data:
            return data
    return data


@st.composite
def suites(draw: st.DrawFn) -> bytes:
    data = draw(changed(SUITE))
    text = "\n".join(as_toml_pair(key, value) for key, value in data.items())
    lines = text.encode(errors="replace")
    if draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, len(lines)))
        lines = (
            lines[:place] + draw(st.binary(max_size=4)) + lines[place + draw(st.integers(0, 9)) :]
        )
    return lines


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@often
def test_suites(examples: int, here: Path) -> None:
    @examined(examples)
    @given(suites())
    def check(text: bytes) -> None:
        (here / "s.toml").write_bytes(text)
        attempt("run", "s.toml", "--dry-run")

    (here / "s.toml").write_text(TEXT)
    assert attempt("run", "s.toml", "--dry-run") == 0
    check()


PATHS = st.sampled_from(
    [
        "seed",
        "trials",
        "points",
        "time_limit",
        "trace",
        "title",
        "dataset",
        "dataset.n",
        "frame",
        "frame.pool_size",
        "solver",
        "hint",
        "grid.frame.n_pools",
        "grid.pooling",
        "pooling.p",
        "solver.0.n_iter",
        "solver.9.n_iter",
        "solver.0.label",
        "report",
        "noise.snr",
        "include",
    ]
)
OPTIONS = st.sampled_from(
    [
        "--points",
        "--trials",
        "--jobs",
        "--time-limit",
        "--memory-limit",
        "--results",
        "--solver",
        "--with",
        "--rerun",
        "--plugin",
    ]
)


@often
def test_options(examples: int, here: Path) -> None:
    (here / "s.toml").write_text(TEXT)
    values = VALUES.map(lambda value: as_toml_pair("x", value).partition(" = ")[2]) | TEXTS
    sets = st.tuples(PATHS | TEXTS, values).map("=".join)
    pairs = st.tuples(st.just("--set"), sets) | st.tuples(
        OPTIONS, NUMBERS.map(lambda number: as_toml_pair("x", number)[4:]) | TEXTS | values
    )

    @examined(examples)
    @given(st.lists(pairs, min_size=1, max_size=3))
    def check(given: list[tuple[str, str]]) -> None:
        attempt("run", "s.toml", "--dry-run", *(word for pair in given for word in pair))

    check()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of results of all statuses, its suite beside them."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "s.toml").write_text(TEXT)
    forget_plugins()
    benchbase.run(folder / "s.toml", results=folder / "r", jobs=1)
    with closing(sqlite3.connect(folder / "r" / FILE)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return folder / "r"


EXPRESSIONS = (
    "NULL", "'abc'", "''", "x'00ff'", "0", "-1", "1.5", "9e999", "9223372036854775807",
    "substr({0}, 1, length({0}) - 3)", "{0} || {0}", "CAST(x'ff61' AS TEXT)", "'2026-99-01T00:00'",
    "randomblob(length({0}))",
    "json_set({0}, '$.' || (SELECT key FROM json_each({0}) LIMIT 1), -1)",
)  # fmt: skip # short texts
READERS = (
    ["export", "--results", "r"],
    ["export", "--results", "r", "--format", "json"],
    ["report", "table", "traces", "--results", "r", "-o", "out"],
    ["leaderboard", "--results", "r"],
    ["leaderboard", "--results", "r", "--format", "html"],
    ["compare", "altmin", "another", "--results", "r"],
    ["verify", "r", "--sample", "1"],
    ["publish", "r", "site"],
    ["submit", "--results", "r", "--solver", "phasecut", "-o", "b.zip"],
    ["merge", "r", "-o", "merged"],
    ["run", "s.toml", "--results", "r", "--dry-run"],
)


def damage(draw: Callable[[Any], Any], file: Path, columns: list[tuple[str, str]]) -> None:
    """Change the rows or the bytes of a store."""
    if draw(st.integers(0, 2)) == 0:
        content = bytearray(file.read_bytes())
        for _ in range(draw(st.integers(1, 5))):
            place = draw(st.integers(0, len(content) - 1))
            new = draw(st.binary(min_size=1, max_size=20))
            content[place : place + len(new)] = new
        file.write_bytes(content[: draw(st.sampled_from([len(content), len(content), 5000]))])
        return
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for _ in range(draw(st.integers(1, 2))):
            table, column = draw(st.sampled_from(columns))
            value = draw(st.sampled_from(EXPRESSIONS)).format(column)
            some = draw(st.sampled_from(["1", f"{column} = (SELECT min({column}) FROM {table})"]))
            order = draw(
                st.sampled_from([f"UPDATE {table} SET {column} = {value}", f"DELETE FROM {table}"])
            )
            try:
                connection.execute(f"{order} WHERE {some}")
            except sqlite3.Error:
                continue  # the table itself refuses it


@often
def test_stores(examples: int, results: Path, here: Path) -> None:
    with closing(sqlite3.connect(results / FILE)) as connection:
        query = "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c"
        columns = connection.execute(f"{query} WHERE m.type = 'table'").fetchall()
    shutil.copy(results.parent / "s.toml", here)

    def renew() -> None:
        for name in ("r", "out", "site", "merged"):
            shutil.rmtree(here / name, ignore_errors=True)
        (here / "b.zip").unlink(missing_ok=True)
        (here / "r").mkdir()
        shutil.copy(results / FILE, here / "r")

    @examined(examples)
    @given(st.data(), st.sampled_from(READERS))
    def check(data: st.DataObject, command: list[str]) -> None:
        renew()
        damage(data.draw, here / "r" / FILE, columns)
        attempt(*command)

    for command in READERS:
        renew()
        assert attempt(*command) == 0, command
    check()


@pytest.fixture(scope="module")
def bundle(results: Path) -> Path:
    """Return a bundle, a site beside it that would accept it."""
    from benchbase_publish.accepting import publish, submit

    loaded = benchbase.load_results(results)
    submit(loaded, results.parent / "b.zip", ["phasecut"])
    publish(results, results.parent / "site", ["altmin"])
    return results.parent / "b.zip"


@often
def test_bundles(examples: int, bundle: Path, here: Path) -> None:
    archive = Archive(bundle)
    manifest = archive.manifest()
    shapes = array_shapes(read_manifest(manifest))
    digests = manifest["digests"]
    arrays = {name: archive.array(name, *shapes[name], digests[name]) for name in shapes}
    plain = {key: value for key, value in manifest.items() if key != "digests"}
    file = here / "b.zip"
    shutil.copytree(bundle.parent / "site", here / "site")

    def rewritten(data: st.DataObject) -> None:
        """Write the members of the bundle again, with changes to names and contents."""
        with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(file, "w") as new:
            for info in old.infolist():
                content, name = old.read(info), info.filename
                how = data.draw(st.sampled_from(["keep"] * 6 + ["drop", "cut", "flip", "name"]))
                if how == "name":
                    name = data.draw(TEXTS.filter(bool))
                if how == "flip" and content:
                    place = data.draw(st.integers(0, len(content) - 1))
                    content = (
                        content[:place] + data.draw(st.binary(max_size=9)) + content[place + 1 :]
                    )
                if how != "drop":
                    end = data.draw(st.integers(0, len(content))) if how == "cut" else None
                    new.writestr(name.replace("\0", "_"), content[:end])

    @examined(examples)
    @given(st.data(), st.sampled_from(["manifest", "arrays", "members", "bytes"]))
    def check(data: st.DataObject, part: str) -> None:
        if part == "bytes":
            content = bytearray(bundle.read_bytes())
            place = data.draw(st.integers(0, len(content) - 1))
            content[place : place + 4] = data.draw(st.binary(max_size=6))
            file.write_bytes(content[: data.draw(st.sampled_from([len(content), place]))])
        elif part == "members":
            rewritten(data)
        else:
            forged, parts = copy.deepcopy(plain), {k: v.copy() for k, v in arrays.items()}
            if part == "manifest":
                forged = data.draw(changed(plain))
            else:
                name = data.draw(st.sampled_from(sorted(parts)))
                kind = data.draw(st.sampled_from(["<f4", "<f8", "<i8", "|u1", "<c16"]))
                number = data.draw(st.sampled_from([0, -1, float("nan"), float("inf"), 1e300]))
                parts[name].flat[data.draw(st.integers(0, parts[name].size - 1))] = number
                parts[name] = parts[name].astype(kind)[: data.draw(st.integers(0, 3))]
            try:
                write_archive(file, forged, parts)
            except (TypeError, ValueError):
                return  # JSON cannot write this
        attempt("accept", "b.zip", "site", "--dry-run")

    shutil.copy(bundle, file)
    assert attempt("accept", "b.zip", "site", "--dry-run") == 0
    check()
