"""The page as a browser shows it: driven in headless Chromium."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WIDE, NARROW = (1280, 900), (390, 844)
Page = Any  # of the fixture `browse`


@pytest.fixture(scope="module")
def file(page_file: Any, data_of: Any, made_up: Any) -> Path:
    found: Path = page_file(data_of(made_up()))
    return found


@pytest.fixture
def page(browse: Callable[[Path], Page], file: Path) -> Iterator[Page]:
    opened = browse(file).open()
    yield opened
    assert opened.complaints() == []


def test_every_row_of_the_first_problem_is_there_in_the_order_of_ranks(
    page: Page, made_up: Any
) -> None:
    table = made_up().table
    assert page.names() == list(table[table["problem"] == table["problem"][0]]["label"])
    assert page.one("h1").text == "A made-up suite"


def test_markup_in_names_is_text(page: Page) -> None:
    assert "<b>bold</b> & </script>" in [each.text for each in page.all("#rows .name")]
    assert page.all("#rows b, #legend b, .plot b:not(.tip b)") == []


def test_heads_sort_and_say_so(page: Page, made_up: Any) -> None:
    table = made_up().table
    first = table[table["problem"] == table["problem"][0]]
    by_time = list(first.sort_values("seconds")["label"])
    for expected, direction in ((by_time, "ascending"), (by_time[::-1], "descending")):
        page.one("[data-sort=seconds]").click()
        assert page.names() == expected
        assert page.one("th[aria-sort]").text.startswith("Time per signal")
        assert page.one("th[aria-sort]").get_attribute("aria-sort") == direction
        assert direction in page.one("#status").text
    page.one("[data-sort=frame_applications]").click()
    assert page.names()[-1] == "PhaseLift"  # without a count, last whatever the direction
    page.one("[data-sort=frame_applications]").click()
    assert page.names()[-1] == "PhaseLift"


def test_the_filter_leaves_what_has_all_its_words(page: Page) -> None:
    page.one("#query").send_keys("KNN alt")
    assert page.names() == ["altmin + kNN"]
    assert page.one("#status").text == "1 of 7 solvers"
    page.one("#query").clear()
    page.one("#query").send_keys("no such solver")
    assert page.names() == []
    assert "No solver matches" in page.one("#rows").text


def test_what_does_not_apply_is_last_with_its_reason_and_can_be_left_out(page: Page) -> None:
    page.one("#tab-1").click()
    last = page.all("#rows tr")[-1]
    assert "n/a" in last.text
    assert "defined without rectification" in last.text
    assert "1 not applicable" in page.one("#status").text
    page.one("#applicable").click()
    assert page.names()[-1] != "mean"


def test_curves_and_bands_are_switched_on_and_off_for_each_solver(page: Page) -> None:
    def drawn() -> tuple[int, int]:
        return len(page.all("#curves-plot .series")), len(page.all("#curves-plot .band"))

    assert drawn() == (7, 3)
    page.one("#rows [data-pin='0']").click()
    assert drawn() == (6, 2)
    assert page.one("#legend [data-pin='0']").get_attribute("aria-pressed") == "false"
    page.one("#legend [data-pin='0']").click()
    assert page.one("#rows [data-pin='0']").get_attribute("aria-pressed") == "true"
    assert drawn() == (7, 3)
    page.one("[data-band-switch='4']").click()
    assert drawn() == (7, 4)
    page.one("[data-band-switch='4']").click()
    page.one("#show-none").click()
    assert drawn() == (0, 0)
    assert "No curve is switched on" in page.one("#curves-plot").text


def test_pointing_tells_the_values(page: Page) -> None:
    from selenium.webdriver import ActionChains

    plot = page.one("#curves-plot")
    page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", plot)
    mark = page.all("#curves-plot .series[data-series='0'] .mark")[2]
    ActionChains(page.driver).move_to_element(mark).perform()
    told = page.one("#curves-plot .tip")
    assert told.is_displayed()
    assert told.text.startswith("K = 48")
    assert "altmin" in told.text
    point = page.one("#costs-plot [data-point='3'] .mark")
    page.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", point)
    ActionChains(page.driver).move_to_element(point).perform()
    assert "PhaseLift" in page.one("#costs-plot .tip").text
    assert not told.is_displayed()


def test_all_can_be_done_with_the_keyboard(page: Page) -> None:
    from selenium.webdriver import Keys

    page.run("document.querySelector('#tab-0').focus()")
    page.keys(Keys.ARROW_RIGHT)
    active = "return document.activeElement.id"
    assert page.run(active) == "tab-1"
    assert page.one("#tab-1").get_attribute("aria-selected") == "true"
    page.keys(Keys.TAB)
    assert page.run(active) == "query"
    page.run("document.querySelector('#curves-plot').focus()")
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.one("#curves-said").get_attribute("textContent").startswith("K = 36: altmin ")
    page.run("document.querySelector('#costs-plot').focus()")
    page.keys(Keys.END)
    assert page.one("#costs-said").get_attribute("textContent")
    page.run("document.querySelector('#rows .name').focus()")
    page.keys(Keys.ARROW_DOWN, Keys.ENTER)
    assert page.one("#details").get_attribute("open") is not None
    assert page.one("#details-title").text == "altmin + kNN"
    assert "--solver 'altmin + kNN'" in page.one("#details-body").text
    assert "@inproceedings{bruna2014" not in page.one("#rows").text
    page.keys(Keys.ESCAPE)
    assert page.one("#details").get_attribute("open") is None
    assert page.run("return document.activeElement.title") == "altmin + kNN"


def test_charts_have_tables(page: Page) -> None:
    for name, rows in (("curves", 7), ("costs", 7)):
        page.run(f"document.querySelector('#{name}-table').open = true")
        page.driver.execute_async_script(
            "requestAnimationFrame(() => setTimeout(arguments[0], 20))"
        )
        assert len(page.all(f"#{name}-table tbody tr")) == rows
    page.one("#measure [value=budget]").click()
    assert "10" in page.one("#curves-table thead").get_attribute("textContent")


def test_the_pareto_front_is_that_of_its_definition(page: Page, made_up: Any) -> None:
    table = made_up().table
    first = table[table["problem"] == table["problem"][0]]
    points = list(first[["label", "seconds", "success"]].itertuples(index=False, name=None))
    front = {
        name for name, cost, score in points
        if not any((c <= cost and s >= score and (c, s) != (cost, score)) for _, c, s in points)
    }  # fmt: skip # the definition
    page.run("document.querySelector('#costs-table').open = true")
    page.wait()
    rows = page.run(
        "return [...document.querySelectorAll('#costs-table tbody tr')].map("
        "(row) => [row.children[0].textContent, row.children[3].textContent])"
    )
    assert {name for name, on in rows if on == "yes"} == front
    assert len(page.all("#costs-plot .point .ring")) == len(front)


def test_the_colours_follow_the_system_and_the_switch(page: Page) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = page.run(ground)
    page.open(theme="dark")
    dark = page.run(ground)
    assert light != dark
    page.one("#theme").click()
    assert page.one("#theme").text == "Colours: light"
    assert page.run(ground) == light
    page.one("#theme").click()
    assert page.run(ground) == dark


def test_a_narrow_screen_scrolls_only_the_tables(page: Page) -> None:
    page.open(NARROW)
    assert page.run("return document.documentElement.scrollWidth") == NARROW[0]
    box = page.run(
        "return document.querySelector('#curves-plot svg').getBoundingClientRect().right"
    )
    assert box <= NARROW[0]


def test_it_prints_every_row_and_no_control(page: Page) -> None:
    page.run(
        "addEventListener('beforeprint', () => { window.seen = [...document.querySelectorAll("
        "'.controls, #theme')].every((each) => !matchMedia('print').matches ||"
        " getComputedStyle(each).display === 'none'); window.rows = document.querySelectorAll("
        "'#rows tr').length; })"
    )
    printed = page.driver.execute_cdp_cmd("Page.printToPDF", {})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")
    assert page.run("return [window.seen, window.rows]") == [True, 7]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = "return getComputedStyle(document.querySelector('.controls')).display"
    assert page.run(hidden) == "none"
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("opened", [False, True], ids=["page", "dialog"])
def test_axe_finds_nothing_serious(
    browse: Callable[[Path], Page],
    file: Path,
    axe: str,
    theme: str,
    size: tuple[int, int],
    opened: bool,
) -> None:
    page = browse(file).open(size, theme)
    page.one("#tab-1").click()
    page.run("for (const each of document.querySelectorAll('details')) each.open = true")
    if opened:
        page.run("document.querySelector('#rows .name').click()")
    page.run(axe)
    found = page.driver.execute_async_script("axe.run().then(arguments[0])")
    bad = [
        (each["id"], each["impact"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert bad == []
    assert len(found["passes"]) > 20
