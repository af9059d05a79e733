"""The bracket of ℓ1, ℓ∞, both rectified, and maxout (Proposition 2.6 and Corollary 2.7).

Each of them takes a maximum of linear functions of a pool. ‖a‖₁ is the maximum of ⟨ε, a⟩ over
signs ε, the norm of rectified coefficients is the maximum over subsets, and so on. So the
representation is linear on each cone of a fan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchbase import Array
from benchbase_bounds.bracket import Bracket, conclude
from benchbase_bounds.geometry.fans import Fan
from benchbase_bounds.geometry.kinks import fan_of
from benchbase_bounds.geometry.rational import Ranks
from benchbase_bounds.lower_ends.cone_pairs import even_bounds, full_bounds
from benchbase_bounds.lower_ends.face_pairs import Search
from benchbase_bounds.representation import Operator
from benchbase_bounds.upper_constant import of_cones, upper_constant
from benchbase_bounds.upper_ends.direct import upper_end

_CHUNK = 4096  # pairs of cones in a batch
_FACES = 4000  # pairs of faces that are looked at, times the effort


def piecewise_linear(operator: Operator, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of a piecewise linear representation: p = 1, p = ∞ and maxout.

    The upper end is by direct minimisation. If there are few cones, the lower end is the least
    bound over pairs of them. It is larger than the bounds of Proposition 2.6 and Corollary 2.7,
    which add up singular values and angles of the same pairs; Corollary 2.7 is false as printed,
    since it counts vectors that are not active. If the sign of a signal is lost, the bound of a
    pair is the largest μ₁ + μ₂ with Q ⪰ diag(μ₁I, μ₂I), for the quadratic form Q of
    ‖R(x) − R(x')‖² in x + x' and x − x'. Otherwise the search over faces of the cones finds A. B is
    the largest norm of a Jacobian.

    For pools of two, p = 1 on (f₁, f₂) is p = ∞ on (f₁ + f₂, f₁ − f₂).

    Source: Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML 2014,
    section 2.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed : int, optional
        Seed of the search for the upper end.
    effort : float, optional
        Factor of the number of starts and of what may be enumerated.
    """
    upper, pair = upper_end(operator, seed=seed, effort=effort)
    method, reason, fan = "direct minimisation of the ratio from many starts", "", None
    if upper == 0:
        method += ", which found a collision"
    else:
        fan, reason = fan_of(operator, effort)
    if fan is None:
        low, high = upper_constant(operator)
        return conclude(0.0, upper, pair, method, reason, largest=high, attained=low)
    pieces = Pieces.of(operator, fan)
    if operator.even:
        lower = pieces.even_bound()
        method += "; below, the pair bound over all linear cones"
        reason = "the pair bound leaves a gap where the sign is lost"
    else:
        search = pieces.search(operator, fan, upper, pair)
        lower, done = search.run(pieces.table(), int(_FACES * effort))
        upper, pair = search.upper, search.pair
        method += "; below, branch and bound over pairs of faces of the linear cones"
        reason = "the search over faces was cut short"
        if done:  # of an ill-conditioned frame the allowance is large
            reason = "the ends differ by the allowance for rounding"
    return conclude(lower, upper, pair, method, reason, largest=of_cones(pieces.J))


@dataclass(frozen=True)
class Pieces:
    """The linear pieces of a representation, of which each may serve several cones.

    Attributes
    ----------
    J : ndarray, shape (C, K, N)
        The different Jacobians.
    slopes : ndarray of int, shape (C, K, L)
        What row k of each is in the frame's vectors: Σ_l slopes[k, l] · vectors[k, l].
    kind : ndarray of int
        The piece of each cone.
    ranks : Ranks
        Exact ranks of differences of Jacobians.
    """

    J: Array
    slopes: Array
    kind: Array
    ranks: Ranks

    @classmethod
    def of(cls, operator: Operator, fan: Fan) -> Pieces:
        """Return the pieces of a representation and its fan."""
        points = fan.interior()
        slopes = operator.with_slopes(points)[1].transpose(0, 2, 1).astype(int)
        J, first, kind = np.unique(
            operator.jacobian(points), axis=0, return_index=True, return_inverse=True
        )
        return cls(J, slopes[first], kind.reshape(-1), Ranks(operator.vectors, fan.walls))

    def even_bound(self) -> float:
        """Return the least pair bound over all pairs of pieces, if the sign is lost."""
        J, slopes = self.J, self.slopes
        return min(
            float(even_bounds(J[i], J[k], slopes[i], slopes[k], self.ranks).min())
            for i, k in self._pairs()
        )

    def table(self) -> Array:
        """Return the bounds over the spans of all pairs of cones."""
        J, slopes = self.J, self.slopes
        table = np.zeros((len(J), len(J)))
        for i, k in self._pairs():
            table[i, k] = full_bounds(J[i], J[k], slopes[i] - slopes[k], self.ranks)
        table = np.maximum(table, table.T)  # half of it is zeros
        spread: Array = table[np.ix_(self.kind, self.kind)]
        return spread

    def search(
        self, operator: Operator, fan: Fan, upper: float, pair: tuple[Array, Array]
    ) -> Search:
        """Return the search over faces of the cones, from the best pair so far."""
        return Search(
            fan=fan,
            J=self.J[self.kind],
            slopes=self.slopes[self.kind],
            ranks=self.ranks,
            ratio=lambda x, y: float(operator.ratio(x, y)),
            upper=upper,
            pair=pair,
        )

    def _pairs(self) -> list[tuple[Array, Array]]:
        """Return the numbers of all pairs of pieces, those of twice the same included."""
        i, k = np.triu_indices(len(self.J))
        return [(i[at : at + _CHUNK], k[at : at + _CHUNK]) for at in range(0, len(i), _CHUNK)]
