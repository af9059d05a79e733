"""What solvers and the runner exchange: problems, runs, recoveries, and the metrics.

Shapes: S signals, N dimension, K pools, T training signals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from benchbase.component import Array
from benchbase.errors import ParameterError, check_real
from benchbase.representation import Frame, Pooling


class SignalSet(Protocol):
    """A closed set of signals that a solver can project on."""

    def project(self, x: Array) -> Array:
        """Return the nearest signals of the set: (..., N) to (..., N)."""


@dataclass(frozen=True)
class Problem:
    """All that a solver may know before it sees measurements; never the test signals.

    Parameters
    ----------
    frame : Frame
        The linear part.
    pooling : Pooling
        The pooling operator.
    training : ndarray, shape (T, N), optional
        Signals from the same source as those to recover, read-only and float32. A large array is
        memory-mapped: read it in blocks.
    signal_norm : float, optional
        The Euclidean norm that all signals share; None if they differ or it is not known.
    noise : float or None, optional
        The standard deviation of the noise on each measurement; None if there is noise of unknown
        strength.
    hint : bool, optional
        Whether each signal comes with a first guess at it, `Run.hint`.
    signal_set : SignalSet, optional
        A set that is known to contain the signals, such as those without negative entries.

    Raises
    ------
    ParameterError
        If the pooling's parameters do not fit the frame, training signals are complex, or the frame
        is for complex signals and N is odd.
    """

    frame: Frame
    pooling: Pooling
    training: Array | None = None
    signal_norm: float | None = None
    noise: float | None = 0.0
    hint: bool = False
    signal_set: SignalSet | None = None

    def __post_init__(self) -> None:
        check_real("training", self.training)
        if self.frame.field == "complex" and self.frame.n % 2:
            raise ParameterError("frame", "is for complex signals, so that its n must be even")
        self.pooling.check(self.frame.n_pools, self.frame.pool_size)

    @property
    def ambiguity(self) -> str:
        """What the measurements cannot tell: "none", "sign" or "phase"."""
        if not self.pooling.even:
            return "none"
        lost = self.frame.is_complex or self.frame.field == "complex"
        return "phase" if lost else "sign"

    def vectors(self, *, counted: bool = False) -> Array:
        """Return the frame's vectors, (K, L, N), read-only.

        Parameters
        ----------
        counted : bool, optional
            Whether the solver tells the cost of what it does with them to `Run.count`. If not, the
            solver has no number of frame applications.

        Raises
        ------
        NotImplementedError
            If the frame never forms its vectors.
        """
        return self.frame.vectors(counted=counted)

    def measure(self, x: Array) -> Array:
        """Return P(F x): (..., N) to (..., K).

        Raises
        ------
        ParameterError
            If x is complex.
        """
        check_real("x", x)
        return self.pooling(self.frame.analyse(x))

    def residual(self, x: Array, b: Array) -> Array:
        """Return ‖P(F x) − b‖ / ‖b‖ (the numerator alone where b = 0), of shape (...)."""
        return relative_residual(self.measure(x), b)

    def squared_cosine(self, x: Array, truth: Array) -> Array:
        """Return the squared cosine of estimates (..., N), with the best sign or phase if lost."""
        return squared_cosine(self._numbers(x), self._numbers(truth), self.ambiguity)

    def relative_error(self, x: Array, truth: Array) -> Array:
        """Return the relative error of estimates (..., N), with the best sign or phase if lost."""
        return relative_error(self._numbers(x), self._numbers(truth), self.ambiguity)

    def _numbers(self, x: Array) -> Array:
        """Return signals as they are, or as N/2 complex numbers if a phase of these is lost."""
        if self.frame.field == "real" or self.ambiguity != "phase":
            return x
        half = self.frame.n // 2
        numbers: Array = x[..., :half] + 1j * x[..., half:]
        return numbers


def relative_residual(measured: Array, b: Array) -> Array:
    """Return ‖measured − b‖ / ‖b‖ along the last axis, the numerator alone where b = 0."""
    size = np.linalg.norm(b, axis=-1)
    gap: Array = np.linalg.norm(measured - b, axis=-1)
    return gap / np.where(size > 0, size, 1.0)


@dataclass(frozen=True)
class Query:
    """Measurements about which a solver wants to know something; see `Run.shared`.

    Attributes
    ----------
    problem : Problem
        The problem that they belong to.
    b : ndarray, shape (S, K)
        The measurements.
    alone : callable
        Returns a context manager: what is done in it costs this query only.
    """

    problem: Problem
    b: Array
    alone: Callable[[], AbstractContextManager[None]]


Finding: TypeAlias = Callable[[Sequence[Query]], Sequence[dict[str, Array]]]
"""Returns named arrays for each of several queries, in their order; see `Run.shared`."""


class Run(Protocol):
    """Gives a solver its random numbers, and keeps its clocks and traces.

    Every signal has its own stream of random numbers, so that a result does not depend on the batch
    it was computed in. A phase that is opened twice under one name gives the same numbers twice,
    and so does `repeat`: give each phase a name of its own.
    """

    @property
    def size(self) -> int:
        """The number of signals S."""

    @property
    def generators(self) -> list[np.random.Generator]:
        """One generator per signal."""

    @property
    def hint(self) -> Array | None:
        """First guesses at the signals (S, N); None if the problem has none (`Problem.hint`)."""

    def normal(self, *shape: int) -> Array:
        """Draw standard normal numbers, (S, ...); row i comes from the stream of signal i."""

    def phase(self, name: str) -> AbstractContextManager[Run]:
        """Open a part of the work, such as "init": its own streams, clock and frame count."""

    def count(self, rows: float) -> None:
        """Add applications of the frame to `rows` signals to the cost.

        It is for work with `Problem.vectors`; calls of the frame are counted by themselves. The
        product of all vectors with one signal counts one, and so does that of one pool's worth of
        coefficients for each pool with them. Other work of a signal counts by its floating-point
        operations, in units of the 2·K·L·N of such a product.
        """

    def shared(self, problem: Problem, b: Array, name: str, find: Finding) -> dict[str, Array]:
        """Return what `find` finds about measurements, once for all solvers of a run.

        It is for long work that depends on nothing but the frame, the pooling, the training signals
        and the measurements. In a run, what one solver has found is kept for the others.

        Parameters
        ----------
        problem : Problem
            The problem that the solver was prepared for.
        b : ndarray, shape (S, K)
            The measurements of all or some of the signals.
        name : str
            A text with everything else that the arrays depend on, such as the name of the module
            that finds them, and its parameters.
        find : callable
            Finds the arrays for a list of queries. The first is the one for `b`. If the class of
            the solver sets `Solver.asks_alike`, others may follow which the same solver is going to
            ask: those of the same signals and frame under other poolings. What is found about a
            query must not depend on the others.

        Returns
        -------
        dict of str to ndarray
            The arrays. Their cost is added to the solver's, also if they were found before: the
            seconds and frame applications that `find` took, without those that it spent on other
            queries alone (`Query.alone`).
        """

    def record(self, n_iter: int, x: Array) -> None:
        """Keep a snapshot of the estimates (S, N) if a trace was asked for, outside the clock."""

    def rows(self, index: Array) -> Run:
        """Return the run of the signals at `index` (integers or a mask), a part of the batch."""

    def repeat(self, n: int) -> Run:
        """Return a run of S·n rows: each signal n times in succession, each with its own stream."""


@dataclass(frozen=True)
class Recovery:
    """The estimates that a solver returns, and what it says about them.

    Parameters
    ----------
    x : ndarray, shape (S, N)
        The estimates. A row that is not finite counts as failed.
    n_iter : ndarray of int, shape (S,), optional
        The number of iterations that each signal took.
    converged : ndarray of bool, shape (S,), optional
        Whether each signal met the solver's own criterion.
    message : str, optional
        A remark for the table of results.

    Raises
    ------
    ParameterError
        If x is complex.
    """

    x: Array
    n_iter: Array | None = None
    converged: Array | None = None
    message: str = ""

    def __post_init__(self) -> None:
        check_real("x", self.x)


def squared_cosine(x: Array, truth: Array, ambiguity: str = "sign") -> Array:
    """Return cos² of the angle between estimates and truth, the paper's measure of recovery.

    Parameters
    ----------
    x, truth : ndarray, shape (..., N)
        Estimates and true signals.
    ambiguity : {"sign", "phase", "none"}
        With "none" the sign matters: a negative cosine scores 0.

    Returns
    -------
    ndarray, shape (...)
        Between 0 and 1; 0 where either is zero, NaN where the estimate is not finite.
    """
    inner = np.einsum("...n,...n->...", np.conj(truth), x)
    size = np.linalg.norm(x, axis=-1) * np.linalg.norm(truth, axis=-1)
    kind = np.result_type(inner, np.float32)  # not integers, as their quotients are none
    cosine = np.divide(inner, size, out=np.zeros(inner.shape, kind), where=size != 0)
    if ambiguity == "none":
        cosine = np.where(cosine < 0, 0.0, cosine)
    square: Array = np.minimum(np.abs(cosine) ** 2, 1.0)
    return square


def relative_error(x: Array, truth: Array, ambiguity: str = "sign") -> Array:
    """Return ‖x − truth‖ / ‖truth‖, the sign or phase of x chosen best where it is lost.

    Parameters
    ----------
    x, truth : ndarray, shape (..., N)
        Estimates and true signals.
    ambiguity : {"sign", "phase", "none"}
        What the measurements cannot tell.

    Returns
    -------
    ndarray, shape (...)
        The numerator alone where the truth is zero.
    """
    turned = x
    if ambiguity != "none":
        inner = np.einsum("...n,...n->...", np.conj(x), truth)
        size = np.abs(inner)
        kind = np.result_type(inner, np.float32)  # not integers, as their quotients are none
        turn = np.divide(inner, size, out=np.ones(inner.shape, kind), where=size != 0)
        turned = x * turn[..., None]
    gap: Array = np.linalg.norm(turned - truth, axis=-1)
    scale = np.linalg.norm(truth, axis=-1)
    return gap / np.where(scale > 0, scale, 1.0)
