"""One solver after the other, for the signals that are not solved yet."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_restarts.rounds import run_rounds


class Fallback(benchbase.Solver):
    """Run solvers in turn on the signals that are not solved, and keep the least residual.

    For a cheap solver that solves most signals and a thorough one for the rest. Solvers that do
    not apply to the problem are passed over; where none applies the reason is that of the last.
    Solver i runs in the phase "turn i". The result's iterations are those of all solvers that a
    signal took part in; it has converged if it is solved.

    Parameters
    ----------
    solvers : tuple of Solver
        In their order.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.

    Raises
    ------
    ParameterError
        If there is no solver, or `tol` is negative or not finite.
    """

    name = "fallback"
    solvers: tuple[benchbase.Solver, ...]
    tol: float = 1e-8

    def __post_init__(self) -> None:
        if not self.solvers:
            raise benchbase.ParameterError("solvers", "must be one or more")
        if not 0 <= self.tol < np.inf:
            raise benchbase.ParameterError("tol", f"must be finite and at least 0, not {self.tol}")

    def unsupported(self, problem: Problem) -> str | None:
        """Say why no solver applies, or None where one does."""
        reasons = [solver.unsupported(problem) for solver in self.solvers]
        return None if None in reasons else reasons[-1]

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the solvers that apply."""
        rounds = [
            (f"turn {turn}", solver.prepare(problem))
            for turn, solver in enumerate(self.solvers)
            if solver.unsupported(problem) is None
        ]

        def inverse(b: Array, run: Run) -> Recovery:
            return run_rounds(problem, rounds, b, run, self.tol)

        return inverse
