"""The paper's figure 1, and what its section 3 claims, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable

import benchbase
from benchbase_paper.claims import Claims
from benchbase_paper.figure1 import Figure1


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    """Supply the reports of this package."""
    register(Figure1)
    register(Claims)
