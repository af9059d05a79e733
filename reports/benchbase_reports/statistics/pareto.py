"""Pareto fronts."""

from __future__ import annotations

import numpy as np

from benchbase import Array


def pareto_front(cost: Array, value: Array) -> Array:
    """Mark what no other has both at most the cost and at least the value of, one of them better.

    Parameters
    ----------
    cost, value : ndarray, shape (S,)
        Small costs and large values are good. Where one is NaN, it is not in the front.

    Returns
    -------
    ndarray of bool, shape (S,)
        Equal ones are in the front together.
    """
    cost, value = np.asarray(cost, float), np.asarray(value, float)
    known = ~(np.isnan(cost) | np.isnan(value))
    front = np.zeros(len(cost), bool)
    best, dearest = -np.inf, np.inf
    for index in np.lexsort((-value, cost)):
        if not known[index]:
            continue
        if value[index] > best:
            best, dearest = value[index], cost[index]
            front[index] = True
        elif value[index] == best and cost[index] == dearest:
            front[index] = True
    return front
