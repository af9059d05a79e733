"""Signals on their way: their messages, and what becomes of those that do not get on."""

import numpy as np

import benchbase
from benchbase import Array, Run, root_mean_squares
from benchbase_gamp.linear import Message
from benchbase_gamp.model import Model

STALLED = 1e-10  # relative change between two looks at which nothing more is to come
PATIENCE = 150  # iterations without a better residual after which a signal does not get on
BETTER = 0.99  # what counts as one, relative to the best so far
LEAST = 1e-22  # variance of a message: what is below it is rounding


class Passing(benchbase.Iteration):
    """Message passing on its way, for one block of signals.

    A signal that does not get on begins anew with half the damping, once: messages between pools
    of nearly the same vectors overshoot. Of 20 dimensions and 60 pairs with correlations of 1, .995
    and .9, half rectified, p = 2, .00, .02 and .58 of 50 signals come back without it, all with it.

    Parameters
    ----------
    model : Model
        What is prepared for the problem.
    b : ndarray, shape (S, K)
        Measurements.
    x : ndarray, shape (S, N)
        Starts; where one is zero or not finite, a random one takes its place.
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
        self._model = model
        self._measured, self._sigma = model.measured(b)
        scaled = x / self._sigma[:, None]
        x, self._message = self._start(scaled, run, overlap, perturbation)
        super().__init__(model.problem, b, x)
        self._hidden = model.linear.hidden(x)  # from measurements, so that it stays as it is
        self._first = Message(self._message.mean.copy(), self._message.variance.copy())
        self._damping = np.full((len(b), 1), damping)
        self._new = np.ones(len(b), dtype=bool)
        self._goal, self._since = np.full(len(b), np.inf), np.zeros(len(b), dtype=np.int64)

    def _start(
        self, x: Array, run: Run, overlap: float, perturbation: float
    ) -> tuple[Array, Message]:
        """Return the estimates (S, N) to start from, and the first message."""
        model = self._model
        drawn = run.normal(x.shape[1])
        x = np.where(np.isfinite(x).all(axis=1, keepdims=True), x, 0)
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
        """Return 1, as residuals are relative."""
        return np.ones(len(self.b))

    def hopeful(self, residual: Array) -> Array:
        """Return which signals get on, or begin anew, given their residuals (S,)."""
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
        """Go on to the next look and its estimates; return which have moved, bool (S,)."""
        self.take_steps(steps)
        before, self.x = self.x, self._model.linear.signal(self._inner) + self._hidden
        moved: Array = root_mean_squares(self.x - before) > STALLED * root_mean_squares(self.x)
        return moved

    def step(self) -> None:
        """Pass messages to and fro."""
        model = self._model
        new, self._inner = model.linear(model.pools(self._message, self._measured))
        self._receive(new)

    def _receive(self, new: Message) -> None:
        """Take a part of new messages: means on a line, variances on a logarithmic one.

        On the sphere of a pool's coefficients a message along them overshoots by L − 1, as the
        mean over all directions makes the others right; of that component at most 1/L is taken.
        Of 100 signals (n = 100, p = 2, L = 4, K = 1.3 n) none come back without it, all with it.
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
    """Return ‖measured − b‖ / ‖b‖ of each signal, the numerator alone where b = 0.

    Without squares that overflow or vanish: units are divided out only here.
    """
    size = root_mean_squares(b)
    gap: Array = root_mean_squares(measured - b) / np.where(size > 0, size, b.shape[1] ** -0.5)
    return gap
