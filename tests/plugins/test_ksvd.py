"""The learned frames: what they are made from, their span, and that they are learned once."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import benchbase
from benchbase import Array
from benchbase.conformance import check_frame
from benchbase_ksvd import KSVD, LearnedFrame, ksvd
from benchbase_ksvd.learning import Learned, block_ksvd, represent
from benchbase_ksvd.omp import pursue


def signals(T: int = 300, N: int = 12, seed: int = 0) -> Array:
    """Return training signals without a mean, as float32, whose rounding leaves some of it."""
    x = np.random.default_rng(seed).standard_normal((T, N)).astype(np.float32)
    x += 10
    x -= x.mean(axis=1, keepdims=True)
    return x


def learn(train: Array | None = None, seed: int = 0, **parameters: Any) -> LearnedFrame:
    train = signals() if train is None else train
    design = KSVD(**({"n_pools": 10, "n_points": 100, "nonzero": 2} | parameters))
    return design.build(train.shape[1], train, np.random.default_rng(seed))


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Learned]:
    """Empty the cache, and list what is learned from here on."""
    done: list[Learned] = []

    def counted(*given: Any) -> Learned:
        done.append(block_ksvd(*given))
        return done[-1]

    monkeypatch.setenv("BENCHBASE_CACHE", str(tmp_path))
    monkeypatch.setattr(ksvd, "block_ksvd", counted)
    return done


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_pools": 4},  # fewer vectors than dimensions
        {"n_pools": 30, "pool_size": 1},
        {"n_pools": 8, "pool_size": 3, "nonzero": 8},  # more vectors in use than dimensions
        {"n_pools": 1, "pool_size": 11, "nonzero": 1},  # the whole span
        {"n_pools": 50},  # as many vectors as points
    ],
)
def test_pools_are_orthonormal_and_in_the_span(parameters: dict[str, Any]) -> None:
    frame = learn(**parameters)
    vectors = frame.dense()
    K, L = parameters.get("n_pools", 10), parameters.get("pool_size", 2)
    assert vectors.shape == (K, L, 12)
    assert vectors.dtype == np.float64
    grams = vectors @ vectors.transpose(0, 2, 1)
    assert_allclose(grams, np.broadcast_to(np.eye(L), (K, L, L)), atol=1e-12)
    assert np.abs(vectors.sum(axis=-1)).max() < 1e-5  # no mean, but for that of float32


def test_pseudo_inverses_ignore_what_no_signal_has() -> None:
    train = signals()
    assert np.abs(train.sum(axis=1)).max() > 0  # its rounding: without care a 12th dimension
    frame = learn(train)
    c = np.random.default_rng(1).standard_normal((50, 2, 10))
    x = frame.least_squares(c)
    assert frame.condition is not None
    assert (np.linalg.norm(x, axis=1) <= frame.condition * np.linalg.norm(c, axis=(1, 2))).all()
    assert frame.condition < 20
    assert np.linalg.matrix_rank(frame.dense().reshape(-1, 12)) == 11
    x = train.astype(np.float64)
    assert_allclose(frame.least_squares(frame.analyse(x)), x, atol=1e-5)


def test_the_condition_number_is_that_on_the_span() -> None:
    frame = learn()
    basis = np.linalg.qr(np.eye(12) - 1 / 12)[0][:, :11]  # of the vectors without a mean
    values = np.linalg.svd(frame.dense().reshape(-1, 12) @ basis, compute_uv=False)
    assert frame.condition is not None
    assert_allclose(frame.condition, values[0] / values[-1], rtol=1e-6)


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_the_span_is_found(rank: int) -> None:
    rng = np.random.default_rng(2)
    points = rng.standard_normal((40, rank)) @ rng.standard_normal((rank, 6))
    noise = 1e-7 * rng.standard_normal(points.shape)
    basis = ksvd.span(points + noise)
    assert basis.shape == (rank, 6)
    assert_allclose(basis @ basis.T, np.eye(rank), atol=1e-12)
    assert_allclose(points @ basis.T @ basis, points, atol=1e-5)
    energies = np.sum((points @ basis.T) ** 2, axis=0)
    assert (np.diff(energies) <= 0).all()


def test_a_frame_is_learned_once(learned: list[Learned]) -> None:
    fresh = learn()
    cached = learn()
    assert len(learned) == 1
    assert fresh.dense().tobytes() == cached.dense().tobytes()
    for name in ("objective", "replaced", "condition"):
        assert getattr(fresh, name) == getattr(cached, name)
    assert fresh.objective == tuple(learned[0].objective)
    assert len(fresh.objective) == 4


def test_what_is_learned_is_a_matter_of_the_stream_alone(learned: list[Learned]) -> None:
    first = learn(seed=3).dense().tobytes()
    for folder in benchbase.cache_folder().glob("ksvd-*/"):
        shutil.rmtree(folder)
    assert learn(seed=3).dense().tobytes() == first
    assert learn(seed=4).dense().tobytes() != first
    assert len(learned) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"train": signals(seed=1)},
        {"seed": 1},
        {"n_pools": 11},
        {"pool_size": 3},
        {"nonzero": 3},
        {"n_points": 101},
        {"n_iter": 3},
    ],
    ids=str,
)
def test_other_frames_are_not_taken_from_the_cache(
    change: dict[str, Any], learned: list[Learned]
) -> None:
    first, second = learn(), learn(**change)
    assert len(learned) == 2
    assert not np.array_equal(first.dense(), second.dense())


def test_frames_learned_by_other_code_are_not_taken_from_the_cache(
    learned: list[Learned], monkeypatch: pytest.MonkeyPatch
) -> None:
    learn()
    monkeypatch.setattr(benchbase, "code_digest", lambda cls: f"edited {cls.name}")
    learn()
    assert len(learned) == 2


def test_the_scale_of_training_signals_is_of_no_matter(learned: list[Learned]) -> None:
    train = signals().astype(np.float64)
    scaled = train * 2.0 ** np.random.default_rng(0).integers(-5, 5, (300, 1))
    assert_array_equal(learn(train).dense(), learn(scaled).dense())
    assert len(learned) == 1


def test_training_signals_that_are_zero_are_passed_over(learned: list[Learned]) -> None:
    train = signals()
    train[::2] = 0
    for n_points in (40, 100, 149, 150):
        assert np.isfinite(learn(train, n_points=n_points).dense()).all()
    assert len(learned) == 4
    problem = "n_points must be at most 150, the number of training signals that are not zero"
    with pytest.raises(benchbase.ParameterError, match=f"{problem}, not 151"):
        learn(train, n_points=151)


def test_training_signals_stay_as_they_are() -> None:
    train = signals()
    untouched = train.copy()
    train.flags.writeable = False
    learn(train)
    assert_array_equal(train, untouched)


def test_too_few_training_signals_are_named() -> None:
    with pytest.raises(benchbase.ParameterError, match=r"n_points must be at most 300.* not 301"):
        learn(n_points=301)
    with pytest.raises(benchbase.BenchbaseError, match="the data set has none"):
        KSVD(n_pools=5).build(12, None, np.random.default_rng(0))


def test_pools_larger_than_the_span_are_named() -> None:
    problem = "pool_size must be at most 11, the dimension of the span"
    with pytest.raises(benchbase.ParameterError, match=problem):
        learn(n_pools=2, pool_size=12)
    problem = "pool_size must be at most 12, the dimension of the signals, not 13"
    with pytest.raises(benchbase.ParameterError, match=problem):
        KSVD(n_pools=5, pool_size=13).check(12)
    KSVD(n_pools=5, pool_size=12).check(12)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_pools": 0}, "n_pools: must be at least 1, not 0"),
        ({"n_pools": 9, "pool_size": 0}, "pool_size: must be at least 1, not 0"),
        ({"n_pools": 9, "nonzero": 0}, "nonzero: must be at least 1, not 0"),
        ({"n_pools": 9, "n_points": 0}, "n_points: must be at least 1, not 0"),
        ({"n_pools": 9, "n_iter": 0}, "n_iter: must be at least 1, not 0"),
        ({"n_pools": 4}, "nonzero: must be at most n_pools = 4, not 5"),
        (
            {"n_pools": 9, "pool_size": 3, "n_points": 26},
            r"n_points: must be at least n_pools \* pool_size = 27, not 26",
        ),
        ({}, "needs the parameter 'n_pools'"),
    ],
)
def test_bad_parameters_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(benchbase.SpecError, match=message):
        benchbase.build("frame", {"name": "ksvd", **parameters})


@pytest.mark.parametrize(
    "parameters", [{"n_pools": 12}, {"n_pools": 5, "pool_size": 1}, {"n_pools": 20, "pool_size": 4}]
)
def test_learned_frames_conform(parameters: dict[str, int]) -> None:
    check_frame(KSVD(n_points=200, **parameters))


def test_learned_frames_represent_unseen_digits_better_than_random_ones() -> None:
    dataset = benchbase.build("dataset", {"name": "digits"})
    train, unseen = (
        dataset.train(np.random.default_rng(0)),
        dataset.test(100, np.random.default_rng(0)).astype(np.float64),
    )
    frame = KSVD(n_pools=60, n_points=1000).build(dataset.n, train, np.random.default_rng(0))
    random = benchbase.build("frame", {"name": "gaussian", "n_pools": 60, "pools": "orthonormal"})

    def missing(vectors: Array) -> Any:
        rest = unseen - represent(vectors, *pursue(unseen, vectors, 3))
        return np.sum(rest**2) / np.sum(unseen**2)

    others = random.build(dataset.n, None, np.random.default_rng(0))
    assert missing(frame.dense()) < 0.2 * missing(others.dense())


@pytest.mark.skipif("BENCHBASE_DATA" not in os.environ, reason="needs MNIST in BENCHBASE_DATA")
def test_frames_of_mnist_are_conditioned_as_published(
    record_property: Callable[[str, object], None],
) -> None:
    dataset = benchbase.build("dataset", {"name": "mnist"})
    train = dataset.train(np.random.default_rng(0))
    for n_pools, low, high in ((60, 150, 450), (130, 40, 80), (200, 30, 55)):
        frame = KSVD(n_pools=n_pools).build(dataset.n, train, np.random.default_rng(0))
        record_property(f"condition_{n_pools}", frame.condition)
        assert frame.condition is not None
        assert low < frame.condition < high
