"""The bracket of rectified l2 pooling."""

from __future__ import annotations

import time

import numpy as np

from benchbase import Array, Frame, Pooling
from benchbase_bounds.bracket import Bracket
from benchbase_bounds.cone_pairs import Search, full_bounds
from benchbase_bounds.largest import ascend
from benchbase_bounds.operators import Operator
from benchbase_bounds.piecewise import cut, estimate, finish

_FACES = 1000  # pairs of faces that are looked at, times the effort


def rectified_l2(frame: Frame, pooling: Pooling, *, seed: int = 0, effort: float = 1.0) -> Bracket:
    """Return the bracket of the l2 norm of half rectified coefficients.

    Corollary 2.5 of Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML
    2014, is false as printed: for N = 1 and one pool (1, −2) it gives 1, but 1 and −½ have the same
    representation. Of a pair of cones of active sets, count

    - pools with the same single active vector f: ⟨f, x − y⟩²;
    - pools active at x alone, ‖F_s x‖², or at y alone, ‖F_s' y‖²;
    - nothing of pools that are active at both with different sets, disjoint or not.

    The least of their sum over ‖x − y‖² bounds A² from below, for any number of vectors a pool.
    Pools with the same active set of several vectors add min(‖x − y‖², ‖x + y‖²) times the
    constant of Proposition 2.4 to it; that says nothing where ‖x + y‖ may be small, and is left
    out. The upper end is that of `empirical`. B is at most the largest λ₊ of active sets.

    Parameters
    ----------
    frame : Frame
        Real frame.
    pooling : Pooling
        The operator.
    seed : int, optional
        Of the starts of the search for the upper end.
    effort : float, optional
        Scales restarts and what may be enumerated.

    Raises
    ------
    benchbase.BenchbaseError
        If the frame is complex or the pooling another.
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
    active = operator.coefficients(cones.interior()).transpose(0, 2, 1) > 0  # (C, K, L)
    flat = operator.vectors.reshape(-1, operator.n)
    tops = np.linalg.norm(flat * active.reshape(len(active), -1, 1), 2, axis=(1, 2))
    top = float(tops.max()) * (1 + 1e-13)
    steep = (min(ascend(operator, seed=seed), top), top)

    def forms(a: int | Array, b: int | Array) -> tuple[Array, Array]:
        kept, kept2 = counted(active[a], active[b])
        shape = (*kept.shape[:-2], -1, 1)
        return flat * kept.reshape(shape), flat * kept2.reshape(shape)

    i, k = np.triu_indices(len(active))
    parts = [slice(at, at + 4096) for at in range(0, len(i), 4096)]
    found = [full_bounds(*forms(i[part], k[part])) for part in parts]
    below = np.concatenate(found)
    few = np.flatnonzero(below < upper)
    search = Search(
        fan=cones,
        jacobians=forms,
        ratio=lambda x, y: float(operator.ratio(x, y)),
        linear=False,
        upper=upper,
        pair=pair,
    )
    bounds = [(float(below[at]), int(i[at]), int(k[at])) for at in few]
    lower, _ = search.run(bounds, int(_FACES * effort))
    method += "; below, Corollary 2.5 as corrected, over pairs of faces"
    reason = "pools that are active at both signals in several vectors are not counted"
    return finish(operator, begin, lower, search.upper, search.pair, method, reason, steep)


def counted(active: Array, active2: Array) -> tuple[Array, Array]:
    """Tell which vectors count in the corrected Corollary 2.5, at x and at y.

    Parameters
    ----------
    active, active2 : ndarray of bool, shape (..., K, L)
        What is active at x and at y.

    Returns
    -------
    two ndarrays of bool, shape (..., K, L)
        Vectors whose coefficients at x, and at y, are part of the difference.
    """
    single = (active == active2).all(axis=-1) & (active.sum(axis=-1) == 1)
    first = active & (single | ~active2.any(axis=-1))[..., None]
    second = active2 & (single | ~active.any(axis=-1))[..., None]
    return first, second
