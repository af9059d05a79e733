"""The two parts of a pooling representation: a frame, and the pooling of its coefficients.

In shapes, S is the number of signals, N their dimension, K the number of pools, L the pool size and
T the number of training signals. Coefficients have the shape (..., L, K), with the members of a
pool on axis -2: pooling over this axis is an order of magnitude faster than over the last one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np

from benchbase.component import Array, Component


class Frame(ABC):
    """K pools of L vectors in R^N: the linear part of a pooling representation.

    Attributes
    ----------
    n, n_pools, pool_size : int
        N, K and L.
    is_complex : bool
        Whether the vectors are complex. An even pooling then loses a phase instead of a sign.
    field : {"real", "complex"}
        The field of the signals. A complex signal of dimension N/2 is stored as a vector in R^N,
        with all real parts before the imaginary parts; an even pooling loses its phase.
    """

    n: int
    n_pools: int
    pool_size: int
    is_complex: bool = False
    field: Literal["real", "complex"] = "real"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a signal as a picture or a sequence. Its entries multiply to N."""
        return (self.n,)

    @property
    def condition(self) -> float | None:
        """The largest singular value divided by the smallest one that is not rounding error.

        It is None if it is not known.
        """
        return None

    def row_energy(self) -> Array:
        """Return the sum of ‖f‖² over the vectors f of each pool, shape (K,).

        Raises
        ------
        NotImplementedError
            If the frame neither forms its vectors nor knows their norms.
        """
        energy: Array = np.einsum("kln,kln->k", self.dense(), self.dense().conj()).real
        return energy

    @abstractmethod
    def analyse(self, x: Array) -> Array:
        """Return the coefficients F x: (..., N) to (..., L, K), in the same dtype."""

    @abstractmethod
    def adjoint(self, c: Array) -> Array:
        """Return Fᵀ c: (..., L, K) to (..., N), in the same dtype."""

    @abstractmethod
    def least_squares(self, c: Array) -> Array:
        """Return F⁺ c, the shortest x with the least ‖F x − c‖: (..., L, K) to (..., N)."""

    def vectors(self, *, counted: bool) -> Array:
        """Return `dense()` for `Problem.vectors`; frames that wrap others hand `counted` on."""
        del counted
        return self.dense()

    @abstractmethod
    def dense(self) -> Array:
        """Return the frame's vectors, (K, L, N), read-only.

        Solvers get them from `Problem.vectors`.

        Raises
        ------
        NotImplementedError
            If the frame never forms its vectors.
        """


class FrameDesign(Component):
    """A recipe for frames."""

    kind = "frame"

    def size(self, n: int) -> tuple[int | None, int | None]:
        """Return K and L of the frames for signals of dimension `n`.

        By default these are the fields `n_pools` and `pool_size`. A design without such fields
        overrides this method; None stands for a size that it does not know.
        """
        del n
        return getattr(self, "n_pools", None), getattr(self, "pool_size", None)

    def check(self, n: int) -> None:
        """Raise `ParameterError` if the parameters do not fit signals of dimension `n`."""
        del n

    @abstractmethod
    def build(self, n: int, train: Array | None, rng: np.random.Generator) -> Frame:
        """Build one frame for signals of dimension `n`.

        Parameters
        ----------
        n : int
            The dimension N.
        train : ndarray, shape (T, N), or None
            The data set's training signals, from which frames may be learned; read-only.
        rng : numpy.random.Generator
            The random stream for this number of pools and this trial.
        """


class Pooling(Component):
    """An operator P that turns the coefficients of each pool into one number.

    Most operators are P(c) = ‖m(c − α)‖_p: thresholds α are subtracted, a function m that is linear
    on both sides of zero is applied, and the p-norm of each pool is taken. The properties `p`,
    `rectified` and `threshold` describe such an operator. Solvers that need a formula refuse other
    operators.
    """

    kind = "pooling"

    @property
    @abstractmethod
    def even(self) -> bool:
        """Whether x and −x have the same measurements, so that the sign is lost."""

    @property
    @abstractmethod
    def nonnegative(self) -> bool:
        """Whether all measurements are at least zero."""

    @property
    def p(self) -> float | None:
        """The exponent of the norm, or None if the operator is not a p-norm."""
        return None

    @property
    def rectified(self) -> bool:
        """Whether m is half rectification, which sets negative numbers to zero."""
        return False

    @property
    def threshold(self) -> float | tuple[float, ...]:
        """The threshold α: one number, or K·L numbers, pool after pool."""
        return 0.0

    @property
    def slopes(self) -> tuple[float, float] | None:
        """The slopes of m to the left and to the right of zero, or None if there is no formula.

        (−1, 1) is the absolute value, and (0, 1) is half rectification. (1, 1) keeps the signs: P
        is then the largest coefficient of each pool.
        """
        if self.p is None:
            return None
        return (0.0, 1.0) if self.rectified else (-1.0, 1.0)

    @property
    def homogeneous(self) -> bool:
        """Whether P(t c) = t P(c) for t > 0. By default, if there is a formula and α = 0."""
        return self.slopes is not None and not np.any(self.threshold)

    def thresholds(self, n_pools: int, pool_size: int) -> Array:
        """Return α as an array of shape (L, K)."""
        given = np.asarray(self.threshold, dtype=np.float64)
        shaped = given.reshape(n_pools, pool_size).T if given.ndim else given
        return np.broadcast_to(shaped, (pool_size, n_pools))

    def check(self, n_pools: int, pool_size: int) -> None:
        """Raise `ParameterError` if the parameters do not fit K pools of L coefficients."""
        del n_pools, pool_size

    @abstractmethod
    def __call__(self, c: Array) -> Array:
        """Pool coefficients: (..., L, K) to (..., K)."""

    @abstractmethod
    def rescale(self, c: Array, b: Array) -> Array:
        """Give each pool the value b, and keep the direction of its coefficients: (..., L, K).

        This is step 1 of alternating minimisation (paper, section 3.1.1), b_k · c_k / ‖c_k‖_p.
        Entries about which b says nothing (see `known`) keep their value.
        """

    @abstractmethod
    def project(self, c: Array, b: Array) -> Array:
        """Return the nearest coefficients whose pools have the values b: (..., L, K)."""

    def known(self, c: Array, b: Array) -> Array | None:
        """Mark the coefficients whose value `rescale` takes from b: bool (..., L, K).

        None means all of them. That is the case without rectification.
        """
        del c, b
        return None
