"""Pareto fronts."""

from __future__ import annotations

import numpy as np

from benchbase import Array


def pareto_front(cost: Array, value: Array) -> Array:
    """Mark the members of a Pareto front: no other is as good in both and better in one.

    Parameters
    ----------
    cost, value : ndarray, shape (S,)
        Small costs and large values are good. A member with a NaN is not in the front.

    Returns
    -------
    ndarray of bool, shape (S,)
        True for those in the front; equal ones are in it together.
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
