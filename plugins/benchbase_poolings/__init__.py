"""Pooling operators: ``lp`` and ``maxout``."""

from collections.abc import Callable

import benchbase
from benchbase_poolings.lp import LpPooling
from benchbase_poolings.maxout import Maxout


@benchbase.hookimpl
def register_poolings(register: Callable[[type[benchbase.Pooling]], None]) -> None:
    """Supply the poolings of this package."""
    register(LpPooling)
    register(Maxout)
