"""Frames learned from training signals: ``ksvd``."""

from collections.abc import Callable

import benchbase
from benchbase_ksvd.ksvd import KSVD, LearnedFrame

__all__ = ["KSVD", "LearnedFrame", "register_frames"]


@benchbase.hookimpl
def register_frames(register: Callable[[type[benchbase.FrameDesign]], None]) -> None:
    """Register the frame `ksvd`."""
    register(KSVD)
