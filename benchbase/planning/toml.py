"""Reading TOML files with the line of each value, and reading and writing single values.

The standard library's `tomllib` reads TOML, but gives no lines and writes nothing. `tomlkit`, which
is made for tools that edit files, gives no lines either and takes ten times as long to read.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchbase.component import Component, plain
from benchbase.errors import SuiteError, dotted, unstorable

IN_LISTS = ("solver", "report")
"""The kinds of which a suite may have several. Their tables have double brackets."""

_NOT_TOML = (ValueError, RecursionError)
_BARE_PAIR = re.compile(r"\s*[\w-]+\s*=")
"""What `tomllib` raises: its own error, an error for too many digits, or one for deep nesting."""


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
        """Read a file, with or without a byte order mark.

        Raises
        ------
        SuiteError
            If the file cannot be read, or is not text in UTF-8.
        """
        try:
            return cls(path.name, path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise SuiteError([f"{path}: {error.strerror or error}"]) from error
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise SuiteError([f"{path.name}:{line}: not UTF-8 text: {error.reason}"]) from error

    @cached_property
    def data(self) -> dict[str, Any]:
        """The content as a table.

        Raises
        ------
        SuiteError
            If the content is not TOML, or a value cannot be stored. The message names the line.
        """
        data = self._parsed()
        if found := unstorable(data):
            path, problem = found
            raise SuiteError([f"{self.place(path)}: {dotted(path)}: {problem}"])
        return data

    def _parsed(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text)
        except _NOT_TOML as error:
            place = self.name
            if isinstance(error, tomllib.TOMLDecodeError):
                line = re.search(r"\(at line (\d+)", str(error))
                last = self.text.removesuffix("\n").count("\n") + 1
                place += f":{line.group(1) if line else last}"  # no line: it ends too early
            raise SuiteError([f"{place}: {_reason(error)}"]) from error

    def place(self, path: Sequence[str | int]) -> str:
        """Return "file:line" of a value, or of the nearest table around it that is in the file.

        Parameters
        ----------
        path : sequence of (str or int)
            The keys and indices that lead to the value, for example ``("solver", 0, "name")``.

        Returns
        -------
        str
            The name of the file and the line on which the value starts, or only the name if the
            file has no part of the path.
        """
        place, node = self.name, self._lines
        for part in path:
            node = _child(node, part)
            if node is None:
                break
            place = f"{self.name}:{_line(node)}"
        return place

    @cached_property
    def _lines(self) -> Any:
        """The document with the line of each value instead of the value.

        `tomllib` parses it like the document itself, so that this class needs no rules of its own
        for headers and dotted keys. A value in brackets or braces becomes ``[line, content]``, and
        a table under a header has its line under `_LINE`.
        """
        try:
            return tomllib.loads("".join(_with_lines(self.text)))
        except _NOT_TOML:  # if it is nested almost too deeply, or has `_LINE` among its keys
            return {}


_LINE = "\0line"
_TOKEN = re.compile(
    r"""(?P<comment> \#[^\n]* )
      | (?P<mark> [\[\]{},=\n] )
      | (?P<word> \"{3} (?:[^\\]|\\.)*? \"{3,5} | '{3} .*? '{3,5}
                | "(?:[^"\\]|\\.)*" | '[^']*' | [^\s\#"'\[\]{},=]+ )""",
    re.VERBOSE | re.DOTALL,
)


def _with_lines(text: str) -> Iterator[str]:
    """Yield the pieces of a TOML document, with each value replaced by its line number."""
    line, state, brackets = 1, "key", ""
    for token in _TOKEN.finditer(f"{text}\n"):
        word = token.group()
        match token.lastgroup:
            case "word" if state == "value":
                yield str(line)
                state = "done"
            case "word" if state != "done":  # otherwise a time of day, a space after its date
                yield word
            case "mark" if word == "\n" and not brackets:
                yield f"\n{_text(_LINE)} = {line}\n" if state == "header" else "\n"
                state = "key"
            case "mark" if word in ",=":
                yield word
                state = "value" if word == "=" or brackets.endswith("[") else "key"
            case "mark" if word in "[]" and not brackets and state != "value":
                yield word
                state = "header"
            case "mark" if word in "[{":
                yield f"[{line}, {word}"
                state = "value" if word == "[" else "key"
                brackets += word
            case "mark" if word in "]}":
                yield f"{word}]"
                state = "done"
                brackets = brackets[:-1]
        line += word.count("\n")


def _child(node: Any, part: str | int) -> Any:
    """Return what the next part of a path leads to in a document of lines, or None."""
    if isinstance(node, list) and isinstance(node[0], int):
        node = node[1]
    if isinstance(node, dict):
        return node.get(part)
    inside = isinstance(node, list) and isinstance(part, int) and part < len(node)
    return node[part] if inside else None


def _line(node: Any) -> int:
    """Return the first line of a value in a document of lines."""
    while not isinstance(node, int):
        node = node[0] if isinstance(node, list) else node.get(_LINE) or next(iter(node.values()))
    return node


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "Nested too deeply"
    if not isinstance(error, tomllib.TOMLDecodeError):
        return "Number with too many digits"
    reason = str(error).partition(" (at ")[0]
    if reason == "Invalid value":
        reason += "; text needs quotes, and numbers a digit before the point"
    return reason


def from_toml(text: str, origin: str) -> Any:
    """Read one value in TOML, such as ``{ name = "knn", q = 10 }``.

    Parameters
    ----------
    text : str
        The value.
    origin : str
        Where the text comes from. Error messages start with it: ``"--with ..."``.

    Returns
    -------
    object
        The value: a number, text, a list, a dict, and so on.

    Raises
    ------
    SuiteError
        If the text is not one TOML value, or a value that cannot be stored.
    """
    try:
        data = tomllib.loads(f"value = {text}")
    except _NOT_TOML as error:
        hint = "; put braces around a table" if _BARE_PAIR.match(text) else ""
        raise SuiteError([f"{origin}: not a TOML value: {_reason(error)}{hint}"]) from error
    if len(data) > 1:
        raise SuiteError([f"{origin}: the value must be one TOML value, but more lines follow it"])
    return storable(data["value"], origin)


def storable(value: Any, origin: str) -> Any:
    """Return a value that was given beside a suite, if it can be stored.

    Parameters
    ----------
    value : object
        The value, with all that is inside it.
    origin : str
        Where it comes from, for the message.

    Raises
    ------
    SuiteError
        If it contains something that cannot be stored (`benchbase.errors.unstorable`).
    """
    if found := unstorable(value):
        path, problem = found
        raise SuiteError([f"{origin}: {f'{dotted(path)}: ' if path else ''}{problem}"])
    return value


def parse_path(text: str) -> tuple[str | int, ...]:
    """Split a path at its dots; whole numbers become indices into lists."""
    return tuple(int(p) if p.isdecimal() and len(p) < 10 else p for p in text.split("."))


def as_toml(value: Any) -> str:
    """Write a value in TOML on one line, such as ``{ name = "knn", q = 10 }``.

    Parameters
    ----------
    value : object
        A number, text, path, component, or lists and dicts of these; `plain` makes the rest so. The
        key ``name`` of a dict is written first, and entries that are None are left out.
    """
    if isinstance(value, Component):
        value = value.spec()
    value = plain(value)
    if isinstance(value, Mapping):
        named = sorted(value.items(), key=lambda item: item[0] != "name")  # keeps the other order
        pairs = [as_toml_pair(key, item) for key, item in named if item is not None]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else _text(str(value))


def as_suite_table(cls: type[Component]) -> Iterator[str]:
    """Yield the lines of a component's table in a suite, with all its defaults.

    The lines are TOML. A parameter without a default becomes a comment that names its type. A
    parameter whose default is None has no line, since TOML cannot write None.

    Parameters
    ----------
    cls : type of Component
        The component's class.
    """
    yield f"[[{cls.kind}]]" if cls.kind in IN_LISTS else f"[{cls.kind}]"
    yield as_toml_pair("name", cls.name)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type] # subclasses are dataclasses
        if field.default_factory is not dataclasses.MISSING:
            yield as_toml_pair(field.name, field.default_factory())
        elif field.default is dataclasses.MISSING:
            kind = field.type.__name__ if isinstance(field.type, type) else field.type
            yield f"# {field.name} = ... needs a value: {kind}"
        elif field.default is not None:
            yield as_toml_pair(field.name, field.default)


def as_toml_pair(key: str, value: Any) -> str:
    """Write a key and its value as one line of TOML, such as ``q = 10``."""
    bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
    return f"{key if bare else _text(key)} = {as_toml(value)}"


def _text(text: str) -> str:
    """Write a TOML string. TOML has the escapes of JSON, and escapes the delete character too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
