"""A plugin file of solvers that fail, lose rows, and tell when they are called."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run


def called(name: str) -> None:
    with Path(os.environ["CALLS"]).open("a") as file:
        file.write(f"{name}\n")


class Few(benchbase.Dataset):
    """Few test signals, which only shows when they are asked for."""

    name = "few"
    n: int = 4

    def test(self, size: int, rng: np.random.Generator) -> Array:
        if size > 8:
            raise benchbase.ParameterError("points", "must be less: there are 8")
        return rng.standard_normal((size, 4))


class Guess(benchbase.Solver):
    name = "guess"

    def prepare(self, problem: Problem) -> Inverse:
        called("guess")
        return lambda b, run: Recovery(x=run.normal(problem.frame.n))


class Steps(benchbase.Solver):
    name = "steps"
    chunk = 2
    n_iter: int = 10

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            called("steps")
            x = run.normal(problem.frame.n)
            for _ in range(self.n_iter):
                c = problem.pooling.rescale(problem.frame.analyse(x), b)
                x = problem.frame.least_squares(c)
            return Recovery(x=x, n_iter=np.full(len(b), self.n_iter))

        return inverse


class Fails(benchbase.Solver):
    """Fails in the last chunk where K = 12."""

    name = "fails"
    chunk = 2

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            if problem.frame.n_pools == 12 and run.size == 1:
                raise ArithmeticError("the last one")
            return Recovery(x=run.normal(problem.frame.n))

        return inverse


class Loses(benchbase.Solver):
    name = "loses"

    def prepare(self, problem: Problem) -> Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            x = run.normal(problem.frame.n)
            x[3] = np.nan
            return Recovery(x=x)

        return inverse


class Picky(Guess):
    name = "picky"

    def unsupported(self, problem: Problem) -> str | None:
        return "K is 5" if problem.frame.n_pools == 5 else None


@benchbase.hookimpl
def register_datasets(register: Callable[[type[benchbase.Dataset]], None]) -> None:
    register(Few)


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    for cls in (Guess, Steps, Fails, Loses, Picky):
        register(cls)
