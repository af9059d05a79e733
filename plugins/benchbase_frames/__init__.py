"""Recipes for random frames: ``gaussian``."""

from collections.abc import Callable

import benchbase
from benchbase_frames.gaussian import Gaussian


@benchbase.hookimpl
def register_frames(register: Callable[[type[benchbase.FrameDesign]], None]) -> None:
    """Register the frame `gaussian`."""
    register(Gaussian)
