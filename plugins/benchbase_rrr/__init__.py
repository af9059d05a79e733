"""Solvers that project onto the frame's range and the measurements: ``rrr``, ``raar``, ``hio``."""

from collections.abc import Callable

import benchbase
from benchbase_rrr.methods import HIO, RAAR, RRR


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(RRR)
    register(RAAR)
    register(HIO)
