"""Approximate message passing, ``gamp``, and the state evolution that predicts its success."""

from collections.abc import Callable

import benchbase
from benchbase_gamp.gamp import Gamp


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solver of this package."""
    register(Gamp)
