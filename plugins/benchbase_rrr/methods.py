"""Relaxed-reflect-reflect, relaxed averaged alternating reflections, hybrid input-output."""

from typing import ClassVar

from benchbase import Array, Problem
from benchbase_rrr.iteration import ProjectionMethod, State, onto_range


class RRR(ProjectionMethod):
    """Relaxed-reflect-reflect.

    Elser, "The complexity of bit retrieval", IEEE Transactions on Information Theory 64 (2018),
    and Elser, Lan and Bendory, "Benchmark problems for phase retrieval", SIAM Journal on Imaging
    Sciences 11 (2018)::

        y ← y + β (P_B(2 P_A y − y) − P_A y),    x = F⁺ y

    with A the range of the frame and B the coefficients with the measurements b, as in
    `ProjectionMethod`. For β = 1 it is the Douglas-Rachford iteration. It goes on until A and B
    meet, and does not stop at points where they are merely near. With few pools, where alternating
    minimisation fails, it therefore takes longer. Several short runs, as with ``restarts``, solve
    more signals than one long run.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    beta : float, optional
        The relaxation β, above 0 and at most 2.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start x0, in the phase "init"; y = F x0. By default a Gaussian vector for each
        signal, scaled so that ‖P(F x0)‖ = ‖b‖; with thresholds ‖P(F x0)‖ may be less.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `beta` out of range, or `tol` negative or not finite.
    """

    name = "rrr"
    # n = 40, pairs, 25 starts, 4 frames × 100 signals, β = .2 / .35 / .5 / .7 / 1: success .84 /
    # .91 / .91 / .94 / .93 with p = 2, K = 44 and .89 / .90 / .92 / .94 / .93 with p = inf, K = 48
    # (standard errors .012 to .018). With noise of 20 dB (p = 2, K = 60, 2 × 100 signals) the mean
    # squared cosine is .930 / .928 / .914 / .916 for β = .35 / .5 / .85 / 1.
    beta: float = 0.7

    def step(self, problem: Problem, b: Array, y: Array, c: Array) -> State:
        """Return the next y, F⁺ y and P_A y."""
        reflected = 2 * c
        reflected -= y
        change = problem.pooling.project(reflected, b)
        change -= c
        change *= self.beta
        y += change
        return y, *onto_range(problem.frame, y)


class RAAR(ProjectionMethod):
    """Relaxed averaged alternating reflections.

    Luke, "Relaxed averaged alternating reflections for diffraction imaging", Inverse Problems 21
    (2005); with R = 2 P − I::

        y ← β/2 (R_A R_B y + y) + (1 − β) P_B y,    x = F⁺ R_B y

    with A the range of the frame and B the coefficients with the measurements b, as in
    `ProjectionMethod`. For β = 1 it is the Douglas-Rachford iteration, P_B before P_A. Below, it
    settles where A and B come near each other: the less β, the sooner, and the farther from where
    they meet. A signal leaves the batch when it is solved or has stopped moving.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    beta : float, optional
        The relaxation β, above 0 and at most 1.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start x0, in the phase "init"; y = F x0. By default a Gaussian vector for each
        signal, scaled so that ‖P(F x0)‖ = ‖b‖; with thresholds ‖P(F x0)‖ may be less.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `beta` out of range, or `tol` negative or not finite.
    """

    name = "raar"
    largest: ClassVar[float] = 1.0
    # n = 40, pairs, 5 starts, 4 frames × 100 signals, β = .9 / .95 / .97 / .98 / .99: success .75 /
    # .94 / .96 / .97 / .98 with p = 2, K = 50 and .78 / .93 / .94 / .96 / .98 with p = inf, K = 55
    # (standard errors up to .022). Rectified, p = inf, K = 66, all signals with more than n active
    # pools are solved with .95 and above, in 540 / 680 / 830 / 1160 iterations on average, and in
    # 5200 with β = 1.
    beta: float = 0.98

    def step(self, problem: Problem, b: Array, y: Array, c: Array) -> State:
        """Return the next y, F⁺ R_B y and P_A R_B y."""
        nearest = problem.pooling.project(y, b)
        reflected = 2 * nearest
        reflected -= y
        x, c = onto_range(problem.frame, reflected)
        y = y + c  # y + P_A R_B y = (R_A R_B y + y)/2 + P_B y
        y *= self.beta
        nearest *= 1 - 2 * self.beta
        y += nearest
        return y, x, c


class HIO(ProjectionMethod):
    """The hybrid input-output method, for any two projections.

    Fienup, "Phase retrieval algorithms: a comparison", Applied Optics 21 (1982), in the form of
    Bauschke, Combettes and Luke, "Hybrid projection-reflection method for phase retrieval",
    Journal of the Optical Society of America A 20 (2003)::

        y ← y + P_A((1 + β) P_B y − y) − β P_B y,    x = F⁺(P_B y + (P_B y − y) / β)

    with A, the range of the frame, in the place of Fienup's support, and B, the coefficients with
    the measurements b, in that of his Fourier moduli; see `ProjectionMethod`. In A, y becomes
    P_A P_B y; the rest of it loses β times that of P_B y. For β = 1 it is the Douglas-Rachford
    iteration, P_B before P_A.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    beta : float, optional
        The feedback β, above 0 and at most 2.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start x0, in the phase "init"; y = F x0. By default a Gaussian vector for each
        signal, scaled so that ‖P(F x0)‖ = ‖b‖; with thresholds ‖P(F x0)‖ may be less.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `beta` out of range, or `tol` negative or not finite.
    """

    name = "hio"
    # n = 40, pairs, 5 starts, 4 frames × 100 signals, β = .4 / .55 / .7 / .85 / 1 / 1.2: success
    # .995 / .993 / .998 / .995 / .978 / .920 with p = 2, K = 50 and .998 / .998 / .998 / .985 /
    # .983 / .935 with p = inf, K = 55 (standard errors up to .007, .014 for the last).
    beta: float = 0.7

    def step(self, problem: Problem, b: Array, y: Array, c: Array) -> State:
        """Return the next y, and x and F x of the argument of P_A, over β."""
        nearest = problem.pooling.project(y, b)
        # Over β its weights sum to 1, as an affine P_A needs them.
        forward = (1 + 1 / self.beta) * nearest
        forward -= y / self.beta
        x, c = onto_range(problem.frame, forward)
        change = c - nearest
        change *= self.beta
        change += y
        return change, x, c
