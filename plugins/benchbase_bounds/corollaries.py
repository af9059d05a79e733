"""The lower bounds of Corollaries 2.5 and 2.7 and Proposition 2.6, as printed and as corrected.

Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014, section 2. These
are the formulas, for comparison: brackets have better bounds (`cone_pairs`, `subdivision`). Each
is a minimum over pairs of linear cones of the representation, without thresholds.

What is called printed here is a reading: the formulas are reconstructed from the statements of the
paper, whose notation leaves details open (which cones are paired, which pools an angle is taken
over), and other readings give other numbers. What is corrected does not rest on them. The
counter-examples to 2.5 and 2.7 have N = 1, where the formulas can be worked out by hand.

Parts of them are minimised locally (λ₋ of Proposition 2.1 over subsets, angles of cones), so that
values may be too large; but for `corrected_2_5` none is a certificate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import NamedTuple, TypeVar

import numpy as np

import benchbase
from benchbase import Array
from benchbase_bounds.brackets.l2 import alternate, values
from benchbase_bounds.brackets.piecewise_linear import cut
from benchbase_bounds.geometry.fans import Fan
from benchbase_bounds.geometry.rational import fractions
from benchbase_bounds.lower_ends.cone_pairs import Exact, full_bounds
from benchbase_bounds.representation import Operator

_Item = TypeVar("_Item")
_STARTS = 16  # of the alternation for the minimum over subsets


def printed_2_5(operator: Operator, *, effort: float = 1.0) -> float:
    """Return Ã₂ of Corollary 2.5 as printed, in the reading of this module: no lower bound of A.

    With the active sets S and S′ of x and x′ it is the root of the least

        A₂²(F_{S∩S′}) + min(λ₋²(F_{S∖S′}), λ₋²(F_{S′∖S})),

    A₂ being that of Proposition 2.4. It counts pools that are active at both signals with different
    sets, which may have equal values: for N = 1 and one pool (1, −2) it is 1, and A = 0.

    Parameters
    ----------
    operator : Operator
        Rectified, p = 2, without thresholds.
    effort : float, optional
        Factor of the number of cones that are gone through.

    Raises
    ------
    benchbase.BenchbaseError
        If it is another operator, or there are too many cones; so in the other functions.
    """
    _require(operator, p=2, rectified=True)
    flat = operator.vectors.reshape(-1, operator.n)
    rng = np.random.default_rng(0)

    def value(active: Array, active2: Array) -> float:
        shared = active & active2
        alone = min(_squared_least(flat, (one & ~shared).ravel()) for one in (active, active2))
        return _phaseless(operator.vectors * shared[..., None], rng) + alone

    return _least(_active(operator, effort), value)


def corrected_2_5(operator: Operator, *, effort: float = 1.0) -> float:
    """Return the bound of Corollary 2.5 as corrected, for any number of vectors a pool.

    The root of the least eigenvalue of S_E + S_O : S_O′ over pairs of cones, with the vectors E of
    pools in which the same single vector is active at both signals, the active ones O and O′ of
    pools that are active at x alone and at x′ alone, and the parallel sum P : Q = P(P + Q)⁻¹Q.
    Pools that are active at both with different sets may have equal values and count as 0; so do
    those with the same several vectors, of which `subdivision` makes more.

    The pools of E add ‖F_E(x − x′)‖², those of O and O′ ‖F_O x‖² + ‖F_O′ x′‖², of which the
    parallel sum is the least for given x − x′. The lesser of λ₋²(F_O) and λ₋²(F_O′) in its place
    would be too much: for N = 1 and pools (1, 0), (−1, 0) it is 1, and A² = ½. Allowance for
    rounding is made.

    Parameters are those of `printed_2_5`.
    """
    _require(operator, p=2, rectified=True)
    active = np.array(_active(operator, effort))
    single = active.reshape(len(active), -1, 1)
    flat = operator.vectors.reshape(-1, operator.n)
    exact = Exact(flat[:, None, :], single, fractions(np.eye(operator.n)))
    i, k = np.triu_indices(len(active))
    least = np.inf
    for at in range(0, len(i), 4096):
        part = slice(at, at + 4096)
        kept, kept2 = counted(active[i[part]], active[k[part]])
        rows, rows2 = (each.reshape(len(each), -1, 1).astype(int) for each in (kept, kept2))
        found = full_bounds(flat * rows, flat * rows2, _difference_ranks(exact, rows - rows2))
        least = min(least, float(found.min()))
    return least


def _difference_ranks(exact: Exact, change: Array) -> Callable[[int], int]:
    return lambda at: exact.rank(change[at], None)


def counted(active: Array, active2: Array) -> tuple[Array, Array]:
    """Tell which vectors count in the corrected Corollary 2.5, at x and at x'.

    Parameters
    ----------
    active, active2 : ndarray of bool, shape (..., K, L)
        What is active at x and at x'.

    Returns
    -------
    two ndarrays of bool, shape (..., K, L)
        Vectors whose coefficients at x, and at x', are part of the difference.
    """
    single = (active == active2).all(axis=-1) & (active.sum(axis=-1) == 1)
    first = active & (single | ~active2.any(axis=-1))[..., None]
    second = active2 & (single | ~active.any(axis=-1))[..., None]
    return first, second


def printed_2_6(operator: Operator, *, effort: float = 1.0) -> float:
    """Return the bound of Proposition 2.6 in the reading of this module, true but loose.

    With the winners s and s′ of two linear cones C and C′ and the pools J in which they are the
    same up to sign, it is the root of the least

        A²(F_J) + 1/(4L) · min(λ₋²(F_s|Jᶜ), λ₋²(F_s′|Jᶜ)) · sin²β,

    A(F_J) being that of Proposition 2.1, and β the least angle, at most 90°, between the images of
    C and C′ under the absolute values of the winners outside of J; sin β is 0 where the images meet
    in more than 0.

    It is a reconstruction. Another evaluation of the printed bound gave .0778 for the frame of the
    tests (N = 2, K = 6, L = 2), which this reading does not reproduce: it gives .0487. It is valid
    as the lesser of two bounds, as `corrected_2_6` is proved.

    Parameters are those of `printed_2_5`, for p = ∞ without rectification.
    """
    return _proposition_2_6(operator, 1 / (4 * operator.vectors.shape[1]), effort)


def corrected_2_6(operator: Operator, *, effort: float = 1.0) -> float:
    """Return the bound of Proposition 2.6 with the factor ½ in place of 1/(4L).

    Vectors u and v at an angle of at least β have ‖u − v‖ ≥ sin β max(‖u‖, ‖v‖). Here they are the
    winners' absolute values, ‖u‖ ≥ λ₋(F_s|Jᶜ) ‖x‖ and ‖v‖ ≥ λ₋(F_s′|Jᶜ) ‖x′‖, and the lesser of
    ‖x − x′‖² and ‖x + x′‖² is at most ‖x‖² + ‖x′‖² ≤ 2 max(‖x‖², ‖x′‖²). Parameters are
    those of `printed_2_6`.
    """
    return _proposition_2_6(operator, 1 / 2, effort)


def _proposition_2_6(operator: Operator, factor: float, effort: float) -> float:
    _require(operator, p=np.inf, rectified=False)
    rng = np.random.default_rng(0)

    def value(cone: _Cone, cone2: _Cone) -> float:
        same = np.abs(cone.slopes) == np.abs(cone2.slopes)
        shared = same.all(axis=-1)
        pools = cone.jacobian[shared][:, None, :]
        apart = _apart(cone, cone2, ~shared)
        return _phaseless(pools, rng) + factor * apart

    return _least(_cones(operator, effort), value)


def printed_2_7(operator: Operator, *, effort: float = 1.0) -> float:
    """Return the bound of Corollary 2.7 as printed, in the reading of this module: no lower bound.

    As that of `corrected_2_7`, but with λ₋ of the winners of all pools outside of J, active or not:
    for N = 1 and pools {1}, {−1}, {−2} it is 1, and A = √(5/6). Parameters are those of
    `printed_2_5`, for p = ∞, rectified.
    """
    return _corollary_2_7(operator, effort, inactive=True)


def corrected_2_7(operator: Operator, *, effort: float = 1.0) -> float:
    """Return the bound of Corollary 2.7 as corrected.

    With the active winners s and s′ of two linear cones and the pools J in which they are the
    same, it is the root of the least

        λ₋²(F_J) + ¼ · min(λ₋²(F_s|Jᶜ), λ₋²(F_s′|Jᶜ)) · sin²β,

    β being the least angle, at most 90°, between the images of the cones in the pools outside of
    J. That of ‖u − v‖ ≥ sin β max(‖u‖, ‖v‖) and ‖x − x′‖ ≤ 2 max(‖x‖, ‖x′‖). Parameters are
    those of `printed_2_7`.
    """
    return _corollary_2_7(operator, effort, inactive=False)


def _corollary_2_7(operator: Operator, effort: float, *, inactive: bool) -> float:
    _require(operator, p=np.inf, rectified=True)

    def value(cone: _Cone, cone2: _Cone) -> float:
        shared = (cone.slopes == cone2.slopes).all(axis=-1) & cone.slopes.any(axis=-1)
        least = float(np.linalg.eigvalsh(cone.jacobian[shared].T @ cone.jacobian[shared])[0])
        return max(0.0, least) + _apart(cone, cone2, ~shared, inactive=inactive) / 4

    return _least(_cones(operator, effort), value)


class _Cone(NamedTuple):
    """A linear cone: its rays (R, N), slopes (K, L), Jacobian and winners whether active (K, N)."""

    rays: Array
    slopes: Array
    jacobian: Array
    winners: Array


def _cones(operator: Operator, effort: float) -> list[_Cone]:
    cones = _fan(operator, effort)
    found = []
    for cone, point in zip(cones.cones, cones.interior(), strict=True):
        slopes = operator.with_slopes(point)[1].T
        raw = np.einsum("kln,n->kl", operator.vectors, point)
        size = raw if operator.rectified else np.abs(raw)
        winners = operator.vectors[np.arange(len(raw)), size.argmax(axis=1)]
        jacobian = np.einsum("kl,kln->kn", slopes, operator.vectors)
        found.append(_Cone(cones.rays[sorted(cone)], slopes, jacobian, winners))
    return found


def _active(operator: Operator, effort: float) -> list[Array]:
    """Return the active vectors (K, L) of each cone."""
    points = _fan(operator, effort).interior()
    return [*(operator.coefficients(points).transpose(0, 2, 1) > 0)]


def _fan(operator: Operator, effort: float) -> Fan:
    cones, reason = cut(operator, effort)
    if cones is None:
        raise benchbase.BenchbaseError(f"no cones to go through: {reason}")
    return cones


def _least(items: list[_Item], value: Callable[[_Item, _Item], float]) -> float:
    """Return the root of the least value over pairs, those of twice the same included."""
    pairs = combinations_with_replacement(items, 2)
    return math.sqrt(max(0.0, min(value(one, other) for one, other in pairs)))


def _apart(cone: _Cone, cone2: _Cone, pools: Array, *, inactive: bool = False) -> float:
    """Return min(λ₋², λ₋²) sin²β of two cones in some of the pools."""
    if not pools.any():
        return 0.0
    both = [(each.winners if inactive else each.jacobian)[pools] for each in (cone, cone2)]
    least = min(float(np.linalg.eigvalsh(J.T @ J)[0]) for J in both)
    if least <= 0:
        return 0.0
    one, other = (each.jacobian[pools] @ each.rays.T for each in (cone, cone2))
    return least * squared_sine(one, other)


def squared_sine(one: Array, other: Array) -> float:
    """Return sin²β of the least angle β, at most 90°, between two convex cones.

    From each ray of the first, points are projected onto the second cone and back, which never
    raises the angle.

    Parameters
    ----------
    one, other : ndarray, shape (M, R), (M, R')
        The rays of the cones, columns.
    """
    from scipy.optimize import nnls

    if not (one.any() and other.any()):
        return 0.0  # a cone of nothing but 0 has no angle
    cosine = 0.0
    for start in [*one.T, one.sum(axis=1)]:
        z, before = start, -1.0
        for turn in range(200):
            size = float(np.linalg.norm(z))
            if size == 0:
                break
            cone = one if turn % 2 else other
            z = cone @ nnls(cone, z / size)[0]
            now = float(np.linalg.norm(z))
            cosine = max(cosine, now)
            if turn % 2 and now - before < 1e-13:
                break
            before = now
    return max(0.0, 1.0 - cosine**2)


def _phaseless(pools: Array, rng: np.random.Generator) -> float:
    """Return A₂² of pools (K, L, N), by the alternation of Proposition 2.4."""
    n = pools.shape[-1]
    if not pools.any():
        return 0.0
    u, v = rng.standard_normal((2, _STARTS, n))
    return float(values(pools, *alternate(pools, u, v).transpose(1, 0, 2)).min())


def _squared_least(vectors: Array, chosen: Array) -> float:
    """Return λ₋² of some of the vectors (M, N)."""
    rows = vectors[chosen]
    return max(0.0, float(np.linalg.eigvalsh(rows.T @ rows)[0]))


def _require(operator: Operator, *, p: float, rectified: bool) -> None:
    if operator.signed or (operator.p, operator.rectified) != (p, rectified):
        kind = f"{'rectified ' if rectified else ''}lp pooling of p = {p}"
        raise benchbase.BenchbaseError(f"this bound is for the {kind}")
