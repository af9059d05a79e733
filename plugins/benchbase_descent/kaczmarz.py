"""Kaczmarz's method: a projection for one pool at a time."""

from itertools import product
from typing import ClassVar, Literal

import numpy as np

from benchbase import Array, Begin, Problem, Run
from benchbase_descent.descent import Descent, Method
from benchbase_descent.pools import LEAST, Formula, Pools, formula_of

FEW = 6  # the largest number of members of a pool for which inverses of all subsets are stored
CUTOFF = 1e-12  # relative eigenvalue of a pool's Gram matrix below which it counts as rounding


class Kaczmarz(Descent):
    """Project the signal on the measurement of one pool after the other.

    This is the method of Kaczmarz (1937) for equations whose right-hand side has lost its signs. A
    step takes the coefficients of pool k to have the direction that they have at x and the value
    b_k, and moves x to the nearest point at which they do ::

        x ← x + F_k⁺ (y_k − F_k x),   y_k = b_k · F_k x / ‖F_k x‖_p

    Sources, all for pools of one: Wei, "Solving systems of phaseless equations via Kaczmarz
    methods: a proof of concept study", Inverse Problems 31 (2015); Jeong and Güntürk, "Convergence
    of the randomized Kaczmarz method for phase retrieval" (2017); Tan and Vershynin, "Phase
    retrieval via randomized Kaczmarz: theoretical guarantees", Information and Inference 8 (2019).
    For larger pools it is the block method. If half rectification cuts coefficients off, x is
    projected for the other coefficients alone; in a pool with b_k = 0 the positive coefficients go
    to zero. With maxout, the largest coefficient and all above b_k go to b_k.

    Parameters
    ----------
    order : {"shuffled", "random", "cyclic"}, optional
        The order of the pools. "shuffled": all pools in each sweep, in a random order that differs
        from signal to signal. "random": K pools drawn anew, with probabilities proportional to the
        squared lengths of their vectors, as in Tan and Vershynin. "cyclic": in the order of the
        frame, the same for all signals.
    n_iter : int, optional
        The largest number of sweeps, each of K steps; the residual is checked every 5 sweeps.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start; its time is reported apart, as ``init_seconds``. The default is a Gaussian
        vector for each signal, scaled so that ‖P(F x)‖ = ‖b‖ if there is such a scale.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or `tol` is negative or not finite.
    """

    name = "kaczmarz"
    check: ClassVar[int] = 5
    order: Literal["shuffled", "random", "cyclic"] = "shuffled"
    n_iter: int = 1000

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It needs a pooling whose pools can be treated one at a time: an lp pooling or maxout.
        """
        reason = super().unsupported(problem)
        if reason is None and formula_of(problem) is None:
            return f"{self.name} needs an lp pooling or maxout, but this pooling is neither"
        return reason

    def width(self, problem: Problem) -> int:
        """Return how many numbers a step works on for each signal."""
        return problem.frame.pool_size * problem.frame.n

    def method(self, pools: Pools) -> Begin:
        """Prepare each pool's inverse Gram matrix."""
        inverses = Inverses(pools)
        return lambda b, x, run: Sweeps(pools, b, x, run, inverses, self.order)


class Inverses:
    """The vectors of the pools, and the inverse Gram matrices of any subset of a pool's vectors.

    Parameters
    ----------
    pools : Pools
        The problem.
    """

    def __init__(self, pools: Pools) -> None:
        self.vectors = pools.vectors()
        L = self.vectors.shape[1]
        self._gram = self.vectors @ self.vectors.transpose(0, 2, 1)
        self._table = None
        if pools.formula is not None and pools.formula.member == "size":
            self._table = _inverse(self._gram)[:, None]
        elif L <= FEW:
            masks = np.array(list(product((False, True), repeat=L)))[:, ::-1]
            self._table = _inverse(self._gram[:, None], masks[None])
        self._powers = 2 ** np.arange(L)

    def __call__(self, pool: Array, known: Array | None) -> Array:
        """Return the pseudo-inverses (S, L, L) for pools (S,) and masks of members (S, L)."""
        if self._table is None:
            return _inverse(self._gram[pool], known)
        which = 0 if known is None else known @ self._powers
        inverses: Array = self._table[pool, which]
        return inverses


class Sweeps(Method):
    """The state of Kaczmarz's method.

    Parameters
    ----------
    pools, b, x
        As for `Method`.
    run : Run
        The run of these signals.
    inverses : Inverses
        The pools' vectors and inverses.
    order : {"shuffled", "random", "cyclic"}
        The order in which pools are visited.
    """

    per_signal = (*Method.per_signal, "_streams")

    def __init__(
        self, pools: Pools, b: Array, x: Array, run: Run, inverses: Inverses, order: str
    ) -> None:
        super().__init__(pools, b, x)
        self._inverses, self._order, self._count = inverses, order, run.count
        weight = np.sum(inverses.vectors**2, axis=(1, 2))
        total = weight.sum()
        self._bounds = np.cumsum(weight / total) if total > 0 else np.ones(len(weight))
        self._streams = None if order == "cyclic" else run.generators

    def step(self) -> None:
        """Make a sweep of K steps."""
        formula = self.pools.formula
        assert formula is not None  # noqa: S101 # for mypy; `unsupported` has refused None
        x, rows = self.x.copy(), np.arange(len(self.x))
        scaled = not self.pools.homogeneous
        for pool in self._pools():
            f = self._inverses.vectors[pool]
            alpha = formula.alpha.T[pool] / self.unit[:, None] if scaled else 0.0
            c = np.einsum("sln,sn->sl", f, x)
            gap, known = change(formula, c, self.b[rows, pool], alpha)
            weight = np.einsum("slm,sm->sl", self._inverses(pool, known), gap)
            x += np.einsum("sl,sln->sn", weight, f)
        self._count(2 * len(x))  # each vector meets the signal twice
        self.x = x

    def _pools(self) -> Array:
        """Return the pools of the next sweep, (K, S)."""
        S, K = self.b.shape
        if self._streams is None:
            return np.repeat(np.arange(K)[:, None], S, axis=1)
        drawn = np.stack([stream.random(K) for stream in self._streams])
        if self._order == "shuffled":
            chosen = drawn.argsort(axis=1)
        else:
            chosen = np.minimum(np.searchsorted(self._bounds, drawn, side="right"), K - 1)
        return np.ascontiguousarray(chosen.T)


def change(
    formula: Formula, c: Array, b: Array, alpha: Array | float = 0.0
) -> tuple[Array, Array | None]:
    """Return the change that gives a pool's coefficients the measured value along their direction.

    This is what the pooling's `rescale` and `known` give, here for one pool per signal, with one
    exception: in a rectified pool with b = 0, negative coefficients do not count as known. If they
    were held fixed while the positive ones move, they could grow from one sweep to the next without
    end.

    Parameters
    ----------
    formula : Formula
        What the pooling computes.
    c : ndarray, shape (S, L)
        The coefficients.
    b : ndarray, shape (S,)
        The measured values.
    alpha : ndarray, shape (S, L), or float
        The thresholds.

    Returns
    -------
    change : ndarray, shape (S, L)
    known : ndarray of bool, shape (S, L), or None
        The coefficients about which b says something, or None if it says something about all.
    """
    if formula.member == "signed":
        first = np.arange(c.shape[1]) == c.argmax(axis=1)[:, None]
        gap = b[:, None] - c
        known = first | (gap < 0)
        return np.where(known, gap, 0), known
    c = c - alpha
    if formula.member == "positive":
        c = np.maximum(c, 0)
    size = np.linalg.norm(c, formula.p, axis=1)
    none = size <= LEAST
    if formula.member == "positive":
        factor = np.where(none, 0, b / np.where(none, 1, size) - 1)
        return c * factor[:, None], c > 0
    factor = np.where(none, b * len(c.T) ** (-1 / formula.p), b / np.where(none, 1, size) - 1)
    return np.where(none[:, None], 1, c) * factor[:, None], None


def _inverse(gram: Array, known: Array | None = None) -> Array:
    """Return the pseudo-inverses of (…, L, L) restricted to the members that masks (…, L) mark."""
    if known is not None:
        gram = gram * (known[..., :, None] & known[..., None, :])
    inverses: Array = np.linalg.pinv(gram, rcond=CUTOFF, hermitian=True)
    return inverses
