"""Where in a TOML file things stand: `tomllib` tells only what they are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchbase.errors import SuiteError


@dataclass(frozen=True)
class TomlFile:
    """A TOML file that can say on which line a value stands.

    Parameters
    ----------
    name : str
        The name of the file for messages.
    text : str
        Its content.
    """

    name: str
    text: str

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Read a file.

        Raises
        ------
        SuiteError
            If it cannot be read, or is no text.
        """
        try:
            return cls(path.name, path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SuiteError([f"{path}: {error.strerror or error}"]) from error
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise SuiteError([f"{path.name}:{line}: no UTF-8 text: {error.reason}"]) from error

    @cached_property
    def data(self) -> dict[str, Any]:
        """The content as a table.

        Raises
        ------
        SuiteError
            With the line, if it is no TOML.
        """
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            message, _, position = str(error).partition(" (at ")
            line = re.search(r"line (\d+)", position)
            number = line.group(1) if line else len(self._lines)
            raise SuiteError([f"{self.name}:{number}: {message}"]) from error

    @cached_property
    def _lines(self) -> list[str]:
        """The lines, as TOML and editors count them: `str.splitlines` splits at more."""
        return self.text.removesuffix("\n").split("\n")

    def place(self, path: Sequence[str | int]) -> str:
        """Return "file:line" of a value, or of the nearest table around it that is in the file."""
        for length in range(len(path), 0, -1):
            line = self._line(path[:length])
            if line is not None:
                return f"{self.name}:{line}"
        return self.name

    def _line(self, path: Sequence[str | int]) -> int | None:
        """Parse growing prefixes of the file until the path exists."""
        if not _exists(self.data, path):
            return None
        prefix = ""
        for number, line in enumerate(self._lines, start=1):
            prefix += f"{line}\n"
            for closing in ("", "]"):  # the second finds the elements of an array over many lines
                try:
                    found = _exists(tomllib.loads(prefix + closing), path)
                except tomllib.TOMLDecodeError:
                    continue
                if found:
                    return number
        return None


def _exists(data: Any, path: Sequence[str | int]) -> bool:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
