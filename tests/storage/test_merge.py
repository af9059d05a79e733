from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import benchbase.storage.store
from benchbase import StoreError
from benchbase.cli import COMMANDS
from benchbase.discovery.registry import registry
from benchbase.planning.cells import Cell, make_cells
from benchbase.planning.suite import load_suite
from benchbase.results import load_results
from benchbase.storage.database import FILE, FORMAT
from benchbase.storage.merge import merge
from benchbase.storage.store import SCORES, Store
from benchbase.tasks import Outcome

SUITE = """
title = "a title"
points = 4
[dataset]
name = "gaussian"
n = 3
[frame]
name = "gaussian"
[grid]
frame.n_pools = [5, 6]
pooling = [{ name = "lp", p = inf }]
[[solver]]
label = "some"
name = "altmin"
n_iter = 1
"""
ENVIRONMENTS: list[dict[str, Any]] = [
    {"versions": {"numpy": "1", "scs": "3"}, "cores": 2},
    {"versions": {"numpy": "2", "scs": "3"}, "cores": 2, "blas": ["b"]},
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    file = tmp_path_factory.mktemp("suite") / "suite.toml"
    file.write_text(SUITE)
    suites = [load_suite(file, registry()), load_suite(file, registry(), [seed(1)])]
    return [cell for suite in suites for cell in make_cells(suite)]


def seed(number: int) -> Any:
    from benchbase.planning.experiment import Change

    return Change(("seed",), number, "--set seed")


class Clock:
    """What a store takes for the time, in whole seconds."""

    def __init__(self) -> None:
        self.seconds = 0

    def __call__(self) -> str:
        return f"2026-01-01T00:00:{self.seconds:02}+00:00"


class Unsynced(sqlite3.Connection):
    """A connection that does not wait for the disk, of which these tests need many."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        return super().execute(sql.replace("synchronous = NORMAL", "synchronous = OFF"), parameters)


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = Unsynced(*arguments, **options)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(benchbase.storage.store, "_now", clock)
    return clock


def outcome(cell: Cell, start: int, status: str, **changes: Any) -> Outcome:
    """Return an outcome of two signals; `kind` makes others of the same status."""
    kind = changes.pop("kind", 0)
    rng = np.random.default_rng([kind, start])
    facts: dict[str, Any] = {
        "key": cell.key,
        "start": start,
        "stop": start + 2,
        "status": status,
        "message": f"{status} {kind}",
        "environment": ENVIRONMENTS[0],
        "signals_key": cell.signals_key,
    }
    if status == "done":
        facts |= {name: rng.random(2) for name in SCORES}
        facts |= {"n_iter": np.array([1.0, np.nan]), "converged": np.full(2, np.nan)}
        facts["x"] = rng.standard_normal((2, 3)).astype(np.float32)
        facts["signals"] = np.full((4, 3), cell.seed, np.float32)
    return facts | changes  # type: ignore[return-value] # all keys are there


RESOLVED: dict[str, Any] = {"experiments": []}


def begin(store: Store, cells: list[Cell]) -> int:
    return store.begin_run("suite", "a title", RESOLVED, "benchbase run suite", cells)


def write(folder: Path, cells: list[Cell], *outcomes: Outcome) -> Path:
    with Store(folder, create=True) as store:
        run = begin(store, cells)
        for each in outcomes:
            store.save(each)
        store.end_run(run)
    return folder


TABLES = {
    "run": "id",
    "run_cell": "run, position",
    "cell": "key",
    "chunk": "key, start, attempt",
    "recovered": "key, start",
    "signals": "key",
    "environment": "id",
}


def rows(folder: Path, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(folder / FILE)) as connection:
        return connection.execute(
            f"SELECT {columns} FROM {table} ORDER BY {TABLES[table]}"
        ).fetchall()


def content(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows(folder, table) for table in TABLES}


def frame(folder: Path) -> pd.DataFrame:
    return load_results(folder, "all").rows()


# The algebra -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """A step in the life of a store: seconds pass, then a run begins or a chunk has an outcome."""

    seconds: int
    run: bool
    cell: int
    start: int
    status: str
    kind: int
    x: int
    environment: int
    cost: float


EVENTS = st.builds(
    Event,
    seconds=st.sampled_from([0, 0, 1, -1]),
    run=st.integers(0, 4).map(lambda number: number == 0),
    cell=st.integers(0, 1),
    start=st.sampled_from([0, 2]),
    status=st.sampled_from(["done", "done", "failed", "timeout"]),
    kind=st.integers(0, 1),
    x=st.integers(0, 1),
    environment=st.integers(0, 1),
    cost=st.sampled_from([0.5, 1.0]),
)
HISTORIES = st.lists(EVENTS, max_size=7)


def live(folder: Path, cells: list[Cell], clock: Clock, history: list[Event]) -> Path:
    clock.seconds = 10
    with Store(folder, create=True) as store:
        begin(store, cells[:2])
        for event in history:
            clock.seconds += event.seconds
            cell = cells[event.cell]
            if event.run:
                store.end_run(begin(store, [cell]))
                continue
            facts: dict[str, Any] = {
                "kind": event.kind,
                "environment": ENVIRONMENTS[event.environment],
                "solve_seconds": event.cost,
            }
            if event.status == "timeout":
                facts["time_limit"] = event.cost
            if event.status == "done" and event.x:
                facts["x"] = np.full((2, 3), event.x, np.float32)
            store.save(outcome(cell, event.start, event.status, **facts))
    return folder


@pytest.fixture
def joined(tmp_path: Path) -> Callable[..., Path]:
    def call(*sources: Path) -> Path:
        target = Path(tempfile.mkdtemp(dir=tmp_path)) / "merged"
        merge(sources, target)
        return target

    return call


# Without shrinking: an example takes long, and is short as it is.
@settings(
    max_examples=6,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(histories=st.tuples(HISTORIES, HISTORIES, HISTORIES))
def test_merging_is_commutative_associative_idempotent_and_loses_nothing(
    histories: tuple[list[Event], ...],
    cells: list[Cell],
    tmp_path: Path,
    clock: Clock,
    joined: Callable[..., Path],
) -> None:
    base = Path(tempfile.mkdtemp(dir=tmp_path))
    a, b, c = (live(base / str(i), cells, clock, each) for i, each in enumerate(histories))
    ab = joined(a, b)
    assert content(ab) == content(joined(b, a))
    everything = joined(c, a, b)
    pd.testing.assert_frame_equal(frame(joined(ab, c)), frame(everything))
    pd.testing.assert_frame_equal(frame(joined(a, joined(b, c))), frame(everything))
    pd.testing.assert_frame_equal(frame(joined(a, a)), frame(a).assign(run=frame(joined(a)).run))
    again = joined(everything, everything)
    for table in set(TABLES) - {"chunk"}:  # estimates of an earlier attempt are gone by then
        assert rows(again, table) == rows(everything, table)
    pd.testing.assert_frame_equal(frame(again), frame(everything))
    facts = "key, start, stop, status, message, time_limit, scores"
    for source in (a, b, c):
        assert set(rows(source, "chunk", facts)) <= set(rows(everything, "chunk", facts))
        for table in ("cell", "signals"):
            assert set(rows(source, table)) <= set(rows(everything, table))
        whole = "suite, title, resolved, command, finished"
        assert set(rows(source, "run", whole)) <= set(rows(everything, "run", whole))
        assert len(rows(source, "run")) <= len(rows(everything, "run"))
        texts = [row[0] for row in rows(source, "environment", "facts")]
        assert set(texts) <= {row[0] for row in rows(everything, "environment", "facts")}
    for key, start in {row[:2] for row in rows(everything, "chunk")}:
        numbers = [row[2] for row in rows(everything, "chunk") if row[:2] == (key, start)]
        assert numbers == list(range(1, len(numbers) + 1))


# What becomes of what ----------------------------------------------------------------------------


def test_stores_of_two_seeds_lose_no_row(
    tmp_path: Path, cells: list[Cell], clock: Clock, joined: Callable[..., Path]
) -> None:
    parts = []
    for number, part in enumerate((cells[2:], cells[:2])):
        clock.seconds = number
        done = [outcome(cell, start, "done") for cell in part for start in (0, 2)]
        parts.append(write(tmp_path / str(number), part, *done))
    both = frame(joined(*parts))
    assert both.groupby(["seed", "n_pools"]).size().to_dict() == {
        (seed, n_pools): 4 for seed in (0, 1) for n_pools in (5, 6)
    }
    wanted = pd.concat([frame(part) for part in parts], ignore_index=True)
    wanted["run"] = wanted["seed"].map({1: 1, 0: 2}).astype("Int64")  # in order of their start
    pd.testing.assert_frame_equal(both, wanted)
    merged = load_results(joined(*parts), "all")
    for source in map(load_results, parts):
        for key in source.rows()["cell"].unique():
            np.testing.assert_array_equal(merged.estimates(key), source.estimates(key))
            np.testing.assert_array_equal(merged.signals(key), source.signals(key))


def test_the_latest_attempt_counts_and_the_others_are_kept_with_their_environments(
    tmp_path: Path, cells: list[Cell], clock: Clock, joined: Callable[..., Path]
) -> None:
    late = outcome(cells[0], 0, "done", kind=1, environment=ENVIRONMENTS[1])
    clock.seconds = 7
    one = write(tmp_path / "one", cells[:1], late)
    clock.seconds = 3
    two = write(tmp_path / "two", cells[:1], outcome(cells[0], 0, "done"))
    clock.seconds = 5
    with Store(two) as store:
        store.save(outcome(cells[0], 0, "failed"))
    merged = joined(one, two)
    assert rows(merged, "chunk", "attempt, message") == [
        (1, "done 0"),
        (2, "failed 0"),
        (3, "done 1"),
    ]
    environments = dict(rows(merged, "environment"))
    used = [json.loads(environments[row[0]]) for row in rows(merged, "chunk", "environment")]
    assert used == [ENVIRONMENTS[0], ENVIRONMENTS[0], ENVIRONMENTS[1]]
    found = load_results(merged).estimates(cells[0].key)
    np.testing.assert_array_equal(found, [*late["x"], *np.full((2, 3), np.nan)])
    with Store(merged) as store:  # and life goes on
        store.save(outcome(cells[0], 0, "crashed"))
        assert store.outcomes([cells[0].key])[cells[0].key, 0][0] == "crashed"


def test_an_order_that_the_clock_does_not_tell_is_kept(
    tmp_path: Path, cells: list[Cell], clock: Clock, joined: Callable[..., Path]
) -> None:
    del clock  # it stands still
    statuses = ["done", "timeout", "crashed", "failed"]
    source = write(tmp_path / "a", cells[:1], *(outcome(cells[0], 0, each) for each in statuses))
    assert [row[0] for row in rows(joined(source, source), "chunk", "status")] == statuses


# Conflicts ---------------------------------------------------------------------------------------

COSINES = np.array([0.25, np.nan])


@pytest.mark.parametrize(
    ("late", "early", "difference"),
    [
        ({"status": "failed"}, {"status": "done"}, None),
        ({"status": "done", "kind": 1}, {"status": "done"}, "cosines"),
        ({"status": "done", "x": np.zeros((2, 3), np.float32)}, {"status": "done"}, 0.0),
        (
            {"status": "done", "squared_cosine": COSINES},
            {"status": "done", "squared_cosine": np.array([0.5, 0.75])},
            0.75,
        ),
    ],
)
def test_a_conflict_is_told(
    late: dict[str, Any],
    early: dict[str, Any],
    difference: float | str | None,
    tmp_path: Path,
    cells: list[Cell],
    clock: Clock,
) -> None:
    first = outcome(cells[1], 2, environment=ENVIRONMENTS[1], **late)
    second = outcome(cells[1], 2, **early)
    if difference == "cosines":
        difference = float(np.abs(first["squared_cosine"] - second["squared_cosine"]).max())
    two = write(tmp_path / "two", cells, second)
    clock.seconds = 9
    one = write(tmp_path / "one", cells, first)
    for number, sources in enumerate(([one, two], [two, one], [one, two, one, two])):
        (conflict,) = merge(sources, tmp_path / str(number))
        assert (conflict.key, conflict.label, conflict.n_pools) == (cells[1].key, "some", 6)
        assert (conflict.start, conflict.statuses) == (2, (late["status"], early["status"]))
        assert conflict.difference == difference
        wanted = {"blas": (["b"], None), "versions.numpy": ("2", "1")}
        assert conflict.environments == wanted
        assert len(rows(tmp_path / str(number), "chunk")) == 2


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"status": "done"}, {"status": "done", "prepare_seconds": 3.0}),
        ({"status": "done"}, {"status": "done", "environment": ENVIRONMENTS[1]}),
        ({"status": "failed", "message": "a"}, {"status": "failed", "message": "b"}),
        (
            {"status": "timeout", "time_limit": 1.0},
            {"status": "timeout", "time_limit": 2.0},
        ),
    ],
)
def test_what_is_no_conflict(
    one: dict[str, Any], two: dict[str, Any], tmp_path: Path, cells: list[Cell], clock: Clock
) -> None:
    first = write(tmp_path / "one", cells, outcome(cells[0], 0, **one))
    clock.seconds = 1
    second = write(tmp_path / "two", cells, outcome(cells[0], 0, **two))
    assert merge([first, second], tmp_path / "merged") == []
    attempts = rows(tmp_path / "merged", "chunk", "finished")
    assert len(attempts) == (1 if one["status"] == "done" else 2)
    assert attempts[-1] == ("2026-01-01T00:00:01+00:00",)


def test_test_signals_that_differ_are_told(tmp_path: Path, cells: list[Cell]) -> None:
    one = write(tmp_path / "one", cells, outcome(cells[0], 0, "done"))
    other = outcome(cells[1], 0, "done", signals=np.full((4, 3), 0.5, np.float32))
    two = write(tmp_path / "two", cells, other)
    (conflict,) = merge([one, two], tmp_path / "merged")
    assert (conflict.key, conflict.label) == (cells[0].signals_key, "test signals")
    assert conflict.difference == 0.5
    (again,) = merge([two, one], tmp_path / "again")
    assert again == conflict
    assert content(tmp_path / "again") == content(tmp_path / "merged")


# What cannot be ----------------------------------------------------------------------------------


def old_format(source: Path) -> None:
    with contextlib.closing(sqlite3.connect(source / FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {FORMAT + 1}")


def no_store(source: Path) -> None:
    (source / FILE).unlink()


def no_database(source: Path) -> None:
    (source / FILE).write_text("nothing of the kind " * 100)


def other_cell(source: Path) -> None:
    with contextlib.closing(sqlite3.connect(source / FILE)) as connection, connection:
        connection.execute("UPDATE cell SET facts = json_set(facts, '$.seed', 77)")


def no_table(source: Path) -> None:
    with contextlib.closing(sqlite3.connect(source / FILE)) as connection:
        connection.execute("DROP TABLE recovered")


def no_environment(source: Path) -> None:
    with contextlib.closing(sqlite3.connect(source / FILE)) as connection, connection:
        connection.execute("DELETE FROM environment")


@pytest.fixture
def pair(tmp_path: Path, cells: list[Cell]) -> tuple[Path, Path]:
    outcomes = (
        outcome(cells[0], 0, "done", message="a"),
        outcome(cells[1], 0, "done", message="b"),
    )
    one, two = (write(tmp_path / each["message"][-1], cells, each) for each in outcomes)
    return one, two


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (old_format, f"has the format {FORMAT + 1}"),
        (no_store, "no results in"),
        (no_database, "not a database"),
        (other_cell, "differs from the same cell in other results"),
        (no_environment, "a row of its table 'chunk' is not as benchbase writes it"),
        (no_table, "no such table: recovered"),
    ],
)
def test_a_source_that_is_none_leaves_no_target(
    damage: Callable[[Path], None], message: str, tmp_path: Path, pair: tuple[Path, Path]
) -> None:
    damage(pair[1])
    with pytest.raises(StoreError, match=message):
        merge(pair, tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_target_that_is_taken(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    before = [content(source) for source in pair]
    with pytest.raises(StoreError, match="one of the folders to merge"):
        merge(pair, tmp_path / "x" / ".." / "a")
    with pytest.raises(StoreError, match="already holds results"):
        merge(pair[:1], pair[1])
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="file: File exists"):
        merge(pair, tmp_path / "file")
    with pytest.raises(StoreError, match="file"):
        merge(pair, tmp_path / "file" / "merged")
    assert (tmp_path / "file").read_text() == "mine"
    assert [content(source) for source in pair] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "file"]


def test_a_target_that_another_makes_meanwhile_is_left_alone(
    tmp_path: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    unite = benchbase.storage.merge._unite

    def slow(*arguments: Any) -> Any:
        write(tmp_path / "merged", [])
        return unite(*arguments)

    monkeypatch.setattr(benchbase.storage.merge, "_unite", slow)
    with pytest.raises(StoreError, match="already holds results"):
        merge(pair, tmp_path / "merged")
    assert rows(tmp_path / "merged", "cell") == []


def test_a_source_in_use_is_merged_as_it_was(
    tmp_path: Path, cells: list[Cell], pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(pair[0], "chunk")
    unite = benchbase.storage.merge._unite_signals

    def slow(*arguments: Any) -> Any:
        with Store(pair[0]) as store:
            store.save(outcome(cells[0], 2, "failed"))
        return unite(*arguments)

    monkeypatch.setattr(benchbase.storage.merge, "_unite_signals", slow)
    merge(pair[:1], tmp_path / "merged")
    assert len(rows(pair[0], "chunk")) == 2
    assert rows(tmp_path / "merged", "chunk") == before


def test_a_folder_with_other_files_is_a_target(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    target = tmp_path / "deep" / "merged"
    target.mkdir(parents=True)
    (target / "notes").touch()
    merge(pair, target)
    assert sorted(path.name for path in target.iterdir()) == ["notes", FILE]
    assert [path.name for path in target.parent.iterdir()] == ["merged"]


# The command -------------------------------------------------------------------------------------


def test_the_command(
    tmp_path: Path,
    cells: list[Cell],
    pair: tuple[Path, Path],
    cli: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(COMMANDS, "merge", "benchbase.cli.merge")
    clean = cli("merge", *pair, "-o", "clean")
    assert (clean.exit_code, clean.stdout) == (0, "")
    assert "conflicts: 0" in clean.stderr
    third = outcome(cells[1], 0, "failed", environment=ENVIRONMENTS[1])
    write(tmp_path / "c", cells, third)
    told = cli("merge", *pair, "c", "-o", "told")
    assert told.exit_code == 1
    (line,) = told.stdout.splitlines()
    for part in ("some", "K = 6", "failed", "done", "versions.numpy", cells[1].key):
        assert part in line
    as_json = cli("merge", *pair, "c", "-o", "json", "--json")
    assert as_json.exit_code == 1
    (conflict,) = json.loads(as_json.stdout)["conflicts"]
    assert (conflict["key"], conflict["start"]) == (cells[1].key, 0)
    assert content(tmp_path / "json") == content(tmp_path / "told")
    for wrong in (cli("merge", *pair, "-o", "told"), cli("merge", "a", "nothing", "-o", "new")):
        assert (wrong.exit_code, wrong.stdout) == (2, "")
        assert wrong.stderr.startswith("error: ")
    assert not (tmp_path / "new").exists()
    assert cli("merge", "-o", "new").exit_code == 2


@pytest.mark.parametrize("later", [True, False])
def test_what_was_sealed_once_stays_so(
    tmp_path: Path, cells: list[Cell], clock: Clock, later: bool
) -> None:
    """An ordinary run that gave the same does not take it back."""
    for name, flags in {"a": (True, later), "b": (None, not later)}.items():
        clock.seconds += 1
        isolated, sealed = flags
        done = outcome(cells[0], 0, "done", isolated=isolated, sealed=sealed)
        write(tmp_path / name, cells[:1], done)
    assert merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both") == []
    assert rows(tmp_path / "both", "chunk", "isolated, sealed") == [(1, 1)]
