"""The conformance checks of poolings and solvers: each broken one is caught."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import benchbase
from benchbase import DenseFrame, ParameterError, Problem, Recovery, Run
from benchbase.conformance import check_pooling, check_solver

Array = benchbase.Array
Rng = np.random.Generator

# Poolings ----------------------------------------------------------------------------------------


class Norm(benchbase.Pooling):
    """The Euclidean norm, in order."""

    name = "norm"
    even = True
    nonnegative = True

    def __call__(self, c: Array) -> Array:
        return np.asarray(np.linalg.norm(c, axis=-2))

    def rescale(self, c: Array, b: Array) -> Array:
        size = np.linalg.norm(c, axis=-2)
        return np.asarray(c * (b / np.where(size > 0, size, 1))[..., None, :])

    def project(self, c: Array, b: Array) -> Array:
        return self.rescale(c, b)


class Total(Norm):
    """The sum, in order; odd and signed."""

    name = "total"
    even = False
    nonnegative = False

    def __call__(self, c: Array) -> Array:
        return np.asarray(c.sum(axis=-2))

    def rescale(self, c: Array, b: Array) -> Array:
        return np.asarray(c + ((b - self(c)) / c.shape[-2])[..., None, :])


class Untold(Total):
    even = True


class Overtold(Norm):
    even = False


class Signed(Total):
    nonnegative = True


class WrongAxis(Norm):
    def __call__(self, c: Array) -> Array:
        return np.asarray(np.linalg.norm(c, axis=-1))


class DoublePooling(Norm):
    def __call__(self, c: Array) -> Array:
        return super().__call__(c.astype(np.float64))


class DoubleRescale(Norm):
    def rescale(self, c: Array, b: Array) -> Array:
        return super().rescale(c.astype(np.float64), b)

    def project(self, c: Array, b: Array) -> Array:
        return super().rescale(c, b)


class InPlace(Norm):
    def project(self, c: Array, b: Array) -> Array:
        c[...] = self.rescale(c, b)
        return c


class Divides(Norm):
    def rescale(self, c: Array, b: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(c * (b / self(c))[..., None, :])


class MovesWhatFits(Norm):
    def rescale(self, c: Array, b: Array) -> Array:
        return super().rescale(c, 2 * b)

    def project(self, c: Array, b: Array) -> Array:
        return super().rescale(c, b)


class ProjectMovesWhatFits(Norm):
    def project(self, c: Array, b: Array) -> Array:
        return super().rescale(c, 2 * b)


class Misses(Norm):
    """Stays where it fits, and goes half the way where it does not."""

    def project(self, c: Array, b: Array) -> Array:
        return (c + self.rescale(c, b)) / 2


class Drifts(Norm):
    """The nearest, but restless where it fits but for rounding."""

    def project(self, c: Array, b: Array) -> Array:
        fitted = self.rescale(c, b)
        near = np.isclose(self(c), b, rtol=1e-6) & (self(c) != b)
        return np.where(near[..., None, :], -fitted, fitted)


class Crosses(Norm):
    """Fits, but on the other side."""

    def project(self, c: Array, b: Array) -> Array:
        fits = np.isclose(self(c), b)
        return self.rescale(np.where(fits[..., None, :], c, -c), b)


class Forgets(Norm):
    """Keeps coefficients that it says are not known only in part."""

    def known(self, c: Array, b: Array) -> Array | None:
        mask = np.ones(c.shape, dtype=bool)
        mask[..., 0, :] = False
        return mask


class Scaled(Norm):
    """Homogeneous by its own word, and of degree two."""

    homogeneous = True

    def __call__(self, c: Array) -> Array:
        return super().__call__(c) ** 2

    def rescale(self, c: Array, b: Array) -> Array:
        return super().rescale(c, np.sqrt(b))


class WrongExponent(Norm):
    p = 1.0


class WrongSlopes(Norm):
    p = 2.0
    slopes = (0.0, 1.0)


class WrongThreshold(Norm):
    p = 2.0
    threshold = 0.1


class OddMask(Norm):
    def known(self, c: Array, b: Array) -> Array | None:
        return np.ones(c.shape)


class TooSmall(Norm):
    def check(self, n_pools: int, pool_size: int) -> None:
        raise ParameterError("n_pools", "must be more")


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (Untold, r"even is True, but"),
        (Overtold, r"even is False, but"),
        (Signed, "nonnegative"),
        (WrongAxis, "shape"),
        (DoublePooling, r"P\(\) of float32 is float64"),
        (DoubleRescale, r"rescale\(\) of float32 is float64"),
        (InPlace, r"project\(\) must not change"),
        (Divides, "not finite"),
        (MovesWhatFits, r"rescale\(\) must keep"),
        (ProjectMovesWhatFits, r"project\(\) must keep"),
        (Misses, "must give coefficients that have"),
        (Drifts, "moves them again"),
        (Crosses, "nearest"),
        (Forgets, "not known"),
        (OddMask, "bool"),
        (Scaled, "homogeneous is true, but"),
        (WrongExponent, "P is not what p = 1.0"),
        (WrongSlopes, r"slopes = \(0.0, 1.0\)"),
        (WrongThreshold, "threshold say"),
    ],
)
def test_broken_poolings_are_caught(broken: type[Norm], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_pooling(broken())


def test_other_poolings_conform() -> None:
    check_pooling(Norm())
    check_pooling(Total())
    check_pooling(Total(), n_pools=1, pool_size=4)


def test_a_pooling_that_does_not_fit_says_so() -> None:
    with pytest.raises(ParameterError, match="must be more"):
        check_pooling(TooSmall())


# Solvers -----------------------------------------------------------------------------------------


class Iterates(benchbase.Solver):
    """Alternating minimisation, in order; each class below breaks one promise."""

    name = "iterates"

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            return self.finish(self.solve(problem, b, run), b)

        return inverse

    def solve(self, problem: Problem, b: Array, run: Run) -> Array:
        x = run.normal(problem.frame.n)
        for _ in range(500):
            c = problem.pooling.rescale(problem.frame.analyse(x), b)
            x = problem.frame.least_squares(c)
        return x

    def finish(self, x: Array, b: Array) -> Recovery:
        return Recovery(x=x)


class Chokes(Iterates):
    def unsupported(self, problem: Problem) -> str | None:
        return "none" if len(problem.training) < 3 else None  # type: ignore[arg-type] # what is broken


class TakesVectors(Iterates):
    def unsupported(self, problem: Problem) -> str | None:
        problem.frame.dense()
        return None


class SaysTrue(Iterates):
    def unsupported(self, problem: Problem) -> str | None:
        return problem.frame.is_complex or None  # type: ignore[return-value] # what is broken


class SaysNothing(Iterates):
    def unsupported(self, problem: Problem) -> str | None:
        return "" if problem.frame.is_complex else None


class Never(Iterates):
    def unsupported(self, problem: Problem) -> str | None:
        return "it never does"


class PrepareFails(Iterates):
    def prepare(self, problem: Problem) -> benchbase.Inverse:
        raise ZeroDivisionError("oh")


class SolveFails(Iterates):
    def solve(self, problem: Problem, b: Array, run: Run) -> Array:
        raise ZeroDivisionError("oh")


class GivesArray(Iterates):
    def finish(self, x: Array, b: Array) -> Recovery:
        return x  # type: ignore[return-value] # what is broken


class GivesOne(Iterates):
    def finish(self, x: Array, b: Array) -> Recovery:
        return Recovery(x=x[0])


class GivesComplex(Iterates):
    def finish(self, x: Array, b: Array) -> Recovery:
        return Recovery(x=x + 0j)


class CountsOnce(Iterates):
    def finish(self, x: Array, b: Array) -> Recovery:
        return Recovery(x=x, n_iter=np.array(500))


class GivesNan(Iterates):
    def finish(self, x: Array, b: Array) -> Recovery:
        return Recovery(x=x * np.nan)


class WritesMeasurements(Iterates):
    def solve(self, problem: Problem, b: Array, run: Run) -> Array:
        b /= 1.0
        return super().solve(problem, b, run)


class ForcesMeasurements(Iterates):
    def solve(self, problem: Problem, b: Array, run: Run) -> Array:
        owner = b if b.base is None else b.base
        owner.flags.writeable = b.flags.writeable = True
        x = super().solve(problem, b, run)
        b *= 2
        return x


class WritesTraining(Iterates):
    def prepare(self, problem: Problem) -> benchbase.Inverse:
        assert problem.training is not None
        problem.training[0] = 0
        return super().prepare(problem)


class WritesVectors(Iterates):
    def prepare(self, problem: Problem) -> benchbase.Inverse:
        problem.frame.dense()[0] = 0
        return super().prepare(problem)


class Unseeded(Iterates):
    def finish(self, x: Array, b: Array) -> Recovery:
        return Recovery(x=x + 1e-12 * np.random.default_rng().standard_normal(x.shape))


class Remembers(Iterates):
    def prepare(self, problem: Problem) -> benchbase.Inverse:
        earlier: list[Array] = []

        def inverse(b: Array, run: Run) -> Recovery:
            x = self.solve(problem, b, run)
            earlier.append(x)
            return Recovery(x=x + 1e-9 * (len(earlier) - 1))

        return inverse


class Mixes(Iterates):
    """Moves signals by what else is in the batch."""

    def finish(self, x: Array, b: Array) -> Recovery:
        return Recovery(x=x + 1e-4 * b.mean())


class LegacySeed(Iterates):
    def finish(self, x: Array, b: Array) -> Recovery:
        np.random.seed(0)  # noqa: NPY002 # what is broken
        return Recovery(x=x)


class LegacyDraw(Iterates):
    def finish(self, x: Array, b: Array) -> Recovery:
        np.random.standard_normal(1)  # noqa: NPY002 # what is broken
        return Recovery(x=x)


class RequiresText(Iterates):
    requires = "scipy"  # type: ignore[assignment] # what is broken


class NoChunk(Iterates):
    chunk = 0


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (Chokes, r"unsupported\(\) raises TypeError"),
        (TakesVectors, r"unsupported\(\) raises NotImplementedError"),
        (SaysTrue, "None or a reason, not True"),
        (SaysNothing, "None or a reason, not ''"),
        (Never, "supports: it never does"),
        (PrepareFails, r"prepare\(\) raises ZeroDivisionError: oh"),
        (SolveFails, "the solver raises ZeroDivisionError: oh"),
        (GivesArray, "ndarray, not a Recovery"),
        (GivesOne, "x of shape"),
        (GivesComplex, "complex"),
        (CountsOnce, "n_iter of shape"),
        (GivesNan, "finite"),
        (WritesMeasurements, "read-only"),
        (ForcesMeasurements, "leave the measurements alone"),
        (WritesTraining, "read-only"),
        (WritesVectors, "read-only"),
        (Unseeded, "same seed"),
        (Remembers, "used again"),
        (Mixes, "alone must be recovered as in a batch"),
        (LegacySeed, "global state"),
        (LegacyDraw, "global state"),
        (RequiresText, "requires"),
        (NoChunk, "chunk"),
    ],
)
def test_broken_solvers_are_caught(broken: type[Iterates], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_solver(broken())


def test_other_solvers_conform() -> None:
    check_solver(Iterates())
    check_solver(Iterates(), Problem(DenseFrame(np.eye(4)[:, None, :]), Total()))


def test_functions_conform() -> None:
    @benchbase.solver
    def altmin(frame: Any, pooling: Any, b: Array, rng: Rng) -> Array:
        x = rng.standard_normal(frame.n)
        for _ in range(500):
            x = frame.least_squares(pooling.rescale(frame.analyse(x), b))
        return np.asarray(x)

    check_solver(altmin)


def test_what_is_no_solver_is_caught() -> None:
    calls: list[Callable[[], None]] = [lambda: check_solver(len), lambda: check_solver(Norm)]
    for call in calls:
        with pytest.raises(TypeError, match="neither a Solver"):
            call()
