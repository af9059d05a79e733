from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from benchbase import Array, BenchbaseError, DiskError, cache_folder, cached
from benchbase.storage import cache

Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("BENCHBASE_CACHE", str(folder))
    return folder


@pytest.fixture
def start() -> Start:
    """Return what runs a script in a process of its own, which ends when its input does."""

    def run(script: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    return run


def entries(place: Path) -> list[str]:
    return sorted(entry.name for entry in place.iterdir() if entry.is_dir())


def never() -> dict[str, Array]:
    raise AssertionError("built again")


def test_what_is_built_is_found_again(place: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([1, 2], dtype=np.int32)}
    for found in (cached("thing 1", lambda: arrays), cached("thing 1", never)):
        assert sorted(found) == ["a", "b"]
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
    assert len(entries(place)) == 1


def test_arrays_are_mapped_and_read_only() -> None:
    found = cached("thing", lambda: {"a": np.zeros(3)})["a"]
    assert isinstance(found, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


def test_keys_that_differ_anywhere_are_apart(place: Path) -> None:
    keys = ["thing 1", "thing 2", "thing  1", "other 1", "x" * 50 + " 1", "x" * 50 + " 2"]
    for number, key in enumerate(keys):
        cached(key, lambda number=number: {"a": np.array([number])})  # type: ignore[misc] # a default binds it now
    assert [int(cached(key, never)["a"][0]) for key in keys] == list(range(len(keys)))
    assert len(entries(place)) == len(keys)


def test_the_folder_is_named_for_people_whatever_the_key(place: Path) -> None:
    cached("train-../ä b/c", lambda: {"a": np.zeros(1)})
    (name,) = entries(place)
    assert name.startswith("train-")
    assert (place / name).resolve().parent == place.resolve()


def test_others_may_read_what_one_has_made(place: Path) -> None:
    mask = os.umask(0o022)
    try:
        cached("thing", lambda: {"a": np.zeros(1)})
    finally:
        os.umask(mask)
    (name,) = entries(place)
    assert (place / name).stat().st_mode & 0o777 == 0o755


def test_no_arrays_and_empty_arrays_are_kept_too() -> None:
    assert cached("nothing", dict) == {}
    assert cached("nothing", never) == {}
    cached("empty", lambda: {"a": np.empty((0, 3), np.float32)})
    assert cached("empty", never)["a"].shape == (0, 3)


def test_what_cannot_be_built_leaves_nothing(place: Path) -> None:
    def half() -> dict[str, Array]:
        return {"a": np.zeros(3), "b": Unsaveable()}  # type: ignore[dict-item] # what is tested

    def fail() -> dict[str, Array]:
        raise ZeroDivisionError

    for build in (half, fail):
        with pytest.raises(ZeroDivisionError):
            cached("thing", build)
        assert entries(place) == []
    assert cached("thing", lambda: {"a": np.ones(1)})["a"] == 1


class Unsaveable:
    def __array__(self, dtype: object = None, copy: object = None) -> Array:
        raise ZeroDivisionError


STALLS = """
    import sys
    import numpy as np
    from benchbase import cached

    def stall():
        print("stalled", flush=True)
        sys.stdin.read()

    class Slow:
        def __array__(self, dtype=None, copy=None):
            stall()

    def build():
        {during_build}
        return {{"a": np.ones(1000), "b": Slow()}}

    cached("thing", build)
"""


@pytest.mark.parametrize("during_build", ["stall()", "pass"], ids=["building", "writing"])
def test_a_killed_process_leaves_nothing_half_done(
    start: Start, during_build: str, place: Path
) -> None:
    with start(STALLS.format(during_build=during_build)) as process:
        assert output(process).readline() == "stalled\n"
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    found = cached("thing", lambda: {"a": np.full(3, 7.0)})
    assert list(found) == ["a"]
    assert found["a"].tolist() == [7, 7, 7]
    assert len(entries(place)) == 1  # what the killed process had begun does not stay for ever


def test_two_processes_build_once(start: Start, place: Path) -> None:
    script = """
        import os, sys, time
        import numpy as np
        from benchbase import cached

        def build():
            with open(os.environ["BENCHBASE_CACHE"] + "/log", "a") as log:
                log.write("built\\n")
            time.sleep(0.3)
            return {"a": np.arange(1000.0)}

        print("ready", flush=True)
        sys.stdin.readline()
        print(cached("thing", build)["a"].sum(), flush=True)
    """
    with start(script) as one, start(script) as two:
        for process in (one, two):
            assert output(process).readline() == "ready\n"
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert [output(process).readline() for process in (one, two)] == ["499500.0\n"] * 2
    assert (place / "log").read_text() == "built\n"


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def test_the_folder_is_that_of_the_environment_or_the_user_s(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == place
    for empty in ("", None):
        if empty is None:
            monkeypatch.delenv("BENCHBASE_CACHE")
        else:
            monkeypatch.setenv("BENCHBASE_CACHE", empty)
        monkeypatch.setenv("XDG_CACHE_HOME", str(place / "xdg"))
        monkeypatch.setenv("HOME", str(place / "home"))
        assert cache_folder().name == "benchbase"
        assert cache_folder().is_relative_to(place)


def test_a_cache_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        BenchbaseError, match=r"the cache .*file/thing-\w+ \(BENCHBASE_CACHE chooses"
    ):
        cached("thing", dict)


def test_what_goes_wrong_in_making_is_not_blamed_on_the_cache(place: Path) -> None:
    def broken() -> dict[str, Array]:
        raise FileNotFoundError("mine")

    with pytest.raises(FileNotFoundError, match="mine"):
        cached("thing", broken)
    assert entries(place) == []


def shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-8])


def change_one_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "emptied": lambda file: file.write_bytes(b""),
    "shortened": shorten,
    "changed": change_one_byte,
    "foreign": lambda file: file.write_bytes(b"[1, 2]"),
    "lost": lambda file: file.unlink(),
    "a folder": to_folder,
}


@pytest.mark.parametrize("name", ["a.npy", "contents.json"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_made_again(damage: str, name: str, place: Path) -> None:
    cached("thing", lambda: {"a": np.arange(5.0)})
    (folder,) = entries(place)
    DAMAGE[damage](place / folder / name)
    found = cached("thing", lambda: {"a": np.arange(5.0) + 1})["a"]
    assert found.tolist() == [1, 2, 3, 4, 5]
    assert cached("thing", never)["a"].tolist() == found.tolist()


def test_a_file_in_the_place_of_the_folder_is_replaced(place: Path) -> None:
    cached("thing", lambda: {"a": np.zeros(1)})
    (folder,) = entries(place)
    shutil.rmtree(place / folder)
    (place / folder).write_text("")
    assert cached("thing", lambda: {"a": np.ones(1)})["a"].tolist() == [1]


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EACCES, BenchbaseError), (errno.EIO, DiskError)]
)
def test_what_cannot_be_read_is_refused_by_its_folder(
    number: int, kind: type[BenchbaseError], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached("thing", lambda: {"a": np.zeros(1)})
    (folder,) = entries(place)

    def fail(path: Path) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(kind, match=folder) as caught:
        cached("thing", never)
    assert caught.value.exit_code == (1 if kind is DiskError else 2)


def test_a_full_disk_is_told_and_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for call in ("os.fsync", "pathlib.Path.mkdir"):
        with monkeypatch.context() as broken:
            broken.setattr(call, fail)
            with pytest.raises(DiskError, match="make room"):
                cached("thing", lambda: {"a": np.zeros(1)})
    assert entries(place) == []


def test_a_place_where_no_lock_can_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHBASE_CACHE", "/proc/self")
    with pytest.raises(BenchbaseError, match="the cache /proc/self"):
        cached("thing", dict)


def test_a_lock_that_is_never_released_is_told(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    for name in ("PATIENCE", "LIMIT"):
        monkeypatch.setattr(cache, name, 0.01)
    cached("thing", lambda: {"a": np.zeros(1)})
    (folder,) = entries(place)
    shutil.rmtree(place / folder)
    with (
        FileLock(f"{place / folder}.lock"),
        pytest.raises(BenchbaseError, match="another process has kept"),
    ):
        cached("thing", never)


def test_what_a_strangers_process_computes_is_read_by_no_other(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, forged = ({"a": np.full(3, value)} for value in (1.0, 2.0))
    cached("known 1", lambda: true)
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_strangers", set())
        cache.keep_apart("theirs")
        assert cached("known 1", never)["a"][0] == 1.0  # what was there is read
        for build in (lambda: forged, never):
            assert cached("new 1", build)["a"][0] == 2.0
        cache.keep_apart("others")
        assert cached("new 1", lambda: true)["a"][0] == 1.0
    assert cached("new 1", lambda: true)["a"][0] == 1.0
