"""Certified lower bounds of A for p = 2, by subdivision of pairs of cones.

Pairs of simplicial cones are split until each is proved to hold no pair of signals with a ratio
below a goal m. Let a_k(x) be the active coefficients of pool k, and u_k their direction at the
middle of a cone. All directions of the cone lie within a chord δ_k of u_k: those within a chord are
a convex cone, and the images of rays are in it. One of four tests has to hold for x in a cone T and
y in a cone T′.

Far apart. With cos θ = 1 − δ²/2 the norm ‖a_k(x)‖ is ⟨g_k, x⟩ up to tan²(θ/2) ‖a_k(x)‖, where
g_k = 2/(1 + cos θ) F_k u_k. As ‖x − y‖ ≥ sin φ max(‖x‖, ‖y‖) for cones at an angle φ (1 in place
of sin φ beyond 90°), R(x) − R(y) is Gx − G′y up to κ‖x − y‖. Where x has no active vector in pool
k, ‖a_k(y)‖ ≤ ‖F_k‖ ‖x − y‖ bounds that pool's part of κ without the angle. So it suffices that
q = ‖Gx − G′y‖² − (m + κ)²‖x − y‖² is nonnegative:

1. on all of R^N × R^N, or
2. as q ≥ min q(r, r′) σ² + 2 min q(r, s) στ + min q(s, s′) τ² for the unit rays r of T, s of T′ and
   the sums σ, τ of the coordinates of x and y in them, with q as a bilinear form, or
3. as a nonnegative form plus such as are nonnegative on circular cones around T and T′ (the
   S-procedure).

Near. ‖a‖ − ‖b‖ = ⟨w, a − b⟩ with w = (a + b)/(‖a‖ + ‖b‖), which lies between the directions of a
and b, and a − b = D F_kᵀ(x − y), with 0 ≤ D ≤ 1 diagonal, and 1 where both are active. So
R(x) − R(y) = (C + E)(x − y) with rows (u_k + u_k′)/2 of F_k in C and ‖E‖² ≤ λmax(Σ ε_k² F_kᵀF_k),
ε_k = ‖u_k − u_k′‖/2 + max(δ_k, δ_k′) + what D may take away. Pools that are not active at both, or
of which ε_k is large, are left out, which only lowers the norm. So it suffices that

4. λ₋(C) − ‖E‖ ≥ m.

Rays are taken to be off by up to 1e-7 (those of a fan are by less), and forms by 1e-12 of their
norm, which is thousands of times their rounding.
"""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.fans import Fan
from benchbase_bounds.representation import Operator

_CHUNK = 4096
_OFF = 1e-7  # how far a computed ray may be from the true one, with room to spare
_NOTHING = 1e-9  # a coefficient at a ray that is zero: of a fan none is between 1e-12 and 1e-7
_ROUND = 1e-12  # rounding of the forms, relative to the squared norm of the frame
_WIDE = 0.1  # a cosine below which a pool has no direction to speak of
_SMALLEST = 1e-3  # a radius of both cones below which a goal is given up
_LEFT_OUT = (0.6, 0.15)  # ε from which on pools are left out near, tried in turn
_GOALS = (0.05, 0.3, 0.6, 0.8, 0.9, 0.95)  # tried in turn, relative to the upper end


class Cones:
    """Simplicial cones, growing as they are split.

    Parameters
    ----------
    operator : Operator
        With p = 2, without thresholds.
    rays : ndarray, shape (C, N, N)
        Unit rays of each, one a row.
    active : ndarray of bool, shape (C, K, L)
        What is active inside; everything without rectification.
    images : ndarray, shape (C, N, K, L)
        The active coefficients at the rays, exact zeros kept.
    """

    middle: Array  # (C, N), unit
    radius: Array  # (C,), the largest angle from the middle
    u: Array  # (C, K, L), the direction of coefficients at the middle
    chord: Array  # (C, K), how far from it others may be
    G: Array  # (C, K, N), the linear stand-in of R
    loss: Array  # (C, K), by how much it may be off, relative to R_k(x)
    off: Array  # (C, K), and relative to the size of x
    alive: Array  # (C, K), whether anything is active

    def __init__(self, operator: Operator, rays: Array, active: Array, images: Array) -> None:
        self.operator, self.rays, self.active, self.images = operator, rays, active, images
        self.roots = len(rays)
        self.children: dict[int, tuple[int, int]] = {}
        self.pools = np.linalg.norm(operator.vectors, 2, axis=(1, 2))
        self.grams = np.einsum("kln,klm->knm", operator.vectors, operator.vectors)
        self._derive(slice(0, len(self.rays)))

    @classmethod
    def of(cls, operator: Operator, fan: Fan | None) -> Cones:
        """Cut each cone of a fan into simplicial ones; without a fan take the orthants."""
        n = operator.n
        if fan is None:
            signs = np.array(np.meshgrid(*[[1.0, -1.0]] * n)).reshape(n, -1).T
            rays = signs[:, :, None] * np.eye(n)
            images = np.einsum("kln,crn->crkl", operator.vectors, rays)
            return cls(operator, rays, np.ones((len(rays), *images.shape[2:]), dtype=bool), images)
        points = operator.coefficients(fan.interior()).transpose(0, 2, 1) > 0
        found, active = [], []
        for cone, mask in zip(fan.cones, points, strict=True):
            for simplex in _simplices(fan, cone, n):
                found.append(fan.rays[sorted(simplex)])
                active.append(mask)
        rays, held = np.array(found), np.array(active)
        images = np.einsum("kln,crn->crkl", operator.vectors, rays) * held[:, None]
        scale = np.linalg.norm(operator.vectors, axis=2)
        images[images < _NOTHING * scale] = 0.0
        return cls(operator, rays, held, images)

    def split(self, which: Array) -> None:
        """Halve cones at their longest edges, those that have not been halved."""
        new = np.array([i for i in np.unique(which) if int(i) not in self.children], dtype=int)
        if not len(new):
            return
        rays, images = self.rays[new], self.images[new]
        gram = rays @ rays.transpose(0, 2, 1)
        n = rays.shape[1]
        first, second = np.divmod(gram.reshape(len(new), -1).argmin(axis=1), n)
        at = np.arange(len(new))
        middle = rays[at, first] + rays[at, second]
        length = np.linalg.norm(middle, axis=1)
        middle /= length[:, None]
        image = (images[at, first] + images[at, second]) / length[:, None, None]
        halves, half_images = np.stack([rays, rays]), np.stack([images, images])
        for side, replaced in enumerate((first, second)):
            halves[side, at, replaced] = middle
            half_images[side, at, replaced] = image
        begin = len(self.rays)
        self.children.update((int(i), (begin + j, begin + len(new) + j)) for j, i in enumerate(new))
        self.rays = np.concatenate([self.rays, *halves])
        self.images = np.concatenate([self.images, *half_images])
        self.active = np.concatenate([self.active, self.active[new], self.active[new]])
        self._derive(slice(begin, len(self.rays)))

    def _derive(self, part: slice) -> None:
        """Work out what the tests need of new cones."""
        rays, active, images = self.rays[part], self.active[part], self.images[part]
        vectors = self.operator.vectors
        total = rays.sum(axis=1)
        middle = total / np.linalg.norm(total, axis=1)[:, None]
        cosines = np.einsum("crn,cn->cr", rays, middle).min(axis=1)
        radius = np.arccos(np.clip(cosines, -1.0, 1.0)) + _OFF
        u = images.sum(axis=1)  # along the middle
        size = np.linalg.norm(u, axis=-1)
        u = u / np.where(size > 0, size, 1.0)[..., None]
        sizes = np.linalg.norm(images, axis=-1)  # (C, N, K)
        there = sizes > 0
        units = images / np.where(there, sizes, 1.0)[..., None]
        chord = np.linalg.norm(units - u[:, None], axis=-1)
        pool = self.pools
        chord += _OFF * pool / np.where(there, sizes, 1.0)
        chord = np.where(there, chord, 0.0).max(axis=1)
        cosine = 1.0 - chord**2 / 2
        wide = (cosine < _WIDE) | (size == 0)
        factor = np.where(wide, 0.0, 2.0 / (1.0 + np.where(wide, 1.0, cosine)))
        loss = np.where(wide, 1.0, (1.0 - cosine) / (1.0 + cosine))
        G = np.einsum("ckl,kln->ckn", u * factor[..., None], vectors)
        loss[~active.any(axis=2)] = 0.0
        # ‖a(x)‖ is convex, and coordinates in the rays add up to 1/cos(radius) at most.
        largest = sizes.max(axis=1) / np.maximum(np.cos(radius), 1e-300)[:, None] + _OFF * pool
        largest = np.where((radius < 1.57)[:, None], np.minimum(largest, pool), pool)
        new = {
            "middle": middle,
            "radius": radius,
            "u": u,
            "chord": np.where(wide, 2.0, chord),
            "G": G,
            "loss": loss,
            "off": loss * largest,
            "alive": active.any(axis=2),
        }
        for name, value in new.items():
            old = getattr(self, name, None)
            setattr(self, name, value if old is None else np.concatenate([old, value]))


def _simplices(fan: Fan, face: frozenset[int], dimension: int) -> list[frozenset[int]]:
    """Cut a face of a fan into simplicial cones, without new rays."""
    if len(face) == dimension:
        return [face]
    apex = min(face)
    return [
        part | {apex}
        for facet in fan.facets(face)
        if apex not in facet
        for part in _simplices(fan, facet, dimension - 1)
    ]


def certify(operator: Operator, fan: Fan | None, upper: float, *, most: int) -> float:
    """Return the largest of a few goals below an upper end of A that is proved to bound A below.

    Parameters
    ----------
    operator : Operator
        With p = 2, without thresholds, rectified or not.
    fan : Fan or None
        The cones of its active sets; None without rectification.
    upper : float
        The best upper end of A, above 0.
    most : int
        The largest number of pairs of cones to test, besides those that are there to begin with.

    Returns
    -------
    float
        0 where none is proved.
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

    Where the sign is lost one may take y for −y, so that pairs of cones with ⟨x, y⟩ < 0 throughout
    are left out.

    Returns
    -------
    done : bool
        Whether it is proved.
    tested : int
        How many pairs of cones were tested besides those that are there to begin with.
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
    """Say for which pairs of cones no test holds, (P,) bool."""
    open_ = np.ones(len(i), dtype=bool)
    if cones.operator.even:
        inner = np.einsum("prn,psn->prs", cones.rays[i], cones.rays[k])
        open_ = inner.max(axis=(1, 2)) > -_OFF
    for test in (_far, _near):
        left = np.flatnonzero(open_)
        if len(left):
            open_[left] = ~test(cones, i[left], k[left], goal)
    return open_


def _far(cones: Cones, i: Array, k: Array, goal: float) -> Array:
    """Say for which pairs one of the tests 1 to 3 holds."""
    n = cones.operator.n
    inner = np.einsum("pn,pn->p", cones.middle[i], cones.middle[k])
    angle = np.arccos(np.clip(inner, -1, 1)) - cones.radius[i] - cones.radius[k] - _OFF
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
    rough = 8 * _OFF * size  # the forms change by that much with the rays
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

    With t the middle and ρ the radius they are λ(⟨x, t⟩² − cos²ρ ‖x‖²), of which sin²ρ λ is lost at
    the middle and cos²ρ λ gained across it: λ is chosen to balance this with the part of the
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


def _near(cones: Cones, i: Array, k: Array, goal: float) -> Array:
    """Say for which pairs test 4 holds."""
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
