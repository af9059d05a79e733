"""Making a component from a spec's parameters, after a check against the fields of its class."""

from __future__ import annotations

import dataclasses
import inspect
import math
import types
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NewType,
    TypeAlias,
    Union,
    get_args,
    get_origin,
)

from benchbase.component import Component, plain, resolved
from benchbase.errors import (
    DEEPEST,
    ParameterError,
    SpecError,
    described,
    suggestion,
    unstorable,
)
from benchbase.wording import check_name

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

    Types are strict: ``"10"`` is not an integer, but ``2`` is a float as well. NumPy's numbers are
    taken as Python's (`plain`), and lists become tuples. ``"inf"`` becomes infinity if the field
    holds a number, and a table becomes a component if the field holds one. Parameters that are
    `trusted` are not checked again, because they come from a component that was made before; this
    saves the slow import of pydantic.

    Raises
    ------
    SpecError
        If parameters are unknown, missing, or of the wrong type or value; with all of them.
    """
    hints = _hints(cls)
    values: dict[str, Any] = {}
    mistakes: dict[str, SpecError] = {}
    for key, value in plain(parameters).items():
        if key in hints:
            try:
                values[key] = _prepare(value, hints[key], (*path, key), build)
            except SpecError as error:
                mistakes[key] = error
        else:
            problem = f"{cls.name} has no parameter {key!r}{suggestion(key, hints)}"
            mistakes[key] = SpecError((*path, key), problem)
    if not trusted:
        values, more = _checked(cls, values, path)
        misspelt = any(key not in hints for key in mistakes)  # it may be what seems to be missing
        mistakes |= {
            key: error
            for key, error in more.items()
            if key not in mistakes and not (misspelt and error.path == path)
        }
    if mistakes:
        raise SpecError.of_all([*mistakes.values()])
    try:
        return cls(**values)
    except ParameterError as error:
        raise SpecError((*path, error.parameter), error.problem) from error
    except ValueError as error:  # many authors raise it instead of ParameterError
        raise SpecError(path, f"{cls.name}: {error}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin's code may raise anything
        raise SpecError(path, f"{cls.name} cannot be made: {described(error)}") from error


def _checked(
    cls: type[Component], values: Mapping[str, Any], path: tuple[str | int, ...]
) -> tuple[dict[str, Any], dict[str, SpecError]]:
    """Return the parameters after a check, or what is wrong with some of them."""
    from pydantic import ValidationError

    try:
        model = _model(cls).model_validate(values)
    except ValidationError as error:
        return {}, _explain(cls, error.errors(), path)
    checked = {key: getattr(model, key) for key in _hints(cls)}
    mistakes = {}
    for key, value in checked.items():
        if found := unstorable(value, (*path, key)):
            mistakes[key] = SpecError(*found)
        elif _has_nan(value):  # NaN differs from itself, so no key can be made from it
            mistakes[key] = SpecError((*path, key), "nan is not allowed here")
    return checked, mistakes


def check_class(cls: type[Component]) -> None:
    """Make sure that suites can name a class, and give values to its parameters.

    Raises
    ------
    TypeError
        If it has no proper name, is abstract, or has a parameter that suites cannot write.
    """
    if not isinstance(cls.name, str) or not cls.name:
        raise TypeError(f"{cls.__qualname__} has no name")
    try:
        check_name(cls.name)  # it may become a solver's label
    except ValueError as error:
        raise TypeError(f"{cls.__qualname__}: its name {cls.name!r} {error}") from None
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise TypeError(f"{cls.__qualname__} does not implement {missing}")
    for name, hint in _hints(cls).items():
        parameter = f"{cls.__qualname__}: the parameter '{name}'"
        if _is_mutable(hint):
            raise TypeError(f"{parameter} must be a tuple")
        if not _is_writable(hint):
            known = "bool, int, float, str, Literal, components, tuples and unions of these"
            shown = getattr(hint, "__name__", hint)
            raise TypeError(f"{parameter} has the type {shown}; a suite can only write {known}")


def _is_mutable(hint: Any) -> bool:
    """Whether a type holds lists, sets or dicts, which a hashable component cannot have."""
    kind = get_origin(hint) or hint
    return kind in (list, set, dict) or any(_is_mutable(part) for part in get_args(hint))


def _is_writable(hint: Any) -> bool:
    """Whether some value in a suite may be of a type."""
    kind, inside = get_origin(hint) or hint, get_args(hint)
    if kind is Literal or hint is Any:
        return all(type(value) in (*_WRITTEN, types.NoneType) for value in inside)
    if kind in (Union, types.UnionType):
        return any(_is_writable(part) for part in inside if part is not types.NoneType)
    if kind is Annotated or isinstance(hint, NewType):
        return _is_writable(inside[0] if inside else hint.__supertype__)
    if not isinstance(kind, type):
        return True  # a type of a kind that is not known here; its values are checked
    if kind is tuple:
        return all(_is_writable(part) for part in inside if part is not ...)
    known = (Component, tuple, types.NoneType, *_WRITTEN)
    return issubclass(kind, Component) or any(issubclass(each, kind) for each in known)


_WRITTEN = (bool, int, float, str)


@cache
def _hints(cls: type[Component]) -> dict[str, Any]:
    """Return the types of a component's fields by name.

    Raises
    ------
    TypeError
        If an annotation says nothing when the program runs.
    """
    found = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type] # subclasses are dataclasses
        parents = (base for base in reversed(cls.__mro__) if issubclass(base, Component))
        tables = ((base, vars(base).get("__dataclass_fields__", {})) for base in parents)
        owner = next(base for base, table in tables if table.get(field.name) is field)
        place = f"{cls.__qualname__}: the parameter '{field.name}'"
        found[field.name] = resolved(field.type, owner.__module__, vars(owner), place)
    return found


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
    if len(path) > 2 * DEEPEST:  # each of the deepest may be in a list
        raise SpecError(path[:2], "is nested too deeply")
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
) -> dict[str, SpecError]:
    """Return one sentence about each bad parameter, with its place."""
    by_parameter: dict[str, list[Mapping[str, Any]]] = {}
    for error in errors:
        by_parameter.setdefault(str(error["loc"][0]), []).append(error)
    found = {}
    for parameter, same in by_parameter.items():
        if same[0]["type"] == "missing":
            found[parameter] = SpecError(path, f"{cls.name} needs the parameter '{parameter}'")
            continue
        given = same[0]["input"]
        wanted = dict.fromkeys(
            error["msg"].removeprefix("Input ").replace("should be", "must be") for error in same
        )
        hint = ""
        if isinstance(given, str) and any("instance of" in each for each in wanted):
            hint = f'; write a table, such as {{ name = "{given}" }}'
        problem = f"{' or '.join(wanted)}, not {given!r}{hint}"
        found[parameter] = SpecError((*path, parameter), problem)
    return found
