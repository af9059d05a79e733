"""Rounds of solvers, each on the signals that are not solved yet."""

from collections.abc import Iterable

import numpy as np

from benchbase import Array, Inverse, Problem, Recovery, Run


def run_rounds(
    problem: Problem, rounds: Iterable[tuple[str, Inverse]], b: Array, run: Run, tol: float
) -> Recovery:
    """Run prepared solvers in rounds and keep, for each signal, the least measurement residual.

    Parameters
    ----------
    problem : Problem
        The measurements.
    rounds : iterable of (str, Inverse)
        The name of each round's phase, and what recovers signals in it; at least one.
    b : ndarray, shape (S, K)
        The measurements.
    run : Run
        Of these signals.
    tol : float
        The relative residual at which a signal is solved and takes part in no further round.

    Returns
    -------
    Recovery
        Iterations are those of all rounds that a signal took part in; it has converged if it is
        solved.
    """
    best = np.full(len(b), np.inf)
    n_iter: Array | None = np.zeros(len(b), dtype=np.int64)
    x: Array | None = None
    for name, inverse in rounds:
        todo = np.flatnonzero(~(best <= tol))
        if x is not None and not todo.size:
            break
        with run.phase(name) as phase:
            recovery = inverse(b[todo], phase.rows(todo))
        if x is None:  # kept whatever it is, so that a solver that fails is seen to fail
            x = np.array(recovery.x)
        residual = problem.residual(recovery.x, b[todo])
        better = residual < best[todo]
        x[todo[better]] = recovery.x[better]
        best[todo[better]] = residual[better]
        if n_iter is not None and recovery.n_iter is not None:
            n_iter[todo] += recovery.n_iter
        else:
            n_iter = None
    assert x is not None  # noqa: S101 # for mypy; there is a round
    return Recovery(x=x, n_iter=n_iter, converged=best <= tol)
