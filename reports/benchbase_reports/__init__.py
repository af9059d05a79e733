"""Reports: tables and curves of any suite; the paper's figure 1 and its claims."""

from collections.abc import Callable

import benchbase
from benchbase_reports.claims import Claims
from benchbase_reports.curves import Curves
from benchbase_reports.figure1 import Figure1
from benchbase_reports.tables import ComparativeTable


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    """Supply `table`, `curves`, `figure1` and `claims`."""
    register(ComparativeTable)
    register(Curves)
    register(Figure1)
    register(Claims)
