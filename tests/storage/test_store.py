from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from benchbase import DiskError, StoreError
from benchbase.discovery.registry import registry
from benchbase.planning.cells import Cell, make_cells
from benchbase.planning.suite import load_suite
from benchbase.storage.attempts import Ending
from benchbase.storage.database import FILE
from benchbase.storage.store import SCORES, Store
from benchbase.tasks import Outcome

SUITE = """
title = "a title"
points = 6
[dataset]
name = "gaussian"
n = 4
[frame]
name = "gaussian"
[grid]
frame.n_pools = [5, 6]
pooling = [{ name = "lp", p = inf }]
[[solver]]
name = "altmin"
n_iter = 1
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    file = tmp_path_factory.mktemp("suite") / "suite.toml"
    file.write_text(SUITE)
    return make_cells(load_suite(file, registry()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    with Store(folder, create=True) as opened:
        yield opened


RESOLVED: dict[str, Any] = {"experiments": []}


def begin(store: Store, cells: list[Cell]) -> int:
    return store.begin_run("suite", "a title", RESOLVED, "benchbase run suite", cells)


def done(cell: Cell, start: int = 0, stop: int = 6, **changes: Any) -> Outcome:
    """Return an outcome with numbers of all kinds."""
    rng = np.random.default_rng(start)
    size = stop - start
    facts: dict[str, Any] = {
        "key": cell.key,
        "start": start,
        "stop": stop,
        "status": "done",
        "message": "a remark ‖x‖",
        "environment": {"versions": {"numpy": "1"}},
        "signals_key": cell.signals_key,
        "x": rng.standard_normal((size, 4)).astype(np.float32),
        "prepare_seconds": 0.1,
        "init_seconds": 1e-300,
        "solve_seconds": 1 / 3,
        "frame_applications": None,
    }
    for name in SCORES:
        facts[name] = rng.standard_normal(size)
        facts[name][:1] = np.nan
    return facts | changes  # type: ignore[return-value] # all keys are there


def failed(cell: Cell, **changes: Any) -> Outcome:
    facts: dict[str, Any] = {
        "key": cell.key,
        "start": 0,
        "stop": 6,
        "status": "failed",
        "message": "ValueError: no",
        "environment": {},
        "signals_key": cell.signals_key,
    }
    return facts | changes  # type: ignore[return-value] # all keys are there


def test_a_run_comes_back_as_it_was_written(store: Store, cells: list[Cell]) -> None:
    run = begin(store, cells)
    (found,) = store.runs()
    assert (found["id"], found["suite"], found["title"]) == (run, "suite", "a title")
    assert (json.loads(found["resolved"]), found["finished"]) == (RESOLVED, None)
    assert found["command"] == "benchbase run suite"
    store.end_run(run)
    (found,) = store.runs()
    assert found["started"] <= found["finished"]
    assert begin(store, cells[:1]) == run + 1
    listed = list(store.cells(run))
    assert [(experiment, label, key) for experiment, label, key, _ in listed] == [
        (cell.experiment, cell.label, cell.key) for cell in cells
    ]
    assert [facts for *_, facts in listed] == [cell.facts() for cell in cells]
    assert len(list(store.cells(run + 1))) == 1


def test_outcomes_come_back_bit_by_bit_also_after_a_reopening(
    store: Store, cells: list[Cell], folder: Path
) -> None:
    run = begin(store, cells)
    signals = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
    outcomes = [done(cells[0], 4, 6), done(cells[0], 0, 4, signals=signals), failed(cells[1])]
    for outcome in outcomes:
        store.save(outcome)
    store.close()
    with Store(folder) as again:
        chunks = again.chunks(run)
        assert {key: [c["start"] for c in of_cell] for key, of_cell in chunks.items()} == {
            cells[0].key: [0, 4],
            cells[1].key: [0],
        }
        for chunk, outcome in zip(chunks[cells[0].key], (outcomes[1], outcomes[0]), strict=True):
            scores = [outcome[name] for name in SCORES]  # type: ignore[literal-required] # its own keys
            np.testing.assert_array_equal(chunk["scores"], scores)
            for name in ("stop", "status", "message", "init_seconds", "frame_applications"):
                assert chunk[name] == outcome[name]
        (chunk,) = chunks[cells[1].key]
        assert (chunk["scores"], chunk["message"]) == (None, "ValueError: no")
        np.testing.assert_array_equal(
            again.recovered(cells[0].key),
            np.concatenate([outcomes[1]["x"], outcomes[0]["x"]]),
        )
        assert np.isnan(again.recovered(cells[1].key)).all()
        for cell in cells:  # both problems have the same signals
            np.testing.assert_array_equal(again.signals(cell.key), signals)
        assert again.known_signals() == {cells[0].signals_key}


def test_cells_and_environments_are_kept_once(store: Store, cells: list[Cell]) -> None:
    for _ in range(3):
        begin(store, cells)
    for start in (0, 2, 4):
        store.save(done(cells[0], start, start + 2))
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        for table, rows in {"run": 3, "run_cell": 6, "cell": 2, "environment": 1}.items():
            count = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert count == (rows,), table


def test_the_latest_attempt_counts_and_all_are_kept(store: Store, cells: list[Cell]) -> None:
    run = begin(store, cells)
    a, b = cells
    many = [a.key, b.key, *map(str, range(50_000))]
    assert store.outcomes(many) == {}
    store.save(done(a, 0, 4))
    store.save(failed(b, status="timeout", message="too slow", time_limit=2.5, sealed=True))
    assert store.outcomes([b.key]) == {(b.key, 0): Ending("timeout", "too slow", 2.5, sealed=True)}
    store.save(failed(b))
    assert store.outcomes(many) == {
        (a.key, 0): Ending("failed", "a remark ‖x‖", None, sealed=False),  # one is not finite
        (b.key, 0): Ending("failed", "ValueError: no", None, sealed=False),
    }
    assert [chunk["status"] for chunk in store.chunks(run)[b.key]] == ["failed"]
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        rows = connection.execute(
            "SELECT attempt, status FROM chunk WHERE key = ? ORDER BY attempt", (b.key,)
        )
        assert rows.fetchall() == [(1, "timeout"), (2, "failed")]


def test_messages_are_cut_and_no_terminal_obeys_what_is_read(
    store: Store, cells: list[Cell]
) -> None:
    """Neither one of a solver here, nor one of a stranger's store."""
    run = begin(store, cells)
    key = cells[0].key
    store.save(failed(cells[0], message="\x1b[2J" + "x" * 10**6))
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        ((message,),) = connection.execute("SELECT message FROM chunk")
        assert message.startswith("\\x1b[2Jx")
        assert len(message) == 2000
        for change in ("chunk SET message", "run SET title", "run_cell SET label"):
            connection.execute(f"UPDATE {change} = ?", ("\x1b[2J\u202e",))
        connection.commit()
    shown = r"\x1b[2J\u202e"
    assert [chunk["message"] for chunk in store.chunks(run)[key]] == [shown]
    assert [each["title"] for each in store.runs()] == [shown]
    assert {label for _, label, _, _ in store.cells(run)} == {shown}


def test_an_outcome_is_written_whole_or_not_at_all(store: Store, cells: list[Cell]) -> None:
    run = begin(store, cells)
    with pytest.raises(AttributeError):
        store.save(done(cells[0], signals=None))
    assert store.chunks(run) == {}
    assert np.isnan(store.recovered(cells[0].key)).all()
    store.save(done(cells[0]))
    assert len(store.chunks(run)) == 1


def test_an_outcome_that_is_replaced_takes_its_estimates_along(
    store: Store, cells: list[Cell]
) -> None:
    run = begin(store, cells)
    store.save(done(cells[0], 0, 4))
    store.save(failed(cells[0], stop=4))  # another process ran out of memory over it
    (chunk,) = store.chunks(run)[cells[0].key]
    assert (chunk["status"], chunk["scores"]) == ("failed", None)
    assert np.isnan(store.recovered(cells[0].key)).all()


def test_signals_that_are_not_there(store: Store, cells: list[Cell]) -> None:
    begin(store, cells)
    with pytest.raises(StoreError, match="no test signals are stored"):
        store.signals(cells[0].key)


def test_a_run_that_is_dropped_leaves_its_outcomes(store: Store, cells: list[Cell]) -> None:
    first, second = begin(store, cells[:1]), begin(store, cells)
    store.save(done(cells[1]))
    store.drop_run(second)
    assert [run["id"] for run in store.runs()] == [first]
    assert list(store.cells(second)) == []
    assert len(list(store.cells(first))) == 1
    assert [*store.outcomes([cells[1].key])] == [(cells[1].key, 0)]


# Processes ---------------------------------------------------------------------------------------

SAVES = """
    import sys
    import numpy as np
    from benchbase.storage.store import SCORES, Store

    folder, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with Store(folder) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        for start in range(first, last):
            outcome = {"key": sys.argv[4], "start": start, "stop": start + 1, "status": "done",
                       "environment": {"first": first}, "signals_key": "s",
                       "x": np.full((50, 4), start, np.float32)}
            store.save(outcome | {name: np.full(50, float(start)) for name in SCORES})
            print(start, flush=True)
"""


def start(folder: Path, cell: Cell, first: int, last: int) -> subprocess.Popen[str]:
    arguments = [str(folder), str(first), str(last), cell.key]
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SAVES), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert output(process).readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def check_sound(folder: Path, cell: Cell, run: int, starts: set[int]) -> None:
    """Check that at least these chunks are there, all of them whole."""
    with Store(folder) as store:
        chunks = store.chunks(run)[cell.key]
        assert {chunk["start"] for chunk in chunks} >= starts
        for chunk in chunks:
            assert chunk["scores"].shape == (5, 50)
            assert (chunk["scores"] == chunk["start"]).all()
    with contextlib.closing(sqlite3.connect(folder / FILE)) as connection:
        sizes = [size for (size,) in connection.execute("SELECT length(x) FROM recovered")]
        assert sizes == [50 * 4 * 4] * len(chunks)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_kill_loses_nothing_that_was_acknowledged(
    store: Store, cells: list[Cell], folder: Path
) -> None:
    run = begin(store, cells)
    store.close()
    acknowledged: set[int] = set()
    for round_ in range(3):
        with start(folder, cells[0], 10_000 * round_, 10_000 * (round_ + 1)) as process:
            go(process)
            lines = [output(process).readline() for _ in range(30)]
            os.kill(process.pid, signal.SIGKILL)
            rest = output(process).read().split("\n")[:-1]
        assert process.returncode == -signal.SIGKILL
        acknowledged |= {int(line) for line in [*lines, *rest]}
    assert len(acknowledged) >= 90
    check_sound(folder, cells[0], run, acknowledged)


def test_two_writers(store: Store, cells: list[Cell], folder: Path) -> None:
    run = begin(store, cells)
    with start(folder, cells[0], 0, 100) as one, start(folder, cells[0], 1000, 1100) as two:
        for process in (one, two):
            go(process)
        for process in (one, two):
            assert len(output(process).read().split()) == 100
    assert one.returncode == two.returncode == 0
    check_sound(folder, cells[0], run, {*range(100), *range(1000, 1100)})
    store.save(failed(cells[1]))


def test_several_that_begin_at_once(tmp_path: Path, cells: list[Cell]) -> None:
    errors: list[BaseException] = []

    def begin_at(folder: Path, barrier: threading.Barrier) -> None:
        barrier.wait()
        try:
            with Store(folder, create=True) as store:
                begin(store, cells)
        except BaseException as error:
            errors.append(error)

    for attempt in range(10):
        folder = tmp_path / str(attempt)
        barrier = threading.Barrier(4)
        threads = [threading.Thread(target=begin_at, args=(folder, barrier)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        with Store(folder) as store:
            assert [run["id"] for run in store.runs()] == [1, 2, 3, 4]


def test_a_full_disk_is_told_and_loses_nothing(
    store: Store, cells: list[Cell], folder: Path
) -> None:
    run = begin(store, cells)
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
    script = limit + textwrap.dedent(SAVES)
    done_ = subprocess.run(
        [sys.executable, "-c", script, str(folder), "0", "100000", cells[0].key],
        input="\n",
        capture_output=True,
        text=True,
        check=False,
    )
    acknowledged = {int(line) for line in done_.stdout.split()[1:]}
    assert len(acknowledged) > 10
    assert done_.returncode == 1
    last = done_.stderr.strip().splitlines()[-1]
    assert last.startswith(f"benchbase.errors.DiskError: results in {folder / FILE}: ")
    assert "full" in last or "disk I/O" in last
    advice = "make room" if "is full" in last else "check the disk and its quota"
    assert last.endswith(f"; {advice}, then try again")
    check_sound(folder, cells[0], run, acknowledged)


def test_a_full_database_is_called_full(store: Store, cells: list[Cell]) -> None:
    run = begin(store, cells)
    # SQLite itself ends the transaction here, as on a disk that is full.
    store._connection.execute("PRAGMA max_page_count = 40")

    def fill() -> None:
        for begin in range(0, 6000, 6):
            store.save(done(cells[0], begin, begin + 6))

    with pytest.raises(DiskError, match="database or disk is full"):
        fill()
    store._connection.execute("PRAGMA max_page_count = 1000")
    store.save(failed(cells[1]))
    assert store.chunks(run)[cells[1].key]
