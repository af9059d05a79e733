"""The Lipschitz constants of pooling representations, and whether they are injective."""

from collections.abc import Callable

import benchbase
from benchbase_bounds.report import Bounds


@benchbase.hookimpl
def register_reports(register: Callable[[type[benchbase.Report]], None]) -> None:
    """Supply the report of this package."""
    register(Bounds)
