"""The composition of solvers that we recommend if there are training signals."""

from dataclasses import field
from typing import Any

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run

PRIOR: dict[str, Any] = {"name": "local_prior", "solver": {"name": "rrr", "n_iter": 300}}
POLISH: dict[str, Any] = {"name": "rrr", "n_iter": 2000}


class BestWithData(benchbase.Solver):
    """The combination that we recommend if there are training signals like those to recover.

    `prior` gives an estimate from measurements and training signals. If more pools than there are
    dimensions have a nonzero measurement, they determine the signal: then `polish` starts at the
    estimate, and `search` goes on with the signals that `polish` does not solve. With fewer such
    pools many signals have the same measurements, and the estimate of `prior` is the result.

    Parameters
    ----------
    prior : Solver, optional
        A solver that uses the training signals.
    polish : Solver, optional
        A solver that takes a start as `init`.
    search : Solver, optional
        A solver that needs no start.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.

    Raises
    ------
    ParameterError
        If `polish` has no `init`, or `tol` is negative or not finite.
    """

    name = "best_with_data"
    prior: benchbase.Solver = field(default_factory=lambda: benchbase.build("solver", PRIOR))
    polish: benchbase.Solver = field(default_factory=lambda: benchbase.build("solver", POLISH))
    search: benchbase.Solver = field(
        default_factory=lambda: benchbase.build("solver", {"name": "best"})
    )
    tol: float = 1e-8

    def __post_init__(self) -> None:
        if not benchbase.has_init(self.polish):
            message = f"must take a start as init; {self.polish.name} does not"
            raise benchbase.ParameterError("polish", message)
        benchbase.check_range("tol", self.tol, least=0, below=np.inf)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the three solvers."""
        starts: list[Array] = []
        prior, search = self.prior.prepare(problem), self.search.prepare(problem)
        polish = benchbase.starting_at(self.polish, starts).prepare(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            with run.phase("prior") as phase:
                first = prior(b, phase)
            x = np.array(first.x, dtype=np.float64)
            n_iter = np.zeros(len(b), dtype=np.int64)
            if first.n_iter is not None:
                n_iter += first.n_iter
            gap = problem.residual(x, b)
            determined = np.count_nonzero(b, axis=1) > problem.frame.n
            for name, step in (("polish", polish), ("search", search)):
                todo = np.flatnonzero(determined & ~(gap <= self.tol))
                if not todo.size:
                    break
                starts[:] = [x[todo]]
                with run.phase(name) as phase:
                    recovery = step(b[todo], phase.rows(todo))
                residual = problem.residual(recovery.x, b[todo])
                better = residual < gap[todo]
                if name == "search":
                    # A search knows nothing of the training signals: unless its estimate fits the
                    # measurements, the likely one of the prior is the better of the two.
                    better &= residual <= max(self.tol, 1e-6)
                x[todo[better]], gap[todo[better]] = recovery.x[better], residual[better]
                if recovery.n_iter is not None:
                    n_iter[todo] += recovery.n_iter
            return Recovery(x=x, n_iter=n_iter, converged=gap <= self.tol)

        return inverse
