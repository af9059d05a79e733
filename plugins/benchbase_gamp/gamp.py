"""Generalised approximate message passing, for batches of signals."""

from functools import cache

import numpy as np

import benchbase
from benchbase import Array, Inverse, Pooling, Problem, Recovery, Run
from benchbase_gamp.batch import Batch
from benchbase_gamp.linear import Message
from benchbase_gamp.model import Model
from benchbase_gamp.outputs import output_of
from benchbase_gamp.scale import root_mean_square
from benchbase_gamp.state_evolution import threshold

CHECK = 10  # iterations between two looks at the residual
BLOCK = 50_000  # coefficients in a block of signals, whose arrays then stay in a cache
STALLED = 1e-10  # relative change over CHECK iterations at which nothing more is to come


class Gamp(benchbase.Solver):
    """Generalised approximate message passing, in its form for frames of any singular values.

    Two posteriors are computed in turn, each with what the other adds as its prior: that of the
    coefficients of a pool given its value, exact (`benchbase_gamp.outputs`), and that of the
    coefficients of a standard normal signal in the frame, by a singular value decomposition. Both
    messages are normal with one variance for all coefficients of a signal. Schniter, Rangan and
    Fletcher, "Vector approximate message passing for the generalized linear model", Asilomar 2016;
    on large random frames it comes to what Rangan, "Generalized approximate message passing for
    estimation with random linear mixing", ISIT 2011, comes to, and `benchbase_gamp.state_evolution`
    predicts. Training signals are not used.

    It needs few measurements where dimensions are many. Share of signals with a squared cosine
    above .999, Gaussian signals, orthonormal pairs, started by ``spectral`` or ``linear``, at
    N = 256 (200 signals, 4 frames) and 1000 (12, 2 frames), and the K/N of state evolution:

    ==================  ==========================================  ====================  =====
    pooling             N = 256, K/N                                N = 1000, K/N         N → ∞
    ==================  ==========================================  ====================  =====
    p = 2               1.05 .58, 1.10 .90, 1.15 .98, 1.20 1.00     1.03 .42, 1.06 .92    1.014
    p = inf             1.10 .54, 1.15 .91, 1.20 .97, 1.25 1.00     1.07 .42, 1.10 .83    1.052
    rectified, p = inf  1.35 .73, 1.40 .97, 1.45 1.00               1.36 1.00             1.333
    ==================  ==========================================  ====================  =====

    On images in frames learned from them it needs no start either: 100 of MNIST in 100 dimensions,
    K = 130, p = inf, all but one in ten restarts from random starts, where ``altmin`` from
    neighbours has one. With K close to the least errors fall slowly in the end; another solver
    that starts from this one, such as ``altmin``, may finish.

    Vectors are divided by the root mean square length in each pool, and measurements by that and by
    the standard deviation of a signal's components, found from the mean of b². With thresholds,
    half rectified coefficients are shifted by them. With `Problem.noise` above zero values are
    taken for noisy, and signals do not converge. Signals with the measurements of zero are zero,
    and what the frame does not see of a signal stays as in its start.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations. A signal whose residual is no better than it was 150
        iterations ago begins anew with half the damping, and is given up the second time.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved. The
        estimate with the least, of those at every 10th iteration, is returned.
    damping : float, optional
        The share of a new message in the next one, above 0 and at most 1. Along the old message,
        where it would overshoot by L − 1, it is at most 1/L.
    overlap : float, optional
        The squared cosine that a start is taken to have, above 0 and below 1. From random and
        spectral starts .3 to .7 do alike; for good ones, as of neighbours, .8.
    perturbation : float, optional
        The share of a start that is drawn at random, by its norm, between 0 and 1, so that restarts
        differ. 0 for good starts.
    init : Solver, optional
        Gives the start, in the phase "init", of which the length does not matter: without
        rectification ``{ name = "spectral" }``, with it ``{ name = "linear" }``. By default, and
        where it gives zero, a random one.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `tol` negative or not finite, or another parameter out of range.
    """

    name = "gamp"
    requires = ("scipy.special",)
    n_iter: int = 1000
    tol: float = 1e-8
    damping: float = 0.8
    overlap: float = 0.5
    perturbation: float = 0.5
    init: benchbase.Solver | None = None

    def __post_init__(self) -> None:
        if self.n_iter < 0:
            raise benchbase.ParameterError("n_iter", f"must be at least 0, not {self.n_iter}")
        if not 0 <= self.tol < np.inf:
            raise benchbase.ParameterError("tol", f"must be finite and at least 0, not {self.tol}")
        if not 0 < self.damping <= 1:
            problem = f"must be above 0 and at most 1, not {self.damping}"
            raise benchbase.ParameterError("damping", problem)
        if not 0 < self.overlap < 1:
            problem = f"must be above 0 and below 1, not {self.overlap}"
            raise benchbase.ParameterError("overlap", problem)
        if not 0 <= self.perturbation <= 1:
            problem = f"must be between 0 and 1, not {self.perturbation}"
            raise benchbase.ParameterError("perturbation", problem)

    def unsupported(self, problem: Problem) -> str | None:
        """Name complex frames, frames that form no vectors, and poolings without a posterior."""
        frame = problem.frame
        if frame.is_complex:
            return "the frame is complex, and gamp is for real ones"
        output = output_of(problem.pooling, frame.pool_size)
        if isinstance(output, str):
            return output
        try:
            frame.dense()
        except NotImplementedError:
            return "gamp needs the vectors of a frame that never forms them"
        return super().unsupported(problem)

    def transition(self, pooling: Pooling, pool_size: int) -> float | None:
        """Return what state evolution predicts; None with thresholds, whose unit is the frame's."""
        if not pooling.homogeneous or isinstance(output_of(pooling, pool_size), str):
            return None
        return _threshold(pooling, pool_size)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the initialiser, and decompose the frame."""
        start = None if self.init is None else self.init.prepare(problem)
        frame = problem.frame
        model = Model(problem) if np.any(frame.dense()) else None
        nothing = problem.measure(np.zeros(frame.n))

        def inverse(b: Array, run: Run) -> Recovery:
            x = np.zeros((len(b), frame.n))
            if start is not None:
                with run.phase("init") as inner:
                    x = np.array(start(b, inner).x, dtype=np.float64)
            n_iter = np.zeros(len(b), dtype=np.int64)
            converged = _residual(nothing, b) <= self.tol
            x[converged] = 0
            todo = np.flatnonzero(~converged)
            if model is None or not todo.size:
                return Recovery(x=x, n_iter=n_iter, converged=converged)
            blocks = -(-todo.size * frame.pool_size * frame.n_pools // BLOCK)
            for block in np.array_split(todo, min(blocks, todo.size)):
                part = self._recover(problem, model, b[block], x[block], run.rows(block))
                x[block], n_iter[block], converged[block] = part
            return Recovery(x=x, n_iter=n_iter, converged=converged)

        return inverse

    def _start(self, model: Model, x: Array, run: Run) -> tuple[Array, Message]:
        """Return the estimates (S, N) to start from, and the first message.

        `x` are the starts given, in units; where one is zero or not finite, a random one takes its
        place.
        """
        drawn = run.normal(x.shape[1])
        x = np.where(np.isfinite(x).all(axis=1, keepdims=True), x, 0)
        size = root_mean_square(model.analyse(x))
        given = size[:, None] > 0
        share = np.where(given, self.perturbation, 1.0)
        direction = np.divide(x, size[:, None], out=np.zeros_like(x), where=given)
        mean = model.analyse((1 - share**2) ** 0.5 * direction + share * drawn)
        variance = np.full((len(x), 1), 1 - self.overlap)
        return np.where(given, x, drawn), Message(self.overlap**0.5 * mean, variance)

    def _recover(
        self, problem: Problem, model: Model, b: Array, x: Array, run: Run
    ) -> tuple[Array, Array, Array]:
        """Run all iterations from the starts x (S, N); return x, iterations and convergence."""
        measured, sigma = model.measured(b)
        x, message = self._start(model, x / sigma[:, None], run)
        batch = Batch(measured, message, model.linear.hidden(x), self.damping)
        best, least = sigma[:, None] * x, np.full(len(b), np.inf)
        n_iter, converged = np.full(len(b), self.n_iter), np.zeros(len(b), dtype=bool)
        moving = np.ones(len(b), dtype=bool)
        for i in [*range(0, self.n_iter, CHECK), self.n_iter]:
            rows = batch.rows
            estimate = sigma[rows, None] * x
            gap = _residual(problem.measure(estimate), b[rows])
            better = gap < least[rows]
            best[rows[better]], least[rows[better]] = estimate[better], gap[better]
            run.record(i, best)
            solved = gap <= self.tol
            stay = moving & ~solved & batch.hopeful(i, gap)
            converged[rows[solved]] = True
            n_iter[rows[~stay]] = i
            if i == self.n_iter or not stay.any():
                break
            if not stay.all():
                batch.keep(stay)
                x = x[stay]
            for _ in range(min(CHECK, self.n_iter - i)):
                new, inner = model.linear(model.pools(batch.message, batch.measured))
                batch.receive(new, problem.frame.pool_size)
            before, x = x, model.linear.signal(inner) + batch.hidden
            moving = root_mean_square(x - before) > STALLED * root_mean_square(x)
        return best, n_iter, converged


_threshold = cache(threshold)  # half a second each, and reports ask for many rows


def _residual(measured: Array, b: Array) -> Array:
    """Return ‖measured − b‖ / ‖b‖ of each signal, the numerator alone where b = 0."""
    size = root_mean_square(b)
    gap: Array = root_mean_square(measured - b) / np.where(size > 0, size, b.shape[1] ** -0.5)
    return gap
