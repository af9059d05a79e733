"""Rows that benchbase has written are sound, and damaged ones are not."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import benchbase
from benchbase.errors import StoreError
from benchbase.storage.database import FILE
from benchbase.storage.soundness import SOUND
from benchbase.storage.store import Store

SUITE = """\
trace = true
points = 2
report = []
dataset = { name = "gaussian", n = 4 }
frame = { name = "gaussian", n_pools = 6 }
pooling = { name = "lp", p = inf }
noise = { name = "gaussian" }
[[solver]]
name = "altmin"
n_iter = 2
[[solver]]
name = "phasecut"
"""
WRONG = ("NULL", "'abc'", "x'00ff'", "1.5", "-1", "9e999", "9223372036854775807")
ANY_NUMBER = {"prepare_seconds", "init_seconds", "solve_seconds", "frame_applications"} | {
    "checksum", "condition", "time_limit",
}  # fmt: skip # names
TEXTS = {"suite", "title", "command", "experiment", "label", "message", "signals"}
FREE = {("signals", "key")}
"""Columns whose values only need to be text: no row has to have them."""

ALLOWED = (
    {(column, value) for column in ANY_NUMBER for value in WRONG if value not in WRONG[1:3]}
    | {(column, value) for column in TEXTS for value in WRONG if value not in (WRONG[0], WRONG[2])}
    | {("finished", "NULL"), ("time_limit", "NULL"), ("trace", "NULL"), ("trace", "x'00ff'")}
    | {("isolated", "NULL"), ("sealed", "NULL"), ("n", "1.5")}
    | {(column, value) for column in ("position", "attempt") for value in ("-1", WRONG[-1])}
)
"""Values that no rule can tell from those that benchbase writes."""


@pytest.fixture(scope="module")
def sound(as_installed: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    (folder / "s.toml").write_text(SUITE)
    with as_installed():
        benchbase.run(folder / "s.toml", results=folder / "r", jobs=0)
    with closing(sqlite3.connect(folder / "r" / FILE)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return folder / "r"


def is_sound(folder: Path) -> bool:
    with Store(folder) as store:
        try:
            store.check_rows()
        except StoreError:
            return False
    return True


def test_what_is_written_is_sound(sound: Path) -> None:
    assert is_sound(sound)


def columns(folder: Path) -> Iterator[tuple[str, str]]:
    with closing(sqlite3.connect(folder / FILE)) as connection:
        for table in SOUND:
            for _, column, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
                yield table, column


def test_a_value_of_another_kind_is_not_sound(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "r")
    tried = 0
    with closing(sqlite3.connect(tmp_path / "r" / FILE, isolation_level=None)) as connection:
        for table, column in [*columns(sound)]:
            for value in WRONG:
                connection.execute("BEGIN")
                try:
                    connection.execute(f"UPDATE {table} SET {column} = {value}")
                    rows = (  # a rule may rely on those before it
                        connection.execute(
                            f"SELECT 1 FROM {name} AS row WHERE "
                            f"({' AND '.join(conditions)}) IS NOT TRUE LIMIT 1"
                        ).fetchone()
                        for name, conditions in SOUND.items()
                    )
                    tried += 1
                    allowed = (
                        (column, value) in ALLOWED or (table, column) in FREE or column == "id"
                    )
                    assert any(rows) or allowed, f"{table}.{column} = {value}"
                except sqlite3.IntegrityError:
                    pass  # the table itself refuses it
                connection.execute("ROLLBACK")
    assert tried > 150


@pytest.mark.parametrize(
    "change",
    [
        "cell SET facts = json_remove(facts, '$.solver.name')",
        "cell SET facts = json_set(facts, '$.p', 'nan')",
        "cell SET facts = json_set(facts, '$.noise', 7)",
        "cell SET facts = json_set(facts, '$.points', 1000000000000000)",
        "cell SET facts = json_set(facts, '$.rectified', 'no')",
        "run SET resolved = json_set(resolved, '$.experiments[0].solvers[1].label', 3)",
        "run SET resolved = json_set(resolved, '$.experiments[0].problems[0][2]', 'lp')",
        "run SET resolved = json_set(resolved, '$.experiments[0].trace', 1)",
        "run SET started = '2026-99-01T00:00:00'",
        "environment SET facts = json_set(facts, '$.versions.numpy', 2)",
        "environment SET facts = json_set(facts, '$.blas[0]', json('null'))",
        "recovered SET start = 2",
        "chunk SET scores = NULL WHERE status = 'done'",
        "run_cell SET run = 9",
    ],
)
def test_what_is_wrong_inside_is_not_sound(change: str, sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "r")
    with closing(sqlite3.connect(tmp_path / "r" / FILE, isolation_level=None)) as connection:
        assert connection.execute(f"UPDATE {change}").rowcount > 0
    assert not is_sound(tmp_path / "r")


@pytest.mark.parametrize(
    "change",
    [
        "chunk SET scores = randomblob(length(scores)) WHERE scores NOT NULL",
        "recovered SET trace = x'00'",
        "cell SET facts = json_set(facts, '$.solver.n_iter', json('99999999999999999999'))",
    ],
)
def test_what_only_reading_can_tell_is_told_too(change: str, sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path / "r")
    with closing(sqlite3.connect(tmp_path / "r" / FILE, isolation_level=None)) as connection:
        connection.execute(f"UPDATE {change}")
    results = benchbase.load_results(tmp_path / "r")
    with pytest.raises(StoreError, match="is damaged: it"):
        results.rows(), results.traces()
