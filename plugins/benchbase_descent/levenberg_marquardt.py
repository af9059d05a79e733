"""The Levenberg-Marquardt method: nonlinear least squares on the measurements."""

from typing import ClassVar

import numpy as np

import benchbase
from benchbase import Array, Begin, Blocks, Problem, Run, norms
from benchbase_descent.descent import Descent, Method
from benchbase_descent.pools import Pools

DAMPING = 3.0  # the first damping
DOWN, UP = 0.3, 2.5  # factors after a step that lowers the sum of squares, and after one that fails
LEAST_DAMPING = 1e-10  # keeps matrices of few measurements regular
LEAST_SHIFT = 1e-30  # keeps matrices regular if the directions of all pools are next to zero
AT_REST = 1e-12  # relative decrease promised by a step below which nothing is left to gain
# The smoothing, in units in which measurements have size 1. A stage ends after 50 steps, or when
# the next step promises a relative decrease below 1e-3. From one random start, at n = 40 and 4
# frames × 50 signals, .70 (p = 2, K = 60), .81 (p = inf, K = 75) and .87 (rectified p = inf,
# K = 64) of the signals are recovered, in 127 iterations on average. With stages of 25 steps,
# whatever the steps promise, these are .65, .78 and .88 in 165 iterations. Without smoothing they
# are .19 (p = 2) and .02 (p = inf, K = 96; 2 × 50).
FIRST = {True: 1.5, False: 0.5}  # ε over the residual at the start, by whether the pooling is even
RATIO, LAST = 0.5, 0.01
STAGE, LOOSE = 50, 1e-3


class LevenbergMarquardt(Descent):
    """Minimise ‖P(F x) − b‖² by damped Gauss-Newton steps.

    Sources: Levenberg (1944) and Marquardt (1963); for phase retrieval, Gao and Xu, "Phaseless
    recovery using the Gauss-Newton method", IEEE Transactions on Signal Processing 65 (2017). Let
    d_k be the directions in which the values of pools grow, and J_k = d_kᵀ F_k. A step is ::

        δ = −(Jᵀ J + λ · tr(Jᵀ J)/N · I)⁻¹ Jᵀ (P(F x) − b)

    It is taken if it lowers the sum of squares. The damping λ is then multiplied by 0.3, and
    otherwise by 2.5. Near a signal that fits exactly, λ follows the residual, so that convergence
    is quadratic (Yamashita and Fukushima, "On the rate of convergence of the Levenberg-Marquardt
    method", Computing Supplement 15, 2001).

    P has kinks at which coefficients change their sign or their order, or pass a threshold, and a
    pool that is cut off has no direction although b_k > 0. On the way down these kinks stop the
    method short of a minimum. The solver therefore first minimises the same sum for values whose
    kinks are rounded off within ε (see `smoothing`). It halves ε from stage to stage, and in the
    last stage minimises the sum itself. Only the start is random.

    With noise the result is a local minimum of the sum of squares, which for Gaussian noise of
    equal variance is a local maximum of the likelihood. A signal has converged only if it is solved
    to `tol`. It leaves the batch earlier if a step can lower the sum by no more than a relative
    1e-12, or if it has come to a kink at which the sum is least on both sides.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of steps, counted over all stages.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    smoothing : float, optional
        The first ε, as a multiple of the root mean square residual at the start. None: 1.5 if
        measurements lose the sign of the signal and 0.5 if they keep it. Zero: no smoothing. There
        is no smoothing either if ε would be below 0.01 of the root mean square measurement, so that
        a start near the signal is polished and not left, or if the pooling is neither an lp norm
        nor a maximum.
    init : Solver, optional
        Gives the start; its time is reported apart, as ``init_seconds``. The default is a Gaussian
        vector for each signal, scaled so that ‖P(F x)‖ = ‖b‖ if there is such a scale.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or `tol` or `smoothing` is negative or not finite.
    """

    name = "levenberg_marquardt"
    blocks: ClassVar[Blocks] = Blocks(200_000, "floor")  # 1.6 times as fast as 50,000
    check: ClassVar[int] = 1
    n_iter: int = 300
    smoothing: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.smoothing is not None:
            benchbase.check_range("smoothing", self.smoothing, least=0, below=np.inf)

    def width(self, problem: Problem) -> int:
        """Return how many numbers an iteration works on for each signal."""
        frame = problem.frame
        return frame.n * (frame.n + frame.n_pools)

    def method(self, pools: Pools) -> Begin:
        """Prepare the frame's vectors."""
        members = np.ascontiguousarray(pools.vectors().transpose(1, 0, 2))
        first = FIRST[pools.problem.pooling.even] if self.smoothing is None else self.smoothing
        return lambda b, x, run: DampedGaussNewton(pools, b, x, run, members, first)


class DampedGaussNewton(Method):
    """The state of the Levenberg-Marquardt method for one block of signals.

    Parameters
    ----------
    pools, b, x
        As for `Method`.
    run : Run
        The run of these signals.
    members : ndarray, shape (L, K, N)
        The frame's vectors.
    first : float
        The first ε, as a multiple of the root mean square residual.
    """

    per_signal = (
        *Method.per_signal, "_c", "_eps", "_left", "_damping", "_cost", "_gram", "_slope",
    )  # fmt: skip # a list of names

    def __init__(
        self, pools: Pools, b: Array, x: Array, run: Run, members: Array, first: float
    ) -> None:
        super().__init__(pools, b, x)
        self._members, self._count = members, run.count
        S, n = x.shape
        self._c = pools.analyse(x)
        gap = norms(self.values() - self.b) / np.sqrt(pools.n_pools)
        self._eps = np.zeros(S) if pools.formula is None else first * np.minimum(gap, 1)
        self._eps[self._eps < LAST] = 0
        self._left = np.full(S, STAGE)
        self._damping, self._cost = np.zeros(S), np.zeros(S)
        self._gram, self._slope = np.zeros((S, n, n)), np.zeros((S, n))
        self._more = everyone = np.ones(S, dtype=bool)
        self._linearise(everyone)
        self._damp(everyone)

    def values(self) -> Array:
        """Return P(F x), (S, K)."""
        return self.pools.values(self._c, self.unit)

    def advance(self, steps: int) -> Array:
        """Take the steps to the next look; return which signals have more to gain, bool (S,)."""
        self.take_steps(steps)
        return self._more

    def step(self) -> None:
        """Try a step from each signal."""
        n = self.pools.n
        shift = self._damping * np.trace(self._gram, axis1=1, axis2=2) / n
        np.maximum(shift, LEAST_SHIFT, out=shift)
        matrices = self._gram.copy()
        matrices[:, np.arange(n), np.arange(n)] += shift[:, None]
        step = -np.linalg.solve(matrices, self._slope[:, :, None])[:, :, 0]
        # Elimination takes 2/3 N³ operations.
        self._count(len(step) * n**2 / (3 * self.pools.n_pools * self.pools.pool_size))
        promised = np.einsum("sn,sn->s", step, shift[:, None] * step - self._slope)
        x = self.x + step
        c = self.pools.analyse(x)
        cost = np.sum((self._look(c, self._eps, self.unit)[0] - self.b) ** 2, axis=1)
        good = cost < self._cost
        self.x = np.where(good[:, None], x, self.x)
        self._c[good] = c[good]
        last = self._eps == 0
        ended = ~last & ((self._left <= 1) | (promised <= LOOSE * self._cost))
        self._more = ~last | (promised > AT_REST * self._cost)
        self._damping *= np.where(good, DOWN, UP)
        self._left = np.where(ended, STAGE, self._left - 1)
        self._eps[ended] *= RATIO
        self._eps[self._eps < LAST] = 0
        self._linearise(good | ended)
        self._damp(ended)
        # The residual bounds the damping, except after a step that has just failed.
        small = good & last
        self._damping[small] = np.minimum(self._damping, self._largest_damping())[small]
        np.maximum(self._damping, LEAST_DAMPING, out=self._damping)

    def _look(self, c: Array, eps: Array, unit: Array) -> tuple[Array, Array]:
        """Return the values of pools, with kinks rounded off by ε (S,), and their directions."""
        smooth = eps > 0
        if smooth.all():
            return self.pools.directions(c, unit, eps)
        value, d = self.pools.directions(c, unit)
        if smooth.any():
            part = self.pools.directions(c[smooth], unit[smooth], eps[smooth])
            value[smooth], d[smooth] = part
        return value, d

    def _linearise(self, which: Array) -> None:
        """Compute the sum of squares, Jᵀ J and Jᵀ (P(F x) − b) of some signals again."""
        if not which.any():
            return
        value, d = self._look(self._c[which], self._eps[which], self.unit[which])
        gap = value - self.b[which]
        jacobian = d[:, 0, :, None] * self._members[0]
        for j in range(1, self.pools.pool_size):
            jacobian += d[:, j, :, None] * self._members[j]
        # J costs as much as an application, Jᵀ J 2 K N² operations, and Jᵀ (P(F x) − b) 2 K N.
        self._count(len(gap) * (1 + (self.pools.n + 1) / self.pools.pool_size))
        self._cost[which] = np.sum(gap**2, axis=1)
        self._gram[which] = jacobian.transpose(0, 2, 1) @ jacobian
        self._slope[which] = (gap[:, None, :] @ jacobian)[:, 0, :]

    def _damp(self, which: Array) -> None:
        """Set the damping of some signals to the first one, or to a smaller one near a solution."""
        damping = np.where(self._eps > 0, DAMPING, self._largest_damping())
        self._damping[which] = damping[which]

    def _largest_damping(self) -> Array:
        largest: Array = DAMPING * np.minimum(np.sqrt(self._cost / self.pools.n_pools), 1)
        return np.maximum(largest, LEAST_DAMPING)
