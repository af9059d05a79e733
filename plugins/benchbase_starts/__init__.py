"""Starts that are computed from the measurements alone: ``spectral`` and ``linear``."""

from collections.abc import Callable

import benchbase
from benchbase_starts.linear import LinearStart
from benchbase_starts.spectral import SpectralStart


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Register the starts `spectral` and `linear`."""
    register(SpectralStart)
    register(LinearStart)
