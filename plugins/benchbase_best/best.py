"""The composition that we recommend without training signals."""

from dataclasses import field
from typing import Any

import benchbase
from benchbase import Inverse, Problem


def _solver(spec: dict[str, Any]) -> Any:
    """Return what makes a solver of the installed plugins, for a field's default."""
    return field(default_factory=lambda: benchbase.build("solver", spec))


LOOSE = 1e-3  # residual at which least squares take over: the last digits cost a search the most


def search(runs: int, n_iter: int) -> dict[str, Any]:
    """Return the spec of a number of runs of `rrr`, each made exact by damped least squares."""
    rrr = {"name": "rrr", "n_iter": n_iter, "tol": LOOSE}
    run = {"name": "levenberg_marquardt", "n_iter": 15, "init": rrr}
    return {"name": "restarts", "n": runs, "solver": run}


def passing(start: str) -> dict[str, Any]:
    """Return the spec of message passing from a start, and the search for what it leaves."""
    gamp = {"name": "levenberg_marquardt", "init": {"name": "gamp", "init": {"name": start}}}
    return {"name": "fallback", "solvers": [gamp, search(10, 3000)]}


class Best(benchbase.Solver):
    """What we recommend where there are no training signals.

    By pooling and dimension. In few dimensions up to 300 short runs of `rrr`, each followed by
    damped least squares, which finish what a run has begun in a hundredth of the time: n = 40, 2
    frames × 50 signals, success .95 at K = 43 for p = 2 and .98 at K = 47 for p = inf; 25 runs of
    2,000 iterations without least squares come to .89 at K = 44 and .95 at K = 48. In many
    dimensions, where a search takes long and what is random averages out, `gamp` from the spectral
    start, or from the linear one where the sign is kept; then a search for the signals that it
    leaves.

    Parameters
    ----------
    few : Solver, optional
        For fewer dimensions than `many`.
    even, signed : Solver, optional
        For more, where the sign is lost, and where it is kept.
    noisy : Solver, optional
        In the place of `few` where measurements have noise: no signal is ever solved, so that all
        runs are made for each.
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
        """Say what the solver that would be used says."""
        return self.chosen(problem).unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the solver that is used on the problem."""
        return self.chosen(problem).prepare(problem)
