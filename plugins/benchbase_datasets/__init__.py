"""Data sets: Gaussian vectors, scikit-learn's 8×8 digits, and MNIST."""

from collections.abc import Callable

import benchbase
from benchbase_datasets.digits import Digits
from benchbase_datasets.gaussian import Gaussian
from benchbase_datasets.mnist import Mnist


@benchbase.hookimpl
def register_datasets(register: Callable[[type[benchbase.Dataset]], None]) -> None:
    """Supply `gaussian`, `digits` and `mnist`."""
    register(Gaussian)
    register(Digits)
    register(Mnist)
