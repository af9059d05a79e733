"""Boards that are made up, and a browser."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchbase_reports.page import PageData, page_data, render


@dataclasses.dataclass(frozen=True)
class MadeUp:
    """What a board has."""

    table: pd.DataFrame
    curves: pd.DataFrame
    budgets: pd.DataFrame
    suite: str = "a_suite"
    title: str = "A made-up suite"
    command: str = "benchbase run a_suite --points 25"
    budget: float = np.inf


@dataclasses.dataclass(frozen=True)
class Nothing:
    """Results of a board that is made up: they hold no signals."""

    suites: tuple[Any, ...] = (
        {"id": 1, "suite": "a_suite", "command": "benchbase run a_suite --points 25 --jobs 2"},
    )

    def rows(self) -> pd.DataFrame:
        return pd.DataFrame({"label": ["mean"], "isolated": pd.array([True], "boolean")})


NAMES = (
    "altmin",
    "altmin + kNN",
    "kNN",
    "PhaseLift",
    "PhaseCut",
    "<b>bold</b> & </script>",
    "mean",
)


def made_up(
    labels: tuple[str, ...] | list[str] = NAMES,
    poolings: tuple[str, ...] = ("ℓ2", "rectified ℓ2"),
    datasets: tuple[str, ...] = ("digits", "mnist"),
    pools: tuple[int, ...] = (24, 36, 48, 72, 96),
    seed: int = 0,
) -> MadeUp:
    """Return a board of logistic curves; the last solver is not applicable where rectified."""
    rng = np.random.default_rng(seed)
    rows, curves, budgets = [], [], []
    for dataset in datasets:
        for pooling in poolings:
            rectified = pooling.startswith("rectified")
            title = f"{dataset}, n = 24 · gaussian frame, pools of 2 · {pooling}"
            head = {
                "suite": "a_suite", "experiment": "", "dataset": dataset, "n": 24,
                "frame": "gaussian", "pool_size": 2, "noise": "", "hint": "", "pooling": "lp",
                "p": 2.0, "rectified": rectified, "pooling.threshold": 0.0, "problem": title,
                "tab": pooling,
            }  # fmt: skip # a table
            for place, label in enumerate(labels):
                refused = rectified and place == len(labels) - 1
                middle = 30 + 60 * (place + 0.5 * rng.random()) / len(labels)
                success = 1 / (1 + np.exp(-(np.array(pools) - middle) / 4))
                seconds, count = 10.0 ** rng.uniform(-4, 0), float(rng.integers(100, 90000))
                k95 = middle + 12 if middle + 12 <= pools[-1] else np.inf
                row = head | {
                    "label": label, "solver": "altmin", "rank": place + 1,
                    "rank_low": max(1, place), "rank_high": place + 2, "K95": k95,
                    "K95_low": k95 - 3, "K95_high": k95 + 4, "success": success.mean(),
                    "success_low": max(0, success.mean() - 0.05),
                    "success_high": min(1, success.mean() + 0.05),
                    "mean": 0.3 + 0.7 * success.mean(), "mean_low": 0.25 + 0.7 * success.mean(),
                    "mean_high": min(1, 0.35 + 0.7 * success.mean()), "area": success.mean(),
                    "seconds": seconds, "init_seconds": seconds / 9,
                    "frame_applications": np.nan if label == "PhaseLift" else count,
                    "n_least": pools[0], "n_largest": pools[-1], "trials": 4, "signals": 500,
                    "failed": 3 if place == 1 else 0, "unsupported": 0, "pending": 0, "message": "",
                    "environment": "Python 3.12, NumPy 2.4, some processor", "one_frame": False,
                    "reduced": False,
                }  # fmt: skip # a table
                if refused:
                    gone = ("rank", "rank_low", "rank_high", "K95", "K95_low", "K95_high",
                            "success", "success_low", "success_high", "mean", "mean_low",
                            "mean_high", "area", "seconds", "init_seconds",
                            "frame_applications")  # fmt: skip # a list
                    row |= dict.fromkeys(gone, np.nan)
                    row |= {
                        "signals": 0,
                        "trials": 0,
                        "unsupported": 500,
                        "message": "defined without rectification",
                    }
                rows.append(row)
                for k, value in zip(pools, success, strict=True):
                    if refused:
                        continue
                    curves.append(
                        {
                            "problem": title,
                            "label": label,
                            "n_pools": k,
                            "success": value,
                            "success_low": max(0, value - 0.06),
                            "mean": 0.3 + 0.7 * value,
                            "success_high": min(1, value + 0.06),
                            "mean_low": 0.25 + 0.7 * value,
                            "mean_high": min(1.0, 0.35 + 0.7 * value),
                            "seconds": seconds,
                            "frame_applications": row["frame_applications"],
                        }
                    )
                if not refused:
                    for budget in (1e2, 1e3, 1e4, 1e5):
                        found = k95 + 40 / np.log10(budget) ** 2
                        budgets.append(
                            {"problem": title, "label": label, "budget": budget, "K95": found}
                        )
    return MadeUp(pd.DataFrame(rows), pd.DataFrame(curves), pd.DataFrame(budgets))


@pytest.fixture(scope="session", name="made_up")
def made_up_fixture() -> Callable[..., MadeUp]:
    return made_up


@pytest.fixture(scope="session")
def data_of() -> Callable[..., PageData]:
    """Return a page's data of a board, without pictures, or of results with them."""

    def make(board: Any, results: Any = None) -> PageData:
        if results is None:
            return page_data(Nothing(), board, largest=0)  # type: ignore[arg-type] # a double
        return page_data(results, board)

    return make


@pytest.fixture(scope="session")
def page_file(
    tmp_path_factory: pytest.TempPathFactory, made_up: Any, data_of: Any
) -> Callable[..., Path]:
    """Write a page and return the file."""

    def write(data: PageData) -> Path:
        file = tmp_path_factory.mktemp("page") / "page.html"
        file.write_text(render(data), encoding="utf-8")
        return file

    return write


FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1280,900",
)  # fmt: skip # a list


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Return a headless Chromium; nothing is downloaded for it."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("Chromium or its driver is not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(driver))
    yield found
    found.quit()


class Page:
    """A page in a browser."""

    def __init__(self, driver: Any, file: Path) -> None:
        self.driver, self.file = driver, file

    def open(self, size: tuple[int, int] = (1280, 900), theme: str = "light") -> Page:
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        wishes = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
        scheme = {"features": [{"name": name, "value": wish} for name, wish in wishes.items()]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(self.file.as_uri())
        self.run("try { localStorage.clear(); } catch {}")
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self) -> None:
        """Wait for the next frame and for events that follow it."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 20))"
        )

    def settle(self) -> None:
        """Wait until a table that is scrolled has all its rows, which come in several frames."""
        for _ in range(6):
            self.wait()

    @contextmanager
    def busy(self) -> Iterator[list[float]]:
        """Measure the seconds that the page's thread works within the block."""

        def seconds() -> float:
            found = self.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
            return float({each["name"]: each["value"] for each in found}["TaskDuration"])

        self.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        took, start = [0.0], seconds()
        yield took
        took[0] = seconds() - start

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def names(self) -> list[str]:
        found: list[str] = self.run(
            "return [...document.querySelectorAll('#rows .name')].map((each) => each.title)"
        )
        return found

    def keys(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        """Return what the console says, and every address that was asked for but the page's."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in
                  self.driver.get_log("performance")]  # fmt: skip # reads best so
        asked = [e["params"]["request"]["url"] for e in events
                 if e["method"] == "Network.requestWillBeSent"]  # fmt: skip # as above
        own = (self.file.as_uri(), "data:")
        return said + [address for address in asked if not address.startswith(own)]


@pytest.fixture(scope="session")
def browse(chromium: Any) -> Callable[[Path], Page]:
    """Return what makes a `Page` of a file."""
    return lambda file: Page(chromium, file)


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the text of axe-core."""
    place = os.environ.get("BENCHBASE_AXE")
    if not place:
        pytest.skip("BENCHBASE_AXE does not name the file axe.min.js of axe-core")
    return Path(place).read_text(encoding="utf-8")
