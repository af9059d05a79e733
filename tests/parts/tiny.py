"""A plugin file of small components, from which tests of the core build their suites."""

from collections.abc import Callable
from typing import Literal

import numpy as np

import benchbase
from benchbase import Array, Inverse, ParameterError, Problem, Recovery, Run


class Noise(benchbase.Dataset):
    """Standard normal signals."""

    name = "noise"
    n: int = 4

    def test(self, size: int, rng: np.random.Generator) -> Array:
        return rng.standard_normal((size, self.n))


class Random(benchbase.FrameDesign):
    """Standard normal vectors."""

    name = "random"
    n_pools: int
    pool_size: int = 2

    def __post_init__(self) -> None:
        for size in ("n_pools", "pool_size"):
            if getattr(self, size) < 1:
                raise ParameterError(size, f"must be at least 1, not {getattr(self, size)}")

    def build(self, n: int, train: Array | None, rng: np.random.Generator) -> benchbase.Frame:
        return benchbase.DenseFrame(rng.standard_normal((self.n_pools, self.pool_size, n)))


class Sum(benchbase.Pooling):
    """The weighted sum of absolute values."""

    name = "sum"
    power: float = 1.0
    weights: float | tuple[float, ...] = 1.0

    @property
    def even(self) -> bool:
        return True

    @property
    def nonnegative(self) -> bool:
        return True

    def check(self, n_pools: int, pool_size: int) -> None:
        if isinstance(self.weights, tuple) and len(self.weights) != pool_size:
            raise ParameterError("weights", f"must be {pool_size}, not {len(self.weights)} numbers")

    def __call__(self, c: Array) -> Array:
        total: Array = np.abs(c).sum(axis=-2)
        return total

    def rescale(self, c: Array, b: Array) -> Array:
        return c * (b / self(c))[..., None, :]

    def project(self, c: Array, b: Array) -> Array:
        return self.rescale(c, b)


class Zero(benchbase.Solver):
    """Gives back zeros."""

    name = "zero"
    n_iter: int = 10
    tol: float = 1e-8
    mode: Literal["rows", "keep"] = "rows"
    loud: bool = False
    sizes: tuple[int, ...] = ()
    init: benchbase.Solver | None = None

    def __post_init__(self) -> None:
        if self.n_iter < 0:
            raise ParameterError("n_iter", f"must be at least 0, not {self.n_iter}")

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            return Recovery(np.zeros((len(b), problem.frame.n)))

        return inverse


class Wrapper(Zero):
    """Gives back what another solver does."""

    name = "wrapper"
    solver: benchbase.Solver

    def prepare(self, problem: Problem) -> Inverse:
        return self.solver.prepare(problem)


@benchbase.hookimpl
def register_datasets(register: Callable[[type[benchbase.Dataset]], None]) -> None:
    register(Noise)


@benchbase.hookimpl
def register_frames(register: Callable[[type[benchbase.FrameDesign]], None]) -> None:
    register(Random)


@benchbase.hookimpl
def register_poolings(register: Callable[[type[benchbase.Pooling]], None]) -> None:
    register(Sum)


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    register(Zero)
    register(Wrapper)
