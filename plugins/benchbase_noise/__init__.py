"""Noise (``gaussian``, ``poisson``), and hints at a given angle from the signal (``angle``)."""

from collections.abc import Callable

import benchbase
from benchbase_noise.angle import Angle, HintStart
from benchbase_noise.noise import GaussianNoise, PoissonNoise


@benchbase.hookimpl
def register_noises(register: Callable[[type[benchbase.Noise]], None]) -> None:
    """Register the noises `gaussian` and `poisson`."""
    register(GaussianNoise)
    register(PoissonNoise)


@benchbase.hookimpl
def register_hints(register: Callable[[type[benchbase.Hint]], None]) -> None:
    """Register the hint `angle`."""
    register(Angle)


@benchbase.hookimpl
def register_solvers(register: Callable[[type[benchbase.Solver]], None]) -> None:
    """Register the start `hint`, which returns the hint."""
    register(HintStart)
