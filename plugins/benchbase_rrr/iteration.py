"""What the methods share: starts, blocks of signals, looks at the residual, the best estimate."""

import math
from abc import abstractmethod
from typing import ClassVar, TypeAlias

import numpy as np

import benchbase
from benchbase import Array, Frame, Inverse, Problem, Recovery, Run

CHECK = 10  # iterations between two looks at the residual, which costs a pooling
STALLED = 1e-12  # relative change in one iteration at which nothing more is to come
UNSEEN = 1e-8  # share of ‖F x‖ below which the frame does not see a part of x

# Coefficients in a block of signals, and the least number of signals. Arrays of up to 128 kB come
# from memory that is in the cache already, larger ones from the system, page by page: n = 40,
# K = 46, microseconds a signal and iteration in blocks of 20 / 130 / 400 signals: 1.4 / .7 / .8
# for p = 2, 1.5 / .8 / 1.0 for p = inf, 3.4 / 2.1 / 4.9 for p = 1 rectified. Fewer than 64 signals
# do not pay for reading large frames: n = 256, K = 330, p = 2: 26 in blocks of 20, 16 of 80.
BLOCK = 12_000
LEAST = 64

State: TypeAlias = tuple[Array, Array, Array]
"""The iterate y (S, L, K), an estimate x (S, N), and F x (S, L, K)."""


class ProjectionMethod(benchbase.Solver):
    """An iteration on coefficients by projections onto two sets, for batches of signals.

    A is what signals can have as coefficients, the range of the frame: P_A y = F F⁺ y. B is what
    the measurements b allow: P_B is `Pooling.project`, the nearest coefficients whose pools have
    the values b, exactly. The iterates y are coefficients too, and start at F x0. Estimates x come
    with each P_A; of those looked at the one with the least residual is kept.

    P_A is always `Frame.least_squares` and then `Frame.analyse`, and may be affine, as of least
    squares with a prior: steps are affine combinations, so that what A and B share stays fixed.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    beta : float
        The relaxation β.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start x0, in the phase "init". By default a Gaussian vector for each signal,
        scaled so that ‖P(F x0)‖ = ‖b‖, or is at most that, with thresholds.

    Attributes
    ----------
    largest : float
        The largest β. Class attribute.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `beta` not positive or above `largest`, or `tol` negative or not
        finite.
    """

    largest: ClassVar[float] = 2.0
    n_iter: int = 2000
    beta: float
    tol: float = 1e-8
    init: benchbase.Solver | None = None

    def __post_init__(self) -> None:
        if self.n_iter < 0:
            raise benchbase.ParameterError("n_iter", f"must be at least 0, not {self.n_iter}")
        if not 0 < self.beta <= self.largest:
            problem = f"must be above 0 and at most {self.largest:g}, not {self.beta}"
            raise benchbase.ParameterError("beta", problem)
        if not 0 <= self.tol < np.inf:
            raise benchbase.ParameterError("tol", f"must be finite and at least 0, not {self.tol}")

    @abstractmethod
    def step(self, problem: Problem, b: Array, y: Array, c: Array) -> State:
        """Return the next iterate, and the estimate that P_A gave on the way.

        Parameters
        ----------
        problem : Problem
            Frame and pooling.
        b : ndarray, shape (S, K)
            The measurements.
        y : ndarray, shape (S, L, K)
            The iterate; may be overwritten.
        c : ndarray, shape (S, L, K)
            F x of the last step, or P_A y before the first.

        Returns
        -------
        y, x, c : ndarray
            The iterate, x of shape (S, N), and F x.
        """

    def unsupported(self, problem: Problem) -> str | None:
        """Name complex frames."""
        if problem.frame.is_complex:
            return "the frame is complex, and the iteration is for real ones"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the initialiser and factorise the frame."""
        start = None if self.init is None else self.init.prepare(problem)
        frame = problem.frame
        frame.least_squares(np.zeros((frame.pool_size, frame.n_pools)))  # factorises it
        size = max(LEAST, BLOCK // (frame.pool_size * frame.n_pools))

        def inverse(b: Array, run: Run) -> Recovery:
            if start is None:
                x = _gaussian_start(problem, b, run)
            else:
                with run.phase("init") as inner:
                    x = np.array(start(b, inner).x, dtype=np.float64)
            n_iter, converged = np.zeros(len(b), dtype=np.int64), np.zeros(len(b), dtype=bool)
            for block in np.array_split(np.arange(len(b)), max(1, math.ceil(len(b) / size))):
                part = self._iterate(problem, b[block], x[block], run.rows(block))
                x[block], n_iter[block], converged[block] = part
            return Recovery(x=x, n_iter=n_iter, converged=converged)

        return inverse

    def _iterate(
        self, problem: Problem, b: Array, x: Array, run: Run
    ) -> tuple[Array, Array, Array]:
        """Run all iterations from the starts x (S, N); return x, iterations and convergence."""
        frame, pooling = problem.frame, problem.pooling
        y = c = frame.analyse(x)
        found, unseen = x.copy(), _unseen(frame, x, y)
        n_iter, best = np.full(len(b), self.n_iter), np.full(len(b), np.inf)
        size = norms(b)
        limit = self.tol * np.where(size > 0, size, 1)
        batch = np.arange(len(b))  # the signals that have not left
        moving = np.ones(len(b), dtype=bool)
        for i in [*range(0, self.n_iter, CHECK), self.n_iter]:
            gap = norms(pooling(c) - b)
            better = gap < best[batch]
            best[batch[better]] = gap[better]
            if i:
                found[batch[better]] = x[better] + unseen[better]
            run.record(i, found)
            stay = moving & (gap > limit[batch])  # what is no number is not above the limit
            n_iter[batch[~stay]] = i
            if i == self.n_iter or not stay.any():
                break
            if not stay.all():
                batch, unseen, b, y, c = (part[stay] for part in (batch, unseen, b, y, c))
            if not i:
                _, c = onto_range(frame, y)
            y, x, c, moving = self._steps(min(CHECK, self.n_iter - i), problem, b, y, c)
        return found, n_iter, best <= limit

    def _steps(
        self, n: int, problem: Problem, b: Array, y: Array, c: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Make n steps; tell of each signal whether the last one moved y, too."""
        for _ in range(n - 1):
            y, _, c = self.step(problem, b, y, c)
        before = y.copy()
        y, x, c = self.step(problem, b, y, c)
        return y, x, c, norms(y - before) > STALLED * norms(y)


def norms(rows: Array) -> Array:
    """Return the Euclidean norm of each signal's numbers, in one pass: (S, ...) to (S,)."""
    flat = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    size: Array = np.sqrt(np.einsum("sk,sk->s", flat, flat))
    return size


def onto_range(frame: Frame, y: Array) -> tuple[Array, Array]:
    """Return the x with the least ‖F x − y‖, (S, N), and P_A y = F x, (S, L, K)."""
    x = frame.least_squares(y)
    return x, frame.analyse(x)


def _gaussian_start(problem: Problem, b: Array, run: Run) -> Array:
    """Draw starts (S, N) and scale them so that ‖P(F x)‖ = ‖b‖.

    One that measures nothing stays as drawn. With thresholds above 0, where P(t c) grows faster
    than t, ‖P(F x)‖ is at most ‖b‖. That will do: rrr solves as much from starts a million times
    too small, but next to nothing rectified in 2000 iterations from ones 1000 times too large.
    """
    x = run.normal(problem.frame.n)
    for most in (np.inf, 1.0):
        size = norms(problem.measure(x))
        scale = norms(b) / np.where(size > 0, size, 1)
        x *= np.where(size > 0, np.minimum(scale, most), 1)[:, None]
    return x


def _unseen(frame: Frame, x: Array, c: Array) -> Array:
    """Return the part of x (S, N) that the frame does not see, if L·K < N; c is F x.

    F⁺ y has no such part, and estimates take that of the start. What least squares with a prior
    leave out of x is another thing: the frame sees it.
    """
    if frame.pool_size * frame.n_pools >= frame.n:
        return np.zeros_like(x)
    rest = x - frame.least_squares(c)
    hidden = norms(frame.analyse(rest)) <= UNSEEN * norms(c)
    return np.where(hidden[:, None], rest, 0)
