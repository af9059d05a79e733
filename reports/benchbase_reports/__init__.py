"""Reports: a comparative table of all solvers, and curves over the number of pools."""

from collections.abc import Callable

import benchbase
from benchbase_reports.curves import Curves
from benchbase_reports.tables import ComparativeTable


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    """Supply `table` and `curves`."""
    register(ComparativeTable)
    register(Curves)
