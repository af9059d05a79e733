"""Three projection methods: ``rrr``, ``raar`` and ``hio``."""

from typing import ClassVar

from benchbase import Array, Problem
from benchbase_rrr.iteration import ProjectionMethod, State, onto_range


class RRR(ProjectionMethod):
    """Relaxed-reflect-reflect, a projection method for phase retrieval.

    Source: Elser, "The complexity of bit retrieval", IEEE Transactions on Information Theory 64
    (2018), and Elser, Lan and Bendory, "Benchmark problems for phase retrieval", SIAM Journal on
    Imaging Sciences 11 (2018). The iteration is::

        y ← y + β (P_B(2 P_A y − y) − P_A y),    x = F⁺ y

    with A the range of the frame and B the coefficients with the measurements b, as in
    `ProjectionMethod`. For β = 1 it is the Douglas-Rachford iteration. The iteration goes on until
    it is at a point where A and B meet, and does not stop at points where they are merely near. It
    therefore takes longer with few pools, where alternating minimisation fails. Several short runs,
    as with ``restarts``, solve more signals than one long run.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    beta : float, optional
        The relaxation β, above 0 and at most 2.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start x0; y starts at F x0. Its time is reported apart, as ``init_seconds``. The
        default is a Gaussian vector for each signal, scaled so that ‖P(F x0)‖ = ‖b‖; with
        thresholds ‖P(F x0)‖ may be less.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `beta` is out of range, or `tol` is negative or not finite.
    """

    name = "rrr"
    # Success rates at n = 40, pools of two, 25 starts, 4 frames × 100 signals, for β = .2 / .35 /
    # .5 / .7 / 1: .84 / .91 / .91 / .94 / .93 with p = 2, K = 44 and .89 / .90 / .92 / .94 / .93
    # with p = inf, K = 48 (standard errors .012 to .018). With noise of 20 dB (p = 2, K = 60,
    # 2 × 100 signals) the mean squared cosine is .930 / .928 / .914 / .916 for β = .35 / .5 / .85 /
    # 1.
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
    """Relaxed averaged alternating reflections, a projection method for phase retrieval.

    Source: Luke, "Relaxed averaged alternating reflections for diffraction imaging", Inverse
    Problems 21 (2005). With R = 2 P − I the iteration is::

        y ← β/2 (R_A R_B y + y) + (1 − β) P_B y,    x = F⁺ R_B y

    with A the range of the frame and B the coefficients with the measurements b, as in
    `ProjectionMethod`. For β = 1 it is the Douglas-Rachford iteration, with P_B before P_A. For
    β < 1 the iteration settles where A and B come near each other: a smaller β makes it settle
    sooner and farther from where they meet. A signal leaves the batch when it is solved or has
    stopped moving.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    beta : float, optional
        The relaxation β, above 0 and at most 1.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start x0; y starts at F x0. Its time is reported apart, as ``init_seconds``. The
        default is a Gaussian vector for each signal, scaled so that ‖P(F x0)‖ = ‖b‖; with
        thresholds ‖P(F x0)‖ may be less.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `beta` is out of range, or `tol` is negative or not finite.
    """

    name = "raar"
    largest: ClassVar[float] = 1.0
    # Success rates at n = 40, pools of two, 5 starts, 4 frames × 100 signals, for β = .9 / .95 /
    # .97 / .98 / .99: .75 / .94 / .96 / .97 / .98 with p = 2, K = 50 and .78 / .93 / .94 / .96 /
    # .98 with p = inf, K = 55 (standard errors up to .022). With rectified p = inf and K = 66, all
    # signals with more than n active pools are solved if β is .95 or above, in 540 / 680 / 830 /
    # 1160 iterations on average, and in 5200 with β = 1.
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
    """The hybrid input-output method of phase retrieval, for any two projections.

    Source: Fienup, "Phase retrieval algorithms: a comparison", Applied Optics 21 (1982), in the
    form of Bauschke, Combettes and Luke, "Hybrid projection-reflection method for phase
    retrieval", Journal of the Optical Society of America A 20 (2003). The iteration is::

        y ← y + P_A((1 + β) P_B y − y) − β P_B y,    x = F⁺(P_B y + (P_B y − y) / β)

    Here A, the range of the frame, takes the place of Fienup's support, and B, the coefficients
    with the measurements b, takes that of his Fourier moduli; see `ProjectionMethod`. The part of y
    in A becomes P_A P_B y; the rest of y loses β times the rest of P_B y. For β = 1 it is the
    Douglas-Rachford iteration, with P_B before P_A.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    beta : float, optional
        The feedback β, above 0 and at most 2.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start x0; y starts at F x0. Its time is reported apart, as ``init_seconds``. The
        default is a Gaussian vector for each signal, scaled so that ‖P(F x0)‖ = ‖b‖; with
        thresholds ‖P(F x0)‖ may be less.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, `beta` is out of range, or `tol` is negative or not finite.
    """

    name = "hio"
    # Success rates at n = 40, pools of two, 5 starts, 4 frames × 100 signals, for β = .4 / .55 / .7
    # / .85 / 1 / 1.2: .995 / .993 / .998 / .995 / .978 / .920 with p = 2, K = 50 and .998 / .998 /
    # .998 / .985 / .983 / .935 with p = inf, K = 55 (standard errors up to .007, and .014 for the
    # last).
    beta: float = 0.7

    def step(self, problem: Problem, b: Array, y: Array, c: Array) -> State:
        """Return the next y, and the x and F x that P_A gives for its argument divided by β."""
        nearest = problem.pooling.project(y, b)
        # Divided by β, the weights of P_B y and y sum to 1, which an affine P_A needs.
        forward = (1 + 1 / self.beta) * nearest
        forward -= y / self.beta
        x, c = onto_range(problem.frame, forward)
        change = c - nearest
        change *= self.beta
        change += y
        return change, x, c
