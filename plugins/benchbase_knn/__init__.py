"""Solvers that use training signals: ``knn``, priors, a regressor, and the baseline ``mean``."""

from collections.abc import Callable

import benchbase
from benchbase_knn.knn import NearestNeighbours
from benchbase_knn.local_prior import LocalPrior
from benchbase_knn.mean import Mean
from benchbase_knn.prior import GaussianPrior
from benchbase_knn.regressor import Regressor


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Register the solvers of this package."""
    register(NearestNeighbours)
    register(Mean)
    register(GaussianPrior)
    register(LocalPrior)
    register(Regressor)
