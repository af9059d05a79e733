"""Errors for people: what they say and carry."""

import errno
import inspect
import math
import os
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

import benchbase
from benchbase import errors
from benchbase.errors import (
    LONGEST_MESSAGE,
    BenchbaseError,
    DiskError,
    ParameterError,
    SpecError,
    StoreError,
    SuiteError,
    dotted,
    in_one_line,
    suggestion,
    system_error,
)
from benchbase.wording import invisible

WORDS = st.text("abcdefghij", min_size=1, max_size=8)


def test_all_errors_have_one_root_and_are_public() -> None:
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass)]
    found = [cls for cls in classes if issubclass(cls, Exception)]
    assert BenchbaseError in found
    for cls in found:
        assert issubclass(cls, BenchbaseError)
        assert getattr(benchbase, cls.__name__) is cls
        assert cls.__name__ in (errors.__doc__ or "")


def test_parameter_error_is_a_value_error_that_carries_its_parts() -> None:
    error = ParameterError("q", "must be at least 1, not 0")
    assert isinstance(error, ValueError)
    assert (error.parameter, error.problem) == ("q", "must be at least 1, not 0")
    assert str(error) == "q must be at least 1, not 0"


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        (("init", "q"), "", "init.q: no good"),
        ((), "solver", "solver: no good"),
        ((), "", "no good"),
        (("solver", 0), "solver", "solver: solver[0]: no good"),
    ],
)
def test_spec_error_says_kind_place_and_problem(
    path: tuple[str | int, ...], kind: str, text: str
) -> None:
    error = SpecError(path, "no good", kind)
    assert str(error) == text
    assert (error.path, error.problem, error.kind) == (path, "no good", kind)


@given(st.lists(WORDS, min_size=1))
def test_suite_error_keeps_each_problem_once_and_in_order(problems: list[str]) -> None:
    error = SuiteError(problem for problem in problems)
    assert error.problems == sorted(set(problems), key=problems.index)
    assert str(error).split("\n") == error.problems


@given(st.lists(WORDS | st.integers(0, 99)))
def test_dotted_paths_can_be_read_back(path: list[str | int]) -> None:
    text = dotted(path)
    parts = text.replace("[", ".[").removeprefix(".").split(".") if text else []
    assert [int(part[1:-1]) if part[0] == "[" else part for part in parts] == path


def test_dotted_is_how_suites_spell_paths() -> None:
    assert dotted(("solver", 0, "init", "q")) == "solver[0].init.q"
    assert dotted(("grid", "frame", "n_pools", 3)) == "grid.frame.n_pools[3]"


@given(st.sets(WORDS, min_size=1), WORDS)
def test_suggestion_names_only_what_there_is(known: set[str], word: str) -> None:
    text = suggestion(word, known)
    if text.startswith("; did you mean '"):
        assert text.removeprefix("; did you mean '").removesuffix("'?") in known
    else:
        assert text == f"; there are: {', '.join(map(repr, sorted(known)))}"


# Letters that differ: of those that recur, the search for close words may match the wrong ones.
DISTINCT = st.lists(st.sampled_from("abcdefghij"), min_size=3, unique=True).map("".join)


@given(DISTINCT, st.integers(0, 2))
def test_suggestion_sees_through_a_slip(word: str, i: int) -> None:
    slip = word[:i] + "Z" + word[i + 1 :]
    assert suggestion(slip, {word}) == f"; did you mean '{word}'?"


def test_suggestion_where_nothing_is_near_or_there() -> None:
    assert suggestion("x", ["knn", "altmin"]) == "; there are: 'altmin', 'knn'"
    assert suggestion("x", []) == "; there is none"


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskError), (errno.EDQUOT, DiskError), (errno.EACCES, StoreError)],
)
def test_a_full_disk_is_no_mistake_of_the_user(number: int, kind: type[BenchbaseError]) -> None:
    error = system_error("a/place", OSError(number, os.strerror(number)), StoreError)
    assert type(error) is kind
    assert error.exit_code == (1 if kind is DiskError else 2)
    room = "; make room, then try again" if kind is DiskError else ""
    assert str(error) == f"a/place: {os.strerror(number)}{room}"


def test_a_disk_that_fails_is_checked_and_a_full_database_gets_room() -> None:
    errors: list[tuple[Exception, str]] = [(OSError(errno.EIO, "Input/output error"), "check")]
    for name, advice in [
        ("SQLITE_FULL", "make room"),
        ("SQLITE_IOERR", "check"),
        ("SQLITE_IOERR_WRITE", "check"),
    ]:
        error = sqlite3.OperationalError("text")
        error.sqlite_errorname = name
        errors.append((error, advice))
    for error_, advice in errors:
        told = system_error("a/place", error_, StoreError)
        assert isinstance(told, DiskError)
        assert str(told).partition("; ")[2].startswith(advice)


@pytest.mark.parametrize(
    ("value", "limits", "problem"),
    [
        (-1, {"least": 0}, "must be at least 0, not -1"),
        (0.5, {"least": 1}, "must be at least 1, not 0.5"),
        (-1.0, {"least": 0, "below": math.inf}, "must be finite and at least 0, not -1.0"),
        (math.inf, {"least": 0, "below": math.inf}, "must be finite and at least 0, not inf"),
        (math.nan, {"least": 0, "below": math.inf}, "must be finite and at least 0, not nan"),
        (0.0, {"above": 0, "below": math.inf}, "must be finite and above 0, not 0.0"),
        (2.5, {"above": 0, "most": 2}, "must be above 0 and at most 2, not 2.5"),
        (1.0, {"above": 0, "below": 1}, "must be above 0 and below 1, not 1.0"),
        (1, {"least": 2, "most": 256}, "must be between 2 and 256, not 1"),
        (math.nan, {"most": 1}, "must be at most 1, not nan"),
    ],
)
def test_values_out_of_range(value: float, limits: dict[str, float], problem: str) -> None:
    with pytest.raises(errors.ParameterError) as caught:
        errors.check_range("tol", value, **limits)
    assert (caught.value.parameter, caught.value.problem) == ("tol", problem)


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (0, {"least": 0}),
        (1e300, {"least": 0, "below": math.inf}),
        (math.inf, {"least": 0}),
        (2.0, {"above": 0, "most": 2}),
        (0.5, {"above": 0, "below": 1}),
        (7, {}),
    ],
)
def test_values_in_range(value: float, limits: dict[str, float]) -> None:
    errors.check_range("tol", value, **limits)


HOSTILE = "\x1b[2J\x07\u202e \x9b31m\ud800\u2028 \0 é"


def test_a_message_is_one_line_that_no_terminal_obeys() -> None:
    shown = r"\x1b[2J\x07\u202e \x9b31m\ud800 \x00 é"
    assert in_one_line(HOSTILE) == shown
    assert in_one_line(ValueError(f"a\n{HOSTILE}")) == f"a {shown}"
    assert str(BenchbaseError(f"a\n\t{HOSTILE}")).startswith("a\n\t\\x1b[2J")
    assert str(SuiteError([HOSTILE])).isprintable()


@given(st.text() | st.text("\x1ba\u202e", min_size=1000), st.integers(1, 50))
def test_a_message_has_an_end(text: str, times: int) -> None:
    line = in_one_line(text * times)
    assert len(line) <= LONGEST_MESSAGE
    assert invisible(line) is None
    assert in_one_line(line) == line
    line.encode()


def test_what_cannot_be_said_is_empty() -> None:
    class Silent:
        def __str__(self) -> str:
            raise RuntimeError

    assert in_one_line(Silent()) == ""
    assert in_one_line("x" * 10**7) == "x" * (LONGEST_MESSAGE - 1) + "…"
