"""Hints at a given angle from the signal, and the start that takes them."""

from collections.abc import Sequence

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class Angle(benchbase.Hint):
    """A vector of the signal's norm at a given angle from it, in a random direction.

    Parameters
    ----------
    degrees : float, optional
        The angle, from 0 to 180. Of signals of dimension 1, which have no other direction, the
        hint is the signal up to 90 degrees, and its negative beyond.

    Raises
    ------
    ParameterError
        If `degrees` is outside of that.
    """

    name = "angle"
    degrees: float = 45.0

    def __post_init__(self) -> None:
        benchbase.check_range("degrees", self.degrees, least=0, most=180)

    def guess(self, x: Array, generators: Sequence[np.random.Generator]) -> Array:
        """Return x cos θ + w sin θ with w ⟂ x, ‖w‖ = ‖x‖: (S, N) to (S, N)."""
        angle, n = np.deg2rad(self.degrees), x.shape[1]
        if n == 1:
            return float(np.copysign(1, np.cos(angle))) * x
        size = np.linalg.norm(x, axis=1, keepdims=True)
        unit = x / np.where(size > 0, size, 1)
        w = np.stack([g.standard_normal(n) for g in generators]).reshape(x.shape)
        for _ in range(2):  # once more for what rounding left, where w was all but parallel to x
            w -= np.sum(w * unit, axis=1, keepdims=True) * unit
        w *= size / np.linalg.norm(w, axis=1, keepdims=True)
        guess: Array = np.cos(angle) * x + np.sin(angle) * w
        return guess


class HintStart(benchbase.Solver):
    """The first guess that the problem brings: a start for studies of starts.

    For problems with a hint, such as ``hint = { name = "angle", degrees = 30 }``. What comes of it
    is an experiment about a solver's basin of attraction, not a recovery from measurements.
    """

    name = "hint"

    def unsupported(self, problem: Problem) -> str | None:
        """Say so where the problem has no hint."""
        if not problem.hint:
            return "hint is for problems with a hint (hint = { name = 'angle' } in the suite)"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare nothing."""
        del problem

        def inverse(b: Array, run: Run) -> Recovery:
            del b
            assert run.hint is not None  # noqa: S101 # for mypy; `unsupported` has refused it
            return Recovery(x=run.hint)

        return inverse
