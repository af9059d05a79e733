"""Block orthogonal matching pursuit, against scikit-learn and against a slow greedy search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from benchbase import Array
from benchbase_ksvd import omp
from benchbase_ksvd.learning import represent
from benchbase_ksvd.omp import pursue

SEEDS = st.integers(0, 2**32 - 1)


def random_blocks(rng: np.random.Generator, K: int, L: int, N: int) -> Array:
    """Draw blocks of orthonormal vectors."""
    return np.linalg.qr(rng.standard_normal((K, N, L)))[0].transpose(0, 2, 1)


def by_block(support: Array, coefficients: Array, K: int) -> Array:
    """Return all coefficients, (P, K, L), zero where a block is not in use."""
    P, _, L = coefficients.shape
    everything = np.zeros((P, K, L))
    for p, k in zip(*np.nonzero(support >= 0), strict=True):
        everything[p, support[p, k]] = coefficients[p, k]
    return everything


def greedy(point: Array, blocks: Array, nonzero: int) -> tuple[list[int], Array]:
    """Search one point's blocks in a loop, by least squares from scratch in each step."""
    chosen: list[int] = []
    residual = point
    for _ in range(nonzero):
        energies = [float(np.sum((block @ residual) ** 2)) for block in blocks]
        chosen.append(max(set(range(len(blocks))) - set(chosen), key=energies.__getitem__))
        matrix = np.concatenate([blocks[k] for k in chosen]).T
        coefficients = np.linalg.lstsq(matrix, point, rcond=None)[0]
        residual = point - matrix @ coefficients
    return chosen, coefficients.reshape(nonzero, -1)


@settings(max_examples=25)
@given(seed=SEEDS, nonzero=st.integers(1, 6), normalised=st.booleans())
def test_blocks_of_one_are_those_of_scikit_learn(seed: int, nonzero: int, normalised: bool) -> None:
    from sklearn.linear_model import orthogonal_mp, orthogonal_mp_gram

    rng = np.random.default_rng(seed)
    points, atoms = rng.standard_normal((15, 12)), rng.standard_normal((20, 12))
    if normalised:
        atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    support, coefficients = pursue(points, atoms[:, None], nonzero)
    found = by_block(support, coefficients, 20)[:, :, 0]
    expected = orthogonal_mp(atoms.T, points.T, n_nonzero_coefs=nonzero).T
    assert_array_equal(found != 0, expected != 0)
    assert_allclose(found, expected, atol=1e-9)
    gram = orthogonal_mp_gram(atoms @ atoms.T, atoms @ points.T, n_nonzero_coefs=nonzero).T
    assert_allclose(found, gram, atol=1e-6)


@settings(max_examples=25)
@given(seed=SEEDS, L=st.integers(1, 3), nonzero=st.integers(1, 4))
def test_blocks_are_those_of_a_greedy_search(seed: int, L: int, nonzero: int) -> None:
    rng = np.random.default_rng(seed)
    points, blocks = rng.standard_normal((6, 14)), random_blocks(rng, 11, L, 14)
    support, coefficients = pursue(points, blocks, nonzero)
    for i, point in enumerate(points):
        chosen, expected = greedy(point, blocks, nonzero)
        assert support[i].tolist() == chosen
        assert_allclose(coefficients[i], expected, atol=1e-9)


@settings(max_examples=20)
@given(seed=SEEDS, L=st.integers(1, 4))
def test_sparse_signals_come_back_from_orthogonal_blocks(seed: int, L: int) -> None:
    rng = np.random.default_rng(seed)
    K, nonzero = 9, 4
    blocks = random_blocks(rng, 1, K * L, K * L).reshape(K, L, K * L)
    support = np.array([rng.permutation(K)[:nonzero] for _ in range(20)])
    coefficients = rng.standard_normal((20, nonzero, L)) + 0.1
    points = represent(blocks, support, coefficients)
    found, back = pursue(points, blocks, nonzero)
    assert_array_equal(np.sort(found), np.sort(support))
    assert_allclose(by_block(found, back, K), by_block(support, coefficients, K), atol=1e-10)
    assert (np.diff(np.linalg.norm(back, axis=-1)) <= 1e-10).all()  # the largest first


def test_one_more_block_is_never_worse_and_keeps_the_others() -> None:
    rng = np.random.default_rng(0)
    points, blocks = rng.standard_normal((30, 16)), random_blocks(rng, 20, 2, 16)
    last, gap = np.empty((30, 0)), np.linalg.norm(points, axis=1)
    for nonzero in range(1, 7):
        support, coefficients = pursue(points, blocks, nonzero)
        assert_array_equal(support[:, :-1], last)
        new = np.linalg.norm(points - represent(blocks, support, coefficients), axis=1)
        assert (new < gap).all()
        last, gap = support, new


def test_what_is_represented_takes_no_more_blocks() -> None:
    rng = np.random.default_rng(1)
    blocks = random_blocks(rng, 6, 2, 10)
    points = np.concatenate([rng.standard_normal((6, 1, 2)) @ blocks, np.zeros((1, 1, 10))])[:, 0]
    support, coefficients = pursue(points, blocks, 3)
    assert_array_equal(support[:, 0], [*range(6), -1])
    assert_array_equal(support[:, 1:], -1)
    assert_array_equal(coefficients[:, 1:], 0)
    assert_allclose(represent(blocks, support, coefficients), points, atol=1e-12)


def test_blocks_that_share_a_vector_or_fill_the_space_are_fitted_once() -> None:
    rng = np.random.default_rng(2)
    axes = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    # The second block shares a vector with the first; all four together depend on each other.
    blocks = axes[[[0, 1], [1, 2], [3, 4], [0, 2]]]
    points = rng.standard_normal((40, 5))
    support, coefficients = pursue(points, blocks, 4)
    assert np.abs(coefficients).max() < 10
    assert_allclose(represent(blocks, support, coefficients), points, atol=1e-12)
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in support)


def test_what_no_block_sees_takes_no_more_blocks() -> None:
    axes = np.eye(7)
    blocks = axes[[[0, 1], [2, 3], [4, 5]]]
    support, coefficients = pursue(np.array([axes[6], axes[2] + axes[6]]), blocks, 3)
    assert_array_equal(support, [[-1, -1, -1], [1, -1, -1]])
    assert_allclose(coefficients[1, 0], [1, 0])


def test_nearly_parallel_vectors_leave_no_residual_along_them() -> None:
    rng = np.random.default_rng(4)
    pair = rng.standard_normal((2, 8))
    pair[1] = pair[0] + 1e-8 * pair[1]
    pair /= np.linalg.norm(pair, axis=1, keepdims=True)
    points = rng.standard_normal((30, 8))
    fit, residual = omp._OrthogonalFit(points.shape, 2), points.copy()
    for vector in pair:
        fit.add(np.broadcast_to(vector, points.shape), residual)
    assert np.abs(residual @ pair.T).max() < 1e-13
    assert np.abs(fit.coefficients()).max() > 1e6


def test_points_are_independent_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    points, blocks = rng.standard_normal((23, 16)), random_blocks(rng, 30, 2, 16)
    support, coefficients = pursue(points, blocks, 5)
    monkeypatch.setattr(omp, "CHUNK", 4)
    in_chunks = pursue(points, blocks, 5)
    assert_array_equal(in_chunks[0], support)
    assert_allclose(in_chunks[1], coefficients, atol=1e-12)
