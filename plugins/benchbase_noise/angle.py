"""Hints (first guesses) at a given angle from the signal, and the start that returns them."""

from collections.abc import Sequence

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class Angle(benchbase.Hint):
    """A first guess at a given angle from the signal, in a random direction, with its norm.

    It is made from the signal itself, for experiments about starts.

    Parameters
    ----------
    degrees : float, optional
        The angle, from 0 to 180. In dimension 1, where there is no other direction, the hint is
        the signal up to 90 degrees and its negative beyond.

    Raises
    ------
    ParameterError
        If `degrees` is not from 0 to 180.
    """

    name = "angle"
    degrees: float = 45.0

    def __post_init__(self) -> None:
        benchbase.check_range("degrees", self.degrees, least=0, most=180)

    def guess(self, x: Array, generators: Sequence[np.random.Generator]) -> Array:
        """Return x cos θ + w sin θ with a random w ⟂ x, ‖w‖ = ‖x‖, for signals x (S, N)."""
        angle, n = np.deg2rad(self.degrees), x.shape[1]
        if n == 1:
            return float(np.copysign(1, np.cos(angle))) * x
        size = np.linalg.norm(x, axis=1, keepdims=True)
        unit = x / np.where(size > 0, size, 1)
        w = np.stack([g.standard_normal(n) for g in generators]).reshape(x.shape)
        for _ in range(
            2
        ):  # the second time removes what rounding left if w was nearly parallel to x
            w -= np.sum(w * unit, axis=1, keepdims=True) * unit
        w *= size / np.linalg.norm(w, axis=1, keepdims=True)
        guess: Array = np.cos(angle) * x + np.sin(angle) * w
        return guess


class HintStart(benchbase.Solver):
    """The start that returns the problem's hint, for experiments about starts.

    It needs a problem with a hint, such as ``hint = { name = "angle", degrees = 30 }``. A solver
    that starts from it does not recover signals from measurements alone: the experiment is about
    the solver's basin of attraction.
    """

    name = "hint"

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason if the problem has no hint."""
        if not problem.hint:
            return "needs a problem with a hint (hint = { name = 'angle' } in the suite)"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Return the inverse that returns the hint; there is nothing to prepare."""
        del problem

        def inverse(b: Array, run: Run) -> Recovery:
            del b
            assert run.hint is not None  # noqa: S101 # for mypy; `unsupported` has refused such problems
            return Recovery(x=run.hint)

        return inverse
