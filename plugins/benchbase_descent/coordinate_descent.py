"""Coordinate descent: exact minimisation in one entry of the signal at a time."""

from typing import ClassVar, Literal

import numpy as np

from benchbase import Array, Begin, Problem, Run
from benchbase_descent.descent import Descent, Method
from benchbase_descent.line_search import least_loss
from benchbase_descent.pieces import pieces
from benchbase_descent.pools import Pools, formula_of


class CoordinateDescent(Descent):
    """Minimise a loss of the measurements exactly in one entry of the signal at a time.

    Source: Zeng and So, "Coordinate descent algorithms for phase retrieval", Signal Processing 169
    (2020). For p = 2 without rectification, the loss Σ_k (‖F_k x‖² − b_k²)² is a quartic in each
    entry of x, whose least value is at a root of a cubic. This solver treats other poolings too.
    For p = 2 with half rectification, the loss is a quartic on each interval between the places at
    which a coefficient passes its threshold. For p = 1, infinity and maxout the loss is
    Σ_k (P(F_k x) − b_k)², which is quadratic on each interval between the kinks of P. The solver
    sorts these places and finds the least value over all intervals by running sums.

    The loss never rises. For p = 1, infinity and maxout the loss has kinks. At a kink the loss may
    be least along every coordinate and yet fall in another direction; the solver cannot leave such
    a point.

    Parameters
    ----------
    order : {"cyclic", "random", "greedy"}, optional
        The order of the entries. "cyclic": one after the other. "random": drawn anew for each
        signal at each step. "greedy": the entry in which the loss has its largest derivative; this
        needs p = 2, for which the loss has a derivative everywhere.
    n_iter : int, optional
        The largest number of passes over all N entries. The residual is checked every 5 passes.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the start; its time is reported apart, as ``init_seconds``. The default is a Gaussian
        vector for each signal, scaled so that ‖P(F x)‖ = ‖b‖ if there is such a scale.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or `tol` is negative or not finite.
    """

    name = "coordinate_descent"
    check: ClassVar[int] = 5
    order: Literal["cyclic", "random", "greedy"] = "cyclic"
    n_iter: int = 300

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply, or None if it does.

        It does not apply to poolings that are not piecewise polynomial along a line, nor to what
        `Descent` refuses; the greedy order needs p = 2.
        """
        reason = super().unsupported(problem)
        if reason is not None:
            return reason
        formula = formula_of(problem)
        if formula is None:
            return f"{self.name} needs an lp pooling or maxout, but this pooling is neither"
        if self.order == "greedy" and formula.p != 2:
            return 'order = "greedy" needs p = 2, as with other poolings the loss has kinks'
        return None

    def method(self, pools: Pools) -> Begin:
        """Prepare the coefficients of the unit vectors."""
        columns = np.ascontiguousarray(pools.vectors().transpose(2, 1, 0))
        return lambda b, x, run: Coordinates(pools, b, x, run, columns, self.order)


class Coordinates(Method):
    """The state of coordinate descent.

    Parameters
    ----------
    pools, b, x
        As for `Method`.
    run : Run
        The run of these signals.
    columns : ndarray, shape (N, L, K)
        The coefficients of the unit vectors.
    order : {"cyclic", "random", "greedy"}
        The order in which entries are visited.
    """

    per_signal = (*Method.per_signal, "_streams")

    def __init__(
        self, pools: Pools, b: Array, x: Array, run: Run, columns: Array, order: str
    ) -> None:
        super().__init__(pools, b, x)
        self._columns, self._order, self._count = columns, order, run.count
        self._streams = run.generators if order == "random" else None

    def step(self) -> None:
        """Make a sweep of N steps."""
        pools, formula = self.pools, self.pools.formula
        assert formula is not None  # noqa: S101 # for mypy; `unsupported` has refused None
        x, rows = self.x.copy(), np.arange(len(self.x))
        target = self.b**2 if formula.p == 2 else self.b
        alpha = 0.0 if pools.homogeneous else formula.alpha / self.unit[:, None, None]
        c = pools.analyse(x)  # computed again in each sweep so that rounding does not add up
        for chosen in self._entries():
            entry = self._steepest(c) if chosen is None else chosen
            g = self._columns[entry]
            t = least_loss(pieces(formula, c - alpha, g), target)
            x[rows, entry] += t
            c = c + t[:, None, None] * g
            self._count(len(x) / pools.n)  # one of the N columns of F
        self.x = x

    def _entries(self) -> list[Array | None]:
        """Return the entries (S,) of each step of the next sweep, or None if the step chooses."""
        S, n = self.x.shape
        if self._order == "greedy":
            return [None] * n
        if self._streams is None:
            return [np.full(S, i) for i in range(n)]
        return list(np.stack([stream.integers(n, size=n) for stream in self._streams], axis=1))

    def _steepest(self, c: Array) -> Array:
        """Return the entries (S,) in which the loss has its largest derivatives."""
        pools = self.pools
        value, d = pools.directions(c, self.unit)
        force = (value**2 - self.b**2) * value
        entry: Array = np.abs(pools.adjoint(d * force[:, None, :])).argmax(axis=1)
        return entry
