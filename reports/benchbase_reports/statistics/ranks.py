"""Ranks of solvers, and their intervals."""

from __future__ import annotations

import numpy as np

from benchbase import Array

SURE = 0.975
"""The share of resamples in which a solver must be ahead to be surely better."""

_BYTE = 255  # the largest number that a byte holds


def rank(first: Array, second: Array) -> Array:
    """Rank the last axis by a first number and, if those are equal, by a second; least first.

    Parameters
    ----------
    first, second : ndarray, shape (..., S)
        The numbers, without NaN.

    Returns
    -------
    ndarray of int, shape (..., S)
        Ranks from 1. Equal ones share the least of their ranks.
    """
    order = np.lexsort((second, first), axis=-1)
    keys = [np.take_along_axis(key, order, axis=-1) for key in (first, second)]
    new = (keys[0][..., 1:] != keys[0][..., :-1]) | (keys[1][..., 1:] != keys[1][..., :-1])
    places = np.broadcast_to(np.arange(1, first.shape[-1] + 1), first.shape).copy()
    places[..., 1:] *= new
    ranks = np.empty_like(places)
    np.put_along_axis(ranks, order, np.maximum.accumulate(places, axis=-1), axis=-1)
    return ranks


def rank_intervals(resamples: Array, ranks: Array) -> tuple[Array, Array]:
    """Return the intervals of ranks from paired differences.

    A solver is surely better than another if it is ahead in 97.5 % of the resamples, each of which
    resamples all solvers alike: the interval of their difference then excludes 0. The best rank
    that a solver may have is one more than the number of solvers that are surely better. The worst
    is the number of all solvers less those that it is surely better than (after Mogstad, Romano,
    Shaikh and Wilhelm, "Inference for ranks", Rev. Econ. Stud. 2024). With resamples from
    `bootstrap.multipliers` for k − 1 comparisons, the intervals hold ranks, and not only single
    comparisons, in 95 % of cases.

    Parameters
    ----------
    resamples : ndarray of int, shape (R, S)
        The ranks in each resample.
    ranks : ndarray of int, shape (S,)
        The ranks in the results.

    Returns
    -------
    low, high : ndarray of int, shape (S,)
    """
    count = resamples.shape[1]
    ahead = np.zeros((count, count), np.uint16)
    one, some = np.zeros((count, count), bool), np.zeros((count, count), np.uint8)
    for start in range(0, len(resamples), _BYTE):  # bytes are summed several times as fast
        some[...] = 0
        for each in resamples[start : start + _BYTE].astype(np.uint16):
            np.less(each[:, None], each[None, :], out=one)
            some += one.view(np.uint8)
        ahead += some
    better = ahead >= SURE * len(resamples)
    low, high = 1 + better.sum(axis=0), count - better.sum(axis=1)
    return np.minimum(low, ranks), np.maximum(high, ranks)
