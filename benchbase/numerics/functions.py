"""Solvers written as one function, for one signal."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import numpy as np

from benchbase.component import Array, resolved
from benchbase.interfaces import Inverse, Solver
from benchbase.numerics.instance import own_copy
from benchbase.problem import Problem, Recovery, Run

MARK = "__benchbase_solver__"
Marked = TypeVar("Marked", bound=Callable[..., Any])
_GIVEN = ("frame", "pooling", "b", "rng")


def solver(source: Marked) -> Marked:
    """Mark a solver so that ``--plugin FILE.py`` and `benchbase.run` find it.

    Parameters
    ----------
    source : type or function
        A `Solver` class, or a function ``f(frame, pooling, b, rng) -> x`` that recovers one signal
        x of shape (N,) from measurements b of shape (K,). Its arguments may stand in any order, as
        they are given by their names. The function's name is the solver's; keyword-only arguments
        with annotations and defaults are its parameters.

    Returns
    -------
    type or function
        `source`, unchanged.

    Raises
    ------
    TypeError
        If `source` is neither of them.

    Examples
    --------
    >>> import benchbase
    >>> @benchbase.solver
    ... def back_projection(frame, pooling, b, rng, *, power: float = 1.0):
    ...     y = pooling.rescale(frame.analyse(rng.standard_normal(frame.n)), b**power)
    ...     return frame.least_squares(y)
    """
    cls = source if inspect.isclass(source) else _from_function(source)
    if not issubclass(cls, Solver):
        raise TypeError(f"@benchbase.solver marks a Solver class or a function, not {source!r}")
    setattr(source, MARK, cls)
    return source


def solver_class(source: Any) -> type[Solver]:
    """Return the `Solver` class of a class, or of a function marked with `solver`."""
    cls = getattr(source, "__dict__", {}).get(MARK, source)
    if not (inspect.isclass(cls) and issubclass(cls, Solver)):
        raise TypeError(f"{source!r} is neither a Solver class nor marked with @benchbase.solver")
    return cls


class _FunctionSolver(Solver):
    """A solver that calls a function for each signal."""

    function: ClassVar[Callable[..., Array]]
    given: ClassVar[tuple[str, ...]]
    """The names of the function's arguments, in its order."""

    def prepare(self, problem: Problem) -> Inverse:
        fields = dataclasses.fields(self)
        parameters = {field.name: getattr(self, field.name) for field in fields}

        def inverse(b: Array, run: Run) -> Recovery:
            rows = []
            for row, rng in zip(map(own_copy, b), run.generators, strict=True):
                known = {"frame": problem.frame, "pooling": problem.pooling, "b": row, "rng": rng}
                given = (known[name] for name in self.given)
                x = np.asarray(type(self).function(*given, **parameters))
                if x.shape != (n := problem.frame.n,):
                    told = f"an estimate of shape {x.shape}, not {(n,)}"
                    raise ValueError(f"the solver returned {told}, the shape of a signal")
                rows.append(x)
            return Recovery(x=np.stack(rows))

        return inverse


def _from_function(function: Callable[..., Any]) -> type[Solver]:
    arguments = inspect.signature(function).parameters.values()
    given = tuple(a.name for a in arguments if a.kind is not a.KEYWORD_ONLY)
    options = [a for a in arguments if a.kind is a.KEYWORD_ONLY]
    name = function.__name__
    if sorted(given) != sorted(_GIVEN):
        wanted = f"takes ({', '.join(_GIVEN)}), and parameters after a *"
        raise TypeError(f"{name}: a solver's function {wanted}, not ({', '.join(given)})")
    hints = {}
    for option in options:
        place = f"{name}: the parameter '{option.name}'"
        if option.annotation is option.empty or option.default is option.empty:
            raise TypeError(f"{place} needs a type and a default")
        if option.name in {*dir(_FunctionSolver), *_FunctionSolver.__annotations__}:
            raise TypeError(f"{place} needs another name, as each solver has something called so")
        hints[option.name] = resolved(option.annotation, function.__module__, {}, place)
    body: dict[str, Any] = {
        "name": name,
        "function": staticmethod(function),
        "given": given,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__annotations__": hints,
    }
    return type(name, (_FunctionSolver,), body | {o.name: o.default for o in options})
