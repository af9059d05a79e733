"""Constraints on lifted matrices, and the conditions of optimality."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from benchbase import Array
from benchbase_sdp.constraints import Constraints, Lift, lift, rectified
from benchbase_sdp.optimality import Solution, optimality

SEEDS = st.integers(0, 2**32 - 1)
POOLINGS = [
    (p, size) for p, size in product((1.0, 2.0, np.inf), (1, 2, 3)) if (p, size) != (2.0, 1)
]


def hermitian(rng: np.random.Generator, n: int, *, is_complex: bool) -> Array:
    root = rng.standard_normal((n, n)) + 1j * is_complex * rng.standard_normal((n, n))
    return root + root.conj().T if is_complex else (root + root.conj().T).real


def drawn(rng: np.random.Generator, *, is_complex: bool = False) -> Constraints:
    """Return constraints with rows of all numbers and weights of both signs."""
    sizes = rng.integers(1, 4, 5)
    shape = (int(sizes.sum()), 4)
    rows = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    return Constraints(
        rows=rows if is_complex else rows.real,
        weights=rng.standard_normal(shape[0]),
        starts=np.cumsum(sizes) - sizes,
        sense=rng.integers(-1, 2, 5),
    )


def pooled(c: Array, p: float) -> Array:
    b: Array = np.linalg.norm(c, p, axis=-1)
    return b


def broken(constraints: Constraints, y: Array, matrix: Array) -> float:
    """Return the largest violation."""
    excess = constraints.apply(matrix) - y
    sense = constraints.sense
    return float(np.where(sense == 0, np.abs(excess), np.maximum(sense * excess, 0)).max())


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, is_complex=st.booleans())
def test_constraints_are_traces_with_their_matrices(seed: int, is_complex: bool) -> None:
    rng = np.random.default_rng(seed)
    constraints = drawn(rng, is_complex=is_complex)
    x, y = (hermitian(rng, 4, is_complex=is_complex) for _ in range(2))
    multipliers = rng.standard_normal(5)
    matrices = constraints.matrices
    values = np.einsum("iab,ba->i", matrices, x).real
    assert_allclose(constraints.apply(x), values, atol=1e-9)
    assert_allclose(constraints.apply(np.stack([y, x]))[1], values, atol=1e-9)
    assert_allclose(constraints.adjoint(multipliers), np.tensordot(multipliers, matrices, 1))
    both = np.einsum("iab,bc,lcd,da->il", matrices, x, matrices, y).real
    assert_allclose(constraints.schur(x, y), both, atol=1e-8)


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, which=st.sampled_from(POOLINGS))
def test_signals_meet_the_constraints_of_their_measurements(
    seed: int, which: tuple[float, int]
) -> None:
    p, size = which
    rng = np.random.default_rng(seed)
    vectors, x = rng.standard_normal((6, size, 4)), rng.standard_normal(4)
    lifted = lift(vectors, p)
    b = pooled(vectors @ x, p)
    matrix = np.outer(x, x)
    assert broken(lifted.constraints, lifted.values(b), matrix) < 1e-10
    # They are tight from below everywhere, and from above where one is known to be.
    for k in range(6):
        more = np.where(np.arange(6) == k, 1 + 1e-6 + (size if p != 2 else 0), 1) * b
        assert broken(lifted.constraints, lifted.values(more), matrix) > 1e-12
        less = np.where(np.arange(6) == k, 1 - 1e-6, 1) * b
        assert broken(lifted.constraints, lifted.values(less), matrix) > 1e-12


def test_the_largest_of_a_pool_and_the_sum_of_all_bound_the_lift() -> None:
    vectors = np.eye(2)[None]  # one pool, its coefficients are the entries
    b = np.ones((1, 1))

    def allowed(lifted: Lift, matrix: list[list[float]]) -> bool:
        return broken(lifted.constraints, lifted.values(b)[0], np.array(matrix)) < 1e-12

    largest = lift(vectors, np.inf)
    assert allowed(largest, [[1, 0.5], [0.5, 0.25]])
    assert not allowed(largest, [[1.01, 0], [0, 0]])
    assert not allowed(largest, [[0.9, 0], [0, 0]])
    total = lift(vectors, 1.0)
    assert allowed(total, [[0.25, 0.25], [0.25, 0.25]])
    assert allowed(total, [[0.5, 0], [0, 0.5]])
    assert not allowed(total, [[0.25, 0.25], [0.25, 0.26]])
    assert not allowed(total, [[0.2, -0.1], [-0.1, 0.2]])


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, size=st.sampled_from([1, 2]))
def test_signals_meet_the_constraints_of_half_rectified_maxima(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, x = rng.standard_normal((8, size, 4)), rng.standard_normal(4)
    c = vectors @ x
    b = np.maximum(c, 0).max(axis=1)
    z = np.outer(np.r_[1, x], np.r_[1, x])
    constraints, y = rectified(vectors, b)
    assert broken(constraints, y, z) < 1e-9
    if (b == 0).any():  # what is not positive may not become so
        turned = np.outer(np.r_[1, -x], np.r_[1, -x])
        assert broken(constraints, y, turned) > 0
    if (b > 0).any():
        moved = np.where(np.arange(8) == b.argmax(), b * (1 - 1e-6), b)
        constraints, y = rectified(vectors, moved)
        assert broken(constraints, y, z) > 0


def test_optimality_of_a_program_with_a_known_solution() -> None:
    # minimise tr X, X_11 = 1, X_22 ≤ 2, X_33 ≥ 3: the multipliers are 1, 0, 1, the value 4.
    eye = np.eye(3)
    constraints = Constraints(eye, np.ones(3), np.arange(3), np.array([0, 1, -1]))
    y = np.array([1.0, 2.0, 3.0])
    best = Solution(np.diag([1.0, 0.0, 3.0]), np.array([1.0, 0.0, 1.0]), 1, "")
    assert optimality(constraints, y, best).worst == 0

    def measured(diagonal: list[float], multipliers: list[float]) -> tuple[float, float, float]:
        return optimality(constraints, y, Solution(np.diag(diagonal), np.array(multipliers), 1, ""))

    size = np.linalg.norm(y)
    assert measured([1.1, 0, 3], [1, 0, 1])[0] == pytest.approx(0.1 / size)
    assert measured([1, 2.5, 3], [1, 0, 1])[0] == pytest.approx(0.5 / size)
    assert measured([1, 0, 2], [1, 0, 1])[0] == pytest.approx(1 / size)
    assert measured([1, -0.3, 3], [1, 0, 1])[0] == pytest.approx(0.1)
    assert measured([1, 0, 3], [1.5, 0, 1])[1] == pytest.approx(0.5)
    assert measured([1, 0, 3], [1, 1, 1])[1] == pytest.approx(1 / np.sqrt(3))
    assert measured([1, 0, 3], [1, 0, -1])[1] == pytest.approx(1 / np.sqrt(2))
    assert measured([1, 0, 3], [0, 0, 1])[2] == pytest.approx(1 / 7)


def test_optimality_with_a_sparsity_term() -> None:
    # minimise tr X + ‖X‖₁, X_11 + 2 X_12 + X_22 = 4 in two dimensions.
    constraints = Constraints(np.ones((1, 2)), np.ones(1), np.zeros(1, int), np.zeros(1, int))
    best = Solution(np.ones((2, 2)), np.array([1.5]), 1, "", np.eye(2) + np.ones((2, 2)))
    assert optimality(constraints, np.array([4.0]), best, 1.0).worst < 1e-12
    assert optimality(constraints, np.array([4.0]), best, 0.9).dual == pytest.approx(0.1)
    other = best._replace(matrix=np.diag([4.0, 0.0]))
    assert optimality(constraints, np.array([4.0]), other, 1.0).gap == pytest.approx(1 / 7)
