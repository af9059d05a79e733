"""The area under the recovery curve."""

from __future__ import annotations

import numpy as np

from benchbase import Array


def area_weights(pools: Array, there: Array) -> Array:
    """Return the weights of the trapezoidal rule over a grid of K; they sum to 1.

    Parameters
    ----------
    pools : ndarray, shape (G,)
        The grid, ascending.
    there : ndarray of bool, shape (B, G)
        Which K each of B solvers has. A single K has the weight 1.

    Returns
    -------
    ndarray, shape (B, G)
        The area under a curve y is Σ w y: ∫ y dK / (K_largest − K_least).
    """
    weights = np.zeros(there.shape)
    patterns, which = np.unique(there, axis=0, return_inverse=True)
    for index, pattern in enumerate(patterns):
        own = pools[pattern]
        if len(own) < 2:
            each = np.ones(len(own))
        else:
            gaps = np.diff(own)
            each = np.append(gaps, 0) / 2 + np.append(0, gaps) / 2
            each = each / each.sum()
        row = np.zeros(len(pools))
        row[pattern] = each
        weights[which.ravel() == index] = row
    return weights
