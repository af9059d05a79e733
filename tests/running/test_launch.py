"""What workers a run may have."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase.discovery.registry import Registry
from benchbase.errors import BenchbaseError, ParameterError, PluginError
from benchbase.running.launch import check_workers, default_jobs
from benchbase.running.local import LocalWorkers


def test_an_empty_variable_is_like_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCHBASE_JOBS")
    cores = default_jobs()
    linux = sys.platform == "linux"
    assert cores == (len(os.sched_getaffinity(0)) if linux else os.cpu_count())
    for text, jobs in {"": cores, " ": cores, "3": 3, " 3\n": 3, "0": 0}.items():
        monkeypatch.setenv("BENCHBASE_JOBS", text)
        assert default_jobs() == jobs
    for text in ("-1", "2.5", "many", "\u00b2"):
        monkeypatch.setenv("BENCHBASE_JOBS", text)
        with pytest.raises(BenchbaseError, match="BENCHBASE_JOBS must be a number of processes"):
            check_workers()
    check_workers(1)


def test_workers_that_can_be_had_are_not_refused() -> None:
    check_workers(0, 0.5)
    number: Any = np.int64(3)
    check_workers(number, 2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"jobs": -1}, "jobs must be at least 0, not -1"),
        ({"jobs": 1.5}, "jobs must be a whole number, not 1.5"),
        ({"jobs": "two"}, "jobs must be a whole number, not 'two'"),
        ({"time_limit": float("nan")}, "time_limit must be above 0, not nan"),
        ({"time_limit": -1}, "time_limit must be above 0, not -1"),
        ({"time_limit": 0}, "time_limit must be above 0, not 0"),
        ({"time_limit": "5"}, "time_limit must be a number, not '5'"),
        ({"memory_limit": float("nan")}, "memory_limit must be above 0 and below 9e.09, not nan"),
        ({"memory_limit": 1e300}, "memory_limit must be above 0 and below 9e.09, not 1e.300"),
        ({"memory_limit": -2.0}, "memory_limit must be above 0 and below 9e.09, not -2.0"),
        ({"memory_limit": "much"}, "memory_limit must be a number, not 'much'"),
        ({"points": 0}, "points.*0"),
        ({"trials": -1}, "trials.*-1"),
    ],
    ids=str,
)
def test_numbers_that_cannot_be_are_refused_at_once(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BenchbaseError, match=reason):
        benchbase.run("quick", **options)


def test_an_executor_has_workers() -> None:
    with pytest.raises(ParameterError, match="jobs must be at least 1, not 0"):
        LocalWorkers(0)


def test_a_run_in_a_folder_that_has_been_deleted_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(BenchbaseError, match="the current folder has been deleted; go to another"):
        benchbase.run("quick", results=tmp_path / "r")
    with pytest.raises(PluginError, match=r"plugin p\.py: No such file or directory"):
        Registry().load_file("p.py")
