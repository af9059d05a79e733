"""The base class of everything that plugins supply: it has a name, a kind, and parameters."""

from __future__ import annotations

import dataclasses
import functools
import reprlib
from abc import ABC
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any, ClassVar, TypeAlias, dataclass_transform, get_type_hints

import numpy as np
import numpy.typing as npt

from benchbase.errors import ParameterError
from benchbase.system.loading import names_in, note_loaded

Array: TypeAlias = npt.NDArray[Any]
"""A NumPy array of any type."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Component(ABC):  # noqa: B024 # the kinds have the abstract methods
    """A named part that a plugin supplies: a frozen dataclass whose fields are its parameters.

    Every subclass becomes a frozen, keyword-only dataclass when it is defined; it needs no
    decorator. A field may itself hold a component, such as an initialiser or an inner solver.
    Checks that types cannot express belong in ``__post_init__`` and raise `ParameterError`. Fields
    hold plain values only: NumPy's numbers and arrays are stored as Python's numbers and tuples.

    Attributes
    ----------
    name : str
        The name under which suites refer to the component. Class attribute.
    kind : str
        "dataset", "frame", "pooling", "noise", "hint", "solver" or "report". Class attribute.
    reserved : frozenset of str
        Names that no parameter can have. Class attribute.

    Raises
    ------
    TypeError
        If a subclass is defined with a parameter whose name is reserved or whose default is not
        plain, or with a method in place of one that keys are made with.
    ParameterError
        If an object is made with a value that is not plain.
    """

    name: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    reserved: ClassVar[frozenset[str]] = frozenset(
        {"name", "kind", "reserved", "spec", "walk", "children"}
    )

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        note_loaded(cls.__module__)
        for name in ("spec", "walk", "children", "__eq__", "__hash__", "__repr__"):
            inherited = getattr(cls, name) is getattr(Component, name) or name.startswith("__")
            if name in vars(cls) or not inherited:  # results are found by what these say
                raise TypeError(f"{cls.__qualname__}: no component can have its own '{name}'")
        its_own = "__init__" in vars(cls)
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        if not its_own:
            cls.__init__ = _storing_plain_values(cls.__init__)  # type: ignore[method-assign] # wrapped
        for field in dataclasses.fields(cls):  # type: ignore[arg-type] # a dataclass since the lines above
            if field.name in cls.reserved:
                raise TypeError(f"{cls.__qualname__}: no parameter can be named '{field.name}'")
            if field.default is not dataclasses.MISSING:
                try:
                    _stored(field.name, field.default)
                except ParameterError as error:
                    raise TypeError(f"{cls.__qualname__}: the default of {error}") from error

    def walk(self) -> Iterator[Component]:
        """Yield the component itself and all components inside it, depth first."""
        yield self
        for child in self.children():
            yield from child.walk()

    def children(self) -> Iterator[Component]:
        """Yield the components that the fields hold, but not the components inside those."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type] # subclasses are dataclasses
            value = getattr(self, field.name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Component):
                    yield item

    def spec(self) -> dict[str, Any]:
        """Return the component as plain data: its name and all parameters, including defaults."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type] # as above
        return {"name": self.name} | {key: _written(value) for key, value in values.items()}


def _written(value: Any) -> Any:
    if isinstance(value, Component):
        return value.spec()
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    return value


_PLAIN = (bool, int, float, str)


def plain(value: Any) -> Any:
    """Return a value as TOML and JSON have it, so that it can be written, stored and compared.

    NumPy's numbers, booleans, texts and arrays become Python's own. A path becomes text. What
    inherits from a number or from text, such as a member of an `IntEnum`, becomes that number or
    text. Tuples and ranges become lists. All else, such as a component, stays what it is.

    Parameters
    ----------
    value : object
        Any value. What is inside lists, tuples and mappings is made plain too.
    """
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, np.longdouble):
        return float(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufUO":
        return plain(value.tolist())
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(item) for item in value]
    # The methods of the base classes do not return what an enumeration's own would.
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    return str.__str__(value) if isinstance(value, str) else value


def resolved(annotation: Any, module: str, names: Mapping[str, Any], place: str) -> Any:
    """Return the type that the annotation of a parameter stands for.

    Parameters
    ----------
    annotation : object
        The annotation, which may be text.
    module : str
        The module in which it stands.
    names : mapping
        More names that it may use.
    place : str
        The parameter, for the message.

    Raises
    ------
    TypeError
        If it says nothing when the program runs, as a name that is imported for type checkers only.
    """
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, names_in(module), dict(names), include_extras=True)["it"]
    except Exception as error:  # an annotation may be any expression
        problem = f"{place} has the type {annotation!r}, which cannot be read"
        if isinstance(error, NameError):
            hint = f"import or define {error.name} where the program runs, not for type checkers"
        else:
            hint = f"{type(error).__name__}: {error}"
        raise TypeError(f"{problem}: {hint}") from error


def _storing_plain_values(init: Callable[..., None]) -> Callable[..., None]:
    """Let the ``__init__`` of a dataclass store plain values, whatever it is given."""

    @functools.wraps(init)
    def stores_plain_values(self: Any, **parameters: Any) -> None:
        given = _defaults(type(self), parameters) | parameters
        init(self, **{name: _stored(name, value) for name, value in given.items()})

    return stores_plain_values


def _defaults(cls: type, given: Collection[str]) -> dict[str, Any]:
    """Return the defaults of a dataclass by name, as its author wrote them, of what is not given.

    A default may be a component, whose plugins would be loaded to make it.
    """
    found = {}
    for field in dataclasses.fields(cls):
        if field.name in given:
            continue
        if field.init and field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
        elif field.init and field.default is not dataclasses.MISSING:
            found[field.name] = field.default
    return found


def _stored(parameter: str, value: Any) -> Any:
    """Return a parameter's value as a component stores it: plain, with tuples for lists."""
    made = plain(value)
    if isinstance(made, list):
        return tuple(_stored(parameter, item) for item in made)
    if made is None or type(made) in _PLAIN or isinstance(made, Component):
        return made
    wanted = "must be a number, text, true, false, a component, or a tuple of these"
    raise ParameterError(parameter, f"{wanted}, not {reprlib.repr(value)}")
