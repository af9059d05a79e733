"""Solvers written as one function, for one signal."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, get_type_hints

import numpy as np

from benchbase.component import Array
from benchbase.interfaces import Inverse, Solver
from benchbase.numerics.instance import own_copy
from benchbase.problem import Problem, Recovery, Run

MARK = "__benchbase_solver__"
Marked = TypeVar("Marked", bound=Callable[..., Any])
_POSITIONS = ("frame", "pooling", "b", "rng")


def solver(source: Marked) -> Marked:
    """Mark a solver so that ``--plugin FILE.py`` and `benchbase.run` find it.

    Parameters
    ----------
    source : type or function
        A `Solver` class, or a function ``f(frame, pooling, b, rng) -> x`` that recovers one signal
        x of shape (N,) from measurements b of shape (K,). The function's name is the solver's;
        keyword-only arguments with annotations and defaults are its parameters.

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

    def prepare(self, problem: Problem) -> Inverse:
        fields = dataclasses.fields(self)
        parameters = {field.name: getattr(self, field.name) for field in fields}

        def inverse(b: Array, run: Run) -> Recovery:
            given = zip(map(own_copy, b), run.generators, strict=True)
            rows = [
                type(self).function(problem.frame, problem.pooling, row, rng, **parameters)
                for row, rng in given
            ]
            x = [np.asarray(row) for row in rows]
            for row in x:
                if row.shape != (n := problem.frame.n,):
                    problem_said = f"an estimate of shape {row.shape}, not {(n,)}"
                    raise ValueError(f"the solver returned {problem_said}, the shape of a signal")
            return Recovery(x=np.stack(x))

        return inverse


def _from_function(function: Callable[..., Any]) -> type[Solver]:
    arguments = inspect.signature(function).parameters.values()
    positional = tuple(a.name for a in arguments if a.kind is not a.KEYWORD_ONLY)
    options = [a for a in arguments if a.kind is a.KEYWORD_ONLY]
    name = function.__name__
    if len(positional) != len(_POSITIONS):
        raise TypeError(f"{name}: a solver takes (frame, pooling, b, rng), not {positional}")
    hints = get_type_hints(function)
    for option in options:
        if option.name not in hints or option.default is option.empty:
            raise TypeError(f"{name}: the parameter '{option.name}' needs a type and a default")
    body: dict[str, Any] = {
        "name": name,
        "function": staticmethod(function),
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__annotations__": {option.name: hints[option.name] for option in options},
    }
    return type(name, (_FunctionSolver,), body | {o.name: o.default for o in options})
