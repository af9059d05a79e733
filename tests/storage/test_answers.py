"""The folder of what the solvers of a run share."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from benchbase.numerics.ledger import Cost
from benchbase.numerics.sharing import Answer
from benchbase.storage import answers, cache
from benchbase.storage.answers import SharedAnswers, folder_of_run

ANSWER: Answer = ({"near": np.arange(6).reshape(2, 3)}, Cost(0.1, 7.5, dense=True))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "runs"


def same(one: Answer | None, other: Answer) -> bool:
    return (
        one is not None
        and one[1] == other[1]
        and one[0].keys() == other[0].keys()
        and all(np.array_equal(one[0][name], other[0][name]) for name in one[0])
    )


def sized(number: int) -> Answer:
    return {"numbers": np.full(1000, number)}, Cost()


def test_an_answer_comes_back_with_its_cost(tmp_path: Path) -> None:
    kept = SharedAnswers(tmp_path / "run")
    assert kept.get("a") is None
    with kept.locked("a"):
        kept.put("a", ANSWER)
    assert same(SharedAnswers(tmp_path / "run").get("a"), ANSWER)
    assert kept.get("b") is None


def test_what_a_strangers_process_finds_is_read_by_its_like_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = SharedAnswers(tmp_path)
    other: Answer = ({}, Cost(1.0))
    kept.put("bundled", ANSWER)
    before = {file.name for file in tmp_path.iterdir()}
    for stranger, found in ({"a.py"}, None), ({"b.py"}, None), ({"a.py"}, other):
        monkeypatch.setattr(cache, "_strangers", stranger)
        assert same(kept.get("bundled"), ANSWER)
        assert kept.get("own") == found
        with kept.locked("own"):
            if stranger == {"a.py"}:
                kept.put("own", other)
                kept.put("bundled", other)
        assert same(kept.get("bundled"), ANSWER)
    monkeypatch.setattr(cache, "_strangers", set())
    assert kept.get("own") is None
    assert same(kept.get("bundled"), ANSWER)
    assert {file.name for file in tmp_path.iterdir()} == before | {"strangers"}


def test_the_oldest_answers_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LIMIT", 30_000)  # each has a little more than 8,000 bytes
    kept = SharedAnswers(tmp_path)
    for number in range(7):
        kept.put(str(number), sized(number))
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 30_000
    assert [number for number in range(7) if kept.get(str(number)) is not None] == [4, 5, 6]
    monkeypatch.setattr(answers, "LIMIT", 100)
    kept.put("large", sized(0))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_answer_counts_as_missing(tmp_path: Path, damage: bytes | None) -> None:
    kept = SharedAnswers(tmp_path)
    kept.put("a", ANSWER)
    (file,) = tmp_path.iterdir()
    whole = bytearray(file.read_bytes())
    whole[whole.index(np.arange(6).tobytes()) + 9] ^= 1  # a number is another
    file.write_bytes(bytes(whole) if damage is None else damage)
    assert kept.get("a") is None
    kept.put("a", ANSWER)
    assert same(kept.get("a"), ANSWER)


def test_a_disk_that_takes_nothing_costs_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    kept = SharedAnswers(tmp_path / "file")
    kept.put("a", ANSWER)
    with kept.locked("a"):
        assert kept.get("a") is None
    assert capsys.readouterr().err.count(str(tmp_path / "file")) == 2


KILLED = """
import os, signal, sys
import numpy as np
from benchbase.numerics.ledger import Cost
from benchbase.storage.answers import SharedAnswers

def write(file, **arrays):
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)

np.savez = write
kept = SharedAnswers(sys.argv[1])
with kept.locked("a"):
    kept.put("a", ({}, Cost()))
"""


def test_a_process_that_is_killed_as_it_writes_leaves_neither_an_answer_nor_a_lock(
    tmp_path: Path,
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [file.suffix for file in tmp_path.iterdir() if file.suffix != ".lock"] == [".part"]
    kept = SharedAnswers(tmp_path)
    with kept.locked("a"):
        assert kept.get("a") is None
        kept.put("a", ANSWER)
    assert same(kept.get("a"), ANSWER)


def test_the_folder_of_a_run_goes_with_it(place: Path) -> None:
    with folder_of_run() as one, folder_of_run() as other:
        assert one is not None
        assert other is not None
        for folder in (one, other):
            SharedAnswers(folder).put("a", ANSWER)
        assert {one, other} == {str(each) for each in place.iterdir() if each.is_dir()}
    assert not place.exists()
    assert place.parent.exists()


def test_folders_of_runs_that_were_killed_go_with_the_next(place: Path) -> None:
    for name in ("dead", "alive"):
        (place / name).mkdir(parents=True)
        (place / f"{name}.lock").touch()
        (place / name / "answer.npz").touch()
    with FileLock(place / "alive.lock"), folder_of_run():
        assert (place / "alive" / "answer.npz").exists()
        assert not (place / "dead").exists()
        assert not (place / "dead.lock").exists()


def test_a_cache_that_cannot_be_written_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "file"))
    with folder_of_run() as folder:
        assert folder is None
    assert "solvers share nothing" in capsys.readouterr().err
