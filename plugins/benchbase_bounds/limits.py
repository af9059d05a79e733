"""The Lipschitz constants in the limit of many pools of independent Gaussian vectors."""

from __future__ import annotations

import math
from typing import NamedTuple

import benchbase

_PI = math.pi


class Limit(NamedTuple):
    """The limits of A²/K and B²/K for K → ∞ at fixed N, standard normal vectors.

    Attributes
    ----------
    lower, upper : float
        A²/K and B²/K.
    opposite : bool
        Whether y = −x attains `lower`, as with rectification. Otherwise orthogonal x and y of the
        same length attain it.
    """

    lower: float
    upper: float
    opposite: bool


_LIMITS = {
    (1, False, 1.0): Limit(1 - 2 / _PI, 1.0, opposite=False),
    (1, True, 1.0): Limit(1 / 4, 1 / 2, opposite=True),
    (2, False, 1.0): Limit(2 - 4 / _PI, 2 + 4 / _PI, opposite=False),
    (2, False, 2.0): Limit(2 - _PI / 2, 2.0, opposite=False),
    (2, False, math.inf): Limit(1 - 2 / _PI, 1 + 2 / _PI, opposite=False),
    (2, True, 1.0): Limit(1 / 2, 1 + 1 / _PI, opposite=True),
    (2, True, 2.0): Limit((1 - 1 / _PI) / 2, 1.0, opposite=True),
    (2, True, math.inf): Limit(3 / 8 - 1 / (4 * _PI), 3 / 4 + 1 / (2 * _PI), opposite=True),
}


def limit(pool_size: int, p: float, *, rectified: bool) -> Limit | None:
    """Return the limits of A²/K and B²/K, or None if no closed form is known.

    By the law of large numbers ‖R(x) − R(y)‖²/K tends, uniformly over pairs of given size, to the
    expected square of the difference of a pool, which depends on the angle between x and y.
    Relative to d² it is least at orthogonal pairs without rectification, and at opposite pairs with
    it. There the integrals are elementary. B²/K is the expected square of a pool. The limits are
    approached slowly: they say what redundancy buys, not what a small frame has.

    Parameters
    ----------
    pool_size : int
        L. Closed forms are known for 1 and 2.
    p : float
        1, 2 or infinity. For pools of one, all of them have the same limit.
    rectified : bool
        Whether coefficients are half rectified, without threshold.

    Raises
    ------
    benchbase.ParameterError
        If p is another number.
    """
    if p not in (1, 2, math.inf):
        raise benchbase.ParameterError("p", f"must be 1, 2 or inf, not {p}")
    return _LIMITS.get((pool_size, rectified, 1.0 if pool_size == 1 else p))
