"""Brackets of piecewise linear representations: p = 1 and infinity, rectified or not, and maxout.

‖a‖₁ is the maximum of ⟨ε, a⟩ over signs, its rectified kin that over subsets, and so on: each of
them is a maximum of linear functions, and the representation is linear on the cones of a fan.
"""

from __future__ import annotations

import math
import time
from itertools import combinations

import numpy as np

from benchbase import Array
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.cone_pairs import Search, even_bounds, full_bounds
from benchbase_bounds.empirical import empirical
from benchbase_bounds.fans import Fan, NearlyDegenerateError, fan, hyperplanes, n_cones
from benchbase_bounds.largest import largest, steepest
from benchbase_bounds.operators import Operator

MOST_CONES = 400
"""Cones of which all pairs are looked at, times the root of the effort."""
_FACES = 4000  # pairs of faces that are looked at, times the effort
_TIGHT = 1e-9  # a relative difference of lower and upper end that is rounding
_RESTARTS = {2: 48, 20: 24, 10**9: 12}  # by N, at most


def walls(operator: Operator) -> Array:
    """Return vectors orthogonal to all hyperplanes at which a representation may have a kink.

    Parameters
    ----------
    operator : Operator
        Without thresholds.

    Returns
    -------
    ndarray, shape (H, N)
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


def cut(operator: Operator, effort: float) -> tuple[Fan | None, str]:
    """Return the fan of a representation, or None and why there is none."""
    if not operator.homogeneous:
        return None, "nothing is certified with thresholds"
    if operator.n > 6:
        return None, f"cones are not enumerated in {operator.n} dimensions, but up to 6"
    try:
        normals = hyperplanes(walls(operator))
        most = int(MOST_CONES * math.sqrt(effort))
        if operator.n > 1 and n_cones(len(normals), operator.n) > 4 * most:
            return None, f"more than {most} cones, too many to certify"
        cones = fan(normals)
    except NearlyDegenerateError:
        return None, "the frame is so close to a degenerate one that rounding decides"
    if len(cones.cones) > most:
        return None, f"more than {most} cones, too many to certify"
    return cones, ""


def piecewise(operator: Operator, *, seed: int, effort: float) -> Bracket:
    """Return the bracket of a piecewise linear representation.

    The upper end is that of `empirical`. With few cones, the lower end is the least over pairs of
    them: where the sign is lost, of the largest μ₁ + μ₂ with Q ⪰ diag(μ₁I, μ₂I); elsewhere the
    search over faces makes it exact.

    Parameters
    ----------
    operator : Operator
        With p 1 or infinity.
    seed : int
        Of the starts.
    effort : float
        Scales restarts and what may be enumerated.
    """
    begin = time.perf_counter()
    upper, pair = estimate(operator, seed, effort)
    method = "direct minimisation of the ratio from many starts"
    if upper == 0:
        return finish(operator, begin, 0.0, 0.0, pair, f"{method}, which found a collision", "")
    cones, reason = cut(operator, effort)
    if cones is None:
        return finish(operator, begin, 0.0, upper, pair, method, reason)
    points = cones.interior()
    J, kind = np.unique(operator.jacobian(points), axis=0, return_inverse=True)
    steep = steepest(J, J)
    i, k = np.triu_indices(len(J))
    if operator.even:
        lower = float(np.min(np.concatenate([even_bounds(J[a], J[b]) for a, b in _chunks(i, k)])))
        reason = "the pair bound leaves a gap where the sign is lost"
        method += "; below, the pair bound over all linear cones"
        return finish(operator, begin, lower, upper, pair, method, reason, steep)
    table = np.zeros((len(J), len(J)))
    table[i, k] = table[k, i] = full_bounds(J[i], J[k])
    kind = kind.reshape(-1)
    bounds = [
        (float(table[kind[a], kind[b]]), a, b)
        for a in range(len(kind))
        for b in range(a, len(kind))
        if table[kind[a], kind[b]] < upper
    ]
    search = Search(
        fan=cones,
        jacobians=lambda a, b: (J[kind[a]], J[kind[b]]),
        ratio=lambda x, y: float(operator.ratio(x, y)),
        upper=upper,
        pair=pair,
    )
    lower, done = search.run(bounds, int(_FACES * effort))
    method += "; below, branch and bound over pairs of faces of the linear cones"
    reason = "" if done else "the search over faces was cut short"
    return finish(operator, begin, lower, search.upper, search.pair, method, reason, steep)


def estimate(operator: Operator, seed: int, effort: float) -> tuple[float, tuple[Array, Array]]:
    """Return the upper estimate of A and its pair, with starts by the size of the frame."""
    restarts = next(number for most, number in _RESTARTS.items() if operator.n <= most)
    number = max(4, round(restarts * effort))
    return empirical(operator, seed=seed, restarts=number, n_iter=400)


def finish(
    operator: Operator,
    begin: float,
    lower: float,
    upper: float,
    pair: tuple[Array, Array],
    method: str,
    reason: str,
    steep: tuple[float, float] | None = None,
) -> Bracket:
    """Put a bracket together; B is `steep`, its ends, where it is known, else worked out."""
    upper = float(operator.ratio(*pair))
    low, high = largest(operator) if steep is None else steep
    exact = upper - lower <= _TIGHT * max(high, np.finfo(float).tiny)
    return Bracket(
        lower=min(lower, upper),
        upper=upper,
        exact=bool(exact),
        largest=high,
        largest_exact=bool(high - low <= _TIGHT * high),
        pair=pair,
        method=method,
        seconds=time.perf_counter() - begin,
        reason="" if exact else reason,
    )


def _chunks(i: Array, k: Array, size: int = 4096) -> list[tuple[Array, Array]]:
    return [(i[at : at + size], k[at : at + size]) for at in range(0, len(i), size)]
