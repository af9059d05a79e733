"""The base class of everything that plugins supply: it has a name, a kind, and parameters."""

from __future__ import annotations

import dataclasses
from abc import ABC
from collections.abc import Iterator
from typing import Any, ClassVar, TypeAlias, dataclass_transform

import numpy.typing as npt

from benchbase.loading import note_loaded

Array: TypeAlias = npt.NDArray[Any]
"""A NumPy array of any type."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Component(ABC):  # noqa: B024 # the kinds have the abstract methods
    """A named part that a plugin supplies: a frozen dataclass whose fields are its parameters.

    Every subclass becomes a frozen, keyword-only dataclass when it is defined; it needs no
    decorator. A field may itself hold a component, such as an initialiser or an inner solver.
    Checks that types cannot express belong in ``__post_init__`` and raise `ParameterError`.

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
        If a subclass is defined with a parameter whose name is reserved, or with a method in place
        of one that keys are made with.
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
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        for field in dataclasses.fields(cls):  # type: ignore[arg-type] # a dataclass since the line above
            if field.name in cls.reserved:
                raise TypeError(f"{cls.__qualname__}: no parameter can be named '{field.name}'")

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
        return {"name": self.name} | {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return value.spec()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
