"""Methods for semidefinite programs: each against an interior point method of another hand."""

import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from benchbase import Array
from benchbase_sdp.admm import Admm, positive_part, shrunk
from benchbase_sdp.constraints import Constraints, lift, rectified
from benchbase_sdp.interior_point import interior_point
from benchbase_sdp.modelling import load_cvxpy, modelled
from benchbase_sdp.optimality import LIMIT, OPTIMAL, Method, optimality
from benchbase_sdp.splitting import Coordinates, scs_direct

cvxpy = load_cvxpy()

METHODS = ["interior-point", "scs", "admm", "cvxpy"]
FORMS = ["p = 2", "p = 1", "p = inf", "complex", "rectified"]


def compiled(
    name: str, constraints: Constraints, max_iters: int = 20_000, eps: float = 1e-7
) -> Method:
    if name == "admm":
        return Admm(constraints, max_iters, max(eps, 1e-6), 0.0)
    ways = {"interior-point": interior_point, "scs": scs_direct, "cvxpy": modelled}
    return ways[name](constraints, max_iters, eps)


def posed(form: str, n: int, n_pools: int, signals: int, seed: int) -> tuple[Constraints, Array]:
    """Return constraints and right-hand sides (S, m) of Gaussian signals; rectified, S = 1."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n_pools, 2, n))
    x = rng.standard_normal((signals, n))
    c = np.einsum("kln,sn->skl", vectors, x)
    scale = np.sqrt(n / np.mean(np.sum(vectors**2, axis=(1, 2))))
    if form == "rectified":
        b = np.maximum(c[0], 0).max(axis=1)
        constraints, y = rectified(vectors * scale, b / max(np.sqrt(np.mean(b**2)), 1e-9))
        return constraints, y[None]
    p = {"p = 1": 1.0, "p = inf": np.inf}.get(form, 2.0)
    b = np.linalg.norm(c, p, axis=2)
    b /= np.sqrt(np.mean(b**2, axis=1, keepdims=True))
    if form == "complex":
        vectors = vectors[:, :1] + 1j * vectors[:, 1:]
    lifted = lift(vectors * scale, p)
    return lifted.constraints, lifted.values(b)


def reference(constraints: Constraints, y: Array, sparsity: float = 0.0) -> tuple[float, Array]:
    """Return the least value and its matrix by CLARABEL, from the matrices of the constraints."""
    n, is_complex = constraints.n, np.iscomplexobj(constraints.rows)
    x = cvxpy.Variable((n, n), hermitian=True) if is_complex else cvxpy.Variable((n, n), PSD=True)
    demands: list[Any] = [x >> 0] if is_complex else []
    for matrix, value, sense in zip(constraints.matrices, y, constraints.sense, strict=True):
        trace = cvxpy.trace(matrix @ x)
        trace = cvxpy.real(trace) if is_complex else trace
        demands.append(trace == value if sense == 0 else sense * trace <= sense * value)
    trace = cvxpy.real(cvxpy.trace(x)) if is_complex else cvxpy.trace(x)
    objective = trace + sparsity * cvxpy.sum(cvxpy.abs(x)) if sparsity else trace
    with warnings.catch_warnings():
        # Where the feasible set has no interior its last digits are missing, of eight.
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        value = cvxpy.Problem(cvxpy.Minimize(objective), demands).solve(solver="CLARABEL")
    return float(value), x.value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_finds_the_least_value(name: str, form: str) -> None:
    constraints, y = posed(form, 6, 14, 2, seed=1)
    for row, found in zip(y, compiled(name, constraints)(y), strict=True):
        assert found.status == OPTIMAL
        assert found.matrix is not None
        assert optimality(constraints, row, found).worst < 1e-5
        value, _ = reference(constraints, row)
        assert np.trace(found.matrix).real == pytest.approx(value, rel=1e-4)
        assert row @ found.multipliers == pytest.approx(value, rel=1e-4)


def test_the_methods_agree_on_random_problems() -> None:
    for n, seed in ((10, 0), (10, 1), (20, 2)):
        constraints, y = posed("p = 2", n, 3 * n, 2, seed)
        found = [compiled(name, constraints)(y) for name in METHODS]
        for signal in zip(*found, strict=True):
            first = signal[0]
            assert first.matrix is not None
            for one in signal:
                assert one.status == OPTIMAL
                assert one.matrix is not None
                assert np.trace(one.matrix) == pytest.approx(np.trace(first.matrix), rel=1e-4)
                # The solution is unique, as the signal's own matrix is: K = 3 n.
                assert_allclose(one.matrix, first.matrix, atol=2e-3 * np.trace(first.matrix))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    name=st.sampled_from(METHODS),
    form=st.sampled_from(FORMS),
    n=st.integers(1, 6),
    n_pools=st.integers(1, 16),
    max_iters=st.integers(1, 400),
)
def test_what_is_called_optimal_meets_the_conditions(
    seed: int, name: str, form: str, n: int, n_pools: int, max_iters: int
) -> None:
    constraints, y = posed(form, n, n_pools, 2, seed)
    for row, found in zip(y, compiled(name, constraints, max_iters, 1e-7)(y), strict=True):
        assert found.n_iter <= max_iters
        if found.status == OPTIMAL and found.matrix is not None and row.any():
            # By dense algebra of its own, not that of `optimality`.
            matrices, x = constraints.matrices, found.matrix
            excess = np.einsum("iab,ba->i", matrices, x).real - row
            allowed = {0: np.abs(excess), 1: excess, -1: -excess}
            violation = [allowed[int(s)][i] for i, s in enumerate(constraints.sense)]
            assert max(violation) < 1e-5 * np.linalg.norm(row)
            slack = np.eye(n + (form == "rectified")) - np.tensordot(found.multipliers, matrices, 1)
            assert np.linalg.eigvalsh(slack)[0] > -1e-5
            assert np.linalg.eigvalsh(x)[0] > -1e-5 * np.linalg.norm(x)
            # Complementary slackness: both products vanish.
            assert abs(np.vdot(slack, x).real) < 3e-5 * np.trace(x).real
            loose = np.abs(found.multipliers * excess)[constraints.sense != 0]
            assert loose.sum() < 3e-5 * np.trace(x).real


@pytest.mark.parametrize("name", METHODS)
def test_the_iteration_limit_is_honoured(name: str) -> None:
    constraints, y = posed("p = 2", 6, 10, 2, seed=2)
    for found in compiled(name, constraints, max_iters=4)(y):
        assert (found.status, found.n_iter) == (LIMIT, 4)
        assert found.matrix is not None


@pytest.mark.parametrize("name", ["interior-point", "scs", "cvxpy"])
def test_what_has_no_solution_is_infeasible(name: str) -> None:
    constraints, y = posed("p = 2", 4, 20, 1, seed=3)
    y[0, 3] += 1.0
    found = compiled(name, constraints)(y)[0]
    assert found.status == "infeasible"
    assert found.matrix is None


@pytest.mark.parametrize("name", METHODS)
def test_signals_do_not_depend_on_each_other(name: str) -> None:
    constraints, y = posed("p = inf", 5, 12, 3, seed=4)
    method = compiled(name, constraints, eps=1e-6)
    together, backwards = method(y), method(y[::-1])[::-1]
    for row, one, other in zip(y, together, backwards, strict=True):
        alone = compiled(name, constraints, eps=1e-6)(row[None])[0]
        for found in (other, alone):
            assert one.matrix is not None
            assert found.matrix is not None
            # Products of another shape round otherwise, in batches.
            assert_allclose(one.matrix, found.matrix, rtol=0, atol=1e-12 * (name == "admm"))
            assert one.n_iter == found.n_iter


@pytest.mark.parametrize("sparsity", [0.1, 1.0])
def test_a_sparsity_term_costs_what_it_says(sparsity: float) -> None:
    constraints, y = posed("p = 2", 6, 9, 1, seed=5)
    for row, found in zip(y, Admm(constraints, 20_000, 1e-6, sparsity)(y), strict=True):
        assert found.status == OPTIMAL
        assert found.matrix is not None
        value, _ = reference(constraints, row, sparsity)
        reached = np.trace(found.matrix) + sparsity * np.abs(found.matrix).sum()
        assert reached == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("is_complex", [False, True])
def test_coordinates_keep_inner_products(is_complex: bool) -> None:
    rng = np.random.default_rng(6)
    root = rng.standard_normal((2, 5, 5)) + 1j * is_complex * rng.standard_normal((2, 5, 5))
    stack = root + np.swapaxes(root, 1, 2).conj()
    stack = stack if is_complex else stack.real
    coordinates = Coordinates(5, is_complex)
    vectors = coordinates.of(stack)
    assert vectors.shape == (2, 25 if is_complex else 15)
    assert vectors[0] @ vectors[1] == pytest.approx(np.vdot(stack[0], stack[1]).real)
    assert_allclose(coordinates.matrix(vectors[0]), stack[0])


def test_the_steps_of_the_splitting() -> None:
    rng = np.random.default_rng(7)
    root = rng.standard_normal((3, 4, 4)) + 1j * rng.standard_normal((3, 4, 4))
    stack = root + np.swapaxes(root, 1, 2).conj()
    part = positive_part(stack)
    # Moreau: the rest is negative semidefinite and orthogonal to it.
    assert np.linalg.eigvalsh(part).min() > -1e-12
    assert np.linalg.eigvalsh(stack - part).max() < 1e-12
    assert np.abs(np.einsum("sab,sab->s", part.conj(), stack - part)).max() < 1e-12
    less = shrunk(stack, np.full((3, 1, 1), 0.5))
    assert_allclose(np.abs(less), np.maximum(np.abs(stack) - 0.5, 0), atol=1e-12)
    assert_allclose(less * np.abs(stack), np.abs(less) * stack, atol=1e-12)  # the same phases
    assert_array_equal(shrunk(np.zeros((1, 2, 2)), np.ones((1, 1, 1))), np.zeros((1, 2, 2)))


def test_an_error_of_scs_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    constraints, y = posed("p = 2", 3, 5, 2, seed=8)
    method = modelled(constraints, 100, 1e-6)

    def fail(*_: Any, **__: Any) -> None:
        raise cvxpy.SolverError("SCS failed")

    monkeypatch.setattr(cvxpy.Problem, "solve", fail)
    assert [(one.matrix, one.status) for one in method(y)] == [(None, "solver_error")] * 2


def test_scs_is_set_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scs = import_module("scs")
    made = []

    class Counted(scs.SCS):  # type: ignore[misc, name-defined] # SCS has no types
        def __init__(self, *args: Any, **options: Any) -> None:
            made.append(self)
            super().__init__(*args, **options)

    monkeypatch.setattr(scs, "SCS", Counted)
    constraints, y = posed("p = 2", 4, 12, 5, seed=9)
    assert {one.status for one in scs_direct(constraints, 5000, 1e-6)(y)} == {OPTIMAL}
    assert len(made) == 1
