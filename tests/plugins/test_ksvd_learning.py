"""Block K-SVD: its objective, its blocks, and a dictionary that it has to find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from benchbase import Array
from benchbase_ksvd.learning import (
    block_ksvd,
    leading,
    orthonormal,
    replace_unused,
    represent,
    update_blocks,
)
from benchbase_ksvd.omp import pursue

SEEDS = st.integers(0, 2**32 - 1)


def random_blocks(rng: np.random.Generator, K: int, L: int, N: int) -> Array:
    """Draw blocks of orthonormal vectors."""
    return np.linalg.qr(rng.standard_normal((K, N, L)))[0].transpose(0, 2, 1)


def assert_orthonormal(blocks: Array) -> None:
    grams = blocks @ blocks.transpose(0, 2, 1)
    assert_allclose(grams, np.broadcast_to(np.eye(grams.shape[1]), grams.shape), atol=1e-12)


@settings(max_examples=30)
@given(seed=SEEDS, L=st.integers(1, 3), P=st.sampled_from([1, 3, 12, 80]))
def test_an_update_never_raises_the_objective_and_keeps_supports(seed: int, L: int, P: int) -> None:
    rng = np.random.default_rng(seed)
    points, blocks = rng.standard_normal((P, 9)), random_blocks(rng, 7, L, 9)
    support, coefficients = pursue(points, blocks, 3)
    last = np.sum((points - represent(blocks, support, coefficients)) ** 2)
    for _ in range(3):
        before = blocks.copy()
        residual = update_blocks(points, blocks, support, coefficients)
        assert_orthonormal(blocks)
        assert_allclose(residual, points - represent(blocks, support, coefficients), atol=1e-10)
        assert np.sum(residual**2) <= last + 1e-10 * P
        last = np.sum(residual**2)
        unused = np.setdiff1d(np.arange(7), support)
        assert_array_equal(blocks[unused], before[unused])


@pytest.mark.parametrize("P", [5, 200])
def test_the_update_of_one_block_is_the_singular_value_decomposition(P: int) -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((P, 8))
    blocks, support = random_blocks(rng, 1, 3, 8), np.zeros((P, 1), dtype=np.intp)
    residual = update_blocks(points, blocks, support, np.zeros((P, 1, 3)))
    values, vectors = np.linalg.svd(points)[1:]
    assert_allclose(np.sum(residual**2), np.sum(values[3:] ** 2))
    assert_allclose(np.abs(blocks[0] @ vectors[:3].T), np.eye(3), atol=1e-8)


def test_targets_of_a_small_rank_are_completed_from_the_last_block() -> None:
    axes = np.eye(6)
    block = leading(np.array([3 * axes[4]]), axes[[4, 1]])
    assert_allclose(np.abs(block), axes[[4, 1]], atol=1e-12)
    assert_allclose(leading(np.zeros((2, 6)), axes[[2, 5]]), axes[[2, 5]])


@settings(max_examples=15)
@given(seed=SEEDS, L=st.integers(1, 3), nonzero=st.integers(1, 4))
def test_the_objective_never_rises(seed: int, L: int, nonzero: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((60, 10)) * np.linspace(0.1, 2, 10)
    start = random_blocks(rng, 8, L, 10)
    untouched = start.copy()
    learned = block_ksvd(points, start, nonzero, 6)
    assert_array_equal(start, untouched)
    assert_orthonormal(learned.blocks)
    first = points - represent(start, *pursue(points, start, nonzero))
    objective = [np.sum(first**2) / 60, *learned.objective]
    assert (np.diff(objective) <= 1e-12).all()


def test_more_iterations_go_on_from_fewer() -> None:
    rng = np.random.default_rng(4)
    points, start = rng.standard_normal((100, 10)), random_blocks(rng, 12, 2, 10)
    ticks: list[int] = []
    few = block_ksvd(points, start, 2, 3)
    many = block_ksvd(points, start, 2, 5, lambda: ticks.append(1))
    assert_array_equal(many.objective[:3], few.objective)
    assert len(ticks) == 5


def n_found(planted: Array, blocks: Array) -> int:
    """Count planted blocks within 8 degrees of a block, by their largest principal angle."""
    cosines = np.linalg.svd(planted[:, None] @ blocks.transpose(0, 2, 1), compute_uv=False)
    return int((cosines.min(axis=-1).max(axis=1) > 0.99).sum())


def test_planted_vectors_are_found_from_points() -> None:
    rng = np.random.default_rng(5)
    planted = random_blocks(rng, 30, 1, 20)
    support = np.array([rng.permutation(30)[:3] for _ in range(1500)])
    points = represent(planted, support, rng.standard_normal((1500, 3, 1)))
    start = np.array([orthonormal(point[None], 1) for point in points[:30]])
    learned = block_ksvd(points, start, 3, 40)
    assert n_found(planted, start) <= 5
    assert n_found(planted, learned.blocks) >= 24
    assert learned.objective[-1] < 0.2 * learned.objective[0]


def test_planted_blocks_are_found_from_afar() -> None:
    # From points the groups of vectors end up mixed: a local minimum of the objective.
    rng = np.random.default_rng(5)
    planted = random_blocks(rng, 20, 2, 20)
    support = np.array([rng.permutation(20)[:2] for _ in range(1500)])
    points = represent(planted, support, rng.standard_normal((1500, 2, 2)))
    noise = rng.standard_normal(planted.shape) / np.sqrt(20)  # as long as the vectors
    start = np.array([orthonormal(block, 2) for block in planted + noise])
    learned = block_ksvd(points, start, 2, 20)
    assert n_found(planted, start) == 0
    assert n_found(planted, learned.blocks) == 20
    assert learned.objective[-1] < 0.05 * learned.objective[0]


def test_unused_blocks_become_the_worst_represented_points() -> None:
    axes = np.eye(8)
    blocks = axes[[[0, 1], [2, 3], [4, 5], [6, 7]]]
    points = np.array([axes[0], axes[4], 9 * axes[6], 3 * axes[3], 7 * axes[2], 5 * axes[1]])
    support = np.array([[0], [2], [-1], [-1], [-1], [-1]])
    replaced = blocks.copy()
    assert replace_unused(points, replaced, support, residual=points) == 2
    # By the size of what is missing: points 2 and 4, then 5 and 3.
    assert_allclose(replaced, [blocks[0], axes[[6, 2]], blocks[2], axes[[1, 3]]])


def test_learning_replaces_blocks_that_no_point_uses() -> None:
    rng = np.random.default_rng(6)
    points = np.pad(rng.standard_normal((50, 6)), ((0, 0), (0, 4)))
    start = random_blocks(rng, 6, 2, 6)
    start = np.pad(start, ((0, 0), (0, 0), (0, 4)))
    start[3] = np.eye(10)[[7, 8]]  # where no point has anything
    learned = block_ksvd(points, start, 1, 1)
    assert learned.replaced == 1
    assert_array_equal(learned.blocks[3, :, 6:], 0)
    assert_orthonormal(learned.blocks)
    again = block_ksvd(points, learned.blocks, 1, 1)
    assert again.objective[0] < block_ksvd(points, start, 1, 1).objective[0]


@settings(max_examples=20)
@given(seed=SEEDS, size=st.integers(1, 5))
def test_independent_candidates_go_through_gram_schmidt(seed: int, size: int) -> None:
    candidates = np.random.default_rng(seed).standard_normal((7, 6))
    q, r = np.linalg.qr(candidates[:size].T)
    expected = (q * np.sign(np.diag(r))).T
    assert_allclose(orthonormal(candidates, size), expected, atol=1e-8)


def test_dependent_candidates_are_passed_over_and_unit_vectors_follow() -> None:
    axes = np.eye(4)
    given = [0 * axes[0], 2 * axes[1], -3 * axes[1], axes[1] + axes[3]]
    assert_allclose(orthonormal(given, 2), axes[[1, 3]], atol=1e-12)
    assert_allclose(orthonormal(given, 4), axes[[1, 3, 0, 2]], atol=1e-12)


def test_what_rounding_leaves_of_a_candidate_is_no_direction() -> None:
    v, w = np.random.default_rng(7).standard_normal((2, 9))
    basis = orthonormal([v, v / 3, v + 1e-10 * w[::-1], w], 2)
    assert_allclose(basis @ basis.T, np.eye(2), atol=1e-12)
    assert_allclose(w @ basis.T @ basis, w)
    basis = orthonormal([v, v + 1e-7 * w], 2)
    assert_allclose(basis @ basis.T, np.eye(2), atol=1e-12)


@pytest.mark.parametrize("users", [2, 3, 60])
def test_collinear_targets_are_completed_by_the_old_block(users: int) -> None:
    """Not by the rounding errors of their differences."""
    rng = np.random.default_rng(0)
    direction = np.linalg.qr(rng.standard_normal((40, 1)))[0][:, 0]
    block = np.linalg.qr(rng.standard_normal((40, 2)))[0].T
    found = leading(np.outer(rng.standard_normal(users), direction), block)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-12)
    assert abs(found[0] @ direction) == pytest.approx(1)
    within = np.linalg.qr(np.vstack([direction, block]).T)[0]
    np.testing.assert_allclose(np.linalg.norm(found @ within, axis=1), 1)
