"""The reference for semidefinite programs: the modelling layer CVXPY with the solver SCS."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np

from benchbase import Array
from benchbase_sdp.constraints import Constraints
from benchbase_sdp.optimality import LIMIT, OPTIMAL, Method, Solution

STATUSES = {"optimal": OPTIMAL, "optimal_inaccurate": LIMIT, "user_limit": LIMIT}


def load_cvxpy() -> Any:
    """Import CVXPY and return it.

    The import is late as it takes a second. Its type is Any, as half of CVXPY's names have none.
    """
    return import_module("cvxpy")


def solve_scs(problem: Any, max_iters: int, eps: float) -> None:
    """Solve a CVXPY problem by SCS, from a cold start.

    Raises
    ------
    cvxpy.SolverError
        If SCS returns no solution.
    """
    with warnings.catch_warnings():
        # The status says the same, and goes into the table of results.
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        problem.solve(
            solver="SCS",
            warm_start=False,  # otherwise a result would depend on the signals before it
            max_iters=max_iters,
            eps_abs=eps,
            eps_rel=eps,
            # By default SCS uses MKL if it is installed, with other rounding and other threads.
            linear_solver="qdldl",
        )


def modelled(constraints: Constraints, max_iters: int, eps: float) -> Method:
    """Return a method that solves by CVXPY and SCS, compiled once for `constraints`."""
    cvxpy = load_cvxpy()
    n, sense = constraints.n, constraints.sense
    flat = constraints.matrices.reshape(len(constraints), -1)
    if np.iscomplexobj(constraints.rows) and n > 1:  # a Hermitian number is real
        matrix = cvxpy.Variable((n, n), hermitian=True)
        cones = [matrix >> 0]
        values = cvxpy.real(flat.conj() @ cvxpy.vec(matrix, order="C"))
        trace = cvxpy.real(cvxpy.trace(matrix))
    else:
        matrix, cones = cvxpy.Variable((n, n), PSD=True), []
        values = flat.real @ cvxpy.vec(matrix, order="C")
        trace = cvxpy.trace(matrix)
    y = cvxpy.Parameter(len(constraints))
    groups = [np.flatnonzero(sense == sigma) for sigma in (0, 1, -1)]
    equal, below, above = groups
    fits = [values[equal] == y[equal], values[below] <= y[below], values[above] >= y[above]]
    fits = [fit for fit, group in zip(fits, groups, strict=True) if group.size]
    problem = cvxpy.Problem(cvxpy.Minimize(trace), [*fits, *cones])
    y.value = np.ones(len(constraints))
    problem.get_problem_data("SCS")

    def one(values: Array) -> Solution:
        y.value = values
        try:
            solve_scs(problem, max_iters, eps)
        except cvxpy.SolverError:
            return Solution(None, np.zeros(len(values)), 0, "solver_error")
        status = STATUSES.get(problem.status, problem.status)
        multipliers = np.zeros(len(values))
        if matrix.value is not None:
            duals = iter(fits)
            # CVXPY's duals of ≤ and ≥ are both positive; our multipliers of ≤ are negative.
            for group, sign in zip(groups, (-1, -1, 1), strict=True):
                if group.size:
                    multipliers[group] = sign * next(duals).dual_value
        return Solution(matrix.value, multipliers, problem.solver_stats.num_iters, status)

    return lambda right: [one(row) for row in right]
