"""The gaussian frames, and the dense frame that they are."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array, DenseFrame
from benchbase_frames.gaussian import Gaussian


def draw(n: int, seed: int = 0, **parameters: Any) -> Array:
    return Gaussian(**parameters).build(n, None, np.random.default_rng(seed)).dense()


def gram(vectors: Array) -> Array:
    matrices: Array = vectors @ vectors.transpose(0, 2, 1)
    return matrices


def gram_schmidt(vectors: Array) -> Array:
    """Subtract from each vector its projections on those before it in the pool."""
    done = vectors.copy()
    for pool in done:
        for j, vector in enumerate(pool):
            for earlier in pool[:j]:
                vector -= earlier * (earlier @ vector) / (earlier @ earlier)
    return done


@pytest.mark.parametrize("pool_size", [1, 2, 5])
def test_orthogonal_pools_are_those_of_gram_schmidt(pool_size: int) -> None:
    drawn = draw(7, n_pools=6, pool_size=pool_size, pools="drawn")
    orthogonal = draw(7, n_pools=6, pool_size=pool_size)
    assert orthogonal.shape == (6, pool_size, 7)
    assert_allclose(orthogonal, gram_schmidt(drawn), atol=1e-12)


@pytest.mark.parametrize("pool_size", [1, 2, 4])
def test_orthonormal_pools_are_the_same_draw_at_unit_length(pool_size: int) -> None:
    orthogonal = draw(4, n_pools=6, pool_size=pool_size)
    orthonormal = draw(4, n_pools=6, pool_size=pool_size, pools="orthonormal")
    lengths = np.linalg.norm(orthogonal, axis=-1, keepdims=True)
    assert_allclose(orthonormal, orthogonal / lengths, atol=1e-12)
    assert_allclose(
        gram(orthonormal), np.broadcast_to(np.eye(pool_size), (6, pool_size, pool_size)), atol=1e-12
    )


def test_orthonormal_pools_are_haar() -> None:
    n, n_pools = 4, 4000
    vectors = draw(n, n_pools=n_pools, pool_size=3, pools="orthonormal")
    # Each coordinate of a Haar unit vector has mean 0 and variance 1/n; five standard errors.
    error = 5 / np.sqrt(n_pools * n)
    assert np.abs(vectors.mean(axis=0)).max() < error
    assert_allclose((vectors**2).mean(axis=0), 1 / n, atol=error)


def test_drawn_vectors_are_standard_normal() -> None:
    vectors = draw(20, n_pools=2000, pools="drawn")
    error = 5 / np.sqrt(vectors.size)
    assert abs(vectors.mean()) < error
    assert abs(vectors.var() - 1) < error * np.sqrt(2)
    off_diagonal = gram(vectors)[:, 0, 1]
    assert abs(off_diagonal.mean()) < 5 * np.sqrt(20 / 2000)


def test_pairs_are_orthogonal_by_default_and_keep_their_lengths() -> None:
    vectors = draw(30, n_pools=2000)
    assert vectors.shape == (2000, 2, 30)
    assert_allclose(gram(vectors)[:, 0, 1], 0, atol=1e-12)
    # Gram-Schmidt takes one of N degrees of freedom from the second vector.
    squares = (vectors**2).sum(axis=-1).mean(axis=0)
    assert_allclose(squares, [30, 29], atol=5 * np.sqrt(2 * 30 / 2000))


def test_same_stream_same_frame() -> None:
    assert_array_equal(draw(5, seed=3, n_pools=4), draw(5, seed=3, n_pools=4))
    assert not np.array_equal(draw(5, seed=3, n_pools=4), draw(5, seed=4, n_pools=4))


def test_more_vectors_than_dimensions_only_as_drawn() -> None:
    assert draw(3, n_pools=2, pool_size=4, pools="drawn").shape == (2, 4, 3)
    for pools in ("orthogonal", "orthonormal"):
        with pytest.raises(
            benchbase.ParameterError, match=r"pool_size must be at most .* 3 .* not 4"
        ):
            draw(3, n_pools=2, pool_size=4, pools=pools)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_pools": 0}, "n_pools: must be at least 1, not 0"),
        ({"n_pools": 3, "pool_size": 0}, "pool_size: must be at least 1, not 0"),
        ({"n_pools": 3, "pools": "random"}, "pools: .*'orthogonal'"),
        ({"n_pools": 2.5}, "n_pools: must be a valid integer"),
        ({"n_pool": 3}, "did you mean 'n_pools'"),
        ({}, "needs the parameter 'n_pools'"),
    ],
)
def test_bad_parameters_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(benchbase.SpecError, match=message):
        benchbase.build("frame", {"name": "gaussian", **parameters})


def test_specs_build_frames() -> None:
    spec = {"name": "gaussian", "n_pools": 3, "pools": "drawn"}
    assert benchbase.build("frame", spec) == Gaussian(n_pools=3, pool_size=2, pools="drawn")


def random_frame(is_complex: bool, shape: tuple[int, int, int] = (6, 3, 5)) -> DenseFrame:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal(shape)
    return DenseFrame(vectors + 1j * rng.standard_normal(shape) if is_complex else vectors)


def random_array(shape: tuple[int, ...], is_complex: bool) -> Array:
    rng = np.random.default_rng(2)
    real = rng.standard_normal(shape)
    return real + 1j * rng.standard_normal(shape) if is_complex else real


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_analysis_is_the_inner_product_with_each_vector(
    batch: tuple[int, ...], is_complex: bool
) -> None:
    frame = random_frame(is_complex)
    x = random_array((*batch, frame.n), is_complex)
    expected = np.einsum("kjn,...n->...jk", frame.dense(), x)
    assert expected.shape == (*batch, 3, 6)
    assert_allclose(frame.analyse(x), expected, atol=1e-12)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_adjoint_is_dual_to_analysis(batch: tuple[int, ...], is_complex: bool) -> None:
    frame = random_frame(is_complex)
    x = random_array((*batch, frame.n), is_complex)
    c = random_array((*batch, 3, 6), is_complex)
    left: Array = (frame.analyse(x) * c.conj()).sum(axis=(-2, -1))
    right: Array = (x * frame.adjoint(c).conj()).sum(axis=-1)
    assert frame.adjoint(c).shape == x.shape
    assert_allclose(left, right, atol=1e-12)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("shape", [(6, 3, 5), (2, 2, 7)])
def test_least_squares_is_the_shortest_solution(
    shape: tuple[int, int, int], is_complex: bool
) -> None:
    frame = random_frame(is_complex, shape)
    n_pools, pool_size, n = shape
    c = random_array((4, pool_size, n_pools), is_complex)
    matrix = frame.dense().transpose(1, 0, 2).reshape(-1, n)
    expected = np.linalg.lstsq(matrix, c.reshape(4, -1).T, rcond=None)[0].T
    assert_allclose(frame.least_squares(c), expected, atol=1e-12)


@pytest.mark.parametrize("is_complex", [False, True])
def test_precision_is_that_of_the_operand(is_complex: bool) -> None:
    frame = random_frame(is_complex)
    for dtype in (np.float32, np.float64):
        x: Array = random_array((2, frame.n), is_complex=False).astype(dtype)
        wanted = np.result_type(dtype, np.complex64) if is_complex else np.dtype(dtype)
        c = frame.analyse(x)
        assert c.dtype == wanted
        assert frame.adjoint(c).dtype == wanted
        assert frame.least_squares(c).dtype == wanted
        tolerance = 1e-4 if dtype == np.float32 else 1e-12
        assert_allclose(frame.least_squares(c), x, atol=tolerance)


def test_the_vectors_are_read_only_and_a_copy() -> None:
    vectors = np.ones((1, 2, 3))
    frame = DenseFrame(vectors)
    vectors[:] = 0
    assert_array_equal(frame.dense(), 1)
    with pytest.raises(ValueError, match="read-only"):
        frame.dense()[0, 0, 0] = 2
    assert (frame.n_pools, frame.pool_size, frame.n, frame.is_complex) == (1, 2, 3, False)


@pytest.mark.parametrize("vectors", [np.ones((2, 3)), np.ones((0, 2, 3)), [[[1.0, np.nan]]]])
def test_vectors_of_no_frame_are_refused(vectors: Any) -> None:
    with pytest.raises(benchbase.ParameterError, match="vectors must"):
        DenseFrame(vectors)
