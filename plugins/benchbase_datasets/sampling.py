"""The patches of highest variance among a random sample of those of photographs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchbase import Array, ParameterError
from benchbase_datasets.photographs import Photograph

STREAM = 2014
"""The seed of all that is random here: the same patches whatever the seed of a suite."""

BLOCK = 512
"""Patches that are converted to float64 at a time."""


@dataclass(frozen=True)
class Sampling:
    """How many patches are drawn, and how many of them are kept.

    Parameters
    ----------
    size : int
        Side of a patch in pixels.
    sampled : int
        Patches to draw, training and test patches together.
    n_train, n_test : int
        Patches to keep.
    by_image : bool
        Whether each photograph is for training or for testing as a whole.
    """

    size: int
    sampled: int
    n_train: int
    n_test: int
    by_image: bool


def sample(
    photographs: Sequence[Photograph], sampling: Sampling, advance: Callable[[], None]
) -> tuple[Array, Array, int]:
    """Draw patches, keep those of highest variance, and part them for training and testing.

    Memory is that of the kept patches, one photograph, and some numbers for each drawn patch.

    Parameters
    ----------
    photographs : sequence of Photograph
        All at least as large as a patch. Each is read twice.
    sampling : Sampling
        How many.
    advance : callable
        Called after each reading of a photograph.

    Returns
    -------
    train, test : ndarray, shape (n_train, size²) and (n_test, size²), float32
        Grey levels less the mean of the patch, in units of white; in random order.
    flat : int
        How many of the drawn patches were of one grey level; none of them is kept.

    Raises
    ------
    ParameterError
        If there are fewer photographs or patches than asked for.
    """
    part, draw, order = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(STREAM).spawn(3)
    )
    kept = sampling.n_train + sampling.n_test
    if not sampling.by_image:
        signals, flat = _Pool(photographs, sampling.size, sampling.sampled, kept).signals(
            draw, order, advance
        )
        return signals[: sampling.n_train], signals[sampling.n_train :], flat
    for_test = _for_test(len(photographs), sampling, part)
    # The share kept is the same of the training and of the test patches.
    sampled_test = sampling.n_test + (sampling.sampled - kept) * sampling.n_test // kept
    sampled_train = sampling.sampled - sampled_test
    pools = (
        (_of(photographs, ~for_test), sampled_train, sampling.n_train),
        (_of(photographs, for_test), sampled_test, sampling.n_test),
    )
    (train, flat_train), (test, flat_test) = (
        _Pool(images, sampling.size, sampled, count).signals(draw, order, advance)
        for images, sampled, count in pools
    )
    return train, test, flat_train + flat_test


def _for_test(count: int, sampling: Sampling, rng: np.random.Generator) -> Array:
    """Choose the photographs for testing, bool (count,): the share that the patches have."""
    if count < 2:
        problem = f"must be 'random' with no more than {count} photograph of a patch's size"
        raise ParameterError("split", f"{problem}, not 'image'")
    share = sampling.n_test / (sampling.n_train + sampling.n_test)
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: min(max(round(share * count), 1), count - 1)]] = True
    return chosen


def _of(photographs: Sequence[Photograph], chosen: Array) -> list[Photograph]:
    """Return the photographs that are chosen."""
    return [photograph for photograph, is_in in zip(photographs, chosen, strict=True) if is_in]


@dataclass(frozen=True)
class _Pool:
    """Photographs from which patches are drawn, of which the best are kept."""

    photographs: Sequence[Photograph]
    size: int
    sampled: int
    kept: int

    def signals(
        self, draw: np.random.Generator, order: np.random.Generator, advance: Callable[[], None]
    ) -> tuple[Array, int]:
        """Return the kept patches (kept, size²), float32, and how many drawn ones were flat."""
        shapes = np.array([photograph.shape() for photograph in self.photographs])
        starts = np.concatenate([[0], np.cumsum(np.prod(shapes - self.size + 1, axis=1))])
        if self.sampled > starts[-1]:
            problem = f"must be fewer: {self.sampled} would come from photographs"
            raise ParameterError("sampled", f"{problem} with no more than {starts[-1]} patches")
        drawn = distinct(int(starts[-1]), self.sampled, draw)
        spread = np.empty(self.sampled)
        for rows, patches in self._patches(drawn, starts, advance):
            spread[rows] = scatter(patches)
        flat = int(np.count_nonzero(spread == 0))
        if self.sampled - flat < self.kept:
            problem = f"must be more: {flat} of {self.sampled} patches are of one grey level"
            raise ParameterError("sampled", f"{problem}, and {self.kept} others are to be kept")
        best = drawn[highest(spread, self.kept)]
        places = order.permutation(self.kept)
        signals = np.empty((self.kept, self.size**2), dtype=np.float32)
        for rows, patches in self._patches(best, starts, advance):
            signals[places[rows]] = (patches - patches.mean(axis=1, keepdims=True)) / 255
        return signals, flat

    def _patches(
        self, numbers: Array, starts: Array, advance: Callable[[], None]
    ) -> Iterator[tuple[slice, Array]]:
        """Read the photographs; yield the patches of ascending numbers in blocks, float64."""
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
    """Draw `count` of the numbers below `population` without replacement; ascending."""
    if 2 * count > population:
        left_out = distinct(population, population - count, rng)
        return np.delete(np.arange(population), left_out)
    # Drawn one after the other, a number that was there before drawn again.
    chosen = np.empty(0, dtype=np.int64)
    while len(chosen) < count:
        more = rng.integers(population, size=count - len(chosen))
        # Not numpy.unique, which from version 2.3 hashes, at fifty times the cost of sorting.
        ascending = np.sort(np.concatenate([chosen, more]))
        chosen = ascending[np.diff(ascending, prepend=-1) > 0]
    return chosen


def scatter(patches: Array) -> Array:
    """Return P² times the variances of patches (S, P); exact for grey levels."""
    total = patches.sum(axis=1)
    variances: Array = patches.shape[1] * np.einsum("ij,ij->i", patches, patches) - total**2
    return variances


def highest(values: Array, count: int) -> Array:
    """Return where the `count` highest values are, ascending; the first of equal ones."""
    least = np.partition(values, len(values) - count)[len(values) - count]
    above = np.flatnonzero(values > least)
    equal = np.flatnonzero(values == least)[: count - len(above)]
    return np.sort(np.concatenate([above, equal]))
