"""PhaseMax and its iteration, by linear programs: ``phasemax``."""

from collections.abc import Callable

import benchbase
from benchbase_phasemax.phasemax import PhaseMax


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solver of this package."""
    register(PhaseMax)
