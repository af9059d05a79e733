"""Subdivision of pairs of cones: lower ends for ℓ2, rectified or not (2.4, 2.5).

The aim is to prove that no pair of signals has a ratio below a goal m. Pairs of simplicial cones
are split until each is proved to hold no such pair. Let a_k(x) be the active coefficients of pool
k, and u_k their direction at the middle of a cone. All directions of the cone lie within a chord
δ_k of u_k, since the directions within a chord are a convex cone, and the images of the rays are in
it. One of four tests has to hold for x in a cone T and y in a cone T′.

Far apart. With cos θ = 1 − δ²/2 the norm ‖a_k(x)‖ is ⟨g_k, x⟩ up to tan²(θ/2) ‖a_k(x)‖, where
g_k = 2/(1 + cos θ) F_k u_k. For cones at an angle φ, ‖x − y‖ ≥ sin φ max(‖x‖, ‖y‖), with 1 in place
of sin φ beyond 90°. So R(x) − R(y) is Gx − G′y up to κ‖x − y‖. If x has no active vector in pool k,
‖a_k(y)‖ ≤ ‖F_k‖ ‖x − y‖ bounds that pool's part of κ without the angle. It suffices that
q = ‖Gx − G′y‖² − (m + κ)²‖x − y‖² is nonnegative in one of three ways:

1. on all of R^N × R^N, or
2. as q ≥ min q(r, r′) σ² + 2 min q(r, s) στ + min q(s, s′) τ² for the unit rays r of T and s of T′,
   with the sums σ and τ of the coordinates of x and y in them, and q as a bilinear form, or
3. as the sum of a nonnegative form and of forms that are nonnegative on circular cones around T and
   T′ (the S-procedure).

Near each other. ‖a‖ − ‖b‖ = ⟨w, a − b⟩ with w = (a + b)/(‖a‖ + ‖b‖), which lies between the
directions of a and b. Also a − b = D F_kᵀ(x − y), where D is diagonal with entries from 0 to 1, and
1 for vectors that are active at both. So R(x) − R(y) = (C + E)(x − y), where C has the rows
(u_k + u_k′)/2 of F_k, and ‖E‖² ≤ λmax(Σ ε_k² F_kᵀF_k) with ε_k = ‖u_k − u_k′‖/2 + max(δ_k, δ_k′) +
what D may take away. Pools that are not active at both signals, or whose ε_k is large, are left
out, which only lowers the norm. It suffices that

4. λ₋(C) − ‖E‖ ≥ m.

Rays are taken to be off by up to 1e-7, and forms by 1e-12 of their norm. Those of a fan are off by
less than that, and 1e-12 is thousands of times the rounding of the forms.
"""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.fans import Fan
from benchbase_bounds.lower_ends.simplicial_cones import OFF, Cones
from benchbase_bounds.representation import Operator

LARGEST = 3
"""The largest N of the subdivision."""

_CHUNK = 4096
_ROUND = 1e-12  # rounding of the forms, relative to the squared norm of the frame
_SMALLEST = 1e-3  # if both cones have a smaller radius, the goal is given up
_LEFT_OUT = (0.6, 0.15)  # test 4 leaves out pools with a larger ε; the two are tried in turn
_GOALS = (0.05, 0.3, 0.6, 0.8, 0.9, 0.95)  # relative to the upper end, tried in turn


def certify(operator: Operator, fan: Fan | None, upper: float, *, most: int) -> float:
    """Return the largest of a few parts of an upper end of A that is proved to bound A below.

    Parameters
    ----------
    operator : Operator
        With p = 2, without thresholds, rectified or not.
    fan : Fan or None
        The cones of its active sets, or None without rectification.
    upper : float
        The best upper end of A, above 0.
    most : int
        The largest number of pairs of cones to test, not counting the pairs at the start.

    Returns
    -------
    float
        The bound, or 0 if none is proved.
    """
    cones = Cones.of(operator, fan)
    proved = 0.0
    for goal in _GOALS:
        done, tested = prove(cones, goal * upper, most)
        if not done:
            break
        most -= tested
        proved = goal * upper
    return proved


def prove(cones: Cones, goal: float, most: int) -> tuple[bool, int]:
    """Try to prove that no pair of signals has a ratio below a goal.

    If the sign of a signal is lost, y and −y are the same to R. Pairs of cones with ⟨x, y⟩ < 0
    throughout are then left out.

    Parameters
    ----------
    cones : Cones
        The cones to begin with; they are split.
    goal : float
        The ratio.
    most : int
        As in `certify`.

    Returns
    -------
    done : bool
        Whether it is proved.
    tested : int
        How many pairs of cones were tested, not counting the pairs at the start.
    """
    first, second = np.triu_indices(cones.roots)
    tested = -len(first)
    while len(first):
        tested += len(first)
        if tested > most:
            return False, most
        parts = [slice(at, at + _CHUNK) for at in range(0, len(first), _CHUNK)]
        open_ = np.concatenate([_open(cones, first[part], second[part], goal) for part in parts])
        first, second = first[open_], second[open_]
        if (np.maximum(cones.radius[first], cones.radius[second]) < _SMALLEST).any():
            return False, tested
        if len(first):
            first, second = _halved(cones, first, second)
    return True, tested


def _halved(cones: Cones, first: Array, second: Array) -> tuple[Array, Array]:
    """Split the wider cone of each pair, both of a cone with itself."""
    swap = cones.radius[first] < cones.radius[second]
    wide, other = np.where(swap, second, first), np.where(swap, first, second)
    cones.split(wide)
    halves = np.array([cones.children[int(i)] for i in wide])
    twice = wide == other
    one = np.concatenate([halves[~twice].ravel(), halves[twice].ravel(), halves[twice, 0]])
    two = np.concatenate([np.repeat(other[~twice], 2), halves[twice].ravel(), halves[twice, 1]])
    return one, two


def _open(cones: Cones, i: Array, k: Array, goal: float) -> Array:
    """Return for which pairs of cones no test holds, (P,) bool."""
    open_ = np.ones(len(i), dtype=bool)
    if cones.operator.even:
        inner = np.einsum("prn,psn->prs", cones.rays[i], cones.rays[k])
        open_ = inner.max(axis=(1, 2)) > -OFF
    for test in (far, near):
        left = np.flatnonzero(open_)
        if len(left):
            open_[left] = ~test(cones, i[left], k[left], goal)
    return open_


def far(cones: Cones, i: Array, k: Array, goal: float) -> Array:
    """Return for which pairs of cones one of the tests 1 to 3 holds.

    Parameters
    ----------
    cones : Cones
        The cones.
    i, k : ndarray of int, shape (P,)
        The pairs.
    goal : float
        The ratio.

    Returns
    -------
    ndarray of bool, shape (P,)
    """
    n = cones.operator.n
    inner = np.einsum("pn,pn->p", cones.middle[i], cones.middle[k])
    angle = np.arccos(np.clip(inner, -1, 1)) - cones.radius[i] - cones.radius[k] - OFF
    holds = np.zeros(len(i), dtype=bool)
    apart = np.flatnonzero(angle > 1e-3)
    if not len(apart):
        return holds
    i, k = i[apart], k[apart]
    sine = np.sin(np.minimum(angle[apart], np.pi / 2))
    alone = cones.alive[i] ^ cones.alive[k]
    part = (cones.off[i] + cones.off[k]) / sine[:, None]
    near = np.maximum(cones.loss[i], cones.loss[k]) * cones.pools  # one of them is 0
    part = np.where(alone, np.minimum(part, near), part)
    kappa = np.linalg.norm(part, axis=1)
    size = float(np.trace(cones.grams.sum(axis=0)))
    shift = (goal + kappa) ** 2 + 4 * _ROUND * size / sine**2
    G, G2 = cones.G[i], cones.G[k]
    images, images2 = (
        np.einsum("pkn,prn->prk", one, cones.rays[at]) for one, at in ((G, i), (G2, k))
    )
    rays, rays2 = cones.rays[i], cones.rays[k]

    def entries(a: Array, b: Array, x: Array, y: Array) -> Array:
        inner: Array = x @ y.transpose(0, 2, 1)
        form: Array = a @ b.transpose(0, 2, 1) - shift[:, None, None] * inner
        return form

    slack = _ROUND * size
    rough = 8 * OFF * size  # by how much the rays' error changes the forms
    alpha = entries(images, images, rays, rays).min(axis=(1, 2)) - rough
    gamma = entries(images2, images2, rays2, rays2).min(axis=(1, 2)) - rough
    beta = -entries(images, images2, rays, rays2).max(axis=(1, 2)) - rough
    fine = (alpha >= 0) & (gamma >= 0)
    fine &= (beta >= 0) | (beta**2 <= alpha * gamma)
    rest = np.flatnonzero(~fine)
    if len(rest):
        form = np.concatenate([G[rest], -G2[rest]], axis=2)
        form = form.transpose(0, 2, 1) @ form
        unit = np.concatenate([np.eye(n), -np.eye(n)], axis=1)
        form -= shift[rest, None, None] * (unit.T @ unit)
        fine[rest] = np.linalg.eigvalsh(form)[:, 0] >= -slack
        left = ~fine[rest]
        form -= _inside(cones, i[rest], k[rest], form)
        fine[rest[left]] = np.linalg.eigvalsh(form[left])[:, 0] >= -slack
    holds[apart[fine]] = True
    return holds


def _inside(cones: Cones, i: Array, k: Array, form: Array) -> Array:
    """Return multiples of forms that are nonnegative on the cones, (P, 2N, 2N).

    With the middle t and the radius ρ they are λ(⟨x, t⟩² − cos²ρ ‖x‖²). Taking them off the form
    loses sin²ρ λ at the middle, and gains cos²ρ λ across it. λ balances this with the part of the
    form that mixes both.
    """
    n = cones.operator.n
    ends = cones.middle[i], cones.middle[k]
    spread = np.zeros((len(i), 2 * n, 2))
    spread[:, :n, 0], spread[:, n:, 1] = ends
    mixed = form @ spread
    small = spread.transpose(0, 2, 1) @ mixed
    weights = np.linalg.eigh(small)[1][:, :, 0]
    pull = np.einsum("pis,ps->pi", mixed, weights)
    found = np.zeros_like(form)
    for side, at in ((0, i), (1, k)):
        part = slice(side * n, side * n + n)
        t, radius = ends[side], cones.radius[at]
        across = pull[:, part] - np.einsum("pi,pi->p", pull[:, part], t)[:, None] * t
        size = np.maximum(np.abs(weights[:, side]) * np.sin(radius), 1e-9)
        multiple = np.where(radius < 1.57, np.linalg.norm(across, axis=1) / size, 0.0)
        round_ = np.einsum("pi,pj->pij", t, t) - (np.cos(radius) ** 2)[:, None, None] * np.eye(n)
        found[:, part, part] = multiple[:, None, None] * round_
    return found


def near(cones: Cones, i: Array, k: Array, goal: float) -> Array:
    """Return for which pairs of cones test 4 holds.

    Arguments and result are those of `far`.
    """
    u, u2, chord, chord2 = cones.u[i], cones.u[k], cones.chord[i], cones.chord[k]
    one, other = cones.active[i], cones.active[k]
    off = 0.5 * np.linalg.norm(u - u2, axis=-1) + np.maximum(chord, chord2)
    lost = np.linalg.norm(u * (one & ~other), axis=-1) + chord
    lost2 = np.linalg.norm(u2 * (other & ~one), axis=-1) + chord2
    changed = (one != other).any(axis=-1)
    off = off + np.where(changed, lost + lost2, 0.0)
    both = cones.alive[i] & cones.alive[k]
    rows = np.einsum("pkl,kln->pkn", 0.5 * (u + u2), cones.operator.vectors)
    flat = cones.grams.reshape(len(cones.grams), -1)
    n = cones.operator.n
    size = float(np.trace(cones.grams.sum(axis=0)))
    holds = np.zeros(len(i), dtype=bool)
    for limit in _LEFT_OUT:
        kept = both & (off < limit)
        C = rows * kept[..., None]
        weights = np.where(kept, off, 0.0) ** 2
        error = np.linalg.eigvalsh((weights @ flat).reshape(-1, n, n))[:, -1]
        least = np.linalg.eigvalsh(C.transpose(0, 2, 1) @ C)[:, 0]
        least = np.sqrt(np.maximum(least - _ROUND * size, 0.0))
        holds |= least - np.sqrt(np.maximum(error, 0.0) + _ROUND * size) >= goal
    return holds
