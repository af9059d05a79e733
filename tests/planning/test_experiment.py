"""Experiments as data: changes from the command line, and the facts of a problem."""

from typing import Any

import pytest

import benchbase
from benchbase.errors import SuiteError
from benchbase.planning.experiment import Change, Setting


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("seed=1", ("seed",), 1),
        (" seed = 1 ", ("seed",), 1),
        ("grid.frame.n_pools=[60, 80]", ("grid", "frame", "n_pools"), [60, 80]),
        ("solver.0.init={name = 'a=b'}", ("solver", 0, "init"), {"name": "a=b"}),
        ("pooling.p=inf", ("pooling", "p"), float("inf")),
        ("title='x # y'", ("title",), "x # y"),
    ],
)
def test_a_change_is_a_path_and_a_toml_value(text: str, path: tuple[Any, ...], value: Any) -> None:
    change = Change.parse(text)
    assert (change.path, change.value, change.origin) == (path, value, f"--set {text}")


@pytest.mark.parametrize("text", ["seed", "=1", " =1", "seed=", "seed=x", "seed=[1", "seed=1\n2"])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(SuiteError) as caught:
        Change.parse(text)
    (problem,) = caught.value.problems
    assert problem.startswith(f"--set {text}: ")


def test_the_facts_of_a_problem_are_ready_for_json() -> None:
    specs = {"dataset": {"name": "gaussian", "n": 6}, "frame": {"name": "gaussian", "n_pools": 9}}
    specs |= {"pooling": {"name": "lp", "p": float("inf"), "rectified": True}}
    setting = Setting(**{kind: benchbase.build(kind, spec) for kind, spec in specs.items()})
    facts = setting.facts()
    assert [*facts][:3] == ["dataset", "frame", "pooling"]
    assert facts["pooling"]["p"] == "inf"
    rest = {name: fact for name, fact in facts.items() if name not in specs}
    expected = {"n": 6, "n_pools": 9, "pool_size": 2, "p": "inf", "rectified": True, "even": False}
    assert rest == expected
