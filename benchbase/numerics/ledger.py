"""The cost of a solver: seconds and applications of the frame, by phase or for one question."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from benchbase.component import Array
from benchbase.representation import Frame


@dataclass
class Cost:
    """What some work has cost.

    Attributes
    ----------
    seconds : float
        Wall-clock seconds.
    applications : float
        As in `Ledger`.
    dense : bool
        As in `Ledger`.
    """

    seconds: float = 0.0
    applications: float = 0.0
    dense: bool = False


@dataclass
class Ledger:
    """The cost of a solver by phase: seconds, and applications of the frame.

    A phase is the tuple of the names opened so far; ``()`` is the solver's own work.

    Attributes
    ----------
    seconds : dict
        Wall-clock seconds spent in each phase, without those of phases inside it.
    applications : dict
        The number of signals to which analyse, adjoint or least squares were applied in each
        phase, added up over the calls.
    dense : bool
        Whether the solver took the frame's vectors without counting what it does with them, so
        that `applications` is no measure of its cost.
    """

    seconds: defaultdict[tuple[str, ...], float] = field(default_factory=lambda: defaultdict(float))
    applications: defaultdict[tuple[str, ...], float] = field(
        default_factory=lambda: defaultdict(int)
    )
    dense: bool = False
    _phase: tuple[str, ...] | None = None
    _since: float = 0.0
    _costs: tuple[Cost, ...] | None = None

    def clear(self) -> None:
        """Forget the cost so far, but not whether the vectors were taken."""
        self.seconds.clear()
        self.applications.clear()

    def count(self, rows: float) -> None:
        """Add applications of the frame to `rows` signals to the current phase."""
        if self._costs is None:
            self.applications[self._phase or ()] += rows
        else:
            for cost in self._costs:
                cost.applications += rows

    def take_vectors(self) -> None:
        """Note that the frame's vectors were taken without counting what is done with them."""
        if self._costs is None:
            self.dense = True
        else:
            for cost in self._costs:
                cost.dense = True

    def charge(self, cost: Cost) -> None:
        """Add a cost to the current phase."""
        self.seconds[self._phase or ()] += cost.seconds
        self.applications[self._phase or ()] += cost.applications
        self.dense |= cost.dense

    @contextmanager
    def clock(self, phase: tuple[str, ...]) -> Iterator[None]:
        """Count time for `phase`, and stop doing so for the phase around it."""
        outer = self._switch(phase)
        try:
            yield
        finally:
            self._switch(outer)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Stop the clock."""
        outer = self._switch(None)
        try:
            yield
        finally:
            self._switch(outer)

    @contextmanager
    def diverted(self, *costs: Cost) -> Iterator[None]:
        """Add what is spent to each of some costs in full, and not to the phase."""
        self._switch(self._phase)
        outer, self._costs = self._costs, costs
        try:
            yield
        finally:
            self._switch(self._phase)
            self._costs = outer

    def _switch(self, phase: tuple[str, ...] | None) -> tuple[str, ...] | None:
        now = time.perf_counter()
        outer = self._phase
        if outer is not None and self._costs is None:
            self.seconds[outer] += now - self._since
        elif outer is not None:
            for cost in self._costs or ():
                cost.seconds += now - self._since
        self._phase, self._since = phase, now
        return outer


class CountingFrame(Frame):
    """A frame that counts its applications: a measure of cost that is the same on any machine.

    Parameters
    ----------
    frame : Frame
        The frame that does the work.
    ledger : Ledger
        Where the applications are counted.
    """

    def __init__(self, frame: Frame, ledger: Ledger) -> None:
        self._frame = frame
        self._ledger = ledger
        self.n, self.n_pools, self.pool_size = frame.n, frame.n_pools, frame.pool_size
        self.is_complex, self.field = frame.is_complex, frame.field

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a signal."""
        return self._frame.shape

    def row_energy(self) -> Array:
        """Return the energy of each pool."""
        return self._frame.row_energy()

    def analyse(self, x: Array) -> Array:
        """Count the signals and return their coefficients."""
        self._ledger.count(int(np.prod(x.shape[:-1])))
        return self._frame.analyse(x)

    def adjoint(self, c: Array) -> Array:
        """Count the signals and return Fᵀ c."""
        self._ledger.count(int(np.prod(c.shape[:-2])))
        return self._frame.adjoint(c)

    def least_squares(self, c: Array) -> Array:
        """Count the signals and return F⁺ c."""
        self._ledger.count(int(np.prod(c.shape[:-2])))
        return self._frame.least_squares(c)

    def dense(self) -> Array:
        """Note that the vectors were taken, and return them."""
        return self.vectors(counted=False)

    def vectors(self, *, counted: bool) -> Array:
        """Return the vectors, and note it unless the solver counts what it does with them."""
        if not counted:
            self._ledger.take_vectors()
        return self._frame.vectors(counted=counted)
