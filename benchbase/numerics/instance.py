"""Making a problem to solve from its components: signals, frame, measurements, hints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from benchbase.component import Array
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
    ValueError
        If the data set gives test signals of another shape.
    """
    training = _training(dataset, seed, cached)
    drawn = dataset.test(points, generator(seed, "test", trial))
    # Rounded as in the store, so that stored estimates can be scored again exactly.
    truth = drawn.astype(np.float32).astype(np.float64)
    if truth.shape != (points, dataset.n):
        raise ValueError(f"the data set gave test signals of shape {truth.shape}")
    return Signals(_read_only(truth), training, dataset.signal_norm)


def frame_key(design: FrameDesign, n: int, seed: int, trial: int) -> bytes:
    """Return the key of the stream that a frame for signals of dimension `n` is drawn from."""
    return stream_key(seed, "frame", design.size(n)[0] or 0, trial)


def build_frame(design: FrameDesign, n: int, training: Array | None, key: bytes) -> Frame:
    """Build a frame from the key of its stream (`frame_key`) and the training signals (T, N)."""
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
    ValueError
        If the noise or the hint gives an array of the wrong shape, or one that is not finite.
    """
    truth = signals.truth
    problem = Problem(frame, pooling, signals.training, signals.norm)
    b, x0 = problem.measure(truth), None

    def generators(role: Role) -> list[np.random.Generator]:
        return [generator(seed, role, trial, signal) for signal in range(len(truth))]

    if noise is not None:
        b = _of_shape(noise.measure(problem, truth, generators("noise")), b.shape, noise)
        problem = replace(problem, noise=None)
    if hint is not None:
        guess = hint.guess(truth, generators("hint"))
        x0 = _read_only(_of_shape(guess, truth.shape, hint))
        problem = replace(problem, hint=True)
    return Instance(problem, truth, _read_only(b), x0, seed, trial)


def _training(dataset: Dataset, seed: int, cached: Cached) -> Array | None:
    """Return the training signals from the cache, after making them if they are not there."""

    def make() -> Arrays:
        signals = dataset.train(generator(seed, "train"))
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


def _of_shape(array: Array, shape: tuple[int, ...], part: Noise | Hint) -> Array:
    if array.shape != shape or not np.isfinite(array).all():
        fault = f"of shape {array.shape}" if array.shape != shape else "that is not finite"
        wanted = f"it must give a finite one of shape {shape}"
        raise ValueError(f"the {part.kind} '{part.name}' gave an array {fault}; {wanted}")
    return array


def own_copy(array: Array) -> Array:
    """Return a read-only copy of an array. It owns its memory, so that it leads to nothing else."""
    return _read_only(np.array(array, order="C"))


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array
