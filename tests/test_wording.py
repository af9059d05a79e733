"""Names and texts: which are refused, which look alike, which parts of paths they become."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbase.discovery.registry import registry
from benchbase.planning.suite import load_suite
from benchbase.wording import (
    alike,
    check_name,
    file_name,
    folded,
    look_alike,
    visible,
    without_folders,
)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (["a"], r"must be a string, not \['a'\]"),
        (True, "must be a string, not True"),
        ("", "has no letter and no digit"),
        ("..", "has no letter and no digit"),
        ("knn ", "begins or ends with a space"),
        ("\u00a0knn", "begins or ends with a space"),
        ("esc\x1b", r"invisible character U\+001B"),
        ("a\rb", r"invisible character U\+000D"),
        ("a\nb", r"invisible character U\+000A"),
        ("knn\u202e", r"invisible character U\+202E"),
        ("k\u200bnn", r"invisible character U\+200B"),
        ("altmin\u3164", r"invisible character U\+3164"),
        ("knn\udcff", r"invisible character U\+DCFF"),
        ("\u0430ltmin", "mixes Latin and Cyrillic letters in a word"),
        ("\u03b1ltmin", "mixes Latin and Greek letters in a word"),
        ("knn\u0301\u0301\u0301\u0301", "more than 2 accents on a letter"),
        ("k" * 121, "has 121 characters; at most 120 are allowed"),
    ],
)
def test_a_name_that_people_cannot_tell_from_others_is_refused(name: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "altmin + kNN", "\u03bb = 0.1", "\u21132, 20 starts", "x\u0302", "\u6700\u8fd1\u508dknn",
        "\u03b2-altmin", "\u0411\u0435\u0433\u0435\u043c\u043e\u0442", "Kaczmarz (\u00f6)",
        "my suite", "Gr\u00f6\u00dfe", "k" * 120,
    ],
)  # fmt: skip # a list
def test_a_name_in_any_language_is_fine(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "ALT-MIN", "alt - min", "\uff41lt-min",  # case, spaces, width
        "\u0251lt-min", "alt-m\u0131n", "a1t-min", "aIt-min", "a|t-min",  # other letters
        "\u1d00\u029f\u1d1b-\u1d0d\u026a\u0274", "alt-\uab51in".replace("\uab51", "m"),
        "alt\u2010min", "alt\u2011min", "alt\u2013min", "alt\u2014min", "alt\u2212min",  # dashes
        "\u00e4lt-min", "a\u0332lt-min", "al\u0307t-min", "alt-m\u0131\u0307n",  # marks
        "\U0001d41alt-min", "\u24d0lt-min", "alt-rnin",
        "\u0430lt-min", "\u13aalt-min", "\ua4eelt-min", "alt-mi\u0578",  # other alphabets
        "\u0391lt-min",
    ],
)  # fmt: skip # a list
def test_names_that_look_alike_are_one(name: str) -> None:
    assert folded(name) == folded("alt-min")
    assert look_alike(["knn", "alt-min", name]) == (
        None if name == "alt-min" else ("alt-min", name)
    )


def test_a_word_of_another_alphabet_looks_like_a_latin_one() -> None:
    assert folded("\u0440\u0441\u0430") == folded("pca")
    assert folded("\u0397\u0399\u039f") == folded("HIO")


def test_no_two_names_of_the_bundled_suites_look_alike() -> None:
    for name in registry().suites:
        suite = load_suite(name, registry())
        labels = {entry.label for each in suite.experiments for entry in each.entries}
        for one, other in itertools.combinations(labels, 2):
            assert folded(one) != folded(other)
    assert look_alike([*registry().suites]) is None


@given(st.text(max_size=8))
def test_what_differs_by_case_only_looks_alike(name: str) -> None:
    assert alike(name.casefold(), [name]) == name


@given(st.text(max_size=90))
def test_a_file_name_is_one_plain_part_of_a_path(name: str) -> None:
    part = file_name(name)
    assert part.isascii()
    assert part.isprintable()
    assert not set(part) & set("/\\ %?#:\"'<>|*")
    assert part[0].isalnum()
    assert len(part) <= 80
    assert Path("x", part).resolve().parent == Path("x").resolve()
    assert part == name or "~" in part


def test_plain_names_stay_and_others_differ() -> None:
    assert [*map(file_name, ("quick", "figure1b", "a.b_c-2"))] == ["quick", "figure1b", "a.b_c-2"]
    others = [
        "..",
        "../../x",
        "x",
        "x ",
        "x.",
        "X~",
        "",
        "my suite",
        "my-suite",
        "\u00fcber",
        "uber",
    ]
    assert len({*map(file_name, others)}) == len(others)


def test_what_cannot_be_seen_is_shown_as_escapes() -> None:
    assert visible("a\x1b[2J\u202eb\n") == r"a\x1b[2J\u202eb\n"
    assert visible("a\nb", "\n") == "a\nb"
    assert visible("Gr\u00f6\u00dfe") == "Gr\u00f6\u00dfe"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/tmp/a/x.bin is gone", "x.bin is gone"),
        (
            "no such file: '/data/Ann Lee/x.bin' (solver.py:4)",
            "no such file: 'x.bin' (solver.py:4)",
        ),
        (r"C:\Users\ann\x.py:3", "x.py:3"),
        ("file:///data/ann/x and ~/y/z", "x and z"),
        ("https://example.org/a/b, and/or ../c/d, 1/2, x / y", None),
    ],
)
def test_absolute_paths_are_cut_to_their_last_names(text: str, expected: str | None) -> None:
    assert without_folders(text) == (text if expected is None else expected)
