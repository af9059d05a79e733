"""Data sets: random vectors, scikit-learn's 8×8 digits, MNIST, and patches of photographs."""

from collections.abc import Callable

import benchbase
from benchbase_datasets.digits import Digits
from benchbase_datasets.gaussian import Gaussian
from benchbase_datasets.mnist import Mnist
from benchbase_datasets.patches import Patches


@benchbase.hookimpl
def register_datasets(register: Callable[[type[benchbase.Dataset]], None]) -> None:
    """Register the data sets `gaussian`, `digits`, `mnist` and `patches`."""
    register(Gaussian)
    register(Digits)
    register(Mnist)
    register(Patches)
