"""Running several solvers in turn, each on the signals that are not solved yet."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchbase.component import Array
from benchbase.interfaces import Inverse
from benchbase.problem import Problem, Recovery, Run


class BestSoFar:
    """Keeps, of all estimates that are offered, those with the least measurement residual.

    The first estimates are kept whatever their residual, even if it is not a number, so that the
    result shows that a solver has failed.

    Parameters
    ----------
    problem : Problem
        Frame and pooling.
    b : ndarray, shape (S, K)
        The measurements.
    tol : float
        The relative residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    """

    def __init__(self, problem: Problem, b: Array, tol: float) -> None:
        self._problem, self._b, self._tol = problem, b, tol
        self._residual = np.full(len(b), np.inf)
        self._x: Array | None = None
        self._n_iter: Array | None = np.zeros(len(b), dtype=np.int64)

    def unsolved(self) -> Array:
        """Return the indices of the signals that no estimate has solved yet."""
        return np.flatnonzero(~(self._residual <= self._tol))

    def offer(self, rows: Array, recovery: Recovery) -> None:
        """Keep the estimates that are better than those before, and add up the iterations.

        Parameters
        ----------
        rows : ndarray of int, shape (R,)
            The signals. The first offer is for all of them.
        recovery : Recovery
            Their estimates, (R, N). If a recovery has no `n_iter`, the result has none either.
        """
        if self._x is None:
            self._x = np.array(recovery.x)
        residual = self._problem.residual(recovery.x, self._b[rows])
        better = residual < self._residual[rows]
        self._x[rows[better]] = recovery.x[better]
        self._residual[rows[better]] = residual[better]
        if self._n_iter is not None and recovery.n_iter is not None:
            self._n_iter[rows] += recovery.n_iter
        else:
            self._n_iter = None

    def recovery(self) -> Recovery:
        """Return the estimates. The signals that are solved have converged.

        Raises
        ------
        ValueError
            If nothing was offered.
        """
        if self._x is None:
            raise ValueError("no estimates were offered")
        return Recovery(x=self._x, n_iter=self._n_iter, converged=self._residual <= self._tol)


def run_rounds(
    problem: Problem, rounds: Iterable[tuple[str, Inverse]], b: Array, run: Run, tol: float
) -> Recovery:
    """Run prepared solvers in turn on the signals not solved yet, and keep the best estimates.

    Parameters
    ----------
    problem : Problem
        The problem that they were prepared for.
    rounds : iterable of (str, Inverse)
        For each round, the name of its phase, which has its own streams, and the prepared solver.
        There must be at least one round.
    b : ndarray, shape (S, K)
        The measurements.
    run : Run
        The run of these signals.
    tol : float
        The relative residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved. It then takes part in
        no further round.

    Returns
    -------
    Recovery
        The estimates with the least residual. The iterations of a signal are those of all rounds
        that it took part in. It has converged if it is solved.
    """
    best = BestSoFar(problem, b, tol)
    todo = np.arange(len(b))
    for number, (name, inverse) in enumerate(rounds):
        if number and not todo.size:
            break
        with run.phase(name) as phase:
            recovery = inverse(b[todo], phase.rows(todo))
        best.offer(todo, recovery)  # outside the phase, which does not pay for this measurement
        todo = best.unsolved()
    return best.recovery()
