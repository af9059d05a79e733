"""Worker processes; each fault is real."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

import benchbase
from benchbase.running import local, processes
from benchbase.running.local import LocalWorkers
from benchbase.running.messages import Receiver, Sender
from benchbase.running.processes import WorkerProcess
from benchbase.running.serve import Kind
from tests.running.alive import workers

PLUGIN = Path(__file__).parents[1] / "parts" / "faulty.py"
PROGRAM = "from benchbase_command import main; main()"
PROBLEM = """
report = []
points = 2
[dataset]
name = "gaussian"
n = 4
[frame]
name = "gaussian"
[pooling]
name = "lp"
[grid]
frame.n_pools = [5, 6]
"""
SLOW = """
[[solver]]
name = "hangs"
time_limit = 0.2
[[solver]]
name = "hangs_in_c"
time_limit = 0.2
"""
EXPECTED = {
    "fine": ("done", ""),
    "raises": ("failed", "ArithmeticError: no such luck"),
    "gives_nan": ("failed", "not finite"),
    "wrong_shape": ("failed", "shape"),
    "hangs": ("timeout", "took longer than 0.2 s per signal; it printed: on my way"),
    "hangs_in_c": ("timeout", "took longer"),
    "exits": ("crashed", "exit code 3; it printed: last words"),
    "killed": ("crashed", "killed by SIGKILL"),
    "segfault": ("crashed", "killed by SIGSEGV"),
    "allocates": ("crashed", "MemoryError"),
    "prints": ("done", ""),
    "writes": ("failed", "read-only"),
    "forks": ("done", ""),
    "leaves_its_group": ("done", ""),
    "forks_and_goes_on": ("done", ""),
    "closes_output": ("done", ""),
    "not_installed": ("unsupported", "not installed: benchbase_no_such_library"),
    "unpicklable": ("done", ""),
    "sleeps": ("done", ""),
    "closes_pipes": ("crashed", "it printed: the outcome cannot be sent: [Errno 9]"),
    "interrupts": ("failed", "KeyboardInterrupt: no message"),
    "removes_modules": ("crashed", "the solver has removed modules of benchbase"),
    "writes_to_pipes": ("crashed", "sent something that is not an outcome: it claims to be larger"),
}
TIMES = ["prepare_seconds", "init_seconds", "solve_seconds", "run", "isolated"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, asks for PDEATHSIG")
Run = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(autouse=True)
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Mark the processes that a test starts."""
    monkeypatch.setenv("MARK", str(tmp_path))
    return str(tmp_path)


@pytest.fixture
def run(cli: Callable[..., Result], tmp_path: Path) -> Run:
    """Run the command line in this process, its workers in others."""

    def with_plugin(text: str, *arguments: Any, results: str = "r") -> Result:
        (tmp_path / "s.toml").write_text(text)
        return cli("run", "s.toml", "--plugin", PLUGIN, "--results", results, "--json", *arguments)

    return with_plugin


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command line in a process of its own."""

    started: list[subprocess.Popen[str]] = []

    def begin(text: str, *arguments: Any, results: str = "r") -> subprocess.Popen[str]:
        (tmp_path / "s.toml").write_text(text)
        command = ["run", "s.toml", "--plugin", PLUGIN, "--results", results, "--json", *arguments]
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from benchbase_command import main; main()",
                *map(str, command),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        started.append(process)
        return process

    yield begin
    for process in started:  # one that a failed test has left
        process.kill()
        process.communicate()


def rows(folder: Path) -> pd.DataFrame:
    return benchbase.load_results(folder).rows().drop(columns=TIMES)


@linux
def test_each_fault_costs_its_own_chunks_only(run: Run, mark: str, tmp_path: Path) -> None:
    """And no process is left."""
    one = PROBLEM.replace("[5, 6]", "[6]")
    ran = run(one + SLOW, "--jobs", 2, "--memory-limit", 8)
    assert ran.exit_code == 1, ran.stderr
    frame = benchbase.load_results(tmp_path / "r").rows()
    assert len(frame) == len(EXPECTED) * 2
    for label, (status, message) in EXPECTED.items():
        found = frame[frame["label"] == label]
        assert set(found["status"]) == {status}, (label, set(found["message"]))
        assert found["message"].str.contains(message, regex=False).all(), set(found["message"])
    assert not workers(mark)


MANY = """
report = []
points = 4
trials = 3
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
n_iter = 50
[[solver]]
name = "fine"
[[solver]]
name = "sleeps"
"""


def test_the_number_of_workers_changes_no_row(run: Run, tmp_path: Path) -> None:
    for count in (0, 3):
        ran = run(
            MANY, "--solver", "altmin", "--solver", "fine", "--jobs", count, results=f"r{count}"
        )
        assert ran.exit_code == 0, ran.stderr
    pd.testing.assert_frame_equal(rows(tmp_path / "r0"), rows(tmp_path / "r3"))


@linux
def test_a_run_that_is_killed_goes_on_where_it_was(
    start: Start, run: Run, mark: str, tmp_path: Path
) -> None:
    """Killed as its workers start, and again when some of its chunks are done."""
    only = ("--solver", "altmin", "--solver", "sleeps")
    assert run(MANY, *only, "--jobs", 0, results="whole").exit_code == 0

    def some_are_done() -> bool:
        with contextlib.suppress(benchbase.StoreError):
            return "done" in set(rows(tmp_path / "r")["status"])
        return False

    for far_enough in (lambda: workers(mark), some_are_done):
        process = start(MANY, *only, "--jobs", 2)
        while not far_enough():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.kill()
        process.communicate()
    patience = time.monotonic() + 5
    while workers(mark) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not workers(mark)
    assert "pending" in set(rows(tmp_path / "r")["status"])
    assert run(MANY, *only, "--jobs", 0).exit_code == 0
    pd.testing.assert_frame_equal(rows(tmp_path / "r"), rows(tmp_path / "whole"))


@linux
def test_an_interruption_keeps_and_shows_what_there_is(start: Start, tmp_path: Path) -> None:
    process = start(PROBLEM, "--solver", "fine", "--solver", "hangs", "--jobs", 2)
    while True:
        time.sleep(0.1)
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(benchbase.StoreError):
            found = rows(tmp_path / "r")
            if list(found["status"]).count("done") == 4:
                break
    process.send_signal(signal.SIGTERM)
    said, told = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted" in told
    assert '"pending"' in said
    counts = rows(tmp_path / "r").groupby("label")["status"].unique().map(set)
    assert counts["fine"] == {"done"}
    assert counts["hangs"] == {"pending"}


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
from benchbase.cli import main
main()
"""


def test_a_full_disk_costs_nothing_that_was_stored(run: Run, tmp_path: Path) -> None:
    """One message, exit code 1; with room again, the same command goes on."""
    text = PROBLEM.replace("n = 4", "n = 400").replace("points = 2", "points = 40\ntrials = 6")
    run(text, "--solver", "fine", results="whole")
    command = ["run", "s.toml", "--plugin", str(PLUGIN), "--solver", "fine", "--results", "r"]
    full = subprocess.run(
        [sys.executable, "-c", FULL, *command, "--jobs", "2"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert full.returncode == 1, full.stderr
    (message,) = full.stderr.splitlines()
    assert message.startswith("error: results in r/results.sqlite: ")
    advice = "make room" if "is full" in message else "check the disk and its quota"
    assert message.endswith(f"; {advice}, then try again")
    kept = rows(tmp_path / "r")
    done = kept[kept["status"] == "done"].reset_index(drop=True)
    assert 0 < len(done) < len(kept)
    summary = json.loads(run(text, "--solver", "fine").stdout)
    assert summary["chunks_computed"] == (len(kept) - len(done)) / 40
    pd.testing.assert_frame_equal(rows(tmp_path / "r"), rows(tmp_path / "whole"))
    again = rows(tmp_path / "r").merge(done)  # on all columns: what was stored is still there
    assert len(again) == len(done)


def computed(process: subprocess.Popen[str]) -> int:
    said, told = process.communicate(timeout=60)
    assert said, told
    return int(json.loads(said)["chunks_computed"])


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], Path]:
    """Let the first workers die as they start, and write a line to the returned file each."""

    def make(count: int) -> Path:
        site, log = tmp_path / "site", tmp_path / "log"
        site.mkdir()
        log.touch()
        (site / "sitecustomize.py").write_text(
            "import os, sys\n"
            f"log = open({str(log)!r}, 'r+')\n"
            f"if sys.argv[:1] == ['-m'] and len(log.readlines()) < {count}:\n"
            "    for file in (log, sys.stdout): print('boo', file=file, flush=True)\n"
            "    os.kill(os.getpid(), 9)\n"
        )
        path = os.environ.get("PYTHONPATH", "")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), path])))
        return log

    return make


@pytest.mark.parametrize("count", [2, 3])
def test_a_worker_that_dies_as_it_starts_is_replaced_twice(
    count: int, dying: Callable[[int], Path], run: Run, tmp_path: Path
) -> None:
    """As one may be that is started when memory is short."""
    log = dying(count)
    ran = run(PROBLEM, "--solver", "fine", "--jobs", 1)
    assert log.read_text() == "boo\n" * count
    if count == 3:
        assert ran.exit_code == 2
        reason = "a worker process cannot start: the worker was killed by SIGKILL; it printed: boo"
        assert reason in ran.stderr
    else:
        assert ran.exit_code == 0
        assert set(rows(tmp_path / "r")["status"]) == {"done"}


FRAME = """
import os, signal
import benchbase

class Deadly(benchbase.FrameDesign):
    name = "deadly"
    n_pools: int
    def build(self, n, train, rng):
        if self.n_pools == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return benchbase.DenseFrame(rng.standard_normal((self.n_pools, 2, n)))

@benchbase.hookimpl
def register_frames(register):
    register(Deadly)
"""


def test_a_frame_that_kills_its_worker_is_no_failure_of_the_solver(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "frame.py").write_text(FRAME)
    text = PROBLEM.replace('[frame]\nname = "gaussian"', '[frame]\nname = "deadly"')
    given = ("--plugin", "frame.py", "--jobs", "1", "--solver", "fine")
    ran = run(text, *given)
    assert ran.exit_code == 1
    assert "before the solver began, the worker was killed by SIGKILL" in ran.stderr
    assert "1 of 2 chunks cannot be computed; the others are stored" in ran.stderr
    again = run(text.replace("[5, 6]", "[6]"), *given)
    assert again.exit_code == 0
    assert json.loads(again.stdout)["chunks_computed"] == 0


@pytest.mark.parametrize(
    ("limit", "last"), [(2.0, 1010.0), (0.5, 1002.5), (None, float("inf"))], ids=str
)
def test_the_time_of_a_chunk_is_that_of_all_its_signals(
    limit: float | None, last: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted from the solver's turn; no process and no waiting, the clock is a number."""
    clock = SimpleNamespace(monotonic=lambda: 1000.0)
    monkeypatch.setattr(processes, "time", clock)
    monkeypatch.setattr(WorkerProcess, "_printed", lambda self: "")
    taken, given = os.pipe()
    with contextlib.closing(Receiver(taken)) as receiver, os.fdopen(given, "wb"):
        process = WorkerProcess.__new__(WorkerProcess)
        facts = {"task": {"time_limit": limit, "start": 20, "stop": 25}, "outcomes": receiver}
        living = SimpleNamespace(poll=lambda: None)
        vars(process).update(facts, _process=living, lost=None, deadline=float("inf"), _starts=0)
        Sender(given).send(Kind.STARTED)
        process.listen()
        assert (process.started, process.deadline) == (True, last)
        clock.monotonic = lambda: min(last, 1e9) - 1e-3
        process.listen()
        assert process.lost is None
        clock.monotonic = lambda: min(last, 1e9)
        process.listen()
        late = None if limit is None else ("timeout", f"took longer than {limit:g} s per signal")
        assert process.lost == late


@pytest.mark.parametrize(("cells", "at_fault"), [({"a"}, True), ({"a", "b"}, False)])
def test_a_broken_message_is_blamed_on_a_solver_only_if_it_was_alone(
    cells: set[str], at_fault: bool
) -> None:
    """If not, its task is given to another worker."""
    taken, given = os.pipe()
    with contextlib.closing(Receiver(taken)) as receiver, os.fdopen(given, "wb"):
        process = WorkerProcess.__new__(WorkerProcess)
        living = SimpleNamespace(poll=lambda: None)
        facts = {"outcomes": receiver, "_process": living, "lost": None, "doubtful": False}
        vars(process).update(facts, _cells=cells, _printed=lambda: "")
        os.write(given, b"garbage")
        assert process.listen() is None
    assert process.lost is not None
    assert process.doubtful is not at_fault


def test_nothing_to_do_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WorkerProcess", None)
    assert list(LocalWorkers(2).run([])) == []


def test_an_unguarded_script_runs_once(tmp_path: Path) -> None:
    """Workers import benchbase, not the script; what the script defines is computed in it."""
    script = tmp_path / "script.py"
    script.write_text(
        "import benchbase\n"
        "print('once')\n"
        "@benchbase.solver\n"
        "def mine(frame, pooling, b, rng):\n"
        "    return rng.standard_normal(frame.n)\n"
        "results = benchbase.run('s.toml', results='r', extra=[mine], jobs=2)\n"
        "print(sorted(set(results.rows()['status'])), len(results.rows()))\n"
    )
    (tmp_path / "s.toml").write_text(PROBLEM + '[[solver]]\nname = "altmin"\n')
    ran = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert ran.stdout == "once\n['done'] 8\n", ran.stderr


PACKAGE = """
import benchbase
from meddler.helper import SCALE

class Mine(benchbase.Solver):
    name = "mine"
    def prepare(self, problem):
        return lambda b, run: benchbase.Recovery(x=SCALE * run.normal(problem.frame.n))

@benchbase.hookimpl
def register_solvers(register): register(Mine)
"""
EDITS = """
from pathlib import Path
import benchbase
from benchbase.api import execute, resolve
from benchbase.running.launch import make_plan
suite = resolve("s.toml")
for scale in (1, 2):
    todo = make_plan(suite, Path(f"r{scale}"))
    Path("site/meddler/helper.py").write_text(f"SCALE = {scale}\\n")
    try:
        execute(suite, todo, Path(f"r{scale}"), command="", jobs=1)
        print("done")
    except benchbase.BenchbaseError as error:
        print(error)
"""


def test_a_package_that_is_edited_after_the_plan_is_refused(tmp_path: Path) -> None:
    """A worker imports what it finds: its numbers would get the key of other code."""
    site = tmp_path / "site"
    for folder in ("meddler", "meddler-1.dist-info"):
        (site / folder).mkdir(parents=True)
    (site / "meddler" / "__init__.py").write_text(PACKAGE)
    (site / "meddler" / "helper.py").write_text("SCALE = 1\n")
    facts = site / "meddler-1.dist-info"
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: meddler\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[benchbase]\nmeddler = meddler\n")
    (tmp_path / "s.toml").write_text(PROBLEM + '[[solver]]\nname = "mine"\n')
    ran = subprocess.run(
        [sys.executable, "-B", "-c", EDITS],
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    first, second = ran.stdout.splitlines()
    assert first == "done"
    assert second.startswith("the code of 'meddler' is not what"), ran.stdout + ran.stderr
