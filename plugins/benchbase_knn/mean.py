"""The mean of the training signals, as a baseline."""

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_knn.fit import fit
from benchbase_knn.index import blocks


class Mean(benchbase.Solver):
    """The mean training signal, scaled to fit the measurements: a baseline for other solvers.

    Scale and sign are chosen as by `knn`, so that the measurements of the estimate fit b best. If
    the training signals are centred, the estimate is zero.
    """

    name = "mean"

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason if there are no training signals."""
        if problem.training is None or len(problem.training) == 0:
            return "needs training signals"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Compute the mean of the training signals."""
        assert problem.training is not None  # noqa: S101 # for mypy; `unsupported` has refused such problems
        training = problem.training
        total, power = np.zeros(problem.frame.n), 0.0
        for block in blocks(len(training), problem.frame.n):
            signals = training[block].astype(np.float64)
            total += signals.sum(axis=0)
            power += float(np.sum(signals**2))
        typical = np.sqrt(power / len(training))
        size = np.linalg.norm(total)
        # The mean of centred signals is rounding error, whose direction is arbitrary.
        negligible = size <= 1e-6 * typical * len(training)
        direction = np.zeros_like(total) if negligible else total / size

        def inverse(b: Array, run: Run) -> Recovery:
            del run
            everywhere = np.broadcast_to(direction, (len(b), len(direction)))
            return Recovery(x=fit(problem, everywhere, b, np.full(len(b), 4 * typical)))

        return inverse
