"""Exact search for the training signals with the nearest measurements."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import numpy as np

from benchbase import Array, Problem, Query, Run

ENTRIES = 400_000  # numbers in a block: 1.6 MB in float32, which fit into the cache of a core
SPARE = 16  # additional candidates, because rounding may change the order of near ones
SHARE = 8192  # training signals for each of which there is one, if that is more


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
        self._stored = list(self._measured(problem)) if store else None

    def find(self, b: Array, q: int, run: Run) -> Array:
        """Return what `nearest` does; all solvers of a run share one pass per frame.

        If the same solver has the same signals to recover under other poolings, the pass analyses
        the training signals once and finds the neighbours for all poolings. Each solver is charged
        the pass and the comparisons of its own pooling.
        """
        if self._stored is not None:
            return self.nearest(b, q)

        def find(queries: Sequence[Query]) -> list[dict[str, Array]]:
            return [{"near": near} for near in self._search(queries, q)]

        return run.shared(self._problem, b, f"{__name__} nearest {q}", find)["near"]

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
        (near,) = self._search([Query(self._problem, b, nullcontext)], q)
        return near

    def _search(self, queries: Sequence[Query], q: int) -> list[Array]:
        """Return the nearest for several queries, which share the first pass."""
        spare = max(SPARE, len(self._training) // SHARE)
        wanted = min(q + spare, len(self._training))
        candidates = [Candidates(self._bounds(query.b), wanted) for query in queries]
        for block, measured, reduced in self._stored or ():
            candidates[0].offer(block.start, measured, reduced)
        for block, c, largest in self._analysed() if self._stored is None else ():
            for query, mine in zip(queries, candidates, strict=True):
                with query.alone():
                    mine.offer(block.start, *self._pooled(query.problem, c, largest))
        found = []
        for query, mine in zip(queries, candidates, strict=True):
            with query.alone():
                found.append(self._exact(query.problem, query.b, mine, q))
        return found

    def _exact(self, problem: Problem, b: Array, candidates: Candidates, q: int) -> Array:
        """Return the nearest of the candidates, or of all for which these may not do."""
        near = np.empty((len(b), q), dtype=np.int64)
        square = np.empty((len(b), q))
        frame, index = problem.frame, candidates.index
        for block in blocks(len(b), index.shape[1] * frame.pool_size * frame.n_pools):
            near[block], square[block] = self._ranked(problem, b[block], index[block], q)
        everything = index.shape[1] == len(self._training)
        unsure = ~(square[:, -1] <= (np.inf if everything else candidates.worst))
        if unsure.any():
            near[unsure] = self._scan(problem, b[unsure], square[unsure, -1], q)
        return near

    def _analysed(self) -> Iterator[tuple[slice, Array, Array]]:
        """Yield blocks of training signals: slice, coefficients (T', L, K), largest sizes (T',).

        The largest is that of the squared norms of the coefficients and of the terms of which they
        are sums.
        """
        frame = self._problem.frame
        for block in blocks(len(self._training), max(frame.n, frame.pool_size * frame.n_pools)):
            signals = np.asarray(self._training[block], dtype=np.float32)
            c = frame.analyse(signals)
            # The terms of F x may cancel, so that coefficients are small and their errors are not.
            yield block, c, np.maximum(_power(c), self._energy * _power(signals))

    def _pooled(self, problem: Problem, c: Array, largest: Array) -> tuple[Array, Array]:
        """Return measurements (T', K) and their reduced squared norms (T',).

        The reduced squared norms are those of the measurements minus a bound on what rounding
        may have added to them and to inner products. The bound is ρ a (a + ‖b‖) ≤ ρ (3 a² + ‖b‖²)
        / 2, with ρ the relative error, and a the largest of the sizes of the measurements, of the
        coefficients, and of the terms of which the coefficients are sums. Measurements may be small
        although their rounding errors are large: a threshold cuts coefficients off.
        """
        measured = problem.pooling(c)
        power = _power(measured)
        reduced: Array = power - 1.5 * self._rounding * np.maximum(power, largest)
        return measured, reduced

    def _measured(self, problem: Problem) -> Iterator[tuple[slice, Array, Array]]:
        """Yield blocks of training signals: slice, measurements, reduced squared norms."""
        for block, c, largest in self._analysed():
            yield block, *self._pooled(problem, c, largest)

    def _bounds(self, b: Array) -> Bounds:
        """Return what gives lower bounds of the squared distances from b."""
        power = (1 - 0.5 * self._rounding) * _power(b)
        return Bounds((-2 * b).astype(np.float32), power.astype(np.float32))

    def _ranked(self, problem: Problem, b: Array, candidates: Array, q: int) -> tuple[Array, Array]:
        """Return the q nearest of the candidates (S, C) and their squared distances, (S, q)."""
        candidates = np.sort(candidates, axis=1)  # so that the first of equals wins
        signals = self._training[candidates].astype(np.float64)
        gap = problem.measure(signals) - b[:, None, :]
        square = np.einsum("sck,sck->sc", gap, gap)
        order = np.argsort(square, axis=1, kind="stable")[:, :q]
        return (
            np.take_along_axis(candidates, order, axis=1),
            np.take_along_axis(square, order, axis=1),
        )

    def _scan(self, problem: Problem, b: Array, reach: Array, q: int) -> Array:
        """Return what `nearest` does, from the signals within squared distances `reach`, (S,)."""
        best = np.full((len(b), q), np.inf)
        index = np.zeros((len(b), q), dtype=np.int64)
        bounds = self._bounds(b)
        for block, measured, reduced in self._stored or self._measured(problem):
            for group, bound in bounds.of(measured, reduced):
                inside = ~(bound > reach[group, None])
                rows = np.flatnonzero(inside.any(axis=0))
                if len(rows) == 0:
                    continue
                numbers = block.start + rows
                exact = problem.measure(self._training[numbers].astype(np.float64))
                for i in np.flatnonzero(inside.any(axis=1)):
                    query, mine = group.start + i, inside[i, rows]
                    values = np.concatenate([best[query], _power(exact[mine] - b[query])])
                    labels = np.concatenate([index[query], numbers[mine]])
                    order = np.argsort(values, kind="stable")[:q]
                    best[query], index[query] = values[order], labels[order]
        return index


class Bounds:
    """Lower bounds of the squared distances of S measurements from those of training signals.

    Parameters
    ----------
    queries : ndarray, shape (S, K)
        The measurements times −2, in float32.
    power : ndarray, shape (S,)
        Their squared norms, reduced by a bound on rounding errors.
    """

    def __init__(self, queries: Array, power: Array) -> None:
        self._queries, self._power = queries, power

    def __len__(self) -> int:
        return len(self._queries)

    def of(self, measured: Array, reduced: Array) -> Iterator[tuple[slice, Array]]:
        """Yield slices of queries and their bounds (S', T') for a block of training signals.

        Parameters
        ----------
        measured : ndarray, shape (T', K)
            The measurements of the training signals.
        reduced : ndarray, shape (T',)
            Their squared norms, reduced by a bound on rounding errors.
        """
        for group in blocks(len(self), len(measured)):
            bound = self._queries[group] @ measured.T
            bound += reduced
            bound += self._power[group, None]
            yield group, bound


class Candidates:
    """The training signals with the least bounds so far, for each of S queries.

    Parameters
    ----------
    bounds : Bounds
        The bounds of the queries.
    wanted : int
        The number of candidates of each.

    Attributes
    ----------
    index : ndarray, shape (S, wanted)
        The candidates.
    worst : ndarray, shape (S,)
        Lower bounds of the squared distances of all signals that are no candidates.
    """

    def __init__(self, bounds: Bounds, wanted: int) -> None:
        self._bounds = bounds
        self._best = np.full((len(bounds), wanted), np.inf, dtype=np.float32)
        self.index = np.zeros((len(bounds), wanted), dtype=np.int64)
        self.worst = self._best.max(axis=1)

    def offer(self, first: int, measured: Array, reduced: Array) -> None:
        """Offer a block of training signals, from number `first` on; see `Bounds.of`."""
        for group, bound in self._bounds.of(measured, reduced):
            # After the first blocks, few queries find a better candidate in a block.
            rows = np.flatnonzero(bound.min(axis=1) < self.worst[group])
            numbers = np.broadcast_to(np.arange(first, first + len(measured)), bound[rows].shape)
            better = group.start + rows
            self._best[better], self.index[better] = least(
                np.concatenate([self._best[better], bound[rows]], axis=1),
                np.concatenate([self.index[better], numbers], axis=1),
                self.index.shape[1],
            )
            self.worst[better] = self._best[better].max(axis=1)


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
