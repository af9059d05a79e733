"""Gradient methods of phase retrieval: Wirtinger flow, amplitude flow and their variants."""

import math
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from benchbase import Array, Begin, Problem, energies
from benchbase_descent.descent import Descent, Method
from benchbase_descent.pools import LEAST, Pools

Variant: TypeAlias = Literal["wf", "twf", "rwf", "reweighted_wf", "af", "taf", "raf"]
STEPS: dict[Variant, float] = {  # step sizes from the papers, except that of reweighted_wf
    "wf": 0.2,
    "twf": 0.2,
    "rwf": 0.8,
    "reweighted_wf": 0.6,
    "af": 0.6,
    "taf": 0.6,
    "raf": 2.0,
}
SIGNED = ("rwf", "af")  # the variants for which measurements may be below zero
WARM_UP = 330  # iterations over which the step of wf grows
LOWER, UPPER, SPREAD = 0.3, 5.0, 5.0  # α_lb, α_ub and α_h of twf
GAMMA = 0.7  # γ of taf
BETA = 10.0  # β of raf
# η of reweighted_wf, relative to the mean of b². At n = 40, with pools of two and the spectral
# start, .61 / .90 / .935 / .93 of 4 frames × 50 signals are recovered with η = .003 / .01 / .03 /
# .1 at p = 2, K = 60, and .90 / .955 / .95 / .92 at p = inf, K = 80.
ETA = 0.03


class Wirtinger(Descent):
    """Gradient descent on a loss of the measurements: Wirtinger flow and its descendants.

    Let v_k be the value of pool k at x, and d_k the direction in which it grows. An iteration is
    x ← x − s Σ_k h_k F_kᵀ d_k. Variants differ in h_k and in the step s, which follows from the
    number μ of the table. For pools of one the variants are those of the papers, in their real
    form; a larger pool enters by its value in the place of a coefficient's size.

    =============  ==========================================================  =====
    variant        h_k                                                         μ
    =============  ==========================================================  =====
    wf             (v² − b²) v / mean(b²)                                      0.2
    twf            2 (v² − b²) / v, where .3 ≤ v/m ≤ 5 and                     0.2
                   ǀv² − b²ǀ ≤ 5 · mean ǀv² − b²ǀ · v/m, with m² = mean(v²)
    rwf            v − b                                                       0.8
    reweighted_wf  ω (v² − b²) v, ω ∝ 1 / (ǀv² − b²ǀ + 0.03 mean(b²)),         0.6
                   mean(ω) mean(b²) = 1
    af             v − b                                                       0.6
    taf            v − b, where v ≥ b / 1.7                                    0.6
    raf            (v − b) · v / (v + 10 b)                                    2
    =============  ==========================================================  =====

    The variants come from these papers: Wirtinger flow, "wf" (Candès, Li and Soltanolkotabi, IEEE
    Transactions on Information Theory 61, 2015), truncated, "twf" (Chen and Candès, Communications
    on Pure and Applied Mathematics 70, 2017), reshaped, "rwf" (Zhang and Liang, NeurIPS 2016) and
    reweighted, "reweighted_wf" (Yuan and Wang, Applied Optics 56, 2017; PhasePack calls this one
    RWF); amplitude flow, "af", truncated, "taf" (Wang, Giannakis and Eldar, IEEE Transactions on
    Information Theory 64, 2018) and reweighted, "raf" (Wang, Giannakis, Saad and Chen, IEEE
    Transactions on Signal Processing 66, 2018). "rwf" and "af" differ only in μ.

    The step s is μ in units in which Jᵀ J = Σ_k F_kᵀ d_k d_kᵀ F_k has the mean eigenvalue 1, as it
    has for the papers' Gaussian vectors divided by their number. With "wf" the step is
    1 − exp(−t/330) in these units as long as that is less than μ. The papers have many
    measurements. With few measurements the largest eigenvalue is well above 1, for instance
    (1 + √(N/K))² = 3.3 at K = 1.5 N, and "rwf" and "twf" converge for no signal. The step is
    therefore cut to the one that minimises a quadratic model of the loss along the gradient. At
    n = 40, K = 60, p = 2, with pools of two and the spectral start, .90 / .80 / .84 / .90 / .84 /
    .84 / .89 of 4 frames × 50 signals are recovered, in the order of the table (standard errors up
    to .03); without the cut .11 / 0 / 0 / .44 / .56 / .60 / .89 are.

    Parameters
    ----------
    variant : {"wf", "twf", "rwf", "reweighted_wf", "af", "taf", "raf"}, optional
        The variant, as in the table above.
    n_iter : int, optional
        The largest number of iterations.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start; its time is reported apart, as ``init_seconds``. The methods are made for
        ``{ name = "spectral" }``, or for ``{ name = "linear" }`` if measurements keep the sign of
        the signal. The default is a Gaussian vector for each signal, scaled so that ‖P(F x)‖ = ‖b‖
        if there is such a scale.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or `tol` is negative or not finite.
    """

    name = "wirtinger"
    vectors: ClassVar[bool] = False
    variant: Variant = "raf"
    n_iter: int = 3000

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not apply to complex frames, nor, except for "rwf" and "af", to poolings whose
        measurements may be negative.
        """
        if not problem.pooling.nonnegative and self.variant not in SIGNED:
            return (
                f'variant = "{self.variant}" needs measurements that are never negative; '
                'use variant = "rwf" or "af" for this pooling'
            )
        return super().unsupported(problem)

    def method(self, pools: Pools) -> Begin:
        """Prepare nothing; return a function that begins with a block of signals."""
        return lambda b, x, _: Flow(pools, b, x, self.variant)


class Flow(Method):
    """The state of a gradient flow for one block of signals.

    Parameters
    ----------
    pools, b, x
        As for `Method`.
    variant : str
        A name in `STEPS`.
    """

    def __init__(self, pools: Pools, b: Array, x: Array, variant: Variant) -> None:
        super().__init__(pools, b, x)
        self._variant = variant

    def advance(self, steps: int) -> Array:
        """Take the steps to the next look; return which signals have moved, bool (S,)."""
        self._c = self.pools.analyse(self.x)  # computed again so that rounding does not add up
        return super().advance(steps)

    def step(self) -> None:
        """Take a step against the gradient."""
        pools, c = self.pools, self._c
        value, d = pools.directions(c, self.unit)
        force, stiffness = forces(self._variant, value, self.b)
        gradient = pools.adjoint(d * force[:, None, :])
        image = pools.analyse(gradient)
        along = np.einsum("slk,slk->sk", d, image)
        bend = np.einsum("sk,sk,sk->s", along, along, stiffness)
        mean = energies(d) / pools.n  # the mean eigenvalue, as vectors have length 1
        step = np.minimum(
            self._rate() / np.maximum(mean, LEAST),
            energies(gradient) / np.maximum(bend, LEAST**2),
        )
        self.x = self.x - step[:, None] * gradient
        self._c = c - step[:, None, None] * image

    def _rate(self) -> float:
        rate = STEPS[self._variant]
        return min(1 - math.exp(-(self.i + 1) / WARM_UP), rate) if self._variant == "wf" else rate


def forces(variant: Variant, value: Array, b: Array) -> tuple[Array, Array]:
    """Return the force that pulls each pool to its measurement, and how it grows with the value.

    Parameters
    ----------
    variant : str
        A name in `STEPS`.
    value, b : ndarray, shape (S, K)
        Values of pools, and measurements, scaled so that the mean of b² is 1.

    Returns
    -------
    force : ndarray, shape (S, K)
        The derivative of a pool's loss with respect to its value.
    stiffness : ndarray, shape (S, K)
        The second derivative with weights held fixed, or its Gauss-Newton part if that is larger.
    """
    if variant in SIGNED:
        return value - b, np.ones_like(b)
    if variant == "taf":
        kept = ((1 + GAMMA) * value >= b).astype(b.dtype)
        return (value - b) * kept, kept
    if variant == "raf":
        weight = np.divide(value, value + BETA * b, out=np.zeros_like(b), where=value > 0)
        return (value - b) * weight, weight
    square = value**2
    gap = square - b**2
    if variant == "twf":
        mean = np.sqrt(np.mean(square, axis=1, keepdims=True))
        size = np.abs(gap)
        kept = (value > 0) & (value >= LOWER * mean) & (value <= UPPER * mean)
        kept &= size * mean <= SPREAD * np.mean(size, axis=1, keepdims=True) * value
        safe = np.where(kept, value, 1)
        return 2 * gap / safe * kept, (2 + 2 * (b / safe) ** 2) * kept
    force, stiffness = gap * value, np.maximum(2 * square, 3 * square - b**2)
    if variant == "wf":
        return force, stiffness
    weight = 1 / (np.abs(gap) + ETA)
    weight /= np.mean(weight, axis=1, keepdims=True)
    return force * weight, stiffness * weight
