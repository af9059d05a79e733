"""Calling a prepared solver, checking what it returns, and scoring it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchbase.component import Array
from benchbase.errors import check_real
from benchbase.interfaces import Inverse, Solver
from benchbase.numerics.functions import solver_class
from benchbase.numerics.streams import SignalRun, Snapshot, solver_keys
from benchbase.problem import Problem, Recovery, Run
from benchbase.tasks import Outcome, Solved


class RecoveryError(Exception):
    """A solver returned something that is not a `Recovery` of the right shape."""


def recover(inverse: Inverse, b: Array, run: Run, n: int) -> Recovery:
    """Call a prepared solver and check what it returns.

    The solver gets the signals whose measurements are finite. The estimates of the others are not
    numbers, so that one bad measurement loses one signal and not the batch.

    Raises
    ------
    RecoveryError
        If it does not return a `Recovery`, or one of the arrays has the wrong shape or type.
    """
    fine = np.isfinite(b).all(axis=1)
    if fine.all():
        return _checked(inverse(b, run), len(b), n)
    signals = np.flatnonzero(fine)
    lost = f"{len(b) - len(signals)} signals have measurements that are not finite"
    if not signals.size:
        return Recovery(x=np.full((len(b), n), np.nan), message=lost)
    part = b[signals]
    part.flags.writeable = False
    recovery = _checked(inverse(part, run.rows(signals)), len(signals), n)
    x = np.full((len(b), n), np.nan)
    x[signals] = recovery.x
    counts = None if recovery.n_iter is None else np.zeros(len(b))
    converged = None if recovery.converged is None else np.zeros(len(b), dtype=bool)
    for whole, own in ((counts, recovery.n_iter), (converged, recovery.converged)):
        if whole is not None:
            whole[signals] = own
    message = "; ".join(filter(None, (recovery.message, lost)))
    return Recovery(x=x, n_iter=counts, converged=converged, message=message)


def _checked(recovery: object, signals: int, n: int) -> Recovery:
    """Return what a solver gave for a number of signals, if it is a `Recovery` of them."""
    if not isinstance(recovery, Recovery):
        raise RecoveryError(f"the solver returned a {type(recovery).__name__}, not a Recovery")
    for name, wanted in {"x": (signals, n), "n_iter": (signals,), "converged": (signals,)}.items():
        value = getattr(recovery, name)
        if value is None and name != "x":
            continue
        shape = np.shape(value)
        if shape != wanted:
            raise RecoveryError(f"the solver returned {name} of shape {shape}, not {wanted}")
    if not np.can_cast(np.asarray(recovery.x).dtype, np.float64):
        kind = np.asarray(recovery.x).dtype
        raise RecoveryError(f"the solver returned x of type {kind}; signals are real numbers")
    return recovery


def solve(
    solver: Solver,
    problem: Problem,
    b: npt.ArrayLike,
    seed: int = 0,
    *,
    trace: list[Snapshot] | None = None,
) -> Recovery:
    """Recover signals from their measurements, in a notebook or a script.

    Parameters
    ----------
    solver : Solver or function
        A solver, or a function marked with ``@benchbase.solver``.
    problem : Problem
        The frame, the pooling, and whatever else the solver knows.
    b : array_like, shape (K,) or (S, K)
        Measurements of one signal, or of S.
    seed : int, optional
        Seeds the solver's streams.
    trace : list, optional
        Collects the snapshots that the solver records.

    Returns
    -------
    Recovery
        The estimates. If b has the shape (K,), x has the shape (N,).

    Raises
    ------
    ValueError
        If b has the wrong shape or is complex, or the solver does not apply to the problem.
    """
    if not isinstance(solver, Solver):
        solver = solver_class(solver)()
    given = np.asarray(b)
    check_real("b", given)
    measured = np.array(given, dtype=np.float64)
    measured.flags.writeable = False
    if measured.ndim not in (1, 2) or measured.shape[-1] != problem.frame.n_pools:
        wanted = problem.frame.n_pools
        raise ValueError(f"b must have the shape ({wanted},) or (S, {wanted}), not {np.shape(b)}")
    reason = solver.unsupported(problem)
    if reason is not None:
        raise ValueError(f"{solver.name} does not apply: {reason}")
    batch = np.atleast_2d(measured)
    run = SignalRun(solver_keys(seed, 0, range(len(batch))), trace=trace)
    recovery = recover(solver.prepare(problem), batch, run, problem.frame.n)
    if measured.ndim == 2:
        return recovery
    first = {
        name: None if value is None else value[0]
        for name, value in (("n_iter", recovery.n_iter), ("converged", recovery.converged))
    }
    return Recovery(x=recovery.x[0], message=recovery.message, **first)


def score(recovery: Recovery, problem: Problem, truth: Array, b: Array) -> Outcome:
    """Round estimates to the precision of the store, and score the rounded ones.

    Parameters
    ----------
    recovery : Recovery
        The estimates, with x of shape (S, N).
    problem : Problem
        The problem, which defines the residual and the ambiguity.
    truth : ndarray, shape (S, N)
        The signals.
    b : ndarray, shape (S, K)
        Their measurements.

    Returns
    -------
    Outcome
        The estimates x as float32, and for each signal the squared cosine, the relative error and
        the residual. These are NaN for a signal whose estimate is not finite.
    """
    arrays = as_arrays(recovery)
    x = arrays["x"].astype(np.float64)
    finite = np.isfinite(x).all(axis=1)
    scores = {
        "squared_cosine": problem.squared_cosine(x[finite], truth[finite]),
        "relative_error": problem.relative_error(x[finite], truth[finite]),
        "residual": problem.residual(x[finite], b[finite]),
    }
    outcome = Outcome(x=arrays["x"], n_iter=arrays["n_iter"], converged=arrays["converged"])
    for name, values in scores.items():
        column = np.full(len(x), np.nan)
        column[finite] = values
        outcome[name] = column  # type: ignore[literal-required] # the keys of the dict above
    return outcome


def as_arrays(recovery: Recovery) -> Solved:
    """Return what a solver returned as plain arrays: x in float32, n_iter and converged in float64.

    The latter two are NaN if the solver does not give them.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow shows in the scores
        solved = Solved(x=np.array(recovery.x, dtype=np.float64).astype(np.float32))
    size = len(solved["x"])
    for name in ("n_iter", "converged"):
        given = getattr(recovery, name)
        column = np.full(size, np.nan) if given is None else np.array(given, dtype=np.float64)
        solved[name] = column
    return solved
