"""The sandbox of solvers: what is reached from inside."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import benchbase
from benchbase.discovery.registry import Registry
from benchbase.errors import BenchbaseError
from benchbase.running.sandbox import Sandbox, _of_python

SUITE = """
seed = 3
points = 2
report = []
dataset = { name = "gaussian", n = 4 }
frame = { name = "gaussian", n_pools = 8 }
pooling = { name = "lp", p = 2 }
[[solver]]
name = "altmin"
"""

LOOKS = """
import os, socket
from pathlib import Path
import numpy as np
import benchbase

def reached():
    for place in ("s.toml", "r", "secret.txt"):
        if Path(HERE, place).exists():
            yield place
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        if "scorer" in process.read_text().split("\\0"):
            yield "the process with the signals"
    if len(list(Path("/proc").glob("[0-9]*"))) > 5:
        yield "others' processes"
    for file in (Path(__file__), benchbase.cache_folder() / "x", Path(benchbase.__file__)):
        try:
            file.open("a").close()
            yield f"written: {file}"
        except OSError:
            pass
    try:
        socket.create_connection(("127.0.0.1", PORT), timeout=5)
        yield "the network"
    except OSError:
        pass

@benchbase.solver
def looks(frame, pooling, b, rng):
    found = list(reached())
    if found:
        raise RuntimeError(", ".join(found))
    return np.ones(frame.n)
"""


def works() -> bool:
    try:
        Sandbox([])
    except BenchbaseError:
        return False
    return True


def test_a_sandbox_shows_neither_suite_nor_results_nor_processes_nor_network(
    tmp_path: Path, fresh_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    if not works():
        pytest.skip("bubblewrap is not installed, or does not work here")
    (tmp_path / "s.toml").write_text(SUITE)
    (tmp_path / "secret.txt").write_text("secret")
    plugin = tmp_path / "looks.py"
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = f"HERE, PORT = {str(tmp_path)!r}, {server.getsockname()[1]}\n"
        plugin.write_text(told + LOOKS)
        given: dict[str, Any] = {"plugins": plugin, "solvers": "looks", "jobs": 1, "results": "r"}
        free = benchbase.run("s.toml", **given, sealed=True).rows()
        boxed = benchbase.run("s.toml", **given, sealed=True, sandbox=True, failed=True).rows()
    for thing in ("s.toml", "r", "secret.txt", "the process with", "written", "the network"):
        assert thing in free["message"].iloc[0]
    assert boxed["message"].tolist() == ["", ""]
    assert set(boxed["status"]) == {"done"}
    assert boxed["sealed"].all()


def test_modules_of_the_current_folder_are_seen_and_its_other_files_are_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "package").mkdir()
    for name in ("module.py", "package/__init__.py", "suite.toml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("module", "package"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    seen = {*_of_python()}
    assert {str(tmp_path / "module.py"), str(tmp_path / "package")} <= seen
    assert str(tmp_path) not in seen
    monkeypatch.chdir("/")
    assert str(tmp_path) in {*_of_python()}


def test_a_sandbox_that_cannot_be_had_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchbaseError, match="there is no command bwrap; install it"):
        Sandbox([])
    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\necho No permissions >&2\nexit 1\n")
    bwrap.chmod(0o755)
    with pytest.raises(BenchbaseError, match=r"does not work here \(No permissions\), perhaps"):
        Sandbox([])


def test_only_sealed_runs_are_in_a_sandbox(tmp_path: Path, fresh_registry: Registry) -> None:
    (tmp_path / "s.toml").write_text(SUITE)
    with pytest.raises(BenchbaseError, match="only a sealed run can be in a sandbox; add --sealed"):
        benchbase.run(tmp_path / "s.toml", results=tmp_path / "r", sandbox=True, jobs=1)
