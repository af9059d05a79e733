"""The best of several starts of another solver."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_restarts.rounds import run_rounds


class Restarts(benchbase.Solver):
    """Run a solver from several starts and keep the least measurement residual.

    Round r runs the inner solver in the phase "start r", whose streams are its own, on the signals
    that are not solved yet. More rounds therefore repeat fewer ones and go on from there, and a
    single round is the inner solver itself, run in the phase "start 0".

    The result's iterations are those of all rounds that a signal took part in; it has converged
    if it is solved.

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
        If `n` is less than 1, or `tol` negative or not finite.
    """

    name = "restarts"
    solver: benchbase.Solver
    n: int = 20
    tol: float = 1e-8

    def __post_init__(self) -> None:
        if self.n < 1:
            raise benchbase.ParameterError("n", f"must be at least 1, not {self.n}")
        if not 0 <= self.tol < np.inf:
            raise benchbase.ParameterError("tol", f"must be finite and at least 0, not {self.tol}")

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the inner solver, once for all rounds."""
        inner = self.solver.prepare(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            rounds = ((f"start {r}", inner) for r in range(self.n))
            return run_rounds(problem, rounds, b, run, self.tol)

        return inverse
