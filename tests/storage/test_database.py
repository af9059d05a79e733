"""Folders and files that hold no results, or none that can be read."""

from __future__ import annotations

import ast
import contextlib
import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import benchbase
from benchbase import StoreError
from benchbase.storage.database import FILE, FORMAT
from benchbase.storage.store import Store

ROOT = Path(__file__).parents[2]
SQL_MODULES = ("database.py", "soundness.py", "store.py")
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ATTACH|PRAGMA|BEGIN|COMMIT)\b")


def sql_in(module: ast.Module) -> list[str]:
    """Return what a module has of SQL: statements, the library, the insides of a `Database`."""
    found = []
    for node in ast.walk(module):
        match node:
            case ast.Constant(value=str(text)) if SQL.match(text):
                found.append(f"{node.lineno}: {text}")
            case ast.Import(names=names) if any(each.name == "sqlite3" for each in names):
                found.append(f"{node.lineno}: sqlite3")
            case ast.ImportFrom(module="sqlite3"):
                found.append(f"{node.lineno}: sqlite3")
            case ast.Attribute(attr="_query" | "_connection" as name):
                found.append(f"{node.lineno}: {name}")
    return found


def test_sql_is_in_the_store_alone() -> None:
    if not (ROOT / "benchbase").is_dir():
        pytest.skip("this test is about the repository")
    found = []
    for house in ("benchbase", "plugins", "reports", "suites"):
        for file in sorted((ROOT / house).rglob("*.py")):
            if file.parent != ROOT / "benchbase" / "storage" or file.name not in SQL_MODULES:
                found += [f"{file}:{each}" for each in sql_in(ast.parse(file.read_text("utf-8")))]
    assert found == []


def test_a_kill_loses_nothing_and_a_power_cut_the_last_writes_alone(tmp_path: Path) -> None:
    """By SQLite's documentation of these two settings; no test can cut the power."""
    with Store(tmp_path, create=True) as store:
        settings = [
            store._query(f"PRAGMA {each}")[0][0] for each in ("journal_mode", "synchronous")
        ]
    assert settings == ["wal", 1]  # 1 is NORMAL


@pytest.mark.parametrize(
    "code",
    [
        'f("SELECT x FROM y")',
        'f(f"SELECT {x} FROM y")',
        'f("INSERT OR IGNORE INTO y")',
        "import sqlite3",
        "from sqlite3 import connect",
        'store._query("")',
    ],
)
def test_sql_is_recognised(code: str) -> None:
    assert len(sql_in(ast.parse(code))) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store(folder, create=True) as opened:
        yield opened


RESOLVED: dict[str, Any] = {"experiments": []}


def begin(store: Store) -> int:
    return store.begin_run("suite", "a title " * 1000, RESOLVED, "benchbase run suite", [])


def test_no_results_say_how_to_make_some(folder: Path) -> None:
    with pytest.raises(StoreError, match=rf"no results in {folder}; make some with: benchbase run"):
        Store(folder)
    assert not folder.exists()


@pytest.mark.parametrize("create", [False, True])
def test_another_format_is_refused_and_left_alone(create: bool, store: Store, folder: Path) -> None:
    store.close()
    with contextlib.closing(sqlite3.connect(folder / FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    before = (folder / FILE).read_bytes()
    with pytest.raises(StoreError, match=rf"{FILE} has the format {FORMAT + 1}.* reads {FORMAT}"):
        Store(folder, create=create)
    assert (folder / FILE).read_bytes() == before


@pytest.mark.parametrize("create", [False, True])
def test_a_foreign_database_is_refused_and_left_alone(create: bool, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError, match="has the format 0"):
        Store(tmp_path, create=create)
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("create", [False, True])
def test_what_is_no_database_is_refused_and_left_alone(create: bool, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("label,score\n" * 100)
    with pytest.raises(StoreError, match=rf"results in {tmp_path / FILE}: file is not a database"):
        Store(tmp_path, create=create)
    assert (tmp_path / FILE).read_text() == "label,score\n" * 100


def test_a_damaged_database_is_told(store: Store, folder: Path) -> None:
    for _ in range(10):
        begin(store)
    store.close()
    data = bytearray((folder / FILE).read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    (folder / FILE).write_bytes(data)
    with pytest.raises(StoreError, match=r"results in .*malformed"), Store(folder) as damaged:
        damaged.runs()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"results in .*file"):
        Store(tmp_path / "file", create=True)
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match="unable to open"):
        Store(tmp_path, create=True)


def test_results_in_a_folder_that_cannot_be_written_can_be_read(store: Store, folder: Path) -> None:
    begin(store)
    store.close()
    script = """
        import os, sys
        from benchbase.storage.store import Store
        os.chmod(sys.argv[1] + "/results.sqlite", 0o444)
        os.chmod(sys.argv[1], 0o555)
        for parent in sys.argv[2:]:
            os.chmod(parent, 0o755)
        if os.getuid() == 0:  # who may write everywhere
            os.setuid(65534)
        with Store(sys.argv[1]) as store:
            print(len(store.runs()))
    """
    parents = [str(parent) for parent in folder.parents if parent.owner() == folder.owner()]
    within = [parent for parent in parents if "pytest-of" in parent]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder), *within],
        capture_output=True,
        text=True,
        check=False,
    )
    folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1\n"


def test_an_empty_file_is_no_results_but_can_become_some(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()  # what is left where a run was killed as it began
    with pytest.raises(StoreError, match="no results"):
        Store(tmp_path)
    with Store(tmp_path, create=True) as store:
        assert begin(store) == 1


DAMAGES = (
    "UPDATE cell SET facts = '{}'",
    "UPDATE cell SET facts = '[]'",
    "UPDATE cell SET facts = 'x'",
    "UPDATE cell SET facts = json_set(facts, '$.points', 'two')",
    "UPDATE run SET resolved = '{}'",
    "UPDATE run SET resolved = 'x'",
    "UPDATE run SET title = x'ff00'",
    "UPDATE run_cell SET label = x'ff00'",
    "UPDATE run_cell SET key = 'nobody'",
    "UPDATE environment SET facts = '[]'",
    "UPDATE chunk SET environment = 99",
    "UPDATE chunk SET start = -1",
    "UPDATE chunk SET stop = 1000000000",
    "UPDATE chunk SET status = 'fine'",
    "UPDATE chunk SET message = x'ff'",
    "UPDATE chunk SET prepare_seconds = 'abc'",
    "UPDATE chunk SET scores = substr(scores, 1, length(scores) - 8)",
    "UPDATE chunk SET scores = 'text'",
    "UPDATE recovered SET x = substr(x, 1, 5)",
    "UPDATE signals SET x = substr(x, 1, 5)",
    "UPDATE signals SET n = 0",
)
COMMANDS = (["export"], ["report", "table"], ["leaderboard"], ["run", "s.toml"], ["verify", "r"])


@pytest.mark.parametrize("damage", DAMAGES)
def test_rows_of_another_shape_are_told_by_every_command(
    damage: str, cli: Callable[..., Result], sound_results: Path, tmp_path: Path
) -> None:
    shutil.copytree(sound_results, tmp_path / "r")
    shutil.copy(sound_results.parent / "s.toml", tmp_path)
    with closing(sqlite3.connect(tmp_path / "r" / FILE, isolation_level=None)) as connection:
        connection.execute(damage)
    for command in COMMANDS:
        folder = [] if "verify" in command else ["--results", "r"]
        done = cli(*command, *folder)
        assert done.exit_code == 2, (command, done.output)
        assert f"{FILE} is damaged: a row of its table" in done.stderr


@pytest.fixture(scope="module")
def sound_results(
    as_installed: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    (folder / "s.toml").write_text(
        "points = 2\nreport = []\ndataset = { name = 'gaussian', n = 4 }\n"
        "frame = { name = 'gaussian', n_pools = 6 }\npooling = { name = 'lp', p = 2 }\n"
        "[[solver]]\nname = 'altmin'\nn_iter = 2\n"
    )
    with as_installed():
        benchbase.run(folder / "s.toml", results=folder / "r", jobs=0)
    return folder / "r"
