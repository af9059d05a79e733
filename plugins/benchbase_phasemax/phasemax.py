"""PhaseMax and its iteration PhaseLamp, for one signal after the other."""

from typing import NamedTuple

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_phasemax.programs import TOLERANCE, Programs

STALLED = 1e-9  # the iteration ends if its relative gain is at most this
TRIVIAL = 1e-3  # share of the measurements up to which those of an estimate count as none


class Estimate(NamedTuple):
    """One recovered signal (N,), how many programs were solved for it, and how that ended."""

    x: Array
    n_iter: int
    converged: bool
    status: str


class PhaseMax(benchbase.Solver):
    """Recovery by a linear program: maximise ⟨c, x⟩ over the x with P(F x) ≤ b, for an anchor c.

    The anchor c is a first guess at the signal. The smaller its angle to the signal, the fewer
    measurements are needed. The equations P(F x) = b are not convex but the inequalities are, and
    the signal is a vertex of the set that they leave. The method is due to Goldstein and Studer,
    "PhaseMax: convex phase retrieval via basis pursuit", IEEE Transactions on Information Theory 64
    (2018), and Bahmani and Romberg, "Phase retrieval meets statistical learning theory: a flexible
    convex relaxation" (AISTATS 2017). This solver takes pools of any size with p = 1 and p =
    infinity, half rectified or not; Goldstein and Studer treat pools of one. HiGHS solves the
    linear programs, in units in which the measurements have a mean square of 1.

    With `n_iter` above 1, the solution gives the next anchor by way of the measurements
    ("PhaseLamp": Dhifallah, Thrampoulidis and Lu, "Phase retrieval via linear programming:
    fundamental limits and algorithmic improvements", Allerton 2017). The next objective is Σ_k
    d_k·F_k x over the pools with b_k > 0, where d_k is the direction in which the value of pool k
    grows at the last x. If pool k is half rectified and all its coefficients are negative, d_k
    selects the largest of them. The sum of the linearised values, P(F_k x) for the pools that are
    not all negative, grows from one program to the next. It equals Σ_k b_k only if P(F x) = b.

    A signal has converged if HiGHS calls all its programs optimal *and* the points and
    multipliers that it gives have a relative duality gap and an infeasibility of at most 1e-6.
    With `n_iter` above 1, the iteration must also have ended by itself: the relative measurement
    residual of x fell to 1e-6, or the sum no longer grew. The solution of a program need not be the
    signal. With half rectification zero may solve it, if the anchor is far off; an estimate of zero
    says nothing and has not converged, unless the measurements are those of zero. If the first
    program has no solution, x is NaN; with few measurements the program is unbounded. The message
    lists how signals ended.

    The frame applications of a signal are those of its anchor, and for each program two products
    with the matrix of the constraints per iteration of HiGHS, and two for the check of its result.
    The matrix has V N entries for each pool, with V = 2 L (p = infinity; L if half rectified), 2^L
    or 2^L − 1 (p = 1, L ≤ 3), so that a product takes V / L frame applications. With `n_iter` above
    1 each program has two frame applications more.

    Parameters
    ----------
    init : Solver
        The solver that gives the anchor, whose time is reported as ``init_seconds``:
        ``{ name = "spectral" }`` without rectification, or ``{ name = "linear" }`` with it.
    n_iter : int, optional
        The largest number of linear programs. With 1 this is PhaseMax.
    max_iters : int, optional
        The largest number of iterations of HiGHS in one program.

    Raises
    ------
    ParameterError
        If `n_iter` or `max_iters` is less than 1.
    """

    name = "phasemax"
    requires = ("scipy.optimize", "scipy.sparse")
    chunk = 10
    init: benchbase.Solver
    n_iter: int = 1
    max_iters: int = 10_000

    def __post_init__(self) -> None:
        benchbase.check_range("n_iter", self.n_iter, least=1)
        benchbase.check_range("max_iters", self.max_iters, least=1)

    def unsupported(self, problem: Problem) -> str | None:
        """Return a reason for p other than 1 and infinity, complex frames or missing vectors."""
        frame, pooling = problem.frame, problem.pooling
        if frame.is_complex:
            return "phasemax is for real signals, but this frame is complex"
        if pooling.p == 2 and frame.pool_size > 1:
            return (
                "phasemax needs p = 1, p = inf or pools of one: with p = 2 the inequalities of "
                "larger pools are cones and not linear"
            )
        if pooling.p not in (1, 2, np.inf) or pooling.slopes not in ((-1, 1), (0, 1)):
            return "phasemax is defined for lp poolings, with or without half rectification"
        try:
            problem.vectors(counted=True)
        except NotImplementedError:
            return "phasemax needs the frame's vectors, but this frame never forms them"
        return super().unsupported(problem)

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the solver of the anchor and form the matrix of the constraints."""
        anchor = benchbase.start_of(self.init, problem)
        frame = problem.frame
        vectors = np.asarray(problem.vectors(counted=True), dtype=np.float64)
        size = np.sqrt(np.mean(np.sum(vectors**2, axis=2)))
        vectors = vectors / (size if size > 0 else 1)
        p = 1.0 if problem.pooling.p == 1 else np.inf  # for pools of one all p are the same
        programs = Programs(vectors, p, problem.pooling.rectified, self.max_iters)
        threshold = problem.pooling.thresholds(frame.n_pools, frame.pool_size)
        zero = problem.measure(np.zeros(frame.n))

        def inverse(b: Array, run: Run) -> Recovery:
            found, sizes = [], np.ones(len(b))
            for i, (row, c) in enumerate(zip(b, anchor(b, run), strict=True)):
                if np.array_equal(row, zero):
                    found.append(Estimate(np.zeros(frame.n), 0, True, "the measurements of zero"))
                    continue
                largest = np.abs(row).max()  # squares of huge or tiny values over- or underflow
                scale = largest * np.sqrt(np.mean((row / largest) ** 2)) if largest else 1.0
                one = self._recover(programs, vectors, row / scale, c, threshold / scale, run)
                found.append(one._replace(x=one.x * (scale / size)))
                sizes[i] = scale
            x = np.stack([estimate.x for estimate in found])
            reached, wanted = (
                np.linalg.norm((values - zero) / sizes[:, None], axis=1)
                for values in (problem.measure(x), b)
            )
            trivial = (reached <= TRIVIAL * wanted) & (wanted > 0)
            message = f"HiGHS: {', '.join(dict.fromkeys(estimate.status for estimate in found))}"
            if trivial.any():
                message += f"; {np.count_nonzero(trivial)} estimates are zero, which says nothing"
            return Recovery(
                x=x,
                n_iter=np.array([estimate.n_iter for estimate in found]),
                converged=np.array([estimate.converged for estimate in found]) & ~trivial,
                message=message,
            )

        return inverse

    def _recover(
        self,
        programs: Programs,
        vectors: Array,
        b: Array,
        c: Array,
        threshold: Array,
        run: Run,
    ) -> Estimate:
        """Recover one signal from measurements b (K,) with a mean square of 1."""
        x, best = np.full(vectors.shape[2], np.nan), -np.inf
        limits = programs.limits(b, threshold)
        for i in range(self.n_iter):
            length = np.linalg.norm(c)
            if not 0 < length < np.inf:
                return Estimate(x, i, False, "no anchor")
            found = programs.solve(c / length, limits)
            run.count(found.operations / (2 * vectors.size))
            if found.x is not None and (i == 0 or found.status == "optimal"):
                x = found.x
            if found.status != "optimal" or self.n_iter == 1:
                return Estimate(x, i + 1, found.status == "optimal", found.status)
            u = np.einsum("kln,n->lk", vectors, x) - threshold
            run.count(1)
            d = programs.directions(u) * (b > 0)
            value = np.sum(d * u, axis=0)
            solved = np.linalg.norm((value - b)[b > 0]) <= TOLERANCE * np.linalg.norm(b)
            if solved or value.sum() - best <= STALLED * b.sum():
                return Estimate(x, i + 1, True, "optimal")
            best = value.sum()
            c = np.einsum("kln,lk->n", vectors, d)
            run.count(1)
        return Estimate(x, self.n_iter, False, "still moving")
