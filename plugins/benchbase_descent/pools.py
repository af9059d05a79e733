"""Values of pools, and their gradients with respect to the coefficients."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from benchbase import Array, Problem, root_mean_squares

SEED = 5_141_592  # no frame is drawn with this seed: its vectors would be the random signals
SMALL = 512  # dimension up to which the length of the vectors is computed from all unit vectors
DRAWS = 64  # random signals from which it is estimated in higher dimensions, to 1 % or better
STEP = 6e-6  # relative step of a difference quotient: the cube root of the rounding error
LEAST = 1e-150  # the squares of norms above this do not vanish


Member: TypeAlias = Literal["size", "positive", "signed"]
MEMBERS: dict[tuple[float, float], Member] = {
    (-1, 1): "size",
    (0, 1): "positive",
    (1, 1): "signed",
}
"""Whether a pooling takes a coefficient's size, positive part or itself, by `Pooling.slopes`."""


class Formula(NamedTuple):
    """The formula of a pooling: P(c) = ‖m(c − α)‖_p.

    Here m is the absolute value, the positive part, or (for p = inf) the identity, which makes P
    the signed maximum.
    """

    p: float
    member: Member
    alpha: Array  # (L, K)


class Pools:
    """A problem's frame and pooling in units in which vectors and measurements have size 1.

    Vectors are divided by `length`, the root mean square of their lengths, and the measurements of
    each signal by a unit. Signals are therefore multiplied by `length` and divided by the unit.

    Parameters
    ----------
    problem : Problem
        A problem with a real frame.

    Attributes
    ----------
    n, n_pools, pool_size : int
        N, K and L.
    length : float
        The root mean square of the lengths of the frame's vectors, or 1 if all vectors are zero. In
        high dimensions it is estimated from the coefficients of a few random signals of a fixed
        seed.
    formula : Formula or None
        What the pooling computes, or None if it is neither an lp norm nor the signed maximum.
    homogeneous : bool
        Whether P(t c) = t P(c) for t > 0, so that units do not matter.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        frame = problem.frame
        self.n, self.n_pools, self.pool_size = frame.n, frame.n_pools, frame.pool_size
        self.length = _length(problem)
        self.formula = formula_of(problem)
        self.homogeneous = problem.pooling.homogeneous

    def units(self, b: Array) -> Array:
        """Return the units (S,) by which the measurements b (S, K) of each signal are divided.

        The unit is the root mean square of the measurements, or of the thresholds if that is
        larger, or 1 if all of them are zero.
        """
        unit = root_mean_squares(b)
        if self.formula is not None:
            unit = np.maximum(unit, root_mean_squares(self.formula.alpha.reshape(1, -1)))
        return np.where(unit > 0, unit, 1)

    def vectors(self) -> Array:
        """Return the frame's vectors in these units, (K, L, N); methods count their use."""
        return np.asarray(self.problem.vectors(counted=True), dtype=np.float64) / self.length

    def analyse(self, x: Array) -> Array:
        """Return F x: (S, N) to (S, L, K)."""
        return self.problem.frame.analyse(x / self.length)

    def adjoint(self, c: Array) -> Array:
        """Return Fᵀ c: (S, L, K) to (S, N)."""
        gradient: Array = self.problem.frame.adjoint(c) / self.length
        return gradient

    def values(self, c: Array, unit: Array) -> Array:
        """Return P(c), (S, K), for coefficients c (S, L, K) and units (S,)."""
        if self.homogeneous:
            return self.problem.pooling(c)
        pooled: Array = self.problem.pooling(c * unit[:, None, None]) / unit[:, None]
        return pooled

    def rescaled(self, c: Array, b: Array, unit: Array) -> tuple[Array, Array | None]:
        """Return what the pooling's `rescale` and `known` give for c (S, L, K) and b (S, K)."""
        pooling = self.problem.pooling
        if self.homogeneous:
            return pooling.rescale(c, b), pooling.known(c, b)
        c, b = c * unit[:, None, None], b * unit[:, None]
        return pooling.rescale(c, b) / unit[:, None, None], pooling.known(c, b)

    def directions(
        self, c: Array, unit: Array, smoothing: Array | None = None
    ) -> tuple[Array, Array]:
        """Return values of pools and their gradients with respect to coefficients.

        At a kink the gradient is that on one side of it, or zero if the value is least at the kink:
        pools that are cut off, and pools whose value is zero, have the direction zero. For poolings
        without a formula the gradients are difference quotients, which are never smoothed.

        Parameters
        ----------
        c : ndarray, shape (S, L, K)
            Coefficients.
        unit : ndarray, shape (S,)
            The units by which measurements were divided.
        smoothing : ndarray, shape (S,), optional
            ε > 0: kinks are rounded off within about ε. A maximum becomes ε log Σ exp(·/ε); this
            includes the size and the positive part of t, which are maxima of two. The Euclidean
            norm of a pool becomes √(‖c_k‖² + L ε²). All of these are larger than what they replace.

        Returns
        -------
        values : ndarray, shape (S, K)
        directions : ndarray, shape (S, L, K)
        """
        if self.formula is None:
            return self._quotients(c, unit)
        p, member, alpha = self.formula
        if not self.homogeneous:
            c = c - alpha / unit[:, None, None]
        if smoothing is not None:
            return _smooth(c, p, member, smoothing[:, None, None])
        if member == "positive":
            c = np.maximum(c, 0)
        if p == 2:
            size = np.sqrt(np.einsum("slk,slk->sk", c, c))
            return size, c / np.maximum(size, LEAST)[:, None, :]
        if p == 1:
            return np.abs(c).sum(axis=1), np.sign(c)
        size = c if member == "signed" else np.abs(c)
        if self.pool_size == 2:  # the usual size, for which a comparison is much faster than argmax
            first = (size[:, 1:] > size[:, :1]).astype(np.intp)
        else:
            first = size.argmax(axis=1, keepdims=True)
        chosen = first == np.arange(self.pool_size)[:, None]
        d = chosen.astype(c.dtype)
        if member != "signed":
            d *= np.sign(c)
        return size.max(axis=1), d

    def _quotients(self, c: Array, unit: Array) -> tuple[Array, Array]:
        step = STEP * np.maximum(root_mean_squares(c.reshape(len(c), -1)), LEAST)
        d = np.empty_like(c)
        for j in range(self.pool_size):
            ahead, behind = c.copy(), c.copy()
            ahead[:, j] += step[:, None]
            behind[:, j] -= step[:, None]
            rise = self.values(ahead, unit) - self.values(behind, unit)
            d[:, j] = rise / (ahead[:, j] - behind[:, j])
        return self.values(c, unit), d


def _normal(*shape: int) -> Array:
    return np.random.default_rng(SEED).standard_normal(shape)


def _length(problem: Problem) -> float:
    n = problem.frame.n
    if n <= SMALL:
        size = root_mean_squares(problem.frame.analyse(np.eye(n)).reshape(1, -1))[0] * n**0.5
    else:
        size = root_mean_squares(problem.frame.analyse(_normal(DRAWS, n)).reshape(1, -1))[0]
    return float(size) if size > 0 else 1.0


def _smooth(c: Array, p: float, member: str, eps: Array) -> tuple[Array, Array]:
    """Return values with kinks rounded off, and their gradients; ε has the shape (S, 1, 1)."""
    if p == np.inf:
        lines = {"size": [c, -c], "positive": [c, np.zeros_like(c[:, :1])], "signed": [c]}[member]
        u = np.concatenate(lines, axis=1)
        top = u.max(axis=1, keepdims=True)
        weight = np.exp((u - top) / eps)
        total = weight.sum(axis=1, keepdims=True)
        weight /= total
        d = weight[:, : c.shape[1]]
        if member == "size":
            d = d - weight[:, c.shape[1] :]
        return (top + eps * np.log(total))[:, 0], d
    if p == 2 and member == "size":
        size = np.sqrt(np.einsum("slk,slk->sk", c, c) + c.shape[1] * eps[:, 0] ** 2)
        return size, c / size[:, None, :]
    t = np.abs(c)
    if member == "size":
        less = np.exp(-2 * t / eps)
        m, slope = t + eps * np.log1p(less), np.sign(c) * (1 - less) / (1 + less)
    else:
        less = np.exp(-t / eps)
        m, slope = np.maximum(c, 0) + eps * np.log1p(less), np.where(c > 0, 1, less) / (1 + less)
    if p == 1:
        return m.sum(axis=1), slope
    size = np.sqrt(np.einsum("slk,slk->sk", m, m))
    return size, m * slope / np.maximum(size, LEAST)[:, None, :]


def formula_of(problem: Problem) -> Formula | None:
    """Return the formula of the problem's pooling, or None if it has none.

    Only lp norms with p = 1, 2 or infinity and the signed maximum have a formula.
    """
    pooling, frame = problem.pooling, problem.frame
    member = None if pooling.slopes is None else MEMBERS.get(pooling.slopes)
    p = np.inf if member == "signed" else pooling.p
    if member is None or p not in (1, 2, np.inf):
        return None
    alpha = pooling.thresholds(frame.n_pools, frame.pool_size)
    return Formula(p, member, np.ascontiguousarray(alpha))
