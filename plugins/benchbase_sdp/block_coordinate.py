"""Block coordinate descent for PhaseCut, batched over signals."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_sdp.cut import Basis
from benchbase_sdp.factors import Judge
from benchbase_sdp.momentum import Momentum

CHECK = 5  # sweeps between two checks of whether signals are done
NEWTON = 30  # the most steps of Newton's method; it converges quadratically, and 3 to 6 are common
PRODUCTS = 4  # of all rows with the factors in a sweep
SMALL = 1e-150  # counts as zero, but its square does not vanish


def block_coordinate(
    rows: Basis,
    start: Array,
    b: Array,
    max_iters: int,
    judge: Judge,
) -> tuple[Array, Array]:
    """Minimise PhaseCut's tr(M U) over the rows and columns of one pool after the other.

    The method works on factors, U = W Wᴴ. Only the L rows W_k of pool k change in a step, with
    ‖W_k‖_F = 1. The value is ‖b‖² − ‖G‖² with G = Σ_k b_k Q_kᴴ W_k, and the best W_k comes from a
    secular equation. Between two sweeps W goes ahead along the last step, unless the value has
    risen.

    Parameters
    ----------
    rows : Basis
        The frame.
    start : ndarray, shape (S, r, R)
        Factors whose coefficients give the first W.
    b : ndarray, shape (S, K)
        Measurements.
    max_iters : int
        The largest number of sweeps over all pools.
    judge : callable
        Tells every 5 sweeps, given G, which signals are done and leave the batch.

    Returns
    -------
    factors : ndarray, shape (S, r, R)
        G. The value of X = G Gᴴ in (P) is no more than that of U.
    n_iter : ndarray of int, shape (S,)
        The number of sweeps of each signal.
    """
    # Orthogonal rows in each pool make the blocks M_kk diagonal, and the same for all signals.
    _, values, right = np.linalg.svd(rows.rows, full_matrices=False)
    pools, gains = values[..., None] * right, values**2
    unit = _normalised(np.einsum("klm,srm->kslr", pools, start))  # (K, S, L, r)
    factors, n_iter = start.copy(), np.full(len(b), max_iters)
    before, ahead = unit, Momentum(len(b))
    batch: Array = np.arange(len(b))
    largest: Array = np.zeros(len(b))
    for sweep in range(max_iters + 1):
        g = _total(pools, unit, b)
        if sweep % CHECK == 0 or sweep == max_iters:
            factors[batch] = g
            moves = np.linalg.norm(unit - before, axis=(2, 3)).max(axis=0)
            done = judge(g, batch, moves if sweep else np.full(len(b), np.inf))
            n_iter[batch[done]] = sweep
            if done.all() or sweep == max_iters:
                break
            batch, g, b, largest = (kept[~done] for kept in (batch, g, b, largest))
            unit, before = unit[:, ~done], before[:, ~done]
            ahead.keep(~done)
        length = np.linalg.norm(g, axis=(1, 2))
        shares = ahead.shares(length < largest)[:, None, None]
        largest = length
        before, unit = unit, _normalised(unit + shares * (unit - before))
        rows.spend(PRODUCTS * 2 * unit.size * rows.rank)
        _sweep(pools, gains, unit, b)
    return factors, n_iter


def _sweep(pools: Array, gains: Array, unit: Array, b: Array) -> None:
    """Replace each W_k by the best one, one after the other, in place."""
    g = _total(pools, unit, b)
    for k, (pool, gain) in enumerate(zip(pools, gains, strict=True)):
        weight = b[:, k, None, None]
        rest = (g @ pool.T).swapaxes(1, 2) - weight * gain[:, None] * unit[k]
        new = best_block(rest, b[:, k, None] * (gain[0] - gain))
        g += (weight * (new - unit[k])).swapaxes(1, 2) @ pool.conj()
        unit[k] = new


def best_block(rest: Array, gaps: Array) -> Array:
    """Return the W_k of norm 1 with the largest 2 Re⟨W_k, H⟩ − Σ_i gaps_i ‖W_k,i‖².

    The rows of W_k are H_i / (gaps_i + ν) with the ν > 0 that makes the norm 1. As 1 / ‖W_k(ν)‖ is
    concave, Newton's method comes to ν from below.

    Parameters
    ----------
    rest : ndarray, shape (S, L, r)
        H.
    gaps : ndarray, shape (S, L)
        The gaps; none is negative, and the first is 0.
    """
    square = np.sum(np.abs(rest) ** 2, axis=2)
    nu = np.maximum(np.max(np.sqrt(square) - gaps, axis=1, keepdims=True), SMALL)
    for _ in range(NEWTON):
        shares = square / (gaps + nu) ** 2
        total = np.sum(shares, axis=1, keepdims=True)
        slope = np.sum(shares / (gaps + nu), axis=1, keepdims=True)
        step = total / np.maximum(slope, SMALL) * (np.sqrt(total) - 1)
        if not (step > 1e-14 * nu).any():
            break
        nu += np.maximum(step, 0)
    return _normalised(rest / (gaps + nu)[..., None])


def _total(pools: Array, unit: Array, b: Array) -> Array:
    """Return G = Σ_k b_k Q_kᴴ W_k, (S, r, R)."""
    size, n = len(b), pools.shape[2]
    weighted = (b.T[:, :, None, None] * unit).transpose(1, 3, 0, 2).reshape(size, unit.shape[3], -1)
    total: Array = weighted @ pools.conj().reshape(-1, n)
    return total


def _normalised(blocks: Array) -> Array:
    """Return blocks whose last two axes are scaled to norm 1."""
    unit: Array = blocks / np.maximum(np.linalg.norm(blocks, axis=(-2, -1), keepdims=True), SMALL)
    return unit
