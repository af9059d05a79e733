"""The units of messages, in which vectors have length 1 and signals have variance 1."""

import numpy as np

from benchbase import Array, Problem, root_mean_squares
from benchbase_gamp.outputs import Output

DRAWS = 100  # random signals: with K pools for each, the scale is known to 1 % or better
SEED = int.from_bytes(b"gamp")  # nobody draws frames with this seed: they would be correlated
GRID = np.geomspace(1e-3, 1e5, 161)  # values of σ in units of the largest threshold


class Scale:
    """Lengths of the vectors in each pool, and the size of signals by their measurements.

    Signals are treated as normal, with independent components of one standard deviation σ. The σ of
    a signal is found from the root mean square of its measurements in units of the lengths: from
    its ratio to that of standard normal signals or, with thresholds, from a table over σ. Pools
    whose vectors are all zero say nothing and are left out: of K pools J remain.

    Parameters
    ----------
    problem : Problem
        A problem whose frame is real and forms its vectors.
    output : Output
        The output function, which gives the values of pools.

    Attributes
    ----------
    pools : ndarray, shape (J,)
        The indices of the pools that remain.
    lengths : ndarray, shape (J,)
        The root mean square length of the vectors of each pool.
    vectors : ndarray, shape (J, L, N)
        The vectors, divided by the length of their pool.
    thresholds : ndarray, shape (L, J)
        The thresholds α, divided by the length of their pool.
    """

    def __init__(self, problem: Problem, output: Output) -> None:
        frame = problem.frame
        vectors = np.asarray(problem.vectors(counted=True), dtype=np.float64)
        lengths = root_mean_squares(vectors.reshape(frame.n_pools, -1)) * frame.n**0.5
        self.pools = np.flatnonzero(lengths)
        self.lengths = lengths[self.pools]
        self.vectors = vectors[self.pools] / self.lengths[:, None, None]
        alpha = problem.pooling.thresholds(frame.n_pools, frame.pool_size)
        self.thresholds = alpha[:, self.pools] / self.lengths
        self._tabulate(output)

    def _tabulate(self, output: Output) -> None:
        """Tabulate the root mean square measurement of random normal signals over their σ."""
        x = np.random.default_rng(SEED).standard_normal((DRAWS, self.vectors.shape[2]))
        c = np.einsum("kln,sn->slk", self.vectors, x)
        largest = np.abs(self.thresholds).max(initial=0.0)
        unit, grid = (largest, GRID) if largest > 0 else (1.0, np.ones(1))
        measured = (output.value(sigma * c - self.thresholds / unit) for sigma in grid)
        self._size = unit * np.array([root_mean_squares(values.ravel()) for values in measured])
        self._sigma = unit * grid

    def sigma(self, b: Array) -> Array:
        """Return σ of each signal, positive, from b (S, J) in units of the lengths."""
        size, last = root_mean_squares(b), max(self._size[-1], np.finfo(np.float64).tiny)
        between = np.interp(size, self._size, self._sigma)
        beyond = size / last * self._sigma[-1]  # thresholds do not matter beyond the table
        sigma: Array = np.where((size > last) | (len(self._size) == 1), beyond, between)
        return np.where(sigma > 0, sigma, 1.0)
