"""Signals on their way: their messages, and what becomes of those that do not get on."""

import numpy as np

from benchbase import Array
from benchbase_gamp.linear import Message
from benchbase_gamp.model import Measured

PATIENCE = 150  # iterations without a better residual after which a signal does not get on
BETTER = 0.99  # what counts as one, relative to the best so far
LEAST = 1e-22  # variance of a message: what is below it is rounding


class Batch:
    """The signals of a batch that have not left.

    A signal that does not get on begins anew with half the damping, once: messages between pools
    of nearly the same vectors overshoot. Of 20 dimensions and 60 pairs with correlations of 1, .995
    and .9, half rectified, p = 2, .00, .02 and .58 of 50 signals come back without it, all with it.

    Parameters
    ----------
    measured : Measured
        The measurements of S signals.
    message : Message
        The first message.
    hidden : ndarray, shape (S, N)
        What is added to estimates, being hidden from measurements.
    damping : float
        The share of a new message in the next one.

    Attributes
    ----------
    rows : ndarray of int, shape (B,)
        Which signals they are.
    measured, message, hidden
        Theirs, now.
    """

    def __init__(self, measured: Measured, message: Message, hidden: Array, damping: float) -> None:
        size = len(hidden)
        self.rows = np.arange(size)
        self.measured, self.message, self.hidden = measured, message, hidden
        self._first = Message(message.mean.copy(), message.variance.copy())
        self._damping = np.full((size, 1), damping)
        self._new = np.ones(size, dtype=bool)
        self._goal, self._since = np.full(size, np.inf), np.zeros(size, dtype=np.int64)

    def keep(self, stay: Array) -> None:
        """Go on with the signals that a mask (B,) marks."""
        self.rows, self.hidden = self.rows[stay], self.hidden[stay]
        self.measured = self.measured.keep(stay)
        self.message = Message(*(part[stay] for part in self.message))
        self._first = Message(*(part[stay] for part in self._first))
        self._damping, self._new = self._damping[stay], self._new[stay]
        self._goal, self._since = self._goal[stay], self._since[stay]

    def hopeful(self, i: int, gap: Array) -> Array:
        """Say which signals get on, or begin anew, given residuals (B,) at iteration i."""
        better = gap < self._goal
        self._since[better] = i
        self._goal[better] = BETTER * gap[better]
        stuck = i - self._since >= PATIENCE
        again = stuck & self._new
        if again.any():
            for part, first in zip(self.message, self._first, strict=True):
                part[again] = first[again]
            self._damping[again] /= 2
            self._new[again], self._since[again], self._goal[again] = False, i, np.inf
        return ~stuck | again

    def receive(self, new: Message, pool_size: int) -> None:
        """Take a part of new messages: means on a line, variances on a logarithmic one.

        On the sphere of a pool's coefficients a message along them overshoots by L − 1, as the
        mean over all directions makes the others right; of that component at most 1/L is taken.
        Of 100 signals (n = 100, p = 2, L = 4, K = 1.3 n) none come back without it, all with it.
        """
        old, d = self.message, self._damping
        step = d * (new.mean - old.mean)
        size = np.maximum(np.einsum("sm,sm->s", old.mean, old.mean), np.finfo(np.float64).tiny)
        along = np.einsum("sm,sm->s", step, old.mean) / size
        less = np.minimum(1 / (pool_size * d), 1) - 1
        mean = old.mean * (1 + less * along[:, None]) + step
        variance = old.variance ** (1 - d) * new.variance**d
        self.message = Message(mean, np.maximum(variance, LEAST))
