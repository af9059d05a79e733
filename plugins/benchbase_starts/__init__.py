"""Starts made from the measurements alone: ``spectral``, ``linear``."""

from collections.abc import Callable

import benchbase
from benchbase_starts.linear import LinearStart
from benchbase_starts.spectral import SpectralStart


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(SpectralStart)
    register(LinearStart)
