"""What the projection methods share: their base class, starts and the state of an iteration."""

from abc import abstractmethod
from typing import ClassVar, TypeAlias

import numpy as np

import benchbase
from benchbase import Array, Begin, Blocks, Frame, Problem, Run, Start, divisors, moved, norms

UNSEEN = 1e-8  # the frame does not see a part of x whose coefficients are below this share of ‖F x‖

State: TypeAlias = tuple[Array, Array, Array]
"""The iterate y (S, L, K), the estimate x (S, N), and its coefficients F x (S, L, K)."""


class ProjectionMethod(benchbase.IterativeSolver):
    """Base class of solvers that project the coefficients onto two sets in turn.

    The set A holds the coefficients that signals can have, which is the range of the frame:
    P_A y = F F⁺ y. The set B holds those whose pools have the measured values b: P_B is
    `Pooling.project`, which is exact. The iterates y are coefficients too and start at F x0. Each
    application of P_A gives an estimate x. The residuals of some of these estimates are computed,
    and the estimate with the least residual is returned.

    P_A is always `Frame.least_squares` followed by `Frame.analyse`. It may be affine, as it is if
    the least squares hold signals near a prior. Steps are affine combinations, so that points in
    both A and B stay where they are.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    beta : float
        The relaxation β.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start x0; its time is reported apart, as ``init_seconds``. The default is a
        Gaussian vector for each signal, scaled so that ‖P(F x0)‖ = ‖b‖; with thresholds ‖P(F x0)‖
        may be less.

    Attributes
    ----------
    largest : float
        The largest β that is allowed. Class attribute.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, if `beta` is not positive or above `largest`, or if `tol` is
        negative or not finite.
    """

    # Arrays of up to 128 kB come from memory that is in the cache already; larger ones come from
    # the system, page by page. Microseconds per signal and iteration at n = 40, K = 46, in blocks
    # of 20 / 130 / 400 signals: 1.4 / .7 / .8 for p = 2, 1.5 / .8 / 1.0 for p = inf, and 3.4 / 2.1
    # / 4.9 for rectified p = 1. For fewer than 64 signals it does not pay to read a large frame: at
    # n = 256, K = 330, p = 2 they are 26 in blocks of 20 and 16 in blocks of 80.
    blocks: ClassVar[Blocks] = Blocks(12_000, "signals", least=64)
    largest: ClassVar[float] = 2.0
    n_iter: int = 2000
    beta: float

    def __post_init__(self) -> None:
        super().__post_init__()
        benchbase.check_range("beta", self.beta, above=0, most=self.largest)

    @abstractmethod
    def step(self, problem: Problem, b: Array, y: Array, c: Array) -> State:
        """Return the next iterate, and the estimate that P_A gives on the way.

        Parameters
        ----------
        problem : Problem
            The frame and the pooling.
        b : ndarray, shape (S, K)
            The measurements.
        y : ndarray, shape (S, L, K)
            The iterate; the method may overwrite it.
        c : ndarray, shape (S, L, K)
            F x of the last step, or P_A y if there was no step yet.

        Returns
        -------
        y, x, c : ndarray
            The next iterate, the estimate x of shape (S, N), and F x.
        """

    def set_up(self, problem: Problem) -> tuple[Start, Begin]:
        """Prepare the solver that gives the start, and factorise the frame."""
        start, frame = benchbase.start_of(self.init, problem, _gaussian_start), problem.frame
        frame.least_squares(np.zeros((frame.pool_size, frame.n_pools)))  # its first call factorises
        return start, lambda b, x, _: Projections(self, problem, b, x)


class Projections(benchbase.Iteration):
    """The state of a projection method for one block of signals.

    Parameters
    ----------
    method : ProjectionMethod
        Makes the steps.
    problem, b, x
        As for `Iteration`.

    Attributes
    ----------
    y, c : ndarray, shape (S, L, K)
        The iterates, and the coefficients F x of the estimates.
    """

    per_signal = (*benchbase.Iteration.per_signal, "y", "c", "_unseen")

    def __init__(self, method: ProjectionMethod, problem: Problem, b: Array, x: Array) -> None:
        super().__init__(problem, b, x)
        self._method = method
        self.y = self.c = problem.frame.analyse(x)
        self._unseen = unseen(problem.frame, x, self.y)

    def look(self) -> tuple[Array, Array]:
        """Return the estimates and their residuals."""
        return self.x, norms(self.problem.pooling(self.c) - self.b)

    def step(self) -> None:
        """Go to the next iterate."""
        self.y, self.x, self.c = self._method.step(self.problem, self.b, self.y, self.c)

    def advance(self, steps: int) -> Array:
        """Take the steps to the next look; return which iterates the last one moved, bool (S,)."""
        if not self.i:
            _, self.c = onto_range(self.problem.frame, self.y)
        self.take_steps(steps - 1)
        before = self.y.copy()
        self.take_steps(1)
        self.x = self.x + self._unseen
        return moved(before, self.y)


def onto_range(frame: Frame, y: Array) -> tuple[Array, Array]:
    """Return the x (S, N) with the least ‖F x − y‖, and P_A y = F x (S, L, K)."""
    x = frame.least_squares(y)
    return x, frame.analyse(x)


def _gaussian_start(problem: Problem, b: Array, run: Run) -> Array:
    """Draw starts (S, N) and scale them so that ‖P(F x)‖ = ‖b‖.

    A start whose measurements are all zero stays as drawn. With thresholds above 0, where P(t c)
    grows faster than t, ‖P(F x)‖ is at most ‖b‖. That is enough: rrr solves as many signals from
    starts that are a million times too small. From starts that are 1000 times too large it solves
    next to none in 2000 iterations, with rectification.
    """
    x = run.normal(problem.frame.n)
    for most in (np.inf, 1.0):
        size = norms(problem.measure(x))
        scale = norms(b) / divisors(size)
        x *= np.where(size > 0, np.minimum(scale, most), 1)[:, None]
    return x


def unseen(frame: Frame, x: Array, c: Array) -> Array:
    """Return the part of x (S, N) that the frame does not see: zero unless L·K < N; c is F x.

    F⁺ y has no such part, so that estimates take it from the start. Least squares with a prior
    leave out a part of x as well, but the frame sees that part: it is not counted here.
    """
    if frame.pool_size * frame.n_pools >= frame.n:
        return np.zeros_like(x)
    rest = x - frame.least_squares(c)
    hidden = norms(frame.analyse(rest)) <= UNSEEN * norms(c)
    return np.where(hidden[:, None], rest, 0)
