"""Block K-SVD: learning of blocks of orthonormal vectors that represent points sparsely.

Sizes: P points, N dimension, K blocks, L vectors in a block, s blocks in use for a point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np

from benchbase import Array
from benchbase_ksvd.omp import pursue

PARALLEL = 1e-8
"""A unit vector counts as in the span of others if its part outside has at most this norm."""


@dataclass(frozen=True)
class Learned:
    """The result of block K-SVD.

    Parameters
    ----------
    blocks : ndarray, shape (K, L, N)
        The learned vectors, orthonormal within each block.
    objective : ndarray, shape (n_iter,)
        The mean squared distance of the points from their representation after each iteration.
    replaced : int
        How often a block was replaced because no point used it.
    """

    blocks: Array
    objective: Array
    replaced: int


def block_ksvd(
    points: Array,
    blocks: Array,
    nonzero: int,
    n_iter: int,
    tick: Callable[[], None] = lambda: None,
) -> Learned:
    """Learn blocks of orthonormal vectors in which points have sparse representations.

    This is K-SVD (Aharon, Elad and Bruckstein, "K-SVD: an algorithm for designing overcomplete
    dictionaries for sparse representation", IEEE Trans. Signal Processing 54(11), 2006) with
    blocks (Zelnik-Manor, Rosenblum and Eldar, "Dictionary optimization for block-sparse
    representations", same journal 60(5), 2012). In each iteration, `pursue` represents all points,
    blocks that no point uses are replaced, and the other blocks are updated one after the other,
    each with the points that use it. The pursuit is greedy and may find a worse representation
    than the last one; the point then keeps the last one, so that the objective never rises.

    Parameters
    ----------
    points : ndarray, shape (P, N)
        The points to represent, float64.
    blocks : ndarray, shape (K, L, N)
        The blocks to start from, orthonormal within each block, float64.
    nonzero : int
        The number s of blocks that may represent a point, at most K.
    n_iter : int
        The number of iterations.
    tick : callable, optional
        A function that is called after each iteration.

    Returns
    -------
    Learned
        The learned blocks, with the objective and the number of replaced blocks.
    """
    blocks = blocks.copy()
    objective = np.empty(n_iter)
    replaced = 0
    support = np.full((len(points), nonzero), -1, dtype=np.intp)
    coefficients = np.zeros((len(points), nonzero, blocks.shape[1]))
    residual = points.copy()
    for i in range(n_iter):
        new_support, new_coefficients = pursue(points, blocks, nonzero)
        new_residual = points - represent(blocks, new_support, new_coefficients)
        better = _energy(new_residual) < _energy(residual)
        support[better] = new_support[better]
        coefficients[better] = new_coefficients[better]
        residual[better] = new_residual[better]
        replaced += replace_unused(points, blocks, support, residual)
        residual = update_blocks(points, blocks, support, coefficients)
        objective[i] = _energy(residual).mean()
        tick()
    return Learned(blocks, objective, replaced)


def represent(blocks: Array, support: Array, coefficients: Array) -> Array:
    """Return the points (P, N) with coefficients (P, s, L) in the blocks `support` (P, s)."""
    points = np.zeros((len(support), blocks.shape[2]))
    for step in range(support.shape[1]):
        for member in range(blocks.shape[1]):
            # A support of -1 selects the last block, which is harmless: its coefficients are zero.
            points += coefficients[:, step, member, None] * blocks[support[:, step], member]
    return points


def update_blocks(points: Array, blocks: Array, support: Array, coefficients: Array) -> Array:
    """Update all blocks and their coefficients in place, and return the new residuals (P, N).

    The supports stay as they are. The users of a block are the points that it represents. Block k
    and its coefficients become the best rank-L approximation of its users minus what the other
    blocks represent of them; the block then holds the leading L singular vectors. Blocks are
    updated one after the other, each from the residual that the earlier updates leave, so that no
    update raises the objective.
    """
    residual = points - represent(blocks, support, coefficients)
    users, steps = np.nonzero(support >= 0)
    owners = support[users, steps]
    order = np.argsort(owners, kind="stable")
    ends = np.cumsum(np.bincount(owners, minlength=len(blocks)))
    for k, block_users in enumerate(np.split(order, ends[:-1])):
        if len(block_users):
            rows, places = users[block_users], steps[block_users]
            target = residual[rows] + coefficients[rows, places] @ blocks[k]
            blocks[k] = leading(target, blocks[k])
            coefficients[rows, places] = target @ blocks[k].T
            residual[rows] = target - coefficients[rows, places] @ blocks[k]
    return residual


def leading(target: Array, block: Array) -> Array:
    """Return the leading L right singular vectors of targets (U, N), as rows.

    If the rank of the targets is less than L, vectors of the former block (L, N), made orthonormal
    to the others, complete the result.
    """
    L = len(block)
    U, N = target.shape
    # The Gram matrix squares the condition, but only the largest singular values matter here.
    if U >= N:
        return orthonormal([*_leading_eigenvectors(target.T @ target, L), *block], L)
    return orthonormal([*_leading_eigenvectors(target @ target.T, min(L, U)) @ target, *block], L)


def _leading_eigenvectors(gram: Array, size: int) -> Array:
    """Return the eigenvectors of the `size` largest eigenvalues, as rows, the largest first.

    Eigenvectors are left out if their eigenvalue is zero up to rounding, because their direction is
    then arbitrary.
    """
    from scipy.linalg import eigh

    # Only the wanted eigenvectors are computed, several times faster than by numpy.linalg.eigh.
    chosen = (len(gram) - size, len(gram) - 1)
    values, vectors = eigh(gram, subset_by_index=chosen, check_finite=False)
    kept: Array = vectors[:, values > len(gram) * np.finfo(np.float64).eps * values[-1]]
    return np.ascontiguousarray(kept[:, ::-1].T)


def replace_unused(points: Array, blocks: Array, support: Array, residual: Array) -> int:
    """Replace the blocks that no point uses in place, and return how many there were.

    Each becomes the next L of the worst represented points, made orthonormal.
    """
    L = blocks.shape[1]
    used = np.zeros(len(blocks), dtype=bool)
    used[support[support >= 0]] = True
    unused = np.flatnonzero(~used)
    worst = np.argsort(-_energy(residual), kind="stable")
    for i, k in enumerate(unused):
        blocks[k] = orthonormal([*points[worst[i * L : (i + 1) * L]], *blocks[k]], L)
    return len(unused)


def orthonormal(candidates: Iterable[Array], size: int) -> Array:
    """Return the first `size` independent vectors among the candidates, made orthonormal in order.

    If there are not enough of them, standard unit vectors follow.
    """
    candidates = list(candidates)
    N = len(candidates[0])
    basis = np.empty((size, N))
    count = 0
    for vector in chain(candidates, (np.eye(1, N, i)[0] for i in range(N))):
        length = np.linalg.norm(vector)
        direction = vector / (length if length > 0 else 1)
        for _ in range(2):  # the second time removes what rounding left
            direction = direction - (basis[:count] @ direction) @ basis[:count]
            length = np.linalg.norm(direction)
            if length <= PARALLEL:
                break
            direction = direction / length
        else:
            basis[count] = direction
            count += 1
        if count == size:
            break
    return basis


def _energy(rows: Array) -> Array:
    """Return the squared Euclidean norm of each row."""
    energy: Array = np.einsum("pn,pn->p", rows, rows)
    return energy
