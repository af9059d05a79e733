"""Recovery from training signals: ``knn``, and the baseline ``mean``."""

from collections.abc import Callable

import benchbase
from benchbase_knn.knn import NearestNeighbours
from benchbase_knn.mean import Mean


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(NearestNeighbours)
    register(Mean)
