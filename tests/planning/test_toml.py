"""On which line of a TOML file a value stands."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchbase.errors import SuiteError
from benchbase.planning.toml import TomlFile

Path_ = tuple[str | int, ...]
SCALARS = st.sampled_from(["1", "-2.5", "true", "inf", '"a # b"', "'[x]'", "2020-01-01", '"="'])
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
            key = f"key{i}"
            inner = (*path, key)
            form = draw(st.sampled_from(["scalar", "dotted", "array", "long array", "tables"]))
            if form == "scalar":
                add(f"{key} = {draw(SCALARS)}", inner)
            elif form == "dotted":
                add(f"{key}.sub.leaf = {draw(SCALARS)}", (*inner, "sub", "leaf"))
            elif form == "array":
                add(f"{key} = [1, 2]", inner, (*inner, 0), (*inner, 1))
            elif form == "long array":
                lines.append(f"{key} = [" + draw(ODD))
                count = draw(st.integers(1, 3))
                for j in range(count):
                    add(f"  {draw(SCALARS)},", (*inner, j))
                lines.append("]")
            else:
                lines.append(f"{key} = [")
                for j in range(draw(st.integers(1, 3))):
                    lines.extend(draw(st.lists(st.just("  # a comment"), max_size=1)))
                    add(f'  {{ name = "lp", p = {j} }},', (*inner, j), (*inner, j, "p"))
                lines.append("]")

    table(())
    for name in draw(st.lists(st.sampled_from(["one", "two", "three"]), unique=True)):
        if draw(st.booleans()):
            add(f"[{name}]", (name,))
            table((name,))
        else:
            for i in range(draw(st.integers(1, 3))):
                add(f"[[{name}]]", (name, i))
                table((name, i))
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
        (("title",), 3),  # a value of several lines is complete on its last
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
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int, told: str) -> None:
    with pytest.raises(SuiteError) as caught:
        _ = TomlFile("s.toml", text).data
    (problem,) = caught.value.problems
    assert problem.startswith(f"s.toml:{line}: ")
    assert told in problem
    assert "at line" not in problem
    assert "end of document" not in problem


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_files_are_read_as_utf_8_whatever_ends_their_lines(tmp_path: Path, end: str) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(end.join(["a = 'ß'", "", "b = 1"]).encode())
    file = TomlFile.read(path)
    data: dict[str, Any] = {"a": "ß", "b": 1}
    assert file.data == data
    assert file.place(("b",)) == "s.toml:3"


def test_what_is_no_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(SuiteError, match=r"^s\.toml:2: no UTF-8 text"):
        TomlFile.read(path)


@pytest.mark.parametrize(
    ("name", "told"), [("no.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(SuiteError, match=told):
        TomlFile.read(tmp_path / name)
