"""Pooling by lp norms, with or without half rectification."""

from functools import cached_property

import numpy as np

import benchbase
from benchbase import Array
from benchbase_poolings.projections import (
    norm,
    onto_norm,
    onto_rectified,
    require_real,
    scaled,
    smallest,
)


class LpPooling(benchbase.Pooling):
    """The lp norm of each pool of coefficients, with or without half rectification before it.

    These are equations 1 to 3 of Bruna, Szlam and LeCun, "Signal recovery from pooling
    representations", ICML 2014: b_k = ‖ρ_α(c_k)‖_p with ρ_α(t) = max(0, t − α), or b_k = ‖c_k‖_p
    without rectification. Pools of one vector give the absolute values of the coefficients, as in
    phase retrieval, or with rectification ρ_α(c). Without rectification, the coefficients may be
    complex. All values b are at least 0.

    Parameters
    ----------
    p : float, optional
        The exponent: 1, 2 or infinity.
    rectified : bool, optional
        Whether coefficients are half rectified.
    threshold : float or tuple of float, optional
        The threshold α, which is finite and only allowed with `rectified`. It is one number for all
        coefficients, or K·L numbers, pool by pool: number k·L + j belongs to member j of pool k.

    Raises
    ------
    ParameterError
        If `p` is another number, or if a threshold is not finite or is given without `rectified`.
    """

    name = "lp"
    p: float = 2.0
    rectified: bool = False
    threshold: float | tuple[float, ...] = 0.0

    def __post_init__(self) -> None:
        if self.p not in (1, 2, np.inf):
            raise benchbase.ParameterError("p", f"must be 1, 2 or inf, not {self.p}")
        if not self.rectified and (isinstance(self.threshold, tuple) or self.threshold != 0):
            raise benchbase.ParameterError("threshold", "must be 0 unless rectified = true")
        if not np.isfinite(self._thresholds).all():
            raise benchbase.ParameterError("threshold", "must be finite")

    @property
    def even(self) -> bool:
        """Whether the sign of the signal is lost: it is lost without rectification."""
        return not self.rectified

    @property
    def nonnegative(self) -> bool:
        """Whether all measurements are at least zero: norms always are."""
        return True

    def check(self, n_pools: int, pool_size: int) -> None:
        """Check that there are as many thresholds as coefficients.

        Raises
        ------
        ParameterError
            If `threshold` is a tuple whose length is not K·L.
        """
        given, wanted = self._thresholds.size, n_pools * pool_size
        if isinstance(self.threshold, tuple) and given != wanted:
            problem = f"must be one number or {wanted} (one per coefficient), not {given} numbers"
            raise benchbase.ParameterError("threshold", problem)

    def __call__(self, c: Array) -> Array:
        """Return the norm of each pool: (..., L, K) to (..., K), in the precision of `c`.

        Raises
        ------
        TypeError
            If `c` is complex and the pooling is rectified. The other methods raise it too.
        """
        if not self.rectified:
            return norm(c, self.p)
        excess = c - self._alpha(c)
        return norm(np.maximum(excess, 0, out=excess), self.p)

    def rescale(self, c: Array, b: Array) -> Array:
        """Scale the coefficients of each pool so that its value is b_k: b_k · c_k / ‖c_k‖_p.

        This is step 1 of alternating minimisation (paper, section 3.1.1). A pool of zeros gets
        equal entries. With rectification, only the excess of the entries over α is scaled; entries
        at or below α keep their value. A pool without an entry above α therefore stays as it is,
        and a pool with b_k = 0 becomes min(c_k, α).

        Parameters
        ----------
        c : ndarray, shape (..., L, K)
            The coefficients.
        b : ndarray, shape (..., K)
            The values of the pools. Their leading axes broadcast to those of `c`.

        Returns
        -------
        ndarray, shape (..., L, K)
            The scaled coefficients, in the dtype of `c`.
        """
        if self.rectified:
            return self._rescale_excess(c, b)
        size = norm(c, self.p)
        limit = smallest(c)
        if not size.min(initial=np.inf) > limit:
            zero = size <= limit
            c = np.where(zero[..., None, :], c.dtype.type(1), c)
            size[zero] = c.shape[-2] ** (1 / self.p)
        return scaled(c, np.divide(b, size, out=size))

    def _rescale_excess(self, c: Array, b: Array) -> Array:
        """Scale the excess of the coefficients over α so that each pool has the value b_k."""
        rest = np.minimum(c, self._alpha(c))
        excess = c - rest
        size = norm(excess, self.p)
        # Without excess the factor is huge but finite, and multiplies zeros.
        np.maximum(size, smallest(c), out=size)
        excess *= np.divide(b, size, out=size)[..., None, :]
        excess += rest
        return excess

    def known(self, c: Array, b: Array) -> Array | None:
        """Mark the coefficients whose value `rescale` takes from b.

        Returns
        -------
        ndarray of bool, shape (..., L, K), or None
            True for the entries above α, and for all entries of pools with b = 0. Without
            rectification all entries are taken from b, and the result is None.
        """
        if not self.rectified:
            return None
        mask: Array = (c > self._alpha(c)) | (b == 0)[..., None, :]
        return mask

    def project(self, c: Array, b: Array) -> Array:
        """Return the nearest coefficients whose pools have the values b, exactly.

        Parameters and result are those of `rescale`. If several arrays of coefficients are equally
        near, one of them is returned.
        """
        if self.p == 2 and not self.rectified:
            return self.rescale(c, b)
        b = b.astype(c.real.dtype, copy=False)
        if not self.rectified:
            return onto_norm(c, b, self.p)
        alpha = self._alpha(c)
        return onto_rectified(c - alpha, b, self.p) + alpha

    @cached_property
    def _thresholds(self) -> Array:
        return np.array(self.threshold, dtype=np.float64)

    def _alpha(self, c: Array) -> Array:
        """Return α in the dtype of c, as one number or as an array (L, K)."""
        alpha = self._thresholds.astype(require_real(c).dtype)
        if alpha.ndim:
            alpha = np.ascontiguousarray(alpha.reshape(c.shape[-1], c.shape[-2]).T)
        return alpha
