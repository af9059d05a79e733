"""Simplicial cones that are halved, with what the tests of the subdivision need to know of each."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.geometry.fans import Fan
from benchbase_bounds.representation import Operator

OFF = 1e-7
"""How far a computed ray may be from the true one, with room to spare."""

_NOTHING = 1e-9  # smaller coefficients at a ray are zero: a fan has none between 1e-12 and 1e-7
_WIDE = 0.1  # if the directions of a pool spread to a smaller cosine, it has none to speak of


class Cones:
    """Simplicial cones and their halves, which are added as cones are split.

    Parameters
    ----------
    operator : Operator
        With p = 2, without thresholds.
    rays : ndarray, shape (C, N, N)
        Unit rays of each, one a row.
    active : ndarray of bool, shape (C, K, L)
        Which vectors are active inside. Without rectification all are.
    images : ndarray, shape (C, N, K, L)
        The active coefficients at the rays, with exact zeros.
    """

    middle: Array  # (C, N), unit
    radius: Array  # (C,), the largest angle from the middle
    u: Array  # (C, K, L), the direction of coefficients at the middle
    chord: Array  # (C, K), how far from it others may be
    G: Array  # (C, K, N), the linear stand-in of R
    loss: Array  # (C, K), by how much the stand-in may be off, relative to R_k(x)
    off: Array  # (C, K), by how much it may be off, relative to ‖x‖
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
        """Cut each cone of a fan into simplicial cones. Without a fan, the orthants are taken.

        Parameters
        ----------
        operator : Operator
            As in `Cones`.
        fan : Fan or None
            The cones of its active sets, or None without rectification.
        """
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
        """Halve cones at their longest edges, unless they have been halved before.

        Parameters
        ----------
        which : ndarray of int
            The cones. ``children`` holds the numbers of the halves.
        """
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
        """Work out what the tests need to know of new cones."""
        rays, active, images = self.rays[part], self.active[part], self.images[part]
        vectors = self.operator.vectors
        total = rays.sum(axis=1)
        middle = total / np.linalg.norm(total, axis=1)[:, None]
        cosines = np.einsum("crn,cn->cr", rays, middle).min(axis=1)
        radius = np.arccos(np.clip(cosines, -1.0, 1.0)) + OFF
        u = images.sum(axis=1)  # along the middle
        size = np.linalg.norm(u, axis=-1)
        u = u / np.where(size > 0, size, 1.0)[..., None]
        sizes = np.linalg.norm(images, axis=-1)  # (C, N, K)
        there = sizes > 0
        units = images / np.where(there, sizes, 1.0)[..., None]
        chord = np.linalg.norm(units - u[:, None], axis=-1)
        pool = self.pools
        chord += OFF * pool / np.where(there, sizes, 1.0)
        chord = np.where(there, chord, 0.0).max(axis=1)
        cosine = 1.0 - chord**2 / 2
        wide = (cosine < _WIDE) | (size == 0)
        factor = np.where(wide, 0.0, 2.0 / (1.0 + np.where(wide, 1.0, cosine)))
        loss = np.where(wide, 1.0, (1.0 - cosine) / (1.0 + cosine))
        G = np.einsum("ckl,kln->ckn", u * factor[..., None], vectors)
        loss[~active.any(axis=2)] = 0.0
        # ‖a(x)‖ is convex, and the coordinates of x in the rays add up to 1/cos(radius) at most.
        largest = sizes.max(axis=1) / np.maximum(np.cos(radius), 1e-300)[:, None] + OFF * pool
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
