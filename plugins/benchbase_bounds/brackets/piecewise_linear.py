"""Brackets of piecewise linear representations: p = 1 and infinity, rectified or not, and maxout.

‖a‖₁ is the maximum of ⟨ε, a⟩ over signs, its rectified kin that over subsets, and so on: each of
them is a maximum of linear functions, and the representation is linear on the cones of a fan.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from itertools import combinations

import numpy as np

from benchbase import Array, Frame, Pooling
from benchbase_bounds.bracket import Bracket, conclude
from benchbase_bounds.geometry.fans import Fan, NearlyDegenerateError, fan, hyperplanes, n_cones
from benchbase_bounds.geometry.rational import fractions, rank
from benchbase_bounds.geometry.regions import sign_vectors
from benchbase_bounds.lower_ends.cone_pairs import Exact, Search, even_bounds, full_bounds
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_constant import largest, steepest
from benchbase_bounds.upper_ends.direct import empirical, flattest

MOST_CONES = 400
"""Cones of which all pairs are looked at, times the root of the effort."""
_CHUNK = 4096
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
    """Return the fan of a representation, or None and why there is none.

    Its cones are as many as those that exact arithmetic finds, so that none is narrower than
    rounding.
    """
    if not operator.homogeneous:
        return None, "nothing is certified with thresholds"
    if operator.n > 6:
        return None, f"cones are not enumerated in {operator.n} dimensions, but up to 6"
    narrow = "the frame is so close to a degenerate one that rounding decides"
    most = int(MOST_CONES * math.sqrt(effort))
    try:
        normals = hyperplanes(walls(operator))
        if operator.n > 1 and n_cones(len(normals), operator.n) > 4 * most:
            return None, f"more than {most} cones, too many to certify"
        cones = fan(normals)
    except NearlyDegenerateError:
        return None, narrow
    if len(cones.cones) > most:
        return None, f"more than {most} cones, too many to certify"
    exact = exact_walls(operator)
    if len(sign_vectors(exact.astype(np.float64), exact=exact)) != len(cones.cones):
        return None, narrow
    return cones, ""


def exact_walls(operator: Operator) -> Array:
    """Return `walls` that are not 0 in fractions, with coordinate vectors if they do not span."""
    exact = walls(dataclasses.replace(operator, vectors=fractions(operator.vectors)))
    exact = exact[exact.any(axis=1)]
    if rank(exact) < operator.n:
        exact = np.concatenate([exact, fractions(np.eye(operator.n))])
    return exact


def piecewise(frame: Frame, pooling: Pooling, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of a piecewise linear representation: p = 1, p = ∞ and maxout.

    The upper end is that of `empirical`. With few cones, the lower end is the least over pairs of
    them, with more than Proposition 2.6 and Corollary 2.7 make of them (`corollaries`): where the
    sign is lost, of the largest μ₁ + μ₂ with Q ⪰ diag(μ₁I, μ₂I) for the quadratic form Q of
    ‖R(x) − R(x')‖² in x + x' and x − x'; elsewhere the search over faces makes it exact. B is
    the largest norm of a Jacobian.

    For pools of two, p = 1 on (f₁, f₂) is p = ∞ on (f₁ + f₂, f₁ − f₂).

    Source: Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014,
    section 2.

    Parameters
    ----------
    frame : Frame
        Real frame.
    pooling : Pooling
        ``lp`` with p 1 or infinity, half rectified or not, or ``maxout``.
    seed : int, optional
        Of the starts of the search for the upper end.
    effort : float, optional
        Scales restarts and what may be enumerated.

    Raises
    ------
    benchbase.BenchbaseError
        If the frame is complex or the pooling has no bounds.
    """
    begin = time.perf_counter()
    operator = Operator.of(frame, pooling)
    upper, pair = estimate(operator, seed, effort)
    method = "direct minimisation of the ratio from many starts"
    if upper == 0:
        return finish(operator, begin, 0.0, 0.0, pair, f"{method}, which found a collision", "")
    cones, reason = cut(operator, effort)
    if cones is None:
        return finish(operator, begin, 0.0, upper, pair, method, reason)
    points = cones.interior()
    slopes = operator.with_slopes(points)[1].transpose(0, 2, 1)
    J, first, kind = np.unique(
        operator.jacobian(points), axis=0, return_index=True, return_inverse=True
    )
    exact = Exact(operator.vectors, slopes[first], _of_planes(exact_walls(operator), cones))
    steep = steepest(J, J)
    i, k = np.triu_indices(len(J))
    parts = [slice(at, at + _CHUNK) for at in range(0, len(i), _CHUNK)]
    if operator.even:
        found = [even_bounds(J[i[p]], J[k[p]], _ranks(exact, i[p], k[p])) for p in parts]
        reason = "the pair bound leaves a gap where the sign is lost"
        method += "; below, the pair bound over all linear cones"
        lower = float(np.concatenate(found).min())
        return finish(operator, begin, lower, upper, pair, method, reason, steep)
    found = [full_bounds(J[i[p]], J[k[p]], _ranks(exact, i[p], k[p])[0]) for p in parts]
    table = np.zeros((len(J), len(J)))
    table[i, k] = table[k, i] = np.concatenate(found)
    kind = kind.reshape(-1)
    bounds = [
        (float(table[kind[a], kind[b]]), a, b)
        for a in range(len(kind))
        for b in range(a, len(kind))
        if table[kind[a], kind[b]] < upper
    ]
    search = Search(
        fan=cones,
        J=J[kind],
        kind=kind,
        exact=exact,
        ratio=lambda x, y: float(operator.ratio(x, y)),
        upper=upper,
        pair=pair,
    )
    lower, done = search.run(bounds, int(_FACES * effort))
    method += "; below, branch and bound over pairs of faces of the linear cones"
    reason = "the search over faces was cut short"
    if done:  # of an ill-conditioned frame the allowance is large
        reason = "the ends differ by the allowance for rounding"
    return finish(operator, begin, lower, search.upper, search.pair, method, reason, steep)


def _of_planes(exact: Array, fan: Fan) -> Array:
    """Return of exact walls the one of each hyperplane of a fan."""
    plain = exact.astype(np.float64)
    units = plain / np.linalg.norm(plain, axis=1)[:, None]
    found: Array = exact[np.abs(units @ fan.normals.T).argmax(axis=0)]
    return found


def _ranks(exact: Exact, i: Array, k: Array) -> tuple[Callable[[int], int], Callable[[int], int]]:
    """Return the ranks of J − J' and of J + J' of pairs of kinds, as functions of the pair."""
    slopes = exact.slopes
    return (
        lambda at: exact.rank(slopes[i[at]] - slopes[k[at]], None),
        lambda at: exact.rank(slopes[i[at]] + slopes[k[at]], None),
    )


def estimate(operator: Operator, seed: int, effort: float) -> tuple[float, tuple[Array, Array]]:
    """Return the upper estimate of A and its pair, with starts by the size of the frame.

    With rectification, pairs where the derivative is shortest are among the starts, so that
    the estimate is at most what these attain.
    """
    restarts = next(number for most, number in _RESTARTS.items() if operator.n <= most)
    number = max(4, round(restarts * effort))
    starts = flattest(operator, seed=seed) if operator.rectified else None
    return empirical(operator, seed=seed, restarts=number, n_iter=400, starts=starts)


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
    known = bool(high - low <= _TIGHT * high)
    return conclude(begin, lower, upper, pair, method, reason, largest=high, largest_exact=known)
