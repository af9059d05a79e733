"""A solver run from a start and from its negative."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class BothSigns(benchbase.Solver):
    """Run a solver from a start and from its negative; keep the estimate that fits better.

    For each signal the estimate with the smaller measurement residual is kept. If measurements tell
    x from −x, as with half rectification, a start whose sign is arbitrary (drawn at random, or a
    principal component of neighbours) may lie on the wrong side, which alternating minimisation
    does not leave. The second run is made only for signals that the first has not solved, and only
    if measurements keep the sign: otherwise the two runs would be the same.

    The number of iterations of a signal is the sum over all runs that it took part in. A signal has
    converged if it is solved.

    Parameters
    ----------
    solver : Solver
        The inner solver. It must have a field `init` with a solver that gives its start, such as
        ``{ name = "gaussian" }`` or ``{ name = "knn" }``.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.

    Raises
    ------
    ParameterError
        If `solver` has no `init`, or `tol` is negative or not finite.
    """

    name = "both_signs"
    solver: benchbase.Solver
    tol: float = 1e-8

    def __post_init__(self) -> None:
        if not isinstance(getattr(self.solver, "init", None), benchbase.Solver):
            message = f"must have a solver as its init, as in init = {{ name = {'gaussian'!r} }}"
            raise benchbase.ParameterError("solver", f"{message}; {self.solver.name} has none")
        benchbase.check_range("tol", self.tol, least=0, below=np.inf)

    @property
    def _start(self) -> benchbase.Solver:
        start: benchbase.Solver = getattr(self.solver, "init")  # noqa: B009 # not all have it
        return start

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the solver that gives the start, and the inner solver for given starts."""
        if problem.pooling.even:
            return self.solver.prepare(problem)
        first = self._start.prepare(problem)
        given: list[Array] = []
        inner = benchbase.starting_at(self.solver, given).prepare(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            with run.phase("init") as phase:
                x0 = np.asarray(first(b, phase).x)
            best = benchbase.BestSoFar(problem, b, self.tol)
            given[:] = [x0]
            best.offer(np.arange(len(b)), inner(b, run))
            todo = best.unsolved()
            if todo.size:
                given[:] = [-x0[todo]]
                best.offer(todo, inner(b[todo], run.rows(todo)))
            return best.recovery()

        return inverse
