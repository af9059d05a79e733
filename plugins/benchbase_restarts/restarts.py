"""The best of several starts of another solver."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


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
            best = np.full(len(b), np.inf)
            n_iter: Array | None = np.zeros(len(b), dtype=np.int64)
            x = np.empty(0)
            for r in range(self.n):
                todo = np.flatnonzero(~(best <= self.tol))
                if not todo.size:
                    break
                with run.phase(f"start {r}") as phase:
                    recovery = inner(b[todo], phase.rows(todo))
                if r == 0:  # kept whatever it is, so that a solver that fails is seen to fail
                    x = np.array(recovery.x)
                residual = problem.residual(recovery.x, b[todo])
                better = residual < best[todo]
                x[todo[better]] = recovery.x[better]
                best[todo[better]] = residual[better]
                if n_iter is not None and recovery.n_iter is not None:
                    n_iter[todo] += recovery.n_iter
                else:
                    n_iter = None
            return Recovery(x=x, n_iter=n_iter, converged=best <= self.tol)

        return inverse
