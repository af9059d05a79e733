"""The signed maximum of each pool."""

import numpy as np

import benchbase
from benchbase import Array
from benchbase_poolings.projections import largest, replace_largest, require_real


class Maxout(benchbase.Pooling):
    """The largest coefficient of each pool, sign and all: b_k = max_j c_kj.

    Maxout units (Goodfellow et al., "Maxout networks", ICML 2013), the signed kin of p = inf of
    Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014: no sign is
    lost, and b may be negative. Coefficients are real; `TypeError` where they are complex.
    """

    name = "maxout"

    @property
    def even(self) -> bool:
        """The sign is kept."""
        return False

    @property
    def nonnegative(self) -> bool:
        """The maximum of negative coefficients is negative."""
        return False

    @property
    def slopes(self) -> tuple[float, float]:
        """Coefficients keep their sign."""
        return (1.0, 1.0)

    def __call__(self, c: Array) -> Array:
        """Return the largest coefficient of each pool: (..., L, K) to (..., K)."""
        maximum: Array = require_real(c).max(axis=-2)
        return maximum

    def rescale(self, c: Array, b: Array) -> Array:
        """Return the nearest coefficients, as `project` does.

        Plain alternating minimisation, n = 40, pairs, K = 60 / 80 / 120, 4 frames × 50 signals:
        mean squared cosine .53 / .90 / 1.00 with it, .50 / .87 / 1.00 where only the largest
        coefficient changes, .42 / .95 / 1.00 where whole pools are shifted (standard errors up to
        .04), which diverges on many signals at K = 60 and below.
        """
        return self.project(c, b)

    def known(self, c: Array, b: Array) -> Array:
        """Mark what `rescale` sets to b: the largest coefficient of each pool, and all above b.

        Of equal largest coefficients the first alone is marked. Returns bool, (..., L, K).
        """
        mask = require_real(c) > b[..., None, :]
        np.put_along_axis(mask, largest(c), True, axis=-2)
        return mask

    def project(self, c: Array, b: Array) -> Array:
        """Return the nearest coefficients whose pools have the maxima b, exactly.

        Coefficients above b come down to it, and the largest is set to it; where several points
        are nearest, one of them is returned.
        """
        b = b.astype(require_real(c).dtype, copy=False)
        return replace_largest(np.minimum(c, b[..., None, :]), b)
