"""What plugins implement: data sets, frames, poolings, noise, hints, solvers and reports.

Shapes: S signals, N dimension, K pools, L pool size, T training signals. Coefficients are
(..., L, K), with the members of a pool on axis -2: pooling over them is contiguous in the pools,
an order of magnitude faster than over the last axis.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, dataclass_transform

import numpy as np
import numpy.typing as npt

from benchbase.provenance import note_loaded, package_of

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from benchbase.problem import Problem, Recovery, Run
    from benchbase.results import Results

Array: TypeAlias = npt.NDArray[Any]
"""A NumPy array of any type."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Component(ABC):  # noqa: B024 # the kinds have the abstract methods
    """What a plugin supplies under a name: a frozen dataclass whose fields are its parameters.

    Subclasses are made frozen, keyword-only dataclasses as they are defined; they need no
    decorator. A field may itself be a component (an initialiser, an inner solver). Checks that
    types cannot express belong into ``__post_init__`` and raise `ParameterError`.

    Attributes
    ----------
    name : str
        The name under which suites refer to the component. Class attribute.
    kind : str
        "dataset", "frame", "pooling", "noise", "hint", "solver" or "report". Class attribute.
    reserved : frozenset of str
        Names that no parameter can have. Class attribute.

    Raises
    ------
    TypeError
        When a class is defined whose parameter has a reserved name.
    """

    name: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    reserved: ClassVar[frozenset[str]] = frozenset(
        {"name", "kind", "reserved", "spec", "walk", "children"}
    )

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        note_loaded(package_of(cls))
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        for field in dataclasses.fields(cls):  # type: ignore[arg-type] # made one just now
            if field.name in cls.reserved:
                raise TypeError(f"{cls.__qualname__}: no parameter can be named '{field.name}'")

    def walk(self) -> Iterator[Component]:
        """Yield the component itself and all that its fields hold, depth first."""
        yield self
        for child in self.children():
            yield from child.walk()

    def children(self) -> Iterator[Component]:
        """Yield the components that the fields hold, those inside these not."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type] # subclasses are dataclasses
            value = getattr(self, field.name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Component):
                    yield item

    def spec(self) -> dict[str, Any]:
        """Return the component as plain data: its name and all parameters, defaults included."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type] # as above
        return {"name": self.name} | {key: _plain(value) for key, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Component):
        return value.spec()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


class Dataset(Component):
    """A source of signals.

    Attributes
    ----------
    n : int
        The dimension N of the signals: a field or a property.
    signal_norm : float or None
        The Euclidean norm that all signals share, or None where they differ.
    n_test : int or None
        The number of test signals that there are, or None where there is no end of them.
    """

    kind = "dataset"
    signal_norm: ClassVar[float | None] = None
    n_test: ClassVar[int | None] = None

    if TYPE_CHECKING:  # a property here would become the default of a subclass's field `n`

        @property
        def n(self) -> int:
            """The dimension N of the signals."""

    def train(self, rng: np.random.Generator) -> Array | None:
        """Return training signals of shape (T, N), float32, or None where there are none.

        The same for all trials; the caller caches them. Never a test signal among them.
        """
        del rng
        return None

    @abstractmethod
    def test(self, size: int, rng: np.random.Generator) -> Array:
        """Draw test signals of shape (size, N).

        From the same generator state, the first S signals of a longer draw are the same.

        Raises
        ------
        ParameterError
            Where there are fewer than `size`.
        """

    def fingerprint(self) -> str:
        """Return a digest of the files outside the package that the signals come from.

        Raises
        ------
        DataError
            Where such files are missing; the message says which to put where.
        """
        return ""

    def picture(self, x: Array) -> Array | None:
        """Turn signals (..., N) into grey pictures (..., H, W), or None where they are none."""
        del x
        return None


class Frame(ABC):
    """K pools of L vectors in R^N: the linear part of a pooling representation.

    Attributes
    ----------
    n, n_pools, pool_size : int
        N, K and L.
    is_complex : bool
        Whether the vectors are complex (the ambiguity is then a phase).
    """

    n: int
    n_pools: int
    pool_size: int
    is_complex: bool = False

    @property
    def condition(self) -> float | None:
        """The largest singular value over the smallest that is no rounding; None if unknown."""
        return None

    @abstractmethod
    def analyse(self, x: Array) -> Array:
        """Return the coefficients F x: (..., N) to (..., L, K), dtype kept."""

    @abstractmethod
    def adjoint(self, c: Array) -> Array:
        """Return Fᵀ c: (..., L, K) to (..., N), dtype kept."""

    @abstractmethod
    def least_squares(self, c: Array) -> Array:
        """Return F⁺ c, the shortest x with the least ‖F x − c‖: (..., L, K) to (..., N)."""

    @abstractmethod
    def dense(self) -> Array:
        """Return the vectors, (K, L, N), read-only; raise `NotImplementedError` if never formed."""


class FrameDesign(Component):
    """A recipe for frames."""

    kind = "frame"

    def size(self, n: int) -> tuple[int | None, int | None]:
        """Return K and L of the frames for signals of dimension `n`.

        By default the fields `n_pools` and `pool_size`; to be overridden where they are none.
        """
        del n
        return getattr(self, "n_pools", None), getattr(self, "pool_size", None)

    def check(self, n: int) -> None:
        """Raise `ParameterError` where the parameters do not fit signals of dimension `n`."""
        del n

    @abstractmethod
    def build(self, n: int, train: Array | None, rng: np.random.Generator) -> Frame:
        """Build one frame for signals of dimension `n`.

        Parameters
        ----------
        n : int
            The dimension N.
        train : ndarray, shape (T, N), or None
            The data set's training signals, for learned frames; read-only.
        rng : numpy.random.Generator
            The stream of this number of pools and trial.
        """


class Pooling(Component):
    """What keeps one number a pool."""

    kind = "pooling"

    @property
    @abstractmethod
    def even(self) -> bool:
        """Whether x and −x have the same measurements, so that the sign is lost."""

    @property
    @abstractmethod
    def nonnegative(self) -> bool:
        """Whether all measurements are at least zero."""

    @property
    def p(self) -> float | None:
        """The exponent, or None where the operator is no lp norm."""
        return None

    @property
    def rectified(self) -> bool:
        """Whether coefficients pass a half rectification before they are pooled."""
        return False

    def check(self, n_pools: int, pool_size: int) -> None:
        """Raise `ParameterError` where the parameters do not fit K pools of L."""
        del n_pools, pool_size

    @abstractmethod
    def __call__(self, c: Array) -> Array:
        """Pool coefficients: (..., L, K) to (..., K)."""

    @abstractmethod
    def rescale(self, c: Array, b: Array) -> Array:
        """Give each pool the value b along the direction that it has: (..., L, K).

        Step 1 of alternating minimisation (paper, section 3.1.1), b_k · c_k / ‖c_k‖_p. Entries
        about which b says nothing (see `known`) keep their value.
        """

    @abstractmethod
    def project(self, c: Array, b: Array) -> Array:
        """Return the nearest coefficients whose pools have the values b: (..., L, K)."""

    def known(self, c: Array, b: Array) -> Array | None:
        """Mark the coefficients whose value `rescale` takes from b: bool (..., L, K).

        None where that is all of them, as it is without rectification.
        """
        del c, b
        return None


class Noise(Component):
    """What comes between signals and the measurements that a solver gets."""

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
            One a signal, the same for all numbers of pools.
        """


class Hint(Component):
    """Side information: a first guess at each signal, made from the signal itself.

    A controlled experiment, as of success against the angle of the start: what a solver makes of
    a hint says nothing about measurements alone.
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
            One a signal, the same for all numbers of pools.
        """


Inverse: TypeAlias = "Callable[[Array, Run], Recovery]"
"""What `Solver.prepare` returns: measurements (S, K) and a `Run` to a `Recovery`."""


class Solver(Component):
    """An algorithm that gives signals back from their pooled measurements.

    Attributes
    ----------
    requires : tuple of str
        Modules that it imports, beyond NumPy; imported before the clock starts. Class attribute.
    chunk : int or None
        Signals a call, the unit in which work is stored; None for all at once. Class attribute.
    """

    kind = "solver"
    reserved = Component.reserved | {"label", "points", "time_limit"}  # keys of a [[solver]]
    requires: ClassVar[tuple[str, ...]] = ()
    chunk: ClassVar[int | None] = None

    def unsupported(self, problem: Problem) -> str | None:
        """Say why the solver does not apply to a problem, or None where it does.

        Looks at shapes and the pooling only, before anything is computed. This method returns the
        first reason of the solvers among the fields, which speak for those among their own.
        """
        inner = (part for part in self.children() if isinstance(part, Solver))
        reasons = (part.unsupported(problem) for part in inner)
        return next((reason for reason in reasons if reason is not None), None)

    def transition(self, pooling: Pooling, pool_size: int) -> float | None:
        """Return the number of pools a dimension, K/n, at which theory for large n sees success.

        For Gaussian signals and random frames; None where there is no theory. Reports mark it
        beside what was measured.

        Parameters
        ----------
        pooling : Pooling
            The pooling operator.
        pool_size : int
            The vectors a pool, L.
        """
        del pooling, pool_size
        return None

    @abstractmethod
    def prepare(self, problem: Problem) -> Inverse:
        """Do once what all signals share: factorise, index, compile.

        Returns
        -------
        callable
            ``inverse(b, run)`` with b of shape (S, K), float64, and a `Run`; gives a `Recovery`.
        """


class Report(Component):
    """A view of results: tables, plots, pages."""

    kind = "report"

    @abstractmethod
    def write(self, results: Results, folder: Path) -> list[Path]:
        """Write the report's files into an existing folder and return their paths."""

    def show(self, results: Results, console: Console) -> None:
        """Print what the terminal should show, if anything."""
        del results, console
