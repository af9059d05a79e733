"""Solvers that run other solvers: ``restarts``, ``both_signs``, ``fallback``."""

from collections.abc import Callable

import benchbase
from benchbase_restarts.both_signs import BothSigns
from benchbase_restarts.fallback import Fallback
from benchbase_restarts.restarts import Restarts


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(BothSigns)
    register(Restarts)
    register(Fallback)
