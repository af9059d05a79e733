"""Standard output and error whose faults lose no work, and characters that every terminal has."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EBADF, EPIPE
from pathlib import Path
from typing import Any, TextIO, cast

from benchbase.errors import system_error

_PLAIN = {
    "∞": "inf", "±": "+-", "×": "x", "·": "*", "−": "-", "–": "-", "—": "--", "≤": "<=", "≥": ">=",
    "≠": "!=", "≈": "~", "→": "->", "←": "<-", "‖": "||", "√": "sqrt ", "†": "#", "′": "'",
    "’": "'", "‘": "'", "“": '"', "”": '"', "─": "-", "━": "-", "│": "|",
}  # fmt: skip # pairs
"""ASCII for characters that Unicode itself does not spell in simpler ones."""

_HANDLER = "benchbase.storage.plain"


def spelled(text: str, encoding: str) -> str:
    """Return text in which what an encoding lacks is spelled in ASCII: "l2 +- inf" for "ℓ2 ± ∞".

    Parameters
    ----------
    text : str
        The text.
    encoding : str
        The name of the encoding, such as that of a terminal.
    """
    return text.encode(encoding, _HANDLER).decode(encoding)


def _plain(character: str) -> str:
    """Spell a character in ASCII: by its name here or in Unicode, or else as an escape."""
    parts = unicodedata.normalize("NFKD", character)
    bare = "".join(part for part in parts if not unicodedata.combining(part))
    words = unicodedata.name(character, "").split()
    if character in _PLAIN:
        return _PLAIN[character]
    if bare.isascii():
        return bare
    if words[:1] == ["GREEK"] and len(words) == 4:  # such as GREEK SMALL LETTER SIGMA
        return words[-1].lower()
    return character.encode("ascii", "backslashreplace").decode("ascii")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


codecs.register_error(_HANDLER, _replace)


class Stream:
    """A standard stream that takes all that is written, even after it has failed.

    The first failure is kept, and the rest of the text goes nowhere. So a command whose reader has
    gone, or whose output is on a full disk, still finishes its work. It has no ``buffer``, because
    bytes would pass by all this.

    Parameters
    ----------
    name : str
        The name of the stream in messages.
    stream : text stream or None
        The stream itself; None if the process was started without it.
    """

    def __init__(self, name: str, stream: TextIO | None) -> None:
        self._name = name
        self._error: OSError | None = None if stream else OSError(EBADF, os.strerror(EBADF))
        self._stream = stream or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 # `close_own` closes it
        self._is_own = stream is None
        self.has_lost = False
        with suppress(AttributeError, ValueError, OSError):  # not every stream can be changed
            cast("Any", self._stream).reconfigure(errors=_HANDLER)

    def write(self, text: str) -> int:
        """Write text, or drop it if the stream has failed."""
        try:
            if self._error is None:
                self._stream.write(text)
        except (OSError, ValueError) as error:  # ValueError: somebody has closed it
            self._fail(error)
        self.has_lost |= bool(text) and self._error is not None
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write texts, one after the other."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Pass on what was written so far."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._fail(error)
            self.has_lost |= isinstance(error, OSError)  # closing it has passed on everything

    def close(self) -> None:
        """Stay open: the rest of the command writes to this stream too."""

    def remark(self) -> str:
        """Return what was lost and why, as a message; "" if nothing was, or the reader has left."""
        if not self.has_lost or self._error is None or self._error.errno == EPIPE:
            return ""
        return str(system_error(self._name, self._error))

    def close_own(self) -> None:
        """Flush the stream, and close it if it stands for one that was missing."""
        self.flush()
        if self._is_own:
            self._stream.close()

    def _fail(self, error: OSError | ValueError) -> None:
        if self._error is None:
            self._error = error if isinstance(error, OSError) else OSError(str(error))
        # What the stream still holds would make Python complain when it ends.
        with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextmanager
def patient_streams() -> Iterator[None]:
    """Let a command finish its work whatever becomes of standard output and standard error.

    Characters that a stream's encoding lacks are spelled in ASCII. If text was lost, standard error
    says why, and a command that would have ended with the exit code 0 ends with 1.
    """
    _open_descriptors()
    before = sys.stdout, sys.stderr
    out, err = Stream("standard output", sys.stdout), Stream("standard error", sys.stderr)
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        yield
    except SystemExit as end:
        code = end.code
        out.flush()
        if out.remark():
            err.write(f"error: {out.remark()}\n")
        err.flush()
        if code in (None, 0) and (out.has_lost or err.has_lost):
            code = 1
        raise SystemExit(code) from None
    finally:
        sys.stdout, sys.stderr = before
        out.close_own()
        err.close_own()


def _open_descriptors() -> None:
    """Open what is closed of the first three descriptors, so that no file or pipe takes its place.

    Children write to these numbers.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the least number that is free
