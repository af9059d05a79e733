"""Exact search for the training signals with the nearest measurements."""

from collections.abc import Iterator

import numpy as np

from benchbase import Array, Problem

ENTRIES = 2**22  # numbers in a block: 16 MB in float32, 32 MB in float64
SPARE = 16  # candidates beyond those wanted, among which rounding may have changed the order


class Index:
    """The measurements of all training signals, (T, K) in float32.

    Parameters
    ----------
    problem : Problem
        With training signals; they are read in blocks.
    """

    def __init__(self, problem: Problem) -> None:
        assert problem.training is not None  # noqa: S101 # for mypy; solvers have refused it
        self._problem, self._training = problem, problem.training
        frame = problem.frame
        self._measured = np.empty((len(self._training), frame.n_pools), dtype=np.float32)
        for block in blocks(len(self._training), frame.pool_size * frame.n_pools):
            self._measured[block] = problem.measure(self._training[block].astype(np.float32))
        self._power = np.einsum("tk,tk->t", self._measured, self._measured)

    def nearest(self, b: Array, q: int) -> Array:
        """Return the indices (S, q) of the training signals whose measurements are nearest to b.

        In order of distance in float64, then of index. Candidates come from one product in
        float32. Where those left out might, for all that its rounding tells, be nearer than one
        that is in, the query is answered again in float64.
        """
        wanted = min(q + SPARE, len(self._training))
        candidates, left_out = self._candidates(b, wanted)
        near, square = self._ranked(b, candidates, q)
        unsure = square[:, -1] > left_out
        if unsure.any():
            near[unsure] = self._scan(b[unsure], q)
        return near

    def _candidates(self, b: Array, wanted: int) -> tuple[Array, Array]:
        """Return indices (S, wanted), and how near (squared) those left out may be."""
        queries = b.astype(np.float32)
        best = np.full((len(b), wanted), np.inf, dtype=np.float32)
        index = np.zeros((len(b), wanted), dtype=np.int64)
        for block in blocks(len(self._training), max(len(b), self._measured.shape[1])):
            part = self._power[block] - 2 * (queries @ self._measured[block].T)
            numbers = np.broadcast_to(np.arange(block.start, block.stop), part.shape)
            best, index = _least(
                np.concatenate([best, part], axis=1),
                np.concatenate([index, numbers], axis=1),
                wanted,
            )
        if wanted == len(self._training):
            return index, np.full(len(b), np.inf)
        size = np.linalg.norm(b, axis=1)
        longest = np.sqrt(self._power.max())
        frame = self._problem.frame
        rounding = 4 * (frame.n + frame.n_pools) * np.finfo(np.float32).eps
        return index, best.max(axis=1) + size**2 - rounding * longest * (longest + size)

    def _ranked(self, b: Array, candidates: Array, q: int) -> tuple[Array, Array]:
        """Return the q nearest of the candidates (S, C) and their squared distances, (S, q)."""
        candidates = np.sort(candidates, axis=1)  # of equals, the first
        signals = self._training[candidates].astype(np.float64)
        gap = self._problem.measure(signals) - b[:, None, :]
        square = np.einsum("sck,sck->sc", gap, gap)
        order = np.argsort(square, axis=1, kind="stable")[:, :q]
        return (
            np.take_along_axis(candidates, order, axis=1),
            np.take_along_axis(square, order, axis=1),
        )

    def _scan(self, b: Array, q: int) -> Array:
        """Return the same as `nearest`, from distances in float64 to all training signals."""
        frame = self._problem.frame
        square = np.empty((len(b), len(self._training)))
        for block in blocks(len(self._training), frame.pool_size * frame.n_pools):
            measured = self._problem.measure(self._training[block].astype(np.float64))
            for i, query in enumerate(b):
                gap = measured - query
                square[i, block] = np.einsum("tk,tk->t", gap, gap)
        return np.argsort(square, axis=1, kind="stable")[:, :q]


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Cut rows of a given width into blocks of bounded size."""
    step = max(1, ENTRIES // width)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _least(values: Array, labels: Array, count: int) -> tuple[Array, Array]:
    """Return the least values of each row and their labels, in no order."""
    pick = np.argpartition(values, count - 1, axis=1)[:, :count]
    return np.take_along_axis(values, pick, axis=1), np.take_along_axis(labels, pick, axis=1)
