"""The recommended compositions: ``best``, and ``best_with_data`` if there are training signals."""

from collections.abc import Callable

import benchbase
from benchbase_best.best import Best
from benchbase_best.with_data import BestWithData


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(Best)
    register(BestWithData)
