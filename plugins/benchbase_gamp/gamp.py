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

    The solver computes two posteriors in turn, each with what the other has added as its prior. The
    first is that of the coefficients of a pool given the pool's value; it is exact
    (`benchbase_gamp.outputs`). The second is that of the coefficients of a standard normal signal
    in the frame; it comes from a singular value decomposition. The messages between the two are
    normal, with one variance for all coefficients of a signal. Source: Schniter, Rangan and
    Fletcher, "Vector approximate message passing for the generalized linear model", Asilomar 2016.
    On large random frames it reaches the same estimates as Rangan, "Generalized approximate message
    passing for estimation with random linear mixing", ISIT 2011, which
    `benchbase_gamp.state_evolution` predicts. Training signals are not used.

    For large N the solver needs K/N only a little above the limit in the last column, which state
    evolution predicts. Each pair in the table is K/N and the share of recovered signals (squared
    cosine above .999): at N = 256 and p = 2, .58 of the signals are recovered with K/N = 1.05.
    Signals are Gaussian, pools are orthonormal pairs, the start is ``spectral`` or ``linear``, and
    there are 200 signals and 4 frames at N = 256, 12 signals and 2 frames at N = 1000:

    ==================  ==========================================  ====================  =====
    pooling             N = 256, K/N                                N = 1000, K/N         N → ∞
    ==================  ==========================================  ====================  =====
    p = 2               1.05 .58, 1.10 .90, 1.15 .98, 1.20 1.00     1.03 .42, 1.06 .92    1.014
    p = inf             1.10 .54, 1.15 .91, 1.20 .97, 1.25 1.00     1.07 .42, 1.10 .83    1.052
    rectified, p = inf  1.35 .73, 1.40 .97, 1.45 1.00               1.36 1.00             1.333
    ==================  ==========================================  ====================  =====

    On images, in frames learned from them, random starts are enough: with ten restarts the solver
    recovers all but one of 100 MNIST images in 100 dimensions, K = 130, p = inf,
    while ``altmin`` from neighbours recovers one. With K close to the least possible, errors
    fall slowly in the end; another solver that starts from this one, such as ``altmin``, may then
    finish.

    Vectors are divided by the root mean square length in each pool, and measurements by that length
    and by the standard deviation of a signal's components, which is found from the mean of b². With
    thresholds, half rectified coefficients are shifted by them. If `Problem.noise` is above zero,
    measurements are treated as noisy, and signals do not converge. If the measurements of a signal
    are those of the zero signal, its estimate is zero. The part of a signal that the frame does not
    see stays as it is in the start.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations. A signal whose residual has not fallen by 1 % in 150
        iterations begins again once, from its first message, with `damping` halved, so that its
        steps are smaller. If it stalls again, it is given up.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved. Of the
        estimates at every 10th iteration, the one with the least residual is returned.
    damping : float, optional
        The share of a new message in the next one, above 0 and at most 1. In the direction
        of the old message, the share is at most 1/L, since a larger step would overshoot there.
    overlap : float, optional
        The assumed squared cosine between the start and the signal, above 0 and below 1. From
        random and spectral starts, values from .3 to .7 do equally well; for good starts, such as
        those from neighbours, use .8.
    perturbation : float, optional
        The share of a start, by its norm, that is drawn at random so that restarts differ, between
        0 and 1. Use 0 for good starts.
    init : Solver, optional
        Gives the start, of which only the direction matters, except for the part that the frame
        does not see; its time is reported apart, as ``init_seconds``. Use ``{ name = "spectral" }``
        without rectification and ``{ name = "linear" }`` with it. A random start is the default,
        and takes the place of a start that is zero.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `tol` is negative or not finite, or another parameter is out of
        range.
    """

    name = "gamp"
    requires = ("scipy.special",)
    blocks: ClassVar[Blocks] = Blocks(50_000, "ceiling")  # arrays of such blocks stay in a cache
    damping: float = 0.8
    overlap: float = 0.5
    perturbation: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        benchbase.check_range("damping", self.damping, above=0, most=1)
        benchbase.check_range("overlap", self.overlap, above=0, below=1)
        benchbase.check_range("perturbation", self.perturbation, least=0, most=1)

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not apply to complex frames, to frames that never form their vectors, and to
        poolings for which it has no exact posterior.
        """
        reason = super().unsupported(problem)
        if reason is not None:
            return reason
        output = output_of(problem.pooling, problem.frame.pool_size)
        if isinstance(output, str):
            return output
        try:
            problem.vectors(counted=True)
        except NotImplementedError:
            return "gamp needs the frame's vectors, but this frame never forms them"
        return None

    def transition(self, pooling: Pooling, pool_size: int) -> float | None:
        """Return the K/N that state evolution predicts, or None if it predicts nothing.

        There is no prediction for a pooling with thresholds, as their unit depends on the frame.
        """
        if not pooling.homogeneous or isinstance(output_of(pooling, pool_size), str):
            return None
        return _threshold(pooling, pool_size)

    def set_up(self, problem: Problem) -> tuple[Start, Begin]:
        """Prepare the solver that gives the start, and decompose the frame."""
        start = benchbase.start_of(self.init, problem, _no_start)
        model = Model(problem)
        parameters = self.damping, self.overlap, self.perturbation
        return start, lambda b, x, run: Passing(model, b, x, run, *parameters)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the start, and decompose the frame unless all its vectors are zero."""
        nothing = problem.measure(np.zeros(problem.frame.n))
        begin: Begin | None = None
        if np.any(problem.vectors(counted=True)):
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
    """Return zeros (S, N), which message passing replaces by random starts."""
    del run
    return np.zeros((len(b), problem.frame.n))


_threshold = cache(threshold)  # a call takes half a second, and reports make one for each row
