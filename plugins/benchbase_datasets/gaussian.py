"""Standard normal vectors."""

import numpy as np

from benchbase import Array, check_range
from benchbase_datasets.normalised import NormalisedDataset, to_unit_norm


class Gaussian(NormalisedDataset):
    """Standard normal vectors; there is nothing to train on.

    Parameters
    ----------
    n : int
        The dimension N, at least 1.
    normalise : bool
        Whether every vector is scaled to unit norm, so that they are uniform on the sphere.

    References
    ----------
    Bruna, Szlam, LeCun, "Signal recovery from pooling representations", ICML 2014, section 3.2
    and figure 1a.
    """

    name = "gaussian"
    n: int = 40
    normalise: bool = False

    def __post_init__(self) -> None:
        """Check the dimension."""
        check_range("n", self.n, least=1)

    def test(self, size: int, rng: np.random.Generator) -> Array:
        """Draw vectors of shape (size, N), float64."""
        signals = rng.standard_normal((size, self.n))
        if self.normalise:
            to_unit_norm(signals)
        return signals
