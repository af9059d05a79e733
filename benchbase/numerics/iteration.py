"""The loop that iterative solvers share.

A solver writes its step. The loop cuts a batch of signals into blocks and looks at the residuals
every few iterations. Signals that are solved, or have stopped moving, leave their block. The loop
also keeps the estimates, records traces, and counts iterations.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from benchbase.component import Array
from benchbase.errors import check_range
from benchbase.interfaces import Inverse, Solver
from benchbase.numerics.rows import divisors, moved, norms
from benchbase.numerics.starts import Start, start_of
from benchbase.problem import Problem, Recovery, Run


class Iteration(ABC):
    """The state of an iterative method for one block of signals.

    A subclass writes `step`, and overrides the other methods if its iteration differs in them. It
    names in `per_signal` the attributes that have one row for each signal, so that these rows leave
    the block together with the signals.

    Parameters
    ----------
    problem : Problem
        Frame and pooling.
    b : ndarray, shape (S, K)
        The measurements.
    x : ndarray, shape (S, N)
        The starts.

    Attributes
    ----------
    problem, b, x
        The problem, and the measurements and estimates of the signals still in the block.
    i : int
        The number of iterations made.
    per_signal : tuple of str
        The names of attributes with one row or entry for each signal: arrays, lists, named tuples
        of these, or None. Class attribute.
    """

    per_signal: ClassVar[tuple[str, ...]] = ("b", "x")

    def __init__(self, problem: Problem, b: Array, x: Array) -> None:
        self.problem, self.b, self.x = problem, b, x
        self.i = 0

    @abstractmethod
    def step(self) -> None:
        """Make one iteration."""

    def take_steps(self, number: int) -> None:
        """Make some iterations, and count them."""
        for _ in range(number):
            self.step()
            self.i += 1

    def look(self) -> tuple[Array, Array]:
        """Return the estimates (S, N) and their residuals ‖P(F x) − b‖, (S,)."""
        return self.x, norms(self.problem.measure(self.x) - self.b)

    def reference(self) -> Array:
        """Return what residuals are divided by, (S,): ‖b‖, or 1 if that is zero."""
        return divisors(norms(self.b))

    def advance(self, steps: int) -> Array:
        """Iterate until the next look, and return which signals have moved, bool (S,)."""
        before = self.x.copy()
        self.take_steps(steps)
        return moved(before, self.x)

    def hopeful(self, residual: Array) -> Array:
        """Return which signals may still be solved, bool (S,). By default these are all.

        It is called at each look, with the residuals (S,).
        """
        return np.ones(len(residual), dtype=bool)

    def keep(self, stay: Array) -> None:
        """Keep only the signals that a boolean mask (S,) marks."""
        for name in self.per_signal:
            setattr(self, name, _kept(getattr(self, name), stay))


Begin: TypeAlias = Callable[[Array, Array, Run], Iteration]
"""Returns an `Iteration` for measurements (S, K), starts (S, N) and the run of their signals."""


def _kept(value: Any, stay: Array) -> Any:
    """Return the rows that a mask marks."""
    match value:
        case None:
            return None
        case list():
            return [entry for entry, kept in zip(value, stay, strict=True) if kept]
        case tuple():
            return type(value)(*(_kept(part, stay) for part in value))
    rows = np.empty_like(value, shape=(np.count_nonzero(stay), *value.shape[1:]))  # in its order
    return np.compress(stay, value, axis=0, out=rows)


def iterate(
    iteration: Iteration, run: Run, *, n_iter: int, tol: float, check: int, best: bool
) -> tuple[Array, Array, Array]:
    """Iterate on one block of signals until all have left it.

    A signal leaves if its relative residual is at most `tol` or is not a number, if it has not
    moved since the last look, or if the method gives up on it (`Iteration.hopeful`).

    Parameters
    ----------
    iteration : Iteration
        The method, before its first step.
    run : Run
        The run of the block. It records a snapshot of all estimates at each look.
    n_iter : int
        The largest number of iterations.
    tol : float
        The relative residual at which a signal is solved.
    check : int
        The number of iterations between two looks.
    best : bool
        Whether to return, of the estimates at the looks, the one with the least residual instead
        of the last.

    Returns
    -------
    x : ndarray, shape (S, N)
        The estimates.
    n_iter : ndarray of int, shape (S,)
        The number of iterations after which each signal left.
    converged : ndarray of bool, shape (S,)
        Whether each signal was solved when it left.
    """
    signals = len(iteration.b)
    found, limit = np.empty((signals, iteration.problem.frame.n)), tol * iteration.reference()
    least, counts = np.full(signals, np.inf), np.full(signals, n_iter)
    converged = np.zeros(signals, dtype=bool)
    rows, moving = np.arange(signals), np.ones(signals, dtype=bool)  # of the signals in the block
    for i in [*range(0, n_iter, check), n_iter]:
        x, residual = iteration.look()
        if best and i:
            better = residual < least[rows]
            found[rows[better]], least[rows[better]] = x[better], residual[better]
        else:
            found[rows], least[rows] = x, residual
        run.record(i, found)
        stay = moving & (residual > limit) & iteration.hopeful(residual)
        converged[rows] = residual <= limit
        counts[rows[~stay]] = i
        if i == n_iter or not stay.any():
            break
        if not stay.all():
            rows, limit = rows[stay], limit[stay]
            iteration.keep(stay)
        moving = iteration.advance(min(check, n_iter - i))
    return found, counts, converged


@dataclass(frozen=True)
class Blocks:
    """A rule that cuts a batch of signals into blocks, which are iterated one after the other.

    The arrays of a small block stay in the processor's cache, and large blocks need fewer calls.
    For S signals of w numbers each, the rules give these blocks:

    =========  ===============================================================================
    rule       blocks
    =========  ===============================================================================
    "floor"    ⌊S·w / numbers⌋, of `numbers` numbers or more
    "ceiling"  ⌈S·w / numbers⌉, of `numbers` numbers or fewer
    "signals"  as few as hold ⌊numbers / w⌋ signals at most, or `least` if that is more
    =========  ===============================================================================

    There is at least one block, no block is empty, and block sizes differ by one signal at most.

    Parameters
    ----------
    numbers : int
        The size of a block: how many numbers an iteration works on.
    rule : {"floor", "ceiling", "signals"}, optional
        The rule, from the table above.
    least : int, optional
        The number of signals that a block may always hold under the rule "signals".
    """

    numbers: int
    rule: Literal["floor", "ceiling", "signals"] = "signals"
    least: int = 1

    def cut(self, signals: int, width: int) -> list[Array]:
        """Return the indices of the signals of each block.

        Parameters
        ----------
        signals : int
            The number of signals S.
        width : int
            How many numbers an iteration works on for each signal, w.
        """
        if not signals:
            return []
        match self.rule:
            case "floor":
                count = signals * width // self.numbers
            case "ceiling":
                count = math.ceil(signals * width / self.numbers)
            case "signals":
                count = math.ceil(signals / max(self.least, self.numbers // width))
        return np.array_split(np.arange(signals), min(max(count, 1), signals))


class IterativeSolver(Solver):
    """A solver that iterates on batches of signals; a subclass chooses the `Iteration`.

    The estimates of `init` are the starts. A batch is cut into blocks, and the solver iterates on
    each block until its signals are solved or have stopped moving. If a step needs nothing but the
    estimate of the step before, subclass `StepSolver` instead.

    Parameters
    ----------
    n_iter : int, optional
        The largest number of iterations.
    tol : float, optional
        The relative measurement residual ‖P(F x) − b‖ / ‖b‖ at which a signal is solved.
    init : Solver, optional
        Gives the starts; its time is reported apart, as ``init_seconds``. By default, each signal
        starts at a Gaussian vector, scaled so that ‖P(F x)‖ = ‖b‖ if there is such a scale.

    Attributes
    ----------
    check : int
        The number of iterations between two looks at the residual, each of which costs a
        measurement. Class attribute.
    best : bool
        Whether to return, of the estimates at the looks, the one with the least residual instead
        of the last. Class attribute.
    blocks : Blocks
        How batches are cut into blocks. Class attribute.

    Raises
    ------
    ParameterError
        If `n_iter` is negative, or if `tol` is negative or not finite.
    """

    check: ClassVar[int] = 10
    best: ClassVar[bool] = True
    blocks: ClassVar[Blocks] = Blocks(50_000)
    n_iter: int = 1000
    tol: float = 1e-8
    init: Solver | None = None

    def __post_init__(self) -> None:
        check_range("n_iter", self.n_iter, least=0)
        check_range("tol", self.tol, least=0, below=np.inf)

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply: a complex frame, or an inner solver's reason."""
        if problem.frame.is_complex:
            return f"the frame is complex, and {self.name} is for real ones"
        return super().unsupported(problem)

    @abstractmethod
    def set_up(self, problem: Problem) -> tuple[Start, Begin]:
        """Prepare what all signals share.

        Returns
        -------
        start : callable
            Returns starts (S, N) for measurements (S, K) and the run of their signals. It is
            usually what `start_of` returns for `init`.
        begin : callable
            Returns an `Iteration` for a block of signals: from measurements (S, K), starts (S, N)
            and the run of these signals.
        """

    def width(self, problem: Problem) -> int:
        """Return how many numbers an iteration works on for each signal. The default is L·K."""
        return problem.frame.pool_size * problem.frame.n_pools

    def prepare(self, problem: Problem) -> Inverse:
        """Prepare the starts and the method."""
        start, begin = self.set_up(problem)
        return lambda b, run: self.iterate(problem, begin, b, start(b, run), run)

    def iterate(
        self,
        problem: Problem,
        begin: Begin,
        b: Array,
        x: Array,
        run: Run,
        solved: Array | None = None,
    ) -> Recovery:
        """Iterate on a batch of signals, block by block.

        Parameters
        ----------
        problem : Problem
            Frame and pooling.
        begin : callable
            Returns an `Iteration` for a block of signals, as in `set_up`.
        b : ndarray, shape (S, K)
            The measurements.
        x : ndarray, shape (S, N)
            The starts. The estimates overwrite them.
        run : Run
            The run of these signals.
        solved : ndarray of bool, shape (S,), optional
            Marks the signals whose starts are already solutions. They are not iterated on.
        """
        converged = np.zeros(len(b), dtype=bool) if solved is None else solved
        todo, n_iter = np.flatnonzero(~converged), np.zeros(len(b), dtype=np.int64)
        for cut in self.blocks.cut(len(todo), self.width(problem)):
            rows = todo[cut]
            part = run.rows(rows)
            done = iterate(
                begin(b[rows], x[rows], part), part,
                n_iter=self.n_iter, tol=self.tol, check=self.check, best=self.best,
            )  # fmt: skip # one argument per line would not be clearer
            x[rows], n_iter[rows], converged[rows] = done
        return Recovery(x=x, n_iter=n_iter, converged=converged)


class StepSolver(IterativeSolver):
    """An iterative solver whose state is the estimate alone; a subclass writes `step`.

    Parameters, attributes and errors are those of `IterativeSolver`.
    """

    @abstractmethod
    def step(self, problem: Problem, b: Array, x: Array) -> Array:
        """Return the next estimates.

        Parameters
        ----------
        problem : Problem
            Frame and pooling.
        b : ndarray, shape (S, K)
            The measurements.
        x : ndarray, shape (S, N)
            The estimates.

        Returns
        -------
        ndarray, shape (S, N)
        """

    def set_up(self, problem: Problem) -> tuple[Start, Begin]:
        """Prepare the initialiser."""
        return start_of(self.init, problem), lambda b, x, _: _Steps(self, problem, b, x)


class _Steps(Iteration):
    """Repeats a solver's step."""

    def __init__(self, solver: StepSolver, problem: Problem, b: Array, x: Array) -> None:
        super().__init__(problem, b, x)
        self._solver = solver

    def step(self) -> None:
        self.x = self._solver.step(self.problem, self.b, self.x)
