"""Alternating minimisation between measurements and signals, for batches of signals."""

from typing import Literal

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_altmin.start import gaussian_start, norms
from benchbase_altmin.updates import KnownRows, KnownRowsOnSphere, PseudoInverse, Sphere, Update

CHECK = 10  # iterations between two looks at the residual, which costs a pooling
BLOCK = 50_000  # coefficients in a block of signals, which then stay in a core's L2 cache
STALLED = 1e-12  # relative change over CHECK iterations at which nothing more is to come


class AltMin(benchbase.Solver):
    """Alternating minimisation.

    Section 3.1.1 of Bruna, Szlam and LeCun, "Signal recovery from pooling representations", ICML
    2014, after the phase retrieval of Gerchberg and Saxton (1972) and of Griffin and Lim (1984).
    Each iteration gives the pools of F x the values b along the direction that they have,
    y_k = b_k · F_k x / ‖F_k x‖_p, and takes the x with the least ‖F x − y‖. With fewer
    coefficients than dimensions, L·K < N, only the part of x that the frame sees changes:
    x + F⁺(y − F x), so that the start keeps its say about the rest.

    Signals share two matrix products an iteration. One leaves the batch when it is solved or has
    stopped moving; both are looked at every 10 iterations.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    rectified_update : {"rows", "keep"}, optional
        What becomes of coefficients about which b says nothing, those that a half rectification
        cuts off. "rows": x is fitted by least squares to the others alone, a different set for
        each signal, with a small ridge on the step from one x to the next. "keep": they keep the
        value that they have in F x and x is fitted to all; an iteration is cheaper, more are
        needed. In both, a pool with b_k = 0 says that none of its coefficients is positive.
        Without rectification the two are one.
    sphere : bool, optional
        Fit x among the vectors of the norm that all signals share, exactly, as the paper does for
        learned frames: the problem must know that norm (``normalise = true`` of a data set).
    init : Solver, optional
        Gives the start, in the phase "init". By default a Gaussian vector for each signal, scaled
        so that ‖P(F x)‖ = ‖b‖ where there is such a scale.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or `tol` negative or not finite.
    """

    name = "altmin"
    requires = ("scipy.linalg.lapack",)
    n_iter: int = 1000
    tol: float = 1e-8
    rectified_update: Literal["rows", "keep"] = "rows"
    sphere: bool = False
    init: benchbase.Solver | None = None

    def __post_init__(self) -> None:
        if self.n_iter < 0:
            raise benchbase.ParameterError("n_iter", f"must be at least 0, not {self.n_iter}")
        if not 0 <= self.tol < np.inf:
            raise benchbase.ParameterError("tol", f"must be finite and at least 0, not {self.tol}")

    def unsupported(self, problem: Problem) -> str | None:
        """Name complex frames, a missing norm, and frames that lack the vectors needed."""
        if problem.frame.is_complex:
            return "the frame is complex, and the iteration is for real ones"
        if self.sphere and problem.signal_norm is None:
            return "sphere = true needs signals of one norm (normalise = true of a data set)"
        if self.sphere or self._by_rows(problem):
            try:
                problem.frame.dense()
            except NotImplementedError:
                option = "sphere = true" if self.sphere else 'rectified_update = "rows"'
                return f"{option} needs a frame that forms its vectors"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the initialiser and factorise the frame."""
        start = None if self.init is None else self.init.prepare(problem)
        frame = problem.frame
        if not self._by_rows(problem):
            fit = Sphere(problem) if self.sphere else PseudoInverse(problem)

        def update(signals: int) -> Update:
            if self._by_rows(problem):
                return (KnownRowsOnSphere if self.sphere else KnownRows)(problem, signals)
            return fit

        def inverse(b: Array, run: Run) -> Recovery:
            if start is None:
                x = gaussian_start(problem, b, run)
            else:
                with run.phase("init") as inner:
                    x = np.array(start(b, inner).x, dtype=np.float64)
            if self.sphere:
                x *= problem.signal_norm / np.maximum(norms(x), np.finfo(np.float64).tiny)[:, None]
            n_iter, converged = np.zeros(len(b), dtype=np.int64), np.zeros(len(b), dtype=bool)
            blocks = max(1, min(len(b), len(b) * frame.pool_size * frame.n_pools // BLOCK))
            for block in np.array_split(np.arange(len(b)), blocks):
                fits = update(len(block))
                part = self._iterate(problem, fits, b[block], x[block], run.rows(block))
                x[block], n_iter[block], converged[block] = part
            return Recovery(x=x, n_iter=n_iter, converged=converged)

        return inverse

    def _by_rows(self, problem: Problem) -> bool:
        """Whether signals see different rows of the frame."""
        if self.rectified_update != "rows":
            return False
        K, L = problem.frame.n_pools, problem.frame.pool_size
        return problem.pooling.known(np.zeros((L, K)), np.zeros(K)) is not None

    def _iterate(
        self, problem: Problem, update: Update, b: Array, x: Array, run: Run
    ) -> tuple[Array, Array, Array]:
        """Run all iterations from the starts x (S, N); return x, iterations and convergence."""
        frame, pooling = problem.frame, problem.pooling
        found = np.empty_like(x)
        n_iter, converged = np.full(len(b), self.n_iter), np.zeros(len(b), dtype=bool)
        size = norms(b)
        limit = self.tol * np.where(size > 0, size, 1)
        batch = np.arange(len(b))  # the signals that have not left
        moving = np.ones(len(b), dtype=bool)
        for i in [*range(0, self.n_iter, CHECK), self.n_iter]:
            found[batch] = x
            run.record(i, found)
            c = frame.analyse(x)
            gap = norms(pooling(c) - b)
            solved = gap <= limit
            stay = moving & ~solved
            converged[batch[solved]] = True
            n_iter[batch[~stay]] = i
            if i == self.n_iter or not stay.any():
                break
            if not stay.all():
                batch, x, c, b = batch[stay], x[stay], c[stay], b[stay]
                limit = limit[stay]
                update.keep(stay)
            before = x
            for step in range(min(CHECK, self.n_iter - i)):
                if step:
                    c = frame.analyse(x)
                x = update(x, c, pooling.rescale(c, b), b)
            moving = norms(x - before) > STALLED * norms(x)
        return found, n_iter, converged
