"""Direct minimisation of the ratio of a pair: the upper end of A for every pooling, at any size."""

from __future__ import annotations

import numpy as np

from benchbase import Array
from benchbase_bounds.representation import CLOSEST, Operator
from benchbase_bounds.upper_ends.quasi_newton import quasi_newton

_COLLISION = 1e-9  # a ratio, relative to that of the first pairs, that is a collision
_NEAR = 1e-2  # the distance of pairs that start close together
_RESTARTS = {2: 48, 20: 24, 10**9: 12}  # by the largest N


def upper_end(operator: Operator, *, seed: int, effort: float) -> tuple[float, tuple[Array, Array]]:
    """Return the upper end of A and its pair, with a number of starts that fits the dimension.

    With rectification, pairs at which the derivative is shortest are among the starts, so that the
    result is at most what these attain.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed : int
        Seed of the starts.
    effort : float
        Factor of the number of starts.

    Returns
    -------
    value : float
        The ratio of the pair.
    pair : tuple of two ndarrays, shape (N,)
    """
    restarts = next(number for most, number in _RESTARTS.items() if operator.n <= most)
    starts = flattest(operator, seed=seed) if operator.rectified else None
    return minimise_ratio(
        operator, seed=seed, restarts=max(4, round(restarts * effort)), n_iter=400, starts=starts
    )


def minimise_ratio(
    operator: Operator,
    *,
    seed: int = 0,
    restarts: int = 32,
    n_iter: int = 1000,
    starts: Array | None = None,
) -> tuple[float, tuple[Array, Array]]:
    """Minimise ‖R(x) − R(y)‖ / d(x, y) over pairs: an upper bound of A, which a pair attains.

    The logarithm of the ratio is minimised by BFGS with analytic gradients. The starts are of four
    kinds: independent Gaussian pairs, antipodal pairs, orthogonal pairs, and close pairs along the
    direction in which the derivative at x is shortest. The ratio of the best pair is worked out
    again with `Operator.ratio`.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed : int, optional
        Seed of the starts.
    restarts, n_iter : int, optional
        The number of starts, which are followed together, and of iterations.
    starts : ndarray, shape (S, 2, N), optional
        Further pairs to start from.

    Returns
    -------
    value : float
        The ratio of the pair: 0 to rounding if its signals collide.
    pair : tuple of two ndarrays, shape (N,)

    Notes
    -----
    Pairs keep the distance that `Operator.ratio` asks for. Without it, or with an absolute floor on
    d², minimisation would let x shrink onto y until the difference is nothing but rounding.
    """
    pairs = _starts(operator, np.random.default_rng(seed), restarts)
    if starts is not None:
        pairs = np.concatenate([starts, pairs])
    ratios = operator.ratio(pairs[:, 0], pairs[:, 1])
    if (ratios > 0).all():
        kept = np.isfinite(ratios)
        flat = quasi_newton(
            lambda z: log_ratio(operator, z),
            pairs[kept].reshape(kept.sum(), -1),
            n_iter,
            least=2 * np.log(_COLLISION * np.median(ratios[kept])),
        )
        pairs = flat.reshape(-1, 2, operator.n)
        ratios = operator.ratio(pairs[:, 0], pairs[:, 1])
    x, y = pairs[ratios.argmin()]
    # Once more, alone: sums of a batch may round differently.
    return float(operator.ratio(x, y)), (x, y)


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
    if not operator.homogeneous:  # signals may lie above or below the scale of the thresholds
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
    """Return close pairs at which the derivative is short: (S, 2, N).

    The least singular value of any derivative bounds A above, as A₀ of Proposition 2.2 does for
    half rectification, where it is the least over all x. Random walks lower it step by step.

    Parameters
    ----------
    operator : Operator
        The representation.
    seed, walkers, turns : int, optional
        Seed of the walks, their number and their length.
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
