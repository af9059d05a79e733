"""Runs in which solvers share what they find: the same rows, at the same cost, and nothing left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import Array
from benchbase.api import resolve
from benchbase.discovery.registry import Registry
from benchbase.running.executors import sharing
from benchbase.running.launch import make_plan
from benchbase.tasks import Task
from benchbase_knn.index import Index

SUITE = """
seed = 1
points = 3
report = []
dataset = { name = "digits", components = 8 }
[grid]
frame = [{ name = "gaussian", n_pools = 9 }, { name = "gaussian", n_pools = 12 }]
pooling = [{ name = "lp", p = 2 }, { name = "lp", p = 1, rectified = true }, { name = "maxout" }]
[[solver]]
name = "knn"
[[solver]]
label = "start"
name = "altmin"
n_iter = 3
init = { name = "knn" }
[[solver]]
label = "signs"
name = "both_signs"
solver = { name = "altmin", n_iter = 3, init = { name = "knn" } }
[[solver]]
label = "prior"
name = "local_prior"
q = 20
refresh = 0
solver = { name = "rrr", n_iter = 3 }
weights = [0.1]
"""
TIMES = ["run", "prepare_seconds", "init_seconds", "solve_seconds", "isolated", "sealed"]

STRANGER = """
import benchbase

@benchbase.solver
class Wrapped(benchbase.Solver):
    name = "wrapped"
    solver: benchbase.Solver

    def prepare(self, problem):
        return self.solver.prepare(problem)
"""


@pytest.fixture
def suite(tmp_path: Path, fresh_registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Path:
    del fresh_registry
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "shared.toml"
    file.write_text(SUITE)
    return file


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The analyses of all training signals that are made in this process."""
    made: list[int] = []
    analysed = Index._analysed

    def spied(self: Index) -> Iterator[tuple[slice, Array, Array]]:
        made.append(1)
        return analysed(self)

    monkeypatch.setattr(Index, "_analysed", spied)
    return made


def rows(suite: Path, name: str, **options: Any) -> tuple[Any, list[bytes]]:
    """Return the rows of a run without times, and its estimates."""
    results = benchbase.run(suite, results=suite.parent / name, **options)
    frame = results.rows()
    assert set(frame["status"]) == {"done"}, frame[["label", "message"]].drop_duplicates()
    assert not (suite.parent / "cache" / "runs").exists()
    estimates = [results.estimates(cell).tobytes() for cell in frame["cell"].unique()]
    return frame.drop(columns=TIMES), estimates


def test_rows_are_the_same_whoever_finds_the_neighbours_and_if_a_run_goes_on(
    suite: Path, passes: list[int]
) -> None:
    alone, estimates = rows(suite, "alone", jobs=0, time_limit=1e6)
    assert len(passes) >= 2 * 3 * 4  # frames, poolings, solvers
    passes.clear()
    rows(suite, "here", jobs=0, solvers=["start"])
    assert len(passes) == 2
    for name, options in (("here", {"jobs": 0}), ("workers", {"jobs": 2, "sealed": True})):
        found, theirs = rows(suite, name, **options)
        assert found.equals(alone)
        assert theirs == estimates
    assert len(passes) == 2 + 2 * 2  # again after the first run, and once for twenty neighbours


def tasks_of(suite: Path, **options: Any) -> list[Task]:
    planned = make_plan(resolve(suite, **options), suite.parent / "none")
    return [sharing(task, "folder") for task in planned.tasks]


def test_tasks_name_the_other_poolings_that_the_same_solver_has_to_do(suite: Path) -> None:
    tasks = tasks_of(suite)
    assert len(tasks) == 2 * 3 * 4
    for task in tasks:
        assert task["answers"] == "folder"
        poolings = [task["pooling"], *task["others"]]
        assert sorted(map(str, poolings)) == sorted({str(each["pooling"]) for each in tasks})
    groups = [task["group_key"] for task in tasks]
    assert len(set(groups)) == 2
    assert groups == sorted(groups, key=groups.index)


def test_solvers_with_a_time_limit_share_nothing(suite: Path) -> None:
    for task in tasks_of(suite, time_limit=5.0):
        assert (task["others"], task["answers"]) == ([], None)


def test_strangers_and_solvers_without_a_use_are_told_no_other_measurements(suite: Path) -> None:
    (suite.parent / "stranger.py").write_text(STRANGER)
    more = '[[solver]]\nname = "wrapped"\nsolver = { name = "knn" }\n[[solver]]\nname = "mean"\n'
    suite.write_text(SUITE + more)
    tasks = tasks_of(suite, plugins=[suite.parent / "stranger.py"])
    untold = {task["solver"]["name"] for task in tasks if not task["others"]}
    assert untold == {"wrapped", "mean"}


def test_a_strangers_solver_has_the_same_neighbours_at_the_same_cost(suite: Path) -> None:
    (suite.parent / "stranger.py").write_text(STRANGER)
    suite.write_text(SUITE + '[[solver]]\nname = "wrapped"\nsolver = { name = "knn" }\n')
    frame, _ = rows(
        suite, "r", jobs=1, plugins=suite.parent / "stranger.py", solvers=["knn", "wrapped"]
    )
    ours, theirs = (frame[frame["label"] == label] for label in ("knn", "wrapped"))
    for column in ("squared_cosine", "frame_applications", "residual"):
        np.testing.assert_array_equal(ours[column], theirs[column])
