"""Noise on measurements (``gaussian``, ``poisson``), and hints at a given angle (``angle``)."""

from collections.abc import Callable

import benchbase
from benchbase_noise.angle import Angle, HintStart
from benchbase_noise.noise import GaussianNoise, PoissonNoise


@benchbase.hookimpl
def register_noises(register: Callable[[type[benchbase.Noise]], None]) -> None:
    """Supply the noise of this package."""
    register(GaussianNoise)
    register(PoissonNoise)


@benchbase.hookimpl
def register_hints(register: Callable[[type[benchbase.Hint]], None]) -> None:
    """Supply the hint of this package."""
    register(Angle)


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Supply the start that takes a hint."""
    register(HintStart)
