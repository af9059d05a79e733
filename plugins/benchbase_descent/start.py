"""Random starts, scaled to the measurements."""

import numpy as np

from benchbase import Array, Run
from benchbase_descent.pools import Pools, norms

HALVINGS = 50


def gaussian_start(pools: Pools, b: Array, unit: Array, run: Run) -> Array:
    """Draw starts with ‖P(F x)‖ = ‖b‖; where no scale gives that they stay as drawn.

    Parameters
    ----------
    pools : Pools
        The problem.
    b : ndarray, shape (S, K)
        Measurements, divided by the units.
    unit : ndarray, shape (S,)
        The units.
    run : Run
        The streams.

    Returns
    -------
    ndarray, shape (S, N)
        In these units.
    """
    x = run.normal(pools.n)
    c, wanted = pools.analyse(x), norms(b)
    if pools.homogeneous:
        size = norms(pools.values(c, unit))
        scale = np.where(size > 0, wanted / np.where(size > 0, size, 1), 1)
        x *= scale[:, None]
        return x

    def reaches(scale: Array) -> Array:
        reached: Array = norms(pools.values(c * scale[:, None, None], unit)) >= wanted
        return reached

    low, high = np.zeros(len(x)), np.ones(len(x))
    for _ in range(HALVINGS):  # until it reaches b, if it ever does
        high = np.where(reaches(high), high, 2 * high)
    found = reaches(high) & ~reaches(low)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        far = reaches(middle)
        low, high = np.where(far, low, middle), np.where(far, middle, high)
    x *= np.where(found, high, 1)[:, None]
    return x
