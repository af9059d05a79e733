"""The second half of an iteration of ``altmin``: it fits signals to the wanted coefficients."""

from typing import ClassVar, Protocol

import numpy as np

from benchbase import Array, Problem, Run
from benchbase_altmin.sphere import on_sphere

# The ridge is relative to the mean eigenvalue of FᵀF. It tames directions that few known rows see,
# and is negligible beside the Gram matrix if enough rows are known. As the update is an increment,
# the ridge moves no fixed point. On MNIST images held out of the 60,000 (n = 100, p = 2, started by
# kNN, 8 frames × 50) the mean squared cosine is .787 ± .012 with 1e-8 and .826 ± .009 with 1e-3 at
# K = 60, and .933 and .934 ± .005 at K = 100.
RIDGE = 1e-3
ROUNDING = 1e-12  # a part smaller than this share of a signal's norm counts as zero


class Update(Protocol):
    """Fits the next signals of a block to the wanted coefficients.

    Attributes
    ----------
    cost : float
        The cost of a call for each signal besides calls of the frame, in applications of the frame.
    """

    cost: float

    def __call__(self, x: Array, c: Array, y: Array, b: Array) -> Array:
        """Return the next x (S, N).

        Parameters
        ----------
        x : ndarray, shape (S, N)
            The signals.
        c : ndarray, shape (S, L, K)
            Their coefficients F x.
        y : ndarray, shape (S, L, K)
            The wanted coefficients.
        b : ndarray, shape (S, K)
            The measurements.
        """

    def keep(self, stay: Array) -> None:
        """Go on with the signals of the batch that a boolean mask (S,) marks."""


class PseudoInverse:
    """Fits signals to all coefficients by least squares: x = F⁺ y."""

    cost = 0.0

    def __init__(self, problem: Problem) -> None:
        frame = problem.frame
        self._frame = frame
        self._deficient = frame.pool_size * frame.n_pools < frame.n
        frame.least_squares(np.zeros((frame.pool_size, frame.n_pools)))  # its first call factorises

    def __call__(self, x: Array, c: Array, y: Array, b: Array) -> Array:
        """Return F⁺ y, plus the part of x that the frame does not see if L·K < N."""
        del b
        if self._deficient:
            return x + self._frame.least_squares(y - c)
        return self._frame.least_squares(y)

    def keep(self, stay: Array) -> None:
        """Do nothing, as the update has no per-signal state."""


class Sphere:
    """Fits signals of a given norm, the same for all, to all coefficients: argmin ‖F x − y‖.

    Source: section 3.1.1 of Bruna, Szlam and LeCun, ICML 2014. Directions that the frame does not
    see are left out, unless it has fewer vectors than dimensions, L·K < N. In that case x is F⁺ y
    plus the unseen part of the previous x, scaled so that the norm is right; if F⁺ y is too long
    for that, or there is no unseen part, they are left out here too.
    """

    def __init__(self, problem: Problem) -> None:
        frame = problem.frame
        assert problem.signal_norm is not None  # noqa: S101 # for mypy; altmin has refused it
        self._radius = problem.signal_norm
        self._deficient = frame.pool_size * frame.n_pools < frame.n
        rows = dense_rows(problem)
        left, values, right = np.linalg.svd(rows, full_matrices=False)
        seen = values > max(rows.shape) * np.finfo(np.float64).eps * values[0]
        # In ascending order, as `on_sphere` needs them.
        self._eigenvalues = values[seen][::-1] ** 2
        self._right = np.ascontiguousarray(right[seen][::-1])
        self._left = np.ascontiguousarray((left[:, seen] * values[seen])[:, ::-1])
        # One product with `left`, and one each to the singular vectors and back.
        self.cost = (self._left.size + 2 * self._right.size) / rows.size

    def __call__(self, x: Array, c: Array, y: Array, b: Array) -> Array:
        """Return the x on the sphere with the least ‖F x − y‖."""
        del c, b
        g = y.reshape(len(y), -1) @ self._left
        seen = x @ self._right.T
        radius = np.full(len(x), self._radius)
        if not self._deficient:
            z = on_sphere(self._eigenvalues, g, seen, radius)
            return z @ self._right  # type: ignore[no-any-return] # an array
        z = g / self._eigenvalues
        unseen = x - seen @ self._right
        room, size = self._radius**2 - np.sum(z**2, axis=1), np.linalg.norm(unseen, axis=1)
        free = (room >= 0) & (size > ROUNDING * self._radius)
        z[~free] = on_sphere(self._eigenvalues, g[~free], seen[~free], radius[~free])
        scale = np.sqrt(room, where=free, out=np.zeros_like(room)) / np.where(free, size, 1)
        fitted: Array = z @ self._right + unseen * scale[:, None]
        return fitted

    def keep(self, stay: Array) -> None:
        """Do nothing, as the update has no per-signal state."""


class KnownRows:
    """Fits each signal to the coefficients that its measurements say something about.

    The rows of these coefficients are called known. The inverse of each signal's Gram matrix Σ f fᵀ
    over its known rows is kept and computed again only when these rows change, which seldom
    happens after some iterations.

    Parameters
    ----------
    problem : Problem
        A problem whose frame forms its vectors.
    run : Run
        The run of the signals.
    """

    products: ClassVar[int] = 1  # with an N × N matrix in `_fit`
    operations: ClassVar[float] = 1.0  # of `_factorise` after the Gram matrix, in units of N³

    def __init__(self, problem: Problem, run: Run) -> None:
        frame, size = problem.frame, run.size
        self._count = run.count
        self._frame, self._known = frame, problem.pooling.known
        self._rows = dense_rows(problem)
        self._ridge = RIDGE * np.sum(self._rows**2) / frame.n
        self.cost = self.products * frame.n / len(self._rows)
        self._masks = np.zeros((size, len(self._rows)), dtype=bool)
        self._matrices = np.zeros((size, frame.n, frame.n))

    def __call__(self, x: Array, c: Array, y: Array, b: Array) -> Array:
        """Return the x with the least ‖F x − y‖ over the known rows, near the previous x.

        In directions that no known row sees, x does not change.
        """
        known = self._known(c, b)
        assert known is not None  # noqa: S101 # for mypy; altmin has asked the pooling
        masks = known.reshape(self._masks.shape)
        for i in np.flatnonzero((masks != self._masks).any(axis=1)):
            rows = self._rows[masks[i]]
            self._factorise(int(i), rows.T @ rows)
            more = 2 * rows.size * rows.shape[1] + self.operations * rows.shape[1] ** 3
            self._count(more / (2 * self._rows.size))
        self._masks = masks
        return self._fit(x, self._frame.adjoint(y - c))  # y equals c in the rows that are not known

    def keep(self, stay: Array) -> None:
        """Drop the matrices of the signals that have left."""
        self._masks, self._matrices = self._masks[stay], self._matrices[stay]

    def _fit(self, x: Array, gradient: Array) -> Array:
        """Return x + G⁻¹ Fᵀ(y − F x)."""
        return x + (self._matrices @ gradient[:, :, None])[:, :, 0]

    def _factorise(self, i: int, gram: Array) -> None:
        """Store (Σ f fᵀ over the known rows, plus the ridge)⁻¹ of signal i."""
        from scipy.linalg.lapack import dpotrf, dpotri

        gram.flat[:: len(gram) + 1] += self._ridge
        # The Cholesky factor gives the inverse in a third of the time of numpy.linalg.inv.
        upper = np.triu(dpotri(dpotrf(gram)[0])[0])
        self._matrices[i] = upper + np.triu(upper, 1).T


class KnownRowsOnSphere(KnownRows):
    """Fits each signal to its known coefficients, as `KnownRows`, with the norm that all share.

    Minimises ‖F z − y‖² + ridge · ‖z − x‖² over the known rows and the z with ‖z‖ = radius, where
    x is the previous signal, by an eigendecomposition for each signal.
    """

    products: ClassVar[int] = 3
    operations: ClassVar[float] = 9.0

    def __init__(self, problem: Problem, run: Run) -> None:
        super().__init__(problem, run)
        assert problem.signal_norm is not None  # noqa: S101 # for mypy; altmin has refused it
        self._radius = problem.signal_norm
        self._eigenvalues = np.zeros((run.size, problem.frame.n))

    def keep(self, stay: Array) -> None:
        """Drop the matrices of the signals that have left."""
        super().keep(stay)
        self._eigenvalues = self._eigenvalues[stay]

    def _fit(self, x: Array, gradient: Array) -> Array:
        before = (x[:, None, :] @ self._matrices)[:, 0, :]
        step = (gradient[:, None, :] @ self._matrices)[:, 0, :]
        g = step + (self._eigenvalues + self._ridge) * before
        z = on_sphere(self._eigenvalues, g, before, np.full(len(x), self._radius))
        fitted: Array = (self._matrices @ z[:, :, None])[:, :, 0]
        return fitted

    def _factorise(self, i: int, gram: Array) -> None:
        """Store the eigenvalues and eigenvectors of signal i's Σ f fᵀ over its known rows."""
        values, self._matrices[i] = np.linalg.eigh(gram)
        self._eigenvalues[i] = np.maximum(values, 0)


def dense_rows(problem: Problem) -> Array:
    """Return the frame's vectors (L·K, N), in the order of coefficients: member, then pool."""
    vectors = problem.vectors(counted=True)
    rows: Array = vectors.transpose(1, 0, 2).reshape(-1, problem.frame.n).astype(np.float64)
    return rows
