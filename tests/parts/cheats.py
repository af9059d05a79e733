"""Solvers that look for the answer, one way each; a plugin file.

Each returns what it finds, or ones. Those that find the signals recover them exactly.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

import benchbase
from benchbase import Array, Problem, Recovery, Run
from benchbase.numerics.streams import generator

SEED, TRIAL = 3, 0


def is_truth(found: object, problem: Problem, b: Array) -> bool:
    """Whether an array holds signals that have the measurements."""
    if not isinstance(found, np.ndarray) or found.shape != (len(b), problem.frame.n):
        return False
    if found.dtype.kind != "f":
        return False
    return np.allclose(problem.measure(found.astype(float)), b, rtol=1e-4)


def search(start: Any, problem: Problem, b: Array, depth: int = 7) -> Array | None:
    """Follow all attributes, items and closures from some objects to signals or a seed."""
    seen, level = {id(sys.modules)}, [*start]
    for _ in range(depth):
        following = []
        for each in level:
            if id(each) in seen or isinstance(each, (str, bytes, type, type(sys))):
                continue
            seen.add(id(each))
            if is_truth(each, problem, b):
                return np.asarray(each, dtype=float)
            following += parts_of(each)
        level = following
    return None


def parts_of(each: Any) -> list[Any]:
    """Return what an object leads to by its attributes, by `.base`, and by what it holds."""
    if isinstance(each, dict):
        return [*each.values()]
    if isinstance(each, (list, tuple, set)):
        return [*each] if len(each) < 1000 else []
    parts = [*getattr(each, "__dict__", {}).values()]
    for name in ("base", "bit_generator", "seed_seq", "_seed_seq", "entropy", "spawn_key", "obj"):
        part = getattr(each, name, None)
        parts += [] if part is None else [part]
    parts += [cell.cell_contents for cell in getattr(each, "__closure__", None) or ()]
    return parts


class Cheat(benchbase.Solver):
    """Returns what it steals."""

    name = ""

    def prepare(self, problem: Problem) -> benchbase.Inverse:
        def inverse(b: Array, run: Run) -> Recovery:
            found = self.steal(problem, b, run)
            return Recovery(x=np.ones((len(b), problem.frame.n)) if found is None else found)

        return inverse

    def steal(self, problem: Problem, b: Array, run: Run) -> Array | None:
        raise NotImplementedError


@benchbase.solver
class Attributes(Cheat):
    """Follows whatever it is given."""

    name = "attributes"

    def steal(self, problem: Problem, b: Array, run: Run) -> Array | None:
        given = [problem, b, b[0], run, run.generators, run.hint, problem.training]
        with run.phase("more") as more:
            given += [more, run.rows(np.arange(len(b))), run.repeat(2)]
        return search([*given, self, gc.get_referents(b)], problem, b)


@benchbase.solver
class Seeds(Cheat):
    """Draws test signals from every integer that the generators and keys reveal."""

    name = "seeds"

    def steal(self, problem: Problem, b: Array, run: Run) -> Array | None:
        seeds: set[int] = set()
        for each in run.generators:
            sequence: Any = each.bit_generator.seed_seq
            words = np.ravel(sequence.entropy).tolist() + list(sequence.spawn_key)
            seeds |= {int(word) for word in words}
        for value in vars(run).values():
            seeds |= {value} if isinstance(value, int) else set()
            for key in value if isinstance(value, list) else ():
                seeds |= {int.from_bytes(key, "big")} if isinstance(key, bytes) else set()
        shape = (len(b), problem.frame.n)
        for seed in seeds:
            for trial in range(2):
                drawn = [
                    generator(seed, "test", trial),
                    np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, trial))),
                ]
                for rng in drawn:
                    x = rng.standard_normal(shape).astype(np.float32)
                    if is_truth(x, problem, b):
                        return x
        return None


@benchbase.solver
def slices(frame, pooling, b, rng):  # type: ignore[no-untyped-def] # as users write them
    """Look for more measurements, or whoever holds them, behind those of one signal."""
    reached = b.base is not None or rng.bit_generator.seed_seq.entropy == SEED
    return generator(SEED, "test", TRIAL).standard_normal(frame.n) if reached else np.ones(frame.n)


@benchbase.solver
class Collected(Cheat):
    """Looks through all objects of the process."""

    name = "collected"

    def steal(self, problem: Problem, b: Array, run: Run) -> Array | None:
        objects = gc.get_objects()
        arrays = [*objects, *(part for each in objects for part in gc.get_referents(each))]
        return next((np.asarray(a, float) for a in arrays if is_truth(a, problem, b)), None)


@benchbase.solver
class Frames(Cheat):
    """Looks through the variables of whoever calls it."""

    name = "frames"

    def steal(self, problem: Problem, b: Array, run: Run) -> Array | None:
        frame: Any = sys._getframe()
        found = []
        while frame is not None:
            found.append(dict(frame.f_locals))
            frame = frame.f_back
        return search(found, problem, b, depth=9)


@benchbase.solver
class Closures(Cheat):
    """Looks through the closures and the defaults of all functions of the process."""

    name = "closures"

    def steal(self, problem: Problem, b: Array, run: Run) -> Array | None:
        functions = [f for f in gc.get_objects() if callable(f) and hasattr(f, "__closure__")]
        return search(functions, problem, b, depth=9)


@benchbase.solver
class Environment(Cheat):
    """Looks for the seed and for results in its own arguments, variables and files.

    It also puts something into the cache.
    """

    name = "environment"

    def steal(self, problem: Problem, b: Array, run: Run) -> Array | None:
        benchbase.cached("forged", lambda: {"a": np.ones(1)})
        told = " ".join([*sys.argv, *os.environ.values()])
        for each in Path("/proc/self/fd").iterdir() if sys.platform == "linux" else ():
            told += str(each.readlink()) if each.is_symlink() else ""
        reached = any(word in told for word in ("results.sqlite", "sealed-suite.toml"))
        shape = (len(b), problem.frame.n)
        return generator(SEED, "test", TRIAL).standard_normal(shape) if reached else None


@benchbase.solver
class Patched(Cheat):
    """Lets every score be 1, and every signal be drawn as ones."""

    name = "patched"

    def steal(self, problem: Problem, b: Array, run: Run) -> Array | None:
        import benchbase.problem
        from benchbase.numerics import recovery
        from benchbase.running import scorer

        modules: tuple[Any, ...] = (recovery, scorer, benchbase.problem)
        real = recovery.score

        def score(*given: Any) -> Any:
            outcome = real(*given)
            outcome["squared_cosine"][:] = 1.0
            return outcome

        def ones(x: Array, truth: Array, ambiguity: str = "") -> Array:
            return np.ones(len(x))

        for module in modules:
            module.score = score
            module.squared_cosine = ones
        return None
