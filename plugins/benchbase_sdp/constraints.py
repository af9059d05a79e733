"""Linear constraints on a lifted matrix, in particular those that measurements of pools give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from benchbase import Array


@dataclass(frozen=True)
class Constraints:
    """Linear constraints A_i(X) = y_i, ≤ y_i or ≥ y_i on a Hermitian matrix X (N, N).

    Each constraint is a weighted sum of squared coefficients, A_i(X) = Σ_j w_j r_j X r_jᴴ, over its
    own rows r_j. It is therefore of low rank, and each operation with the constraints costs two or
    three thin matrix products.

    Parameters
    ----------
    rows : ndarray, shape (M, N)
        The rows r_j of all constraints in turn, real or complex.
    weights : ndarray, shape (M,)
        The weights w_j of these rows.
    starts : ndarray of int, shape (m,)
        The index of the first row of each constraint.
    sense : ndarray of int, shape (m,)
        The relation of each constraint: 0 for =, 1 for ≤, −1 for ≥.
    """

    rows: Array
    weights: Array
    starts: Array
    sense: Array

    @property
    def n(self) -> int:
        """The size N of the matrix."""
        return int(self.rows.shape[1])

    def __len__(self) -> int:
        return len(self.starts)

    def apply(self, matrix: Array) -> Array:
        """Return A(X), (..., m), for Hermitian X (..., N, N)."""
        squares = np.einsum("...jn,jn->...j", self.rows @ matrix, self.rows.conj()).real
        total: Array = np.add.reduceat(squares * self.weights, self.starts, axis=-1)
        return total

    def adjoint(self, multipliers: Array) -> Array:
        """Return A*(λ) = Σ_i λ_i Σ_j w_j r_jᴴ r_j, (..., N, N), for λ (..., m)."""
        spread = np.repeat(multipliers, self._sizes, axis=-1) * self.weights
        matrix: Array = (self.rows.conj().T * spread[..., None, :]) @ self.rows
        return matrix

    def schur(self, left: Array, right: Array) -> Array:
        """Return the m × m matrix of Re tr(A_i X A_l Y) for Hermitian X and Y (N, N)."""
        grams = [self.rows @ matrix @ self.rows.conj().T for matrix in (left, right)]
        terms = (grams[0] * grams[1].conj()).real * np.outer(self.weights, self.weights)
        sums = np.add.reduceat(terms, self.starts, axis=0)
        total: Array = np.add.reduceat(sums, self.starts, axis=1)
        return total

    @property
    def matrices(self) -> Array:
        """The matrices A_i with A_i(X) = Re tr(A_i X), (m, N, N)."""
        return self.adjoint(np.eye(len(self)))

    @cached_property
    def _sizes(self) -> Array:
        return np.diff(np.append(self.starts, len(self.rows)))


@dataclass(frozen=True)
class Lift:
    """The constraints that measurements b put on X = x xᵀ; signals differ only in y.

    Parameters
    ----------
    constraints : Constraints
        Constraints on X.
    pools : ndarray of int, shape (m,)
        The pool k to which each constraint belongs.
    factors : ndarray, shape (m,)
        The factors in y_i = factor_i · b_k².
    """

    constraints: Constraints
    pools: Array
    factors: Array

    def values(self, b: Array) -> Array:
        """Return y, (..., m), for measurements b (..., K)."""
        y: Array = self.factors * b[..., self.pools] ** 2
        return y


def lift(vectors: Array, p: float) -> Lift:
    """Return the linear constraints that b_k = ‖F_k x‖_p puts on X = x xᴴ.

    - p = 2 or pools of one: tr(F_k X F_kᴴ) = b_k².
    - p = ∞: f X fᵀ ≤ b_k² for each vector f of the pool, and their sum is at least b_k².
    - p = 1: (εᵀF_k) X (εᵀF_k)ᵀ ≤ b_k² for all signs ε, and tr(F_k X F_kᵀ) ≥ b_k² / L.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame's vectors, which may be complex only if p = 2.
    p : {1, 2, inf}
        The exponent.
    """
    n_pools, size, _ = vectors.shape
    if p == 2 or size == 1:
        return Lift(_group(vectors, np.zeros(n_pools, int)), np.arange(n_pools), np.ones(n_pools))
    if p == np.inf:
        single, least = vectors, 1.0
    else:
        signs = np.array([(1, *rest) for rest in product((1, -1), repeat=size - 1)])
        single, least = signs @ vectors, 1 / size
    count = n_pools * single.shape[1]
    upper = _group(single.reshape(count, 1, -1), np.ones(count, dtype=int))
    lower = _group(vectors, np.full(n_pools, -1))
    return Lift(
        _joined(upper, lower),
        pools=np.concatenate([np.repeat(np.arange(n_pools), single.shape[1]), np.arange(n_pools)]),
        factors=np.concatenate([np.ones(count), np.full(n_pools, least)]),
    )


class Bordered(NamedTuple):
    """Constraints on [[1, xᵀ], [x, X]] and their right-hand sides.

    Parameters
    ----------
    constraints : Constraints
        Constraints on the matrix of size N + 1.
    y : ndarray, shape (m,)
        The right-hand sides of the constraints.
    """

    constraints: Constraints
    y: Array


def rectified(vectors: Array, b: Array) -> Bordered:
    """Return the linear constraints that b_k = max_j max(0, f_kj · x) puts on Z = [1; x] [1; x]ᵀ.

    Let g_j = [−b_k; f_kj], so that g_j · [1; x] = f_kj · x − b_k, and e = [1; 0]. Then:

    - no coefficient is above b_k: e Z g_j ≤ 0;
    - in pools of two with b_k > 0 one coefficient is b_k: g_1 Z g_2 = 0; and the squares of the two
      sum to at least b_k²;
    - in pools of two with b_k = 0 no coefficient is positive: g_1 Z g_2 ≥ 0;
    - in pools of one with b_k > 0 the coefficient is b_k: e Z g = 0.

    Parameters
    ----------
    vectors : ndarray, shape (K, L, N)
        The frame's vectors, real, with L = 1 or 2.
    b : ndarray, shape (K,)
        The measurements.
    """
    n_pools, size, n = vectors.shape
    active = b > 0
    corner = np.eye(1, n + 1)
    g = np.concatenate([np.broadcast_to(-b[:, None, None], (n_pools, size, 1)), vectors], axis=2)
    sense = np.where(active & (size == 1), 0, 1)
    parts = [
        _group(corner[None], np.zeros(1, dtype=int)),
        _product(corner, g.reshape(-1, n + 1), np.repeat(sense, size)),
    ]
    y = [np.ones(1), np.zeros(n_pools * size)]
    if size == 2:
        f = np.pad(vectors[active], ((0, 0), (0, 0), (1, 0)))
        parts += [
            _product(g[:, 0], g[:, 1], np.where(active, 0, -1)),
            _group(f, np.full(len(f), -1)),
        ]
        y += [np.zeros(n_pools), b[active] ** 2]
    return Bordered(_joined(*parts), np.concatenate(y))


def _group(vectors: Array, sense: Array, weights: Array | None = None) -> Constraints:
    """Return constraints on weighted sums of squared coefficients, one per group of vectors.

    The groups have the shape (m, r, N).
    """
    groups, size, n = vectors.shape
    return Constraints(
        rows=vectors.reshape(-1, n),
        weights=np.tile(np.ones(size) if weights is None else weights, groups),
        starts=size * np.arange(groups),
        sense=sense,
    )


def _product(left: Array, right: Array, sense: Array) -> Constraints:
    """Return constraints on l X rᵀ for vectors l and r, (m, N).

    This product is a quarter of the difference of two squares.
    """
    pairs = np.stack([left + right, left - right], axis=1)
    return _group(pairs, sense, np.array([0.25, -0.25]))


def _joined(*parts: Constraints) -> Constraints:
    """Return the union of several sets of constraints, which share no rows."""
    before = np.cumsum([0, *(len(part.rows) for part in parts[:-1])])
    return Constraints(
        rows=np.concatenate([part.rows for part in parts]),
        weights=np.concatenate([part.weights for part in parts]),
        starts=np.concatenate(
            [first + part.starts for first, part in zip(before, parts, strict=True)]
        ),
        sense=np.concatenate([part.sense for part in parts]),
    )
