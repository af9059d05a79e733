"""The program in a source file: its meaning without docstrings, comments and layout."""

from __future__ import annotations

import ast
import gc
import hashlib
import warnings
from collections.abc import Iterator
from typing import Any

_SAYS_NOTHING = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields that follow from others (Load or Store), or that Python ignores."""

_Item = str | ast.AST


def parse(source: bytes) -> ast.Module:
    """Return the syntax tree of a source file, without the warnings that Python has about it.

    Raises
    ------
    SyntaxError, ValueError
        If this Python cannot read the file.
    """
    collects = gc.isenabled()
    gc.disable()  # it would visit the growing tree again and again, which takes 3 times as long
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer versions have more warnings, such as for "\\d"
            return ast.parse(source)
    finally:
        if collects:
            gc.enable()


def program_digest(tree: ast.AST) -> str:
    """Return the digest of a program.

    Two sources have the same digest if they differ only in comments, layout, docstrings, and the
    spelling of constants (1_000 and 1000, "a" "b" and 'ab'). Statements without effect, which are
    constants and ``pass``, are left out everywhere. The digest is the same on Python 3.11, 3.12 and
    3.13, whose trees differ in empty fields and in empty constants inside f-strings.

    Parameters
    ----------
    tree : ast.AST
        From `parse`.

    Returns
    -------
    str
        A SHA-256 digest, hexadecimal.
    """
    return hashlib.sha256(" ".join(_written(tree)).encode("ascii")).hexdigest()


def _written(tree: ast.AST) -> Iterator[str]:
    """Yield words from which the tree could be rebuilt, without recursion, as trees may be deep."""
    left: list[_Item] = [tree]
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
            continue
        words: list[_Item] = [f"{type(item).__name__}("]
        for name, value in _fields(item):
            words.append(f"{name}=")
            words += _words(value)
        left += reversed([*words, ")"])


def _fields(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a node that carry meaning."""
    if isinstance(node, ast.Constant):
        yield "value", node.value  # None is a value here
        return
    for name in node._fields:
        value = getattr(node, name, None)
        if name == "format_spec" and isinstance(value, ast.JoinedStr):
            value = value if _joined(value.values) else None  # f"{x:}" is f"{x}"
        elif isinstance(value, list):
            value = _joined(value) if isinstance(node, ast.JoinedStr) else _effective(value)
        if value is not None and value != [] and name not in _SAYS_NOTHING:
            yield name, value


def _words(value: Any) -> list[_Item]:
    if isinstance(value, ast.AST):
        return [value]
    if isinstance(value, list):
        return ["[", *(word for each in value for word in _words(each)), "]"]
    if isinstance(value, int) and not isinstance(value, bool):
        return [f"int:{value:x}"]  # Python refuses to write more than 4,300 decimal digits
    return [f"{type(value).__name__}:{value!a}"]


def _effective(values: list[Any]) -> list[Any]:
    """Return a list without the statements that have no effect."""
    return [each for each in values if not is_void(each)]


def is_void(node: Any) -> bool:
    """Whether a node is a statement without effect: a docstring, another constant or ``pass``."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Pass)


def _joined(values: list[Any]) -> list[Any]:
    """Return the parts of an f-string without the empty texts that Python 3.12 leaves in some."""
    return [each for each in values if not (isinstance(each, ast.Constant) and each.value == "")]
