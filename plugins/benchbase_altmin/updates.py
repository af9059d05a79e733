"""The second half of an iteration: from wanted coefficients to signals."""

from typing import Protocol

import numpy as np

from benchbase import Array, Problem

# Relative to the mean eigenvalue of FᵀF: tames directions that few known rows see, and is lost in
# the Gram matrix where there are enough. The update is an increment: no fixed point moves. On MNIST
# images held out of the 60,000 (n = 100, p = 2, started by kNN, 8 frames × 50): mean squared cosine
# .787 ± .012 with 1e-8 and .826 ± .009 with 1e-3 at K = 60; .933 and .934 ± .005 at K = 100.
RIDGE = 1e-3


class Update(Protocol):
    """Gives the next signals of a batch."""

    def __call__(self, x: Array, c: Array, y: Array, b: Array) -> Array:
        """Return the next x (S, N).

        Parameters
        ----------
        x : ndarray, shape (S, N)
            The signals.
        c : ndarray, shape (S, L, K)
            Their coefficients F x.
        y : ndarray, shape (S, L, K)
            The coefficients wanted.
        b : ndarray, shape (S, K)
            The measurements.
        """

    def keep(self, stay: Array) -> None:
        """Go on with the signals of the batch that a boolean mask (S,) marks."""


class PseudoInverse:
    """Fits signals to all coefficients: x = F⁺ y."""

    def __init__(self, problem: Problem) -> None:
        self._frame = problem.frame
        self._deficient = problem.frame.pool_size * problem.frame.n_pools < problem.frame.n

    def __call__(self, x: Array, c: Array, y: Array, b: Array) -> Array:
        """Return F⁺ y, plus the part of x that the frame does not see if L·K < N."""
        del b
        if self._deficient:
            return x + self._frame.least_squares(y - c)
        return self._frame.least_squares(y)

    def keep(self, stay: Array) -> None:
        """Hold nothing that would have to follow."""


class KnownRows:
    """Fits each signal to the coefficients that its measurements say something about.

    The inverse of each signal's Gram matrix Σ f fᵀ over its known rows is kept and made anew only
    when these rows change, which after some iterations they seldom do.

    Parameters
    ----------
    problem : Problem
        Its frame must have vectors.
    size : int
        The number of signals S.
    """

    def __init__(self, problem: Problem, size: int) -> None:
        frame = problem.frame
        self._frame, self._known = frame, problem.pooling.known
        # In the order of coefficients: member, then pool.
        self._rows = frame.dense().transpose(1, 0, 2).reshape(-1, frame.n).astype(np.float64)
        self._ridge = RIDGE * np.sum(self._rows**2) / frame.n
        self._masks = np.zeros((size, len(self._rows)), dtype=bool)
        self._inverses = np.zeros((size, frame.n, frame.n))

    def __call__(self, x: Array, c: Array, y: Array, b: Array) -> Array:
        """Return x + G⁻¹ Fᵀ(y − F x) over the known rows.

        An increment: directions that no known row sees keep their value.
        """
        known = self._known(c, b)
        assert known is not None  # noqa: S101 # for mypy; altmin has asked the pooling
        masks = known.reshape(self._masks.shape)
        for i in np.flatnonzero((masks != self._masks).any(axis=1)):
            self._inverses[i] = self._inverse(masks[i])
        self._masks = masks
        gradient = self._frame.adjoint(y - c)  # y is c where nothing is known
        return x + (self._inverses @ gradient[:, :, None])[:, :, 0]

    def keep(self, stay: Array) -> None:
        """Drop the matrices of the signals that have left."""
        self._masks, self._inverses = self._masks[stay], self._inverses[stay]

    def _inverse(self, mask: Array) -> Array:
        """Return (Σ f fᵀ over the masked rows, plus the ridge)⁻¹."""
        from scipy.linalg.lapack import dpotrf, dpotri

        rows = self._rows[mask]
        gram = rows.T @ rows
        gram.flat[:: len(gram) + 1] += self._ridge
        # From the Cholesky factor, in a third of the time of numpy.linalg.inv.
        upper = np.triu(dpotri(dpotrf(gram)[0])[0])
        inverse: Array = upper + np.triu(upper, 1).T
        return inverse
