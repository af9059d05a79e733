"""What the README and the page on leaderboards show of the suite `quick`; a minute, by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def test_the_tables_that_are_shown_are_those_of_quick(cli: Callable[..., Result]) -> None:
    shown = cli("run", "quick", "--results", "r", "--jobs", "2")
    assert shown.exit_code == 0
    readme = (ROOT / "README.md").read_text("utf-8")
    (table,) = re.findall(r"```\n(digits, n = 24 .*?)```", readme, re.DOTALL)
    assert table in shown.output
    page = (ROOT / "docs" / "leaderboards.rst").read_text("utf-8")
    (compared,) = re.findall(r"kNN' kNN\n((?:    .*\n)+)", page)
    verdicts = cli("compare", "altmin + kNN", "kNN", "--results", "r").output
    assert " ".join(compared.split()) in " ".join(verdicts.split())
