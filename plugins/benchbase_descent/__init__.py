"""Descent methods: ``levenberg_marquardt``, ``wirtinger``, ``kaczmarz``, ``coordinate_descent``."""

from collections.abc import Callable

import benchbase
from benchbase_descent.coordinate_descent import CoordinateDescent
from benchbase_descent.kaczmarz import Kaczmarz
from benchbase_descent.levenberg_marquardt import LevenbergMarquardt
from benchbase_descent.wirtinger import Wirtinger


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the solvers of this package."""
    register(CoordinateDescent)
    register(Kaczmarz)
    register(LevenbergMarquardt)
    register(Wirtinger)
