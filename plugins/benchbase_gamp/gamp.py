"""Generalised approximate message passing, for batches of signals."""

from functools import cache
from typing import ClassVar

import numpy as np

import benchbase
from benchbase import Array, Begin, Blocks, Inverse, Pooling, Problem, Recovery, Run, Start
from benchbase_gamp.model import Model
from benchbase_gamp.outputs import output_of
from benchbase_gamp.passing import Passing, relative_residual
from benchbase_gamp.state_evolution import threshold


class Gamp(benchbase.IterativeSolver):
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
    blocks: ClassVar[Blocks] = Blocks(50_000, "ceiling")  # whose arrays then stay in a cache
    damping: float = 0.8
    overlap: float = 0.5
    perturbation: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        benchbase.check_range("damping", self.damping, above=0, most=1)
        benchbase.check_range("overlap", self.overlap, above=0, below=1)
        benchbase.check_range("perturbation", self.perturbation, least=0, most=1)

    def unsupported(self, problem: Problem) -> str | None:
        """Return why not: a complex frame, one without vectors, a pooling without a posterior."""
        reason = super().unsupported(problem)
        if reason is not None:
            return reason
        output = output_of(problem.pooling, problem.frame.pool_size)
        if isinstance(output, str):
            return output
        try:
            problem.frame.dense()
        except NotImplementedError:
            return "gamp needs the vectors of a frame that never forms them"
        return None

    def transition(self, pooling: Pooling, pool_size: int) -> float | None:
        """Return what state evolution predicts; None with thresholds, whose unit is the frame's."""
        if not pooling.homogeneous or isinstance(output_of(pooling, pool_size), str):
            return None
        return _threshold(pooling, pool_size)

    def set_up(self, problem: Problem) -> tuple[Start, Begin]:
        """Prepare the initialiser, and decompose the frame."""
        start = benchbase.start_of(self.init, problem, _no_start)
        model = Model(problem)
        parameters = self.damping, self.overlap, self.perturbation
        return start, lambda b, x, run: Passing(model, b, x, run, *parameters)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the initialiser, and decompose the frame unless all of it is zero."""
        nothing = problem.measure(np.zeros(problem.frame.n))
        begin: Begin | None = None
        if np.any(problem.frame.dense()):
            start, begin = self.set_up(problem)
        else:
            start = benchbase.start_of(self.init, problem, _no_start)

        def inverse(b: Array, run: Run) -> Recovery:
            x = start(b, run)
            solved = relative_residual(nothing, b) <= self.tol
            x[solved] = 0
            if begin is None:
                return Recovery(x=x, n_iter=np.zeros(len(b), dtype=np.int64), converged=solved)
            return self.iterate(problem, begin, b, x, run, solved)

        return inverse


def _no_start(problem: Problem, b: Array, run: Run) -> Array:
    """Return zeros (S, N), in whose place message passing draws a start of its own."""
    del run
    return np.zeros((len(b), problem.frame.n))


_threshold = cache(threshold)  # half a second each, and reports ask for many rows
