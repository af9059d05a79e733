"""A real Dask cluster on this machine: a scheduler and two workers, each a process."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

import benchbase
from benchbase import BenchbaseError
from benchbase.discovery.registry import Registry
from benchbase.planning.cells import make_cells
from benchbase.planning.suite import load_suite
from benchbase.running import cluster
from benchbase.running.cluster import DaskCluster
from benchbase.running.executors import Executor, InProcess
from benchbase.running.runner import plan, run_suite
from benchbase.storage.store import Store
from benchbase.tasks import Outcome, Task
from tests.running.alive import workers

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc, asks for PDEATHSIG"),
    pytest.mark.skipif(
        importlib.util.find_spec("distributed") is None, reason="distributed is not installed"
    ),
]
PLUGIN = Path(__file__).parents[1] / "parts" / "faulty.py"
KILLS = """
import os, signal
import benchbase

@benchbase.solver
def kills_dask(frame, pooling, b, rng):
    os.kill(os.getppid(), signal.SIGKILL)

@benchbase.solver
def terminated(frame, pooling, b, rng):
    os.kill(os.getpid(), signal.SIGTERM)
"""
MANY = """
report = []
points = 4
trials = 2
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
name = "sleeps"
"""
ONE = """
points = 2
[dataset]
name = "gaussian"
n = 4
[frame]
name = "gaussian"
[pooling]
name = "lp"
"""
TIMES = ["prepare_seconds", "init_seconds", "solve_seconds", "run", "isolated"]
PATIENCE = "3s"  # of Dask's workers and its client when the scheduler is gone; by default 30 s
QUIET = {  # Dask itself looks a hundred times a second what its workers do
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": PATIENCE,
    "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
    "DASK_DISTRIBUTED__ADMIN__SYSTEM_MONITOR__INTERVAL": "10s",
}
Make = Callable[..., list[Task]]


class Cluster:
    """A scheduler and Dask workers, as `dask scheduler` and `dask worker` start them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = str(folder)
        self.started: list[subprocess.Popen[bytes]] = []
        self.workers: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def need(self, size: int) -> None:
        """Have a scheduler and so many workers: start those that the last test has left dead."""
        from distributed import Client  # slow to import, and not everywhere

        if not self.address or self.started[0].poll() is not None:
            self.stop()
            self.started.clear()
            self.file = self.folder / f"scheduler-{time.monotonic_ns()}.json"
            self.start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        self.workers += [self._add_worker() for _ in range(size - len(self.workers))]
        wait_for(lambda: self.file.exists() and self.file.read_text().endswith("}"), 20)
        self.address = str(json.loads(self.file.read_text())["address"])
        with Client(self.address, set_as_default=False) as client:  # type: ignore[no-untyped-call] # Dask's
            client.wait_for_workers(size, timeout=20)

    def start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-m", f"distributed.cli.{module}", "--scheduler-file"]
        line += [str(self.file), "--no-dashboard", *arguments]
        environment = os.environ | QUIET | {"MARK": self.mark}
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                line, stdout=log, stderr=log, env=environment, cwd=self.folder
            )
        self.started.append(process)
        return process

    def _add_worker(self) -> subprocess.Popen[bytes]:
        return self.start("dask_worker", "--no-nanny", "--nthreads", "1", "--host", "127.0.0.1")

    def processes(self, parent: int | None = None) -> set[int]:
        """Return the benchbase worker processes that live, of one Dask worker or of all."""
        return workers(self.mark, parent)

    def stop(self) -> None:
        """End all as `scancel` would, the workers first; see that nothing stays."""
        for process in reversed(self.started):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            process.wait()
        wait_for(lambda: not self.processes())


def wait_for(condition: Callable[[], object], seconds: float = 10) -> None:
    patience = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < patience, "in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def cluster_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster(tmp_path_factory.mktemp("dask"))
    yield started
    started.stop()


@pytest.fixture
def dask(cluster_of_all: Cluster) -> Cluster:
    """Return a cluster of at least one worker; what the last test has killed is started anew."""
    cluster_of_all.need(1)
    return cluster_of_all


@pytest.fixture
def make(fresh_registry: Registry, tmp_path: Path) -> Make:
    """Return the tasks of some solvers, for one problem."""

    def tasks(
        *solvers: str, plugin: Path = PLUGIN, options: str = "", pools: tuple[int, ...] = (6,)
    ) -> list[Task]:
        fresh_registry.load_file(plugin)
        named = "".join(f'[[solver]]\nname = "{solver}"\n' for solver in solvers)
        file = tmp_path / "s.toml"
        file.write_text(f"{options}\n{ONE}[grid]\nframe.n_pools = {list(pools)}\n{named}")
        return plan(make_cells(load_suite(file, fresh_registry)), None, fresh_registry).tasks

    return tasks


def by_solver(outcomes: list[Outcome], tasks: list[Task]) -> dict[str, Outcome]:
    names = {task["key"]: task["solver"]["name"] for task in tasks}
    return {names[outcome["key"]]: outcome for outcome in outcomes}


def table(
    folder: Path, registry: Registry, executor: Executor, on_outcome: Callable[[], None]
) -> pd.DataFrame:
    file = folder.with_suffix(".toml")
    file.write_text(MANY)
    suite = load_suite(file, registry)
    with Store(folder, create=True) as store:
        todo = plan(make_cells(suite), store, registry)
        run_suite(suite, todo, store, executor, "", on_outcome)
    return benchbase.load_results(folder).rows().drop(columns=[*TIMES, "suite"])


def test_faults_cost_their_own_chunks_only(dask: Cluster, make: Make) -> None:
    expected = {
        "fine": ("done", ""),
        "segfault": ("crashed", "killed by SIGSEGV"),
        "hangs": ("timeout", "took longer than 0.2 s per signal; it printed: on my way"),
        "allocates": ("crashed", "MemoryError"),
    }
    tasks = make(*expected, options="time_limit = 0.2")
    found = by_solver(list(DaskCluster(dask.address, 8 * 10**9).run(tasks)), tasks)
    assert {name: outcome["status"] for name, outcome in found.items()} == {
        name: status for name, (status, _) in expected.items()
    }
    for name, (_, message) in expected.items():
        assert message in found[name].get("message", "")
    assert any("signals" in outcome for outcome in found.values())
    assert len(dask.processes()) <= 2


def test_signals_come_with_another_task_when_the_first_is_lost(dask: Cluster, make: Make) -> None:
    tasks = make("segfault", "fine", pools=(5, 6, 7))
    assert tasks[0]["send_signals"]
    outcomes = list(DaskCluster(dask.address).run(tasks))
    assert sum("signals" in outcome for outcome in outcomes) >= 1


def test_closing_stops_what_is_under_way(dask: Cluster, make: Make) -> None:
    """Also a solver that hangs without a limit; the Dask workers are free again."""
    dask.need(2)
    tasks = make("fine", "hangs")
    outcomes = DaskCluster(dask.address).run(tasks)
    assert next(outcomes)["status"] == "done"
    wait_for(lambda: len(dask.processes()) == 2)
    outcomes.close()
    wait_for(lambda: len(dask.processes()) == 1)
    again = make("fine", "sleeps")
    assert {each["status"] for each in DaskCluster(dask.address).run(again)} == {"done"}


def test_an_edited_plugin_file_counts_in_the_next_run(
    dask: Cluster, make: Make, tmp_path: Path, fresh_registry: Registry
) -> None:
    file = tmp_path / "mine.py"
    text = "import benchbase\n@benchbase.solver\ndef mine(frame, pooling, b, rng):\n    raise {}\n"
    for error in ("KeyError", "LookupError"):
        file.write_text(text.format(error))
        tasks = make("mine", plugin=file)
        (outcome,) = DaskCluster(dask.address).run(tasks)
        assert outcome["message"].startswith(error)


def test_a_dask_worker_that_is_killed_costs_nothing(
    dask: Cluster, fresh_registry: Registry, tmp_path: Path
) -> None:
    dask.need(2)
    fresh_registry.load_file(PLUGIN)
    here = table(tmp_path / "here", fresh_registry, InProcess(fresh_registry), lambda: None)
    victim = dask.workers[0]
    count = 0

    def kill() -> None:
        nonlocal count, victim
        count += 1
        if count == 5:  # by now at least one of them has begun
            victim = next(each for each in dask.workers if dask.processes(each.pid))
            victim.kill()
            victim.wait()

    there = table(tmp_path / "there", fresh_registry, DaskCluster(dask.address), kill)
    assert count == 24
    pd.testing.assert_frame_equal(there, here)
    wait_for(lambda: not dask.processes(victim.pid))


def test_a_task_that_kills_dask_workers_ends_as_crashed(
    dask: Cluster, make: Make, tmp_path: Path
) -> None:
    """Here after two; a SIGTERM to the process alone is tried again, and ends the same way."""
    dask.need(2)
    file = tmp_path / "kills.py"
    file.write_text(KILLS)
    (outcome,) = DaskCluster(dask.address).run(make("terminated", plugin=file))
    assert outcome["status"] == "crashed"
    assert "SIGTERM" in outcome["message"]
    (outcome,) = DaskCluster(dask.address).run(make("kills_dask", plugin=file))
    assert outcome["status"] == "crashed"
    assert "Dask workers" in outcome["message"]
    for worker in dask.workers:
        worker.wait(timeout=10)


def test_what_cannot_be_is_said_in_a_sentence(
    dask: Cluster, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (task,) = make("fine")
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "_CONNECT", 0.3)
        for address in ("tcp://127.0.0.1:9", "nonsense"):
            with pytest.raises(BenchbaseError, match=f"no Dask scheduler answers at {address}"):
                next(DaskCluster(address).run([task]))
    other = task | {"code": task["code"] | {"core": {"benchbase": "another"}}}
    (outcome,) = DaskCluster(dask.address).run([other])
    assert outcome["status"] == "refused"
    assert "the code of 'benchbase' is not what the run was planned with" in outcome["message"]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "distributed", None)
        with pytest.raises(BenchbaseError, match="pip install distributed"):
            next(DaskCluster(dask.address).run([task]))


def test_a_scheduler_that_ends_is_told(dask: Cluster, make: Make) -> None:
    from dask import config  # not everywhere

    with config.set({"distributed.comm.timeouts.connect": PATIENCE}):
        outcomes = DaskCluster(dask.address).run(make("fine", "hangs"))
        next(outcomes)
    dask.started[0].kill()  # told to end, Dask on a busy machine may wait for its workers
    dask.started[0].wait()
    with pytest.raises(BenchbaseError, match="the Dask scheduler was lost"):
        next(outcomes)
    wait_for(lambda: not dask.processes(), 20)  # the Dask workers end, with what hangs in them
    for worker in dask.workers:
        worker.kill()  # Dask itself may hang if it is told to end while it does
