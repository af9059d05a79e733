"""Pooling by the signed maximum."""

import numpy as np

import benchbase
from benchbase import Array
from benchbase_poolings.projections import largest, replace_largest, require_real


class Maxout(benchbase.Pooling):
    """The largest coefficient of each pool, with its sign: b_k = max_j c_kj.

    These are maxout units (Goodfellow et al., "Maxout networks", ICML 2013). They differ from
    p = inf in Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014,
    by the sign: it is not lost, and b may be negative. Coefficients are real; the methods raise
    `TypeError` if they are complex.
    """

    name = "maxout"

    @property
    def even(self) -> bool:
        """Whether the sign of the signal is lost: it is not."""
        return False

    @property
    def nonnegative(self) -> bool:
        """Whether all measurements are at least zero: a maximum may be negative."""
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

        Other rules recover less or diverge. Measured with plain alternating minimisation for
        N = 40, pools of two, and K = 60 / 80 / 120 (4 frames with 50 signals each), the mean
        squared cosine is .53 / .90 / 1.00 with this rule. It is .50 / .87 / 1.00 if only the
        largest coefficient changes, and .42 / .95 / 1.00 if whole pools are shifted, which diverges
        on many signals at K = 60 and below. Standard errors are up to .04.
        """
        return self.project(c, b)

    def known(self, c: Array, b: Array) -> Array:
        """Mark the coefficients that `rescale` sets to b, as an array of bool (..., L, K).

        They are the largest coefficient of each pool and all coefficients above b. If several are
        equally large, only the first of them counts as the largest.
        """
        mask = require_real(c) > b[..., None, :]
        np.put_along_axis(mask, largest(c), True, axis=-2)
        return mask

    def project(self, c: Array, b: Array) -> Array:
        """Return the nearest coefficients whose pools have the maxima b, exactly.

        Coefficients above b are lowered to b, and the largest is set to b. If several arrays of
        coefficients are equally near, one of them is returned.
        """
        b = b.astype(require_real(c).dtype, copy=False)
        return replace_largest(np.minimum(c, b[..., None, :]), b)
