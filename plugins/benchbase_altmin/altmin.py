"""Alternating minimisation between measurements and signals, for batches of signals."""

from typing import ClassVar, Literal

import numpy as np

import benchbase
from benchbase import Array, Begin, Blocks, Problem, Run, Start, norms
from benchbase_altmin.updates import KnownRows, KnownRowsOnSphere, PseudoInverse, Sphere, Update


class AltMin(benchbase.IterativeSolver):
    """Alternating minimisation, as in classical phase retrieval.

    Source: section 3.1.1 of Bruna, Szlam and LeCun, "Signal recovery from pooling
    representations", ICML 2014, after the phase retrieval of Gerchberg and Saxton (1972) and of
    Griffin and Lim (1984).

    The frame F has K pools of L vectors in N dimensions. F x are the coefficients of a signal x,
    F_k x those of pool k, P the pooling, and b the K measured values P(F x). An iteration has two
    halves. The first half scales each pool of F x to its measured value and keeps the direction of
    the pool; for lp pooling, y_k = b_k · F_k x / ‖F_k x‖_p. The second half takes the x with the
    least ‖F x − y‖. If there are fewer coefficients than dimensions, L·K < N, x becomes
    x + F⁺(y − F x). This changes only the part of x that the frame sees; the other part of x stays
    as it is in the start.

    An iteration takes two matrix products for all signals of a batch. A signal leaves the batch
    when it is solved or has stopped moving; this is checked every 10 iterations.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    rectified_update : {"rows", "keep"}, optional
        What to do with the coefficients whose values b does not determine, because a half
        rectification cuts them off at its threshold, or because they are below the maximum of a
        maxout pool. "rows": x is fitted by least squares to the other coefficients alone, which
        differ from signal to signal, with a small ridge on the step from one x to the next.
        "keep": the undetermined coefficients keep the values that they have in F x, and x is
        fitted to all coefficients; an iteration is then cheaper, but more iterations are needed.
        Under either choice, a rectified pool with b_k = 0 says that none of its coefficients is
        above the threshold. For lp pooling without rectification, the two choices are the same.
    sphere : bool, optional
        Whether to fit x among the vectors whose norm is the one that all signals share, as the
        paper does for learned frames. The problem must know that norm (``normalise = true`` of a
        data set).
    init : Solver, optional
        Gives the start; its time is reported apart, as ``init_seconds``. The default is a Gaussian
        vector for each signal, scaled so that ‖P(F x)‖ = ‖b‖ if there is such a scale.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or `tol` is negative or not finite.
    """

    name = "altmin"
    requires = ("scipy.linalg.lapack",)
    best: ClassVar[bool] = False
    blocks: ClassVar[Blocks] = Blocks(25_000, least=200)  # stay in a core's L2 cache
    rectified_update: Literal["rows", "keep"] = "rows"
    sphere: bool = False

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not if the frame is complex, if `sphere` is set and signals share no norm, or if
        the frame's vectors are needed and it never forms them.
        """
        reason = super().unsupported(problem)
        if reason is not None:
            return reason
        if self.sphere and problem.signal_norm is None:
            return "sphere = true needs signals of one norm; set normalise = true of the data set"
        if self.sphere or self._by_rows(problem):
            try:
                problem.vectors(counted=True)
            except NotImplementedError:
                option = "sphere = true" if self.sphere else 'rectified_update = "rows"'
                return f"{option} needs the frame's vectors, but this frame never forms them"
        return None

    def set_up(self, problem: Problem) -> tuple[Start, Begin]:
        """Prepare the solver that gives the start, and factorise the frame."""
        start = benchbase.start_of(self.init, problem)

        def on_sphere(b: Array, run: Run) -> Array:
            x = start(b, run)
            x *= problem.signal_norm / np.maximum(norms(x), np.finfo(np.float64).tiny)[:, None]
            return x

        return on_sphere if self.sphere else start, self._begin(problem)

    def _begin(self, problem: Problem) -> Begin:
        """Factorise the frame, unless each signal is fitted to rows of its own."""
        if self._by_rows(problem):
            by_rows = KnownRowsOnSphere if self.sphere else KnownRows
            return lambda b, x, run: Alternation(problem, b, x, run, by_rows(problem, run))
        fit = Sphere(problem) if self.sphere else PseudoInverse(problem)
        return lambda b, x, run: Alternation(problem, b, x, run, fit)

    def _by_rows(self, problem: Problem) -> bool:
        """Return whether each signal is fitted to rows of the frame that are its own."""
        if self.rectified_update != "rows":
            return False
        K, L = problem.frame.n_pools, problem.frame.pool_size
        return problem.pooling.known(np.zeros((L, K)), np.zeros(K)) is not None


class Alternation(benchbase.Iteration):
    """The state of alternating minimisation for one block of signals.

    Parameters
    ----------
    problem, b, x
        As for `Iteration`.
    run : Run
        The run of these signals.
    update : Update
        Fits signals to the wanted coefficients.

    Attributes
    ----------
    c : ndarray, shape (S, L, K)
        The coefficients F x.
    """

    per_signal = (*benchbase.Iteration.per_signal, "c")

    def __init__(self, problem: Problem, b: Array, x: Array, run: Run, update: Update) -> None:
        # The signals of a block lie next to each other in memory. Pooling works along them, in rows
        # that are longer than the K numbers of one signal.
        super().__init__(problem, np.asfortranarray(b), np.asfortranarray(x))
        self._update, self._count = update, run.count
        self.c = problem.frame.analyse(self.x)

    def look(self) -> tuple[Array, Array]:
        """Return the signals and their residuals."""
        return self.x, norms(self.problem.pooling(self.c) - self.b)

    def step(self) -> None:
        """Give the pools the values b, and fit the signals to the coefficients that result."""
        frame, rescale = self.problem.frame, self.problem.pooling.rescale
        # The rescaled coefficients get no name, so that the processor's cache need not hold them
        # while F x is computed.
        self._count(len(self.x) * self._update.cost)
        self.x = self._update(self.x, self.c, rescale(self.c, self.b), self.b)
        self.c = frame.analyse(self.x)

    def keep(self, stay: Array) -> None:
        """Go on with the signals that a boolean mask (S,) marks."""
        super().keep(stay)
        self._update.keep(stay)
