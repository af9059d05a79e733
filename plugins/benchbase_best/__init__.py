"""The compositions that we recommend: ``best``, and with training signals ``best_with_data``."""

from collections.abc import Callable

import benchbase
from benchbase_best.best import Best
from benchbase_best.with_data import BestWithData


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(Best)
    register(BestWithData)
