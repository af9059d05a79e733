"""One solver after the other, each for the signals that are not solved yet."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class Fallback(benchbase.Solver):
    """Run solvers in turn on the signals that are not solved yet; keep the best estimates.

    For each signal the estimate with the least measurement residual is kept. `fallback` is meant
    for a cheap solver that solves most signals, followed by a thorough one for the rest. Solvers
    that do not apply to the problem are skipped; if none applies, the reason given is that of the
    last. Solver i runs in the phase "turn i". The number of iterations of a signal is the sum over
    all solvers that ran on it. A signal has converged if it is solved.

    Parameters
    ----------
    solvers : tuple of Solver
        The solvers, in the order in which they run.
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
        benchbase.check_range("tol", self.tol, least=0, below=np.inf)

    def unsupported(self, problem: Problem) -> str | None:
        """Return why no solver applies (the last solver's reason), or None if one does."""
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
            return benchbase.run_rounds(problem, rounds, b, run, self.tol)

        return inverse
