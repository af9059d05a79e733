"""What is asked of every bundled solver: a cost, and no NaN that spreads to other signals."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import Array, DenseFrame, Problem, Recovery, relative_error
from benchbase.discovery.registry import registry
from benchbase.numerics.ledger import CountingFrame, Ledger
from benchbase.numerics.recovery import recover
from benchbase.numerics.streams import SignalRun, solver_keys

N, L, K, S = 5, 2, 14, 3
LOST = 1  # the signal whose measurements, or start, are not numbers
KEPT = np.arange(S) != LOST
STEPS: dict[str, Any] = {"n_iter": 5}
RRR: dict[str, Any] = {"name": "rrr"} | STEPS
SHORT: dict[str, list[dict[str, Any]]] = {
    "altmin": [STEPS, STEPS | {"sphere": True}],
    "best": [{"few": {"name": "restarts", "n": 2, "solver": RRR}}],
    "best_with_data": [
        {"prior": {"name": "gaussian_prior", "solver": RRR}, "polish": RRR, "search": RRR}
    ],
    "both_signs": [{"solver": {"name": "altmin", "init": {"name": "hint"}} | STEPS}],
    "fallback": [{"solvers": [RRR | {"init": {"name": "hint"}}, {"name": "wirtinger"} | STEPS]}],
    "gaussian_prior": [{"solver": RRR}],
    "local_prior": [{"solver": RRR, "q": 20}],
    "phasecut": [
        {"max_iters": 30},
        {"max_iters": 30, "real": False},
        {"max_iters": 10, "method": "block-coordinate"},
        {"max_iters": 25, "method": "cvxpy", "eps": 1.0},
    ],
    "phaselift": [
        {"max_iters": 8},
        {"max_iters": 8, "real": False},
        {"max_iters": 8, "reweights": 1},
        {"max_iters": 25, "method": "admm", "sparsity": 0.1},
        {"max_iters": 25, "method": "scs"},
        {"max_iters": 25, "method": "cvxpy"},
    ],
    "phasemax": [{"init": {"name": "hint"}}, {"init": {"name": "hint"}, "n_iter": 3}],
    "regressor": [{"landmarks": 20}],
    "restarts": [{"solver": RRR | {"init": {"name": "hint"}}, "n": 2}],
}
WRAPPERS = ("both_signs", "fallback", "restarts")
# These have converged if a convex program is solved, all others if the measurements are met.
RELAXATIONS = ("phasecut", "phaselift", "phasemax")
POOLINGS: list[dict[str, Any]] = [
    {"name": "lp", "p": p, "rectified": rectified}
    for p in (1.0, 2.0, np.inf)
    for rectified in (False, True)
]


def names() -> list[str]:
    """Return the names of the bundled solvers."""
    known = registry()
    owners = {name: known.providers["solver", name].owner for name in known.classes["solver"]}
    return sorted(name for name, owner in owners.items() if owner.endswith("benchbase-recovery"))


def solvers(name: str) -> Iterator[benchbase.Solver]:
    """Yield short versions of a bundled solver, with each method; those with a start take it."""
    iterates = hasattr(registry().classes["solver"][name], "n_iter")
    for more in SHORT.get(name, [STEPS if iterates else {}]):
        solver: benchbase.Solver = benchbase.build("solver", {"name": name} | more)
        if benchbase.has_init(solver):
            solver = benchbase.build("solver", solver.spec() | {"init": {"name": "hint"}})
        yield solver


def problem(pooling: dict[str, Any]) -> tuple[Problem, Array]:
    """Return a problem with all that solvers ask for, and signals of length 1."""
    rng = np.random.default_rng(0)
    frame = DenseFrame(rng.standard_normal((K, L, N)))
    truth = rng.standard_normal((S, N))
    truth /= np.linalg.norm(truth, axis=1, keepdims=True)
    training = rng.standard_normal((40, N)).astype(np.float32)
    return Problem(frame, benchbase.build("pooling", pooling), training, 1.0, hint=True), truth


def run(
    inverse: benchbase.Inverse, b: Array, hint: Array, ledger: Ledger | None = None
) -> Recovery:
    keys = solver_keys(0, 0, range(S))
    return recover(inverse, b, SignalRun(keys, ledger, hint=hint), N)


@pytest.mark.parametrize("name", names())
def test_the_cost_is_counted_and_one_nan_loses_one_signal(name: str) -> None:
    tried = 0
    for solver in solvers(name):
        for pooling in POOLINGS:
            posed, truth = problem(pooling)
            ledger = Ledger()
            counted = replace(posed, frame=CountingFrame(posed.frame, ledger))
            if solver.unsupported(counted) is not None:
                continue
            tried += 1
            b, hint = posed.measure(truth), truth + 0.3 * truth[::-1]
            inverse = solver.prepare(counted)
            ledger.clear()
            whole = run(inverse, b, hint, ledger)
            spent = sum(ledger.applications.values())
            assert not ledger.dense, "the vectors are taken without a count"
            # The hint is given: it is the one estimate that costs nothing.
            assert np.isfinite(spent)
            assert (spent > 0) == (name != "hint")

            if whole.converged is not None and name not in RELAXATIONS:
                assert (posed.residual(whole.x, b)[whole.converged] <= 1e-7).all()

            spoilt, lost = b.copy(), hint.copy()
            spoilt[LOST, 3] = lost[LOST, 0] = np.nan
            others = [run(inverse, spoilt, hint)]
            assert not np.isfinite(others[0].x[LOST]).any()
            if benchbase.has_init(solver) or name in WRAPPERS:
                others.append(run(inverse, b, lost))
            for again in others:
                gap = relative_error(again.x[KEPT], whole.x[KEPT], posed.ambiguity)
                failed = ~np.isfinite(whole.x[KEPT]).all(axis=1)
                assert (failed | (gap <= 1e-6)).all()
                assert np.array_equal(failed, ~np.isfinite(again.x[KEPT]).all(axis=1))
                for field in ("n_iter", "converged"):
                    mine, other = getattr(again, field), getattr(whole, field)
                    assert mine is None or np.array_equal(mine[KEPT], other[KEPT])
    assert tried
