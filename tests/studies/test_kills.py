"""A run that is killed again and again, by signal 9; minutes, by hand."""

import contextlib
import dataclasses
import os
import pty
import random
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pytest

import benchbase

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, asks for PDEATHSIG"),
]

PROGRAM = "from benchbase_command import main; main()"
KILLS = 50
PATIENCE = 5.0  # seconds after a kill by which no worker may be left
PLUGIN = Path(__file__).parents[1] / "parts" / "faulty.py"
TIMES = ["prepare_seconds", "init_seconds", "solve_seconds", "run"]
SUITE = """
title = "Killed"
points = 20
trials = 7
[dataset]
name = "gaussian"
n = 6
[frame]
name = "gaussian"
[grid]
frame.n_pools = [8, 12, 20]
pooling = [{ name = "lp" }, { name = "lp", p = inf, rectified = true }]
[[solver]]
name = "altmin"
[[solver]]
name = "restarts"
n = 3
solver = { name = "altmin" }
[[solver]]
name = "phaselift"
[[solver]]
name = "sleeps"
"""
SOLVERS = ("altmin", "restarts", "phaselift", "sleeps")
HANGING = """
report = []
points = 1
[dataset]
name = "gaussian"
n = 4
[frame]
name = "gaussian"
n_pools = 5
[pooling]
name = "lp"
"""
Tables = dict[str, frozenset[tuple[Any, ...]]]


class Started:
    """`benchbase run` in a process of its own that shows its progress on a terminal of ours."""

    def __init__(self, home: Path, suite: str, results: Path, solvers: tuple[str, ...]) -> None:
        (home / "s.toml").write_text(suite)
        (home / "temporary").mkdir(exist_ok=True)
        command = ["run", "s.toml", "--plugin", PLUGIN, "--results", results, "--jobs", 2, "--json"]
        command += [word for solver in solvers for word in ("--solver", solver)]
        # What it starts inherits the folder of temporary files: we know our processes by it.
        self._mark = f"TMPDIR={home / 'temporary'}"
        own = {"TMPDIR": str(home / "temporary"), "BENCHBASE_CACHE": f"{results}-cache"}
        self.terminal, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from benchbase_command import main; main()",
                *map(str, command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            cwd=home,
            env=os.environ | own | {"TERM": "xterm", "COLUMNS": "120"},
        )
        os.close(theirs)
        self.shown = ""

    def watch(self, seconds: float) -> bool:
        """Read the terminal for some time; return whether the process still runs."""
        until = time.monotonic() + seconds
        while self.process.poll() is None and (left := until - time.monotonic()) > 0:
            self._read(min(left, 0.05))
        return self.process.poll() is None

    def _read(self, seconds: float) -> bool:
        """Read what is on the terminal, if anything comes in time; return whether it did."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            return False
        try:
            self.shown += os.read(self.terminal, 1 << 16).decode(errors="replace")
        except OSError:  # the last process that had it has ended
            time.sleep(min(seconds, 0.01))
            return False
        return True

    def kill(self) -> bool:
        """Kill it and read the rest of the terminal; return whether the kill came in time."""
        self.process.kill()
        self.process.wait()
        while self._read(0):
            pass
        return self.process.returncode == -signal.SIGKILL

    def acknowledged(self) -> int:
        """Return how many chunks the progress bar has shown as done."""
        counts = re.findall(r"(\d+)/(\d+)", self.shown)
        return int(counts[-1][0]) if counts else 0

    def holds(self, file: Path) -> bool:
        """Whether it has a file open."""
        try:
            opened = [each.readlink() for each in self._of("fd").iterdir()]
        except OSError:  # it has just closed one, or ended
            return False
        return file in opened

    def _of(self, name: str) -> Path:
        return Path("/proc", str(self.process.pid), name)

    def left(self) -> dict[int, bytes]:
        """Return the other processes that come of it, zombies aside, with their commands."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                try:
                    variables = (entry / "environ").read_bytes().split(b"\0")
                    command = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if command and os.fsencode(self._mark) in variables:
                    found[int(entry.name)] = command
        return found

    def workers(self) -> list[int]:
        return [
            pid for pid, command in self.left().items() if b"benchbase.running.serve" in command
        ]

    def seconds_until_nothing_is_left(self) -> float:
        started = time.monotonic()
        while left := self.left():
            assert time.monotonic() - started < PATIENCE, left
            time.sleep(0.01)
        return time.monotonic() - started

    def __enter__(self) -> "Started":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        for each in self.left():  # there are some only where a test has failed
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        os.close(self.terminal)


def contents(file: Path) -> Tables:
    """Return all rows of all tables, those of `run` without the time at which they finished."""
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=60)
    try:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        tables = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in named}
        return {name: frozenset(rows) for name, rows in tables.items()}
    finally:
        connection.close()


def after_a_kill(results: Path, scratch: Path) -> Tables:
    """Return what is committed; of a copy, so that the next run meets what the kill has left."""
    if not (results / "results.sqlite").is_file():
        return {}
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(results, scratch, ignore=lambda *_: ["results.sqlite-shm"])
    connection = sqlite3.connect(scratch / "results.sqlite")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()
    return contents(scratch / "results.sqlite")


def lost(before: Tables, after: Tables) -> dict[str, int]:
    """Return how many rows of each table are not there any more, or are not what they were."""

    def lasting(name: str, tables: Tables) -> frozenset[tuple[Any, ...]]:
        rows = tables.get(name, frozenset())
        return frozenset(row[:-1] for row in rows) if name == "run" else rows

    gone = {name: len(lasting(name, before) - lasting(name, after)) for name in before}
    return {name: count for name, count in gone.items() if count}


def stage(before: Tables, after: Tables) -> str:
    """Say how far a run had come that was killed between the two."""
    runs = after.get("run", frozenset())
    if len(runs) == len(before.get("run", frozenset())):
        return "start-up"
    return "computing" if max(runs)[-1] is None else "reports"


def signals(tables: Tables) -> int:
    """Return the number of rows that results have for the chunks in a store."""
    return sum(stop - start for _, start, _, stop, *_ in tables.get("chunk", frozenset()))


def table(results: Path) -> pd.DataFrame:
    return benchbase.load_results(results).rows().drop(columns=TIMES)


@dataclasses.dataclass(frozen=True)
class Kill:
    """Where a kill fell, and what was looked for after it."""

    stage: str
    chunks: int  # in the store
    rows: int  # of the results, that another process had read from the store before the kill
    shown: int  # chunks that the progress bar had shown as done
    workers: int
    seconds: float  # until nothing was left


def go_on(home: Path, results: Path, kept: Tables, seconds: float) -> tuple[Tables, Kill | None]:
    """Start or resume a run and kill it; return what is stored, and the kill if it came in time."""
    with Started(home, SUITE, results, SOLVERS) as run:
        run.watch(seconds)
        opened = run.holds(results / "results.sqlite-wal")
        seen = contents(results / "results.sqlite") if opened else kept
        workers = len(run.workers())
        in_time = run.kill()
        assert in_time or run.process.returncode == 0, run.shown
        waited = run.seconds_until_nothing_is_left()
    after = after_a_kill(results, home / "copy")
    for before in (kept, seen):
        assert not lost(before, after)
    chunks = len(after.get("chunk", ()))
    assert run.acknowledged() <= chunks
    assert workers <= 2
    if not in_time:
        return after, None
    at = stage(kept, after)
    return after, Kill(at, chunks, signals(seen), run.acknowledged(), workers, waited)


def uninterrupted(home: Path) -> tuple[float, int]:
    """Run the suite to its end; return the seconds that it took, and the bar's last count."""
    began = time.monotonic()
    with Started(home, SUITE, home / "whole", SOLVERS) as run:
        assert not run.watch(120)
        assert run.process.returncode == 0, run.shown
        return time.monotonic() - began, run.acknowledged()


def reported(results: Path) -> set[str]:
    """Return the names of the files that the latest run's reports have written."""
    (run,) = benchbase.load_results(results).runs
    return {file.name for file in (results / "s" / f"run-{run}").iterdir()}


def test_nothing_is_lost_to_fifty_kills(tmp_path: Path) -> None:
    long, shown = uninterrupted(tmp_path)
    whole, reports = table(tmp_path / "whole"), reported(tmp_path / "whole")
    assert set(whole["status"]) == {"done", "unsupported"}
    n_chunks = len(contents(tmp_path / "whole" / "results.sqlite")["chunk"])
    assert shown == n_chunks  # the bar says what we take it to say
    short, shown = uninterrupted(tmp_path)
    assert shown == 0  # there was nothing to do
    chance = random.Random(0)
    kills: list[Kill] = []
    n_folders = 0
    while len(kills) < KILLS:
        n_folders += 1
        results = tmp_path / f"r{n_folders}"
        kept: Tables = {}
        reporting = False
        while True:
            # Over start-up, a part of what there is to do, the reports, and a little beyond.
            rest = (1 - len(kept.get("chunk", ())) / n_chunks) * (long - short)
            moment = chance.uniform(0, 1.6 * short + rest / 4)
            kept, kill = go_on(tmp_path, results, kept, moment if len(kills) < KILLS else 120)
            if kill is not None:
                kills.append(kill)
                assert len(kills) <= KILLS, "the last run did not end"
                reporting = reporting or kill.stage == "reports"
            elif reporting or len(kills) == KILLS:
                break  # else its reports once more, until a kill has fallen there too
        cells = {key for key, *_ in kept["chunk"]}
        assert cells == set(whole["cell"]), "the source has been edited since the study began"
        assert len(kept["chunk"]) == n_chunks  # nothing acknowledged was computed again
        pd.testing.assert_frame_equal(table(results), whole)
        assert reported(results) == reports
    stages = Counter(kill.stage for kill in kills)
    assert set(stages) == {"start-up", "computing", "reports"}
    assert max(kill.workers for kill in kills) == 2  # they are seen where they are
    slowest = max(kill.seconds for kill in kills)
    sys.stdout.write(
        f"\n{KILLS} kills, {n_folders} results folders of {n_chunks} chunks, {len(whole)} rows; "
        f"seconds of a run: {long:.1f}, with nothing to do {short:.1f}\n"
        f"where they fell: {dict(stages)}; "
        f"{sum(kill.workers == 2 for kill in kills)} with two workers alive\n"
        f"fraction of chunks done: {' '.join(f'{kill.chunks / n_chunks:.2f}' for kill in kills)}\n"
        f"looked for after the kills: {sum(kill.rows for kill in kills)} rows read before, "
        f"{sum(kill.shown for kill in kills)} chunks that the bar had shown; lost: 0\n"
        f"no process left after {slowest:.2f} s at most\n"
        f"temporary folders left behind: {len(list((tmp_path / 'temporary').iterdir()))}\n"
    )


def status_of(process: int) -> dict[str, str]:
    lines = Path("/proc", str(process), "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def is_in_c(process: int) -> bool:
    """Whether the solver that hangs in C ignores SIGTERM by now and has filled its matrix."""
    status = status_of(process)
    ignored = int(status["SigIgn"], 16) >> (signal.SIGTERM - 1) & 1
    return bool(ignored) and int(status["VmRSS"].split()[0]) * 1024 > 4 * 12_000**2


def test_a_worker_that_hangs_in_c_ends_with_its_parent(tmp_path: Path) -> None:
    results = tmp_path / "r"
    with Started(tmp_path, HANGING, results, ("fine", "hangs_in_c")) as run:
        patience = time.monotonic() + 60
        while not any(is_in_c(worker) for worker in run.workers()) or run.acknowledged() < 1:
            assert run.watch(0.1), run.shown
            assert time.monotonic() < patience, run.shown
        assert run.watch(1)
        stuck = [worker for worker in run.workers() if is_in_c(worker)]
        assert len(stuck) == 1
        os.kill(stuck[0], signal.SIGTERM)
        assert run.watch(0.5)
        assert stuck[0] in run.workers()
        before = contents(results / "results.sqlite")
        assert run.kill()
        seconds = run.seconds_until_nothing_is_left()
    after = after_a_kill(results, tmp_path / "copy")
    assert not lost(before, after)
    found = table(results).groupby("label")["status"].unique().map(set)
    assert found.to_dict() == {"fine": {"done"}, "hangs_in_c": {"pending"}}
    sys.stdout.write(f"\nthe worker that hung in C was gone after {seconds:.2f} s\n")
