"""The better of the two signs of a start."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


class BothSigns(benchbase.Solver):
    """Run a solver from x0 and from −x0 and keep the smaller measurement residual.

    Where measurements tell x from −x, as with half rectification, a start whose sign is arbitrary
    (drawn at random, or a principal component of neighbours) may lie on the wrong side, which
    alternating minimisation does not leave. Where the sign is lost the two runs would be one, and
    only the first is made; so is it for signals that are then solved.

    The result's iterations are those of both runs that a signal took part in; it has converged
    if it is solved.

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
            problem = f"must have a solver as its init, as in init = {{ name = {'gaussian'!r} }}"
            raise benchbase.ParameterError("solver", f"{problem}; {self.solver.name} has none")
        if not 0 <= self.tol < np.inf:
            raise benchbase.ParameterError("tol", f"must be finite and at least 0, not {self.tol}")

    @property
    def _start(self) -> benchbase.Solver:
        start: benchbase.Solver = getattr(self.solver, "init")  # noqa: B009 # not all have it
        return start

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the start, and the inner solver for starts that are given."""
        if problem.pooling.even:
            return self.solver.prepare(problem)
        first = self._start.prepare(problem)
        given: list[Array] = []
        inner = benchbase.starting_at(self.solver, given).prepare(problem)

        def inverse(b: Array, run: Run) -> Recovery:
            with run.phase("init") as phase:
                x0 = np.asarray(first(b, phase).x)
            given[:] = [x0]
            recovery = inner(b, run)
            residual = problem.residual(recovery.x, b)
            todo = np.flatnonzero(~(residual <= self.tol))
            x, n_iter = np.array(recovery.x), recovery.n_iter
            if todo.size:
                given[:] = [-x0[todo]]
                other = inner(b[todo], run.rows(todo))
                gap = problem.residual(other.x, b[todo])
                better = gap < residual[todo]
                x[todo[better]] = other.x[better]
                residual[todo[better]] = gap[better]
                if n_iter is not None and other.n_iter is not None:
                    n_iter = np.array(n_iter)
                    n_iter[todo] += other.n_iter
            return Recovery(x=x, n_iter=n_iter, converged=residual <= self.tol)

        return inverse
