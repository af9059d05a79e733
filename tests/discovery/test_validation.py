"""From parameters as TOML and JSON have them to components."""

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchbase
from benchbase.discovery.registry import Registry
from benchbase.errors import SpecError
from benchbase.tasks import json_ready

finite = st.floats(allow_nan=False, allow_infinity=False)
zeros = st.fixed_dictionaries(
    {"name": st.just("zero")},
    optional={
        "n_iter": st.integers(0, 10**12),
        "tol": finite | st.integers(-(10**6), 10**6) | st.just(math.inf) | st.just("-inf"),
        "mode": st.sampled_from(["rows", "keep"]),
        "loud": st.booleans(),
        "sizes": st.lists(st.integers(-(2**63), 2**63 - 1)),
    },
)
specs = st.recursive(
    zeros,
    lambda inner: (
        st.builds(lambda zero, init: zero | {"init": init}, zeros, inner)
        | st.builds(lambda solver: {"name": "wrapper", "solver": solver}, inner)
    ),
    max_leaves=3,
)


@given(specs)
def test_what_a_spec_says_is_what_the_component_has(parts: Registry, spec: dict[str, Any]) -> None:
    def check(component: Any, said: dict[str, Any]) -> None:
        for key, value in said.items():
            held = getattr(component, key)
            if isinstance(value, dict):
                check(held, value)
            elif key == "tol":
                assert isinstance(held, float)
                assert held == float(value)
            else:
                assert held == (tuple(value) if isinstance(value, list) else value)
                assert type(held) is (tuple if isinstance(value, list) else type(value))

    check(parts.build("solver", spec), spec)


@given(specs)
def test_a_component_can_be_built_again_from_its_spec(
    parts: Registry, spec: dict[str, Any]
) -> None:
    built = parts.build("solver", spec)
    assert parts.build("solver", built.spec()) == built
    assert parts.build("solver", json_ready(built.spec())) == built


def test_omitted_parameters_have_their_defaults(parts: Registry) -> None:
    spelt = {"n_iter": 10, "tol": 1e-8, "mode": "rows", "loud": False, "sizes": []}
    assert parts.build("solver", {"name": "zero"}) == parts.build(
        "solver", {"name": "zero"} | spelt
    )
    assert parts.build("solver", {"name": "zero"}).spec() == {"name": "zero", "init": None} | spelt


@pytest.mark.parametrize(
    ("parameters", "path", "problem"),
    [
        ({"n_itr": 3}, ("n_itr",), "zero has no parameter 'n_itr'; did you mean 'n_iter'?"),
        (
            {"qqq": 3},
            ("qqq",),
            "zero has no parameter 'qqq'; there are: 'init', 'loud', 'mode', 'n_iter', 'sizes'",
        ),
        ({"n_iter": "3"}, ("n_iter",), "must be a valid integer, not '3'"),
        ({"n_iter": 3.0}, ("n_iter",), "must be a valid integer, not 3.0"),
        ({"n_iter": True}, ("n_iter",), "must be a valid integer, not True"),
        ({"n_iter": [3]}, ("n_iter",), "must be a valid integer, not (3,)"),
        ({"n_iter": -1}, ("n_iter",), "must be at least 0, not -1"),
        ({"tol": "small"}, ("tol",), "must be a valid number, not 'small'"),
        ({"tol": True}, ("tol",), "must be a valid number, not True"),
        ({"tol": math.nan}, ("tol",), "nan is not allowed here"),
        ({"loud": 1}, ("loud",), "must be a valid boolean, not 1"),
        ({"mode": "no"}, ("mode",), "must be 'rows' or 'keep', not 'no'"),
        ({"sizes": 3}, ("sizes",), "must be a valid tuple, not 3"),
        ({"sizes": [1, "a"]}, ("sizes",), "must be a valid integer, not 'a'"),
        ({"sizes": ["inf"]}, ("sizes",), "must be a valid integer, not 'inf'"),
        ({"n_iter": "inf"}, ("n_iter",), "must be a valid integer, not 'inf'"),
        ({"mode": "inf"}, ("mode",), "must be 'rows' or 'keep', not 'inf'"),
        (
            {"init": "zero"},
            ("init",),
            "must be an instance of Solver, not 'zero'; write a table, such as {",
        ),
        ({"init": {}}, ("init",), "must be a table with a name, not {}"),
        ({"init": {"name": "no"}}, ("init", "name"), "no solver named 'no'; there are: "),
        ({"init": {"name": "zero", "q": 1}}, ("init", "q"), "zero has no parameter 'q'"),
        (
            {"init": {"name": "zero", "init": {"name": "zero", "n_iter": -1}}},
            ("init", "init", "n_iter"),
            "must be at least 0, not -1",
        ),
        ({"n_iter": {"name": "zero"}}, ("n_iter",), "must be a valid integer, not {'name': "),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_its_path(
    parts: Registry, parameters: dict[str, Any], path: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parts.build("solver", {"name": "zero"} | parameters, ("solver", 1))
    assert caught.value.path == ("solver", 1, *path)
    assert caught.value.problem.startswith(problem)
    assert "\n" not in str(caught.value)


def test_a_missing_parameter_is_named(parts: Registry) -> None:
    with pytest.raises(SpecError) as caught:
        parts.build("frame", {"name": "random", "pool_size": 3}, ("frame",))
    assert caught.value.path == ("frame",)
    assert caught.value.problem == "random needs the parameter 'n_pools'"


@pytest.mark.parametrize("length", [1, 3])
def test_a_parameter_may_have_alternatives(parts: Registry, length: int) -> None:
    assert parts.build("pooling", {"name": "sum", "weights": 2}).spec()["weights"] == 2.0
    several = {"name": "sum", "weights": [1] * length}
    assert parts.build("pooling", several).spec()["weights"] == [1.0] * length
    with pytest.raises(SpecError, match=r"weights: must be a valid number.*, not "):
        parts.build("pooling", {"name": "sum", "weights": "heavy"})


def test_infinity_is_a_number_of_toml_and_a_string_of_json(parts: Registry) -> None:
    from_toml = parts.build("pooling", {"name": "sum", "power": math.inf})
    assert parts.build("pooling", {"name": "sum", "power": "inf"}) == from_toml
    assert json_ready(from_toml.spec())["power"] == "inf"


class Worded(benchbase.Solver):
    """Has numbers for which there are words."""

    name = "worded"
    number: float | None = None
    either: float | str = 0.0
    several: tuple[float | str, ...] = ()

    def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
        raise NotImplementedError


@pytest.mark.parametrize("word", ["inf", "-inf"])
def test_infinity_is_text_where_text_is_allowed(word: str) -> None:
    known = Registry()
    known.add(Worded)
    parameters = {"number": word, "either": word, "several": [word, 1]}
    found = known.build("solver", {"name": "worded"} | parameters).spec()
    assert found["number"] == float(word)
    assert found["either"] == word
    assert found["several"] == [word, 1.0]


class Fussy(benchbase.Solver):
    """Checks its parameter as Python programs do."""

    name = "fussy"
    q: int = 1

    def __post_init__(self) -> None:
        if self.q > 1:
            raise ValueError("q is too large")

    def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
        raise NotImplementedError


def test_a_value_error_of_a_component_is_told_like_other_mistakes() -> None:
    known = Registry()
    known.add(Fussy)
    with pytest.raises(SpecError, match=r"solver\[0\].*q is too large"):
        known.build("solver", {"name": "fussy", "q": 2}, ("solver", 0))


def test_a_component_of_the_wrong_kind_is_refused(parts: Registry) -> None:
    pooling = parts.build("pooling", {"name": "sum"})
    with pytest.raises(SpecError, match="init: must be an instance of Solver"):
        parts.build("solver", {"name": "zero", "init": pooling})


class Composed(benchbase.Solver):
    """Has a solver as the default of a parameter."""

    name = "composed"
    inner: benchbase.Solver = dataclasses.field(
        default_factory=lambda: benchbase.build("solver", {"name": "altmin", "n_iter": 7})
    )
    solvers: tuple[benchbase.Solver, ...] = dataclasses.field(default_factory=tuple)

    def prepare(self, problem: benchbase.Problem) -> benchbase.Inverse:
        raise NotImplementedError


def test_a_default_may_be_made_by_a_function() -> None:
    known = Registry()
    known.load_installed()
    known.add(Composed)
    built = known.build("solver", {"name": "composed"})
    inner = built.spec()["inner"]
    assert (inner["name"], inner["n_iter"]) == ("altmin", 7)
    assert built == known.build("solver", built.spec())
    assert hash(built) == hash(known.build("solver", built.spec(), trusted=True))
    other = known.build("solver", {"name": "composed", "inner": {"name": "altmin"}})
    assert other.spec()["inner"]["n_iter"] == 1000
    assert sum(1 for _ in built.walk()) == 2
