"""The conformance checks: bundled components pass; broken data sets and frames are caught."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import DenseFrame, Problem
from benchbase.conformance import check_dataset, check_frame, check_pooling, check_solver
from benchbase.discovery.registry import registry

Array = benchbase.Array
Rng = np.random.Generator

NEEDED: dict[tuple[str, str], dict[str, Any]] = {
    ("frame", "gaussian"): {"n_pools": 12},
    ("frame", "ksvd"): {"n_pools": 12, "n_points": 200},
    ("solver", "phasemax"): {"init": {"name": "spectral"}},
    ("solver", "both_signs"): {"solver": {"name": "altmin", "init": {"name": "gaussian"}}},
    ("solver", "restarts"): {"solver": {"name": "altmin"}},
    ("solver", "fallback"): {"solvers": [{"name": "spectral"}, {"name": "altmin"}]},
    ("solver", "gaussian_prior"): {"solver": {"name": "altmin", "n_iter": 50}},
    ("solver", "local_prior"): {"solver": {"name": "altmin", "n_iter": 50}, "q": 20},
}
"""Parameters without a default, by kind and name."""

MORE: dict[str, list[dict[str, Any]]] = {
    "dataset": [
        {"name": "gaussian", "n": 1},
        {"name": "gaussian", "normalise": True},
        {"name": "patches", "normalise": True, "split": "random"},
        {"name": "digits", "components": 7},
        {"name": "digits", "components": 64, "centred": True},
    ],
    "frame": [
        {"name": "gaussian", "n_pools": 3},
        {"name": "ksvd", "n_pools": 5, "pool_size": 1, "n_points": 200},
        {"name": "gaussian", "n_pools": 20, "pool_size": 1},
        {"name": "gaussian", "n_pools": 9, "pool_size": 3, "pools": "orthonormal"},
        {"name": "gaussian", "n_pools": 9, "pool_size": 17, "pools": "drawn"},
    ],
    "pooling": [
        {"name": "lp", "p": p, "rectified": rectified, "threshold": threshold}
        for p in (1, 2, "inf")
        for rectified, threshold in ((False, 0), (True, 0), (True, 0.3), (True, -0.3))
    ],
    "solver": [
        {"name": "altmin", "init": {"name": "knn", "q": 3}},
        {"name": "altmin", "rectified_update": "keep"},
        {"name": "restarts", "n": 2, "solver": {"name": "altmin", "n_iter": 20}},
        {"name": "altmin", "init": {"name": "lifted"}},
        {"name": "phasecut", "method": "block-coordinate"},
        {"name": "phasecut", "real": False},
        {"name": "phasemax", "init": {"name": "linear"}, "n_iter": 5},
        *({"name": "phaselift", "method": method} for method in ("scs", "admm", "cvxpy")),
    ],
}
"""Further parameters to try."""


def specs(kind: str) -> list[Any]:
    names = sorted(registry().classes[kind])
    found = [{"name": name} | NEEDED.get((kind, name), {}) for name in names]
    return [pytest.param(spec, id=str(spec)) for spec in found + MORE[kind]]


@pytest.mark.parametrize("spec", specs("dataset"))
def test_data_sets_conform(spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHBASE_OFFLINE", "1")
    dataset = benchbase.build("dataset", spec)
    try:
        dataset.fingerprint()
    except benchbase.DataError as error:
        pytest.skip(f"the files are not here: {error}")
    check_dataset(dataset)


@pytest.mark.parametrize("spec", specs("frame"))
def test_frames_conform(spec: dict[str, Any]) -> None:
    check_frame(benchbase.build("frame", spec))


@pytest.mark.parametrize("pool_size", [1, 2, 3])
@pytest.mark.parametrize("spec", specs("pooling"))
def test_poolings_conform(spec: dict[str, Any], pool_size: int) -> None:
    check_pooling(benchbase.build("pooling", spec), pool_size=pool_size)


def test_a_pooling_with_a_threshold_a_coefficient_conforms() -> None:
    threshold = (0.1, -0.2, 0.3, 0.0, 0.5, 0.2)
    spec = {"name": "lp", "rectified": True, "threshold": list(threshold)}
    check_pooling(benchbase.build("pooling", spec), n_pools=3, pool_size=2)


@pytest.mark.parametrize("spec", specs("solver"))
def test_solvers_conform(spec: dict[str, Any]) -> None:
    solver = benchbase.build("solver", spec)
    vectors = np.random.default_rng(0).standard_normal((30, 2, 5))
    for pooling in ({"p": 2}, {"p": "inf"}, {"p": "inf", "rectified": True}):
        problem = Problem(
            DenseFrame(vectors),
            benchbase.build("pooling", {"name": "lp"} | pooling),
            np.random.default_rng(1).standard_normal((400, 5)).astype(np.float32),
            hint=solver.name == "hint",
        )
        if solver.unsupported(problem) is None:
            check_solver(solver, problem)
            return
    pytest.fail("there is no problem that it supports")


# Data sets ---------------------------------------------------------------------------------------


class Source(benchbase.Dataset):
    """A data set in order; each class below breaks one of its promises."""

    name = "source"
    n: int = 3

    def train(self, rng: Rng) -> Array | None:
        return rng.standard_normal((10, 3)).astype(np.float32)

    def test(self, size: int, rng: Rng) -> Array:
        return rng.standard_normal((size, 3))

    def picture(self, x: Array) -> Array | None:
        return np.asarray(x[..., None, :])


class Transposed(Source):
    def test(self, size: int, rng: Rng) -> Array:
        return super().test(size, rng).T


class NotFinite(Source):
    def test(self, size: int, rng: Rng) -> Array:
        x = super().test(size, rng)
        x[-1] = np.inf
        return x


class DependsOnSize(Source):
    def test(self, size: int, rng: Rng) -> Array:
        return super().test(size, rng) * size


class Restless(Source):
    def test(self, size: int, rng: Rng) -> Array:
        x = super().test(size, rng)
        x[2:] = np.random.default_rng().standard_normal((max(size - 2, 0), 3))
        return x


class Fewer(Source):
    n_test = 8

    def test(self, size: int, rng: Rng) -> Array:
        return super().test(min(size, 7), rng)


class More(Source):
    n_test = 8


class OtherNorm(Source):
    signal_norm = 1.0


class FlatTraining(Source):
    def train(self, rng: Rng) -> Array | None:
        return rng.standard_normal(30).astype(np.float32)


class NoTraining(Source):
    def train(self, rng: Rng) -> Array | None:
        return np.empty((0, 3), dtype=np.float32)


class DoubleTraining(Source):
    def train(self, rng: Rng) -> Array | None:
        return rng.standard_normal((10, 3))


class IsComplex(Source):
    def test(self, size: int, rng: Rng) -> Array:
        return super().test(size, rng) + 0j


class ComplexTraining(Source):
    def train(self, rng: Rng) -> Array | None:
        return np.ones((10, 3), dtype=np.complex64)


class NotFiniteTraining(Source):
    def train(self, rng: Rng) -> Array | None:
        return np.full((10, 3), np.nan, dtype=np.float32)


class Leaking(Source):
    def test(self, size: int, rng: Rng) -> Array:
        training = self.train(np.random.default_rng(0))
        assert training is not None
        return np.array(training[:size], dtype=np.float64)

    def train(self, rng: Rng) -> Array | None:
        return super().train(np.random.default_rng(0))


class RestlessTraining(Source):
    def train(self, rng: Rng) -> Array | None:
        return np.random.default_rng().standard_normal((10, 3)).astype(np.float32)


class NoDigest(Source):
    def fingerprint(self) -> str:
        return None  # type: ignore[return-value] # what is broken


class OnePicture(Source):
    def picture(self, x: Array) -> Array | None:
        return np.asarray(x.reshape(-1, 1, 3)[0])


class Nameless(Source):
    name = ""


class Listed(Source):
    sizes: Any = (1,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", [1])


class Odd(Source):
    shape: Any = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", 1 + 2j)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (Transposed, "shape"),
        (NotFinite, "finite"),
        (IsComplex, "must be real"),
        (DependsOnSize, "longer draw"),
        (Restless, "same test signals"),
        (Fewer, r"test\(n_test, rng\) has shape"),
        (More, "for more than n_test"),
        (OtherNorm, "signal_norm"),
        (FlatTraining, r"not \(T, N\)"),
        (NoTraining, r"not \(T, N\)"),
        (DoubleTraining, "not float32"),
        (ComplexTraining, "complex64, not float32"),
        (NotFiniteTraining, "training signals must be finite"),
        (Leaking, "among the training"),
        (RestlessTraining, "same training"),
        (NoDigest, "fingerprint"),
        (OnePicture, "picture"),
        (Nameless, "no name"),
        (Listed, "unhashable"),
        (Odd, "not JSON serializable"),
    ],
)
def test_broken_data_sets_are_caught(broken: type[Source], sentence: str) -> None:
    check_dataset(Source())
    with pytest.raises(AssertionError, match=sentence):
        check_dataset(broken())


def test_another_kind_of_component_is_caught() -> None:
    with pytest.raises(AssertionError, match=r"not a benchbase\.Dataset"):
        check_dataset(Recipe())  # type: ignore[arg-type] # what is tested


# Frames ------------------------------------------------------------------------------------------


class Recipe(benchbase.FrameDesign):
    """A recipe in order that makes a frame of another class."""

    name = "recipe"
    n_pools: int = 5
    pool_size: int = 2
    frame_class = DenseFrame

    def build(self, n: int, train: Array | None, rng: Rng) -> DenseFrame:
        return self.frame_class(rng.standard_normal((self.n_pools, self.pool_size, n)))


class ComplexRecipe(Recipe):
    def build(self, n: int, train: Array | None, rng: Rng) -> DenseFrame:
        a, b = rng.standard_normal((2, self.n_pools, self.pool_size, n))
        return DenseFrame(a + 1j * b)


class NoFrame(Recipe):
    def build(self, n: int, train: Array | None, rng: Rng) -> DenseFrame:
        return rng  # type: ignore[return-value] # what is broken


class WrongN(Recipe):
    def build(self, n: int, train: Array | None, rng: Rng) -> DenseFrame:
        return super().build(n + 1, train, rng)


class WrongK(Recipe):
    def build(self, n: int, train: Array | None, rng: Rng) -> DenseFrame:
        return DenseFrame(rng.standard_normal((self.n_pools + 1, self.pool_size, n)))


class WrongL(Recipe):
    def build(self, n: int, train: Array | None, rng: Rng) -> DenseFrame:
        return DenseFrame(rng.standard_normal((self.n_pools, 3, n)))


class RestlessRecipe(Recipe):
    def build(self, n: int, train: Array | None, rng: Rng) -> DenseFrame:
        return super().build(n, train, np.random.default_rng())


class NoBatches(DenseFrame):
    def analyse(self, x: Array) -> Array:
        return super().analyse(x.reshape(-1, self.n)[0])


class Doubles(DenseFrame):
    def analyse(self, x: Array) -> Array:
        return super().analyse(x.astype(np.float64))


class Overwrites(DenseFrame):
    def adjoint(self, c: Array) -> Array:
        c *= 2
        return super().adjoint(c)


class Gives(DenseFrame):
    def analyse(self, x: Array) -> Array:
        return super().analyse(x) * np.inf


class NoAdjoint(DenseFrame):
    def adjoint(self, c: Array) -> Array:
        return super().adjoint(c[..., ::-1])


class BackProjection(DenseFrame):
    def least_squares(self, c: Array) -> Array:
        return self.adjoint(c)


class TooLong(DenseFrame):
    """Least squares with a part that the frame does not see."""

    def least_squares(self, c: Array) -> Array:
        x = super().least_squares(c)
        beyond = np.random.default_rng(0).standard_normal(self.n)
        beyond -= super().least_squares(super().analyse(beyond))
        return np.asarray(x + beyond * c.sum(axis=(-2, -1))[..., None], dtype=c.dtype)


class OtherVectors(DenseFrame):
    def dense(self) -> Array:
        vectors = super().dense() + 1
        vectors.flags.writeable = False
        return vectors


class WritableVectors(DenseFrame):
    def dense(self) -> Array:
        return super().dense().copy()


class TransposedVectors(DenseFrame):
    def dense(self) -> Array:
        return super().dense().transpose(1, 0, 2)


class Implicit(DenseFrame):
    def dense(self) -> Array:
        raise NotImplementedError


def recipe(cls: type[DenseFrame]) -> type[Recipe]:
    return type(cls.__name__, (Recipe,), {"frame_class": cls})


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (NoFrame, "must return a Frame"),
        (WrongN, "frame's n is 17, not 16"),
        (WrongK, r"n_pools is 6, but size\(\) says 5"),
        (WrongL, r"pool_size is 3, but size\(\) says 2"),
        (RestlessRecipe, "same frame"),
        (recipe(NoBatches), "shape"),
        (recipe(Doubles), "float32 is float64"),
        (recipe(Overwrites), "change its arguments"),
        (recipe(Gives), "not finite"),
        (recipe(NoAdjoint), "not the adjoint"),
        (recipe(BackProjection), "not zero"),
        (recipe(TooLong), "shortest"),
        (recipe(OtherVectors), "vectors that analyse"),
        (recipe(WritableVectors), "read-only"),
        (recipe(TransposedVectors), "shape"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_broken_frames_are_caught(broken: type[Recipe], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_frame(broken())


@pytest.mark.parametrize("design", [Recipe, ComplexRecipe, recipe(Implicit)])
@pytest.mark.parametrize("n_pools", [3, 20])
def test_other_frames_conform(design: type[Recipe], n_pools: int) -> None:
    check_frame(design(n_pools=n_pools))
    check_frame(design(n_pools=n_pools), n=4)
