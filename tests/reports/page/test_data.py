import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchbase_reports.page import render
from benchbase_reports.page.data import plain
from benchbase_reports.page.render import as_json, digest


def test_a_page_holds_the_boards_numbers(made_up: Any, data_of: Any) -> None:
    board = made_up()
    data = data_of(board)
    assert [each["label"] for each in data.solvers] == list(board.table["label"].unique())
    assert len(data.problems) == 4
    for problem in data.problems:
        part = board.table[board.table["problem"] == problem["title"]]
        assert problem["setting"] + " · " + problem["tab"] == problem["title"]
        labels = [data.solvers[i]["label"] for i in problem["rows"]["solver"]]
        assert labels == list(part["label"])
        shares = [np.nan if v is None else v for v in problem["rows"]["success"]]
        np.testing.assert_allclose(shares, part["success"], atol=5e-5)
        curves = problem["curves"]
        for i, solver in enumerate(curves["solver"]):
            of = board.curves[board.curves["problem"] == problem["title"]]
            own = of[of["label"] == data.solvers[solver]["label"]]
            np.testing.assert_allclose(curves["success"][i], own["success"], atol=5e-5)
            assert curves["k"] == list(own["n_pools"])


NUMBERS = st.floats(-1e9, 1e9) | st.floats(0, 1) | st.sampled_from([np.nan, np.inf, -np.inf])


@given(st.lists(NUMBERS, max_size=9), st.sampled_from(["success", "seconds"]))
def test_numbers_become_json_and_keep_their_digits(values: list[float], name: str) -> None:
    found = plain(np.array(values, dtype=float), name)
    json.dumps(found, allow_nan=False)
    for value, kept in zip(values, found, strict=True):
        if np.isnan(value):
            assert kept is None
        elif np.isinf(value):
            assert kept == ("inf" if value > 0 else "-inf")
        elif name == "success":
            assert kept == pytest.approx(value, abs=5.1e-5)
        elif abs(value) > 1e-100:
            assert kept == pytest.approx(value, rel=5.1e-4)


def test_the_same_board_gives_the_same_text(made_up: Any, data_of: Any) -> None:
    assert render(data_of(made_up())) == render(data_of(made_up()))


def test_a_page_allows_no_request_and_no_other_script(made_up: Any, data_of: Any) -> None:
    text = render(data_of(made_up()))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none';")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert f"script-src '{digest(script)}'" in policy
    assert f"style-src '{digest(style)}'" in policy
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)[^"']*""", text)
    assert outside == []
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}


@given(st.text())
def test_no_text_ends_its_script(text: str) -> None:
    written = as_json({"label": text})
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"label": text}


def test_markup_in_titles_is_escaped(made_up: Any, data_of: Any) -> None:
    import dataclasses

    board = dataclasses.replace(made_up(), title="<img src=x onerror=alert(1)>", command="a <b>")
    text = render(data_of(board))
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
