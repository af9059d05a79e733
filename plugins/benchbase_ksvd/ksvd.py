"""Frames that are learned by block K-SVD from randomly drawn training signals."""

from __future__ import annotations

import hashlib

import numpy as np

import benchbase
from benchbase import Array
from benchbase_ksvd.learning import block_ksvd, orthonormal

SPAN = 1e-5
"""Directions whose root mean square, relative to the largest, is smaller count as empty.

Training signals are float32. In 16×16 image patches, rounding leaves 3e-7 in the direction of the
mean that was removed; the weakest of the other directions has 1e-2.
"""


class LearnedFrame(benchbase.DenseFrame):
    """A frame that was learned, with the record of its learning.

    Parameters
    ----------
    vectors : array_like, shape (K, L, N)
        ``vectors[k, j]`` is the j-th vector of pool k.
    objective : array_like, shape (n_iter,)
        The mean squared distance of the training signals, scaled to unit norm, from their sparse
        representation, after each iteration.
    replaced : int
        How often a pool was replaced because no training signal used it.
    """

    def __init__(self, vectors: Array, objective: Array, replaced: int) -> None:
        super().__init__(vectors)
        self.objective = tuple(float(value) for value in objective)
        self.replaced = replaced


class KSVD(benchbase.FrameDesign):
    """Frames learned from the training signals by block K-SVD.

    These are the adapted frames of Bruna, Szlam and LeCun, "Signal recovery from pooling
    representations", ICML 2014, section 3.2. Each pool is a block of orthonormal vectors. The
    pools are such that each training signal is well represented by few of them, which block
    orthogonal matching pursuit finds.

    The training signals to learn from are drawn without replacement and scaled to unit norm; zero
    signals are left out. Learning starts from the first L·K of them, orthonormalised in groups of
    L. All vectors of the frame lie in the span of the drawn signals. Directions in which the
    signals have a root mean square below 10⁻⁵ of the largest do not count as part of the span. If
    every signal has mean zero, for example, so do the vectors of the frame. Otherwise rounding
    would leave them a small mean, which the pseudo-inverse would magnify.

    A frame is learned once and then taken from the cache.

    Parameters
    ----------
    n_pools : int
        The number of pools K.
    pool_size : int, optional
        The number of vectors L in a pool.
    nonzero : int, optional
        The number of pools that may represent a training signal.
    n_points : int, optional
        The number of training signals to learn from, at least L·K.
    n_iter : int, optional
        The number of iterations, each of which is a pursuit and an update of all pools.

    Raises
    ------
    ParameterError
        If a parameter is less than 1, `nonzero` is more than `n_pools`, or `n_points` is less than
        ``n_pools * pool_size``.

    References
    ----------
    Aharon, Elad, Bruckstein, "K-SVD: an algorithm for designing overcomplete dictionaries for
    sparse representation", IEEE Trans. Signal Processing 54(11), 2006, pages 4311-4322.
    Zelnik-Manor, Rosenblum, Eldar, "Dictionary optimization for block-sparse representations",
    IEEE Trans. Signal Processing 60(5), 2012, pages 2386-2395.
    """

    name = "ksvd"
    n_pools: int
    pool_size: int = 2
    nonzero: int = 5
    n_points: int = 4000
    n_iter: int = 4

    def __post_init__(self) -> None:
        for parameter in ("n_pools", "pool_size", "nonzero", "n_points", "n_iter"):
            benchbase.check_range(parameter, getattr(self, parameter), least=1)
        if self.nonzero > self.n_pools:
            problem = f"must be at most n_pools = {self.n_pools}, not {self.nonzero}"
            raise benchbase.ParameterError("nonzero", problem)
        n_vectors = self.n_pools * self.pool_size
        if self.n_points < n_vectors:
            problem = f"must be at least n_pools * pool_size = {n_vectors}, not {self.n_points}"
            raise benchbase.ParameterError("n_points", problem)

    def check(self, n: int) -> None:
        """Check that pools of orthonormal vectors fit into `n` dimensions.

        Raises
        ------
        ParameterError
            If `pool_size` is more than `n`.
        """
        self._check_dimension(n, "the dimension of the signals")

    def build(self, n: int, train: Array | None, rng: np.random.Generator) -> LearnedFrame:
        """Learn a frame for signals of dimension `n`, or take it from the cache.

        Raises
        ------
        BenchbaseError
            If there are no training signals.
        ParameterError
            If fewer than `n_points` training signals are not zero, or if they span fewer than
            `pool_size` dimensions.
        """
        del n  # the training signals have this dimension
        if train is None:
            raise benchbase.BenchbaseError(
                "ksvd: these frames are learned from training signals, but the data set has none; "
                "choose another data set or frame"
            )
        points = self._draw(train, rng)
        digest = hashlib.sha256(points.tobytes()).hexdigest()
        key = f"ksvd {points.shape} {digest} {self.spec()} {benchbase.code_digest(type(self))}"
        arrays = benchbase.cached(key, lambda: self._learn(points))
        return LearnedFrame(arrays["vectors"], arrays["objective"], int(arrays["replaced"][0]))

    def _check_dimension(self, n: int, what: str) -> None:
        if self.pool_size > n:
            problem = f"must be at most {n}, {what}, not {self.pool_size}"
            raise benchbase.ParameterError("pool_size", problem)

    def _draw(self, train: Array, rng: np.random.Generator) -> Array:
        """Draw training signals that are not zero and scale them to unit norm: (n_points, N)."""
        order = rng.permutation(len(train))
        points = np.empty((self.n_points, train.shape[1]))
        count = 0
        for start in range(0, len(train), self.n_points):
            drawn = train[order[start : start + self.n_points]].astype(np.float64)
            lengths = np.linalg.norm(drawn, axis=1, keepdims=True)
            units = (drawn[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0])[: self.n_points - count]
            points[count : count + len(units)] = units
            count += len(units)
            if count == self.n_points:
                return points
        problem = f"must be at most {count}, the number of training signals that are not zero"
        raise benchbase.ParameterError("n_points", f"{problem}, not {self.n_points}")

    def _learn(self, points: Array) -> dict[str, Array]:
        """Learn a frame from points (P, N), working in the coordinates of their span."""
        basis = span(points)
        self._check_dimension(len(basis), "the dimension of the span of the training signals")
        coordinates = points @ basis.T
        groups = coordinates[: self.n_pools * self.pool_size].reshape(
            self.n_pools, self.pool_size, -1
        )
        start = np.array([orthonormal(group, self.pool_size) for group in groups])
        with benchbase.progress(f"{self.name}, {self.n_pools} pools", self.n_iter) as bar:
            learned = block_ksvd(coordinates, start, self.nonzero, self.n_iter, bar.update)
        return {
            "vectors": learned.blocks @ basis,
            "objective": learned.objective,
            "replaced": np.array([learned.replaced]),
        }


def span(points: Array) -> Array:
    """Return an orthonormal basis (R, N) of the span of points (P, N).

    The basis consists of the principal directions, in order of falling root mean square. Those
    with a root mean square below `SPAN` times the largest are left out.
    """
    energies, directions = np.linalg.eigh(points.T @ points)
    kept = energies > SPAN**2 * energies[-1]
    return np.ascontiguousarray(directions[:, kept][:, ::-1].T)
