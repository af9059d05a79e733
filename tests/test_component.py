"""Parameters are plain values, whatever numbers they were given as."""

import enum
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchbase
from benchbase.component import plain


class Step(enum.IntEnum):
    SMALL = 2


class Rows(enum.StrEnum):
    ALL = "rows"

    def __str__(self) -> str:
        return "something else"


class Mode(enum.Enum):
    FAST = "fast"


class Odd(benchbase.Report):
    """A report whose defaults are as people write them."""

    name = "odd"
    n: int = np.int64(4)  # type: ignore[assignment] # what is tested
    tol: float = np.finfo(np.float32).eps  # type: ignore[assignment] # what is tested
    step: int = Step.SMALL
    rows: str = Rows.ALL
    place: str = Path("a/b")  # type: ignore[assignment] # what is tested
    loud: bool = np.bool_(True)  # type: ignore[assignment] # what is tested
    grid: tuple[float, ...] = field(default_factory=lambda: np.linspace(0, 1, 3))  # type: ignore[arg-type,return-value] # what is tested
    inner: benchbase.Report | None = None

    def write(self, results: object, folder: Path) -> list[Path]:
        raise NotImplementedError


PLAIN = {
    "n": 4, "tol": 2.0**-23, "step": 2, "rows": "rows", "place": "a/b", "loud": True,
    "grid": [0.0, 0.5, 1.0], "inner": None,
}  # fmt: skip # a table


def types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: types(item) for key, item in value.items()}
    return [types(item) for item in value] if isinstance(value, list | tuple) else type(value)


def test_defaults_become_plain() -> None:
    spec = Odd().spec()
    assert spec == {"name": "odd"} | PLAIN
    assert types(spec) == types({"name": "odd"} | PLAIN)
    assert Odd() == Odd(**(PLAIN | {"grid": (0.0, 0.5, 1.0)}))  # type: ignore[arg-type] # of many types
    assert len({Odd(), Odd(n=np.uint8(4))}) == 1  # type: ignore[arg-type] # what is tested


def test_values_become_plain() -> None:
    made = Odd(n=np.array(3), tol=np.longdouble(2), grid=[np.float32(1), 2], inner=Odd())  # type: ignore[arg-type] # what is tested
    assert types([made.n, made.tol, made.grid]) == [int, float, [float, int]]
    assert made.inner == Odd()


@pytest.mark.parametrize("value", [Mode.FAST, 1j, np.datetime64("2020"), {"a": 1}, object, {1}])
def test_what_no_suite_can_write_is_refused(value: object) -> None:
    with pytest.raises(benchbase.ParameterError, match="n must be a number, text, true, false"):
        Odd(n=value)  # type: ignore[arg-type] # what is tested
    with pytest.raises(benchbase.ParameterError, match="grid must be a number"):
        Odd(grid=(1.0, value))  # type: ignore[arg-type] # what is tested
    with pytest.raises((TypeError, ValueError), match=r"(Bad: the default of|mutable default)"):
        type("Bad", (Odd,), {"mode": value, "__annotations__": {"mode": object}})


def test_an_init_of_ones_own_is_left_alone() -> None:
    class Own(Odd):
        name = "own"

        def __init__(self, n: object) -> None:
            object.__setattr__(self, "n", n)

    assert type(Own(np.int8(3)).n) is np.int8  # type: ignore[comparison-overlap] # what is tested


scalars = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.integers(0, 2**64 - 1).map(np.uint64),
    st.floats(width=32).map(np.float32),
    st.floats().map(np.float64),
    st.booleans().map(np.bool_),
    st.text().map(np.str_),
)
values = st.recursive(
    scalars | st.integers() | st.none() | st.text() | st.lists(st.floats()).map(np.array),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(values)
def test_plain_values_are_of_pythons_types_and_say_the_same(value: Any) -> None:
    def check(made: Any, given: Any) -> None:
        assert type(made) in (int, float, bool, str, list, dict, type(None))
        if isinstance(made, dict):
            assert list(made) == list(given)
            check([*made.values()], [*given.values()])
        elif isinstance(made, list):
            assert len(made) == len(given)
            for one, other in zip(made, given, strict=True):
                check(one, other)
        else:
            assert made == given or (made != made and given != given)

    check(plain(value), value)
    assert repr(plain(plain(value))) == repr(plain(value))


def test_arrays_and_ranges_become_lists() -> None:
    assert plain([np.ones((2, 1), dtype=int), np.array(2.5), range(2)]) == [[[1], [1]], 2.5, [0, 1]]


def test_a_default_that_is_not_needed_is_not_made() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(0)
        return 3

    class Counted(benchbase.Component):
        n: int = field(default_factory=make)

    assert Counted(n=1).n == 1
    assert made == []
    assert Counted().n == 3
    assert made == [0]
