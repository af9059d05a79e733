"""The files that a program reads while it runs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchbase.discovery.reading import reading


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.bin", "c.csv", "d.py", "e.txt"):
        (tmp_path / name).write_text("1\n")
        os.utime(tmp_path / name, (1, 1))
    return tmp_path


def test_what_is_read_is_noted_however_it_is_opened(folder: Path) -> None:
    with reading() as reads:
        (folder / "a.txt").read_text()
        os.close(os.open(b"b.bin", os.O_RDONLY))
        np.loadtxt("c.csv")
        subprocess.run([sys.executable, "d.py"], check=True)
    (folder / "e.txt").read_text()
    assert [*reads.files()] == [folder / name for name in ("a.txt", "b.bin", "c.csv", "d.py")]


def test_what_is_written_or_gone_or_of_the_system_is_not(folder: Path) -> None:
    with reading() as reads:
        for name in ("new.txt", "gone.txt"):
            (folder / name).write_text("1")
            (folder / name).read_text()
        (folder / "gone.txt").unlink()
        with (folder / "e.txt").open("r+") as file:
            file.read()
        subprocess.run(["touch", "a.txt"], check=True)  # no opening of this process
        (folder / "a.txt").read_text()
        Path(np.__file__).read_text()
        Path("/proc/self/stat").read_text()
        Path(__file__).read_text()  # a module that is loaded
        with pytest.raises(FileNotFoundError):
            (folder / "never.txt").read_text()
    assert [*reads.files()] == []


def test_a_deleted_folder_disturbs_no_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = folder / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    inside.rmdir()
    with reading() as reads, pytest.raises(FileNotFoundError):
        open("a.txt")  # noqa: PTH123, SIM115 # as people write it
    assert [*reads.files()] == []
