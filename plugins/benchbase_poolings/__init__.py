"""Pooling operators: ``lp`` and ``maxout``."""

from collections.abc import Callable

import benchbase
from benchbase_poolings.lp import LpPooling
from benchbase_poolings.maxout import Maxout


@benchbase.hookimpl
def register_poolings(register: Callable[[type[benchbase.Pooling]], None]) -> None:
    """Register the poolings `lp` and `maxout`."""
    register(LpPooling)
    register(Maxout)
