"""Experiments: problems, the solvers to run on them, and changes from the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from benchbase.component import Component
from benchbase.errors import SuiteError
from benchbase.interfaces import Dataset, Hint, Noise, Solver
from benchbase.planning.toml import from_toml, parse_path, storable
from benchbase.representation import FrameDesign, Pooling
from benchbase.tasks import json_ready

NEEDED = ("dataset", "frame", "pooling")
PROBLEM = (*NEEDED, "noise", "hint")
KEYS = ("title", "seed", "trials", "points", "time_limit", "trace", *PROBLEM, "grid", "solver")


MOST_CELLS = 1_000_000
"""The most cells of an experiment, and the most chunks of a suite: more do not fit into memory."""

MOST_SIGNALS = 10_000_000
"""The most signals of all cells of an experiment. Each is a row of the results."""


@dataclass(frozen=True)
class Entry:
    """A solver in an experiment: its label, its number of test signals, and its time limit.

    If `points` or `time_limit` is None, the one of the experiment is used. Time limits are in
    seconds per signal, here and in `Experiment`.
    """

    label: str
    solver: Solver
    points: int | None = None
    time_limit: float | None = None


class Setting(NamedTuple):
    """A point of the grid: the components of a problem. Noise and hint may be None."""

    dataset: Dataset
    frame: FrameDesign
    pooling: Pooling
    noise: Noise | None = None
    hint: Hint | None = None

    def parts(self) -> list[Component]:
        """Return the components, without noise and hint if there is none."""
        return [part for part in self if part is not None]

    def facts(self) -> dict[str, Any]:
        """Return JSON-ready data about the problem: its specs, its sizes, the kind of pooling."""
        pools, size = self.frame.size(self.dataset.n)
        facts: dict[str, Any] = {part.kind: part.spec() for part in self.parts()}
        facts |= {
            "n": self.dataset.n,
            "n_pools": pools,
            "pool_size": size,
            "p": self.pooling.p,
            "rectified": self.pooling.rectified,
            "even": self.pooling.even,
        }
        return json_ready(facts)  # type: ignore[no-any-return] # a dict stays one


@dataclass(frozen=True)
class Experiment:
    """A set of problems, and the solvers that are run on all of them.

    Attributes
    ----------
    problems : tuple of Setting
        The points of the grid, in the order of its axes.
    trace : bool
        Whether to store scores of the estimates that solvers record while they iterate.
    """

    name: str
    seed: int
    trials: int
    points: int
    problems: tuple[Setting, ...]
    entries: tuple[Entry, ...]
    time_limit: float | None = None
    trace: bool = False


@dataclass(frozen=True)
class Change:
    """A value that the command line or a script sets in every experiment before validation.

    Parameters
    ----------
    path : tuple of (str or int)
        The keys that lead to the value, for example ``("grid", "frame", "n_pools")``.
    value : object
        The value.
    origin : str
        The name of the change in messages, for example ``"--points 5"``.
    """

    path: tuple[str | int, ...]
    value: Any
    origin: str

    def __post_init__(self) -> None:
        storable([*self.path], self.origin)
        storable(self.value, self.origin)

    @classmethod
    def parse(cls, text: str) -> Change:
        """Read the argument of ``--set``: ``PATH=VALUE``, the value written in TOML.

        Raises
        ------
        SuiteError
            If there is no ``=``, or the value is not TOML.
        """
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise SuiteError([f"--set {text}: write PATH=VALUE, as in --set points=10"])
        origin = f"--set {text}"
        return cls(parse_path(path.strip()), from_toml(value, origin), origin)


@dataclass(frozen=True)
class Extra:
    """A solver that the command line or a script adds to every experiment.

    Parameters
    ----------
    spec : dict or Solver
        The solver, as in a suite's ``[[solver]]`` table.
    origin : str
        The name of the addition in messages, for example ``"--with ..."``.
    if_new : bool
        Whether to leave the solver out of experiments that name it already.
    """

    spec: Any
    origin: str
    if_new: bool = False

    def __post_init__(self) -> None:
        storable(self.spec, self.origin)
