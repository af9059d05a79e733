"""Making a problem to solve from its components: signals, frame, measurements, hints."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from benchbase.component import Array, Component
from benchbase.errors import (
    BenchbaseError,
    OutOfMemoryError,
    PluginError,
    check_real,
    described,
    system_error,
)
from benchbase.interfaces import Dataset, Hint, Noise
from benchbase.numerics.streams import Role, generator, open_stream, solver_keys, stream_key
from benchbase.problem import Problem
from benchbase.representation import Frame, FrameDesign, Pooling

Arrays: TypeAlias = Mapping[str, Array]
Cached: TypeAlias = Callable[[Callable[[], Arrays]], Arrays]
"""Returns the arrays that a function makes, or the stored ones if it has made them before."""


@dataclass(frozen=True)
class Signals:
    """A trial's test signals, and the training signals that go with them.

    Attributes
    ----------
    truth : ndarray, shape (S, N)
        The test signals, read-only.
    training : ndarray, shape (T, N), or None
        The training signals, or None if the data set has none.
    norm : float or None
        The norm that all signals share, or None if there is none.
    """

    truth: Array
    training: Array | None
    norm: float | None


@dataclass(frozen=True)
class Instance:
    """A problem with the signals to recover.

    Attributes
    ----------
    problem : Problem
        What solvers know.
    truth : ndarray, shape (S, N)
        The signals to recover, read-only.
    b : ndarray, shape (S, K)
        Their measurements, read-only.
    hint : ndarray, shape (S, N), or None
        A first guess at each signal, read-only, or None if the problem has no hint.
    seed, trial : int
        The keys of the random streams.
    """

    problem: Problem
    truth: Array
    b: Array
    hint: Array | None
    seed: int
    trial: int

    def keys(self, rows: range) -> list[bytes]:
        """Return the keys of the solver's streams for some of the signals; see `solver_keys`."""
        return solver_keys(self.seed, self.trial, rows)


def draw(dataset: Dataset, seed: int, trial: int, points: int, cached: Cached) -> Signals:
    """Draw a trial's test signals, and take the training signals from the cache.

    Parameters
    ----------
    dataset : Dataset
        The source of the signals.
    seed, trial : int
        The keys of the random streams. Training signals are the same for all trials.
    points : int
        The number of test signals, S.
    cached : callable
        Stores the training signals; see `Cached`.

    Raises
    ------
    BenchbaseError
        If the data set raises an error, or its signals are complex, not finite or of another shape.
    """
    with blamed(dataset):
        training = _training(dataset, seed, cached)
        drawn = np.asarray(dataset.test(points, generator(seed, "test", trial)))
        _check(drawn, (points, dataset.n), dataset)
        # Rounded as in the store, so that stored estimates can be scored again exactly.
        with np.errstate(over="ignore"):  # what is beyond float32 is found in the next line
            truth = drawn.astype(np.float32).astype(np.float64)
        _check(truth, truth.shape, dataset)
        norm = dataset.signal_norm
    return Signals(_read_only(truth), training, norm)


def frame_key(design: FrameDesign, n: int, seed: int, trial: int) -> bytes:
    """Return the key of the stream that a frame for signals of dimension `n` is drawn from."""
    return stream_key(seed, "frame", design.size(n)[0] or 0, trial)


def build_frame(design: FrameDesign, n: int, training: Array | None, key: bytes) -> Frame:
    """Build a frame from the key of its stream (`frame_key`) and the training signals (T, N)."""
    with blamed(design):
        return design.build(n, training, open_stream(key))


def build(
    signals: Signals,
    frame: Frame,
    pooling: Pooling,
    noise: Noise | None,
    hint: Hint | None,
    seed: int,
    trial: int,
) -> Instance:
    """Measure the signals, and make the hints.

    Parameters
    ----------
    signals : Signals
        From `draw`.
    frame : Frame
        From `build_frame`.
    pooling, noise, hint : Component
        The other components of the problem. Noise and hint may be None.
    seed, trial : int
        The keys of the random streams.

    Raises
    ------
    BenchbaseError
        If a component raises an error, or gives an array that is complex, not finite or of the
        wrong shape.
    """
    truth = signals.truth
    problem = Problem(frame, pooling, signals.training, signals.norm)
    with blamed(pooling):
        b, x0 = problem.measure(truth), None
        _check(b, (len(truth), frame.n_pools), pooling)

    def generators(role: Role) -> list[np.random.Generator]:
        return [generator(seed, role, trial, signal) for signal in range(len(truth))]

    if noise is not None:
        with blamed(noise):
            noisy = np.asarray(noise.measure(problem, truth, generators("noise")))
            _check(noisy, b.shape, noise)
        b = noisy
        problem = replace(problem, noise=None)
    if hint is not None:
        with blamed(hint):
            guess = np.asarray(hint.guess(truth, generators("hint")))
            _check(guess, truth.shape, hint)
        x0 = _read_only(guess)
        problem = replace(problem, hint=True)
    return Instance(problem, truth, _read_only(b), x0, seed, trial)


def _training(dataset: Dataset, seed: int, cached: Cached) -> Array | None:
    """Return the training signals from the cache, after making them if they are not there."""

    def make() -> Arrays:
        signals = dataset.train(generator(seed, "train"))
        if signals is not None:
            check_real("training", signals)
        if signals is not None and signals.dtype == np.float32 and file_of(signals) is not None:
            return {"mapped": np.ones(1)}  # the data set stores them itself
        return {} if signals is None else {"train": np.asarray(signals, dtype=np.float32)}

    kept = cached(make)
    if "mapped" in kept:
        return dataset.train(generator(seed, "train"))
    return kept.get("train")


def file_of(array: Array) -> str | None:
    """Return the path of the NPY file of which an array maps the whole; None for other arrays.

    Solvers may be given such a file, since nothing else is in it.
    """
    if not isinstance(array, np.memmap) or not array.filename:
        return None
    try:
        whole = np.load(array.filename, mmap_mode="r")
    except (OSError, ValueError):  # it is no NPY file
        return None
    same = (whole.offset, whole.shape, whole.strides) == (array.offset, array.shape, array.strides)
    return str(array.filename) if same and whole.dtype == array.dtype else None


@contextmanager
def blamed(part: Component) -> Iterator[None]:
    """Turn what a component's code raises into an error that names the component.

    What goes wrong before a solver has its measurements is not the solver's failure.

    Raises
    ------
    BenchbaseError
        It is an `OutOfMemoryError` or a `DiskError` if the machine is at fault.
    """
    name = f"the {part.kind} '{part.name}'"
    try:
        yield
    except BenchbaseError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError(
            f"{name}: there is not enough memory; ask for fewer signals or run fewer jobs"
        ) from error
    except OSError as error:
        raise system_error(name, error, PluginError) from error
    except (Exception, SystemExit) as error:  # third-party code may raise anything
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        raise PluginError(f"{name} failed: {described(error)} ({place})") from error


def _check(array: Array, shape: tuple[int, ...], part: Component) -> None:
    """Raise `PluginError` unless an array holds finite real numbers and has a shape."""
    kind = array.dtype.kind
    if kind not in "biuf":
        fault = "of complex numbers" if kind == "c" else f"of type {array.dtype}"
    elif array.shape != shape:
        fault = f"of shape {array.shape}"
    elif not np.isfinite(array).all():
        fault = "that is not finite"
    else:
        return
    wanted = f"it must give a finite one of real numbers, of shape {shape}"
    raise PluginError(f"the {part.kind} '{part.name}' gave an array {fault}; {wanted}")


def own_copy(array: Array) -> Array:
    """Return a read-only copy of an array. It owns its memory, so that it leads to nothing else."""
    return _read_only(np.array(array, order="C"))


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array
