"""Making a component from a spec's parameters, after a check against the fields of its class."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from benchbase.component import Component
from benchbase.errors import ParameterError, SpecError, suggestion

if TYPE_CHECKING:
    from pydantic import BaseModel

Build: TypeAlias = Callable[[str, Any, tuple[str | int, ...]], Component]
"""A function that builds a component from its kind, its spec, and the spec's place."""


def validate(
    cls: type[Component],
    parameters: Mapping[str, Any],
    path: tuple[str | int, ...],
    build: Build,
    *,
    trusted: bool = False,
) -> Component:
    """Make a component from parameters that were read from TOML or JSON.

    Types are strict: ``"10"`` is not an integer, but ``2`` is a float as well. Lists become tuples.
    ``"inf"`` becomes infinity if the field holds a number, and a table becomes a component if the
    field holds one. Parameters that are `trusted` are not checked again, because they come from a
    component that was made before; this saves the slow import of pydantic.

    Raises
    ------
    SpecError
        If a parameter is unknown, missing, or of the wrong type or value.
    """
    hints = _hints(cls)
    for key in parameters:
        if key not in hints:
            problem = f"{cls.name} has no parameter {key!r}{suggestion(key, hints)}"
            raise SpecError((*path, key), problem)
    values = {
        key: _prepare(value, hints[key], (*path, key), build) for key, value in parameters.items()
    }
    if not trusted:
        values = _checked(cls, values, path)
    try:
        return cls(**values)
    except ParameterError as error:
        raise SpecError((*path, error.parameter), error.problem) from error
    except ValueError as error:  # many authors raise it instead of ParameterError
        raise SpecError(path, f"{cls.name}: {error}") from error


def _checked(
    cls: type[Component], values: Mapping[str, Any], path: tuple[str | int, ...]
) -> dict[str, Any]:
    from pydantic import ValidationError

    try:
        model = _model(cls).model_validate(values)
    except ValidationError as error:
        raise SpecError(*_explain(cls, error.errors(), path)) from None
    checked = {key: getattr(model, key) for key in _hints(cls)}
    for key, value in checked.items():
        if _has_nan(value):  # NaN differs from itself, so no key can be made from it
            raise SpecError((*path, key), "nan is not allowed here")
    return checked


@cache
def _hints(cls: type[Component]) -> dict[str, Any]:
    """Return the types of a component's fields by name."""
    hints = get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}  # type: ignore[arg-type] # subclasses are dataclasses


@cache
def _model(cls: type[Component]) -> type[BaseModel]:
    from pydantic import ConfigDict, Field, create_model

    defaults: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type] # as above
        needed = field.default is dataclasses.MISSING
        made = field.default_factory
        by_factory = None if made is dataclasses.MISSING else Field(default_factory=made)
        defaults[field.name] = by_factory or (... if needed else field.default)
    fields: dict[str, Any] = {key: (hint, defaults[key]) for key, hint in _hints(cls).items()}
    config = ConfigDict(
        strict=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=()
    )
    return create_model(cls.__name__, __config__=config, **fields)


def _prepare(value: Any, hint: Any, path: tuple[str | int, ...], build: Build) -> Any:
    alternatives = _alternatives(hint)
    if isinstance(value, Mapping):
        for kind in alternatives:
            if isinstance(kind, type) and issubclass(kind, Component):
                return build(kind.kind, value, path)
    if isinstance(value, list):
        inner = next((get_args(a) for a in alternatives if get_origin(a) is tuple), (Any, ...))
        hints = [inner[0]] * len(value) if inner[-1:] == (...,) else [*inner, *[Any] * len(value)]
        items = zip(value, hints, strict=False)
        return tuple(_prepare(item, h, (*path, i), build) for i, (item, h) in enumerate(items))
    if value in ("inf", "-inf") and float in alternatives and str not in alternatives:
        return float(value)
    return value


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _has_nan(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(_has_nan(item) for item in value)
    return isinstance(value, float) and math.isnan(value)


def _explain(
    cls: type[Component], errors: Iterable[Mapping[str, Any]], path: tuple[str | int, ...]
) -> tuple[tuple[str | int, ...], str]:
    """Return the place of the first bad parameter, and one sentence about what is wrong with it."""
    everything = list(errors)
    parameter = everything[0]["loc"][0]
    same = [error for error in everything if error["loc"][0] == parameter]
    if same[0]["type"] == "missing":
        return (path, f"{cls.name} needs the parameter '{parameter}'")
    given = same[0]["input"]
    wanted = dict.fromkeys(
        error["msg"].removeprefix("Input ").replace("should be", "must be") for error in same
    )
    hint = ""
    if isinstance(given, str) and any("instance of" in each for each in wanted):
        hint = f'; write a table, such as {{ name = "{given}" }}'
    return ((*path, parameter), f"{' or '.join(wanted)}, not {given!r}{hint}")
