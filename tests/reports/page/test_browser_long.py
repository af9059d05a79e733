"""Long tables, and pages of a site, as a browser shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchbase_publish.index import MEANINGS
from benchbase_publish.pages import LINKS

Page = Any  # of the fixture `browse`

LONG = tuple(f"solver {number:04d}" for number in range(1000))


@pytest.fixture(scope="module")
def long_file(page_file: Callable[..., Path], data_of: Any, made_up: Any) -> Path:
    board = made_up(LONG, poolings=("ℓ2",), datasets=("digits",), pools=tuple(range(20, 220, 4)))
    found: Path = page_file(data_of(board))
    return found


@pytest.fixture
def long_page(browse: Callable[[Path], Page], long_file: Path) -> Iterator[Page]:
    opened = browse(long_file).open()
    yield opened
    assert opened.complaints() == []


def test_a_long_table_keeps_what_is_in_sight_and_the_focus(long_page: Page) -> None:
    page = long_page
    assert 0 < len(page.all("#rows tr")) < 40
    page.run("document.querySelector('#rows .name').focus()")
    page.run("document.querySelector('#scroller').scrollTop = 1e9")
    page.settle()
    names = page.names()
    assert names[0] == LONG[0]  # it holds the focus
    assert names[-1] == LONG[-1]
    assert page.run("return document.activeElement.title") == LONG[0]
    tops = page.run("return [...document.querySelectorAll('#rows tr')].map((row) => row.offsetTop)")
    indices = [int(each.get_attribute("aria-rowindex")) for each in page.all("#rows tr")]
    assert tops == [52 * (index - 2) for index in indices]
    assert names == [LONG[index - 2] for index in indices]
    assert page.one("#table").get_attribute("aria-rowcount") == "1001"


def test_arrow_keys_walk_through_a_long_table(long_page: Page) -> None:
    from selenium.webdriver import Keys

    page = long_page
    page.run("document.querySelector('#rows .name').focus()")
    page.keys(*[Keys.ARROW_DOWN] * 32)
    assert page.run("return document.activeElement.title") == LONG[32]
    page.run(  # keys that come before a frame is drawn
        "for (let i = 0; i < 40; i++) document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true }))"
    )
    assert page.run("return document.activeElement.title") == LONG[0]
    page.run(
        "for (let i = 0; i < 60; i++) document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }))"
    )
    assert page.run("return document.activeElement.title") == LONG[60]


def test_a_long_table_prints_whole(long_page: Page) -> None:
    page = long_page
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.names() == list(LONG)
    page.run("dispatchEvent(new Event('afterprint'))")
    assert len(page.all("#rows tr")) < 40


def test_a_thousand_solvers_scroll_and_filter_smoothly(long_page: Page) -> None:
    """In seconds of the page's own thread: another load of the machine is not counted."""
    page = long_page
    matching = sum("09" in label for label in LONG)
    for query, expected in (
        ("solver 09", f"{matching} of 1000 solvers"),
        ("", "1000 solvers"),
        ("s", "1000 solvers"),
    ):
        with page.busy() as filtering:
            page.run(
                "const input = document.querySelector('#query'); input.value = arguments[0];"
                "input.dispatchEvent(new Event('input'))",
                query,
            )
            page.wait()
        assert page.one("#status").text == expected
        assert filtering[0] < 0.15
    steps = 40
    with page.busy() as scrolling:
        page.driver.execute_async_script(
            "const [steps, done] = arguments, scroller = document.querySelector('#scroller');"
            "(function step(n) { requestAnimationFrame(() => { scroller.scrollTop += 400;"
            "n ? step(n - 1) : done(); }); })(steps)",
            steps,
        )
    assert scrolling[0] / steps < 0.05
    print(f"filter {filtering[0]:.3f} s, a frame {scrolling[0] / steps:.4f} s")  # noqa: T201 # the measure, for who asks with -s


def test_each_problem_shows_its_best_until_the_reader_picks_curves(
    browse: Callable[[Path], Page], page_file: Callable[..., Path], data_of: Any, made_up: Any
) -> None:
    board = made_up(datasets=("digits",))
    first = board.table["problem"] == board.table["problem"][0]
    table = board.table[~first | (board.table["label"] == "altmin")]
    page = browse(page_file(data_of(dataclasses.replace(board, table=table)))).open()
    assert len(page.all("#curves-plot .series")) == 1
    page.one("#tab-1").click()
    assert len(page.all("#curves-plot .series")) == 6
    page.one("#rows [data-pin='0']").click()
    page.one("#tab-0").click()
    page.one("#tab-1").click()
    assert page.one("#rows [data-pin='0']").get_attribute("aria-pressed") == "true"
    page.one("#rows [data-pin='0']").click()
    page.one("#rows [data-pin='1']").click()
    page.one("#show-best").click()
    assert len(page.all("#curves-plot .series")) == 6
    assert page.complaints() == []


def test_small_samples_are_marked_and_what_is_missing_is_no_rank(
    browse: Callable[[Path], Page], page_file: Callable[..., Path], data_of: Any, made_up: Any
) -> None:
    board = made_up(("few", "fails", "waits", "whole"), poolings=("ℓ2",), datasets=("digits",))
    changes = pd.DataFrame(
        {
            "signals": [100, 500, 0, 500], "failed": [0, 500, 0, 0], "pending": [400, 0, 500, 0],
            "rank": [1, np.nan, np.nan, 2], "seconds": [1e-3, 1e-4, np.nan, 1e-2],
            "message": ["", "not ranked", "", ""], "reduced": [True, False, False, False],
        }
    )  # fmt: skip # one row per solver
    table = board.table.assign(**{str(name): changes[name].to_numpy() for name in changes})
    page = browse(page_file(data_of(dataclasses.replace(board, table=table)))).open()
    names = [each.text for each in page.all("#rows .name")]
    rows = dict(zip(names, (each.text for each in page.all("#rows tr")), strict=True))
    assert [*rows] == ["few †", "whole", "fails", "waits"]
    assert "† only 100 of 500 signals" in rows["few †"]
    assert rows["fails"].startswith("–")
    assert rows["waits"].startswith("…")
    assert page.one("#status").text == "4 solvers, 1 still to be computed"
    assert "few †" in page.one("#legend").text
    assert len(page.all("#costs-plot .point .ring")) == 1  # of the only full sample with a rank
    assert page.complaints() == []


def test_a_page_without_results_says_so(
    browse: Callable[[Path], Page], page_file: Callable[..., Path], data_of: Any, made_up: Any
) -> None:
    board = made_up(("a",), poolings=("ℓ2",), datasets=("digits",))
    parts = {name: getattr(board, name).iloc[:0] for name in ("table", "curves", "budgets")}
    page = browse(page_file(data_of(dataclasses.replace(board, **parts)))).open()
    assert page.one("#problem").text == "There are no results yet."
    assert page.complaints() == []


@pytest.fixture(scope="module")
def checked_file(page_file: Callable[..., Path], data_of: Any, made_up: Any) -> Path:
    """Return a page of a site: each level in turn."""
    data, levels = data_of(made_up()), [*MEANINGS]
    solvers = [
        entry
        | {"level": levels[i % 5], "level_unsupported": levels[i % 5]}
        | {"bundle": (f"Bundle {i}", f"../../bundles/{i}.zip")}
        for i, entry in enumerate(data.solvers)
    ]
    found: Path = page_file(
        dataclasses.replace(data, levels=tuple(MEANINGS.items()), solvers=solvers, links=LINKS)
    )
    return found


@pytest.fixture
def checked(browse: Callable[[Path], Page], checked_file: Path) -> Iterator[Page]:
    opened = browse(checked_file).open((1200, 900))
    yield opened
    assert opened.complaints() == []


def test_what_is_checked_has_a_column_in_sight(checked: Page) -> None:
    page, levels = checked, [*MEANINGS]
    shown = [each.text for each in page.all("#rows td.level")]
    assert [text.replace("\n", " ") for text in shown] == [levels[i % 5] for i in range(7)]
    assert (
        page.run(
            "const { scrollWidth, clientWidth } = document.querySelector('#scroller');"
            "return scrollWidth - clientWidth"
        )
        == 0
    )  # no column is out of sight
    signs = page.run(
        "return [...document.querySelectorAll('#rows .seal')].map("
        "  (seal) => getComputedStyle(seal, '::before').content)"
    )
    assert len({*signs}) == len(levels)  # each level has a sign of its own
    page.one("[data-sort=level]").click()
    assert page.one("#rows td.level").text == levels[4]
    page.one("#level [value='1']").click()
    assert {each.text for each in page.all("#rows td.level")} == {levels[1]}
    assert page.one("#status").text == "2 of 7 solvers"


def test_levels_are_explained_to_the_eye_the_keyboard_and_in_the_text(checked: Page) -> None:
    from selenium.webdriver import ActionChains, Keys

    page = checked
    hint = page.one("#hint")
    assert not hint.is_displayed()
    ActionChains(page.driver).move_to_element(page.all("#rows td.level .seal")[2]).perform()
    assert hint.text == f"reproducible: {MEANINGS['reproducible']}."
    page.run("document.querySelector('[data-sort=level]').focus()")
    assert all(meaning in hint.text for meaning in MEANINGS.values())
    page.keys(Keys.ESCAPE)
    assert not hint.is_displayed()
    assert all(meaning in page.one("#levels").text for meaning in MEANINGS.values())
    assert page.one("[data-sort=level]").get_attribute("aria-describedby") == "levels"


def test_each_link_says_where_it_leads(checked: Page) -> None:
    texts = [each.text for each in checked.all("nav a") if each.text]
    assert [text for text, _ in LINKS] == texts[-len(LINKS) :]
    assert len(set(texts)) == len(texts)


def test_a_rows_details_link_its_bundle(checked: Page) -> None:
    page = checked
    page.all("#rows .name")[3].click()
    assert MEANINGS["sealed (other code)"] in page.one("#details-body").text
    link = page.one("#details-body a")
    assert link.text == "Bundle 3"
    assert link.get_attribute("href").endswith("/bundles/3.zip")


def test_a_page_without_levels_has_no_such_column(long_page: Page) -> None:
    assert long_page.all("[data-sort=level]") == []
    assert not long_page.one("#level").is_displayed()


def test_axe_finds_nothing_serious_in_a_page_of_a_site(checked: Page, axe: str) -> None:
    checked.run(axe)
    found = checked.driver.execute_async_script("axe.run().then(arguments[0])")
    assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
