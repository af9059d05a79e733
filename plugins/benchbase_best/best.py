"""The composition of solvers that we recommend if there are no training signals."""

from dataclasses import field
from typing import Any

import benchbase
from benchbase import Inverse, Problem


def _solver(spec: dict[str, Any]) -> Any:
    """Return a dataclass field whose default is built from a spec by the installed plugins."""
    return field(default_factory=lambda: benchbase.build("solver", spec))


# The residual at which least squares take over: the last digits take a search the most time.
LOOSE = 1e-3


def search(runs: int, n_iter: int) -> dict[str, Any]:
    """Return the spec of `runs` runs of `rrr`, each followed by damped least squares."""
    rrr = {"name": "rrr", "n_iter": n_iter, "tol": LOOSE}
    run = {"name": "levenberg_marquardt", "n_iter": 15, "init": rrr}
    return {"name": "restarts", "n": runs, "solver": run}


def passing(start: str) -> dict[str, Any]:
    """Return the spec of message passing from a start, then a search for the unsolved signals."""
    gamp = {"name": "levenberg_marquardt", "init": {"name": "gamp", "init": {"name": start}}}
    return {"name": "fallback", "solvers": [gamp, search(10, 3000)]}


class Best(benchbase.Solver):
    """The combination of solvers that we recommend if there are no training signals.

    It chooses by pooling and dimension. In few dimensions it makes up to 300 short runs of `rrr`.
    Damped least squares follow each run; they finish what the run has begun in a hundredth of the
    time. With n = 40 and 2 frames × 50 signals the success rate is .95 at K = 43 for p = 2 and .98
    at K = 47 for p = inf; 25 runs of 2,000 iterations without least squares come to .89 at K = 44
    and .95 at K = 48. In many dimensions a search takes long, while random fluctuations average
    out. There it runs `gamp` from the spectral start, or from the linear start if measurements keep
    the sign, and then a search for the signals that `gamp` does not solve.

    Parameters
    ----------
    few : Solver, optional
        The solver in fewer dimensions than `many`, if measurements have no noise.
    even, signed : Solver, optional
        The solvers in at least `many` dimensions: `even` if measurements lose the sign of the
        signal, `signed` if they keep it.
    noisy : Solver, optional
        The solver in the place of `few` if measurements have noise. Then no signal is ever solved,
        so that all runs are made for each signal.
    many : int, optional
        The dimension from which on `even` and `signed` are used.
    """

    name = "best"
    few: benchbase.Solver = _solver(search(300, 500))
    even: benchbase.Solver = _solver(passing("spectral"))
    signed: benchbase.Solver = _solver(passing("linear"))
    noisy: benchbase.Solver = _solver(search(30, 500))
    many: int = 80

    def chosen(self, problem: Problem) -> benchbase.Solver:
        """Return the solver that is used on a problem."""
        if problem.frame.n < self.many:
            return self.few if problem.noise == 0 else self.noisy
        return self.even if problem.pooling.even else self.signed

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver that would be used does not apply, or None if it does."""
        return self.chosen(problem).unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the solver that is used on the problem."""
        return self.chosen(problem).prepare(problem)
