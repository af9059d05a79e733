"""Gradient flows: Wirtinger flow, amplitude flow, and what became of them."""

import math
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from benchbase import Array, Begin, Problem, energies
from benchbase_descent.descent import Descent, Method
from benchbase_descent.pools import LEAST, Pools

Variant: TypeAlias = Literal["wf", "twf", "rwf", "reweighted_wf", "af", "taf", "raf"]
STEPS: dict[Variant, float] = {  # the papers', but for reweighted_wf
    "wf": 0.2,
    "twf": 0.2,
    "rwf": 0.8,
    "reweighted_wf": 0.6,
    "af": 0.6,
    "taf": 0.6,
    "raf": 2.0,
}
SIGNED = ("rwf", "af")  # that take measurements below zero
WARM_UP = 330  # iterations, the time in which the step of wf grows
LOWER, UPPER, SPREAD = 0.3, 5.0, 5.0  # α_lb, α_ub and α_h of twf
GAMMA = 0.7  # of taf
BETA = 10.0  # of raf
# Of reweighted_wf, relative to the mean of b². At n = 40, pairs, spectral start, of 4 frames × 50
# signals .61 / .90 / .935 / .93 come back with .003 / .01 / .03 / .1 at p = 2, K = 60, and
# .90 / .955 / .95 / .92 at p = inf, K = 80.
ETA = 0.03


class Wirtinger(Descent):
    """Gradient descent on a loss of the measurements: Wirtinger flow and its descendants.

    With v_k the value of pool k at x and d_k the direction in which it grows, an iteration is
    x ← x − s Σ_k h_k F_kᵀ d_k, and variants differ in h_k and in the step s. For pools of one
    they are the papers', in their real form; pools of more take part by their values.

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

    The papers: Wirtinger flow (Candès, Li and Soltanolkotabi, IEEE Transactions on Information
    Theory 61, 2015), truncated (Chen and Candès, Communications on Pure and Applied Mathematics
    70, 2017), reshaped (Zhang and Liang, NeurIPS 2016) and reweighted (Yuan and Wang, Applied
    Optics 56, 2017; PhasePack calls this one RWF); amplitude flow, truncated (Wang, Giannakis and
    Eldar, IEEE Transactions on Information Theory 64, 2018) and reweighted (Wang, Giannakis, Saad
    and Chen, IEEE Transactions on Signal Processing 66, 2018). "rwf" and "af" are one but for μ.

    The step is μ in units in which Jᵀ J = Σ_k F_kᵀ d_k d_kᵀ F_k has the mean eigenvalue 1, as it
    has for the papers' Gaussian vectors over their number; with "wf", 1 − exp(−t/330) where that
    is less. The papers have many measurements. With few the largest eigenvalue is well above 1,
    (1 + √(N/K))² = 3.3 at K = 1.5 N, and "rwf" and "twf" converge for no signal. The step is
    therefore cut to the least value, along the gradient, of a quadratic model of the loss. At
    n = 40, K = 60, p = 2, pairs, of 4 frames × 50 signals .90 / .80 / .84 / .90 / .84 / .84 / .89
    come back from the spectral start, in the order of the table (standard errors up to .03);
    without the cut .11 / 0 / 0 / .44 / .56 / .60 / .89.

    Parameters
    ----------
    variant : {"wf", "twf", "rwf", "reweighted_wf", "af", "taf", "raf"}, optional
        See above.
    n_iter : int, optional
        The largest number of iterations.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start, in the phase "init": the methods are made for ``{ name = "spectral" }``,
        or ``{ name = "linear" }`` where measurements keep the sign. By default a Gaussian vector
        for each signal, scaled so that ‖P(F x)‖ = ‖b‖ where there is such a scale.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or `tol` negative or not finite.
    """

    name = "wirtinger"
    vectors: ClassVar[bool] = False
    variant: Variant = "raf"
    n_iter: int = 3000

    def unsupported(self, problem: Problem) -> str | None:
        """Say why not: complex frames; measurements below zero, but for "rwf" and "af"."""
        if not problem.pooling.nonnegative and self.variant not in SIGNED:
            return (
                f"{self.variant} compares sizes of measurements, and here they may be negative; "
                "rwf and af take them"
            )
        return super().unsupported(problem)

    def method(self, pools: Pools) -> Begin:
        """Prepare nothing."""
        return lambda b, x, _: Flow(pools, b, x, self.variant)


class Flow(Method):
    """The state of a gradient flow.

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
        """Go on to the next look; return which signals have moved, bool (S,)."""
        self._c = self.pools.analyse(self.x)  # anew, lest rounding adds up
        return super().advance(steps)

    def step(self) -> None:
        """Go against the gradient."""
        pools, c = self.pools, self._c
        value, d = pools.directions(c, self.unit)
        force, stiffness = forces(self._variant, value, self.b)
        gradient = pools.adjoint(d * force[:, None, :])
        image = pools.analyse(gradient)
        along = np.einsum("slk,slk->sk", d, image)
        bend = np.einsum("sk,sk,sk->s", along, along, stiffness)
        mean = energies(d) / pools.n  # eigenvalue, vectors being of length 1
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
    """Return what pulls each pool towards its measurement, and how it grows with its value.

    Parameters
    ----------
    variant : str
        A name in `STEPS`.
    value, b : ndarray, shape (S, K)
        Values of pools and measurements, of which the mean of b² is 1.

    Returns
    -------
    force : ndarray, shape (S, K)
        The derivative of a pool's loss with respect to its value.
    stiffness : ndarray, shape (S, K)
        The second derivative, weights held fixed, with no less than the Gauss-Newton part of it.
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
