"""PhaseMax, which recovers signals by linear programs: ``phasemax``."""

from collections.abc import Callable

import benchbase
from benchbase_phasemax.phasemax import PhaseMax


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Register the solver `phasemax`."""
    register(PhaseMax)
