"""The linear half of an iteration: the posterior of the coefficients of a normal signal."""

from typing import NamedTuple

import numpy as np

from benchbase import Array


class Message(NamedTuple):
    """What one half of an iteration passes to the other: means (S, M) and a variance (S, 1)."""

    mean: Array
    variance: Array


class Linear:
    """The posterior of the coefficients z = A x of a standard normal signal x.

    Let s be the singular values of A and U its left singular vectors. Given z + noise of variance
    v, the posterior of z is normal with the mean U diag(s²/(s² + v)) Uᵀ(z + noise). Singular values
    as small as rounding errors count as zero.

    Attributes
    ----------
    cost : float
        The cost of a call for one signal, in products of A with a signal.

    Parameters
    ----------
    matrix : ndarray, shape (M, N)
        A; neither M nor N is zero.
    """

    def __init__(self, matrix: Array) -> None:
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        seen = values > max(matrix.shape) * np.finfo(np.float64).eps * values[0]
        self._left = np.ascontiguousarray(left[:, seen])
        self._left_t = np.ascontiguousarray(self._left.T)
        self._squares = values[seen] ** 2
        self._right = right[seen]
        self._inverse = right[seen] / values[seen, None]
        self.cost = 2 * self._left.size / matrix.size
        self._unseen = len(matrix) - int(seen.sum())

    def __call__(self, given: Message) -> tuple[Message, Array]:
        """Return what the posterior adds to a message, and the posterior mean as Uᵀ z (S, R).

        The posterior is treated as the product of the message and of what is added (the extrinsic
        message, in the language of turbo codes). Both are treated as normal, with one variance for
        all coefficients.
        """
        r, v = given
        gain = self._squares / (self._squares + v)
        inner = gain * (r @ self._left)
        z = inner @ self._left_t
        # 1 − (posterior variance) / v, as a sum of terms that are not negative.
        rest = (np.sum(v / (self._squares + v), axis=1, keepdims=True) + self._unseen) / r.shape[1]
        ratio = (1 - rest) / rest
        return Message(z + (z - r) * ratio, v * ratio), inner

    def signal(self, inner: Array) -> Array:
        """Return the posterior mean of x (S, N), from the posterior mean that a call returned."""
        x: Array = inner @ self._inverse
        return x

    def hidden(self, x: Array) -> Array:
        """Return the part of signals (S, N) that A does not see."""
        hidden: Array = x - (x @ self._right.T) @ self._right
        return hidden
