"""A solver run from several starts."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class Restarts(benchbase.Solver):
    """Run a solver from several starts and keep the estimate that fits best.

    For each signal the estimate with the least measurement residual is kept. Round r runs the inner
    solver on the signals that are not solved yet, in the phase "start r", which has its own random
    streams. The first rounds are therefore the same however many follow, and a single round is the
    inner solver itself, run in the phase "start 0".

    The number of iterations of a signal is the sum over all rounds that it took part in. A signal
    has converged if it is solved.

    Parameters
    ----------
    solver : Solver
        The inner solver; it should draw its start at random.
    n : int, optional
        The number of rounds.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved and takes
        part in no further round.

    Raises
    ------
    ParameterError
        If `n` is less than 1, or `tol` is negative or not finite.
    """

    name = "restarts"
    solver: benchbase.Solver
    n: int = 20
    tol: float = 1e-8

    def __post_init__(self) -> None:
        benchbase.check_range("n", self.n, least=1)
        benchbase.check_range("tol", self.tol, least=0, below=np.inf)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the inner solver, once for all rounds."""
        inner = self.solver.prepare(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            rounds = ((f"start {r}", inner) for r in range(self.n))
            return benchbase.run_rounds(problem, rounds, b, run, self.tol)

        return inverse
