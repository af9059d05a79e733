"""Drawing of random patches from photographs, of which those of highest variance are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchbase import Array, ParameterError
from benchbase_datasets.photographs import Photograph

STREAM = 2014
"""The seed of everything random here: patches do not depend on the seed of a suite."""

BLOCK = 512
"""The number of patches that are converted to float64 at a time, to bound the memory."""


@dataclass(frozen=True)
class Sampling:
    """How many patches are drawn, and how many of them are kept.

    Parameters
    ----------
    size : int
        The side of a patch in pixels.
    sampled : int
        The number of patches to draw for training and testing together.
    n_train, n_test : int
        The numbers of patches to keep for training and for testing.
    by_image : bool
        Whether each photograph as a whole is for training or for testing.
    """

    size: int
    sampled: int
    n_train: int
    n_test: int
    by_image: bool


def sample(
    photographs: Sequence[Photograph], sampling: Sampling, advance: Callable[[], None]
) -> tuple[Array, Array, int]:
    """Draw patches, keep those of highest variance, and split them for training and testing.

    The memory needed is that of the kept patches, of one photograph, and of a few numbers per
    drawn patch.

    Parameters
    ----------
    photographs : sequence of Photograph
        Photographs that are at least as large as a patch. Each is read twice.
    sampling : Sampling
        How many patches to draw and to keep.
    advance : callable
        A function that is called after each reading of a photograph.

    Returns
    -------
    train, test : ndarray, shape (n_train, size²) and (n_test, size²), float32
        Grey levels minus the mean of the patch, divided by the grey level of white. The patches
        are in random order.
    flat : int
        The number of drawn patches that have one grey level only. None of them is kept.

    Raises
    ------
    ParameterError
        If there are fewer photographs or patches than asked for.
    """
    split, draw, order = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(STREAM).spawn(3)
    )
    kept = sampling.n_train + sampling.n_test
    if not sampling.by_image:
        signals, flat = _Part(photographs, sampling.size, sampling.sampled, kept).signals(
            draw, order, advance
        )
        return signals[: sampling.n_train], signals[sampling.n_train :], flat
    for_test = _choose_for_test(len(photographs), sampling, split)
    # The share of drawn patches that are kept is the same for training and for testing.
    sampled_test = sampling.n_test + (sampling.sampled - kept) * sampling.n_test // kept
    sampled_train = sampling.sampled - sampled_test
    parts = (
        (_selected(photographs, ~for_test), sampled_train, sampling.n_train),
        (_selected(photographs, for_test), sampled_test, sampling.n_test),
    )
    (train, flat_train), (test, flat_test) = (
        _Part(images, sampling.size, sampled, count).signals(draw, order, advance)
        for images, sampled, count in parts
    )
    return train, test, flat_train + flat_test


def _choose_for_test(count: int, sampling: Sampling, rng: np.random.Generator) -> Array:
    """Draw the photographs for testing, bool of shape (count,), as many as the share of patches."""
    if count < 2:
        problem = f"must be 'random' if only {count} photograph is as large as a patch"
        raise ParameterError("split", f"{problem}, not 'image'")
    share = sampling.n_test / (sampling.n_train + sampling.n_test)
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: min(max(round(share * count), 1), count - 1)]] = True
    return chosen


def _selected(photographs: Sequence[Photograph], chosen: Array) -> list[Photograph]:
    """Return the photographs whose entry in `chosen` is true."""
    return [photograph for photograph, use in zip(photographs, chosen, strict=True) if use]


@dataclass(frozen=True)
class _Part:
    """Photographs with the number of patches to draw from them and the number to keep."""

    photographs: Sequence[Photograph]
    size: int
    sampled: int
    kept: int

    def signals(
        self, draw: np.random.Generator, order: np.random.Generator, advance: Callable[[], None]
    ) -> tuple[Array, int]:
        """Return the kept patches, float32 of shape (kept, size²), and the number of flat ones."""
        shapes = np.array([photograph.shape() for photograph in self.photographs])
        starts = np.concatenate([[0], np.cumsum(np.prod(shapes - self.size + 1, axis=1))])
        if self.sampled > starts[-1]:
            problem = f"must be fewer: {self.sampled} patches would have to be drawn"
            raise ParameterError("sampled", f"{problem} from photographs with only {starts[-1]}")
        drawn = distinct(int(starts[-1]), self.sampled, draw)
        variances = np.empty(self.sampled)
        for rows, patches in self._patches(drawn, starts, advance):
            variances[rows] = scatter(patches)
        flat = int(np.count_nonzero(variances == 0))
        if self.sampled - flat < self.kept:
            problem = f"is too small: {flat} of the {self.sampled} patches have only one grey level"
            raise ParameterError("sampled", f"{problem}, and {self.kept} others must be kept")
        best = drawn[highest(variances, self.kept)]
        places = order.permutation(self.kept)
        signals = np.empty((self.kept, self.size**2), dtype=np.float32)
        for rows, patches in self._patches(best, starts, advance):
            signals[places[rows]] = (patches - patches.mean(axis=1, keepdims=True)) / 255
        return signals, flat

    def _patches(
        self, numbers: Array, starts: Array, advance: Callable[[], None]
    ) -> Iterator[tuple[slice, Array]]:
        """Yield the patches with the given ascending numbers in blocks, as rows of float64."""
        bounds = np.searchsorted(numbers, starts)
        for photograph, start, first, last in zip(
            self.photographs, starts[:-1], bounds[:-1], bounds[1:], strict=True
        ):
            windows = np.lib.stride_tricks.sliding_window_view(
                photograph.grey(), (self.size, self.size)
            )
            for begin in range(first, last, BLOCK):
                rows = slice(begin, min(begin + BLOCK, last))
                y, x = np.divmod(numbers[rows] - start, windows.shape[1])
                yield rows, windows[y, x].reshape(-1, self.size**2).astype(np.float64)
            advance()


def distinct(population: int, count: int, rng: np.random.Generator) -> Array:
    """Return `count` of the numbers below `population`, drawn without replacement, ascending."""
    if 2 * count > population:
        left_out = distinct(population, population - count, rng)
        return np.delete(np.arange(population), left_out)
    # Numbers are drawn one after the other, and a number that was drawn before is drawn again.
    chosen = np.empty(0, dtype=np.int64)
    while len(chosen) < count:
        more = rng.integers(population, size=count - len(chosen))
        # numpy.unique hashes from version 2.3 on, which takes fifty times as long as sorting.
        ascending = np.sort(np.concatenate([chosen, more]))
        chosen = ascending[np.diff(ascending, prepend=-1) > 0]
    return chosen


def scatter(patches: Array) -> Array:
    """Return P² times the variance of each patch of an array (S, P); exact for grey levels."""
    total = patches.sum(axis=1)
    variances: Array = patches.shape[1] * np.einsum("ij,ij->i", patches, patches) - total**2
    return variances


def highest(values: Array, count: int) -> Array:
    """Return the indices of the `count` highest values, ascending; of equal ones, the first."""
    least = np.partition(values, len(values) - count)[len(values) - count]
    above = np.flatnonzero(values > least)
    equal = np.flatnonzero(values == least)[: count - len(above)]
    return np.sort(np.concatenate([above, equal]))
