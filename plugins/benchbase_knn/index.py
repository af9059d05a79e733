"""Exact search for the training signals with the nearest measurements."""

import math
from collections.abc import Iterator

import numpy as np

from benchbase import Array, Problem

ENTRIES = 400_000  # numbers in a block: 1.6 MB in float32, which fit into the cache of a core
SPARE = 16  # additional candidates, because rounding may change the order of near ones


class Index:
    """An index of all training signals, to search them by their measurements.

    Each search measures all training signals anew, in float32 and block by block, so that the
    memory does not depend on their number T. If the measurements are stored, they take T·K·4 bytes.

    Parameters
    ----------
    problem : Problem
        A problem with training signals, which are read in blocks.
    store : bool, optional
        Whether to measure all training signals at once and to keep the measurements.
    """

    def __init__(self, problem: Problem, *, store: bool = False) -> None:
        assert problem.training is not None  # noqa: S101 # for mypy; solvers have refused such problems
        self._problem, self._training = problem, problem.training
        # Multiplied by (size of coefficients and measurements)², this bounds the error of a squared
        # distance in float32. It is far above the error of sums of n and K terms, and far below
        # the distances between different signals.
        terms = problem.frame.n + problem.frame.n_pools
        self._rounding = float(4 * terms * np.finfo(np.float32).eps)
        self._energy = _energy(problem) / problem.frame.n
        self._stored = list(self._measured()) if store else None

    @property
    def search_cost(self) -> float:
        """The distances of one query to all T, 2 T K operations, in applications of the frame."""
        return len(self._training) / (self._problem.frame.pool_size * self._problem.frame.n)

    def nearest(self, b: Array, q: int) -> Array:
        """Return the indices (S, q) of the training signals whose measurements are nearest to b.

        They are in order of their distance in float64; equal distances are in order of the index.
        One pass over the training signals in float32 gives candidates. If, given the rounding
        errors of this pass, a signal that was left out might be nearer than one of the result, a
        second pass compares all such signals in float64.
        """
        candidates, left_out = self._candidates(b, min(q + SPARE, len(self._training)))
        near = np.empty((len(b), q), dtype=np.int64)
        square = np.empty((len(b), q))
        frame = self._problem.frame
        for block in blocks(len(b), candidates.shape[1] * frame.pool_size * frame.n_pools):
            near[block], square[block] = self._ranked(b[block], candidates[block], q)
        unsure = ~(square[:, -1] <= left_out)
        if unsure.any():
            near[unsure] = self._scan(b[unsure], square[unsure, -1], q)
        return near

    def _measured(self) -> Iterator[tuple[slice, Array, Array]]:
        """Yield blocks of training signals: slice, measurements (T', K), reduced squared norms.

        The reduced squared norms (T',) are those of the measurements minus a bound on what rounding
        may have added to them and to inner products. The bound is ρ a (a + ‖b‖) ≤ ρ (3 a² + ‖b‖²)
        / 2, with ρ the relative error, and a the largest of the sizes of the measurements, of the
        coefficients, and of the terms of which the coefficients are sums.
        """
        frame = self._problem.frame
        for block in blocks(len(self._training), max(frame.n, frame.pool_size * frame.n_pools)):
            signals = np.asarray(self._training[block], dtype=np.float32)
            c = frame.analyse(signals)
            measured = self._problem.pooling(c)
            power = _power(measured)
            # Measurements may be small although their rounding errors are large: a threshold cuts
            # coefficients off, and the terms of F x may cancel.
            terms = self._energy * _power(signals)
            largest = np.maximum.reduce([power, _power(c), terms])
            yield block, measured, power - 1.5 * self._rounding * largest

    def _bounds(self, b: Array) -> Iterator[tuple[slice, int, Array]]:
        """Yield query slices, first signals, and lower bounds (S', T') of squared distances."""
        queries = (-2 * b).astype(np.float32)
        power = ((1 - 0.5 * self._rounding) * _power(b)).astype(np.float32)
        for block, measured, reduced in self._stored or self._measured():
            for group in blocks(len(b), len(measured)):
                bound = queries[group] @ measured.T
                bound += reduced
                bound += power[group, None]
                yield group, block.start, bound

    def _candidates(self, b: Array, wanted: int) -> tuple[Array, Array]:
        """Return candidates (S, wanted), and lower bounds (S,) of the others' squared distances."""
        best = np.full((len(b), wanted), np.inf, dtype=np.float32)
        index = np.zeros((len(b), wanted), dtype=np.int64)
        worst = best.max(axis=1)
        for group, first, bound in self._bounds(b):
            # After the first blocks, few queries find a better candidate in a block.
            rows = np.flatnonzero(bound.min(axis=1) < worst[group])
            numbers = np.broadcast_to(np.arange(first, first + bound.shape[1]), bound[rows].shape)
            better = group.start + rows
            best[better], index[better] = least(
                np.concatenate([best[better], bound[rows]], axis=1),
                np.concatenate([index[better], numbers], axis=1),
                wanted,
            )
            worst[better] = best[better].max(axis=1)
        return index, worst if wanted < len(self._training) else np.full(len(b), np.inf)

    def _ranked(self, b: Array, candidates: Array, q: int) -> tuple[Array, Array]:
        """Return the q nearest of the candidates (S, C) and their squared distances, (S, q)."""
        candidates = np.sort(candidates, axis=1)  # so that the first of equals wins
        signals = self._training[candidates].astype(np.float64)
        gap = self._problem.measure(signals) - b[:, None, :]
        square = np.einsum("sck,sck->sc", gap, gap)
        order = np.argsort(square, axis=1, kind="stable")[:, :q]
        return (
            np.take_along_axis(candidates, order, axis=1),
            np.take_along_axis(square, order, axis=1),
        )

    def _scan(self, b: Array, reach: Array, q: int) -> Array:
        """Return what `nearest` does, from the signals within squared distances `reach`, (S,)."""
        best = np.full((len(b), q), np.inf)
        index = np.zeros((len(b), q), dtype=np.int64)
        for group, first, bound in self._bounds(b):
            inside = ~(bound > reach[group, None])
            rows = np.flatnonzero(inside.any(axis=0))
            if len(rows) == 0:
                continue
            numbers = first + rows
            measured = self._problem.measure(self._training[numbers].astype(np.float64))
            for i in np.flatnonzero(inside.any(axis=1)):
                query, mine = group.start + i, inside[i, rows]
                values = np.concatenate([best[query], _power(measured[mine] - b[query])])
                labels = np.concatenate([index[query], numbers[mine]])
                order = np.argsort(values, kind="stable")[:q]
                best[query], index[query] = values[order], labels[order]
        return index


def _energy(problem: Problem) -> float:
    """Return the sum of squared lengths of the frame's vectors, or twice an estimate of it."""
    frame = problem.frame
    try:
        return float(np.sum(frame.row_energy()))
    except NotImplementedError:
        probes = np.random.default_rng(0).standard_normal((16, frame.n))
        return 2 * float(np.sum(np.abs(frame.analyse(probes)) ** 2)) / len(probes)


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Yield slices that cut rows of a given width into blocks of bounded size."""
    step = max(1, ENTRIES // width)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _power(values: Array) -> Array:
    """Return the sum of squared absolute values over all axes but the first."""
    flat = np.ascontiguousarray(values).reshape(len(values), math.prod(values.shape[1:]))
    flat = flat.view(flat.real.dtype)
    power: Array = np.einsum("tk,tk->t", flat, flat)
    return power


def least(values: Array, labels: Array, count: int) -> tuple[Array, Array]:
    """Return the `count` least values of each row and their labels, in arbitrary order."""
    pick = np.argpartition(values, count - 1, axis=1)[:, :count]
    return np.take_along_axis(values, pick, axis=1), np.take_along_axis(labels, pick, axis=1)
