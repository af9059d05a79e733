"""Standard normal vectors."""

import numpy as np

import benchbase
from benchbase import Array, ParameterError


class Gaussian(benchbase.Dataset):
    """Standard normal vectors; there is nothing to train on.

    Parameters
    ----------
    n : int
        The dimension N, at least 1.

    References
    ----------
    Bruna, Szlam, LeCun, "Signal recovery from pooling representations", ICML 2014, section 3.2
    and figure 1a.
    """

    name = "gaussian"
    n: int = 40

    def __post_init__(self) -> None:
        """Check the dimension."""
        if self.n < 1:
            raise ParameterError("n", f"must be at least 1, not {self.n}")

    def test(self, size: int, rng: np.random.Generator) -> Array:
        """Draw vectors of shape (size, N), float64."""
        return rng.standard_normal((size, self.n))
