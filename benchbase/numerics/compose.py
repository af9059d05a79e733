"""What solvers need that start another solver from given estimates."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from benchbase.component import Array
from benchbase.interfaces import Inverse, Solver
from benchbase.problem import Problem, Recovery


class _Given(Solver):
    """Returns the first entry of a list, whatever it is at the time of the call."""

    name = "given"
    starts: list[Array]

    def __init__(self, *, starts: list[Array]) -> None:
        object.__setattr__(self, "starts", starts)  # the list itself, which the caller changes

    def prepare(self, problem: Problem) -> Inverse:
        del problem
        return lambda *_: Recovery(x=self.starts[0])


def has_init(solver: Solver) -> bool:
    """Return whether a solver takes its start from a field `init`."""
    return any(field.name == "init" for field in fields(solver))


def starting_at(solver: Solver, starts: list[Array]) -> Solver:
    """Return a copy of a solver that starts from given estimates.

    It is for solvers that start another solver several times.

    Parameters
    ----------
    solver : Solver
        A solver with a field `init` (see `has_init`).
    starts : list of ndarray
        Its first entry holds the starts (S, N) of the signals that the solver is called with. The
        list is read at each call, so a solver that is prepared once can be called with one start
        after the other.

    Returns
    -------
    Solver
        The copy. It is not for suites, since it has no spec.
    """
    changed: Any = {"init": _Given(starts=starts)}
    return replace(solver, **changed)
