"""Solvers written as one function for one signal."""

import numpy as np
import pytest

import benchbase
from benchbase import Array, Frame, Pooling, Problem
from benchbase.discovery.registry import Registry
from benchbase.numerics.functions import solver_class


@benchbase.solver
def guess(
    frame: Frame,
    pooling: Pooling,
    b: Array,
    rng: np.random.Generator,
    *,
    scale: float = 1.0,
    shift: int = 0,
) -> Array:
    """Guess at random."""
    assert b.shape == (frame.n_pools,)
    return scale * rng.standard_normal(frame.n) + shift


@pytest.fixture
def problem(parts: Registry) -> Problem:
    rng = np.random.default_rng(0)
    frame = benchbase.DenseFrame(rng.standard_normal((6, 2, 4)))
    return Problem(frame, parts.build("pooling", {"name": "sum"}))  # type: ignore[arg-type] # one


def test_a_marked_function_is_still_the_function(problem: Problem) -> None:
    x = guess(problem.frame, problem.pooling, np.ones(6), np.random.default_rng(3), shift=2)
    assert np.array_equal(x, np.random.default_rng(3).standard_normal(4) + 2)


def test_its_name_doc_and_options_are_those_of_the_solver() -> None:
    cls = solver_class(guess)
    assert cls.name == "guess"
    assert cls.__doc__ == "Guess at random."
    assert cls.__module__ == __name__
    assert cls().spec() == {"name": "guess", "scale": 1.0, "shift": 0}


def test_options_are_validated_like_parameters() -> None:
    known = Registry()
    known.add(guess)
    assert known.build("solver", {"name": "guess", "scale": 2}).spec()["scale"] == 2.0
    with pytest.raises(benchbase.SpecError, match=r"'scal'; did you mean 'scale'\?"):
        known.build("solver", {"name": "guess", "scal": 2})
    with pytest.raises(benchbase.SpecError, match=r"shift: must be a valid integer, not 0\.5"):
        known.build("solver", {"name": "guess", "shift": 0.5})


def test_options_reach_the_function(problem: Problem) -> None:
    b = np.ones((3, 6))
    plain = benchbase.solve(solver_class(guess)(), problem, b).x
    known = Registry()
    known.add(guess)
    changed = known.build("solver", {"name": "guess", "scale": 3, "shift": 5})
    assert np.allclose(benchbase.solve(changed, problem, b).x, 3 * plain + 5)  # type: ignore[arg-type] # a solver


def test_each_signal_has_its_own_stream_whatever_the_batch(problem: Problem) -> None:
    b = np.ones((5, 6))
    batch = benchbase.solve(guess, problem, b, seed=7).x  # type: ignore[arg-type] # marked as one
    assert len(np.unique(batch, axis=0)) == 5
    alone = benchbase.solve(guess, problem, b[0], seed=7).x  # type: ignore[arg-type] # as above
    assert np.array_equal(alone, batch[0])
    other = benchbase.solve(guess, problem, b, seed=8).x  # type: ignore[arg-type] # as above
    assert not np.isin(other, batch).any()


def test_an_estimate_of_another_shape_is_told_by_its_own_shape(problem: Problem) -> None:
    @benchbase.solver
    def coefficients(frame: object, pooling: object, b: object, rng: object) -> object:
        return np.zeros(problem.frame.n_pools)

    shapes = rf"shape \({problem.frame.n_pools},\), not \({problem.frame.n},\)"
    with pytest.raises(ValueError, match=f"an estimate of {shapes}, the shape of a signal"):
        benchbase.solve(solver_class(coefficients)(), problem, np.ones((2, problem.frame.n_pools)))


def test_a_marked_class_is_itself() -> None:
    class Mine(benchbase.Solver):
        name = "mine"

        def prepare(self, problem: Problem) -> benchbase.Inverse:
            raise NotImplementedError

    assert benchbase.solver(Mine) is Mine
    assert solver_class(Mine) is Mine


def test_a_subclass_of_a_marked_class_is_not_marked() -> None:
    marked = benchbase.solver(type("Mine", (benchbase.Solver,), {"name": "mine"}))
    sub = type("Sub", (marked,), {"name": "sub"})
    assert solver_class(sub) is sub


def few(frame, pooling, b): ...  # type: ignore[no-untyped-def] # as people write them
def more(frame, pooling, b, rng, q): ...  # type: ignore[no-untyped-def] # as above
def star(frame, pooling, b, rng, *rest): ...  # type: ignore[no-untyped-def] # as above
def kinds(frame, pooling, b, rng, **rest): ...  # type: ignore[no-untyped-def] # as above
def untyped(frame, pooling, b, rng, *, q=3): ...  # type: ignore[no-untyped-def] # as above
def needed(frame, pooling, b, rng, *, q: int): ...  # type: ignore[no-untyped-def] # as above


@pytest.mark.parametrize("function", [few, more, star, kinds])
def test_other_arguments_are_refused(function: object) -> None:
    with pytest.raises(TypeError, match=r"takes \(frame, pooling, b, rng\), .* not \(frame, p"):
        benchbase.solver(function)  # type: ignore[type-var] # the point


def test_arguments_may_stand_in_any_order(problem: Problem) -> None:
    @benchbase.solver
    def turned(rng, b, frame, /, pooling, *, scale: float = 1.0):  # type: ignore[no-untyped-def] # as above
        return scale * guess(frame, pooling, b, rng)

    b = np.ones((3, 6))
    one, other = (benchbase.solve(each, problem, b).x for each in (guess, turned))  # type: ignore[arg-type] # marked
    assert np.array_equal(one, other)


@pytest.mark.parametrize("name", ["prepare", "function", "chunk", "unsupported", "label"])
def test_an_option_cannot_take_the_name_of_what_solvers_have(name: str) -> None:
    space: dict[str, object] = {"__name__": "x"}
    exec(f"def f(frame, pooling, b, rng, *, {name}: int = 3): ...", space)
    with pytest.raises(TypeError, match=name):
        benchbase.solver(space["f"])  # type: ignore[type-var] # the point


@pytest.mark.parametrize("function", [untyped, needed])
def test_options_need_a_type_and_a_default(function: object) -> None:
    with pytest.raises(TypeError, match="'q' needs a type and a default"):
        benchbase.solver(function)  # type: ignore[type-var] # the point


@pytest.mark.parametrize("value", [3, "x", int, object(), benchbase.Pooling])
def test_what_is_no_solver_cannot_be_marked(value: object) -> None:
    with pytest.raises(TypeError):
        benchbase.solver(value)  # type: ignore[type-var] # the point
    with pytest.raises(TypeError, match="neither a Solver class nor marked"):
        solver_class(value)
