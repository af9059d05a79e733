"""The lower Lipschitz constant by direct minimisation of the ratio, at any size."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.representation import CLOSEST, Operator
from benchbase_bounds.upper_ends.quasi_newton import minimise

_LEAST = 1e-9  # a ratio, relative to that of the first pairs, that is a collision
_NEAR = 1e-2  # the distance of pairs that start close together


def empirical(
    operator: Operator,
    *,
    seed: int = 0,
    restarts: int = 32,
    n_iter: int = 1000,
    rounds: int = 1,
    starts: Array | None = None,
) -> tuple[float, tuple[Array, Array]]:
    """Minimise ‖R(x) − R(y)‖ / d(x, y) over pairs: an upper estimate of A that a pair attains.

    The logarithm of the ratio is minimised by BFGS with analytic gradients from starts of four
    kinds: independent Gaussian pairs, antipodal, orthogonal and close ones, the last along
    the direction in which the derivative at x is shortest. The value of the best pair is worked out
    again with `Operator.ratio`.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed : int, optional
        Of the starts.
    restarts, n_iter : int, optional
        Starts that are followed together, and iterations.
    rounds : int, optional
        How many times, each with starts of its own.
    starts : ndarray, shape (S, 2, N), optional
        Pairs to start from besides.

    Returns
    -------
    value : float
        The ratio of the pair; 0 to rounding where two signals collide.
    pair : tuple of two ndarrays, shape (N,)

    Notes
    -----
    Pairs keep the distance that `Operator.ratio` asks for. Without it, or with an absolute floor on
    d², minimisation would let x shrink onto y until the difference is nothing but rounding.
    """
    rng = np.random.default_rng(seed)
    best, pair = np.inf, (np.zeros(operator.n), np.zeros(operator.n))
    for _ in range(rounds):
        pairs = _starts(operator, rng, restarts)
        if starts is not None:
            pairs, starts = np.concatenate([starts, pairs]), None
        ratios = operator.ratio(pairs[:, 0], pairs[:, 1])
        found, silent = ratios.argmin(), ratios == 0
        if not silent.any():
            kept = pairs[np.isfinite(ratios)]
            flat, _ = minimise(
                lambda z, _: log_ratio(operator, z),
                kept.reshape(len(kept), -1),
                n_iter,
                least=2 * np.log(_LEAST * np.median(ratios[np.isfinite(ratios)])),
            )
            pairs = flat.reshape(-1, 2, operator.n)
            ratios = operator.ratio(pairs[:, 0], pairs[:, 1])
            found = ratios.argmin()
        if ratios[found] < best:
            best, pair = float(ratios[found]), (pairs[found, 0], pairs[found, 1])
        if best == 0:
            break
    # Once more, alone: sums of a batch may round differently.
    return float(operator.ratio(*pair)), pair


def log_ratio(operator: Operator, z: Array) -> tuple[Array, Array]:
    """Return the logarithm of the squared ratio of pairs, and its gradient.

    Parameters
    ----------
    operator : Operator
        The representation.
    z : ndarray, shape (S, 2N)
        Pairs (x, y), one after the other.

    Returns
    -------
    values : ndarray, shape (S,)
        Infinity for pairs that are too close to be told apart, −infinity for collisions.
    gradients : ndarray, shape (S, 2N)
    """
    pairs = z.reshape(len(z), 2, -1)
    values, slopes = operator.with_slopes(pairs)
    gap = values[:, 0] - values[:, 1]
    size = np.einsum("sk,sk->s", gap, gap)
    sign = np.ones(len(z))
    if operator.even:
        sign[np.einsum("sn,sn->s", pairs[:, 0], pairs[:, 1]) < 0] = -1.0
    apart = pairs[:, 0] - sign[:, None] * pairs[:, 1]
    d2 = np.einsum("sn,sn->s", apart, apart)
    near = d2 < CLOSEST**2 * (np.einsum("si,si->s", z, z) + operator.reach**2)
    safe = np.where(size > 0, size, 1.0)
    slopes *= gap[:, None, None, :]
    slopes[:, 1] *= -1.0
    gradient = operator.adjoint(slopes) * (2.0 / safe)[:, None, None]
    pull = apart * (2.0 / np.where(d2 > 0, d2, 1.0))[:, None]
    gradient[:, 0] -= pull
    gradient[:, 1] += sign[:, None] * pull
    with np.errstate(divide="ignore"):
        f = np.log(size) - np.log(np.where(near, 1.0, d2))
    f[near] = np.inf
    return f, gradient.reshape(z.shape)


def _starts(operator: Operator, rng: np.random.Generator, size: int) -> Array:
    """Draw pairs of the four kinds in turn: (size, 2, N)."""
    pairs = rng.standard_normal((size, 2, operator.n))
    if not operator.homogeneous:  # thresholds have a scale, which signals may lie above or below
        pairs *= operator.reach * np.exp(rng.normal(0.0, 1.5, (size, 1, 1)))
    x, y = pairs[:, 0], pairs[:, 1]
    y[1::4] = -x[1::4] + 0.1 * y[1::4]
    if operator.n > 1:
        inner = np.sum(x[2::4] * y[2::4], axis=1) / np.sum(x[2::4] ** 2, axis=1)
        y[2::4] -= inner[:, None] * x[2::4]
    y[3::4] = x[3::4] + _NEAR * np.linalg.norm(x[3::4], axis=1)[:, None] * shortest(
        operator, x[3::4]
    )
    return pairs


def flattest(operator: Operator, *, seed: int = 0, walkers: int = 16, turns: int = 20) -> Array:
    """Return close pairs where the derivative is shortest, as found: (S, 2, N).

    The least singular value of a derivative bounds A above, as A₀ of Proposition 2.2 does for half
    rectification, where it is the least over all x. Random walks lower it, a step at a time.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed, walkers, turns : int, optional
        Of the walks, their number and length.
    """
    rng = np.random.default_rng(seed)
    x = _starts(operator, rng, walkers)[:, 0]
    best = np.full(walkers, np.inf)
    for turn in range(turns):
        size = np.linalg.norm(x, axis=1)[:, None]
        at = x + (turn > 0) * size * rng.standard_normal(x.shape) / np.sqrt(operator.n) / 2
        J = operator.jacobian(at)
        now = np.linalg.eigvalsh(J.transpose(0, 2, 1) @ J)[:, 0]
        x = np.where((now < best)[:, None], at, x)
        best = np.minimum(best, now)
    size = np.linalg.norm(x, axis=1)[:, None]
    return np.stack([x, x + 1e-3 * size * shortest(operator, x)], axis=1)


def shortest(operator: Operator, x: Array) -> Array:
    """Return the unit vectors that the derivatives at x make shortest: (S, N) to (S, N)."""
    gram = operator.jacobian(x)
    gram = gram.transpose(0, 2, 1) @ gram
    return np.linalg.eigh(gram)[1][:, :, 0]
