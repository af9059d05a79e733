"""Standard output and error: their faults lose no work, and what they lack is spelled in ASCII."""

import errno
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbase.system.outputs import patient_streams, spelled


@pytest.mark.parametrize(
    ("text", "encoding", "wanted"),
    [
        ("ℓ2 ± .01 → ℓ∞ …", "utf-8", "ℓ2 ± .01 → ℓ∞ …"),
        ("ℓ2 ± .01 → ℓ∞ …", "iso8859-1", "l2 ± .01 -> linf ..."),
        ("ℓ2 ± .01 → ℓ∞ …", "ascii", "l2 +- .01 -> linf ..."),
        ("K ≥ 4N − 2, ‖x̂ − x‖ ≠ 0 †", "ascii", "K >= 4N - 2, ||x - x|| != 0 #"),
        ("Cramér–Rao, σ = √2·é", "ascii", "Cramer-Rao, sigma = sqrt 2*e"),
        ("模 \udcff", "cp1252", r"\u6a21 \udcff"),
        ("\udcff", "utf-8", r"\udcff"),
    ],
)
def test_what_an_encoding_lacks_is_spelled(text: str, encoding: str, wanted: str) -> None:
    assert spelled(text, encoding) == wanted


@given(st.text(st.characters(codec=None)), st.sampled_from(["ascii", "latin-1", "cp437", "utf-8"]))
def test_any_text_can_be_written(text: str, encoding: str) -> None:
    found = spelled(text, encoding)
    found.encode(encoding)
    assert spelled(found, encoding) == found


class Fails(io.StringIO):
    """A stream that has room for a few characters."""

    def __init__(self, room: int, number: int) -> None:
        super().__init__()
        self.room, self.number = room, number

    def write(self, text: str) -> int:
        if self.tell() + len(text) > self.room:
            raise OSError(self.number, "no more")
        return super().write(text)


def ending(monkeypatch: pytest.MonkeyPatch, out: Any, err: Any, code: Any = None) -> Any:
    """Write to both streams as a command does, and return the exit code."""
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)

    def write() -> None:
        with patient_streams():
            for _ in range(3):
                sys.stdout.write("twelve chars")
                sys.stderr.write("")
            raise SystemExit(code)

    with pytest.raises(SystemExit) as end:
        write()
    return end.value.code


@pytest.mark.parametrize("code", [None, 0, 2, 130])
@pytest.mark.parametrize("room", [0, 12, 24])
def test_a_stream_that_fails_midway_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, room: int, code: int | None
) -> None:
    out, err = Fails(room, errno.ENOSPC), io.StringIO()
    assert ending(monkeypatch, out, err, code) == (code or 1)
    assert out.getvalue() == "twelve chars" * (room // 12)
    assert err.getvalue() == "error: standard output: no more; make room, then try again\n"


def test_a_reader_that_has_left_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    assert ending(monkeypatch, Fails(0, errno.EPIPE), err) == 1
    assert err.getvalue() == ""


def test_streams_that_are_missing_or_closed_count_if_they_were_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = io.StringIO()
    closed.close()
    assert ending(monkeypatch, io.StringIO(), None) is None
    assert ending(monkeypatch, io.StringIO(), closed) is None
    assert ending(monkeypatch, closed, io.StringIO()) == 1
    assert ending(monkeypatch, None, io.StringIO()) == 1
    assert ending(monkeypatch, None, None) == 1


def test_streams_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    ending(monkeypatch, out, err)
    assert (sys.stdout, sys.stderr) == (out, err)
    assert not out.closed


def test_code_that_closes_a_stream_leaves_it_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    with patient_streams():
        sys.stdout.close()
        sys.stdout.write("more")
    assert out.getvalue() == "more"


def test_no_bytes_pass_by(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    with patient_streams():
        assert not hasattr(sys.stdout, "buffer")
        assert sys.stdout.encoding == "ascii"
        sys.stdout.writelines(["ℓ∞", "\n"])
    assert raw.getvalue() == b"linf\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("where", ["> /dev/full", ">&-", ">&- 2>&-", "2>&- > /dev/full"])
def test_a_command_whose_output_goes_nowhere_ends_well(where: str) -> None:
    """The exit code is not Python's own 120, and no traceback is shown."""
    code = "from benchbase.cli import main; main(['--version'])"
    line = f'"{sys.executable}" -c "{code}" {where}'
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    told = "" if "2>&-" in where else "error: standard output: "
    assert done.stderr.startswith(told)
    assert len(done.stderr.splitlines()) == bool(told)
