"""TOML: the lines of values, and values read and written."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchbase
from benchbase.discovery.registry import registry
from benchbase.errors import SuiteError
from benchbase.planning.toml import TomlFile, as_toml, as_toml_pair, from_toml, parse_path

Path_ = tuple[str | int, ...]
TEXTS = ['"a # b"', "'[x]'", '"="', "''", r'"\\"', r'"\"]"', r"'\'", '"""a"""""', "''''x'''"]
OTHERS = ["2020-01-01 10:00:00", "[1979-05-27 07:32:00, '']", "{}", "[]", "[[], {}]"]
SCALARS = st.sampled_from(["1", "-2.5", "true", "inf", *TEXTS, *OTHERS])
FORMS = st.sampled_from(["scalar", "long", "dotted", "array", "in lines", "tables"])
LONG = st.sampled_from(['"""', "'''"])
BLANK = st.sampled_from(["", "   ", "# a comment", "#[table]", '# """', "# 'x = [1,"])
# Characters that `str.splitlines` takes for ends of lines, and TOML does not.
ODD = st.sampled_from(["", " # \u2028 and \x85", " # \u2029"])


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path_, int]]:
    """Draw a TOML file, and the line of each of its values."""
    lines: list[str] = []
    places: dict[Path_, int] = {}

    def add(line: str, *paths: Path_) -> None:
        lines.append(line + draw(ODD))
        places.update({path: len(lines) for path in paths if path not in places})

    def table(path: Path_) -> None:
        for i in range(draw(st.integers(0, 3))):
            lines.extend(draw(st.lists(BLANK, max_size=1)))
            name = f"key{i}{draw(st.sampled_from(['', '.', ' ]', '=']))}"
            key = name if name.isalnum() else draw(st.sampled_from([f"'{name}'", f'"{name}"']))
            inner = (*path, name)
            form = draw(FORMS)
            if form == "scalar":
                add(f"{key} = {draw(SCALARS)}", inner)
            elif form == "long":
                mark = draw(LONG)
                add(f"{key} = {mark}[", inner)
                lines.extend([f"[{key}] # = 1", f"{{ {mark}"])
            elif form == "dotted":
                places[(*inner, "sub")] = places[inner] = len(lines) + 1
                add(f"{key} . sub.leaf = {draw(SCALARS)}", (*inner, "sub", "leaf"))
            elif form == "array":
                add(f"{key} = [1, 2]", inner, (*inner, 0), (*inner, 1))
            elif form == "in lines":
                add(f"{key} = [", inner)
                count = draw(st.integers(1, 3))
                for j in range(count):
                    add(f"  {draw(SCALARS)},", (*inner, j))
                lines.append("]")
            else:
                add(f"{key} = [", inner)
                for j in range(draw(st.integers(1, 3))):
                    lines.extend(draw(st.lists(st.just("  # a comment"), max_size=1)))
                    paths = (*inner, j), (*inner, j, "p"), (*inner, j, "q", 0)
                    add(f'  {{ name = "lp", p = {j}, q = [{{}}, [1]] }},', *paths)
                lines.append("]")

    table(())
    for name in draw(st.lists(st.sampled_from(["one", "two", "three"]), unique=True)):
        if draw(st.booleans()):
            add(f"[{name}]", (name,))
            table((name,))
        else:
            for i in range(draw(st.integers(1, 3))):
                add(f"[[{name}]]", (name,), (name, i))
                table((name, i))
                if draw(st.booleans()):
                    add(f"[ {name} . 'sub'.\"in\" ]", (name, i, "sub", "in"))
                    table((name, i, "sub", "in"))
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"])), places


@settings(max_examples=60, deadline=None)
@given(documents())
def test_every_value_has_its_line(document: tuple[str, dict[Path_, int]]) -> None:
    text, places = document
    file = TomlFile("s.toml", text)
    assert {path: file.place(path) for path in places} == {
        path: f"s.toml:{line}" for path, line in places.items()
    }


@settings(max_examples=30, deadline=None)
@given(documents(), st.data())
def test_a_value_that_is_not_there_has_the_line_of_the_table_around_it(
    document: tuple[str, dict[Path_, int]], data: st.DataObject
) -> None:
    text, places = document
    file = TomlFile("s.toml", text)
    assert file.place(("nosuch", 3)) == "s.toml"
    if places:
        path = data.draw(st.sampled_from(sorted(places, key=str)))
        assert file.place((*path, "nosuch", 0)) == file.place(path)


FILE = """\
title = '''
seed = 1
'''
grid.frame.n_pools = [
    20,
    # thirty is for later
    40, 60,
]

[[solver]]
name = "altmin"

[[solver]]
name = "restarts"
solver = { name = "altmin", init = { name = "knn" } }
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 1),  # a value of several lines stands where it starts
        (("grid", "frame", "n_pools", 0), 5),
        (("grid", "frame", "n_pools", 2), 7),
        (("solver", 0), 10),
        (("solver", 0, "name"), 11),
        (("solver", 0, "n_iter"), 10),
        (("solver", 1), 13),
        (("solver", 1, "solver", "init", "name"), 15),
        (("solver", 2), 10),
    ],
)
def test_places_in_a_suite(path: Path_, line: int) -> None:
    assert TomlFile("s.toml", FILE).place(path) == f"s.toml:{line}"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("a = 1\nb = \nc = 3\n", 2, "Invalid value"),
        ("a = 1\n\n\na = 2\n", 4, "Cannot overwrite a value"),
        ("[a]\n[b]\n[a]\n", 3, "Cannot declare"),
        ("a = 1\nb = [1,\n\n2\n", 4, ""),
        ("a = 1\nb = '''x\n", 2, ""),
        ("a = 1 # \u2028\x85\nb = \n", 2, "Invalid value"),
        ("a = 1\nb", 2, "Expected '='"),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(SuiteError) as caught:
        _ = TomlFile("s.toml", text).data
    (problem,) = caught.value.problems
    assert problem.startswith(f"s.toml:{line}: ")
    assert told in problem
    assert "at line" not in problem
    assert "end of document" not in problem


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = " + 2000 * "[" + 2000 * "]", "s.toml: Nested too deeply"),
        ("a = " + 5000 * "1", "s.toml: Number with too many digits"),
    ],
)
def test_what_tomllib_gives_up_on_is_told(text: str, told: str) -> None:
    with pytest.raises(SuiteError) as caught:
        _ = TomlFile("s.toml", text).data
    assert caught.value.problems == [told]
    with pytest.raises(SuiteError, match=f"^here: not a TOML value: {told[8:]}$"):
        from_toml(text[4:], "here")


def test_a_file_without_lines_still_has_a_name() -> None:
    """A key with a null character, which nobody writes, could be taken for a table's line."""
    file = TomlFile("s.toml", '[a]\n"\\u0000line" = 7\n')
    assert file.place(("a",)) == "s.toml"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("9223372036854775808", "must be an integer from -2⁶³"),
        ("-9223372036854775809", "must be an integer from -2⁶³"),
        ("0x" + 5000 * "f", "must be an integer from -2⁶³"),
        ('"\\u0000"', "must be valid text"),
        ('{ "\\u0000" = 1 }', r"must not have the key '\x00'"),
        (60 * "[" + 60 * "]", "is nested too deeply; at most 50"),
        (300 * "{ b = " + "1" + 300 * " }", "is nested too deeply; at most 50"),
    ],
)
def test_a_value_that_cannot_be_stored_is_told_with_its_line(value: str, told: str) -> None:
    with pytest.raises(SuiteError) as caught:
        _ = TomlFile("s.toml", f"[a]\nc = [1, {{ d = {value} }}]\n").data
    (problem,) = caught.value.problems
    place = "s.toml:1: a: " if "nested" in told else "s.toml:2: a.c[1].d: "
    assert problem.removeprefix("s.toml: a: ").startswith((place + told, told))
    with pytest.raises(SuiteError, match=f"^here: .*{re.escape(told)}"):
        from_toml(value, "here")


def test_all_lines_are_found_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = 400
    solver = '[[solver]]\nname = "x"\nlabel = "{}"\ninit = {{ name = "y" }}\n'
    file = TomlFile("s.toml", "".join(map(solver.format, range(tables))))
    loads = Mock(wraps=tomllib.loads)
    monkeypatch.setattr(tomllib, "loads", loads)
    places = [file.place(("solver", i, "init", "name")) for i in range(tables)]
    assert places == [f"s.toml:{4 * i + 4}" for i in range(tables)]
    assert loads.call_count == 1


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_are_read_as_utf_8_whatever_their_ends(tmp_path: Path, start: str, end: str) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes((start + end.join(["a = 'ß'", "", "b = 1"])).encode())
    file = TomlFile.read(path)
    data: dict[str, Any] = {"a": "ß", "b": 1}
    assert file.data == data
    assert file.place(("b",)) == "s.toml:3"


def test_what_is_no_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(SuiteError, match=r"^s\.toml:2: not UTF-8 text"):
        TomlFile.read(path)


@pytest.mark.parametrize(
    ("name", "told"), [("no.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(SuiteError, match=told):
        TomlFile.read(tmp_path / name)


# Values -------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert from_toml(as_toml(value), "here") == value


@settings(max_examples=30)
@given(st.text(), VALUES)
def test_a_pair_is_a_line_of_a_file(key: str, value: Any) -> None:
    assert tomllib.loads(as_toml_pair(key, value)) == {key: value}


def test_specs_are_written_as_suites_write_them() -> None:
    spec = {"name": "x", "init": {"name": "knn", "q": 10}, "on": True, "w": [1, 2.5], "no": None}
    expected = '{ name = "x", init = { name = "knn", q = 10 }, on = true, w = [1, 2.5] }'
    assert as_toml(spec) == expected
    assert as_toml(dict(reversed(spec.items()))).startswith('{ name = "x", ')
    assert as_toml(np.array([1.5, np.inf])) == "[1.5, inf]"


def components() -> Iterator[benchbase.Component]:
    """Yield the installed components that need no parameter, and some with others than defaults."""
    for kind, classes in registry().classes.items():
        for name in classes:
            try:
                yield benchbase.build(kind, {"name": name})
            except benchbase.SpecError:
                continue  # one that needs parameters
    yield benchbase.build("pooling", {"name": "lp", "p": np.inf})
    yield benchbase.build("solver", {"name": "altmin", "init": {"name": "knn", "q": 3}})


def test_components_are_written_so_that_they_can_be_built() -> None:
    for component in components():
        spec = from_toml(as_toml(component), "here")
        assert benchbase.build(component.kind, spec) == component


@pytest.mark.parametrize("text", ["", "x", "[1", "1 2", "1\nother = 2", "1\n[table]"])
def test_what_is_not_one_value_is_refused(text: str) -> None:
    with pytest.raises(SuiteError) as caught:
        from_toml(text, "here")
    (problem,) = caught.value.problems
    several = "the value must be one TOML value, but more lines follow it"
    assert problem == f"here: {several}" or problem.startswith("here: not a TOML value: ")


def test_a_path_is_split_at_its_dots() -> None:
    assert parse_path("solver.0.init.q") == ("solver", 0, "init", "q")
