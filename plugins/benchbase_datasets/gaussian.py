"""Random signals with independent standard normal coordinates."""

import numpy as np

from benchbase import Array, check_range
from benchbase_datasets.normalised import NormalisedDataset, to_unit_norm


class Gaussian(NormalisedDataset):
    """Random signals with independent standard normal coordinates; no training signals.

    Parameters
    ----------
    n : int
        The dimension N of the signals, at least 1.
    normalise : bool
        Whether every signal is scaled to unit norm. The signals are then uniformly distributed on
        the unit sphere.

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
        """Draw signals, float64 of shape (size, N)."""
        signals = rng.standard_normal((size, self.n))
        if self.normalise:
            to_unit_norm(signals)
        return signals
