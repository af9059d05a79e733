"""Solvers that start others from what they have found."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from benchbase.component import Array
from benchbase.interfaces import Inverse, Solver
from benchbase.problem import Problem, Recovery


class _Given(Solver):
    """Gives the starts that a list holds when it is called."""

    name = "given"
    starts: list[Array]

    def prepare(self, problem: Problem) -> Inverse:
        del problem
        return lambda *_: Recovery(x=self.starts[0])


def has_init(solver: Solver) -> bool:
    """Whether a solver takes its start from a field `init`."""
    return any(field.name == "init" for field in fields(solver))


def starting_at(solver: Solver, starts: list[Array]) -> Solver:
    """Return a solver with its start given: for solvers that start another several times.

    Parameters
    ----------
    solver : Solver
        One with a field `init` (`has_init`).
    starts : list of ndarray
        Its first entry is the starts (S, N) of the signals that the solver is called with; looked
        at with each call, so that a prepared solver can be called with one start after the other.

    Returns
    -------
    Solver
        The same with another `init`; not for suites, as it has no spec.
    """
    changed: Any = {"init": _Given(starts=starts)}
    return replace(solver, **changed)
