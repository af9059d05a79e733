from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchbase
from benchbase import DenseFrame, ParameterError, Problem

Array = benchbase.Array


class Still(benchbase.Solver):
    """A solver that only has parameters."""

    name = "still"
    n_iter: int = 10
    weights: tuple[float, ...] = (1.0, 2.0)

    def __post_init__(self) -> None:
        if self.n_iter < 0:
            raise ParameterError("n_iter", f"must be at least 0, not {self.n_iter}")

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        raise NotImplementedError


class Refusing(Still):
    name = "refusing"
    reason: str = "no"

    def unsupported(self, problem: Problem) -> str | None:
        return self.reason


class Pair(Still):
    name = "pair"
    first: benchbase.Solver
    second: benchbase.Solver | None = None


NESTED = Pair(first=Pair(first=Still(), second=Refusing()), second=Still(n_iter=1))


def make(kind: str, k: int, length: int, n: int) -> Array:
    rng = np.random.default_rng([k, length, n])
    vectors = rng.standard_normal((k, length, n))
    return vectors + 1j * rng.standard_normal((k, length, n)) if kind == "complex" else vectors


def test_a_component_is_a_frozen_keyword_only_dataclass() -> None:
    component = Still(n_iter=3)
    assert [field.name for field in dataclasses.fields(component)] == ["n_iter", "weights"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        component.n_iter = 4  # type: ignore[misc] # what is tested
    with pytest.raises(TypeError, match="positional"):
        Still(3)  # type: ignore[call-arg] # as above


def test_components_are_equal_by_value() -> None:
    assert Still() == Still(n_iter=10)
    assert len({Still(), Still(n_iter=10), Still(n_iter=11)}) == 2
    assert Pair(first=Still()) == Pair(first=Still())
    assert Pair(first=Still()) != Pair(first=Refusing())


def test_a_subclass_inherits_parameters_and_their_checks() -> None:
    assert Refusing().spec() == {
        "name": "refusing",
        "n_iter": 10,
        "weights": [1.0, 2.0],
        "reason": "no",
    }
    with pytest.raises(ParameterError, match=r"n_iter must be at least 0, not -1") as caught:
        Refusing(n_iter=-1)
    assert caught.value.parameter == "n_iter"
    assert isinstance(caught.value, ValueError)


def test_walk_yields_all_components_depth_first() -> None:
    names = [component.name for component in NESTED.walk()]
    assert names == ["pair", "pair", "still", "refusing", "still"]
    assert next(NESTED.walk()) is NESTED


def test_spec_is_plain_and_complete() -> None:
    spec = NESTED.spec()
    assert spec["second"] == {"name": "still", "n_iter": 1, "weights": [1.0, 2.0]}
    assert spec["first"]["second"]["reason"] == "no"
    assert Pair(first=Still()).spec()["second"] is None

    def plain(value: Any) -> bool:
        if isinstance(value, dict):
            return all(type(key) is str and plain(item) for key, item in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return value is None or type(value) in (str, int, float, bool)

    assert plain(spec)


def test_components_pickle() -> None:
    assert pickle.loads(pickle.dumps(NESTED)) == NESTED


@pytest.mark.parametrize("name", ["name", "kind", "spec", "walk", "label", "points"])
def test_reserved_names_are_no_parameters(name: str) -> None:
    body = {"__annotations__": {name: int}, "prepare": Still.prepare, name: 1}
    with pytest.raises(TypeError, match=f"'{name}'"):
        type("Bad", (benchbase.Solver,), body)


def test_abstract_components_cannot_be_made() -> None:
    class Nothing(benchbase.Solver):
        name = "nothing"

    with pytest.raises(TypeError, match="prepare"):
        Nothing()  # type: ignore[abstract] # what is tested


def test_the_first_reason_of_the_inner_solvers_counts() -> None:
    problem = Problem(DenseFrame(np.ones((1, 1, 1))), Sum())
    assert Still().unsupported(problem) is None
    assert NESTED.unsupported(problem) == "no"
    first, second = Refusing(reason="first"), Refusing(reason="second")
    assert Pair(first=first, second=second).unsupported(problem) == "first"
    assert Pair(first=Still(), second=second).unsupported(problem) == "second"


class Sum(benchbase.Pooling):
    name = "sum"
    even = False
    nonnegative = False

    def __call__(self, c: Array) -> Array:
        return np.asarray(c.sum(axis=-2))

    def rescale(self, c: Array, b: Array) -> Array:
        return c

    def project(self, c: Array, b: Array) -> Array:
        return c


def test_defaults_of_the_interfaces() -> None:
    class Source(benchbase.Dataset):
        name = "source"
        n: int = 2

        def test(self, size: int, rng: np.random.Generator) -> Array:
            return np.zeros((size, 2))

    source = Source()
    assert source.train(np.random.default_rng(0)) is None
    assert source.fingerprint() == ""
    assert source.picture(np.zeros(2)) is None
    assert source.signal_norm is None
    assert (Sum().p, Sum().rectified, Sum().threshold) == (None, False, 0.0)
    assert (Sum().slopes, Sum().homogeneous) == (None, False)
    assert Sum().known(np.zeros((2, 3)), np.zeros(3)) is None


def test_what_a_pooling_says_about_its_formula() -> None:
    class Shifted(Sum):
        p = 2.0
        rectified = True
        threshold = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)

    class Plain(Sum):
        p = np.inf

    assert Plain().slopes == (-1, 1)
    assert Plain().homogeneous
    np.testing.assert_array_equal(Plain().thresholds(3, 2), np.zeros((2, 3)))
    assert Shifted().slopes == (0, 1)
    assert not Shifted().homogeneous
    np.testing.assert_array_equal(Shifted().thresholds(3, 2), [[1, 3, 5], [2, 4, 6]])


@pytest.mark.parametrize(
    ("vectors", "problem"),
    [
        (np.ones((2, 3)), r"shape \(K, L, N\), not \(2, 3\)"),
        (np.ones((1, 2, 3, 4)), r"not \(1, 2, 3, 4\)"),
        (np.ones((0, 2, 3)), r"not \(0, 2, 3\)"),
        (np.ones((2, 2, 0)), r"not \(2, 2, 0\)"),
        ([[[1.0, np.nan]]], "finite"),
        ([[[1.0, np.inf]]], "finite"),
    ],
)
def test_bad_vectors(vectors: Any, problem: str) -> None:
    with pytest.raises(ParameterError, match=problem) as caught:
        DenseFrame(vectors)
    assert caught.value.parameter == "vectors"


def test_vectors_are_copied_and_read_only() -> None:
    vectors = np.ones((2, 2, 3))
    frame = DenseFrame(vectors)
    vectors[0] = 7
    assert frame.dense().max() == 1
    with pytest.raises(ValueError, match="read-only"):
        frame.dense()[0] = 7


def test_vectors_of_integers_are_made_real() -> None:
    frame = DenseFrame([[[1, 2]], [[3, 4]]])
    assert frame.dense().dtype == np.float64
    assert (frame.n_pools, frame.pool_size, frame.n, frame.is_complex) == (2, 1, 2, False)


@given(
    st.sampled_from(["real", "complex"]),
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5)),
    st.sampled_from([(), (1,), (3,), (2, 3)]),
)
def test_linear_maps_are_those_of_the_vectors(
    kind: str, sizes: tuple[int, int, int], batch: tuple[int, ...]
) -> None:
    vectors = make(kind, *sizes)
    k, length, n = sizes
    frame = DenseFrame(vectors)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*batch, n))
    c = make(kind, length, k, int(np.prod(batch))).transpose(2, 0, 1).reshape(*batch, length, k)
    np.testing.assert_allclose(frame.analyse(x), np.einsum("kln,...n->...lk", vectors, x))
    np.testing.assert_allclose(
        frame.adjoint(c), np.einsum("kln,...lk->...n", vectors.conj(), c), atol=1e-12
    )
    matrix = vectors.transpose(1, 0, 2).reshape(length * k, n)
    columns = c.reshape(-1, length * k).T
    wanted = np.linalg.lstsq(matrix, columns, rcond=1e-10)[0].T.reshape(*batch, n)
    np.testing.assert_allclose(frame.least_squares(c), wanted, atol=1e-8)


@pytest.mark.parametrize("kind", ["real", "complex"])
def test_least_squares_of_a_frame_without_full_rank_is_the_shortest(kind: str) -> None:
    vectors = make(kind, 4, 2, 6)
    vectors[..., 3:] = vectors[..., :3]  # rank 3
    frame = DenseFrame(vectors)
    c = np.random.default_rng(0).standard_normal((2, 4))
    x = frame.least_squares(c)
    np.testing.assert_allclose(x[:3], x[3:], atol=1e-12)
    np.testing.assert_allclose(frame.adjoint(c - frame.analyse(x)), 0, atol=1e-12)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_precision_is_kept(kind: str, precision: type) -> None:
    frame = DenseFrame(make(kind, 3, 2, 4))
    kept = np.result_type(precision, np.complex64) if kind == "complex" else np.dtype(precision)
    c = frame.analyse(np.ones(4, dtype=precision))
    assert c.dtype == kept
    for result in (frame.adjoint(c), frame.least_squares(c), frame.adjoint(c.real)):
        assert result.dtype == kept


def test_signals_and_coefficients_of_integers() -> None:
    frame = DenseFrame(make("real", 3, 2, 4))
    x, c = np.arange(4), np.arange(6).reshape(2, 3)
    np.testing.assert_allclose(frame.analyse(x), frame.analyse(x.astype(float)))
    np.testing.assert_allclose(frame.adjoint(c), frame.adjoint(c.astype(float)))
    np.testing.assert_allclose(frame.least_squares(c), frame.least_squares(c.astype(float)))


def test_least_squares_are_factorised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    svd = np.linalg.svd

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return svd(*arguments, **options)

    monkeypatch.setattr(np.linalg, "svd", counted)
    frame = DenseFrame(make("real", 3, 2, 4))
    assert not calls
    for precision in (np.float64, np.float32, np.float64):
        frame.least_squares(np.ones((2, 3), dtype=precision))
    assert frame.condition is not None
    assert len(calls) == 1


def test_the_condition_number_leaves_rounding_out() -> None:
    vectors = np.diag([4.0, 2.0, 0.5, 1e-17]).reshape(2, 2, 4)
    assert DenseFrame(vectors).condition == 8
    assert DenseFrame(0 * vectors).condition is None
    plain = np.random.default_rng(0).standard_normal((5, 2, 4))
    values = np.linalg.svd(plain.reshape(10, 4), compute_uv=False)
    assert DenseFrame(plain).condition == pytest.approx(values[0] / values[-1])
    np.testing.assert_allclose(DenseFrame(0 * vectors).least_squares(np.ones((2, 2))), 0)
