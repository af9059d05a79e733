"""Lifted alternating minimisation, meant as a start for alternating minimisation itself."""

from __future__ import annotations

import numpy as np

import benchbase
from benchbase import Array, Inverse, Problem, Recovery, Run
from benchbase_sdp.factors import TINY, alternate, fitting, sizes
from benchbase_sdp.relaxation import no_norm

STALLED = 1e-12  # relative size of a step up to which a signal counts as at rest

# The tangent of the half angle of the cone in which coefficients count as positive. Success rates
# of 100 signals for p = 2 and ∞, with half rectification, n = 40, K = 70 and altmin from both signs
# afterwards: .94 and .91 with .5; .95 and .89 with .25; .98 and .86 with .7. The differences are
# within the errors.
APERTURE = 0.5


class Lifted(benchbase.Solver):
    """Alternating minimisation on a matrix V of r columns in the place of the signal.

    The lifted matrix is X = V Vᵀ, of rank r. The coefficients of a row of the frame are a vector
    c_kj of r numbers. Each iteration treats the norms t_kj of these vectors as coefficients and
    gives the pools the values b along the directions that the vectors have,
    y_kj = c_kj · b_k / ‖t_k‖_p. It then takes the V with the least ‖F V − y‖, V = F⁺ y. A matrix
    can find a way round points at which a signal gets stuck. For p = 2 this is the Burer-Monteiro
    form of PhaseCut, and solves its convex program if r is not too small; for p = 1 and ∞ there is
    no such program.

    The estimate x is the leading left singular vector of V, scaled to the measurements. It is a
    good start, which alternating minimisation makes exact:
    ``{ name = "altmin", init = { name = "lifted" } }`` needs no data. With n = 40, K = 80 and 100
    signals, the mean squared cosine is .996 / .991 / .993 for p = 1 / 2 / ∞ (standard errors up to
    .009).

    With half rectification the first column of V is the signal, and V = [x, 0, …] has to be a fixed
    point. The measured part of c_kj is then its projection onto the cone
    ‖(c_2, …, c_r)‖ ≤ c_1 / 2, which for r = 1 is max(c, 0); the rest keeps its value. With
    rectification the gain is smaller, about that of trying both signs of a random start. With
    n = 40, K = 70, 150 signals, and alternating minimisation afterwards, the success rate is
    .89 / .93 / .85 for p = 1 / 2 / ∞; it is .73 / .79 / .67 from one random start and .90 / .95 /
    .87 from the better of its two signs (standard errors up to .04).

    Parameters
    ----------
    rank : int, optional
        The number of columns r. With 1 it is alternating minimisation.
    n_iter : int, optional
        The largest number of iterations.
    tol : float, optional
        The relative measurement residual, with ‖c_kj‖ in the place of coefficients, at which a
        signal leaves the batch. A signal has converged if x has that residual too, which is seldom
        so if V has more than one column.
    momentum : bool, optional
        Whether to use Nesterov's momentum with restarts; it takes several times fewer iterations.

    Raises
    ------
    ParameterError
        If `rank` is less than 1, `n_iter` is negative, or `tol` is negative or not finite.
    """

    name = "lifted"
    rank: int = 4
    n_iter: int = 200
    tol: float = 1e-8
    momentum: bool = True

    def __post_init__(self) -> None:
        benchbase.check_range("rank", self.rank, least=1)
        benchbase.check_range("n_iter", self.n_iter, least=0)
        benchbase.check_range("tol", self.tol, least=0, below=np.inf)

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not apply to complex frames, nor to poolings that are no lp norm or have a
        threshold.
        """
        if problem.frame.is_complex:
            return "lifted needs a real frame, but this frame is complex"
        reason = no_norm(problem)
        return super().unsupported(problem) if reason is None else f"lifted needs {reason}"

    def prepare(self, problem: Problem) -> Inverse:
        """Factorise the frame."""
        frame, pooling = problem.frame, problem.pooling
        frame.least_squares(np.zeros((frame.pool_size, frame.n_pools)))
        part = in_cone if pooling.rectified else None

        def measured(factors: Array) -> Array:
            c = frame.analyse(factors)
            return pooling(sizes(c if part is None else part(c)))

        def inverse(b: Array, run: Run) -> Recovery:
            largest = b.max(axis=1, keepdims=True, initial=0.0)
            unit = b / np.where(largest > 0, largest, 1)
            size = np.linalg.norm(unit, axis=1)
            converged = np.zeros(len(b), dtype=bool)

            def judge(factors: Array, index: Array, moves: Array) -> Array:
                gap = np.linalg.norm(measured(factors) - unit[index], axis=1)
                converged[index] = gap <= self.tol * size[index]
                done: Array = converged[index] | (moves <= STALLED)
                return done

            start = run.normal(self.rank, frame.n)
            reached = np.linalg.norm(measured(start), axis=1)
            start *= np.where(reached > 0, size / np.maximum(reached, TINY), 1)[:, None, None]
            factors, n_iter = alternate(
                frame, pooling.rescale, start, unit, self.n_iter, judge,
                momentum=self.momentum, part=part,
            )  # fmt: skip # one argument per line would say no more
            x = factors[:, 0]
            if not pooling.rectified:
                x = np.linalg.svd(factors, full_matrices=False)[2][:, 0]
            scale = fitting(problem.measure(x), unit)
            x = x * scale[:, None]
            converged &= problem.residual(x, unit) <= self.tol
            x *= largest
            return Recovery(x=x, n_iter=n_iter, converged=converged)

        return inverse


def in_cone(c: Array) -> Array:
    """Project vectors of r numbers, (S, r, L, K), onto ‖(c_2, …, c_r)‖ ≤ `APERTURE` · c_1."""
    first, others = c[:, 0], c[:, 1:]
    length = sizes(others)
    along = np.maximum(first + APERTURE * length, 0) / (1 + APERTURE**2)
    inside = length <= APERTURE * first
    part = np.empty_like(c)
    part[:, 0] = np.where(inside, first, along)
    share = np.ones_like(length)
    np.divide(APERTURE * along, np.maximum(length, TINY), out=share, where=~inside)
    part[:, 1:] = others * share[:, None]
    return part
