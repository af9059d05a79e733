"""Where a representation has kinks: the fan of cones on which it is linear or smooth."""

from __future__ import annotations

import dataclasses
import math
from itertools import combinations

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.fans import Fan, fan
from benchbase_bounds.geometry.rational import fractions
from benchbase_bounds.geometry.regions import TooManyRegionsError
from benchbase_bounds.geometry.rounding import NearlyDegenerateError
from benchbase_bounds.representation import Operator

LARGEST = 6
"""The largest N whose cones are enumerated."""

MOST_CONES = 400
"""The largest number of cones of which all pairs are looked at, times the root of the effort."""


def kinks(operator: Operator) -> Array:
    """Return vectors orthogonal to all hyperplanes at which a representation may have a kink.

    Parameters
    ----------
    operator : Operator
        Without thresholds.

    Returns
    -------
    ndarray, shape (H, N)
        Of the type of the operator's vectors, which may be fractions.
    """
    f = operator.vectors
    _, size, n = f.shape
    pairs = [*combinations(range(size), 2)]
    first, second = [i for i, _ in pairs], [j for _, j in pairs]
    less = (f[:, first] - f[:, second]).reshape(-1, n)
    more = (f[:, first] + f[:, second]).reshape(-1, n)
    alone = f.reshape(-1, n)
    if operator.signed:
        return less
    if operator.p != math.inf:
        return alone
    if operator.rectified:
        return np.concatenate([alone, less])
    return np.concatenate([less, more]) if size > 1 else alone


def fan_of(operator: Operator, effort: float) -> tuple[Fan | None, str]:
    """Return the fan of a representation, or None and the reason why there is none.

    Parameters
    ----------
    operator : Operator
        The representation.
    effort : float
        The number of cones may be `MOST_CONES` times the root of this.
    """
    if not operator.homogeneous:
        return None, "nothing is certified with thresholds"
    if operator.n > LARGEST:
        return None, f"cones are enumerated only up to {LARGEST} dimensions, not in {operator.n}"
    most = int(MOST_CONES * math.sqrt(effort))
    exact = dataclasses.replace(operator, vectors=fractions(operator.vectors))
    try:
        return fan(kinks(exact), most=most), ""
    except TooManyRegionsError:
        return None, f"more than {most} cones, too many to certify"
    except NearlyDegenerateError:
        return None, "the frame is so close to a degenerate one that rounding decides"
