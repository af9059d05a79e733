"""What plugins implement beside frames and poolings: data sets, noise, hints, solvers, reports.

Shapes: S signals, N dimension, K pools, L pool size, T training signals.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import numpy as np

from benchbase.component import Array, Component
from benchbase.problem import Problem, Recovery, Run
from benchbase.representation import Pooling

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

    import pandas as pd
    from rich.console import Console


class Dataset(Component):
    """A source of signals.

    Attributes
    ----------
    n : int
        The dimension N of the signals: a field or a property.
    signal_norm : float or None
        The Euclidean norm that all signals share, or None if they differ.
    n_test : int or None
        The number of test signals, or None if there is no limit.
    """

    kind = "dataset"
    signal_norm: ClassVar[float | None] = None
    n_test: ClassVar[int | None] = None

    if TYPE_CHECKING:  # a property here would become the default of a subclass's field `n`

        @property
        def n(self) -> int:
            """The dimension N of the signals."""

    def train(self, rng: np.random.Generator) -> Array | None:
        """Return training signals of shape (T, N), float32, or None if there are none.

        They are the same for all trials, and the caller caches them. No test signal is among them.
        """
        del rng
        return None

    @abstractmethod
    def test(self, size: int, rng: np.random.Generator) -> Array:
        """Draw test signals of shape (size, N).

        The first S signals do not depend on `size`: a longer draw from the same state of the
        generator begins with them.

        Raises
        ------
        ParameterError
            If there are fewer than `size`.
        """

    def fingerprint(self) -> str:
        """Return a digest of the files outside the package from which the signals are read.

        A data set that downloads them calls `benchbase.check_download` first.

        Raises
        ------
        DataError
            If such files are missing; the message says which files to put where.
        """
        return ""

    def picture(self, x: Array) -> Array | None:
        """Return signals (..., N) as grey pictures (..., H, W); None if they are not pictures."""
        del x
        return None


class Noise(Component):
    """A model of the noise on the measurements that a solver gets."""

    kind = "noise"

    @abstractmethod
    def measure(
        self, problem: Problem, x: Array, generators: Sequence[np.random.Generator]
    ) -> Array:
        """Return noisy measurements of signals: (S, N) to (S, K).

        Parameters
        ----------
        problem : Problem
            Frame and pooling.
        x : ndarray, shape (S, N)
            The signals.
        generators : sequence of numpy.random.Generator
            One per signal, the same for all numbers of pools.
        """


class Hint(Component):
    """Side information: a first guess at each signal, made from the signal itself.

    Hints are for controlled experiments, such as success against the angle of the start. A result
    with a hint says nothing about recovery from measurements alone.
    """

    kind = "hint"

    @abstractmethod
    def guess(self, x: Array, generators: Sequence[np.random.Generator]) -> Array:
        """Return a guess at each signal: (S, N) to (S, N).

        Parameters
        ----------
        x : ndarray, shape (S, N)
            The signals.
        generators : sequence of numpy.random.Generator
            One per signal, the same for all numbers of pools.
        """


Inverse: TypeAlias = Callable[[Array, Run], Recovery]
"""What `Solver.prepare` returns: a function of measurements (S, K) and a `Run`, to a `Recovery`."""


class Solver(Component):
    """An algorithm that recovers signals from their pooled measurements.

    Attributes
    ----------
    requires : tuple of str
        Modules that it imports beside NumPy. They are imported before the clock starts. Class
        attribute.
    chunk : int or None
        The number of signals per call, after each of which results are stored; None for all
        signals at once. Class attribute.
    asks_alike : bool
        Whether it asks `Run.shared` the same about its measurements under every pooling, so that
        one call can answer all poolings of a frame. Class attribute.
    """

    kind = "solver"
    reserved = Component.reserved | {"label", "points", "time_limit"}  # keys of a [[solver]]
    requires: ClassVar[tuple[str, ...]] = ()
    chunk: ClassVar[int | None] = None
    asks_alike: ClassVar[bool] = False

    def unsupported(self, problem: Problem) -> str | None:
        """Return why the solver does not apply to a problem, or None if it does.

        It may look at shapes and at the pooling only, since nothing has been computed yet. By
        default it returns the first reason that a solver among the fields gives.
        """
        inner = (part for part in self.children() if isinstance(part, Solver))
        reasons = (part.unsupported(problem) for part in inner)
        return next((reason for reason in reasons if reason is not None), None)

    def transition(self, pooling: Pooling, pool_size: int) -> float | None:
        """Return the K/N from which on theory predicts success for large N.

        It is for Gaussian signals and random frames; None if there is no theory. Reports mark it
        beside what was measured.

        Parameters
        ----------
        pooling : Pooling
            The pooling operator.
        pool_size : int
            The number of vectors in a pool, L.
        """
        del pooling, pool_size
        return None

    @abstractmethod
    def prepare(self, problem: Problem) -> Inverse:
        """Do the work that all signals share, once: factorise, index, compile.

        Returns
        -------
        callable
            ``inverse(b, run)``, with b of shape (S, K), float64, and a `Run`, returns a `Recovery`.
        """


class ResultsView(Protocol):
    """What a report reads: the results of one or more runs of a suite (see `Results`)."""

    def __hash__(self) -> int:
        """Return a hash: a view does not change, so what is made of it can be kept."""

    @property
    def folder(self) -> Path:
        """The folder of the store."""

    @property
    def runs(self) -> tuple[int, ...]:
        """The numbers of the runs that are looked at."""

    @property
    def suites(self) -> list[dict[str, Any]]:
        """The runs that are looked at: id, suite, title, resolved, command, started, finished."""

    def rows(self) -> pd.DataFrame:
        """Return one row per signal, whatever its status."""

    def estimates(self, cell: str) -> Array:
        """Return what was recovered in a cell, (S, N) float32; NaN where there is no estimate."""

    def signals(self, cell: str) -> Array:
        """Return the true signals of a cell, (S, N) float32."""

    def problem(self, cell: str) -> Problem:
        """Rebuild the problem of a cell, as its solver met it, with the code that is here now."""

    def traces(self) -> pd.DataFrame:
        """Return what solvers recorded on their way: one row per signal and snapshot."""

    def environments(self) -> list[tuple[str, dict[str, Any]]]:
        """Return (cell, environment) of each environment that a cell's outcomes were made in."""

    def export(self, form: str, target: TextIO | Path) -> None:
        """Write the frame as "csv", "parquet" or "json"."""


class Report(Component):
    """A view of results: tables, plots, pages."""

    kind = "report"

    @abstractmethod
    def write(self, results: ResultsView, folder: Path) -> list[Path]:
        """Write the report's files into an existing folder, and return their paths."""

    def show(self, results: ResultsView, console: Console) -> None:
        """Print what the terminal should show, if anything."""
        del results, console
