"""The iteration of message passing: its messages, damping and second attempts."""

import numpy as np

import benchbase
from benchbase import Array, Run, root_mean_squares
from benchbase_gamp.linear import Message
from benchbase_gamp.model import Model

STALLED = 1e-10  # relative change between two looks up to which a signal counts as at rest
PATIENCE = 150  # iterations without a better residual after which a signal counts as stuck
BETTER = 0.99  # a residual counts as better below this share of the best so far
LEAST = 1e-22  # the least variance of a message: below it is rounding


class Passing(benchbase.Iteration):
    """The state of message passing for one block of signals.

    A signal that is stuck begins again with half the damping, but only once. This helps because
    messages between pools of nearly the same vectors overshoot. In 20 dimensions, with 60 pairs
    whose correlations are 1, .995 and .9, half rectified with p = 2, .00, .02 and .58 of 50 signals
    are recovered without a second attempt, and all with it.

    Parameters
    ----------
    model : Model
        The units, matrix and output function of the problem.
    b : ndarray, shape (S, K)
        Measurements.
    x : ndarray, shape (S, N)
        Starts; a random one takes the place of a start that is zero or not finite.
    run : Run
        The run of these signals.
    damping, overlap, perturbation : float
        The parameters of `Gamp`.

    Attributes
    ----------
    x : ndarray, shape (S, N)
        The estimates, in units in which signals have the variance 1.
    """

    per_signal = (
        *benchbase.Iteration.per_signal, "_sigma", "_measured", "_message", "_hidden", "_first",
        "_damping", "_new", "_goal", "_since",
    )  # fmt: skip # a list of names

    def __init__(
        self,
        model: Model,
        b: Array,
        x: Array,
        run: Run,
        damping: float,
        overlap: float,
        perturbation: float,
    ) -> None:
        self._model, self._count = model, run.count
        self._measured, self._sigma = model.measured(b)
        scaled = x / self._sigma[:, None]
        x, self._message = self._start(scaled, run, overlap, perturbation)
        super().__init__(model.problem, b, x)
        # Hidden from measurements, so that this part of the estimates stays as it is.
        self._hidden = model.linear.hidden(x)
        self._first = Message(self._message.mean.copy(), self._message.variance.copy())
        self._damping = np.full((len(b), 1), damping)
        self._new = np.ones(len(b), dtype=bool)
        self._goal, self._since = np.full(len(b), np.inf), np.zeros(len(b), dtype=np.int64)

    def _start(
        self, x: Array, run: Run, overlap: float, perturbation: float
    ) -> tuple[Array, Message]:
        """Return the first estimates (S, N) and the first message."""
        model = self._model
        drawn = run.normal(x.shape[1])
        x = np.where(np.isfinite(x).all(axis=1, keepdims=True), x, 0)
        run.count(2 * len(x))  # the two calls of `analyse`
        size = root_mean_squares(model.analyse(x))
        given = size[:, None] > 0
        share = np.where(given, perturbation, 1.0)
        direction = np.divide(x, size[:, None], out=np.zeros_like(x), where=given)
        mean = model.analyse((1 - share**2) ** 0.5 * direction + share * drawn)
        variance = np.full((len(x), 1), 1 - overlap)
        return np.where(given, x, drawn), Message(overlap**0.5 * mean, variance)

    def look(self) -> tuple[Array, Array]:
        """Return the estimates in the units of the problem, and their relative residuals."""
        estimate = self._sigma[:, None] * self.x
        return estimate, relative_residual(self.problem.measure(estimate), self.b)

    def reference(self) -> Array:
        """Return 1 for each signal, as residuals are relative already."""
        return np.ones(len(self.b))

    def hopeful(self, residual: Array) -> Array:
        """Return which signals go on or begin again, given their residuals (S,)."""
        better = residual < self._goal
        self._since[better] = self.i
        self._goal[better] = BETTER * residual[better]
        stuck = self.i - self._since >= PATIENCE
        again = stuck & self._new
        if again.any():
            for part, first in zip(self._message, self._first, strict=True):
                part[again] = first[again]
            self._damping[again] /= 2
            self._new[again], self._since[again], self._goal[again] = False, self.i, np.inf
        return ~stuck | again

    def advance(self, steps: int) -> Array:
        """Take the steps to the next look; return which estimates have moved, bool (S,)."""
        self.take_steps(steps)
        before, self.x = self.x, self._model.linear.signal(self._inner) + self._hidden
        self._count(self._inner.size / self._model.rows)
        moved: Array = root_mean_squares(self.x - before) > STALLED * root_mean_squares(self.x)
        return moved

    def step(self) -> None:
        """Pass messages from the linear half to the pools and back."""
        model = self._model
        self._count(len(self.x) * model.linear.cost)
        new, self._inner = model.linear(model.pools(self._message, self._measured))
        self._receive(new)

    def _receive(self, new: Message) -> None:
        """Move the messages a part of the way to new ones: variances on a logarithmic scale.

        Along a pool's coefficients, on their sphere, a message overshoots by L − 1, because the
        variance is the mean over all directions and right for the others. At most 1/L of that
        component is therefore taken. Of 100 signals (n = 100, p = 2, L = 4, K = 1.3 n) none are
        recovered without this, and all with it.
        """
        old, d = self._message, self._damping
        step = d * (new.mean - old.mean)
        size = np.maximum(np.einsum("sm,sm->s", old.mean, old.mean), np.finfo(np.float64).tiny)
        along = np.einsum("sm,sm->s", step, old.mean) / size
        less = np.minimum(1 / (self.problem.frame.pool_size * d), 1) - 1
        mean = old.mean * (1 + less * along[:, None]) + step
        variance = old.variance ** (1 - d) * new.variance**d
        self._message = Message(mean, np.maximum(variance, LEAST))


def relative_residual(measured: Array, b: Array) -> Array:
    """Return ‖measured − b‖ / ‖b‖ of each signal, or the numerator alone if b = 0.

    No square overflows or vanishes, though these measurements are not in the units of `Scale`.
    """
    size = root_mean_squares(b)
    gap: Array = root_mean_squares(measured - b) / np.where(size > 0, size, b.shape[1] ** -0.5)
    return gap
