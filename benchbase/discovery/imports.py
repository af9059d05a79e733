"""What a program imports, as far as its text says; nothing is imported to find this out."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchbase.discovery.program import is_void

_BY_NAME = ("import_module", "__import__")
_OPAQUE = frozenset(
    {
        *_BY_NAME, "entry_points", "exec_module", "load_module", "resolve_name", "run_module",
        "run_path", "spec_from_file_location", "spec_from_loader",
    }
)  # fmt: skip # a list of words
"""Functions and methods that import something whose name is known only when they are called."""
_OPAQUE_CHAINS = frozenset({("exec",), ("eval",), ("sys", "modules")})

_Chain = tuple[str, ...]


class Reference(NamedTuple):
    """Something that a program reaches by importing.

    Attributes
    ----------
    level : int
        The dots before the module's name, 0 for an absolute one.
    module : str
        The module that is imported, without the dots.
    names : tuple of str
        The names that are looked up, one inside the other, starting in the module.
    used : bool
        Whether the program uses what the last name stands for as a value, and so may look up
        anything in it.
    """

    level: int
    module: str
    names: tuple[str, ...] = ()
    used: bool = False


@dataclass(frozen=True)
class Imports:
    """What a program imports.

    Imports under ``if TYPE_CHECKING:`` are left out, because they never run.

    Attributes
    ----------
    references : frozenset of Reference
        Everything that it reaches by importing, also inside functions.
    opaque : bool
        Whether it may import modules that its text does not name: by ``import *``, by a name that
        is computed, or in its own ``__getattr__``.
    names : dict
        The names that it binds at its top level, each with the references that it may stand for.
        None among these references means that the program itself defines the name. If it has a
        ``__getattr__``, the names are among them that it imports for type checkers, since that
        function hands these on.
    hands_on : bool
        Whether it does nothing but import, name its version and names, and implement hooks.
    """

    references: frozenset[Reference]
    opaque: bool
    names: dict[str, list[Reference | None]]
    hands_on: bool


def imports(tree: ast.Module) -> Imports:
    """Return what a program imports.

    Parameters
    ----------
    tree : ast.Module
        From `benchbase.discovery.program.parse`.
    """
    seen = _Seen()
    seen.look(tree)
    names: dict[str, list[Reference | None]] = {}
    for name, reference in _bound(tree.body):
        names.setdefault(name, []).append(reference)
    opaque = seen.opaque or "__getattr__" in names
    if "__getattr__" in names:
        for name, reference in _bound(_typed(tree)):
            names.setdefault(name, []).append(reference)
    hands_on = not opaque and all(map(_hands_on, tree.body))
    return Imports(frozenset(seen.references()), opaque, names, hands_on)


class _Seen:
    """What was found while looking through a tree."""

    def __init__(self) -> None:
        self.opaque = False
        self._loads: set[Reference] = set()
        self._bound: dict[str, set[Reference]] = {}
        self._chains: set[_Chain] = set()

    def look(self, tree: ast.AST) -> None:
        """Look at all nodes except those that only type checkers read."""
        left: list[Any] = [tree]
        while left:
            node = left.pop()
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node)
                continue
            if isinstance(node, ast.If) and _for_types(node.test):
                left += node.orelse
                continue
            if isinstance(node, ast.Call) and (named := _imported_by_call(node)):
                self._loads.add(named)
                left += [*node.args, *node.keywords]
                continue
            if isinstance(node, ast.Name | ast.Attribute):
                left += self._chain(node)
                continue
            for name in node._fields:
                value = getattr(node, name, None)
                if isinstance(value, ast.AST):
                    left.append(value)
                elif isinstance(value, list):
                    left += [each for each in value if isinstance(each, ast.AST)]

    def references(self) -> Iterator[Reference]:
        """Yield everything that is reached: what is imported, and what is looked up in it."""
        yield from self._loads
        for name, *more in self._chains:
            for start in self._bound.get(name, ()):
                yield start._replace(names=(*start.names, *more), used=True)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for name, alias, reference in _imported(node):
            self._loads.add(reference)
            self.opaque |= name == "*" or (name in _OPAQUE and alias != name)
        for alias, reference in _names_of(node):
            self._bound.setdefault(alias, set()).add(reference)

    def _chain(self, node: ast.Name | ast.Attribute) -> list[ast.expr]:
        """Note a name and what is looked up in it, and return the nodes still to look at."""
        names: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            names.append(inner.attr)
            inner = inner.value
        self.opaque |= not _OPAQUE.isdisjoint(names)
        if not isinstance(inner, ast.Name):
            return [inner]
        chain = (inner.id, *reversed(names))
        self.opaque |= inner.id in _OPAQUE or chain[:2] in _OPAQUE_CHAINS
        self._chains.add(chain)
        return []


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str, Reference]]:
    """Yield the name, the alias and the reference of each part of an import."""
    for each in node.names:
        alias = each.asname or each.name
        if isinstance(node, ast.Import):
            yield each.name, alias, Reference(0, each.name)
        else:
            names = () if each.name == "*" else (each.name,)
            used = each.name == "*"
            yield each.name, alias, Reference(node.level, node.module or "", names, used)


def _names_of(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Reference]]:
    """Yield the names that an import binds, each with its reference."""
    for name, alias, reference in _imported(node):
        if isinstance(node, ast.ImportFrom) or alias != name:
            yield alias, reference
        else:  # `import a.b` binds `a`
            top = name.partition(".")[0]
            yield top, Reference(0, top)


def _typed(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements at the top level that only type checkers read."""
    for node in tree.body:
        if isinstance(node, ast.If) and _for_types(node.test):
            yield from node.body


def _for_types(test: ast.expr) -> bool:
    match test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
    return False


def _imported_by_call(node: ast.Call) -> Reference | None:
    """Return what ``import_module("a.b")`` imports, if the name is a constant."""
    match node:
        case ast.Call(
            func=ast.Name(id=called) | ast.Attribute(attr=called),
            args=[ast.Constant(value=str(name)), *more],
            keywords=[],
        ) if called in _BY_NAME:
            module = name.lstrip(".")
            level = len(name) - len(module)
            match more:
                # `__import__("a.b")` returns `a`.
                case [] if not level and (called == "import_module" or "." not in module):
                    return Reference(0, module, used=True)
                case [ast.Name(id="__package__")] if called == "import_module":
                    return Reference(level, module, used=True)
    return None


def _bound(body: Iterable[ast.stmt]) -> Iterator[tuple[str, Reference | None]]:
    """Yield the names that statements bind at the top level, each with its reference, if any."""
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield from _names_of(node)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, None
            case ast.ClassDef(name=name):
                yield name, None
            case ast.If() if _for_types(node.test):
                yield from _bound(node.orelse)
            case _:
                for inner in ast.iter_child_nodes(node):
                    yield from _bound_inside(inner)


def _bound_inside(node: ast.AST) -> Iterator[tuple[str, Reference | None]]:
    """Yield the names that a part of a statement binds; the part may contain statements."""
    if isinstance(node, ast.stmt):
        yield from _bound([node])
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, None
    for inner in ast.iter_child_nodes(node):
        yield from _bound_inside(inner)


def _hands_on(node: ast.stmt) -> bool:
    """Whether a statement of a package's ``__init__`` only hands on names."""
    match node:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.If(orelse=[]):
            return _for_types(node.test)
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name.startswith("__") and name.endswith("__") and name != "__path__"
        case ast.FunctionDef(decorator_list=[decorator]):
            is_hook = ast.unparse(decorator).rpartition(".")[2] == "hookimpl"
            return is_hook and not any(map(_changes_others, ast.walk(node)))
    return is_void(node)


def _changes_others(node: ast.AST) -> bool:
    """Whether a part of a hook changes an existing object, such as a component's class."""
    match node:
        case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()) | ast.Global():
            return True
        case ast.Name(id="setattr" | "vars" | "globals"):
            return True
    return False
