"""Alternating minimisation, ``altmin``, and its random start, ``gaussian``."""

from collections.abc import Callable

import benchbase
from benchbase_altmin.altmin import AltMin
from benchbase_altmin.start import GaussianStart


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(AltMin)
    register(GaussianStart)
