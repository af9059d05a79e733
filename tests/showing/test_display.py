"""Bars and remarks: on a terminal, elsewhere, and from worker processes."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from benchbase.showing import display
from benchbase.system import channel


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Open = Callable[[], io.StringIO]


@pytest.fixture(params=[True, False])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return what opens a standard error, a terminal or none: pytest has its own before a test."""

    def begin() -> io.StringIO:
        chosen = Terminal() if request.param else io.StringIO()
        monkeypatch.setattr("sys.stderr", chosen)
        return chosen

    monkeypatch.setenv("TERM", "xterm")
    return begin


def test_bars_are_for_terminals(opened: Open) -> None:
    stream = opened()
    with display.progress("patches", 4) as bar:
        for _ in range(4):
            bar.update()
    assert ("4/4" in stream.getvalue()) == stream.isatty()
    assert bool(stream.getvalue()) == stream.isatty()


def test_a_total_may_be_known_late(opened: Open) -> None:
    stream = opened()
    with display.progress("archive") as bar:  # as pooch does
        bar.total = 3000
        bar.update(65)
        bar.reset()
        bar.update(bar.total)
        bar.close()
    assert ("3000/3000" in stream.getvalue()) == stream.isatty()


def test_remarks_are_said_everywhere(opened: Open) -> None:
    stream = opened()
    channel.note("[1] before")
    with display.progress("patches", 4):
        channel.note("[2] within")
    lines = stream.getvalue()
    assert "[1] before" in lines
    assert "[2] within" in lines


def test_no_terminal_obeys_remarks_and_labels(opened: Open) -> None:
    stream = opened()
    channel.note("\x1b]0;mine\x07 \u202e")
    with display.progress("\x1b[2J[red]\x07", 1) as bar:
        bar.update()
    said = stream.getvalue()
    assert r"\x1b]0;mine\x07 \u202e" in said
    assert (r"\x1b[2J[red]\x07" in said) == stream.isatty()
    assert not [text for text in ("\x07", "\x1b[2J", "\u202e") if text in said]


def test_bars_within_bars_share_the_terminal(opened: Open) -> None:
    stream = opened()
    with display.terminal(shown=stream.isatty()), display.progress("outer", 2) as outer:
        outer.update()
        with display.progress("inner", 1) as inner:
            inner.update()
        outer.update()
    said = stream.getvalue()
    assert ("inner" in said, "2/2" in said) == (stream.isatty(),) * 2


def test_messages_can_go_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[channel.Message] = []
    monkeypatch.setattr(channel, "_receivers", [])
    channel.pass_on(got.append)
    with display.progress("far", 1000) as bar:
        for _ in range(1000):
            bar.update()
    channel.note("hello")
    assert got[0] == ("bar", "far", 0, 1000)
    assert got[-3:] == [("bar", "far", 1000, 1000), ("end", "far"), ("note", "hello")]
    assert len(got) < 100  # not one for each step


PLUGIN = """
import benchbase
@benchbase.solver
def tells(frame, pooling, b, rng):
    with benchbase.progress("thinking", 3) as bar:
        bar.update(3)
    benchbase.note("a remark")
    return rng.standard_normal(frame.n)
"""
SUITE = """
report = []
points = 1
dataset = { name = "gaussian", n = 4 }
frame = { name = "gaussian", n_pools = 5 }
pooling = { name = "lp" }
[[solver]]
name = "tells"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="opens a pseudo-terminal")
@pytest.mark.parametrize("jobs", ["0", "1"])
def test_what_workers_say_is_shown_where_the_command_was_given(tmp_path: Path, jobs: str) -> None:
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "s.toml").write_text(SUITE)
    arguments = ["run", "s.toml", "--plugin", "plugin.py", "--jobs", jobs, "--json"]
    own, theirs = pty.openpty()
    said = bytearray()

    def read() -> None:
        while True:
            try:
                said.extend(os.read(own, 4096))
            except OSError:  # it is closed
                return

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run(
        [sys.executable, "-c", "from benchbase.cli import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=tmp_path,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
        check=False,
    )
    os.close(theirs)
    reader.join()
    os.close(own)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode())
    assert done.returncode == 0, text
    assert "a remark" in text
    assert re.search(r"thinking.* 3/3", text)
    assert re.search(r"s .* 1/1", text)
