"""Solvers that lift the signal to a matrix: ``phaselift``, ``phasecut``, ``lifted``."""

from collections.abc import Callable

import benchbase
from benchbase_sdp.lifted import Lifted
from benchbase_sdp.phasecut import PhaseCut
from benchbase_sdp.phaselift import PhaseLift


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(PhaseLift)
    register(PhaseCut)
    register(Lifted)
